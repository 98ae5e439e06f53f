#include "definition/definition.h"

#include "definition/compile.h"
#include "definition/compiled_json.h"
#include "definition/condition.h"
#include "definition/parse.h"

#include <algorithm>
#include <set>

namespace nacre::definition {
namespace {

constexpr std::string_view kHome = "/home/build";

/// Caches that builds of each ecosystem share, and a home; the definition's own values win.
constexpr std::pair<std::string_view, std::string_view> kVariables[] = {
    {"HOME", "/home/build"},
    {"GOPATH", "/home/build/.cache/go"},
    {"GOMODCACHE", "/var/cache/melange/gomodcache"},
    {"UV_CACHE_DIR", "/var/cache/melange/uv"},
    {"PIP_CACHE_DIR", "/var/cache/melange/pip"},
    {"COMPOSER_CACHE_DIR", "/var/cache/melange/composer"},
    {"npm_config_cache", "/var/cache/melange/npm"},
};

/// One definition on its way from the first phase to the compiled form.
class Reading {
 public:
  Reading(const codec::YamlTree& tree, PipelineSource& pipelines, const CompileOptions& options)
      : tree_(tree), options_(options), compiler_(pipelines) {}

  Result<Definition> run() {
    first_ = TRY(run_first_phase(tree_, options_));
    WrittenDefinition written;
    TRY(read_mapping(Value{&tree_, &first_.root}, nullptr, written));
    if (!written.package)
      return Error::make(ErrorKind::kInvalid, "no 'package' in this definition")
          .at(Place{tree_.file, 0, 0})
          .hint("it begins with package: and its name:, version: and epoch:; `nacre init` writes a first one");
    build_options_ = std::move(written.options);
    TRY(make_scope(*written.package, written.subpackages));
    TRY(read_mapping(*written.package, &scope_, out_));
    TRY(parse_environment(written.environment, scope_, BuildAccount::kYes, out_.environment));
    finish_environment();
    out_.capabilities_add = std::move(written.capabilities.add);
    out_.capabilities_drop = std::move(written.capabilities.drop);
    if (!written.update.empty()) out_.update = std::move(written.update.front());
    out_.update.present = !written.update.empty();

    std::vector<std::string> needs;
    out_.pipeline =
        TRY(compiler_.steps(written.pipeline, scope_, needs), "compiling package '{}'", out_.name);
    TRY(read_subpackages(written.subpackages, needs));
    add_needs(needs);
    out_.has_test = written.test.has_value();
    TRY(read_test(written.test, out_.name, scope_, BuildAccount::kYes, out_.test));
    out_.sources = find_sources(out_);
    out_.compiled = compiled_json(out_);
    return std::move(out_);
  }

 private:
  bool is_enabled(const std::string& option) const {
    const auto& names = options_.enabled_options;
    return std::find(names.begin(), names.end(), option) != names.end();
  }

  /// Variables as the options that are on leave them: transforms see their values too.
  Result<> set_variables() {
    CompileOptions changed = options_;
    bool any = false;
    for (const auto& [name, option] : build_options_) {
      if (!is_enabled(name)) continue;
      any = true;
      for (const auto& [variable, value] : option.vars) set_pair(changed.vars, variable, value);
    }
    if (any) first_.names = TRY(first_names(tree_, changed));
    for (const auto& [name, value] : first_.names)
      if (name.starts_with("vars.")) scope_.set(name, value);
    return {};
  }

  /// Names of the second phase that are the same for the package and its subpackages.
  Result<> make_scope(const Value& package, const std::optional<Value>& subpackages) {
    TRY(set_variables());
    for (const auto& [name, option] : build_options_) scope_.set("options." + name + ".enabled", "false");
    for (const std::string& name : options_.enabled_options) scope_.set("options." + name + ".enabled", "true");
    const auto text = [&](std::string_view key) {
      const codec::YamlNode* node = package.node->find(key);
      return node && node->kind == codec::YamlKind::kScalar ? node->text : std::string();
    };
    const std::string name = text("name"), version = text("version");
    const std::string epoch = text("epoch").empty() ? "0" : text("epoch");
    scope_.set("package.name", name);
    scope_.set("package.version", version);
    scope_.set("package.epoch", epoch);
    scope_.set("package.full-version", version + "-r" + epoch);
    scope_.set("package.srcdir", std::string(kHome));
    scope_.set("targets.outdir", out_dir());
    scope_.set("targets.destdir", out_dir(name));
    scope_.set("targets.contextdir", out_dir(name));
    scope_.set("context.name", name);
    scope_.set("targets.package." + name, out_dir(name));
    set_architecture();
    if (!subpackages || subpackages->node->kind != codec::YamlKind::kSequence) return {};
    for (const codec::YamlNode& item : subpackages->node->items)
      if (const codec::YamlNode* node = item.find("name"))
        scope_.set("targets.package." + node->text, out_dir(node->text));
    return {};
  }

  static std::string out_dir(std::string_view name = {}) {
    return fmt::format("{}/melange-out{}{}", kHome, name.empty() ? "" : "/", name);
  }

  void set_architecture() {
    const Arch& arch = options_.arch;
    const auto with = [](std::string_view triplet, std::string_view libc) {
      const std::size_t at = std::min(triplet.rfind("gnu"), triplet.size());
      const std::size_t rest = std::min(at + 3, triplet.size());
      return fmt::format("{}{}{}", triplet.substr(0, at), at == rest ? "" : libc, triplet.substr(rest));
    };
    scope_.set("build.arch", std::string(arch.apk));
    scope_.set("build.goarch", std::string(arch.go));
    scope_.set("host.triplet.gnu", with(arch.gnu_triplet, options_.libc_flavor));
    scope_.set("host.triplet.rust", with(arch.rust_triplet, options_.libc_flavor));
    scope_.set("cross.triplet.gnu.glibc", std::string(arch.gnu_triplet));
    scope_.set("cross.triplet.gnu.musl", with(arch.gnu_triplet, "musl"));
    scope_.set("cross.triplet.rust.glibc", std::string(arch.rust_triplet));
    scope_.set("cross.triplet.rust.musl", with(arch.rust_triplet, "musl"));
  }

  Result<> read_subpackages(const std::optional<Value>& list, std::vector<std::string>& needs) {
    if (!list) return {};
    std::set<std::string, std::less<>> names = {out_.name};
    const std::vector<Value> items = TRY(list->list(), "reading 'subpackages'");
    for (const Value& item : items) {
      WrittenSubpackage made;
      made.place = item.place();
      const codec::YamlNode* name = item.node->find("name");
      const Value where = name ? Value{&tree_, name} : item;
      if (name && name->kind == codec::YamlKind::kScalar) made.name = name->text;
      TRY(check_package_name(made.name, where));
      if (!names.insert(made.name).second)
        return where.invalid("package '{}' is given twice", made.name);
      const bool wanted =
          TRY(read_subpackage(item, made, needs), "compiling subpackage '{}'", made.name);
      if (wanted) out_.subpackages.push_back(std::move(made));
    }
    return {};
  }

  /// False when its `if` is. Its steps are compiled all the same and their needs count, as in the
  /// reference.
  Result<bool> read_subpackage(const Value& item, WrittenSubpackage& out, std::vector<std::string>& needs) {
    Scope scope(&scope_);
    scope.set("subpkg.name", out.name);
    scope.set("context.name", out.name);
    scope.set("targets.subpkgdir", out_dir(out.name));
    scope.set("targets.contextdir", out_dir(out.name));
    TRY(read_mapping(item, &scope, out));
    out.pipeline = TRY(compiler_.steps(out.pipeline_value, scope, needs));
    out.has_test = out.test_value.has_value();
    TRY(read_test(out.test_value, out.name, scope, BuildAccount::kNo, out.test));
    if (!out.condition) return true;
    const std::string text = TRY(out.condition->text());
    const std::string made = TRY(expand(text, scope, *out.condition, Quoting::kQuoted));
    auto wanted = evaluate_condition(made);
    if (!wanted) return std::move(wanted).error().at(out.condition->place());
    return wanted;
  }

  /// The package under test is part of its test's root.
  Result<> read_test(const std::optional<Value>& value, const std::string& name, const Scope& scope,
                     BuildAccount account, Test& out) {
    if (!value) return {};
    WrittenTest written;
    TRY(read_mapping(*value, &scope, written));
    std::vector<std::string> packages;
    out.pipeline =
        TRY(compiler_.steps(written.pipeline, scope, packages), "compiling the test of '{}'", name);
    if (!out.pipeline.empty()) account = BuildAccount::kYes;
    TRY(parse_environment(written.environment, scope, account, out.environment));
    auto& all = out.environment.packages;
    all.push_back(name);
    all.insert(all.end(), packages.begin(), packages.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return {};
  }

  void add_needs(const std::vector<std::string>& needs) {
    for (const std::string& need : needs) {
      const auto met = options_.needs_met_by.find(need);
      if (met == options_.needs_met_by.end()) {
        add_unique(out_.environment.packages, need);
        continue;
      }
      for (const std::string& name : met->second) add_unique(out_.environment.packages, name);
    }
  }

  void finish_environment() {
    Environment& environment = out_.environment;
    for (const auto& [name, value] : options_.environment) {
      if (find_pair(environment.variables, name)) continue;
      environment.variables.emplace_back(name, value);
      out_.callers_variables.push_back(name);
    }
    for (const auto& [name, value] : kVariables) {
      const std::string* own = find_pair(environment.variables, name);
      if (!own || own->empty()) set_pair(environment.variables, name, std::string(value));
    }
    const auto over = [](const std::string& given, std::string& own) {
      if (!given.empty()) own = given;
    };
    over(options_.resources.cpu, out_.resources.cpu);
    over(options_.resources.cpu_model, out_.resources.cpu_model);
    over(options_.resources.memory, out_.resources.memory);
    over(options_.resources.disk, out_.resources.disk);
    std::vector<std::string> packages;
    for (std::string& name : environment.packages) add_unique(packages, name);
    for (const auto& [name, option] : build_options_) {
      if (!is_enabled(name)) continue;
      const auto& [add, remove] = option.environment.contents.packages;
      for (const std::string& package : remove) std::erase(packages, package);
      for (const std::string& package : add) add_unique(packages, package);
    }
    environment.packages = std::move(packages);
  }

  const codec::YamlTree& tree_;
  const CompileOptions& options_;
  Compiler compiler_;
  FirstPhase first_;
  Scope scope_;
  std::vector<std::pair<std::string, BuildOption>> build_options_;
  Definition out_;
};

}  // namespace

std::string Definition::full_version() const { return fmt::format("{}-r{}", version, epoch); }

Result<Definition> read_definition(std::shared_ptr<const codec::YamlTree> yaml,
                                   PipelineSource& pipelines, const CompileOptions& options) {
  Definition out = TRY(Reading(*yaml, pipelines, options).run());
  out.file = yaml->file;
  out.yaml = std::move(yaml);
  return out;
}

Place place_of(const Definition& definition, std::initializer_list<std::string_view> keys) {
  const codec::YamlNode* at = &definition.yaml->root;
  for (const std::string_view key : keys) {
    const codec::YamlNode* next = at->find(key);
    if (next == nullptr) break;
    at = next;
  }
  return definition.yaml->place(at->span);
}

std::vector<Place> places_of_packages(const Definition& definition) {
  const codec::YamlNode* at = &definition.yaml->root;
  for (const char* key : {"environment", "contents", "packages"})
    if (at != nullptr) at = at->find(key);
  std::vector<Place> out;
  for (const std::string& name : definition.environment.packages) {
    out.push_back(place_of(definition, {"pipeline"}));
    if (at == nullptr) continue;
    for (const codec::YamlNode& item : at->items)
      if (item.text == name) out.back() = definition.yaml->place(item.span);
  }
  return out;
}

std::string step_script(const Step& step, std::string_view workspace) {
  std::string directory = step.working_directory;
  if (directory.empty()) directory = workspace;
  else if (!directory.starts_with('/')) directory = fmt::format("{}/{}", workspace, directory);
  const std::string quoted = shell_quote(directory);
  std::string runs = step.runs;
  if (!runs.empty() && !runs.ends_with('\n')) runs += '\n';
  return fmt::format("set -eo pipefail\n[ -d {0} ] || mkdir -p {0}\ncd {0}\n{1}exit 0\n", quoted,
                     runs);
}

}  // namespace nacre::definition
