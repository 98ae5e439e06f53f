#include "base/events.h"
#include "base/text.h"
#include "package/entries.h"
#include "package/forbidden.h"
#include "package/package.h"

#include <algorithm>
#include <utility>

namespace nacre::package {
namespace {

using definition::Definition;
using definition::Subpackage;

const Subpackage* find_subpackage(const Definition& definition, std::string_view name) {
  for (const Subpackage& sub : definition.subpackages)
    if (sub.name == name) return &sub;
  return nullptr;
}

apk::PackageInfo describe(const PackageRequest& request, const std::string& package) {
  const Definition& definition = *request.definition;
  const Subpackage* sub = find_subpackage(definition, package);
  apk::PackageInfo info;
  info.name = package;
  info.version = definition.full_version();
  info.arch = std::string(request.arch.apk);
  info.origin = request.strip_origin ? package : definition.name;
  info.description = sub && !sub->description.empty() ? sub->description : definition.description;
  info.url = sub && !sub->url.empty() ? sub->url : definition.url;
  info.commit = request.commit;
  info.maintainer = request.maintainer;
  info.build_date = request.source_date_epoch;
  for (const definition::Copyright& entry : definition.copyright) info.licenses.push_back(entry.license);
  return info;
}

void add_script(std::vector<std::pair<std::string, std::string>>& files, const char* name,
                const std::string& text) {
  if (!text.empty()) files.emplace_back(name, text);
}

std::vector<std::pair<std::string, std::string>> control_files(const Definition& definition,
                                                               const definition::Scriptlets& scripts) {
  std::vector<std::pair<std::string, std::string>> files;
  files.emplace_back(".melange.yaml", codec::to_pretty_json(embedded_definition(definition)));
  add_script(files, ".post-deinstall", scripts.post_deinstall);
  add_script(files, ".post-install", scripts.post_install);
  add_script(files, ".post-upgrade", scripts.post_upgrade);
  add_script(files, ".pre-deinstall", scripts.pre_deinstall);
  add_script(files, ".pre-install", scripts.pre_install);
  add_script(files, ".pre-upgrade", scripts.pre_upgrade);
  add_script(files, ".trigger", scripts.trigger_script);
  return files;
}

/// One package on its way, walked once.
struct Package {
  std::string name;
  PackageTree tree;
  PackedEntries packed;
};

const std::vector<std::string>& disabled_checks(const Definition& definition, std::string_view package) {
  const Subpackage* sub = find_subpackage(definition, package);
  return sub ? sub->disabled_checks : definition.disabled_checks;
}

Result<> keep_results(const PackageRequest& request, const std::string& package, const std::vector<Finding>& findings) {
  const std::string full_name = fmt::format("{}-{}", package, request.definition->full_version());
  const codec::Json results = lint_results(findings, full_name);
  if (request.lint_results_dir.empty() || results.is_null()) return {};
  TRY(os::make_dirs(request.lint_results_dir));
  return os::write_file(request.lint_results_dir / lint_results_name(full_name), codec::to_pretty_json(results));
}

/// All findings of one package. Gates only warn where the request or `checks.disabled` says so.
Result<std::vector<Finding>> findings_of(const PackageRequest& request, const Package& package,
                                         const std::vector<std::string>& disabled) {
  const LintChoice choice =
      TRY(request.lint.without(disabled), "judging '{}' of '{}'", package.name, request.definition->file);
  std::vector<Finding> out = TRY(lint_package(package.tree, request.definition, package.name, choice));
  std::vector<Finding> gates = TRY(check_hardening(package.tree, package.name));
  gates.insert(gates.end(), package.packed.findings.begin(), package.packed.findings.end());
  for (Finding& finding : gates)
    if (request.gates == Gates::kWarn || std::find(disabled.begin(), disabled.end(), finding.rule) != disabled.end())
      finding.fatal = false;
  out.insert(out.end(), gates.begin(), gates.end());
  return out;
}

/// Runs linters and gates over all trees; kDenied with every fatal finding at once.
Result<> judge(const PackageRequest& request, const std::vector<Package>& packages, const ForbiddenValues& forbidden,
               const Task& task) {
  std::vector<std::string> fatal;
  for (const Package& package : packages) {
    const std::vector<std::string>& disabled = disabled_checks(*request.definition, package.name);
    const std::vector<Finding> findings = TRY(findings_of(request, package, disabled));
    TRY(keep_results(request, package.name, findings));
    for (const Finding& finding : findings) {
      const std::string line = forbidden.masked(
          fmt::format("{}: {}: {} [{}]", package.name, finding.path.str(), finding.text, finding.rule));
      if (finding.fatal)
        fatal.push_back(line);
      else if (std::find(disabled.begin(), disabled.end(), finding.rule) != disabled.end())
        task.note("waived: " + line);
      else
        task.output(line);
    }
  }
  if (fatal.empty()) return {};
  return Error::make(ErrorKind::kDenied, "{} findings stop the package '{}':\n  {}", fatal.size(),
                     request.definition->name, join(fatal, "\n  "))
      .at({request.definition->file, 0, 0})
      .hint("mend the definition, or name the check in `checks.disabled` with its reason");
}

/// Refuses forbidden values wherever a package could hold them.
class Guard {
 public:
  Guard(const ForbiddenValues& values, std::string package)
      : values_(values), package_(std::move(package)), stream_(values) {}

  Result<> check(std::string_view where, std::string_view bytes) const {
    const std::string* secret = values_.found_in(bytes);
    return secret != nullptr ? refuse(where, *secret) : Result<>();
  }
  /// Names, links, owners and attributes.
  Result<> check_entries(const std::vector<apk::DataEntry>& entries) const {
    if (values_.empty()) return {};
    for (const apk::DataEntry& entry : entries) {
      // The name itself must not be shown then.
      TRY(check("the name of a file", entry.header.path));
      TRY(check(entry.header.path, entry.header.link));
      for (const auto& [key, value] : entry.header.pax) {
        TRY(check(entry.header.path, key));
        TRY(check(entry.header.path, value));
      }
    }
    return {};
  }
  Result<> check_info(const apk::PackageInfo& info, const apk::WriteOptions& options) const {
    TRY(check(".PKGINFO", apk::write_package_info(info)));
    for (const auto& [name, content] : options.control_files) TRY(check(name, content));
    return {};
  }
  Result<> inspect(const std::string& path, std::string_view piece, bool begin) {
    if (begin) stream_.restart();
    const std::string* secret = stream_.found_in(piece);
    return secret != nullptr ? refuse(path, *secret) : Result<>();
  }

 private:
  Error refuse(std::string_view where, std::string_view secret) const {
    return Error::make(ErrorKind::kDenied, "the package '{}' holds the secret '{}' of its build: {}", package_, secret,
                       where)
        .hint("secrets are for steps alone; what they write below melange-out is published");
  }

  const ForbiddenValues& values_;
  std::string package_;
  ForbiddenValues::Stream stream_;
};

Result<Scan> scan_one(const PackageRequest& request, const std::vector<Package>& packages, const Package& package) {
  ScanRequest scan;
  scan.tree = &package.tree;
  for (const Package& other : packages)
    if (other.name != package.name) scan.siblings.push_back(&other.tree);
  scan.definition = request.definition;
  scan.package = package.name;
  scan.library_versions = request.library_versions;
  return scan_package(scan);
}

Result<apk::PackageFile> make_one(const PackageRequest& request, const std::vector<Package>& packages,
                                  const Package& package, const ForbiddenValues& forbidden) {
  const Definition& definition = *request.definition;
  const Subpackage* sub = find_subpackage(definition, package.name);
  apk::PackageInfo info = describe(request, package.name);
  const Scan scan = TRY(scan_one(request, packages, package));
  merge_dependencies(info, sub ? sub->dependencies : definition.dependencies, scan);
  const definition::Scriptlets& scripts = sub ? sub->scriptlets : definition.scriptlets;
  info.triggers = scripts.trigger_paths;
  info.installed_bytes = package.packed.installed_bytes;

  apk::WriteOptions options;
  options.mtime = request.source_date_epoch;
  options.control_files = control_files(definition, scripts);
  options.signer = request.signer;
  Guard guard(forbidden, package.name);
  TRY(guard.check_entries(package.packed.entries));
  TRY(guard.check_info(info, options));
  if (!forbidden.empty())
    options.inspect = [&guard](const std::string& path, std::string_view piece, bool begin) {
      return guard.inspect(path, piece, begin);
    };
  const os::Path path = request.out_dir / fmt::format("{}-{}.apk", package.name, info.version);
  return apk::write_package(path, std::move(info), package.packed.entries, options);
}

}  // namespace

namespace {

/// The environment as everybody may see it: what the caller's files said may be a token.
codec::Json public_environment(const codec::Json& environment, const std::vector<std::string>& callers) {
  codec::Json out = codec::Json::object();
  for (const auto& [key, value] : environment.members()) {
    if (key != "environment") {
      out.set(key, value);
      continue;
    }
    codec::Json variables = codec::Json::object();
    for (const auto& [name, text] : value.members())
      if (std::find(callers.begin(), callers.end(), name) == callers.end()) variables.set(name, text);
    out.set(key, std::move(variables));
  }
  return out;
}

}  // namespace

codec::Json embedded_definition(const definition::Definition& definition) {
  codec::Json out = codec::Json::object();
  for (const auto& [key, value] : definition.compiled.members()) {
    if (key == "test" || key == "update") continue;
    if (key == "environment" && !definition.callers_variables.empty()) {
      out.set(key, public_environment(value, definition.callers_variables));
      continue;
    }
    if (key != "subpackages") {
      out.set(key, value);
      continue;
    }
    codec::Json subpackages = codec::Json::array();
    for (const codec::Json& sub : value.items()) {
      codec::Json kept = codec::Json::object();
      for (const auto& [name, part] : sub.members())
        if (name != "test") kept.set(name, part);
      subpackages.push(std::move(kept));
    }
    out.set(key, std::move(subpackages));
  }
  return out;
}

Result<std::vector<apk::PackageFile>> make_packages(const PackageRequest& request, Env& env) {
  return make_packages(request, env.events, env.stop);
}

Result<std::vector<apk::PackageFile>> make_packages(const PackageRequest& request, Events& events,
                                                    const std::stop_token& stop) {
  Task task(events, fmt::format("package {}", request.definition->name));
  const ForbiddenValues forbidden = TRY(ForbiddenValues::of(request.forbidden));
  std::vector<Package> packages;
  for (const std::string& name : request.built->packages) {
    PackageTree tree = TRY(PackageTree::walk(request.built->output / name));
    PackedEntries packed = TRY(pack_entries(tree, request, name), "packaging '{}'", name);
    packages.push_back({name, std::move(tree), std::move(packed)});
  }
  TRY(judge(request, packages, forbidden, task));
  TRY(os::make_dirs(request.out_dir));
  std::vector<apk::PackageFile> out;
  for (const Package& package : packages) {
    if (stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    out.push_back(TRY(make_one(request, packages, package, forbidden), "packaging '{}'", package.name));
  }
  task.finish(fmt::format("{} packages", out.size()));
  return out;
}

}  // namespace nacre::package
