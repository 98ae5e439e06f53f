#include "cli/workshop.h"

#include "attest/provenance.h"
#include "attest/sbom.h"
#include "base/events.h"
#include "base/lines.h"
#include "base/text.h"
#include "cli/build_engine.h"
#include "cli/cut_off.h"
#include "cli/evidence.h"
#include "cli/kept.h"
#include "cli/offers.h"
#include "cli/parallel.h"
#include "cli/stage0.h"
#include "codec/archive.h"
#include "codec/digest.h"
#include "definition/load.h"
#include "os/clock.h"
#include "package/abi.h"
#include "package/use.h"
#include "store/store.h"

#include <algorithm>
#include <cstdlib>

namespace nacre::cli {

const std::vector<std::string> kAlwaysInBuildRoot = {"glibc", "glibc-dev"};

namespace {

/// For packages without sources: 2026-01-01.
constexpr std::int64_t kNoSourceDate = 1767225600;

attest::Builder builder_of(const Session& session, Edition edition) {
  attest::Builder builder;
  builder.id = session.builder_id;
  builder.version = std::string(program_version());
  builder.edition = edition;
  return builder;
}

/// Commit that last touched a definition, for provenance; "unknown" outside git.
std::string commit_of(Workshop& shop, const std::string& file) {
  os::Command command;
  command.inherit_env = true;
  command.argv = {"git", "-C", shop.os.folder.string(), "log", "-1", "--format=%H", "--", file};
  const auto result = shop.env().processes.run(command, shop.env().stop);
  const std::string text = result && result->ok() ? std::string(trim(result->out)) : std::string();
  return text.empty() ? "unknown" : text;
}

/// As provenance says it: within the distribution, or the name alone of a file elsewhere.
std::string root_relative(const Workshop& shop, const std::string& file) {
  const Path path(file), inside = path.lexically_relative(shop.os.folder);
  return inside.empty() || *inside.begin() == ".." ? path.filename().string() : "os/" + inside.string();
}

Result<std::vector<package::Extra>> sboms_of(const build::BuildRequest& request, const build::BuiltTree& built) {
  std::vector<package::Extra> out;
  const definition::Definition& definition = *request.definition;
  attest::SbomOptions options;
  options.license_texts = TRY(attest::license_texts(definition, built.workspace));
  for (const std::string& name : built.packages) {
    const codec::Json sbom =
        attest::package_sbom(definition, name, request.arch, request.sources, "", request.source_date_epoch, options);
    out.push_back({name, attest::package_sbom_path(name, definition.full_version()),
                   codec::to_pretty_json(sbom, 2, codec::EscapeHtml::kYes)});
  }
  return out;
}

/// Whether a build or test (`use`) has network, by the policy of this run.
Result<bool> network_of(const Workshop& shop, const definition::Definition& definition, std::string_view use) {
  build::NetworkPolicy policy = shop.network;
  if (policy == build::NetworkPolicy::kAlways && shop.network_always_for &&
      !shop.network_always_for->contains(definition.name))
    policy = build::NetworkPolicy::kAsked;
  return build::grant_network(policy, definition, use);
}

/// Where package managers keep what they download. The distribution's definitions share one, those given as files
/// another: whoever writes there decides what the next one reads.
Path cache_dir_of(const Workshop& shop, const std::string& definition) {
  if (!shop.cache_dir.empty()) return shop.cache_dir;
  const bool foreign = shop.from_files.contains(definition);
  return shop.session.home / "cache" / (foreign ? "files" : name_of(Edition::kCommunity));
}

/// Whether the hardening gate does not stop this definition's packages.
bool only_warns(const Workshop& shop, const std::string& definition) {
  return shop.gates_warn && shop.from_files.contains(definition);
}

struct Assembled {
  std::vector<apk::PackageFile> files;
  std::vector<package::Extra> sboms;
};

Result<Assembled> assemble(Workshop& shop, const build::BuildRequest& request, const build::BuiltTree& built,
                           Edition edition, const Path& out_dir) {
  package::PackageRequest packages;
  packages.definition = request.definition;
  packages.arch = request.arch;
  packages.built = &built;
  packages.extras = TRY(sboms_of(request, built));
  packages.source_date_epoch = request.source_date_epoch;
  packages.signer = index::segment_signer(shop.session.signer, edition);
  packages.out_dir = out_dir;
  packages.forbidden = request.secrets;
  std::vector<Path> root_trees;
  for (const build::RootPackage& root : request.root) root_trees.push_back(root.tree);
  packages.accounts = package::Accounts::of(root_trees, request.definition->environment);
  if (only_warns(shop, request.definition->name)) packages.gates = package::Gates::kWarn;
  Assembled out;
  out.files = TRY(package::make_packages(packages, shop.env()));
  out.sboms = std::move(packages.extras);
  return out;
}

/// Says in a build's provenance where its steps ran (docs/formats/provenance/package-v1.md).
void add_engine(codec::Json& predicate, const codec::Json& engine) {
  codec::Json definition = predicate["buildDefinition"];
  codec::Json internal = definition["internalParameters"];
  predicate.set("buildDefinition", definition.set("internalParameters", internal.set("engine", engine)));
}

/// Takes .apk files into the store, each with its SBOM and signed provenance.
Result<std::vector<index::SerialPackage>> attest_packages(Workshop& shop, const build::BuildRequest& request,
                                                          const build::BuiltTree& built, const Assembled& assembled,
                                                          const Sha256& key, Edition edition,
                                                          const codec::Json& engine = {}) {
  Env& env = shop.env();
  const definition::Definition& definition = *request.definition;
  const Sha256 definition_digest = codec::sha256(definition.yaml->source);
  codec::Json predicate =
      attest::build_provenance(request, built, root_relative(shop, definition.file), definition_digest,
                               commit_of(shop, definition.file), builder_of(shop.session, edition));
  if (!engine.is_null()) add_engine(predicate, engine);
  std::vector<index::SerialPackage> out;
  for (const apk::PackageFile& file : assembled.files) {
    index::SerialPackage package;
    package.record = file.record();
    package.action_key = key;
    package.apk = TRY(env.store.put_file(file.path, store::Store::Take::kMove));
    for (const package::Extra& extra : assembled.sboms)
      if (extra.package == file.info.name) package.sbom = TRY(env.store.put_bytes(extra.content));
    const std::string name = fmt::format("{}-{}.apk", file.info.name, file.info.version);
    const codec::Json statement = attest::statement({{name, package.apk}}, attest::kProvenanceType, predicate);
    package.provenance = TRY(attest::sign_statement(statement, edition, shop.session.signer, env.store));
    out.push_back(std::move(package));
  }
  std::sort(out.begin(), out.end(),
            [](const index::SerialPackage& a, const index::SerialPackage& b) { return a.record.name < b.record.name; });
  return out;
}

/// The package of that name; nullptr.
const index::SerialPackage* find_in(const std::vector<index::SerialPackage>& packages, std::string_view name) {
  for (const index::SerialPackage& package : packages)
    if (package.record.name == name) return &package;
  return nullptr;
}

BuildRecord make_record(const build::BuildRequest& request, const build::BuiltTree& built, const Sha256& key) {
  BuildRecord record;
  record.definition = request.definition->name;
  record.version = request.definition->full_version();
  record.action_key = key;
  record.definition_digest = codec::sha256(request.definition->yaml->source);
  record.log = built.log;
  record.from.recipe = plan::recipe_digest(*request.definition);
  for (const build::FetchedSource& source : request.sources) record.from.sources.insert(source.expected);
  for (const build::RootPackage& package : request.root) record.from.root[package.name] = package.content.hex();
  for (const build::RootPackage& package : request.root)
    record.pinned_root.push_back({package.name, package.version, package.edition, package.content});
  record.seconds = static_cast<double>(built.finished - built.started);
  record.finished = built.finished;
  return record;
}

/// Symbols of each package, for keys of those that link with them.
Result<std::map<std::string, BuildRecord::Abi>> keep_abi(const build::BuiltTree& built, Env& env) {
  std::map<std::string, BuildRecord::Abi> out;
  for (const std::string& name : built.packages) {
    const package::PackageTree tree = TRY(package::PackageTree::walk(built.output / name));
    const package::PackageAbi abi = TRY(package::read_abi(tree), "listing the symbols of '{}'", name);
    const Sha256 symbols = TRY(env.store.put_bytes(codec::to_json(package::abi_to_json(abi))));
    out[name] = {abi.digest, symbols};
  }
  return out;
}

/// What the build may have taken from its root, by all that its tree holds. Nothing where not all of that is here: with
/// an engine, with network.
Result<std::optional<Sha256>> keep_use(const build::BuildRequest& request, const BuildEngine::Built& ran, Env& env) {
  std::optional<Sha256> none;
  if (!ran.evidence.is_null() || request.network) return none;
  std::vector<Path> trees = {ran.tree.workspace, request.work / "upper", request.work / "tmp"}, roots;
  for (const build::RootPackage& package : request.root) roots.push_back(package.tree);
  const Result<package::Use> use = package::read_use(trees, roots, ran.tree.read_mark);
  if (!use) {
    Task(env.events, fmt::format("list what {} uses", request.definition->name)).finish(use.error().render());
    return none;
  }
  const Sha256 blob = TRY(env.store.put_bytes(package::use_to_bytes(*use)));
  return std::optional<Sha256>(blob);
}

bool same_packages(const BuildRecord& a, const BuildRecord& b) {
  if (a.packages.size() != b.packages.size()) return false;
  for (std::size_t i = 0; i < a.packages.size(); ++i)
    if (a.packages[i].apk != b.packages[i].apk) return false;
  return true;
}

void put_on_shelf(Workshop& shop, const BuildRecord& record) {
  for (const index::SerialPackage& package : record.packages) shop.shelf.add(Edition::kCommunity, package);
}

/// Builds in a fresh directory; kept on failure, for `nacre shell --failed`.
struct Workplace {
  Path path;
  bool keep = true;
  ~Workplace() {
    if (!keep) (void)os::remove_tree(path);
  }
};

constexpr double kForEver = 1e18;

/// Lets a build keep and use the states between its steps. Second builds, which are there to compare, do neither.
Result<> keep_steps(Workshop& shop, build::BuildRequest& request, Force force) {
  if (shop.step_cache_bytes == 0) return {};
  request.step_cache = build::step_cache_dir(shop.env());
  request.step_cache_bytes = shop.step_cache_bytes;
  const auto from = shop.first_step.find(request.definition->name);
  if (from != shop.first_step.end()) request.first_step = TRY(build::find_step(*request.definition, from->second));
  else if (force == Force::kYes) request.first_step = 1;
  return {};
}

/// The steps, here or where the engine is; beside them what provenance says of that.
Result<BuildEngine::Built> run_steps(Workshop& shop, const build::BuildRequest& request, Force force) {
  BuildEngine::Built out;
  if (shop.engine != nullptr) {
    const std::optional<std::string> why = BuildEngine::stays_here(request);
    if (!why) return shop.engine->run(request, force == Force::kYes ? engine::Lookup::kRun : engine::Lookup::kCached);
    Task(shop.env().events, fmt::format("build {} here", request.definition->name)).finish(*why);
  }
  out.tree = TRY(build::run_build(request, shop.session.sandbox, shop.env()));
  return out;
}

Result<BuildRecord> build_now(Workshop& shop, build::BuildRequest request, const Sha256& key, Force force,
                              const store::Lease& lease) {
  Env& env = shop.env();
  Workplace work{env.store.work_dir() / fmt::format("build-{}", request.definition->name)};
  TRY(os::remove_tree(work.path));
  request.work = work.path;
  const BuildEngine::Built ran = TRY(run_steps(shop, request, force));
  const build::BuiltTree& built = ran.tree;
  const Assembled assembled = TRY(assemble(shop, request, built, Edition::kCommunity, work.path / "packages"));
  BuildRecord record = make_record(request, built, key);
  record.from.side_files = TRY(build::side_files_digest(request.source_dir));
  record.from.abis = TRY(abis_of(shop, request.root));
  record.packages = TRY(attest_packages(shop, request, built, assembled, key, Edition::kCommunity, ran.evidence));
  record.abi = TRY(keep_abi(built, env));
  record.use = TRY(keep_use(request, ran, env));
  TRY(lease.check(), "keeping the build of '{}'", record.definition);
  TRY(keep_build(env, record));
  work.keep = false;
  return record;
}

std::string unsigned_part(const Path& file, const apk::PackageFile& package) {
  const auto bytes = os::read_file(file, std::uint64_t{4} << 30);
  return bytes ? bytes->substr(package.control.offset) : std::string();
}

/// A build beside the one that is on record.
struct SecondBuild {
  build::BuiltTree built;
  Assembled assembled;
  std::vector<std::string> differences;  ///< From the record, outside of signatures; by package.
};

/// Builds in another place and at another time than the first build had.
Result<SecondBuild> build_again(Workshop& shop, build::BuildRequest& request, const BuildRecord& record,
                                Edition edition, const Path& place) {
  Env& env = shop.env();
  request.work = place / "work";
  request.grant.caches = place / "cache";  // nothing that the first build left
  request.grant.earlier_caches = false;
  SecondBuild out;
  out.built = TRY(build::run_build(request, shop.session.sandbox, env));
  out.assembled = TRY(assemble(shop, request, out.built, edition, place / "apk"));
  if (out.assembled.files.size() != record.packages.size())
    out.differences.push_back(
        fmt::format("{} packages instead of {}", out.assembled.files.size(), record.packages.size()));
  for (const apk::PackageFile& file : out.assembled.files) {
    const index::SerialPackage* before = find_in(record.packages, file.info.name);
    if (before == nullptr) {
      out.differences.push_back(fmt::format("{}: was not made the first time", file.info.name));
      continue;
    }
    const Path first = TRY(env.store.local(before->apk));
    const apk::PackageFile old = TRY(apk::read_package_header(first));
    if (unsigned_part(first, old) != unsigned_part(file.path, file))
      out.differences.push_back(
          fmt::format("{}: data {} instead of {}", old.info.name, file.info.data_hash, old.info.data_hash));
  }
  return out;
}

/// Builds what was cut off all the same. Another result is an alarm: the cut-off rests on a wrong belief.
Result<> confirm(Workshop& shop, build::BuildRequest request, const BuildRecord& before, const CutOff& cut) {
  Task task(shop.env().events, fmt::format("build {} to confirm that it was cut off rightly", before.definition));
  os::TempDir place = TRY(os::TempDir::create(shop.env().store.work_dir(), "second-build-of-"));
  const SecondBuild second = TRY(build_again(shop, request, before, Edition::kCommunity, place.path()));
  if (!second.differences.empty())
    return Error::make(ErrorKind::kConflict,
                       "{} was cut off wrongly ({}): built all the same it gives other bytes:\n  {}", before.definition,
                       join(cut.reasons, "; "), join(second.differences, "\n  "))
        .hint(fmt::format(
            "`nacre build --force {}` puts it right; what it takes from its root is more than its definition "
            "says",
            before.definition));
  task.finish("the same bytes");
  return {};
}

/// What a test declares, and the layout. Debian's programs find their libraries only through the loader's cache.
Result<std::vector<build::RootPackage>> test_root(Workshop& shop, std::vector<std::string> atoms) {
  std::vector<build::RootPackage> root = TRY(shop.shelf.root_for({atoms, {}}, {"nacre-baselayout"}, true));
  const bool mixed = std::any_of(root.begin(), root.end(), [](const build::RootPackage& package) {
    return package.edition == name_of(Edition::kStage0);
  });
  if (!mixed) return root;
  std::vector<std::string> always = {"nacre-baselayout", "ldconfig"};
  for (const build::RootPackage& package : root)
    if (std::find(kAlwaysInBuildRoot.begin(), kAlwaysInBuildRoot.end(), package.name) != kAlwaysInBuildRoot.end())
      always.push_back(package.name);
  return shop.shelf.root_for({atoms, {}}, always, true);
}

}  // namespace

Result<std::int64_t> source_date(const std::vector<build::FetchedSource>& sources, Env& env) {
  std::int64_t newest = 0;
  for (const build::FetchedSource& source : sources) {
    const auto known = TRY(env.store.state().get("source-date", source.sha256.hex()));
    std::int64_t date = 0;
    if (known) {
      date = std::strtoll(known->c_str(), nullptr, 10);
    } else {
      codec::TarReader::Visitor visitor;
      visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
        date = std::max(date, header.mtime);
        return {};
      };
      visitor.on_data = [](std::string_view) -> Result<> { return {}; };
      // A source that is no archive has no date of its own.
      const Path archive = TRY(env.store.local(source.sha256));
      if (!codec::read_archive(archive, visitor)) date = 0;
      TRY(env.store.state().put("source-date", source.sha256.hex(), std::to_string(date)));
    }
    newest = std::max(newest, date);
  }
  return newest > 0 ? newest : kNoSourceDate;
}

Result<store::Lease> wait_for_lease(std::string_view name, Env& env) {
  std::optional<Task> waiting;
  while (true) {
    Result<store::Lease> lease = env.store.lease(name, os::FileLock::Wait::kNo, store::Store::Reach::kEveryone);
    if (lease || lease.error().kind() != ErrorKind::kConflict) {
      if (waiting) waiting->finish();
      return lease;
    }
    if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (!waiting) waiting.emplace(env.events, "wait, for " + first_line(lease.error().render()));
    env.clock.sleep(0.1);
  }
}

namespace {

Result<> check_asked(const Distribution& os, const std::vector<std::string>& asked) {
  for (const std::string& word : asked) {
    if (os.maker_of(word) != nullptr) continue;
    if (!word.ends_with(".yaml")) return no_definition(os, word);
    if (!os::exists(word))
      return Error::make(ErrorKind::kNotFound, "cannot open '{}': no such file or directory", word);
  }
  return {};
}

}  // namespace

Result<Workshop> open_workshop(Session& session, const Arch& arch, const std::vector<std::string>& asked) {
  store::Lease in_use = TRY(hold_off_gc(session.env));
  Distribution os = TRY(load_distribution(session.os_dir, arch));
  TRY(check_asked(os, asked));
  for (const Edition edition : {Edition::kStage0, Edition::kCommunity})
    TRY(check_edition_keys(session, edition));
  index::Serial stage0 = TRY(ensure_stage0(session, arch));
  Workshop shop{.session = session,
                .os = std::move(os),
                .shelf = Shelf(session.env),
                .stage0 = std::move(stage0),
                .places = build::places_of_machine(),
                .in_use = std::make_unique<store::Lease>(std::move(in_use))};
  shop.offers = std::make_shared<Offers>();
  for (const index::SerialPackage& package : shop.stage0.packages) shop.shelf.add(Edition::kStage0, package);
  if (const char* policy = std::getenv("NACRE_NETWORK"))
    shop.network = TRY(build::parse_network_policy(policy), "reading NACRE_NETWORK");
  shop.grant = TRY(build::network_grant_of_machine());
  shop.secrets = TRY(build::secrets_of_machine());
  if (const char* where = std::getenv("NACRE_ENGINE"); where != nullptr && *where != '\0')
    shop.engine = TRY(BuildEngine::open(where, session));
  if (const char* size = std::getenv("NACRE_STEP_CACHE")) {
    double bytes = 0;
    if (std::string_view(size) != "0") bytes = TRY(build::parse_quantity(size), "reading NACRE_STEP_CACHE");
    shop.step_cache_bytes = static_cast<std::uint64_t>(bytes);
  }
  return shop;
}

Result<build::BuildRequest> prepare_build(Workshop& shop, const definition::Definition& definition,
                                          bool from_stage0_alone) {
  TRY(package::check_disabled_names(definition));
  build::BuildRequest request;
  request.definition = &definition;
  request.arch = shop.os.arch;
  request.secrets = shop.secrets;
  request.network = TRY(network_of(shop, definition, "build"));
  if (request.network) {
    request.grant = shop.grant;
    const bool asked = TRY(build::asks_for_network(definition, "build"));
    if (asked) request.grant.asked_by = "definition";
    request.grant.caches = cache_dir_of(shop, definition.name);
  }
  request.sources = TRY(build::fetch_sources(definition, shop.os.sources, shop.places, shop.env()));
  const auto seen = shop.seen.find(definition.name);
  const solve::World asked{definition.environment.packages, definition::places_of_packages(definition)};
  request.root = TRY(shop.shelf.root_for(asked, kAlwaysInBuildRoot, !from_stage0_alone,
                                         seen == shop.seen.end() ? nullptr : &seen->second),
                     "choosing the build root of '{}'", definition.name);
  const Path side_files = side_dir_of(definition);
  if (os::exists(side_files)) request.source_dir = side_files;
  request.source_date_epoch = TRY(source_date(request.sources, shop.env()));
  return request;
}

Result<Sha256> package_key(const build::BuildRequest& request) {
  const Sha256 action = TRY(build::action_key(request));
  const codec::Json says = package::embedded_definition(*request.definition);
  return codec::sha256(
      fmt::format("package {} {}\n{}", package::kPackagerVersion, action.hex(), codec::to_canonical_json(says)));
}

const definition::Definition* find_definition(Workshop& shop, std::string_view name) {
  const std::lock_guard lock(*shop.definitions);
  return shop.os.find(name);
}

Result<BuildOutcome> build_definition(Workshop& shop, const plan::PlannedStep& step, Force force) {
  Env& env = shop.env();
  const definition::Definition& definition = *find_definition(shop, step.name);
  const store::Lease lease = TRY(wait_for_lease("build/" + step.name, env));
  build::BuildRequest request = TRY(prepare_build(shop, definition, step.from_stage0_alone));
  Sha256 key = TRY(package_key(request));
  if (only_warns(shop, step.name)) key = codec::sha256("gates warn\n" + key.hex());
  const std::optional<BuildRecord> before = TRY(latest_build(env, step.name));
  BuildOutcome out;
  out.why = step.why;
  const std::optional<BuildRecord> known = TRY(find_build(env, key));
  if (known && force == Force::kNo) {
    TRY(choose_build(env, step.name, key));
    out.record = *known;
    put_on_shelf(shop, out.record);
    return out;
  }
  std::string taken;
  if (before && force == Force::kNo) {
    CutOffAnswer answer = TRY(cut_off(shop, request, *before));
    taken = std::move(answer.taken);
    if (const std::optional<CutOff>& cut = answer.cut) {
      const bool postponed = cut->postponed_until > 0;  // may well give other bytes: nothing to confirm
      if (!postponed && shop.confirmations->fetch_sub(1) > 0) TRY(confirm(shop, std::move(request), *before, *cut));
      TRY(keep_cut_off(env, *cut));
      out.record = *before;
      out.made = postponed ? Made::kPostponed : Made::kCutOff;
      out.why = cut->reasons;
      if (postponed) out.why.push_back("put off until " + os::rfc3339(cut->postponed_until));
      put_on_shelf(shop, out.record);
      return out;
    }
  }
  Task task(env.events, fmt::format("build {} {}", definition.name, definition.full_version()));
  TRY(keep_steps(shop, request, force));
  out.record = TRY(build_now(shop, std::move(request), key, force, lease));
  out.made = before && same_packages(*before, out.record) ? Made::kSame : Made::kBuilt;
  if (shop.step_cache_bytes > 0) TRY(build::trim_step_cache(shop.step_cache_bytes, kForEver, env));
  put_on_shelf(shop, out.record);
  if (before) out.why = settled_reasons(std::move(out.why), *before, out.record);
  if (!taken.empty()) out.why.push_back(std::move(taken));
  task.finish(
      fmt::format("{} packages{}", out.record.packages.size(), out.made == Made::kSame ? ", all as they were" : ""));
  return out;
}

Result<int> shell_at(Workshop& shop, const plan::PlannedStep& planned, const std::string& step) {
  Env& env = shop.env();
  const definition::Definition& definition = *shop.os.find(planned.name);
  const std::size_t number = TRY(build::find_step(definition, step));
  const store::Lease lease = TRY(wait_for_lease("build/" + planned.name, env));
  build::BuildRequest request = TRY(prepare_build(shop, definition, planned.from_stage0_alone));
  TRY(keep_steps(shop, request, Force::kNo));
  Workplace work{env.store.work_dir() / fmt::format("build-{}", planned.name)};
  TRY(os::remove_tree(work.path));
  request.work = work.path;
  const int code = TRY(build::shell_at(request, number, shop.session.sandbox, env));
  work.keep = false;
  return code;
}

Result<std::vector<index::SerialPackage>> reproduce(Workshop& shop, const BuildRecord& record, bool from_stage0_alone,
                                                    Edition edition) {
  Env& env = shop.env();
  const definition::Definition* definition = shop.os.find(record.definition);
  if (definition == nullptr || definition->full_version() != record.version)
    return Error::make(ErrorKind::kConflict, "the definition of '{}' is no longer at {}", record.definition,
                       record.version)
        .hint("run `nacre up` first, so that the published build and the definition agree");
  build::BuildRequest request = TRY(prepare_build(shop, *definition, from_stage0_alone));
  Sha256 key = TRY(package_key(request));
  if (const std::optional<CutOff> cut = TRY(kept_cut_off(env, record)); key != record.action_key && cut) {
    request.root = TRY(root_of(shop, record));
    key = TRY(package_key(request));
  }
  if (key != record.action_key)
    return Error::make(ErrorKind::kConflict, "the inputs of '{}' changed since it was built", record.definition)
        .hint("run `nacre up` first");
  Task task(env.events, fmt::format("build {} a second time", record.definition));
  os::TempDir place = TRY(os::TempDir::create(env.store.work_dir(), "second-build-of-"));
  const SecondBuild second = TRY(build_again(shop, request, record, edition, place.path()));
  if (!second.differences.empty())
    return Error::make(ErrorKind::kConflict, "a second build of '{}' gave other bytes:\n  {}", record.definition,
                       join(second.differences, "\n  "))
        .hint(request.network ? "it has network, and what it fetches there may change: name its sources by digest, or "
                                "pin what package managers bring"
                              : "`nacre log` of both builds may say what depends on time or place");
  std::vector<index::SerialPackage> out =
      TRY(attest_packages(shop, request, second.built, second.assembled, key, edition));
  task.finish("the same bytes");
  return out;
}

Result<TestCount> test_definition(Workshop& shop, const definition::Definition& definition) {
  Env& env = shop.env();
  TestCount count;
  const auto run = [&](const std::string& package, const definition::Test& test) -> Result<> {
    if (test.pipeline.empty()) return {};
    build::TestRequest request;
    request.definition = &definition;
    request.package = package;
    request.test = &test;
    request.arch = shop.os.arch;
    std::vector<std::string> atoms = test.environment.packages;
    atoms.push_back(package);
    atoms.insert(atoms.end(), shop.test_with.begin(), shop.test_with.end());
    request.root = TRY(test_root(shop, atoms), "choosing the test root of '{}'", package);
    const Path side_files = side_dir_of(definition);
    if (os::exists(side_files)) request.source_dir = side_files;
    request.source_date_epoch = kNoSourceDate;
    request.network = TRY(network_of(shop, definition, "test"));
    if (request.network) request.grant = shop.grant;
    request.secrets = shop.secrets;
    const Sha256 key = TRY(build::test_key(request));
    if (TRY(env.store.state().get("tested", key.hex()))) {
      ++count.known;
      return {};
    }
    const store::Lease lease = TRY(wait_for_lease("test/" + package, env));
    if (TRY(env.store.state().get("tested", key.hex()))) {  // by who held the lease before
      ++count.known;
      return {};
    }
    Task task(env.events, "test " + package);
    Workplace work{env.store.work_dir() / ("test-" + package)};
    TRY(os::remove_tree(work.path));
    request.work = work.path;
    TRY(build::run_test(request, shop.session.sandbox, env));
    work.keep = false;
    TRY(env.store.state().put("tested", key.hex(), package));
    ++count.ran;
    task.finish("passed");
    return {};
  };
  TRY(run(definition.name, definition.test));
  for (const definition::Subpackage& sub : definition.subpackages) TRY(run(sub.name, sub.test));
  return count;
}

Result<plan::Plan> plan_builds(Workshop& shop, const std::vector<std::string>& only) {
  plan::PlanInput input;
  const std::int64_t now = shop.env().clock.now_seconds();
  input.definitions = shop.os.definitions;
  input.always = kAlwaysInBuildRoot;
  input.only = only;
  for (const index::SerialPackage& package : shop.stage0.packages)
    input.contents[package.record.name] = input.stage0[package.record.name] = package.apk.hex();
  for (const definition::Definition& definition : shop.os.definitions) {
    const std::optional<BuildRecord> record = TRY(latest_build(shop.env(), definition.name));
    if (!record) continue;
    input.side_files[definition.name] = TRY(build::side_files_digest(side_dir_of(definition)));
    input.built[definition.name] = record->from;
    // What a cut-off looked at is no reason to look again, unless it was put off and its time has come.
    const std::optional<CutOff> cut = TRY(kept_cut_off(shop.env(), *record));
    const bool due = cut && cut->postponed_until > 0 && (shop.postponed_too || cut->postponed_until <= now);
    if (cut && !due) input.built[definition.name].root = cut->root;
    for (const index::SerialPackage& package : record->packages)
      input.contents[package.record.name] = package.apk.hex();
  }
  plan::Plan plan = TRY(plan::make_plan(input));
  shop.seen = seen_by_each(plan);
  return plan;
}

}  // namespace nacre::cli
