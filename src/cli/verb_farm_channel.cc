#include "base/number.h"
#include "base/text.h"
#include "cli/at.h"
#include "cli/farm_steps.h"
#include "cli/flow.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "farm/policy.h"
#include "index/channels.h"
#include "index/freshness.h"
#include "index/notices.h"
#include "os/clock.h"

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
  std::int64_t soak = 0;  ///< Seconds.

  Env& env() const { return session.env; }
};

Error missing(std::string_view action, std::string_view what) {
  return Error::make(ErrorKind::kInvalid, "`nacre farm channel {}` needs {}", action, what)
      .hint("see `nacre farm channel --help`");
}

std::string line_of(const Channel& channel) {
  std::string out =
      fmt::format("{:<12} {:>5}  {}  {}\n", channel.name, channel.serial, os::rfc3339(channel.since), channel.reason);
  if (!channel.pinned.empty()) out += fmt::format("{:>20}pinned: {}\n", "", channel.pinned);
  for (const index::ImagePin& pin : channel.images)
    out += fmt::format("{:>20}image {} stays at serial {}: {}\n", "", pin.image, pin.serial, pin.reason);
  return out;
}

/// After a change: its metadata, so that clients who were told of versions follow; then the channel as it is.
Result<int> answer(const ChannelCall& call, const Channel& channel) {
  index::FreshnessOptions options;
  options.edition = call.edition;
  options.renew = index::Renew::kWhenDue;
  (void)TRY(index::refresh_edition(call.env(), call.session.signer, options),
            "channel '{}' was changed, its metadata is not written yet", channel.name);
  call.session.print(call.session.json ? codec::to_pretty_json(index::to_json(channel)) : line_of(channel));
  return 0;
}

Result<int> list(const ChannelCall& call) {
  std::vector<Channel> channels = TRY(index::list_channels(call.env(), call.edition));
  Json json = Json::array();
  std::string text;
  for (const Channel& channel : channels) {
    if (!call.name.empty() && channel.name != call.name) continue;
    json.push(index::to_json(channel));
    text += line_of(channel);
  }
  if (channels.empty()) text = fmt::format("edition {} has no serial yet\n", name_of(call.edition));
  if (!call.name.empty()) {
    (void)TRY(index::load_channel(call.env(), call.edition, call.name));
    const auto history = TRY(index::channel_history(call.env(), call.edition, call.name));
    Json moves = Json::array();
    text += "history:\n";
    for (const index::ChannelMove& move : history) {
      Json row;
      row.set("what", name_of(move.what)).set("at", os::rfc3339(move.at)).set("serial", move.serial);
      if (!move.image.empty()) row.set("image", move.image);
      moves.push(row.set("reason", move.reason));
      text += fmt::format("  {}  {:<8} {:>5}  {}{}\n", os::rfc3339(move.at), name_of(move.what), move.serial,
                          move.image.empty() ? "" : "image " + move.image + "  ", move.reason);
    }
    Json out = json.items().at(0);
    json = out.set("history", std::move(moves));
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

std::string not_newer_text(const std::vector<index::WhyNot>& rows) {
  std::string out;
  for (const index::WhyNot& row : rows)
    out += fmt::format("  not serial {}: {}{}\n", row.serial, row.why,
                       row.due > 0 ? ", until " + os::rfc3339(row.due) : "");
  return out;
}

Result<int> follow(const ChannelCall& call) {
  const auto report = TRY(follow_soaked(call.session, call.edition, call.name, call.soak));
  if (!report) {
    call.session.print(call.session.json
                           ? "null"
                           : fmt::format("nothing has soaked on edge for {} yet: there is no channel '{}'",
                                         human_duration(static_cast<double>(call.soak)), call.name));
    return 0;
  }
  Json json = index::to_json(report->channel), waiting = Json::array();
  for (const index::WhyNot& row : report->not_newer) {
    Json one;
    one.set("serial", row.serial).set("why", row.why);
    waiting.push(row.due > 0 ? one.set("due", os::rfc3339(row.due)) : one);
  }
  json.set("before", report->before).set("notNewer", std::move(waiting));
  const std::string what = report->moved() ? line_of(report->channel)
                                           : fmt::format("{} stays at serial {}\n", call.name, report->channel.serial);
  call.session.print(call.session.json ? codec::to_pretty_json(json) : what + not_newer_text(report->not_newer));
  return 0;
}

Result<int> run_farm_channel(const Arguments& arguments, Session& session) {
  const Edition edition = TRY(edition_of(arguments));
  ChannelCall call{session,
                   edition,
                   arguments.text("NAME"),
                   arguments.text("WHEN"),
                   arguments.text("--image"),
                   arguments.text("--reason")};
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

Result<std::optional<index::FollowReport>> follow_soaked(Session& session, Edition edition, std::string_view name,
                                                         std::int64_t soak_seconds) {
  const index::Judge judge = [&](const index::Serial& serial) { return index::withdrawn_in(session.env, serial); };
  auto report = TRY(index::follow_channel(session.env, edition, name, soak_seconds, judge));
  if (!report || !report->moved()) return report;
  index::FreshnessOptions options;
  options.edition = edition;
  options.renew = index::Renew::kWhenDue;
  (void)TRY(index::refresh_edition(session.env, session.signer, options),
            "channel '{}' was moved, its metadata is not written yet", name);
  return report;
}

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
      {"--soak", OptionType::kText, "TIME", "", "of follow, instead of farm.yaml's: 90s, 2h, 3d", Completion::kNone}};
  verb.run = run_farm_channel;
  return verb;
}

}  // namespace nacre::cli
