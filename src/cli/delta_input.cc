#include "cli/delta_input.h"

#include "cli/compile_many.h"
#include "codec/digest.h"
#include "definition/load.h"
#include "os/clock.h"
#include "os/threads.h"
#include "plan/plan.h"
#include "store/store.h"
#include "watch/defaults.h"
#include "watch/source_files.h"
#include "watch/tree_delta.h"

#include <algorithm>
#include <set>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::string_view kDefaultsKind = "delta-defaults", kDefaultsFormat = "1";
constexpr std::string_view kTreeKind = "delta-tree", kTreeFormat = "1";
constexpr std::size_t kToldProblems = 20;

using Table = std::map<std::string, std::string, std::less<>>;

Json to_json(const Table& table) {
  Json out = Json::object();
  for (const auto& [name, value] : table) out.set(name, value);
  return out;
}

void add_table(const Json& json, Table& out) {
  for (const auto& [name, value] : json.members()) out.emplace(name, value.as_string());
}

/// What one source says of its switches: from the state database, else read out of it.
Result<Json> defaults_of(const watch::SourcePart& part, const watch::StoredSource& stored, Env& env) {
  const std::string key =
      codec::sha256(fmt::format("{} {} {} {}", kDefaultsFormat, stored.blob.hex(), stored.commit, part.strip)).hex();
  if (const auto kept = TRY(env.store.state().get(kDefaultsKind, key))) return codec::parse_json(*kept, "the state");
  watch::SourceFiles files;
  TRY(watch::read_source_files(part, stored, watch::says_defaults, env, files));
  // The nearest to the top speaks first.
  std::vector<std::string> paths;
  for (const auto& [path, text] : files) paths.push_back(path);
  const auto depth = [](const std::string& path) { return std::count(path.begin(), path.end(), '/'); };
  std::stable_sort(paths.begin(), paths.end(), [&](const auto& a, const auto& b) { return depth(a) < depth(b); });
  watch::Defaults defaults;
  for (const std::string& path : paths) watch::add_defaults(path, files[path], defaults);
  Json out;
  out.set("autoconf", to_json(defaults.autoconf)).set("cmake", to_json(defaults.cmake));
  out.set("meson", to_json(defaults.meson));
  TRY(env.store.state().put(kDefaultsKind, key, codec::to_json(out)));
  return out;
}

/// A source that cannot be read leaves its switches stated.
Result<> judge(watch::Delta& delta, const definition::Definition& definition, Env& env) {
  if (delta.switches_that(watch::Switch::Verdict::kStated) == 0) return {};
  watch::Defaults defaults;
  for (const watch::SourcePart& part : watch::source_parts(definition)) {
    const auto stored = TRY(watch::stored_source(part.source, env));
    if (!stored) continue;
    const auto json = defaults_of(part, *stored, env);
    if (!json) continue;
    add_table((*json)["autoconf"], defaults.autoconf);
    add_table((*json)["cmake"], defaults.cmake);
    add_table((*json)["meson"], defaults.meson);
  }
  watch::judge_switches(delta.switches, defaults);
  return {};
}

/// Names what decides how a source is prepared.
Result<std::string> tree_key(const definition::Definition& definition) {
  const std::string side_files = TRY(build::side_files_digest(side_dir_of(definition)));
  return codec::sha256(fmt::format("{} {} {}", kTreeFormat, plan::recipe_digest(definition).hex(), side_files)).hex();
}

/// What stage 0 gives of a definition's environment; a shell and the usual tools in any case.
std::vector<std::string> given_by_stage0(const Workshop& shop, const std::vector<std::string>& packages) {
  std::set<std::string, std::less<>> given;
  for (const index::SerialPackage& package : shop.stage0.packages) {
    given.insert(package.record.name);
    for (const std::string& provide : package.record.provides)
      given.insert(provide.substr(0, provide.find_first_of("<=>~")));
  }
  std::vector<std::string> out;
  for (const std::string& atom : packages)
    if (given.contains(atom.substr(0, atom.find_first_of("<=>~@")))) out.push_back(atom);
  for (const char* name : {"build-base", "coreutils", "sed", "tar", "patch"})
    if (given.contains(std::string_view(name)) && std::find(out.begin(), out.end(), name) == out.end())
      out.push_back(name);
  return out;
}

}  // namespace

Result<std::vector<watch::Delta>> measure_distribution(Workshop& shop, const std::vector<std::string>& names) {
  const std::vector<const definition::Definition*> definitions = TRY(chosen_definitions(shop, names));
  const watch::Ages ages = watch::ages_in_git(shop.os.folder / "packages", shop.env());
  std::vector<watch::Delta> out;
  for (const definition::Definition* definition : definitions) {
    watch::Delta delta = TRY(watch::measure_definition(*definition, side_dir_of(*definition), shop.os.sources, ages));
    TRY(judge(delta, *definition, shop.env()), "reading the sources of '{}'", definition->name);
    const std::string key = TRY(tree_key(*definition));
    if (const auto kept = TRY(shop.env().store.state().get(kTreeKind, key))) {
      const Json json = TRY(codec::parse_json(*kept, "the state"));
      delta.tree = watch::tree_from_json(json);
    }
    out.push_back(std::move(delta));
  }
  return out;
}

Result<std::vector<watch::Delta>> measure_folders(const std::vector<std::string>& folders,
                                                  const std::vector<Path>& pipelines,
                                                  const definition::CompileOptions& options, Env& env) {
  const std::vector<Path> files = TRY(definition_files(folders));
  std::map<Path, watch::Ages> ages;
  for (const Path& file : files)
    if (const Path folder = file.parent_path(); !ages.contains(folder)) ages[folder] = watch::ages_in_git(folder, env);
  std::vector<watch::Delta> out(files.size());
  std::vector<std::string> problems(files.size());
  constexpr std::size_t kPerRun = 256;
  const std::size_t runs = (files.size() + kPerRun - 1) / kPerRun;
  TRY(os::for_each(runs, 0, [&](std::size_t run) -> Result<> {
    definition::PipelineFolders source(pipelines);
    for (std::size_t i = run * kPerRun; i < std::min(files.size(), (run + 1) * kPerRun); ++i) {
      const auto definition = definition::load_definition(files[i], source, options);
      if (!definition) {
        problems[i] = definition.error().render();
        continue;
      }
      auto delta = watch::measure_definition(*definition, side_dir_of(*definition), {}, ages[files[i].parent_path()]);
      if (delta) out[i] = *std::move(delta);
      else problems[i] = delta.error().render();
    }
    return {};
  }));
  std::string told;
  std::size_t count = 0;
  for (const std::string& problem : problems)
    if (!problem.empty() && ++count <= kToldProblems) told += "\n  " + problem;
  if (count != 0)
    return Error::make(ErrorKind::kInvalid, "{} of {} definitions cannot be measured:{}", count, files.size(), told);
  return out;
}

Result<watch::TreeDelta> take_tree(Workshop& shop, const definition::Definition& definition) {
  Env& env = shop.env();
  const std::string key = TRY(tree_key(definition));
  build::BuildRequest request;
  request.definition = &definition;
  request.arch = shop.os.arch;
  request.sources = TRY(build::fetch_sources(definition, shop.os.sources, shop.places, env));
  request.root = TRY(shop.shelf.root_for({given_by_stage0(shop, definition.environment.packages), {}}, {}, false),
                     "choosing the root of '{}'", definition.name);
  if (const Path beside = side_dir_of(definition); os::exists(beside)) request.source_dir = beside;
  request.source_date_epoch = TRY(source_date(request.sources, env));
  const store::Lease lease = TRY(wait_for_lease("build/" + definition.name, env));
  const os::TempDir work = TRY(os::TempDir::create(env.store.work_dir(), "prepare-"));
  request.work = work.path();
  const build::PreparedTrees trees = TRY(build::prepare_trees(request, shop.session.sandbox, env));
  watch::TreeDelta out = TRY(watch::compare_prepared(trees, env));
  TRY(env.store.state().put(kTreeKind, key, codec::to_json(watch::tree_to_json(out))));
  return out;
}

Result<std::optional<std::vector<std::string>>> over_budget(Workshop& shop, const Path& rules,
                                                            const std::vector<std::string>& names) {
  if (!os::exists(rules / "delta.yaml")) return std::optional<std::vector<std::string>>();
  const watch::Budgets budgets = TRY(read_budgets(rules));
  const std::vector<watch::Delta> deltas = TRY(measure_distribution(shop, names));
  std::vector<std::string> out;
  for (const watch::Delta& delta : deltas)
    for (const std::string& words :
         watch::judge_delta(delta, budgets.of(delta.package), shop.env().clock.now_seconds()))
      out.push_back(delta.package + ": " + words);
  return std::optional(std::move(out));
}

Result<watch::Budgets> read_budgets(const Path& os_dir) {
  const Path file = os_dir / "delta.yaml";
  if (!os::exists(file)) return watch::Budgets{};
  const std::string text = TRY(os::read_file(file));
  return watch::parse_budgets(text, file.string());
}

}  // namespace nacre::cli
