#include "base/text.h"
#include "cli/at.h"
#include "cli/channel_tags.h"
#include "cli/farm_steps.h"
#include "cli/flow.h"
#include "cli/lookup.h"
#include "cli/promotion.h"
#include "cli/verbs.h"
#include "farm/policy.h"
#include "index/channels.h"
#include "os/clock.h"

#include <algorithm>
#include <map>

// Channels: names of serials that move. docs/channels.md
namespace nacre::cli {
namespace {

using codec::Json;
using index::Channel;

/// One call: its words, read.
struct ChannelCall {
  Session& session;
  Edition edition;
  std::string name, when, image, reason;
  std::string registry;   ///< That tags are moved in; empty: none.
  std::int64_t soak = 0;  ///< Seconds.

  Env& env() const { return session.env; }
};

Error missing(std::string_view action, std::string_view what) {
  return Error::make(ErrorKind::kInvalid, "`nacre farm channel {}` needs {}", action, what)
      .hint("see `nacre farm channel --help`");
}

/// After a change: its tags of images, where there is a registry. What was moved.
Result<TagMoves> write_tags(const ChannelCall& call) {
  if (call.registry.empty()) return TagMoves();
  auto moved = move_tags(call.registry, call.edition, call.session);
  if (!moved)
    return std::move(moved)
        .error()
        .while_doing("channel '{}' was changed, its tags are not all moved yet", call.name)
        .hint("the next `nacre farm run` goes on with them");
  return moved;
}

std::string tags_text(const TagMoves& tags, const std::string& registry) {
  std::string out;
  if (!tags.tags.empty()) out += fmt::format("moved at {}: {}\n", registry, join(tags.tags, ", "));
  if (!tags.gone.empty()) out += fmt::format("taken away at {}: {}\n", registry, join(tags.gone, ", "));
  return out;
}

void set_tags(Json& json, const ChannelCall& call, const TagMoves& tags) {
  if (call.registry.empty()) return;
  json.set("movedTags", Json::strings(tags.tags)).set("goneTags", Json::strings(tags.gone));
}

/// After a change: what follows from it, then the channel as it is.
Result<int> answer(const ChannelCall& call, const Channel& channel) {
  TRY(renew_metadata(call.session, call.edition), "channel '{}' was changed, its metadata is not written yet",
      call.name);
  const TagMoves tags = TRY(write_tags(call));
  if (call.session.json) {
    Json json = index::to_json(channel);
    set_tags(json, call, tags);
    call.session.print(codec::to_pretty_json(json));
  } else {
    call.session.print(render(index::ChannelState{channel, {}}) + tags_text(tags, call.registry));
  }
  return 0;
}

/// What was done with a channel, and what its gates refused, in the order of time.
Result<std::pair<Json, std::string>> history_of(const ChannelCall& call) {
  struct Line {
    std::int64_t at;
    std::string what, image, reason;
    std::uint64_t serial;
  };
  std::vector<Line> lines;
  const auto moves = TRY(index::channel_history(call.env(), call.edition, call.name));
  for (const index::ChannelMove& move : moves)
    lines.push_back({move.at, std::string(name_of(move.what)), move.image, move.reason, move.serial});
  const auto refusals = TRY(index::channel_refusals(call.env(), call.edition, call.name));
  for (const index::Refusal& refusal : refusals)
    lines.push_back({refusal.since, "refused", "", refusal.words, refusal.serial});
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.at < b.at; });
  Json json = Json::array();
  std::string text = "history:\n";
  for (const Line& line : lines) {
    Json row;
    row.set("what", line.what).set("at", os::rfc3339(line.at)).set("serial", line.serial);
    if (!line.image.empty()) row.set("image", line.image);
    json.push(row.set("reason", line.reason));
    text += fmt::format("  {}  {:<8} {:>5}  {}{}\n", os::rfc3339(line.at), line.what, line.serial,
                        line.image.empty() ? "" : "image " + line.image + "  ", line.reason);
  }
  return std::pair(std::move(json), std::move(text));
}

Result<int> list(const ChannelCall& call) {
  const std::vector<index::ChannelState> states = TRY(channel_states(call.edition, call.session));
  Json json = Json::array();
  std::string text;
  for (const index::ChannelState& state : states) {
    if (!call.name.empty() && state.channel.name != call.name) continue;
    json.push(to_json(state));
    text += render(state);
  }
  if (states.empty()) text = fmt::format("edition {} has no serial yet\n", name_of(call.edition));
  if (!call.name.empty()) {
    if (json.items().empty()) (void)TRY(index::load_channel(call.env(), call.edition, call.name));
    auto [history, lines] = TRY(history_of(call));
    text += lines;
    Json one = json.items().at(0);
    json = one.set("history", std::move(history));
  }
  call.session.print(call.session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

Result<std::uint64_t> serial_named(const ChannelCall& call) {
  const index::Moment moment = TRY(index::serial_at(call.env(), call.edition, call.when));
  return moment.serial.number;
}

Result<int> set(const ChannelCall& call) {
  if (call.when.empty()) return missing("set", "a channel and what it shall name");
  const std::uint64_t serial = TRY(serial_named(call));
  const Channel channel = TRY(index::set_channel(call.env(), call.edition, call.name, serial, call.reason));
  return answer(call, channel);
}

Result<int> pin(const ChannelCall& call) {
  std::uint64_t serial = 0;
  if (!call.when.empty()) serial = TRY(serial_named(call));
  if (!call.image.empty()) {
    const Channel channel = TRY(index::pin_image(call.env(), call.edition, call.name, call.image, serial, call.reason));
    return answer(call, channel);
  }
  if (serial != 0) {
    const Channel before = TRY(index::load_channel(call.env(), call.edition, call.name));
    if (before.serial != serial)
      (void)TRY(index::set_channel(call.env(), call.edition, call.name, serial, call.reason));
  }
  const Channel channel = TRY(index::pin_channel(call.env(), call.edition, call.name, call.reason));
  return answer(call, channel);
}

Result<int> unpin(const ChannelCall& call) {
  Result<Channel> done = call.image.empty() ? index::unpin_channel(call.env(), call.edition, call.name)
                                            : index::unpin_image(call.env(), call.edition, call.name, call.image);
  const Channel channel = TRY(std::move(done));
  return answer(call, channel);
}

/// Of edge: a new serial with the content of an older one, since edge names the newest. Of others: the pointer.
Result<int> roll_channel_back(const ChannelCall& call) {
  std::uint64_t serial = 0;
  if (!call.when.empty()) serial = TRY(serial_named(call));
  if (call.name == index::kEdge) {
    const Channel before = TRY(index::load_channel(call.env(), call.edition, call.name));
    if (!before.pinned.empty())
      return Error::make(ErrorKind::kConflict, "channel 'edge' of edition {} is pinned to serial {}: {}",
                         name_of(call.edition), before.serial, before.pinned)
          .hint("`nacre farm channel unpin edge` lets it go");
    (void)TRY(roll_back(call.session, call.edition, serial));
    const Channel channel = TRY(index::load_channel(call.env(), call.edition, call.name));
    return answer(call, channel);
  }
  if (serial == 0) {
    const Channel channel = TRY(index::set_channel_back(call.env(), call.edition, call.name, call.reason));
    return answer(call, channel);
  }
  const Channel before = TRY(index::load_channel(call.env(), call.edition, call.name));
  if (serial >= before.serial)
    return Error::make(ErrorKind::kInvalid, "serial {} is not before the one that channel '{}' names, {}", serial,
                       call.name, before.serial)
        .hint(fmt::format("`nacre farm channel set {} {}` goes forwards", call.name, serial));
  const Channel channel = TRY(index::set_channel(call.env(), call.edition, call.name, serial, call.reason));
  return answer(call, channel);
}

Result<int> follow(const ChannelCall& call) {
  const auto report = TRY(follow_soaked(call.session, call.edition, call.name, call.soak));
  if (!report) {
    Channel none;
    none.edition = call.edition;
    none.name = call.name;
    const std::vector<index::WhyNot> rows = TRY(index::why_not_newer(call.env(), none, call.soak));
    std::string text = fmt::format("nothing has soaked on edge for {} yet: there is no channel '{}'\n",
                                   human_duration(static_cast<double>(call.soak)), call.name);
    if (std::any_of(rows.begin(), rows.end(), [](const index::WhyNot& row) { return row.refused > 0; }))
      text = fmt::format("there is no channel '{}' yet\n", call.name);
    for (const index::WhyNot& row : rows) text += fmt::format("  {}\n", index::render(row));
    call.session.print(call.session.json ? "null" : text);
    return 0;
  }
  const TagMoves tags = TRY(write_tags(call));
  const index::ChannelState state{report->channel, report->not_newer};
  if (call.session.json) {
    Json json = to_json(state);
    set_tags(json, call, tags);
    call.session.print(codec::to_pretty_json(json.set("before", report->before)));
    return 0;
  }
  std::string text = report->moved() ? render(index::ChannelState{report->channel, {}})
                                     : fmt::format("{} stays at serial {}\n", call.name, report->channel.serial);
  for (const index::WhyNot& row : report->not_newer) text += fmt::format("  {}\n", index::render(row));
  call.session.print(text + tags_text(tags, call.registry));
  return 0;
}

/// Of farm.yaml beside the definitions, else the farm's: both are for the edition that the farm makes.
Result<std::string> registry_of(Edition edition, Session& session) {
  if (edition != Edition::kCommunity) return std::string();
  const farm::Policy policy = TRY(load_policy(session.os_dir));
  return policy.registry.empty() ? noted_registry(session.env, edition) : policy.registry;
}

Result<int> run_farm_channel(const Arguments& arguments, Session& session) {
  const Edition edition = TRY(edition_of(arguments));
  ChannelCall call{session,
                   edition,
                   arguments.text("NAME"),
                   arguments.text("WHEN"),
                   arguments.text("--image"),
                   arguments.text("--reason"),
                   arguments.text("--registry")};
  std::string action = arguments.text("ACTION");
  if (action.empty()) action = "list";
  const std::map<std::string, Result<int> (*)(const ChannelCall&)> actions = {
      {"list", list},   {"set", set},       {"pin", pin},
      {"unpin", unpin}, {"follow", follow}, {"rollback", roll_channel_back}};
  const auto found = actions.find(action);
  if (found == actions.end()) {
    std::vector<std::string> names;
    for (const auto& [name, run] : actions) names.push_back(name);
    std::string hint = nearest_hint(action, names);
    return Error::make(ErrorKind::kInvalid, "a channel cannot '{}'", action)
        .hint(hint.empty() ? "there are " + join(names, ", ") : std::move(hint));
  }
  if (action != "list" && call.registry.empty()) call.registry = TRY(registry_of(edition, session));
  if (action == "follow") {
    const farm::Policy policy = TRY(load_policy(session.os_dir));
    call.soak = policy.stable_soak_seconds;
    if (const std::string soak = arguments.text("--soak"); !soak.empty())
      call.soak = TRY(farm::parse_duration(soak), "reading --soak");
    if (call.name.empty()) call.name = index::kStable;
  }
  if (call.name.empty() && action != "list") return missing(action, "a channel");
  return found->second(call);
}

}  // namespace

Verb verb_farm_channel() {
  Verb verb;
  verb.name = "farm channel";
  verb.summary = "names of serials that move: list, set, pin, unpin, follow, roll back";
  verb.arguments = {
      {"ACTION", "list, set, pin, unpin, follow or rollback (default: list)", false, false, Completion::kNone},
      {"NAME", "the channel: edge, stable, or one of your own", false, false, Completion::kNone},
      {"WHEN", "a serial, a date, or another channel", false, false, Completion::kNone}};
  verb.options = {
      kEditionOption,
      {"--image", OptionType::kText, "IMAGE", "", "pin or unpin this image alone", Completion::kImage},
      {"--reason", OptionType::kText, "TEXT", "", "why; it is kept and shown", Completion::kNone},
      {"--registry", OptionType::kText, "HOST", "", "move tags there; else farm.yaml's, or where the farm pushes to",
       Completion::kNone},
      {"--soak", OptionType::kText, "TIME", "", "of follow, instead of farm.yaml's: 90s, 2h, 3d", Completion::kNone}};
  verb.run = run_farm_channel;
  return verb;
}

}  // namespace nacre::cli
