#include "base/lines.h"
#include "base/text.h"
#include "cli/farm_pages.h"
#include "cli/farm_steps.h"
#include "cli/places.h"
#include "cli/promotion.h"
#include "cli/verbs.h"
#include "farm/change_json.h"
#include "farm/page.h"
#include "os/clock.h"
#include "store/store.h"

#include <unistd.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <map>

namespace nacre::cli {
namespace {

using codec::Json;
using farm::Change;
using farm::Ledger;
using farm::State;
using farm::Transition;

const Option kDatabaseOption = {"--database",
                                OptionType::kText,
                                "URL",
                                "",
                                "sqlite:FILE or postgres://…; NACRE_FARM_DATABASE, NACRE_STATE, else a file below "
                                "NACRE_HOME",
                                Completion::kNone};

FarmPlaces places_of(const Arguments& arguments, const Session& session) {
  FarmPlaces out;
  out.folder = session.home / "farm";
  out.database = farm_database(arguments.text("--database"), session.home);
  return out;
}

Result<Farm> farm_of(const Arguments& arguments, Session& session) {
  return open_farm(places_of(arguments, session), MustExist::kYes, session.env);
}

/// Who speaks, for the history.
std::string person() {
  const char* user = std::getenv("SUDO_USER");
  if (user == nullptr) user = std::getenv("USER");
  return user != nullptr && *user != '\0' ? user : fmt::format("uid {}", ::getuid());
}

Result<std::int64_t> number_of(const std::string& text) {
  std::int64_t out = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (fault != std::errc() || end != text.data() + text.size() || out <= 0)
    return Error::make(ErrorKind::kInvalid, "expected the number of a change, got '{}'", text)
        .hint("`nacre farm queue` lists them");
  return out;
}

// ---- what is shown

std::string version_of(const Change& change) {
  return change.to.empty() ? change.commit.substr(0, 12) : fmt::format("{} -> {}", change.from, change.to);
}

std::string row_of(const Change& change, std::int64_t now) {
  std::string out = fmt::format("{:>4}  {:<9} {:<24} {:<22} {}", change.id, name_of(change.cause), change.package,
                                version_of(change), farm::standing(change, now));
  if (!change.error.empty() && is_live(change.state)) out += ": " + first_line(change.error);
  return out + '\n';
}

std::string row_of(const Transition& step) {
  std::string out = fmt::format("{}  {:<10} {:<12}", os::rfc3339(step.at), name_of(step.stage), name_of(step.state));
  out += fmt::format(" {:>9}  {}", step.seconds > 0 ? human_duration(step.seconds) : "", step.note);
  const bool machine = step.who == "farm" || std::count(step.who.begin(), step.who.end(), ':') == 2;
  return out + (machine ? "" : fmt::format("  ({})", step.who)) + '\n';
}

// ---- run

Result<int> run_farm(const Arguments& arguments, Session& session) {
  if (session.env.store.state().is_shared() && arguments.text("--repository").empty())
    return Error::make(ErrorKind::kInvalid,
                       "the state is shared (NACRE_STATE), and no repository of definitions is named")
        .hint("give every control plane the same one: --repository DIR (docs/shared-state.md)");
  FarmPlaces places = places_of(arguments, session);
  places.repository =
      arguments.text("--repository").empty() ? places.folder / "definitions.git" : Path(arguments.text("--repository"));
  places.branch = arguments.text("--branch");
  places.registry = arguments.text("--registry");
  if (arguments.number("--workers") < 1)
    return Error::make(ErrorKind::kInvalid, "expected at least one worker, got --workers {}",
                       arguments.number("--workers"));
  Farm farm = TRY(open_farm(std::move(places), MustExist::kNo, session.env));
  const std::unique_ptr<FarmSteps> steps = TRY(FarmSteps::open(farm, session));
  farm::RunOptions options;
  options.workers = static_cast<unsigned>(arguments.number("--workers"));
  options.until = arguments.flag("--once") ? farm::RunOptions::Until::kIdle : farm::RunOptions::Until::kStopped;
  farm::RunReport report = TRY(farm::run(*farm.ledger, *steps, options, session.env));
  Json json, changes = Json::array();
  std::string text;
  for (const std::int64_t id : report.changes) {
    const Change change = TRY(farm.ledger->get(id));
    changes.push(to_json(change));
    text += row_of(change, session.env.clock.now_seconds());
  }
  json.set("added", report.added).set("steps", report.steps).set("done", report.done).set("red", report.red);
  json.set("waiting", report.waiting).set("later", report.later).set("recovered", report.recovered);
  json.set("changes", std::move(changes));
  if (report.look) json.set("look", report.look->render());
  text += fmt::format("{} new, {} done, {} red, {} wait for approval, {} to be tried later\n", report.added,
                      report.done, report.red, report.waiting, report.later);
  if (report.red > 0) text += "`nacre farm why CHANGE` says what went wrong\n";
  session.print(session.json ? codec::to_pretty_json(json) : text);
  if (report.look && report.red == 0) return *std::move(report.look);
  return report.red > 0 ? 4 : 0;
}

// ---- status

Result<std::string> status_text(Farm& farm, Session& session) {
  const Json status = TRY(farm_status(farm, session));
  const std::int64_t now = session.env.clock.now_seconds();
  std::string out = fmt::format("edition community is at serial {}{}\n", status["serial"].as_int(),
                                status["paused"].as_bool() ? "; the farm is paused" : "");
  const std::vector<index::ChannelState> channels = TRY(channel_states(Edition::kCommunity, session));
  for (const index::ChannelState& state : channels)
    for (const std::string& line : split(render(state), '\n'))
      if (!line.empty()) out += "  " + line + '\n';
  std::vector<std::string> counts;
  for (const auto& [state, count] : status["changes"].members())
    counts.push_back(fmt::format("{} {}", count.as_int(), state));
  out += fmt::format("changes: {}\n", counts.empty() ? "none yet" : join(counts, ", "));
  const std::vector<Change> live = TRY(farm.ledger->list(Ledger::Which::kLive));
  for (const Change& change : live) {
    out += row_of(change, now);
    const std::string doing = change.state == State::kRunning ? now_doing(farm, change) : "";
    if (!doing.empty()) out += fmt::format("      {}\n", doing);
  }
  for (const Json& cut : status["postponed"].items())
    out += fmt::format("put off until {}: {}, {}\n", cut["until"].as_string(), cut["definition"].as_string(),
                       join(cut["why"].as_strings(), "; "));
  out += fmt::format("upstreams: {} asked, {} do not answer\n", status["upstreams"].as_int(),
                     status["silent"].items().size());
  if (const Json* data = status.find("vulnerabilities"))
    out += fmt::format("known vulnerabilities: {}\n", data->as_string());
  const std::vector<Transition> recent = TRY(farm.ledger->recent(8));
  for (const Transition& step : recent) out += fmt::format("  change {:<4} {}", step.change, row_of(step));
  return out;
}

Result<int> run_status(const Arguments& arguments, Session& session) {
  Farm farm = TRY(farm_of(arguments, session));
  if (session.json) {
    const Json status = TRY(farm_status(farm, session));
    session.print(codec::to_pretty_json(status));
    return 0;
  }
  while (true) {
    const std::string text = TRY(status_text(farm, session));
    const bool live = arguments.flag("--live");
    session.print(live && ::isatty(STDOUT_FILENO) != 0 ? "\x1b[H\x1b[2J" + text : text);
    if (!live) return 0;
    for (int i = 0; i < 10 && !session.env.stop.stop_requested(); ++i) session.env.clock.sleep(0.1);
    if (session.env.stop.stop_requested()) return 0;
  }
}

Result<int> run_queue(const Arguments& arguments, Session& session) {
  Farm farm = TRY(farm_of(arguments, session));
  const std::vector<Change> changes =
      TRY(farm.ledger->list(arguments.flag("--all") ? Ledger::Which::kAll : Ledger::Which::kLive));
  Json json = Json::array();
  std::string text;
  for (const Change& change : changes) {
    json.push(to_json(change));
    text += row_of(change, session.env.clock.now_seconds());
  }
  if (changes.empty()) text = "nothing is under way\n";
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

Result<int> run_upstreams(const Arguments& arguments, Session& session) {
  Farm farm = TRY(farm_of(arguments, session));
  for (const std::string& name : arguments.list("--ask")) TRY(farm.schedule.ask_now(name));
  const std::vector<farm::Upstream> upstreams = TRY(farm.schedule.all());
  const std::int64_t now = session.env.clock.now_seconds();
  Json json = Json::array();
  std::string text;
  for (const farm::Upstream& upstream : upstreams) {
    Json row;
    row.set("package", upstream.package).set("newest", upstream.newest).set("note", upstream.note);
    row.set("lastAsked", os::rfc3339(upstream.last_asked)).set("failures", upstream.failures);
    json.push(row.set("nextDue", os::rfc3339(upstream.next_due)));
    const std::int64_t wait = std::max<std::int64_t>(0, upstream.next_due - now);
    text +=
        fmt::format("{:<24} {:<16} {:<12} {}{}\n", upstream.package, upstream.newest.empty() ? "?" : upstream.newest,
                    wait == 0 ? "now" : "in " + human_duration(static_cast<double>(wait)), upstream.note,
                    upstream.failures > 0 ? fmt::format("  ({} failures in a row)", upstream.failures) : "");
  }
  if (upstreams.empty()) text = "no upstream was asked yet\n";
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

// ---- one change

Result<int> run_log(const Arguments& arguments, Session& session) {
  Farm farm = TRY(farm_of(arguments, session));
  const std::int64_t id = TRY(number_of(arguments.text("CHANGE")));
  const Change change = TRY(farm.ledger->get(id));
  const Path file = farm.places.folder / "logs" / fmt::format("{}.log", change.id);
  if (!os::exists(file))
    return Error::make(ErrorKind::kNotFound, "change {} ({}) has no log on this machine", change.id, change.package)
        .hint("no step of it has begun, another machine of the farm did them, or it ended long ago (`logs: {keep: "
              "90d}` in farm.yaml)");
  std::uint64_t seen = 0;
  while (true) {
    const std::string text = TRY(os::read_file(file, std::uint64_t{1} << 30));
    if (text.size() > seen) session.print(std::string_view(text).substr(seen));
    seen = text.size();
    const Change now = TRY(farm.ledger->get(change.id));
    const bool over = !is_live(now.state) || now.state == State::kRed || now.state == State::kQuarantined;
    if (!arguments.flag("--follow") || over || session.env.stop.stop_requested()) return 0;
    session.env.clock.sleep(0.3);
  }
}

Result<int> run_why(const Arguments& arguments, Session& session) {
  Farm farm = TRY(farm_of(arguments, session));
  const std::int64_t id = TRY(number_of(arguments.text("CHANGE")));
  const Change change = TRY(farm.ledger->get(id));
  const std::vector<Transition> history = TRY(farm.ledger->history(change.id));
  Json json = to_json(change), steps = Json::array();
  std::string text = row_of(change, session.env.clock.now_seconds());
  for (const Transition& step : history) {
    steps.push(to_json(step));
    text += "  " + row_of(step);
  }
  json.set("history", std::move(steps));
  const Path diff = farm.places.folder / "logs" / fmt::format("{}.diff", change.id);
  const bool has_diff = !change.error.empty() && os::exists(diff);
  if (!change.error.empty()) text += "\n" + change.error + "\n";
  if (!change.error.empty()) text += fmt::format("\n`nacre farm log {}` has all that its steps printed", change.id);
  if (has_diff) text += fmt::format(", `nacre farm why --diff {}` what it changes of what is published", change.id);
  if (!change.branch.empty() && is_live(change.state))
    text += fmt::format("{}branch {} has its definitions", change.error.empty() ? "" : "; ", change.branch);
  if (text.back() != '\n') text += '\n';
  if (arguments.flag("--diff")) {
    if (!has_diff)
      return Error::make(ErrorKind::kNotFound, "change {} ({}) has no diff here: no step of it failed", change.id,
                         change.package)
          .hint("its branch has its definitions, and its log what its steps printed");
    text = TRY(os::read_file(diff));
    json.set("diff", text);
  }
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

/// A verb that says one word about some changes.
using Word = std::function<Result<>(Ledger& ledger, std::int64_t id, const Arguments& arguments)>;

Result<int> say(const Word& word, const std::string& done, const Arguments& arguments, Session& session) {
  Farm farm = TRY(farm_of(arguments, session));
  Json json = Json::array();
  std::string text;
  for (const std::string& name : arguments.list("CHANGE")) {
    const std::int64_t id = TRY(number_of(name));
    TRY(word(*farm.ledger, id, arguments));
    const Change change = TRY(farm.ledger->get(id));
    json.push(to_json(change));
    text += fmt::format("change {} ({} {}) is {}\n", id, change.package, version_of(change), done);
  }
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

Verb verb_of_word(std::string name, std::string summary, const std::string& done, Word word) {
  Verb verb;
  verb.name = "farm " + name;
  verb.summary = std::move(summary);
  verb.arguments = {{"CHANGE", "its number, as `nacre farm queue` shows it", true, true, Completion::kNone}};
  verb.options = {kDatabaseOption};
  verb.run = [word = std::move(word), done](const Arguments& arguments, Session& session) {
    return say(word, done, arguments, session);
  };
  return verb;
}

Verb verb_of_pause(const std::string& name, std::string summary, bool paused) {
  Verb verb;
  verb.name = "farm " + name;
  verb.summary = std::move(summary);
  verb.options = {kDatabaseOption};
  verb.run = [paused](const Arguments& arguments, Session& session) -> Result<int> {
    Farm farm = TRY(farm_of(arguments, session));
    TRY(farm.ledger->pause(paused, person()));
    session.print(session.json ? codec::to_pretty_json(Json().set("paused", paused))
                  : paused     ? "no step begins until `nacre farm resume`; what runs goes on to its end"
                               : "the farm goes on");
    return 0;
  };
  return verb;
}

Verb verb_of(std::string name, std::string summary, std::vector<Option> options,
             Result<int> (*run)(const Arguments&, Session&), bool one_change = false) {
  Verb verb;
  verb.name = "farm " + name;
  verb.summary = std::move(summary);
  if (one_change)
    verb.arguments = {{"CHANGE", "its number, as `nacre farm queue` shows it", true, false, Completion::kNone}};
  verb.options = std::move(options);
  verb.options.push_back(kDatabaseOption);
  verb.run = run;
  return verb;
}

}  // namespace

std::vector<Verb> verbs_farm() {
  return {
      verb_of("run", "the factory by itself: from upstream's release to pushed images",
              {{"--once", OptionType::kFlag, "", "", "end when nothing is due: for cron and CI", Completion::kNone},
               {"--workers", OptionType::kNumber, "N", "1", "changes under way at once", Completion::kNone},
               {"--repository", OptionType::kText, "DIR", "",
                "a bare git repository of definitions; else the farm makes one below NACRE_HOME", Completion::kFolder},
               {"--branch", OptionType::kText, "NAME", "main", "the branch that is published", Completion::kNone},
               {"--registry", OptionType::kText, "HOST", "", "push images to this registry, host[:port][/prefix]",
                Completion::kNone}},
              run_farm),
      verb_of("status", "what the farm does, and what stands",
              {{"--live", OptionType::kFlag, "", "", "draw it anew every second", Completion::kNone}}, run_status),
      verb_of("queue", "changes under way, the most urgent first",
              {{"--all", OptionType::kFlag, "", "", "those that came to an end, too", Completion::kNone}}, run_queue),
      verb_of("upstreams", "when each upstream was asked, what it said, when it is asked next",
              {{"--ask", OptionType::kList, "DEFINITION", "", "ask this one at once; may be given more than once",
                Completion::kPackage}},
              run_upstreams),
      verb_of("log", "all that the steps of a change printed",
              {{"--follow", OptionType::kFlag, "", "", "go on until it stands still", Completion::kNone}}, run_log,
              true),
      verb_of("why", "how a change came about, what became of it, and why",
              {{"--diff", OptionType::kFlag, "", "", "what a change that failed changes of what is published",
                Completion::kNone}},
              run_why, true),
      verb_of_word("retry", "try a red or quarantined change again", "tried again",
                   [](Ledger& ledger, std::int64_t id, const Arguments&) { return ledger.retry(id, person()); }),
      verb_of_word("hold", "keep a change from going on", "held",
                   [](Ledger& ledger, std::int64_t id, const Arguments&) { return ledger.hold(id, person()); }),
      verb_of_word("release", "let a held change go on", "released",
                   [](Ledger& ledger, std::int64_t id, const Arguments&) { return ledger.release(id, person()); }),
      verb_of_word("approve", "let a change be merged that waits for a person", "approved",
                   [](Ledger& ledger, std::int64_t id, const Arguments&) { return ledger.approve(id, person()); }),
      verb_of_word("cancel", "end a change that is not published", "cancelled",
                   [](Ledger& ledger, std::int64_t id, const Arguments&) { return ledger.cancel(id, person(), ""); }),
      verb_of_pause("pause", "begin no more steps", true),
      verb_of_pause("resume", "go on after a pause", false),
  };
}

}  // namespace nacre::cli
