#include "farm/change.h"

#include "base/text.h"

#include <algorithm>
#include <span>
#include <vector>

namespace nacre::farm {
namespace {

constexpr std::array kCauses = {Cause::kRebuild, Cause::kUpstream, Cause::kHand, Cause::kSecurity};

template <class T>
Result<T> parse(std::string_view name, std::string_view what, std::span<const T> all) {
  std::vector<std::string> names;
  for (const T value : all) {
    if (name_of(value) == name) return value;
    names.emplace_back(name_of(value));
  }
  return Error::make(ErrorKind::kInvalid, "'{}' is no {} of a change; there are {}", name, what, join(names, ", "))
      .hint(nearest_hint(name, names));
}

}  // namespace

std::string_view name_of(Stage stage) {
  switch (stage) {
    case Stage::kSeen: return "seen";
    case Stage::kProposed: return "proposed";
    case Stage::kFetched: return "fetched";
    case Stage::kBuilt: return "built";
    case Stage::kTested: return "tested";
    case Stage::kGated: return "gated";
    case Stage::kPublished: return "published";
    case Stage::kImaged: return "imaged";
    case Stage::kPromoted: return "promoted";
  }
  return "?";
}

Stage next_of(Stage stage) {
  const auto found = std::find(kStages.begin(), kStages.end(), stage);
  return found + 1 == kStages.end() ? stage : *(found + 1);
}

std::string_view name_of(State state) {
  switch (state) {
    case State::kReady: return "ready";
    case State::kRunning: return "running";
    case State::kWaiting: return "waiting";
    case State::kHeld: return "held";
    case State::kRed: return "red";
    case State::kQuarantined: return "quarantined";
    case State::kDone: return "done";
    case State::kCancelled: return "cancelled";
    case State::kSuperseded: return "superseded";
  }
  return "?";
}

bool is_live(State state) { return state != State::kDone && state != State::kCancelled && state != State::kSuperseded; }

std::string_view name_of(Cause cause) {
  switch (cause) {
    case Cause::kRebuild: return "rebuild";
    case Cause::kUpstream: return "upstream";
    case Cause::kHand: return "hand";
    case Cause::kSecurity: return "security";
  }
  return "?";
}

int priority_of(Cause cause) { return 10 * static_cast<int>(cause); }

Result<Stage> parse_stage(std::string_view name) { return parse<Stage>(name, "stage", kStages); }
Result<State> parse_state(std::string_view name) { return parse<State>(name, "state", kStates); }
Result<Cause> parse_cause(std::string_view name) { return parse<Cause>(name, "cause", kCauses); }

}  // namespace nacre::farm
