#include "cli/farm_pages.h"

#include "base/text.h"
#include "cli/cut_off.h"
#include "cli/farm_steps.h"
#include "cli/places.h"
#include "cli/promotion.h"
#include "farm/change_json.h"
#include "farm/page.h"
#include "os/clock.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>

namespace nacre::cli {
namespace {

using farm::Change;
using farm::Ledger;

constexpr std::size_t kSerials = 15, kTransitions = 40, kLogTail = 64u << 10;

net::ServerResponse html(std::string body) {
  net::ServerResponse out;
  out.content_type = "text/html; charset=utf-8";
  out.headers = {{"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"},
                 {"Cache-Control", "no-store"}};
  out.body = std::move(body);
  return out;
}

net::ServerResponse fault(const Error& error) {
  net::ServerResponse out;
  out.status = error.kind() == ErrorKind::kNotFound ? 404 : 503;
  out.content_type = "text/plain; charset=utf-8";
  out.body = error.render() + "\n";
  return out;
}

/// The last bytes of a file, from the start of a line on; "" when there is none.
std::string tail_of(const Path& file, std::size_t most = kLogTail) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) return {};
  const auto size = static_cast<std::size_t>(std::max<std::streamoff>(0, in.tellg()));
  const std::size_t from = size > most ? size - most : 0;
  in.seekg(static_cast<std::streamoff>(from));
  std::string text((std::istreambuf_iterator<char>(in)), {});
  if (from == 0) return text;
  const std::size_t line = text.find('\n');
  return "…\n" + text.substr(line == std::string::npos ? 0 : line + 1);
}

/// The first lines of a file, whole.
std::string head_of(const Path& file) {
  const auto text = os::read_file(file, std::uint64_t{16} << 20);
  if (!text || text->size() <= kLogTail) return text ? *text : std::string();
  return text->substr(0, text->rfind('\n', kLogTail) + 1) + "…";
}

class FarmPages {
 public:
  FarmPages(net::Handler next, std::string database, Session& session)
      : next_(std::move(next)), database_(std::move(database)), session_(session) {}

  net::ServerResponse answer(const net::ServerRequest& request) {
    if (request.path != "/farm" && !request.path.starts_with("/farm/")) return next_(request);
    const std::lock_guard lock(mutex_);
    auto done = page(request.path.substr(std::min<std::size_t>(6, request.path.size())));
    if (!done) return fault(done.error());
    return *std::move(done);
  }

 private:
  Result<net::ServerResponse> page(const std::string& what) {
    if (!farm_) {
      FarmPlaces places;
      places.folder = session_.home / "farm";
      places.database = farm_database(database_, session_.home);
      Farm farm = TRY(open_farm(std::move(places), MustExist::kYes, session_.env));
      farm_.emplace(std::move(farm));
    }
    if (what.empty()) return overview();
    if (what == "status.json") {
      const codec::Json status = TRY(farm_status(*farm_, session_));
      net::ServerResponse out;
      out.content_type = "application/json";
      out.body = codec::to_pretty_json(status);
      return out;
    }
    const bool wants_log = what.ends_with(".log");
    const std::string digits = wants_log ? what.substr(0, what.size() - 4) : what;
    if (digits.empty() || digits.size() > 15 || digits.find_first_not_of("0123456789") != std::string::npos)
      return Error::make(ErrorKind::kNotFound, "there is no such page");
    const Change change = TRY(farm_->ledger->get(store::number_of(digits)));
    const Path log = farm_->places.folder / "logs" / (digits + ".log");
    if (!wants_log) return one(change, log);
    net::ServerResponse out;
    out.content_type = "text/plain; charset=utf-8";
    out.file = log;
    return out;
  }

  Result<net::ServerResponse> overview() {
    farm::PageData data;
    data.changes = TRY(farm_->ledger->list(Ledger::Which::kAll));
    for (const Change& change : data.changes)
      if (change.state == farm::State::kRunning) data.doing[change.id] = now_doing(*farm_, change);
    data.recent = TRY(farm_->ledger->recent(kTransitions));
    data.upstreams = TRY(farm_->schedule.all());
    data.paused = TRY(farm_->ledger->paused());
    data.channels = TRY(channel_states(Edition::kCommunity, session_));
    data.notices = TRY(index::list_notices(session_.env, Edition::kCommunity));
    const std::vector<CutOff> put_off = TRY(postponed_builds(session_.env));
    for (const CutOff& cut : put_off)
      data.put_off.push_back({cut.definition, join(cut.reasons, "; "), cut.postponed_until});
    const std::optional<std::uint64_t> head = TRY(index::head_number(session_.env, Edition::kCommunity));
    for (std::uint64_t n = head.value_or(0); n > 0 && data.serials.size() < kSerials; --n) {
      index::Serial serial = TRY(index::load_serial(session_.env, Edition::kCommunity, n));
      data.serials.push_back(std::move(serial));
    }
    const std::optional<std::string> known = TRY(farm_->ledger->note(std::string(kVulnerabilityData)));
    data.vulnerabilities = known.value_or("");
    data.now = session_.env.clock.now_seconds();
    return html(farm::render_page(data));
  }

  Result<net::ServerResponse> one(const Change& change, const Path& log) {
    const std::vector<farm::Transition> history = TRY(farm_->ledger->history(change.id));
    const Path logs = farm_->places.folder / "logs";
    farm::ChangeTexts texts;
    texts.gates = head_of(logs / fmt::format("{}.gates.txt", change.id));
    if (!change.error.empty()) texts.diff = head_of(logs / fmt::format("{}.diff", change.id));
    texts.log = tail_of(log);
    return html(farm::render_change(change, history, texts, session_.env.clock.now_seconds()));
  }

  net::Handler next_;
  std::string database_;
  Session& session_;
  std::mutex mutex_;
  std::optional<Farm> farm_;
};

}  // namespace

std::string now_doing(const Farm& farm, const Change& change) {
  constexpr std::size_t kTail = 4096, kShown = 120;
  const std::string tail = tail_of(farm.places.folder / "logs" / fmt::format("{}.log", change.id), kTail);
  std::string_view text = trim(tail);
  text = trim(text.substr(text.rfind('\n') + 1));
  return std::string(text.substr(0, kShown));
}

Result<codec::Json> farm_status(Farm& farm, Session& session) {
  Env& env = session.env;
  std::map<std::string_view, int> states;
  codec::Json running = codec::Json::array(), recent = codec::Json::array(), silent = codec::Json::array();
  const std::vector<Change> changes = TRY(farm.ledger->list(Ledger::Which::kAll));
  for (const Change& change : changes) {
    ++states[name_of(change.state)];
    if (change.state != farm::State::kRunning) continue;
    codec::Json row = to_json(change);
    running.push(row.set("doing", now_doing(farm, change)));
  }
  const std::vector<farm::Transition> transitions = TRY(farm.ledger->recent(10));
  for (const farm::Transition& step : transitions) recent.push(to_json(step));
  const std::vector<farm::Upstream> upstreams = TRY(farm.schedule.all());
  for (const farm::Upstream& upstream : upstreams)
    if (upstream.failures > 0)
      silent.push(
          codec::Json().set("package", upstream.package).set("failures", upstream.failures).set("note", upstream.note));
  const std::optional<std::uint64_t> serial = TRY(index::head_number(env, Edition::kCommunity));
  const bool paused = TRY(farm.ledger->paused());
  codec::Json channels = codec::Json::array();
  const std::vector<index::ChannelState> states_of_channels = TRY(channel_states(Edition::kCommunity, session));
  for (const index::ChannelState& state : states_of_channels) channels.push(to_json(state));
  codec::Json counts = codec::Json::object();
  for (const auto& [state, count] : states) counts.set(std::string(state), count);
  const std::optional<std::string> data = TRY(farm.ledger->note(std::string(kVulnerabilityData)));
  codec::Json out, postponed = codec::Json::array();
  const std::vector<CutOff> builds = TRY(postponed_builds(env));
  for (const CutOff& cut : builds)
    postponed.push(codec::Json()
                       .set("definition", cut.definition)
                       .set("until", os::rfc3339(cut.postponed_until))
                       .set("why", codec::Json::strings(cut.reasons)));
  if (data) out.set("vulnerabilities", *data);
  out.set("paused", paused).set("serial", serial.value_or(0)).set("changes", std::move(counts));
  out.set("channels", std::move(channels));
  out.set("postponed", std::move(postponed));
  out.set("running", std::move(running)).set("upstreams", upstreams.size()).set("silent", std::move(silent));
  return out.set("recent", std::move(recent));
}

net::Handler with_farm_pages(net::Handler next, std::string database, Session& session) {
  const auto pages = std::make_shared<FarmPages>(std::move(next), std::move(database), session);
  return [pages](const net::ServerRequest& request) { return pages->answer(request); };
}

}  // namespace nacre::cli
