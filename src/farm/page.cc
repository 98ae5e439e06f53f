#include "farm/page.h"

#include "base/lines.h"
#include "base/text.h"
#include "os/clock.h"

#include <algorithm>
#include <map>

namespace nacre::farm {
namespace {

constexpr std::string_view kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:1.5rem auto;padding:0 1rem;color:#222;background:"
    "#fcfcfa}h1{font-size:1.4rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}th{font-weight:600}"
    "code,pre{font:12px/1.4 ui-monospace,monospace}pre{background:#f0efe9;padding:.6rem;overflow:auto;max-height:40rem}"
    ".red,.quarantined{color:#b00020}.running{color:#0b5cad}.done{color:#1b7a34}.waiting,.held{color:#8a5a00}"
    ".dots{letter-spacing:2px;white-space:nowrap}a{color:inherit}small{color:#777}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td,th{border-color:#333}pre{background:#"
    "292929}"
    ".red,.quarantined{color:#ff7a85}.running{color:#7ab8ff}.done{color:#7ed492}.waiting,.held{color:#e0b060}}";

std::string head(std::string_view title, bool refresh) {
  return fmt::format(
      "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
      "{}<title>{}</title><style>{}</style>",
      refresh ? "<meta http-equiv=refresh content=5>" : "", escape_markup(title), kStyle);
}

std::string what_of(const Change& change) {
  return change.to.empty() ? change.commit.substr(0, 12) : change.from + " → " + change.to;
}

/// One dot for each stage: full ones are behind it.
std::string dots(const Change& change) {
  std::string out = "<span class=dots title='";
  out += std::string(name_of(change.stage)) + "'>";
  for (const Stage stage : kStages) out += stage <= change.stage ? "●" : "○";
  return out + "</span>";
}

std::string ago(std::int64_t then, std::int64_t now) {
  return then == 0 ? "never" : human_duration(static_cast<double>(std::max<std::int64_t>(0, now - then))) + " ago";
}

std::string row_of(const Change& change, const PageData& data) {
  const std::int64_t now = data.now;
  std::string small = first_line(change.error);
  if (const auto doing = data.doing.find(change.id); doing != data.doing.end()) small = doing->second;
  return fmt::format("<tr><td><a href='/farm/{0}'>{0}</a><td>{1}<td>{2}<td>{3}<td>{4}<td class={5}>{6}{7}<td>{8}",
                     change.id, name_of(change.cause), escape_markup(change.package), escape_markup(what_of(change)),
                     dots(change), name_of(change.state), escape_markup(standing(change, now)),
                     small.empty() ? "" : "<br><small>" + escape_markup(small) + "</small>",
                     ago(change.updated, now));
}

std::string table_of(const std::vector<const Change*>& changes, const PageData& data) {
  std::string out = "<table><tr><th>change<th>cause<th>definition<th>what<th>stages<th>state<th>last moved";
  for (const Change* change : changes) out += row_of(*change, data);
  return out + "</table>";
}

/// Its pins, then what it does not name yet: until when that soaks, or why it is refused.
std::string holds_of(const index::ChannelState& state, std::int64_t now) {
  std::vector<std::string> lines;
  if (!state.channel.pinned.empty())
    lines.push_back("<span class=held>pinned</span>: " + escape_markup(state.channel.pinned));
  for (const index::ImagePin& pin : state.channel.images)
    lines.push_back(fmt::format("<span class=held>image {} stays at serial {}</span>: {}", escape_markup(pin.image),
                                pin.serial, escape_markup(pin.reason)));
  for (const index::WhyNot& row : state.not_newer) {
    const bool soaks = row.due > 0;
    lines.push_back(fmt::format(
        "<span class={}>not serial {}</span>: {}{}", row.refused > 0 ? "red" : "waiting", row.serial,
        escape_markup(index::why_of(row)),
        soaks ? fmt::format(" (in {})", human_duration(static_cast<double>(std::max<std::int64_t>(0, row.due - now))))
              : ""));
  }
  return join(lines, "<br>");
}

std::string channels_of(const PageData& data) {
  std::string out = "<h2>Channels</h2><table><tr><th>channel<th>serial<th>since<th>why<th>pins, and what waits";
  for (const index::ChannelState& state : data.channels) {
    const index::Channel& channel = state.channel;
    out += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td>{}", escape_markup(channel.name),
                       channel.serial == 0 ? "none yet" : std::to_string(channel.serial),
                       channel.serial == 0 ? "" : os::rfc3339(channel.since), escape_markup(channel.reason),
                       holds_of(state, data.now));
  }
  return out + "</table>";
}

std::string notices_of(const PageData& data) {
  std::string out = "<h2>Withdrawn, or at the end of life</h2><table><tr><th>package<th>what<th>since<th>until<th>why";
  for (const index::Notice& notice : data.notices) {
    const bool withdrawn = notice.kind == index::Notice::Kind::kWithdrawn;
    out += fmt::format("<tr><td>{}{}<td class={}>{}<td>{}<td>{}<td>{}", escape_markup(notice.package),
                       notice.version.empty() ? "" : " " + escape_markup(notice.version), withdrawn ? "red" : "held",
                       withdrawn ? fmt::format("withdrawn in serial {}", notice.serial) : std::string("end of life"),
                       os::rfc3339(notice.since).substr(0, 10),
                       notice.until > 0 ? "published until " + os::rfc3339(notice.until).substr(0, 10) : std::string(),
                       escape_markup(notice.reason));
  }
  return out + "</table>";
}

std::string put_off_of(const PageData& data) {
  std::string out = "<h2>Put off</h2><table><tr><th>definition<th>until its next change, or<th>what it takes";
  for (const PutOff& build : data.put_off)
    out += fmt::format("<tr><td>{}<td>{}<td>{}", escape_markup(build.definition), os::rfc3339(build.until),
                       escape_markup(build.why));
  return out + "</table>";
}

std::string serials_of(const PageData& data) {
  if (data.serials.empty()) return "<h2>Serials</h2><p>None is published yet.";
  std::string out = "<h2>Serials</h2><table><tr><th>serial<th>published<th>packages<th>images<th>channels<th>why";
  for (const index::Serial& serial : data.serials) {
    std::vector<std::string> names;
    for (const index::ChannelState& state : data.channels)
      if (state.channel.serial == serial.number) names.push_back(state.channel.name);
    out += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}", serial.number, os::rfc3339(serial.published),
                       serial.packages.size(), serial.images.size(), escape_markup(join(names, ", ")),
                       escape_markup(serial.reason));
  }
  return out + "</table>";
}

std::string upstreams_of(const PageData& data) {
  if (data.upstreams.empty()) return "<h2>Upstreams</h2><p>None was asked yet.";
  std::string out = "<h2>Upstreams</h2><table><tr><th>definition<th>newest release<th>asked<th>next<th>what it said";
  for (const Upstream& upstream : data.upstreams) {
    const std::int64_t wait = std::max<std::int64_t>(0, upstream.next_due - data.now);
    out += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td{}>{}{}", escape_markup(upstream.package),
                       escape_markup(upstream.newest), ago(upstream.last_asked, data.now),
                       wait == 0 ? "now" : "in " + human_duration(static_cast<double>(wait)),
                       upstream.failures > 0 ? " class=red" : "", escape_markup(upstream.note),
                       upstream.failures > 0 ? fmt::format(" ({} failures in a row)", upstream.failures) : "");
  }
  return out + "</table>";
}

std::string history_of(const std::vector<Transition>& transitions, bool with_change) {
  std::string out =
      fmt::format("<table><tr>{}<th>when<th>stage<th>state<th>took<th>what<th>who", with_change ? "<th>change" : "");
  for (const Transition& step : transitions) {
    out += "<tr>";
    if (with_change) out += fmt::format("<td><a href='/farm/{0}'>{0}</a>", step.change);
    out += fmt::format("<td>{}<td>{}<td class={}>{}<td>{}<td>{}<td>{}", os::rfc3339(step.at), name_of(step.stage),
                       name_of(step.state), name_of(step.state), step.seconds > 0 ? human_duration(step.seconds) : "",
                       escape_markup(step.note), escape_markup(step.who));
  }
  return out + "</table>";
}

}  // namespace

std::string standing(const Change& change, std::int64_t now) {
  const std::string_view next = name_of(next_of(change.stage));
  switch (change.state) {
    case State::kReady:
      if (change.not_before > now)
        return fmt::format("in {}", human_duration(static_cast<double>(change.not_before - now)));
      return fmt::format("ready for {}", next);
    case State::kRunning: return fmt::format("running {}", next);
    case State::kWaiting: return "waits for approval";
    case State::kHeld: return fmt::format("held before {}", next);
    case State::kRed: return fmt::format("red at {}", next);
    case State::kQuarantined: return fmt::format("quarantined at {}", next);
    case State::kDone: return fmt::format("done, serial {}", change.serial);
    case State::kCancelled: return "cancelled";
    case State::kSuperseded: return "superseded";
  }
  return "?";
}

std::string render_page(const PageData& data) {
  constexpr std::size_t kEnded = 20;
  std::vector<const Change*> live, ended;
  for (const Change& change : data.changes) (is_live(change.state) ? live : ended).push_back(&change);
  std::sort(ended.begin(), ended.end(), [](const Change* a, const Change* b) {
    return std::pair(b->updated, b->id) < std::pair(a->updated, a->id);
  });
  if (ended.size() > kEnded) ended.resize(kEnded);
  std::string out = head("nacre farm", true);
  out += fmt::format("<h1>nacre farm</h1><p>{}{} changes under way, {} upstreams. <small>{}</small>",
                     data.paused ? "<b class=red>Paused.</b> " : "", live.size(), data.upstreams.size(),
                     os::rfc3339(data.now));
  if (!data.vulnerabilities.empty())
    out += "<p>Known vulnerabilities: " + escape_markup(data.vulnerabilities) + ".";
  out += "<h2>Under way</h2>" + (live.empty() ? "<p>Nothing." : table_of(live, data));
  if (!data.put_off.empty()) out += put_off_of(data);
  if (!data.channels.empty()) out += channels_of(data);
  if (!data.notices.empty()) out += notices_of(data);
  out += serials_of(data);
  if (!ended.empty()) out += "<h2>Came to an end</h2>" + table_of(ended, data);
  out += upstreams_of(data);
  if (!data.recent.empty()) out += "<h2>What happened last</h2>" + history_of(data.recent, true);
  return out + "<p><small><a href='/farm/status.json'>as JSON</a></small></html>\n";
}

std::string render_change(const Change& change, const std::vector<Transition>& history, const ChangeTexts& texts,
                          std::int64_t now) {
  const bool moves = change.state == State::kRunning || change.state == State::kReady;
  std::string out = head(fmt::format("change {}", change.id), moves);
  out += fmt::format("<p><a href='/farm/'>the farm</a><h1>Change {}: {} {}</h1><p class={}>{} {}", change.id,
                     escape_markup(change.package), escape_markup(what_of(change)), name_of(change.state), dots(change),
                     escape_markup(standing(change, now)));
  if (!change.branch.empty()) out += fmt::format("<p>Branch <code>{}</code>", escape_markup(change.branch));
  if (!change.error.empty()) out += "<h2>What went wrong</h2><pre>" + escape_markup(change.error) + "</pre>";
  out += "<h2>History</h2>" + history_of(history, false);
  if (!texts.gates.empty()) out += "<h2>Gates</h2><pre>" + escape_markup(texts.gates) + "</pre>";
  if (!texts.diff.empty()) out += "<h2>What it changes</h2><pre>" + escape_markup(texts.diff) + "</pre>";
  if (texts.log.empty()) out += "<h2>Log</h2><p>None on this machine: no step of it has begun here.";
  else
    out += fmt::format("<h2>Log</h2><p>Its end; <a href='/farm/{}.log'>all of it</a>.<pre>{}</pre>", change.id,
                       escape_markup(texts.log));
  return out + "</html>\n";
}

}  // namespace nacre::farm
