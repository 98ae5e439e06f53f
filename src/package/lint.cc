#include "package/elf.h"
#include "package/package.h"

#include <algorithm>
#include <array>
#include <functional>

namespace nacre::package {
namespace {

using os::FileType;
using os::TreeEntry;

bool under(const TreeEntry& entry, std::string_view folder) {
  return entry.path.is_under(TreePath::literal(folder));
}
bool not_directory(const TreeEntry& entry) { return entry.type != FileType::kDirectory; }

bool breaks_usrmerge(const TreeEntry& entry) {
  constexpr std::array<std::string_view, 5> kMerged = {"sbin", "bin", "usr/sbin", "lib", "lib64"};
  for (const std::string_view folder : kMerged) {
    if (under(entry, folder)) return true;
    if (entry.path.str() == folder && entry.type != FileType::kSymlink) return true;
  }
  return false;
}

bool in_temporary_dir(const TreeEntry& entry) {
  return (not_directory(entry) && (under(entry, "tmp") || under(entry, "var/tmp"))) ||
         under(entry, "var/run") || (not_directory(entry) && under(entry, "run"));
}

/// A rule that looks at one entry: its name in the reference, whether it stops the build, its test, what to say.
struct Rule {
  std::string_view name;
  bool required;
  std::function<bool(const TreeEntry&, std::string_view package)> broken;
  std::string_view text;
};

const std::vector<Rule>& rules() {
  static const std::vector<Rule> kRules = {
      {"dev", true, [](const TreeEntry& e, auto) { return not_directory(e) && under(e, "dev"); },
       "is below /dev, which the container runtime fills"},
      {"infodir", true,
       [](const TreeEntry& e, auto) { return not_directory(e) && e.path.str() == "usr/share/info/dir"; },
       "is the shared index of info pages, which two packages cannot both own"},
      {"libtool/la-files", true,
       [](const TreeEntry& e, auto) { return not_directory(e) && e.path.name().ends_with(".la"); },
       "is a libtool archive; delete it after installing"},
      {"setuidgid", true,
       [](const TreeEntry& e, auto) { return e.type == FileType::kRegular && (e.mode & 07000) != 0; },
       "has a setuid, setgid or sticky bit"},
      {"tempdir", true, [](const TreeEntry& e, auto) { return in_temporary_dir(e); },
       "is in a temporary directory"},
      {"usrmerge", true, [](const TreeEntry& e, auto) { return breaks_usrmerge(e); },
       "must be below usr/bin or usr/lib"},
      {"varempty", true, [](const TreeEntry& e, auto) { return not_directory(e) && under(e, "var/empty"); },
       "is in /var/empty"},
      {"worldwrite", true,
       [](const TreeEntry& e, auto) { return e.type == FileType::kRegular && (e.mode & 0002) != 0; },
       "may be written by everybody"},
      {"object", false,
       [](const TreeEntry& e, auto) { return not_directory(e) && e.path.name().ends_with(".o"); },
       "is an object file"},
      {"staticarchive", false,
       [](const TreeEntry& e, std::string_view package) {
         return e.path.name().ends_with(".a") && !package.ends_with("-dev") && !package.ends_with("-static");
       },
       "is a static archive outside a -dev or -static package"},
      {"opt", false,
       [](const TreeEntry& e, std::string_view package) {
         return not_directory(e) && under(e, "opt") && !package.ends_with("-compat");
       },
       "is below /opt"},
      {"srv", false,
       [](const TreeEntry& e, std::string_view package) {
         return not_directory(e) && under(e, "srv") && !package.ends_with("-compat");
       },
       "is below /srv"},
      {"usrlocal", false,
       [](const TreeEntry& e, std::string_view package) {
         return not_directory(e) && under(e, "usr/local") && !package.ends_with("-compat");
       },
       "is below /usr/local"},
      {"maninfo", false,
       [](const TreeEntry& e, std::string_view package) {
         return not_directory(e) && (under(e, "usr/share/man") || under(e, "usr/share/info")) &&
                !package.ends_with("-doc");
       },
       "is a manual page outside a -doc package"},
  };
  return kRules;
}

const std::vector<std::string>& disabled_checks(const definition::Definition& definition,
                                                std::string_view package) {
  for (const definition::Subpackage& sub : definition.subpackages)
    if (sub.name == package) return sub.disabled_checks;
  return definition.disabled_checks;
}

}  // namespace

Result<std::vector<Finding>> lint_tree(const os::Path& tree, const definition::Definition& definition,
                                       std::string_view package) {
  const std::vector<std::string>& disabled = disabled_checks(definition, package);
  std::vector<Finding> out;
  const std::vector<TreeEntry> entries = TRY(os::walk_tree(tree));
  for (const TreeEntry& entry : entries) {
    for (const Rule& rule : rules()) {
      if (!rule.broken(entry, package)) continue;
      const bool waived = std::find(disabled.begin(), disabled.end(), rule.name) != disabled.end();
      out.push_back({std::string(rule.name), std::string(package), entry.path, std::string(rule.text),
                     rule.required && !waived});
    }
  }
  return out;
}

}  // namespace nacre::package
