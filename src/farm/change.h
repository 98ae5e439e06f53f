#pragma once

#include "base/result.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

// The control plane: what upstream or a person changes, on its way to images, through crashes.
namespace nacre::farm {

/// What a change has behind it. The next stage is the step to do.
enum class Stage {
  kSeen,       ///< A newer release is known, or a person changed a definition.
  kProposed,   ///< A branch with one commit.
  kFetched,    ///< Its sources are in the store.
  kBuilt,      ///< It, and all that must be built anew with it.
  kTested,     ///< Tests of those, and of what uses them.
  kGated,      ///< Images composed and tested; nothing that the gates refuse.
  kPublished,  ///< Merged; part of a serial.
  kImaged,     ///< Images pushed to where they are pulled from.
  kPromoted,   ///< The channel `edge` names the serial. The end.
};
inline constexpr std::array kStages = {Stage::kSeen,      Stage::kProposed, Stage::kFetched,
                                       Stage::kBuilt,     Stage::kTested,   Stage::kGated,
                                       Stage::kPublished, Stage::kImaged,   Stage::kPromoted};
/// "seen", "proposed", …
std::string_view name_of(Stage stage);
/// kPromoted has none after it: itself.
Stage next_of(Stage stage);

/// Who may do what with a change.
enum class State {
  kReady,        ///< The next step may run once `not_before` has come.
  kRunning,      ///< A worker holds the lease.
  kWaiting,      ///< For a person's approval.
  kHeld,         ///< A person said so.
  kRed,          ///< The step failed in a way that trying again does not mend.
  kQuarantined,  ///< It failed too often in ways that trying again should have mended.
  kDone,
  kCancelled,
  kSuperseded,  ///< A newer release of the same definition took its place.
};
inline constexpr std::array kStates = {State::kReady, State::kRunning,   State::kWaiting,
                                       State::kHeld,  State::kRed,       State::kQuarantined,
                                       State::kDone,  State::kCancelled, State::kSuperseded};
std::string_view name_of(State state);
/// Whether something may still come of it by itself or by a person's word.
bool is_live(State state);

/// Where a change came from; the order is the order of urgency, the most urgent last.
enum class Cause { kRebuild, kUpstream, kHand, kSecurity };
std::string_view name_of(Cause cause);
/// Greater goes first: security before hand before upstream before rebuild.
int priority_of(Cause cause);

Result<Stage> parse_stage(std::string_view name);
Result<State> parse_state(std::string_view name);
Result<Cause> parse_cause(std::string_view name);

/// One change of a definition (or of several, by hand) on its way.
struct Change {
  std::int64_t id = 0;   ///< From 1; 0 before the ledger took it.
  std::string package;   ///< The definition; for changes by hand the branch or the commit's first line.
  std::string from, to;  ///< Versions; empty when no release is behind it.
  Cause cause = Cause::kUpstream;
  Stage stage = Stage::kSeen;
  State state = State::kReady;
  int priority = 0;
  std::string branch, commit;   ///< Of the repository of definitions; empty until proposed.
  int attempts = 0;             ///< Of the present step that failed in a way worth trying again.
  std::int64_t not_before = 0;  ///< Seconds since 1970, UTC.
  std::string approved_by;      ///< Empty: nobody yet.
  std::string error;            ///< Of the last failure, as people read it; empty after a step that went well.
  std::string error_kind;       ///< "unavailable", …; empty likewise.
  std::string log;              ///< File with what its steps printed, below the farm's logs.
  std::uint64_t serial = 0;     ///< Where it was published; 0: not yet.
  std::int64_t created = 0, updated = 0;
  // While running:
  std::string owner;       ///< "HOST:PID:START"
  std::int64_t token = 0;  ///< Counts leases; who holds an older one is refused.
  std::int64_t lease_until = 0;
};

/// One line of a change's history.
struct Transition {
  std::int64_t change = 0, at = 0;
  Stage stage = Stage::kSeen;
  State state = State::kReady;
  std::string who;     ///< A worker, or a person.
  std::string note;    ///< "2 definitions built, 1 cut off", "approved", an error's first line.
  double seconds = 0;  ///< That the step took; 0 for what people do.
};

}  // namespace nacre::farm
