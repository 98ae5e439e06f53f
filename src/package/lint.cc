#include "package/lint.h"

#include "base/text.h"
#include "definition/definition.h"
#include "package/lint_rules.h"

#include <algorithm>
#include <array>
#include <map>

namespace nacre::package {
namespace {

using os::FileType;
using os::TreeEntry;

constexpr auto kRequire = LintLevel::kRequire;
constexpr auto kWarn = LintLevel::kWarn;
constexpr auto kIgnore = LintLevel::kIgnore;

constexpr std::array kRules = {
    LintRule{"binaryarch", kWarn, "binaries", "only x86_64 and aarch64 are built for: leave other machines' code out"},
    LintRule{"cudaruntimelib", kWarn, "paths", "the host brings the driver's libraries; link against stubs"},
    LintRule{"dev", kRequire, "paths", "the container runtime fills /dev"},
    LintRule{"dll", kWarn, "paths", "leave libraries of Windows out"},
    LintRule{"documentation", kIgnore, "paths", "move documentation to a -doc package or leave it out"},
    LintRule{"duplicate", kWarn, "duplicates", "make one of them a link"},
    LintRule{"dylib", kWarn, "paths", "leave libraries of macOS out"},
    LintRule{"empty", kIgnore, "", "see whether the build put its files elsewhere"},
    LintRule{"infodir", kRequire, "paths", "leave usr/share/info/dir out (split/infodir)"},
    LintRule{"lddcheck", kWarn, "paths", "add test/tw/ldd-check to the package's test"},
    LintRule{"libtool/la-files", kRequire, "paths", "delete libtool archives after installing"},
    LintRule{"maninfo", kWarn, "paths", "move manual pages to a -doc package"},
    LintRule{"nonlinux", kWarn, "references", "leave other systems' files out"},
    LintRule{"object", kWarn, "paths", "leave object files out"},
    LintRule{"opt", kWarn, "paths", "install below /usr, or name the package -compat"},
    LintRule{"pkgconf", kWarn, "paths", "add test/pkgconf to the package's test"},
    LintRule{"python/docs", kWarn, "", "leave the docs directory out"},
    LintRule{"python/multiple", kWarn, "packages", "one package for each module; see what pip installed beside it"},
    LintRule{"python/test", kWarn, "", "leave the tests directory out"},
    LintRule{"sbom", kWarn, "paths", "only SBOMs belong into /var/lib/db/sbom"},
    LintRule{"setuidgid", kRequire, "files", "drop the bit, or disable the check and say why"},
    LintRule{"srv", kWarn, "paths", "install below /usr, or name the package -compat"},
    LintRule{"staticarchive", kWarn, "paths", "move static archives to a -dev or -static package"},
    LintRule{"strip", kWarn, "binaries", "strip debug sections"},
    LintRule{"tempdir", kRequire, "paths", "make such files at run time, directories by usr/lib/tmpfiles.d"},
    LintRule{"unsupportedarch", kWarn, "files", "only x86_64 and aarch64 are built for"},
    LintRule{"usrlocal", kWarn, "paths", "install below /usr, or name the package -compat"},
    LintRule{"usrmerge", kRequire, "paths", "install into usr/bin and usr/lib"},
    LintRule{"varempty", kRequire, "paths", "/var/empty stays empty"},
    LintRule{"worldwrite", kRequire, "files", "take away the right of others to write"},
};

bool under(const TreeEntry& entry, std::string_view folder) {
  const std::string& path = entry.path.str();
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}
bool not_directory(const TreeEntry& entry) { return entry.type != FileType::kDirectory; }

bool breaks_usrmerge(const TreeEntry& entry) {
  constexpr std::array<std::string_view, 5> kMerged = {"sbin", "bin", "usr/sbin", "lib", "lib64"};
  return std::any_of(kMerged.begin(), kMerged.end(), [&](std::string_view folder) {
    return under(entry, folder) || (entry.path.str() == folder && entry.type != FileType::kSymlink);
  });
}

bool is_cuda_driver(const TreeEntry& entry) {
  if (entry.path.parent().str() != "usr/lib") return false;
  std::string_view name = entry.path.name();
  for (const std::string_view start : {"libcuda.so", "libnvidia-ml.so"}) {
    if (!name.starts_with(start)) continue;
    name.remove_prefix(start.size());
    return name.empty() || (name.front() == '.' && name.find_first_not_of("0123456789.") == std::string_view::npos);
  }
  return false;
}

bool writes_temporary(const TreeEntry& entry, bool has_tmpfiles) {
  if (under(entry, "var/run")) return true;
  if (!not_directory(entry)) return under(entry, "run") && !has_tmpfiles;
  return under(entry, "tmp") || under(entry, "var/tmp") || under(entry, "run");
}

/// A rule that looks at names and types: what is broken, and what to say of it.
struct PathRule {
  std::string_view name, text;
  std::function<bool(const TreeEntry&, std::string_view package)> broken;
};

bool outside(std::string_view package, std::initializer_list<std::string_view> ends) {
  return std::none_of(ends.begin(), ends.end(), [&](std::string_view end) { return package.ends_with(end); });
}

/// Non-directories with an extension, in packages that do not end so.
PathRule extension_rule(std::string_view name, std::string_view text, std::string_view extension,
                        std::initializer_list<std::string_view> ends = {}) {
  return {name, text, [extension, allowed = std::vector<std::string_view>(ends)](const TreeEntry& e, auto package) {
            return not_directory(e) && extension_of(e.path) == extension &&
                   std::none_of(allowed.begin(), allowed.end(), [&](auto end) { return package.ends_with(end); });
          }};
}
PathRule folder_rule(std::string_view name, std::string_view text, std::string_view folder) {
  return {name, text, [folder](const TreeEntry& e, auto) { return not_directory(e) && under(e, folder); }};
}
PathRule compat_rule(std::string_view name, std::string_view text, std::string_view folder) {
  return {name, text, [folder](const TreeEntry& e, auto package) {
            return not_directory(e) && under(e, folder) && outside(package, {"-compat"});
          }};
}

const std::vector<PathRule>& path_rules() {
  static const std::vector<PathRule> kPathRules = {
      folder_rule("dev", "is below /dev", "dev"),
      folder_rule("infodir", "is below usr/share/info/dir", "usr/share/info/dir"),
      folder_rule("varempty", "is in /var/empty", "var/empty"),
      compat_rule("opt", "is below /opt", "opt"),
      compat_rule("srv", "is below /srv", "srv"),
      compat_rule("usrlocal", "is below /usr/local", "usr/local"),
      extension_rule("dll", "is a library of Windows", ".dll", {"-dev"}),
      extension_rule("dylib", "is a library of macOS", ".dylib", {"-dev"}),
      extension_rule("libtool/la-files", "is a libtool archive", ".la"),
      extension_rule("object", "is an object file", ".o"),
      extension_rule("staticarchive", "is a static archive outside a -dev or -static package", ".a",
                     {"-dev", "-static"}),
      {"cudaruntimelib", "is a library of the NVIDIA driver",
       [](const TreeEntry& e, auto) { return not_directory(e) && is_cuda_driver(e); }},
      {"sbom", "is no SBOM",
       [](const TreeEntry& e, auto) {
         return not_directory(e) && e.path.parent().str() == "var/lib/db/sbom" &&
                !e.path.name().ends_with(".spdx.json");
       }},
      {"usrmerge", "must be below usr/bin or usr/lib", [](const TreeEntry& e, auto) { return breaks_usrmerge(e); }},
  };
  return kPathRules;
}

Result<std::vector<LintHit>> check_paths(const PathRule& rule, const LintSubject& subject) {
  std::vector<LintHit> out;
  for (const TreeEntry& entry : subject.tree.entries)
    if (rule.broken(entry, subject.package)) out.push_back({entry.path, std::string(rule.text), entry.path.str()});
  return out;
}

Result<std::vector<LintHit>> check_temporary(const LintSubject& subject) {
  const auto& entries = subject.tree.entries;
  const bool has_tmpfiles = std::any_of(entries.begin(), entries.end(), [](const TreeEntry& entry) {
    return under(entry, "usr/lib/tmpfiles.d");
  });
  std::vector<LintHit> out;
  for (const TreeEntry& entry : entries)
    if (writes_temporary(entry, has_tmpfiles))
      out.push_back({entry.path, "is in a temporary directory", entry.path.str()});
  return out;
}

LintHit mode_hit(const TreeEntry& entry, std::string text, std::vector<std::string> bits) {
  codec::Json detail = codec::Json::object();
  detail.set("path", entry.path.str());
  detail.set("mode", fmt::format("{:o}", entry.mode));
  detail.set("permissions", codec::Json::strings(bits));
  return {entry.path, std::move(text), std::move(detail)};
}

Result<std::vector<LintHit>> check_special_bits(const LintSubject& subject) {
  std::vector<LintHit> out;
  for (const TreeEntry& entry : subject.tree.entries) {
    if (entry.type != FileType::kRegular || (entry.mode & 07000) == 0) continue;
    std::vector<std::string> bits;
    if (entry.mode & 04000) bits.push_back("setuid");
    if (entry.mode & 02000) bits.push_back("setgid");
    if (entry.mode & 01000) bits.push_back("sticky");
    out.push_back(mode_hit(entry, fmt::format("has the bit {}", join(bits, ", ")), bits));
  }
  return out;
}

Result<std::vector<LintHit>> check_world_writable(const LintSubject& subject) {
  std::vector<LintHit> out;
  for (const TreeEntry& entry : subject.tree.entries) {
    if (entry.type != FileType::kRegular || (entry.mode & 0002) == 0) continue;
    std::vector<std::string> bits = {"world-writable"};
    if (entry.mode & 0111) bits.push_back("executable");
    out.push_back(mode_hit(entry, "may be written by everybody", bits));
  }
  return out;
}

LintCheck check_of(std::string_view name) {
  if (name == "tempdir") return check_temporary;
  if (name == "setuidgid") return check_special_bits;
  if (name == "worldwrite") return check_world_writable;
  for (const PathRule& rule : path_rules())
    if (rule.name == name) return [&rule](const LintSubject& subject) { return check_paths(rule, subject); };
  return file_check(name);
}

std::vector<std::string> all_names() {
  std::vector<std::string> out;
  for (const LintRule& rule : kRules) out.emplace_back(rule.name);
  return out;
}

const std::vector<std::string>& disabled_checks(const definition::Definition& definition, std::string_view package) {
  for (const definition::Subpackage& sub : definition.subpackages)
    if (sub.name == package) return sub.disabled_checks;
  return definition.disabled_checks;
}

}  // namespace

std::string_view extension_of(const TreePath& path) {
  const std::string_view name = path.name();
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot);
}

std::span<const LintRule> lint_rules() { return kRules; }

LintChoice LintChoice::defaults() {
  LintChoice out;
  for (const LintRule& rule : kRules) {
    if (rule.level == kRequire) out.require.emplace(rule.name);
    if (rule.level == kWarn) out.warn.emplace(rule.name);
  }
  return out;
}

Result<LintChoice> LintChoice::of(const std::vector<std::string>& require, const std::vector<std::string>& warn) {
  const std::vector<std::string> known = all_names();
  for (const auto* list : {&require, &warn})
    for (const std::string& name : *list)
      if (std::find(known.begin(), known.end(), name) == known.end())
        return Error::make(ErrorKind::kInvalid, "there is no linter '{}'", name).hint(nearest_hint(name, known));
  return LintChoice{{require.begin(), require.end()}, {warn.begin(), warn.end()}};
}

Result<LintChoice> LintChoice::without(const std::vector<std::string>& disabled) const {
  const std::span<const std::string_view> gates = gate_names();
  std::vector<std::string> linters;
  for (const std::string& name : disabled) {
    if (std::find(gates.begin(), gates.end(), name) != gates.end()) continue;
    if (name.starts_with("hardening/") || name.starts_with("gate/"))
      return Error::make(ErrorKind::kInvalid, "there is no gate '{}'", name)
          .hint(nearest_hint(name, std::vector<std::string>(gates.begin(), gates.end())))
          .while_doing("reading 'checks.disabled'");
    linters.push_back(name);
  }
  LintChoice out = TRY(of({require.begin(), require.end()}, linters), "reading 'checks.disabled'");
  for (const std::string& name : linters) out.require.erase(name);
  out.warn.insert(warn.begin(), warn.end());
  return out;
}

Result<> check_disabled_names(const definition::Definition& definition) {
  const LintChoice all = LintChoice::defaults();
  if (auto choice = all.without(definition.disabled_checks); !choice)
    return std::move(choice).error().at(definition::place_of(definition, {"package", "checks", "disabled"}));
  for (const definition::Subpackage& sub : definition.subpackages)
    if (auto choice = all.without(sub.disabled_checks); !choice)
      return std::move(choice)
          .error()
          .while_doing("reading subpackage '{}'", sub.name)
          .at(definition::place_of(definition, {"subpackages"}));
  return {};
}

Result<std::vector<Finding>> lint_package(const PackageTree& tree, const definition::Definition* definition,
                                          std::string_view package, const LintChoice& choice) {
  const LintSubject subject{tree, definition, package};
  std::vector<Finding> out;
  for (const LintRule& rule : kRules) {
    const std::string name(rule.name);
    const bool fatal = choice.require.contains(name);
    if (!fatal && !choice.warn.contains(name)) continue;
    std::vector<LintHit> hits = TRY(check_of(rule.name)(subject), "linting '{}' for {}", package, name);
    for (LintHit& hit : hits)
      out.push_back({name, std::string(package), std::move(hit.path), std::move(hit.text), fatal,
                     std::move(hit.detail)});
  }
  return out;
}

Result<std::vector<Finding>> lint_tree(const os::Path& tree, const definition::Definition& definition,
                                       std::string_view package) {
  const PackageTree walked = TRY(PackageTree::walk(tree));
  const LintChoice choice = TRY(LintChoice::defaults().without(disabled_checks(definition, package)));
  return lint_package(walked, &definition, package, choice);
}

codec::Json lint_results(const std::vector<Finding>& findings, std::string_view full_name) {
  if (findings.empty()) return {};
  std::map<std::string, std::vector<const Finding*>> by_rule;
  for (const Finding& finding : findings) by_rule[finding.rule].push_back(&finding);
  codec::Json all = codec::Json::object();
  for (const auto& [name, list] : by_rule) {
    const auto is_it = [wanted = name](const LintRule& known) { return known.name == wanted; };
    const auto rule = std::find_if(kRules.begin(), kRules.end(), is_it);
    codec::Json one = codec::Json::object();
    one.set("message", list.size() == 1 ? fmt::format("{} {}", list[0]->path.str(), list[0]->text)
                                        : fmt::format("{} findings, the first: {} {}", list.size(),
                                                      list[0]->path.str(), list[0]->text));
    if (rule != kRules.end()) one.set("explain", rule->advice);
    if (rule != kRules.end() && !rule->detail_list.empty()) {
      codec::Json details = codec::Json::array();
      for (const Finding* finding : list) details.push(finding->detail);
      codec::Json holder = codec::Json::object();
      if (name == "python/multiple") holder.set("count", static_cast<std::int64_t>(list.size()));
      one.set("details", holder.set(std::string(rule->detail_list), std::move(details)));
    }
    all.set(name, codec::Json::array({std::move(one)}));
  }
  codec::Json out = codec::Json::object();
  out.set("package_name", full_name);
  out.set("findings", std::move(all));
  return out;
}

std::string lint_results_name(std::string_view full_name) { return fmt::format("lint-{}.json", full_name); }

}  // namespace nacre::package
