#include "base/text.h"
#include "cli/container.h"
#include "cli/forget.h"
#include "cli/kept.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "cli/workshop.h"
#include "store/artifacts.h"
#include "store/gc.h"
#include "store/store.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

namespace nacre::cli {
namespace {

using codec::Json;

Result<int> run_shell(const Arguments& arguments, Session& session) {
  std::string name = arguments.text("NAME");
  const std::vector<std::string> failed = TRY(build::failed_builds(session.env));
  if (failed.empty()) return Error::make(ErrorKind::kNotFound, "no build failed here");
  if (name.empty()) name = failed.front();
  if (std::find(failed.begin(), failed.end(), name) == failed.end())
    return Error::make(ErrorKind::kNotFound, "nothing failed under the name '{}'", name)
        .hint("what failed: " + join(failed, ", "));
  return build::reopen_failed(name, session.sandbox, session.env);
}

/// A step as the log of its build shows it.
struct LoggedStep {
  std::string time, name, took;  ///< `took` is empty while it runs, or when nacre died.
  bool failed = false;
  std::vector<std::string> lines;
};

/// Only a header that StepRunner wrote counts: time, package and label, in that form.
std::vector<LoggedStep> steps_of(const std::string& log) {
  std::vector<LoggedStep> out;
  bool open = false;
  for (const std::string& line : split(log, '\n')) {
    const bool header = line.starts_with("== 2") && line.size() > 24 && line[22] == 'Z' && line[23] == ' ';
    if (header) {
      out.push_back({line.substr(3, 20), line.substr(24), {}, false, {}});
      open = true;
    } else if (open && (line.starts_with("== done in ") || line.starts_with("== failed: "))) {
      out.back().failed = line.starts_with("== failed");
      out.back().took = line.substr(11);
      open = false;
    } else if (open) {
      out.back().lines.push_back(line);
    }
  }
  return out;
}

/// The log of a build that runs or failed, unless a later one ended well.
Result<std::string> newest_log(const std::string& name, Session& session) {
  const std::optional<BuildRecord> record = TRY(latest_build(session.env, name));
  const Path file = session.env.store.work_dir() / ("build-" + name) / "log";
  std::error_code failed;
  const auto written = std::filesystem::last_write_time(file, failed);
  if (failed && !record) return Error::make(ErrorKind::kNotFound, "'{}' was never built here", name);
  if (!failed) {
    const auto at = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::file_clock::to_sys(written));
    if (!record || at.time_since_epoch().count() >= record->finished) return os::read_file(file);
  }
  return session.env.store.read(record->log);
}

Result<int> run_log(const Arguments& arguments, Session& session) {
  const std::string text = TRY(newest_log(arguments.text("NAME"), session));
  const std::string wanted = arguments.text("--step");
  if (wanted.empty() && !session.json && !arguments.flag("--steps")) {
    session.print(text);
    return 0;
  }
  Json json = Json::array();
  std::string list, lines, known;
  std::size_t number = 0;
  bool found = wanted.empty();
  for (const LoggedStep& step : steps_of(text)) {
    ++number;
    const std::size_t colon = step.name.find(": ");
    const bool chosen = wanted.empty() || wanted == std::to_string(number) || wanted == step.name ||
                        (colon != std::string::npos && step.name.substr(colon + 2) == wanted);
    known += fmt::format("\n  {:>3}  {}", number, step.name);
    if (!chosen) continue;
    found = true;
    Json row;
    row.set("number", static_cast<std::int64_t>(number)).set("step", step.name).set("started", step.time);
    row.set("failed", step.failed).set("took", step.took);
    json.push(row.set("lines", Json::strings(step.lines)));
    list += fmt::format("{:>3}  {:<10} {}{}\n", number, step.failed ? "failed" : step.took, step.name,
                        step.failed ? " (" + step.took + ")" : "");
    lines += join(step.lines, "\n") + "\n";
  }
  if (!found)
    return Error::make(ErrorKind::kNotFound, "the log of '{}' has no step '{}'; it has:{}", arguments.text("NAME"),
                       wanted, known.empty() ? " none" : known);
  session.print(session.json ? codec::to_pretty_json(json) : wanted.empty() ? list : lines);
  return 0;
}

Result<int> run_doctor(const Arguments&, Session& session) {
  const std::vector<sandbox::Finding> findings = sandbox::examine_machine();
  Json json = Json::array();
  std::string text;
  int missing = 0;
  for (const sandbox::Finding& finding : findings) {
    Json row;
    json.push(row.set("what", finding.what).set("ok", finding.ok).set("mend", finding.mend));
    text += fmt::format("{}  {}\n", finding.ok ? "ok      " : "MISSING ", finding.what);
    if (!finding.ok && !finding.mend.empty()) text += fmt::format("          mend: {}\n", finding.mend);
    missing += finding.ok ? 0 : 1;
  }
  text += missing == 0 ? "this machine has all that nacre needs\n" : fmt::format("{} things are missing\n", missing);
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return missing == 0 ? 0 : 3;
}

struct Roots {
  std::vector<Sha256> blobs, trees;

  void add(const std::string& digest) {
    if (const auto parsed = parse_sha256(digest)) blobs.push_back(*parsed);
  }
};

/// Builds that a serial names or a definition stands for stay with packages, logs and sources.
Result<> add_builds(Roots& roots, const std::set<Sha256>& published, Env& env) {
  const std::vector<BuildRecord> builds = TRY(list_builds(env));
  for (const BuildRecord& build : builds) {
    const std::optional<BuildRecord> latest = TRY(latest_build(env, build.definition));
    const bool chosen = latest && latest->action_key == build.action_key;
    if (!chosen && !published.contains(build.action_key)) continue;
    roots.blobs.push_back(build.log);
    for (const index::SerialPackage& package : build.packages) {
      roots.blobs.insert(roots.blobs.end(), {package.apk, package.sbom, package.provenance});
      if (chosen) roots.trees.push_back(tree_key(package.apk));
    }
    for (const auto& [name, abi] : build.abi) roots.blobs.push_back(abi.symbols);
    if (build.use) roots.blobs.push_back(*build.use);
    for (const PinnedPackage& pin : build.pinned_root) roots.blobs.push_back(pin.content);
    for (const std::string& source : build.from.sources) roots.add(source);
  }
  return {};
}

/// Trees below a step that failed, for `nacre shell --failed`.
Result<> add_failed(Roots& roots, Env& env) {
  const auto rows = TRY(env.store.state().list("failed"));
  for (const auto& [name, text] : rows) {
    const Json record = TRY(codec::parse_json(text, "failed/" + name));
    for (const std::string& tree : record["command"]["lower"].as_strings())
      if (const auto key = parse_sha256(Path(tree).filename().string())) roots.trees.push_back(*key);
  }
  return {};
}

/// What gates know of packages that are here; of others it is forgotten.
Result<> add_facts(Roots& roots, Env& env) {
  const auto rows = TRY(env.store.state().list("facts"));
  for (const auto& [apk, blob] : rows) {
    const auto package = parse_sha256(apk);
    bool is_there = static_cast<bool>(package);
    if (is_there) is_there = TRY(env.store.holds(*package));
    if (is_there)
      roots.add(blob);
    else
      TRY(env.store.state().erase("facts", apk));
  }
  return {};
}

/// Everything that a serial, the newest build of a definition, the lock of sources, a foreign image or its lock, stage
/// 0 or a container needs.
Result<Roots> find_roots(Session& session) {
  Env& env = session.env;
  Roots roots;
  roots.blobs = TRY(index::published_blobs(env));
  std::set<Sha256> published;  // keys of builds
  for (const Edition edition : {Edition::kStage0, Edition::kCommunity, Edition::kProduction}) {
    const std::vector<index::Serial> serials = TRY(index::list_serials(env, edition));
    for (const index::Serial& serial : serials)
      for (const index::SerialPackage& package : serial.packages) {
        published.insert(package.action_key);
        if (serial.number == serials.back().number) roots.trees.push_back(tree_key(package.apk));
      }
  }
  TRY(add_builds(roots, published, env));
  TRY(add_failed(roots, env));
  TRY(add_facts(roots, env));
  for (const char* kind : {"deb", "source"}) {
    const auto rows = TRY(env.store.state().list(kind));
    for (const auto& [name, digest] : rows) roots.add(digest);
  }
  if (const Path lock = session.os_dir / "sources.lock"; os::exists(lock)) {
    const std::string text = TRY(os::read_file(lock));
    const std::vector<build::LockedSource> sources = TRY(build::parse_sources_lock(text, lock.string()));
    for (const build::LockedSource& source : sources) roots.blobs.push_back(source.sha256);
  }
  const std::vector<Sha256> kept = TRY(kept_blobs(env));
  roots.blobs.insert(roots.blobs.end(), kept.begin(), kept.end());
  const std::vector<Sha256> containers = container_trees(session);
  roots.trees.insert(roots.trees.end(), containers.begin(), containers.end());
  return roots;
}

Result<int> run_gc(const Arguments& arguments, Session& session) {
  auto alone = session.env.store.in_use(os::FileLock::Share::kExclusive, os::FileLock::Wait::kNo);
  if (!alone && alone.error().kind() != ErrorKind::kConflict) return std::move(alone).error();
  if (!alone)
    return Error::make(ErrorKind::kConflict, "another nacre process builds or composes in '{}'", session.home.string())
        .hint("wait for it to end: what it made is named by no record yet");
  if (arguments.number("--days") < 0)
    return Error::make(ErrorKind::kInvalid, "expected a number of days, got {}", arguments.number("--days"));
  const auto [blobs, trees] = TRY(find_roots(session));
  const double age = static_cast<double>(arguments.number("--days")) * 86400;
  const store::GcReport report = TRY(store::collect_garbage(session.env.store, blobs, trees, age));
  const std::uint64_t records = TRY(forget_gone(session.env));
  const build::StepCacheReport steps = TRY(build::trim_step_cache(~std::uint64_t{0}, age, session.env));
  Json json;
  json.set("blobs", report.blobs)
      .set("trees", report.trees)
      .set("partials", report.partials)
      .set("steps", static_cast<std::int64_t>(steps.definitions))
      .set("records", records)
      .set("bytes", report.bytes + steps.bytes);
  std::string text = fmt::format("removed {} blobs and {} trees, {}; {} records of what is gone", report.blobs,
                                 report.trees, human_bytes(report.bytes + steps.bytes), records);
  if (const store::Artifacts* const artifacts = session.env.store.artifacts(); artifacts != nullptr) {
    json.set("sharedBlobs", report.shared_blobs).set("sharedBytes", report.shared_bytes);
    text += fmt::format("; of {} {} blobs, {}", artifacts->name(), report.shared_blobs,
                        human_bytes(report.shared_bytes));
  }
  session.print(session.json ? codec::to_json(json) : text);
  return 0;
}

}  // namespace

Verb verb_shell() {
  Verb verb;
  verb.name = "shell";
  verb.summary = "a shell in the root of the step that failed";
  verb.arguments = {{"NAME", "definition, or 'test NAME'; the last that failed when not given", false, false,
                     Completion::kPackage}};
  verb.options = {
      {"--failed", OptionType::kFlag, "", "", "the step that failed (the only kind there is yet)", Completion::kNone}};
  verb.run = run_shell;
  return verb;
}

Verb verb_log() {
  Verb verb;
  verb.name = "log";
  verb.summary = "the log of the last build of a definition";
  verb.arguments = {{"NAME", "definition", true, false, Completion::kPackage}};
  verb.options = {{"--steps", OptionType::kFlag, "", "", "the steps with their times, not what they printed",
                   Completion::kNone},
                  {"--step", OptionType::kText, "STEP", "", "what one step printed, by number or name",
                   Completion::kNone}};
  verb.run = run_log;
  return verb;
}

Verb verb_doctor() {
  Verb verb;
  verb.name = "doctor";
  verb.summary = "what this machine lacks, and the command that mends it";
  verb.run = run_doctor;
  return verb;
}

Verb verb_gc() {
  Verb verb;
  verb.name = "gc";
  verb.summary = "remove what no serial names and nobody used for a while";
  verb.options = {{"--days", OptionType::kNumber, "N", "7", "only what is older", Completion::kNone}};
  verb.run = run_gc;
  return verb;
}

}  // namespace nacre::cli
