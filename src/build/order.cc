#include "build/order.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "build/guest.h"
#include "build/steps.h"

namespace nacre::build {
namespace {

using codec::Json;
using definition::Definition;
using definition::Step;

constexpr std::int64_t kFormat = 1;
constexpr std::string_view kPlaceFile = "order";
constexpr int kMaxDepth = 32;

Json json_of(const definition::Pairs& pairs) {
  Json out = Json::array();
  for (const auto& [name, value] : pairs) out.push(Json::array({Json(name), Json(value)}));
  return out;
}

/// Steps that an `if` left out are gone: nothing of them runs.
Json json_of(const std::vector<Step>& steps) {
  Json out = Json::array();
  for (const Step& step : steps) {
    if (!step.enabled) continue;
    Json item = Json::object();
    item.set("name", step.name).set("uses", step.uses).set("runs", step.runs).set("dir", step.working_directory);
    item.set("env", json_of(step.environment)).set("required", step.required_steps);
    out.push(item.set("steps", json_of(step.pipeline)));
  }
  return out;
}

Json environment_json(const definition::Environment& environment) {
  Json users = Json::array(), groups = Json::array(), out;
  for (const definition::Account& user : environment.users)
    users.push(Json::array({user.name, std::int64_t{user.uid}, std::int64_t{user.gid}, user.shell, user.home}));
  for (const definition::AccountGroup& group : environment.groups)
    groups.push(Json::array({group.name, std::int64_t{group.gid}, Json::strings(group.members)}));
  out.set("variables", json_of(environment.variables)).set("runAs", environment.run_as);
  return out.set("users", std::move(users)).set("groups", std::move(groups));
}

Json cpe_json(const definition::Cpe& cpe) {
  return Json::strings({cpe.part, cpe.vendor, cpe.product, cpe.edition, cpe.language, cpe.sw_edition, cpe.target_sw,
                        cpe.target_hw, cpe.other});
}

std::string_view name_of(CompilerFiles files) {
  if (files == CompilerFiles::kAlways) return "always";
  return files == CompilerFiles::kNever ? "never" : "named";
}

Result<definition::Pairs> read_pairs(const Json& list) {
  definition::Pairs out;
  for (const Json& pair : list.items()) {
    if (pair.items().size() != 2) return Error::make(ErrorKind::kInvalid, "expected a name and a value");
    out.emplace_back(pair.items()[0].as_string(), pair.items()[1].as_string());
  }
  return out;
}

/// Numbers the steps as they come.
Result<std::vector<Step>> read_steps(const Json& list, int& number, int depth) {
  if (depth > kMaxDepth) return Error::make(ErrorKind::kInvalid, "steps lie in more than {} others", kMaxDepth);
  std::vector<Step> out;
  for (const Json& item : list.items()) {
    Step step;
    step.name = item["name"].as_string();
    step.uses = item["uses"].as_string();
    step.runs = item["runs"].as_string();
    step.working_directory = item["dir"].as_string();
    step.environment = TRY(read_pairs(item["env"]));
    step.required_steps = static_cast<int>(item["required"].as_int());
    step.place = {std::string(kPlaceFile), ++number, 0};
    step.pipeline = TRY(read_steps(item["steps"], number, depth + 1));
    out.push_back(std::move(step));
  }
  return out;
}

unsigned id_of(const Json& value) { return static_cast<unsigned>(value.as_int()); }

Result<definition::Environment> read_environment(const Json& json) {
  definition::Environment out;
  out.variables = TRY(read_pairs(json["variables"]));
  out.run_as = json["runAs"].as_string();
  for (const Json& user : json["users"].items()) {
    const auto& row = user.items();
    if (row.size() != 5) return Error::make(ErrorKind::kInvalid, "a user has five fields");
    out.users.push_back({row[0].as_string(), id_of(row[1]), id_of(row[2]), row[3].as_string(), row[4].as_string()});
  }
  for (const Json& group : json["groups"].items()) {
    const auto& row = group.items();
    if (row.size() != 3) return Error::make(ErrorKind::kInvalid, "a group has three fields");
    out.groups.push_back({row[0].as_string(), id_of(row[1]), row[2].as_strings()});
  }
  return out;
}

Result<std::shared_ptr<const Definition>> read_recipe(const Json& json) {
  auto out = std::make_shared<Definition>();
  out->name = TRY(json.string_at("name"));
  out->version = TRY(json.string_at("version"));
  out->epoch = static_cast<std::uint64_t>(json["epoch"].as_int());
  const std::vector<std::string> cpe = json["cpe"].as_strings();
  if (cpe.size() != 9) return Error::make(ErrorKind::kInvalid, "'cpe' has nine parts");
  out->cpe = {cpe[0], cpe[1], cpe[2], cpe[3], cpe[4], cpe[5], cpe[6], cpe[7], cpe[8]};
  const Json& resources = json["resources"];
  out->resources = {resources["cpu"].as_string(), resources["memory"].as_string(), resources["disk"].as_string(), {}};
  out->timeout_nanoseconds = json["timeoutNanoseconds"].as_int();
  out->capabilities_add = json["capabilities"].as_strings();
  out->environment = TRY(read_environment(json["environment"]));
  int number = 0;
  out->pipeline = TRY(read_steps(json["steps"], number, 0));
  for (const Json& item : json["subpackages"].items()) {
    definition::Subpackage sub;
    sub.name = TRY(item.string_at("name"));
    sub.pipeline = TRY(read_steps(item["steps"], number, 0));
    out->subpackages.push_back(std::move(sub));
  }
  return std::shared_ptr<const Definition>(std::move(out));
}

Result<> read_inputs(const Json& json, Order& out) {
  for (const Json& item : json["root"].items()) {
    RootPackage package;
    package.name = TRY(item.string_at("name"));
    package.version = item["version"].as_string();
    package.edition = item["edition"].as_string();
    package.content = TRY(parse_sha256(item["sha256"].as_string()));
    out.request.root.push_back(std::move(package));
  }
  for (const Json& item : json["sources"].items()) {
    FetchedSource source;
    source.expected = TRY(item.string_at("expected"));
    source.sha256 = TRY(parse_sha256(item["sha256"].as_string()));
    out.request.sources.push_back(std::move(source));
  }
  for (const Json& item : json["files"].items()) {
    TreePath path = TRY(TreePath::parse(item["path"].as_string()), "reading the side files");
    out.side_files.emplace_back(std::move(path), static_cast<unsigned>(item["mode"].as_int()) & 0777);
  }
  for (const std::string& text : json["keep"].as_strings())
    out.keep.push_back(TRY(TreePath::parse(text), "reading what is kept"));
  return {};
}

/// Renumbers a definition's steps as read_steps() does.
void number_steps(std::vector<Step>& steps, int& number) {
  for (Step& step : steps) {
    if (!step.enabled) continue;
    step.place = {std::string(kPlaceFile), ++number, 0};
    number_steps(step.pipeline, number);
  }
}

}  // namespace

std::string package_file(const Sha256& apk) { return "root/" + apk.hex() + ".apk"; }
std::string source_file(const Sha256& source) { return "sources/" + source.hex(); }
std::string side_file(std::size_t number) { return fmt::format("side/{}", number); }

Result<Json> write_order(const BuildRequest& request, const std::vector<std::string>& keep) {
  const Definition& definition = *request.definition;
  if (request.network) return Error::make(ErrorKind::kInvalid, "a build with network runs on this machine alone");
  const StepList list = TRY(list_steps(definition));
  for (const StepRun& run : list.runs)
    if (!run.secrets.empty())
      return Error::make(ErrorKind::kInvalid, "a build with secrets runs on this machine alone");
  Json subpackages = Json::array(), root = Json::array(), sources = Json::array(), files = Json::array(), resources,
       out;
  for (const definition::Subpackage& sub : definition.subpackages)
    subpackages.push(Json().set("name", sub.name).set("steps", json_of(sub.pipeline)));
  for (const RootPackage& package : request.root)
    root.push(Json()
                  .set("name", package.name)
                  .set("version", package.version)
                  .set("edition", package.edition)
                  .set("sha256", package.content.hex()));
  for (const FetchedSource& source : request.sources)
    sources.push(Json().set("expected", source.expected).set("sha256", source.sha256.hex()));
  const std::vector<os::TreeEntry> side = TRY(side_files(request.source_dir));
  for (const os::TreeEntry& file : side)
    files.push(Json().set("path", file.path.str()).set("mode", std::int64_t{file.mode & 0777}));
  const Sha256 key = TRY(action_key(request));
  out.set("format", kFormat).set("builder", kBuilderVersion).set("key", key.hex());
  out.set("name", definition.name).set("version", definition.version);
  out.set("epoch", definition.epoch).set("cpe", cpe_json(definition.cpe)).set("arch", request.arch.apk);
  out.set("packager", request.packager).set("compilerFiles", name_of(request.compiler_files));
  out.set("date", request.source_date_epoch).set("timeoutNanoseconds", definition.timeout_nanoseconds);
  resources.set("cpu", definition.resources.cpu).set("memory", definition.resources.memory);
  out.set("resources", resources.set("disk", definition.resources.disk));
  out.set("capabilities", Json::strings(definition.capabilities_add));
  out.set("environment", environment_json(definition.environment)).set("steps", json_of(definition.pipeline));
  out.set("subpackages", std::move(subpackages)).set("root", std::move(root)).set("sources", std::move(sources));
  return out.set("files", std::move(files)).set("keep", Json::strings(keep));
}

Result<Order> read_order(std::string_view text) {
  const Json json = TRY(codec::parse_json(text, kOrderFile));
  if (json["format"].as_int() != kFormat || json["builder"].as_string() != kBuilderVersion)
    return Error::make(ErrorKind::kInvalid, "the order is for another worker than this one, {} of form {}",
                       kBuilderVersion, kFormat);
  Order out;
  out.definition = TRY(read_recipe(json), "reading the order");
  out.key = TRY(parse_sha256(json["key"].as_string()), "reading the order");
  BuildRequest& request = out.request;
  request.definition = out.definition.get();
  request.arch = TRY(find_arch(json["arch"].as_string()), "reading the order");
  request.packager = json["packager"].as_string();
  request.source_date_epoch = json["date"].as_int();
  const std::string& files = json["compilerFiles"].as_string();
  request.compiler_files = files == "always"  ? CompilerFiles::kAlways
                           : files == "never" ? CompilerFiles::kNever
                                              : CompilerFiles::kWhenNamed;
  TRY(read_inputs(json, out), "reading the order");
  return out;
}

std::string write_report(const BuildReport& report) {
  Json steps = Json::array(), out;
  for (const StepRecord& step : report.steps)
    steps.push(Json().set("name", step.name).set("seconds", step.seconds).set("exitCode", step.exit_code));
  out.set("format", kFormat).set("key", report.key.hex()).set("packages", Json::strings(report.packages));
  out.set("steps", std::move(steps));
  if (report.sole_owner)
    out.set("soleOwner", Json::array({std::int64_t{report.sole_owner->uid}, std::int64_t{report.sole_owner->gid}}));
  if (report.error) {
    // The place is said apart, so it goes from the text.
    const Place& place = report.error->place();
    std::string text = report.error->render();
    const std::string shown = fmt::format("{}:{}: ", place.file, place.line);
    if (text.starts_with(shown)) text.erase(0, shown.size());
    text.resize(std::min(text.find("\n  hint: "), text.size()));
    Json error;
    error.set("kind", static_cast<int>(report.error->kind())).set("text", std::move(text));
    if (place.file == kPlaceFile) error.set("step", std::int64_t{place.line});
    out.set("error", std::move(error));
  }
  return codec::to_json(out);
}

Result<BuildReport> read_report(std::string_view text) {
  const Json json = TRY(codec::parse_json(text, kReportFile));
  if (json["format"].as_int() != kFormat)
    return Error::make(ErrorKind::kInvalid, "the report of the worker has an unknown form");
  BuildReport out;
  out.key = TRY(parse_sha256(json["key"].as_string()), "reading the worker's report");
  out.packages = json["packages"].as_strings();
  for (const Json& step : json["steps"].items())
    out.steps.push_back(
        {step["name"].as_string(), step["seconds"].as_double(), static_cast<int>(step["exitCode"].as_int())});
  if (const auto& owner = json["soleOwner"].items(); owner.size() == 2)
    out.sole_owner = {id_of(owner[0]), id_of(owner[1])};
  if (const Json* error = json.find("error")) {
    const std::int64_t kind = (*error)["kind"].as_int(-1);
    if (kind < 0 || kind > static_cast<int>(ErrorKind::kInternal))
      return Error::make(ErrorKind::kInvalid, "the worker's report has an error of an unknown kind");
    out.error = Error::make(static_cast<ErrorKind>(kind), "{}", (*error)["text"].as_string());
    if (const std::int64_t step = (*error)["step"].as_int(); step > 0 && step < 1'000'000)
      out.error = std::move(*out.error).at({std::string(kPlaceFile), static_cast<int>(step), 0});
  }
  return out;
}

Error localized(const Error& error, const Definition& definition) {
  std::string text = error.render();
  const std::string shown = fmt::format("{}:{}: ", error.place().file, error.place().line);
  if (text.starts_with(shown)) text.erase(0, shown.size());
  // What uses the step is said from here: the worker knows no places.
  if (error.place().file == kPlaceFile) text.resize(std::min(text.find("\n  while "), text.size()));
  Error out = Error::make(error.kind(), "{}", text);
  if (error.place().file != kPlaceFile) return out;
  Definition numbered = definition;
  int number = 0;
  number_steps(numbered.pipeline, number);
  for (definition::Subpackage& sub : numbered.subpackages) number_steps(sub.pipeline, number);
  const auto runs = list_steps(definition), same = list_steps(numbered);
  if (!runs || !same) return out;
  for (std::size_t i = 0; i < same->runs.size(); ++i) {
    if (same->runs[i].place.line != error.place().line) continue;
    out = std::move(out).at(runs->runs[i].place);
    for (const std::string& use : runs->runs[i].used_by) out = std::move(out).while_doing("{}", use);
    break;
  }
  return out;
}

}  // namespace nacre::build
