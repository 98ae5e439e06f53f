#include "base/text.h"
#include "index/channels.h"
#include "index/fields.h"
#include "index/records.h"
#include "os/clock.h"
#include "store/store.h"

#include <algorithm>
#include <map>

// How a channel follows edge: index/channels.h.
namespace nacre::index {
namespace {

constexpr std::string_view kRefusalKind = "channel-refusal";

std::string refusal_key(Edition edition, std::string_view name, std::uint64_t serial) {
  return fmt::format("{}/{}/{}", name_of(edition), name, serial_key(serial));
}

Result<Refusal> refusal_from(std::string_view text, const std::string& key) {
  const codec::Json json = TRY(codec::parse_json(text, key));
  Fields fields = TRY(Fields::of(json, key));
  Refusal out;
  out.serial = TRY(fields.count("serial"));
  out.since = TRY(fields.time("since"));
  out.until = TRY(fields.time("until"));
  out.words = TRY(fields.text("words"));
  TRY(fields.finish());
  return out;
}

/// Writes down what the judge said of a serial; no words: it lets it in. Nothing is written that is known. Since when
/// it refuses.
Result<std::int64_t> note_judgement(Env& env, Edition edition, std::string_view name, std::uint64_t serial,
                                    const std::string& words) {
  store::State& state = env.store.state();
  const std::string key = refusal_key(edition, name, serial);
  const std::optional<std::string> text = TRY(state.get(kRefusalKind, key));
  if (!text && words.empty()) return std::int64_t{0};
  Refusal refusal{serial, env.clock.now_seconds(), 0, words};
  if (text) {
    const Refusal known = TRY(refusal_from(*text, key));
    if (words.empty() ? known.until != 0 : known.until == 0 && known.words == words) return known.since;
    if (words.empty()) refusal = {serial, known.since, refusal.since, known.words};
    else if (known.until == 0) refusal.since = known.since;
  }
  codec::Json json;
  json.set("serial", refusal.serial).set("since", refusal.since).set("until", refusal.until);
  TRY(state.put(kRefusalKind, key, codec::to_json(json.set("words", refusal.words))));
  return refusal.since;
}

/// When the content of a roll-back was first published.
Result<std::int64_t> first_published(Env& env, const Serial& serial) {
  if (serial.rolled_back_to == 0) return serial.published;
  const Serial older = TRY(load_serial(env, serial.edition, serial.rolled_back_to));
  return first_published(env, older);
}

}  // namespace

Result<std::vector<EdgeStep>> edge_since(Env& env, Edition edition, std::uint64_t from) {
  std::map<std::uint64_t, std::int64_t> named;
  const std::vector<ChannelMove> history = TRY(channel_history(env, edition, kEdge));
  const std::optional<std::uint64_t> last = TRY(head_number(env, edition));
  const std::uint64_t newest = last.value_or(0);
  std::uint64_t first_recorded = newest + 1;
  for (const ChannelMove& move : history) {
    first_recorded = std::min(first_recorded, move.serial);
    if (move.what == ChannelMove::What::kMoved) named.try_emplace(move.serial, move.at);
  }
  std::vector<EdgeStep> out;
  for (std::uint64_t number = from + 1; number <= newest; ++number) {
    const auto at = named.find(number);
    if (at == named.end() && number > first_recorded) continue;  // published while edge was pinned
    const Serial serial = TRY(load_serial(env, edition, number));
    EdgeStep step{number, at == named.end() ? serial.published : at->second, 0, serial.rolled_back_to};
    step.soaks_from = step.since;
    if (serial.rolled_back_to != 0) step.soaks_from = TRY(first_published(env, serial));
    out.push_back(step);
  }
  return out;
}

SoakChoice choose_after_soak(std::span<const EdgeStep> edge, std::uint64_t present, std::uint64_t above,
                             std::int64_t now, std::int64_t soak_seconds) {
  SoakChoice out;
  // The newest roll-back decides: whatever it stepped over was taken back.
  std::uint64_t back_from = 0, back_to = 0;
  for (auto step = edge.rbegin(); step != edge.rend() && step->serial > present; ++step) {
    if (step->serial < back_from && step->serial > back_to) {
      out.waiting.push_back(
          {step->serial, fmt::format("serial {} took it back: a roll-back to {}", back_from, back_to), 0});
      continue;
    }
    if (step->rolled_back_to != 0) {
      back_from = step->serial;
      back_to = step->rolled_back_to;
    }
    if (step->serial <= above) {
      out.waiting.push_back({step->serial, fmt::format("the channel was set back from serial {}", above), 0});
    } else if (const std::int64_t due = step->soaks_from + soak_seconds; now < due) {
      out.waiting.push_back(
          {step->serial,
           fmt::format("on edge for {} of {}",
                       human_duration(static_cast<double>(std::max<std::int64_t>(0, now - step->soaks_from))),
                       human_duration(static_cast<double>(soak_seconds))),
           due});
    } else {
      out.ready.push_back(step->serial);
    }
  }
  return out;
}

std::string why_of(const WhyNot& row) {
  if (row.refused > 0) return fmt::format("refused since {}: {}", os::rfc3339(row.refused), row.why);
  return row.due > 0 ? fmt::format("{}, until {}", row.why, os::rfc3339(row.due)) : row.why;
}

std::string render(const WhyNot& row) { return fmt::format("not serial {}: {}", row.serial, why_of(row)); }

codec::Json to_json(const WhyNot& row) {
  codec::Json out;
  out.set("serial", row.serial).set("why", row.why);
  if (row.refused > 0) out.set("refusedSince", os::rfc3339(row.refused));
  return row.due > 0 ? out.set("due", os::rfc3339(row.due)) : out;
}

Result<std::vector<Refusal>> channel_refusals(Env& env, Edition edition, std::string_view name) {
  std::vector<Refusal> out;
  const auto rows = TRY(env.store.state().list(kRefusalKind, fmt::format("{}/{}/", name_of(edition), name)));
  for (const auto& [key, text] : rows) out.push_back(TRY(refusal_from(text, key)));
  return out;
}

Result<std::vector<WhyNot>> why_not_newer(Env& env, const Channel& channel, std::int64_t soak_seconds) {
  const std::vector<EdgeStep> edge = TRY(edge_since(env, channel.edition, channel.serial));
  SoakChoice choice = choose_after_soak(edge, channel.serial, channel.above, env.clock.now_seconds(), soak_seconds);
  std::map<std::uint64_t, Refusal> refused;
  const std::vector<Refusal> refusals = TRY(channel_refusals(env, channel.edition, channel.name));
  for (const Refusal& refusal : refusals)
    if (refusal.until == 0) refused.emplace(refusal.serial, refusal);
  std::vector<WhyNot> out = std::move(choice.waiting);
  for (const std::uint64_t serial : choice.ready) {
    const auto refusal = refused.find(serial);
    if (!channel.pinned.empty()) out.push_back({serial, "the channel is pinned: " + channel.pinned, 0, 0});
    else if (refusal != refused.end()) out.push_back({serial, refusal->second.words, 0, refusal->second.since});
    else out.push_back({serial, "has soaked: the next follow judges it", 0, 0});
  }
  std::sort(out.begin(), out.end(), [](const WhyNot& a, const WhyNot& b) { return a.serial > b.serial; });
  return out;
}

Result<std::optional<FollowReport>> follow_channel(Env& env, Edition edition, std::string_view name,
                                                   std::int64_t soak_seconds, const Judge& judge) {
  TRY(check_channel_name(name));
  std::optional<Channel> channel = TRY(find_channel(env, edition, name));
  const std::uint64_t present = channel ? channel->serial : 0, above = channel ? channel->above : 0;
  FollowReport report;
  report.before = present;
  const std::vector<EdgeStep> edge = TRY(edge_since(env, edition, present));
  const std::int64_t now = env.clock.now_seconds();
  const SoakChoice choice = choose_after_soak(edge, present, above, now, soak_seconds);
  report.not_newer = choice.waiting;
  const auto settle = [&](std::optional<Channel> as_it_is) -> std::optional<FollowReport> {
    std::sort(report.not_newer.begin(), report.not_newer.end(),
              [](const WhyNot& a, const WhyNot& b) { return a.serial > b.serial; });
    if (!as_it_is) return std::nullopt;
    report.channel = *std::move(as_it_is);
    std::erase_if(report.not_newer, [&](const WhyNot& row) { return row.serial <= report.channel.serial; });
    return std::move(report);
  };
  for (const std::uint64_t number : choice.ready) {
    if (channel && !channel->pinned.empty()) {
      report.not_newer.push_back({number, "the channel is pinned: " + channel->pinned, 0});
      continue;
    }
    const Serial serial = TRY(load_serial(env, edition, number));
    const std::vector<std::string> breaches = TRY(judge(serial), "judging serial {} for channel '{}'", number, name);
    const std::int64_t since = TRY(note_judgement(env, edition, name, number, join(breaches, "; ")));
    if (!breaches.empty()) {
      report.not_newer.push_back({number, join(breaches, "; "), 0, since});
      continue;
    }
    const std::string reason = fmt::format("soaked for {} on edge", human_duration(static_cast<double>(soak_seconds)));
    Channel moved = TRY(advance_channel(env, edition, name, present, number, reason));
    return settle(std::move(moved));
  }
  return settle(std::move(channel));
}

}  // namespace nacre::index
