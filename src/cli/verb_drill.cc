#include "cli/security.h"

#include "base/events.h"
#include "base/text.h"
#include "cli/flow.h"
#include "cli/lookup.h"
#include "cli/push.h"
#include "definition/edit.h"
#include "os/clock.h"
#include "store/database.h"
#include "store/store.h"

#include <filesystem>
#include <memory>

namespace nacre::cli {
namespace {

using codec::Json;

/// Directories of a home whose files never change in place: the copy shares them by hard link.
constexpr const char* kShared[] = {"blobs", "trees"};

/// The home as it stands: files by hard link, the state as one consistent copy. Keys stay where they are: the copy asks
/// this process's signer.
Result<> copy_home(const Path& from, const Path& to) {
  std::error_code fault;
  for (const char* name : kShared) {
    if (!os::exists(from / name)) continue;
    std::filesystem::copy(from / name, to / name,
                          std::filesystem::copy_options::recursive | std::filesystem::copy_options::create_hard_links |
                              std::filesystem::copy_options::copy_symlinks,
                          fault);
    if (fault) return os::system_error(fault.value(), fmt::format("link '{}' into '{}'", name, to.string()));
  }
  const std::unique_ptr<store::Database> state = TRY(store::Database::open("sqlite:" + (from / "state.db").string()));
  TRY(state->run("copy the state", "VACUUM INTO $1", {(to / "state.db").string()}));
  return {};
}

Result<> copy_definitions(const Path& from, const Path& to) {
  std::error_code fault;
  std::filesystem::copy(from, to,
                        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks, fault);
  if (fault) return os::system_error(fault.value(), fmt::format("copy '{}'", from.string()));
  return {};
}

/// Raises the epoch of one definition in the copy; returns its version then.
Result<std::string> touch(const Path& folder, const Arch& arch, const std::string& name) {
  const Distribution os = TRY(load_distribution(folder, arch));
  const definition::Definition* definition = os.find(name);
  if (definition == nullptr) return no_definition(os, name);
  const std::string text = TRY(definition::set_epoch(*definition->yaml, definition->epoch + 1));
  TRY(os::write_file(definition->file, text));
  return fmt::format("{}-r{}", definition->version, definition->epoch + 1);
}

struct Drill {
  std::string package, version;
  FlowReport report;
  std::vector<std::pair<std::string, double>> stages;  ///< With the copy, the plan and the push.
  std::size_t built = 0, stood = 0, composed = 0, pushed = 0;
  double seconds = 0;  ///< Without the copy, which an emergency does not need.
};

Result<> push(Drill& drill, const std::string& host, Session& session) {
  const index::Serial& serial = *drill.report.published;
  std::vector<index::SerialImage> images;
  for (const index::SerialImage& image : serial.images)
    for (const ImageRow& row : drill.report.images)
      if (row.name == image.name && row.composed) images.push_back(image);
  const std::vector<publish::Receipt> receipts = TRY(push_images(images, serial, host, session));
  drill.pushed = receipts.size();
  return {};
}

Result<Drill> run_in_copy(const Arguments& arguments, const Arch& arch, Session& session) {
  if (session.env.store.state().is_shared())
    return Error::make(ErrorKind::kConflict,
                       "a drill runs in a copy of the home, and the state of this one is elsewhere")
        .hint("rehearse where NACRE_STATE is not set");
  os::Clock& clock = session.env.clock;
  Drill out;
  out.package = arguments.text("PACKAGE");
  double lap = clock.monotonic_seconds();
  const auto stage = [&](std::string name) {
    const double now = clock.monotonic_seconds();
    out.stages.emplace_back(std::move(name), now - lap);
    lap = now;
  };
  const std::optional<index::Serial> before = TRY(index::head(session.env, Edition::kCommunity));
  if (!before) return no_serial_yet(Edition::kCommunity);
  // Inside the home: hard links do not leave a file system.
  TRY(os::make_dirs(session.env.store.work_dir()));
  const os::TempDir folder = TRY(os::TempDir::create(session.env.store.work_dir(), "drill-"));
  const Path home = folder.path() / "home", definitions = folder.path() / "os";
  TRY(os::make_dirs(home));
  Task task(session.env.events, "copy the home");
  TRY(copy_home(session.home, home));
  TRY(copy_definitions(session.os_dir, definitions));
  task.finish();
  stage("copy");
  out.version = TRY(touch(definitions, arch, out.package));
  const std::unique_ptr<store::Store> store = TRY(store::Store::open(home));
  Env env{session.env.processes, clock, session.env.http, *store, session.env.events, session.env.stop};
  Session copy{env,         session.signer,  session.sandbox,    home,
               definitions, session.program, session.builder_id, session.json};
  Workshop shop = TRY(open_workshop(copy, arch));
  const plan::Plan plan = TRY(plan_builds(shop, {}));
  stage("plan");
  FlowOptions options;
  options.reason = "drill: " + out.package;
  if (arguments.flag("--skip-tests")) options.tests = FlowOptions::Tests::kSkip;
  out.report = TRY(run_flow(shop, options));
  for (const auto& each : out.report.stage_seconds) out.stages.push_back(each);
  lap = clock.monotonic_seconds();
  for (const BuiltRow& row : out.report.built) {
    out.built += row.made == Made::kBuilt || row.made == Made::kSame ? 1 : 0;
    out.stood += row.made == Made::kCutOff ? 1 : 0;
  }
  for (const ImageRow& row : out.report.images) out.composed += row.composed ? 1 : 0;
  if (!out.report.published)
    return Error::make(ErrorKind::kInternal, "the drill published nothing, though {} has a new epoch", out.package);
  if (const std::string host = arguments.text("--push"); !host.empty()) {
    TRY(push(out, host, copy));
    stage("push");
  }
  for (std::size_t i = 1; i < out.stages.size(); ++i) out.seconds += out.stages[i].second;
  return out;
}

Json to_json(const Drill& drill) {
  Json out, stages = Json::object(), built = Json::array(), images = Json::array();
  for (const auto& [name, seconds] : drill.stages) stages.set(name, seconds);
  for (const BuiltRow& row : drill.report.built)
    if (row.made == Made::kBuilt || row.made == Made::kSame) built.push(row.definition + " " + row.version);
  for (const ImageRow& row : drill.report.images)
    if (row.composed) images.push(row.name);
  out.set("package", drill.package).set("version", drill.version).set("stages", std::move(stages));
  out.set("seconds", drill.seconds).set("built", std::move(built)).set("images", std::move(images));
  out.set("stood", static_cast<std::int64_t>(drill.stood)).set("tests", drill.report.tests.ran);
  return out.set("pushed", static_cast<std::int64_t>(drill.pushed));
}

std::string render(const Drill& drill) {
  std::string out = fmt::format("drill: {} {}, in a copy that is gone\n", drill.package, drill.version);
  for (const auto& [name, seconds] : drill.stages)
    out += fmt::format("  {:<10} {:>10}{}\n", name, human_duration(seconds),
                       name == "copy" ? "   (not in the sum: an emergency needs none)" : "");
  out += fmt::format("  {:<10} {:>10}\n", "all", human_duration(drill.seconds));
  out += fmt::format("{} built, {} stood (nothing that they take changed), {} tests, {} images composed, {} pushed\n",
                     drill.built, drill.stood, drill.report.tests.ran, drill.composed, drill.pushed);
  for (const BuiltRow& row : drill.report.built)
    if (row.made == Made::kBuilt || row.made == Made::kSame)
      out += fmt::format("  built {} {} in {}\n", row.definition, row.version, human_duration(row.seconds));
  return out;
}

Result<int> run_drill(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  const Drill drill =
      TRY(run_in_copy(arguments, arch, session), "rehearsing an emergency in '{}'", arguments.text("PACKAGE"));
  session.print(session.json ? codec::to_pretty_json(to_json(drill)) : render(drill));
  return 0;
}

}  // namespace

Verb verb_drill() {
  Verb verb;
  verb.name = "drill";
  verb.summary = "rehearse an emergency: rebuild and publish all that a touched package needs, in a copy, with times";
  verb.arguments = {{"PACKAGE", "definition to touch", true, false, Completion::kPackage}};
  verb.options = {
      kArchOption,
      {"--skip-tests", OptionType::kFlag, "", "", "do not run tests of packages and images", Completion::kNone},
      {"--push", OptionType::kText, "HOST", "", "push the images to this registry (a scratch one)", Completion::kNone}};
  verb.run = run_drill;
  return verb;
}

}  // namespace nacre::cli
