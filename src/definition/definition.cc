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
    Fields fields = TRY(Fields::of({&tree_, &first_.root}, "a definition"));
    const auto package = fields.find("package");
    if (!package)
      return Error::make(ErrorKind::kInvalid, "no 'package' in this definition")
          .at(Place{tree_.file, 0, 0});
    const auto subpackages = fields.find("subpackages");
    TRY(read_build_options(fields.find("options")));
    TRY(make_scope(*package, subpackages));
    TRY(parse_package(*package, scope_, out_, extras_));
    TRY(parse_environment(fields.find("environment"), scope_, out_.environment));
    TRY(read_capabilities(fields.find("capabilities")));
    if (const auto update = fields.find("update")) TRY(parse_update(*update, out_.update));

    std::vector<std::string> needs;
    out_.pipeline = TRY(compiler_.steps(fields.find("pipeline"), scope_, needs),
                        "compiling package '{}'", out_.name);
    TRY(read_subpackages(subpackages, needs));
    for (const std::string& need : needs) {
      const auto met = options_.needs_met_by.find(need);
      if (met == options_.needs_met_by.end()) {
        add_unique(out_.environment.packages, need);
        continue;
      }
      for (const std::string& name : met->second) add_unique(out_.environment.packages, name);
    }
    finish_environment();
    const auto test = fields.find("test");
    out_.has_test = test.has_value();
    TRY(read_test(test, out_.name, scope_, out_.test));
    fields.skip({"vars", "var-transforms", "data"});
    TRY(fields.done());
    out_.sources = find_sources(out_);
    out_.compiled = compiled_json(out_, extras_);
    return std::move(out_);
  }

 private:
  Result<> read_build_options(const std::optional<Value>& value) {
    if (!value) return {};
    build_options_ = TRY(parse_build_options(*value));
    return {};
  }

  bool is_enabled(const BuildOption& option) const {
    const auto& names = options_.enabled_options;
    return std::find(names.begin(), names.end(), option.name) != names.end();
  }

  /// Names of the second phase that are the same for the package and its subpackages.
  Result<> make_scope(const Value& package, const std::optional<Value>& subpackages) {
    for (const auto& [name, value] : first_.names)
      if (name.starts_with("vars.")) scope_.set(name, value);
    for (const BuildOption& option : build_options_) {
      scope_.set("options." + option.name + ".enabled", is_enabled(option) ? "true" : "false");
      if (!is_enabled(option)) continue;
      for (const auto& [name, value] : option.vars) scope_.set("vars." + name, value);
    }
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
    const auto musl = [](std::string_view triplet) {
      const std::size_t libc = triplet.rfind("gnu");
      return libc == std::string_view::npos
                 ? std::string(triplet)
                 : fmt::format("{}musl{}", triplet.substr(0, libc), triplet.substr(libc + 3));
    };
    scope_.set("build.arch", std::string(arch.apk));
    scope_.set("build.goarch", std::string(arch.go));
    scope_.set("host.triplet.gnu", std::string(arch.gnu_triplet));
    scope_.set("host.triplet.rust", std::string(arch.rust_triplet));
    scope_.set("cross.triplet.gnu.glibc", std::string(arch.gnu_triplet));
    scope_.set("cross.triplet.gnu.musl", musl(arch.gnu_triplet));
    scope_.set("cross.triplet.rust.glibc", std::string(arch.rust_triplet));
    scope_.set("cross.triplet.rust.musl", musl(arch.rust_triplet));
  }

  Result<> read_capabilities(const std::optional<Value>& value) {
    if (!value) return {};
    std::vector<std::string> drop;
    Fields fields = TRY(Fields::of(*value, "capabilities"));
    TRY(fields.texts("add", out_.capabilities_add));
    TRY(fields.texts("drop", drop));
    return fields.done();
  }

  Result<> read_subpackages(const std::optional<Value>& list, std::vector<std::string>& needs) {
    if (!list) return {};
    std::set<std::string, std::less<>> names = {out_.name};
    const std::vector<Value> items = TRY(list->list(), "reading 'subpackages'");
    for (const Value& item : items) {
      Fields fields = TRY(Fields::of(item, "a subpackage"));
      Subpackage made;
      made.place = item.place();
      TRY(fields.text("name", made.name));
      const codec::YamlNode* name = item.node->find("name");
      const Value where = name ? Value{&tree_, name} : item;
      TRY(check_package_name(made.name, where));
      if (!names.insert(made.name).second)
        return where.invalid("package '{}' is given twice", made.name);
      const bool wanted =
          TRY(read_subpackage(fields, made, needs), "compiling subpackage '{}'", made.name);
      TRY(fields.done());
      if (wanted) out_.subpackages.push_back(std::move(made));
    }
    return {};
  }

  /// False when its `if` is. Its steps are compiled all the same and their needs count, as in the
  /// reference.
  Result<bool> read_subpackage(Fields& fields, Subpackage& out, std::vector<std::string>& needs) {
    Scope scope(&scope_);
    scope.set("subpkg.name", out.name);
    scope.set("context.name", out.name);
    scope.set("targets.subpkgdir", out_dir(out.name));
    scope.set("targets.contextdir", out_dir(out.name));
    TRY(parse_subpackage(fields, scope, out));
    out.pipeline = TRY(compiler_.steps(fields.find("pipeline"), scope, needs));
    const auto test = fields.find("test");
    out.has_test = test.has_value();
    TRY(read_test(test, out.name, scope, out.test));
    const auto condition = fields.find("if");
    if (!condition) return true;
    const std::string text = TRY(condition->text());
    const std::string made = TRY(expand(text, scope, *condition, Quoting::kQuoted));
    auto wanted = evaluate_condition(made);
    if (!wanted) return std::move(wanted).error().at(condition->place());
    return wanted;
  }

  /// The package under test is part of its test's root.
  Result<> read_test(const std::optional<Value>& value, const std::string& name, const Scope& scope,
                     Test& out) {
    if (!value) return {};
    Fields fields = TRY(Fields::of(*value, "a test"));
    TRY(parse_environment(fields.find("environment"), scope, out.environment));
    add_unique(out.environment.packages, name);
    std::vector<std::string> needs;
    out.pipeline = TRY(compiler_.steps(fields.find("pipeline"), scope, needs),
                       "compiling the test of '{}'", name);
    for (const std::string& need : needs) add_unique(out.environment.packages, need);
    return fields.done();
  }

  void finish_environment() {
    Environment& environment = out_.environment;
    for (const auto& [name, value] : kVariables) {
      const std::string* own = find_pair(environment.variables, name);
      if (!own || own->empty()) set_pair(environment.variables, name, std::string(value));
    }
    for (const BuildOption& option : build_options_) {
      if (!is_enabled(option)) continue;
      for (const std::string& name : option.remove) std::erase(environment.packages, name);
      for (const std::string& name : option.add) add_unique(environment.packages, name);
    }
  }

  const codec::YamlTree& tree_;
  const CompileOptions& options_;
  Compiler compiler_;
  FirstPhase first_;
  Scope scope_;
  std::vector<BuildOption> build_options_;
  PackageExtras extras_;
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
