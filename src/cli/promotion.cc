#include "cli/promotion.h"

#include "base/number.h"
#include "cli/farm_gates.h"
#include "cli/farm_steps.h"
#include "cli/kept.h"
#include "cli/streams.h"
#include "index/freshness.h"
#include "index/notices.h"
#include "os/clock.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::string_view kSoakKind = "channel-soak";

std::string soak_key(Edition edition, std::string_view name) { return fmt::format("{}/{}", name_of(edition), name); }

Result<std::int64_t> soak_of(Edition edition, std::string_view name, Session& session) {
  const std::optional<std::string> noted = TRY(session.env.store.state().get(kSoakKind, soak_key(edition, name)));
  if (const auto seconds = whole_number<std::int64_t>(noted.value_or(""))) return *seconds;
  const farm::Policy policy = TRY(load_policy(session.os_dir));
  return policy.stable_soak_seconds;
}

/// What stands against a serial's coming into a channel that names `present` now: the cheap questions first.
Result<std::vector<std::string>> judge(const index::Serial& serial, const std::optional<index::Channel>& present,
                                       Session& session) {
  std::vector<std::string> out = TRY(index::withdrawn_in(session.env, serial));
  const std::vector<std::string> gone = TRY(gone_in(serial, session.os_dir, session.env));
  out.insert(out.end(), gone.begin(), gone.end());
  if (!out.empty()) return out;
  std::optional<index::Serial> before;
  if (present) before = TRY(index::load_serial(session.env, serial.edition, present->serial));
  const farm::GateReport report = TRY(judge_promotion(before, serial, session));
  return farm::refusals(report);
}

}  // namespace

Result<std::optional<index::FollowReport>> follow_soaked(Session& session, Edition edition, std::string_view name,
                                                         std::int64_t soak_seconds) {
  const std::optional<index::Channel> present = TRY(index::find_channel(session.env, edition, name));
  const index::Judge judge_serial = [&](const index::Serial& serial) { return judge(serial, present, session); };
  auto report = TRY(index::follow_channel(session.env, edition, name, soak_seconds, judge_serial));
  if (!report || !report->moved()) return report;
  TRY(renew_metadata(session, edition), "channel '{}' was moved, its metadata is not written yet", name);
  return report;
}

Result<> renew_metadata(Session& session, Edition edition) {
  index::FreshnessOptions options;
  options.edition = edition;
  options.renew = index::Renew::kWhenDue;
  (void)TRY(index::refresh_edition(session.env, session.signer, options));
  return {};
}

Result<> note_soak(Env& env, Edition edition, std::string_view name, std::int64_t seconds) {
  return put_new(env.store.state(), kSoakKind, soak_key(edition, name), std::to_string(seconds));
}

Result<std::vector<index::ChannelState>> channel_states(Edition edition, Session& session) {
  std::vector<index::ChannelState> out;
  std::vector<index::Channel> channels = TRY(index::list_channels(session.env, edition));
  if (channels.empty()) return out;
  const auto is_stable = [](const index::Channel& channel) { return channel.name == index::kStable; };
  if (std::none_of(channels.begin(), channels.end(), is_stable)) {
    index::Channel stable;
    stable.edition = edition;
    stable.name = index::kStable;
    channels.push_back(std::move(stable));
  }
  for (index::Channel& channel : channels) {
    index::ChannelState state;
    const std::int64_t soak = TRY(soak_of(edition, channel.name, session));
    if (channel.name != index::kEdge) state.not_newer = TRY(index::why_not_newer(session.env, channel, soak));
    // Of other channels only what somebody let them follow and what was refused then.
    if (!is_stable(channel)) std::erase_if(state.not_newer, [](const index::WhyNot& row) { return row.refused == 0; });
    state.channel = std::move(channel);
    out.push_back(std::move(state));
  }
  return out;
}

Json to_json(const index::ChannelState& state) {
  Json out = index::to_json(state.channel), rows = Json::array();
  for (const index::WhyNot& row : state.not_newer) rows.push(index::to_json(row));
  return out.set("notNewer", std::move(rows));
}

std::string render(const index::ChannelState& state) {
  const index::Channel& channel = state.channel;
  std::string out = channel.serial == 0 ? fmt::format("{:<12} {:>5}\n", channel.name, "none")
                                        : fmt::format("{:<12} {:>5}  {}  {}\n", channel.name, channel.serial,
                                                      os::rfc3339(channel.since), channel.reason);
  if (!channel.pinned.empty()) out += fmt::format("{:>20}pinned: {}\n", "", channel.pinned);
  for (const index::ImagePin& pin : channel.images)
    out += fmt::format("{:>20}image {} stays at serial {}: {}\n", "", pin.image, pin.serial, pin.reason);
  for (const index::WhyNot& row : state.not_newer) out += fmt::format("{:>20}{}\n", "", index::render(row));
  return out;
}

}  // namespace nacre::cli
