#include "base/text.h"
#include "cli/at.h"
#include "cli/lookup.h"
#include "cli/promotion.h"
#include "cli/verbs.h"
#include "index/channels.h"
#include "index/notices.h"
#include "os/clock.h"

#include <algorithm>
#include <map>

namespace nacre::cli {
namespace {

using codec::Json;

/// Why stable does not name what is newer, by serial.
std::map<std::uint64_t, std::string> not_stable(const std::vector<index::ChannelState>& channels) {
  std::map<std::uint64_t, std::string> out;
  for (const index::ChannelState& state : channels) {
    if (state.channel.name != index::kStable) continue;
    for (const index::WhyNot& row : state.not_newer) out[row.serial] = index::why_of(row);
  }
  return out;
}

Result<int> run_farm_serials(const Arguments& arguments, Session& session) {
  const Edition edition = TRY(edition_of(arguments));
  const long most = arguments.number("--last");
  const std::optional<std::uint64_t> newest = TRY(index::head_number(session.env, edition));
  const std::vector<index::ChannelState> channels = TRY(channel_states(edition, session));
  const std::map<std::uint64_t, std::string> waiting = not_stable(channels);
  Json json = Json::array();
  std::string text;
  long shown = 0;
  for (std::uint64_t number = newest.value_or(0); number > 0 && (most <= 0 || shown < most); --number, ++shown) {
    const index::Serial serial = TRY(index::load_serial(session.env, edition, number));
    std::vector<std::string> names;
    for (const index::ChannelState& state : channels)
      if (state.channel.serial == number) names.push_back(state.channel.name);
    const auto why = waiting.find(number);
    Json row;
    row.set("serial", number).set("published", os::rfc3339(serial.published)).set("reason", serial.reason);
    row.set("packages", serial.packages.size()).set("images", serial.images.size());
    row.set("channels", Json::strings(names));
    if (why != waiting.end()) row.set("notStable", why->second);
    json.push(std::move(row));
    text +=
        fmt::format("{:>5}  {}  {:<16} {}\n", number, os::rfc3339(serial.published), join(names, " "), serial.reason);
    if (why != waiting.end()) text += fmt::format("{:>30}not stable: {}\n", "", why->second);
  }
  if (!newest) text = fmt::format("edition {} has no serial yet\n", name_of(edition));
  const std::vector<index::Notice> notices = TRY(index::list_notices(session.env, edition));
  for (const index::Notice& notice : notices) text += fmt::format("note: {}\n", index::render(notice));
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

}  // namespace

Verb verb_farm_serials() {
  Verb verb;
  verb.name = "farm serials";
  verb.summary = "newest serials first: which channels name them, and why stable names no newer one";
  verb.options = {kEditionOption,
                  {"--last", OptionType::kNumber, "N", "20", "so many at most; 0: all", Completion::kNone}};
  verb.run = run_farm_serials;
  return verb;
}

}  // namespace nacre::cli
