#include "base/text.h"
#include "package/elf.h"
#include "package/kernel.h"
#include "package/package.h"
#include "package/scan_files.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

namespace nacre::package {
namespace {

using os::FileType;
using os::TreeEntry;

constexpr std::array<std::string_view, 4> kLibraryDirs = {"lib", "usr/lib", "lib64", "usr/lib64"};
constexpr std::array<std::string_view, 4> kCommandDirs = {"bin", "sbin", "usr/bin", "usr/sbin"};
constexpr std::array<std::string_view, 5> kPkgConfigDirs = {"usr/local/lib/pkgconfig", "usr/local/share/pkgconfig",
                                                            "usr/lib/pkgconfig", "usr/lib64/pkgconfig",
                                                            "usr/share/pkgconfig"};
constexpr std::array<std::string_view, 3> kScriptDirs = {"usr/bin", "usr/local/bin", "usr/local/sbin"};
constexpr std::array<std::string_view, 2> kModuleDirs = {"lib/modules", "usr/lib/modules"};

template <class List>
bool contains(const List& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

template <class List>
bool under_any(const TreePath& path, const List& folders) {
  return std::any_of(folders.begin(), folders.end(), [&](std::string_view folder) {
    const std::string& text = path.str();
    return text.size() > folder.size() && text.starts_with(folder) && text[folder.size()] == '/';
  });
}

std::string base_name(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

const definition::Dependencies& declared_by(const definition::Definition& definition, std::string_view package) {
  for (const definition::Subpackage& sub : definition.subpackages)
    if (sub.name == package) return sub.dependencies;
  return definition.dependencies;
}
const definition::PackageOptions& options_of(const definition::Definition& definition, std::string_view package) {
  for (const definition::Subpackage& sub : definition.subpackages)
    if (sub.name == package) return sub.options;
  return definition.options;
}

/// What one ELF file adds, wherever it lies.
struct ElfFacts {
  bool valid = false, needs_fips_openssl = false;
  std::string interpreter, soname;
  std::vector<std::string> needed;
};

bool uses_fips_crypto(std::string_view go_build_info) {
  bool cgo = false, fips = false;
  for (const auto& [key, value] : go_build_settings(go_build_info)) {
    cgo |= key == "CGO_ENABLED" && value == "1";
    fips |= key == "GOEXPERIMENT" && (value == "boringcrypto" || value == "systemcrypto" || value == "opensslcrypto");
    fips |= key == "microsoft_systemcrypto" && value == "1";
  }
  return cgo && fips;
}

ElfFacts facts_of(std::string_view bytes) {
  ElfFacts out;
  if (!is_elf(bytes)) return out;
  auto elf = read_elf(bytes, ElfParts::kDynamic);
  if (!elf) return out;
  out.valid = true;
  out.needs_fips_openssl = uses_fips_crypto(elf->go_build_info);
  out.interpreter = std::move(elf->interpreter);
  out.soname = std::move(elf->soname);
  out.needed = std::move(elf->needed);
  return out;
}

class Scanner {
 public:
  explicit Scanner(const ScanRequest& request)
      : request_(request), version_(request.definition->full_version()), tree_(*request.tree) {
    trees_.push_back(request.tree);
    trees_.insert(trees_.end(), request.siblings.begin(), request.siblings.end());
    library_dirs_.assign(kLibraryDirs.begin(), kLibraryDirs.end());
  }

  Result<> run() {
    TRY(find_library_dirs());
    for (const TreeEntry& entry : tree_.entries) {
      doc(entry);
      python(entry);
      if (entry.type == FileType::kSymlink) TRY(link(entry));
      if (entry.type == FileType::kRegular) TRY(file(entry));
    }
    perl();
    ruby();
    add_python();
    return {};
  }

  Scan finish() {
    const definition::PackageOptions& options = options_of(*request_.definition, request_.package);
    if (!request_.library_versions.empty() && !options.no_versioned_shlib_deps) add_library_versions();
    Scan out;
    const auto list = [&](const std::set<std::string>& from, std::vector<std::string>& to) {
      for (const std::string& name : from)
        if (!options.no_commands || !name.starts_with("cmd:")) to.push_back(name);
    };
    if (!options.no_depends) list(depends_, out.depends);
    if (!options.no_provides) list(provides_, out.provides);
    out.vendored.assign(vendored_.begin(), vendored_.end());
    return out;
  }

 private:
  /// Library directories that any etc/ld.so.conf.d/*.conf of these trees names.
  Result<> find_library_dirs() {
    for (const PackageTree* tree : trees_) {
      for (const TreeEntry& entry : tree->entries) {
        if (entry.type != FileType::kRegular || !entry.path.name().ends_with(".conf")) continue;
        if (!entry.path.str().starts_with("etc/ld.so.conf.d/")) continue;
        const std::string text = TRY(os::read_beneath(tree->root, entry.path));
        for (const std::string& line : split(text, '\n')) {
          std::string_view folder = trim(std::string_view(line).substr(0, line.find('#')));
          if (!folder.starts_with('/')) continue;
          folder.remove_prefix(1);
          while (folder.ends_with('/')) folder.remove_suffix(1);
          library_dirs_.emplace_back(folder);
        }
      }
    }
    return {};
  }

  Result<const ElfFacts*> facts(const PackageTree& tree, const TreeEntry& entry) {
    const auto known = facts_.find(&entry);
    if (known != facts_.end()) return &known->second;
    const MappedFile mapped = TRY(MappedFile::open(tree.root, entry.path));
    return &facts_.emplace(&entry, facts_of(mapped.bytes())).first->second;
  }

  void need_library(const std::string& soname) {
    if (is_host_library(soname) || !is_dependency_name(soname)) return;
    depends_.insert("so:" + soname);
  }

  void elf(const TreePath& path, const ElfFacts& found) {
    if (!found.interpreter.empty())
      depends_.insert("so:" + replace_all(base_name(found.interpreter), "ld-musl", "libc.musl"));
    for (const std::string& needed : found.needed)
      if (needed.find(".so.") != std::string::npos) need_library(needed);
    if (found.needs_fips_openssl) depends_.insert({"openssl-config-fipshardened", "so:libcrypto.so.3"});
    const std::string_view name = path.name();
    const bool library_name = name.find(".so.") != std::string_view::npos || name.ends_with(".so");
    if (found.soname.empty() || !(found.interpreter.empty() || library_name)) return;
    if (is_host_library(found.soname) || !is_dependency_name(found.soname)) return;
    auto& list = contains(library_dirs_, path.parent().str()) ? provides_ : vendored_;
    list.insert(fmt::format("so:{}={}", found.soname, soname_version(found.soname)));
    list.insert(fmt::format("so-ver:{}={}", found.soname, version_));
  }

  /// A link such as libz.so -> libz.so.1.3 asks for what bears the target's name in a library directory; and a link to
  /// a library gives what the library gives, where the link lies.
  Result<> link(const TreeEntry& entry) {
    if (entry.path.str().find(".so") != std::string::npos) TRY(library_link(base_name(entry.link_target)));
    const TreeEntry* target = tree_.resolve(entry.path.str());
    if (target == nullptr || target->type != FileType::kRegular || target->size_bytes < 4) return {};
    const ElfFacts* found = TRY(facts(tree_, *target));
    if (found->valid) elf(entry.path, *found);
    return {};
  }

  Result<> library_link(const std::string& target) {
    for (const PackageTree* tree : trees_) {
      for (const std::string& folder : library_dirs_) {
        const TreeEntry* entry = tree->resolve(folder + "/" + target);
        if (entry == nullptr) continue;
        if (entry->type != FileType::kRegular) return {};
        const ElfFacts* found = TRY(facts(*tree, *entry));
        if (!found->soname.empty()) need_library(found->soname);
        return {};
      }
    }
    return {};
  }

  Result<> file(const TreeEntry& entry) {
    const std::string folder = entry.path.parent().str();
    const std::string_view name = entry.path.name();
    if ((entry.mode & 0555) == 0555 && contains(kCommandDirs, folder) && is_dependency_name(name))
      provides_.insert(fmt::format("cmd:{}={}", name, version_));
    if (entry.size_bytes == 0) return {};
    const MappedFile mapped = TRY(MappedFile::open(tree_.root, entry.path));
    const std::string_view bytes = mapped.bytes();
    if (is_elf(bytes)) {
      const ElfFacts& found = facts_.emplace(&entry, facts_of(bytes)).first->second;
      if (found.valid) elf(entry.path, found);
    }
    if (name.ends_with(".pc")) pkg_config(name.substr(0, name.size() - 3), folder, bytes);
    if (under_any(entry.path, kScriptDirs))
      if (const std::string program = shebang_program(bytes); !program.empty()) depends_.insert("cmd:" + program);
    const bool modules = under_any(entry.path, kModuleDirs);
    if (modules || entry.path.str().starts_with("boot/"))
      if (const std::string kernel = kernel_version(bytes); !kernel.empty()) provides_.insert("linux:" + kernel);
    if (modules)
      if (const std::string kernel = module_kernel(bytes); !kernel.empty()) depends_.insert("linux:" + kernel);
    return {};
  }

  void pkg_config(std::string_view id, const std::string& folder, std::string_view bytes) {
    if (!is_dependency_name(id)) return;
    const bool standard = contains(kPkgConfigDirs, folder);
    (standard ? provides_ : vendored_).insert(fmt::format("pc:{}={}", id, version_));
    if (!standard) return;
    for (const std::string& module_name : pkg_config_requires(bytes)) depends_.insert("pc:" + module_name);
  }

  void doc(const TreeEntry& entry) {
    if (!request_.package.ends_with("-doc")) return;
    const std::string folder = entry.path.parent().str();
    if (folder == "usr/share/man") depends_.insert("man-db");
    if (folder == "usr/share/info") depends_.insert("texinfo");
  }

  const std::vector<std::string>& declared() const {
    return declared_by(*request_.definition, request_.package).runtime;
  }
  bool declares(std::string_view prefix) const {
    return std::any_of(declared().begin(), declared().end(),
                       [&](const std::string& depend) { return depend.starts_with(prefix); });
  }

  void python(const TreeEntry& entry) {
    if (entry.type != FileType::kDirectory || entry.path.name() != "site-packages") return;
    const TreePath parent = entry.path.parent();
    if (parent.name().starts_with("python")) python_version_ = parent.name().substr(6);
  }
  void add_python() {
    if (is_dependency_name(python_version_) && !declares("python"))
      depends_.insert(fmt::format("python-{}-base", python_version_));
  }

  /// Of a path that matches `PREFIX/PATTERN` (usr/ before none) the part of the given number within PATTERN.
  std::string first_match(const std::string& pattern, std::size_t part) const {
    for (const std::string_view prefix : {"usr/", ""}) {
      for (const TreeEntry& entry : tree_.entries) {
        const std::string& path = entry.path.str();
        if (!path.starts_with(prefix) ||
            ::fnmatch(pattern.c_str(), path.c_str() + prefix.size(), FNM_PATHNAME | FNM_NOESCAPE) != 0)
          continue;
        const std::string found = split(std::string_view(path).substr(prefix.size()), '/')[part];
        if (is_dependency_name(found)) return found;
      }
    }
    return {};
  }

  void perl() {
    const std::string folder = first_match("lib/perl[0-9]*/*_perl", 1);
    if (!folder.empty() && !contains(declared(), "perl")) depends_.insert("perl~" + folder.substr(4));
  }

  void ruby() {
    const std::string folder = first_match("lib/ruby/gems/[0-9]*.[0-9]*.[0.9]*/gems", 3);
    if (folder.empty() || contains(declared(), "ruby") || declares("ruby-")) return;
    depends_.insert("ruby-" + folder.substr(0, folder.rfind('.')));
  }

  /// `so-ver:X>=V` beside each `so:X` whose package is known; not for the loader, which would tie all to one libc.
  void add_library_versions() {
    std::vector<std::string> more;
    for (const std::string& depend : depends_) {
      if (!depend.starts_with("so:") || depend.starts_with("so:ld-linux-")) continue;
      const std::string soname = depend.substr(3);
      const auto known = request_.library_versions.find(soname);
      if (known != request_.library_versions.end())
        more.push_back(fmt::format("so-ver:{}>={}", soname, known->second));
    }
    depends_.insert(more.begin(), more.end());
  }

  const ScanRequest& request_;
  const std::string version_;
  const PackageTree& tree_;
  std::vector<const PackageTree*> trees_;
  std::vector<std::string> library_dirs_;
  std::unordered_map<const TreeEntry*, ElfFacts> facts_;
  std::string python_version_;
  std::set<std::string> depends_, provides_, vendored_;
};

std::set<std::string> names_of(const std::vector<std::string>& provides) {
  std::set<std::string> out;
  for (const std::string& provide : provides) out.insert(provide.substr(0, provide.find('=')));
  return out;
}

/// Whether names hold what the atom asks for: by its whole text, of `so-ver:` without the version.
bool met_by(const std::set<std::string>& names, const std::string& depend) {
  return names.contains(depend.starts_with("so-ver:") ? depend.substr(0, depend.find(">=")) : depend);
}

}  // namespace

Result<Scan> scan_package(const ScanRequest& request) {
  Scanner scanner(request);
  TRY(scanner.run(), "scanning '{}'", request.package);
  return scanner.finish();
}

Result<Scan> scan_tree(const os::Path& tree, const std::vector<os::Path>& siblings,
                       const definition::Definition& definition, std::string_view package) {
  const PackageTree own = TRY(PackageTree::walk(tree));
  std::vector<PackageTree> others;
  for (const os::Path& sibling : siblings) others.push_back(TRY(PackageTree::walk(sibling)));
  ScanRequest request;
  request.tree = &own;
  for (const PackageTree& other : others) request.siblings.push_back(&other);
  request.definition = &definition;
  request.package = package;
  return scan_package(request);
}

void merge_dependencies(apk::PackageInfo& info, const definition::Dependencies& declared, const Scan& scan) {
  std::set<std::string> provides(declared.provides.begin(), declared.provides.end());
  provides.insert(scan.provides.begin(), scan.provides.end());
  info.provides.assign(provides.begin(), provides.end());
  info.vendored = scan.vendored;

  const std::set<std::string> vendored = names_of(scan.vendored), own = names_of(info.provides);
  std::set<std::string> depends(declared.runtime.begin(), declared.runtime.end());
  for (const std::string& depend : scan.depends)
    if (!met_by(vendored, depend)) depends.insert(depend);
  for (const std::string& depend : depends)
    if (!met_by(own, depend)) info.depends.push_back(depend);
  info.replaces = declared.replaces;
  info.provider_priority = declared.provider_priority;
  info.replaces_priority = declared.replaces_priority;
}

}  // namespace nacre::package
