#include "base/text.h"
#include "package/elf.h"
#include "package/package.h"

#include <algorithm>
#include <array>
#include <set>

namespace nacre::package {
namespace {

constexpr std::uint64_t kMaxElfBytes = std::uint64_t{2} << 30;
constexpr std::array<std::string_view, 4> kLibraryDirs = {"lib", "usr/lib", "lib64", "usr/lib64"};
constexpr std::array<std::string_view, 4> kCommandDirs = {"bin", "sbin", "usr/bin", "usr/sbin"};

template <class List>
bool contains(const List& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string base_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

/// Version that a soname tells: what follows the first ".so.", when only digits and dots; else "0".
std::string soname_version(std::string_view soname) {
  const std::size_t at = soname.find(".so.");
  if (at == std::string_view::npos) return "0";
  std::string_view rest = soname.substr(at + 4);
  rest = rest.substr(0, rest.find(".so."));
  const bool plain = !rest.empty() && rest.find_first_not_of("0123456789.") == std::string_view::npos;
  return plain ? std::string(rest) : "0";
}

struct Scanner {
  const os::Path& tree;
  std::string version;
  std::set<std::string> library_dirs;
  std::set<std::string> depends, provides, vendored;
  bool no_commands = false;

  void elf(const os::TreeEntry& entry, const Elf& file) {
    if (!file.interpreter.empty())
      depends.insert("so:" + replace_all(base_name(file.interpreter), "ld-musl", "libc.musl"));
    for (const std::string& needed : file.needed)
      if (needed.find(".so.") != std::string::npos) depends.insert("so:" + needed);
    const std::string name(entry.path.name());
    const bool library_name = name.find(".so.") != std::string::npos || name.ends_with(".so");
    if (file.soname.empty() || !(file.interpreter.empty() || library_name)) return;
    auto& list = library_dirs.contains(entry.path.parent().str()) ? provides : vendored;
    list.insert(fmt::format("so:{}={}", file.soname, soname_version(file.soname)));
    list.insert(fmt::format("so-ver:{}={}", file.soname, version));
  }

  void command(const os::TreeEntry& entry) {
    if (!no_commands && (entry.mode & 0555) == 0555 && contains(kCommandDirs, entry.path.parent().str()))
      provides.insert(fmt::format("cmd:{}={}", entry.path.name(), version));
  }

  void pkg_config(const os::TreeEntry& entry, std::string_view text) {
    const std::string name(entry.path.name());
    const std::string folder = entry.path.parent().str();
    const bool standard = folder == "usr/lib/pkgconfig" || folder == "usr/share/pkgconfig" ||
                          folder == "usr/lib64/pkgconfig" || folder == "usr/local/lib/pkgconfig" ||
                          folder == "usr/local/share/pkgconfig";
    const std::string id = name.substr(0, name.size() - 3);
    (standard ? provides : vendored).insert(fmt::format("pc:{}={}", id, version));
    if (!standard) return;
    for (const std::string& line : split(text, '\n')) {
      const std::size_t colon = line.find(':');
      if (colon == std::string::npos) continue;
      const std::string key(trim(std::string_view(line).substr(0, colon)));
      if (key != "Requires" && key != "Requires.private" && key != "Requires.internal") continue;
      required_modules(std::string_view(line).substr(colon + 1));
    }
  }

  void required_modules(std::string_view text) {
    bool version_next = false;
    for (const std::string& word : split_words(replace_all(std::string(text), ",", " "))) {
      const bool op = word.find_first_not_of("<>=!") == std::string::npos;
      if (!op && !version_next) depends.insert("pc:" + word);
      version_next = op;
    }
  }

  void shebang(const os::TreeEntry& entry, std::string_view head) {
    const std::string folder = entry.path.parent().str();
    if (folder != "usr/bin" && folder != "usr/local/bin" && folder != "usr/local/sbin") return;
    if (!head.starts_with("#!")) return;
    std::vector<std::string> words = split_words(head.substr(2, head.find('\n') - 2));
    if (words.empty()) return;
    if (words[0] == "/usr/bin/env") words.erase(words.begin());
    if (!words.empty() && words[0] == "-S") words.erase(words.begin());
    if (words.empty()) return;
    const std::string program = base_name(words[0]);
    constexpr std::array<std::string_view, 5> kIgnored = {"python3", "python", "sh", "awk", "luajit"};
    if (!contains(kIgnored, program)) depends.insert("cmd:" + program);
  }
};

/// Library directories that any etc/ld.so.conf.d/*.conf of these trees names.
Result<std::set<std::string>> library_dirs_of(const std::vector<os::Path>& trees) {
  std::set<std::string> out(kLibraryDirs.begin(), kLibraryDirs.end());
  for (const os::Path& tree : trees) {
    const os::Path folder = tree / "etc/ld.so.conf.d";
    if (!os::exists(folder)) continue;
    const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(folder));
    for (const os::TreeEntry& entry : entries) {
      if (entry.type != os::FileType::kRegular || !entry.path.name().ends_with(".conf")) continue;
      const std::string text = TRY(os::read_beneath(folder, entry.path));
      for (const std::string& line : split(text, '\n'))
        if (trim(line).starts_with('/')) out.insert(std::string(trim(line).substr(1)));
    }
  }
  return out;
}

/// A link such as libz.so -> libz.so.1.3 asks for what carries the target's name in a library directory.
Result<> scan_library_link(Scanner& scanner, const os::TreeEntry& link, const std::vector<os::Path>& trees) {
  if (link.path.str().find(".so") == std::string::npos) return {};
  const std::string target = base_name(link.link_target);
  for (const os::Path& tree : trees) {
    for (const std::string& folder : scanner.library_dirs) {
      const os::Path file = tree / folder / target;
      if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(file))) continue;
      const std::string bytes = TRY(os::read_file(file, kMaxElfBytes));
      if (!is_elf(bytes)) continue;
      const auto elf = read_elf(bytes);
      if (elf && !elf->soname.empty()) scanner.depends.insert("so:" + elf->soname);
      return {};
    }
  }
  return {};
}

std::set<std::string> names_of(const std::set<std::string>& provides) {
  std::set<std::string> out;
  for (const std::string& provide : provides) out.insert(provide.substr(0, provide.find('=')));
  return out;
}

}  // namespace

Result<Scan> scan_tree(const os::Path& tree, const std::vector<os::Path>& siblings,
                       const definition::Definition& definition, std::string_view package) {
  std::vector<os::Path> trees = {tree};
  trees.insert(trees.end(), siblings.begin(), siblings.end());
  const definition::PackageOptions* options = &definition.options;
  for (const definition::Subpackage& sub : definition.subpackages)
    if (sub.name == package) options = &sub.options;

  Scanner scanner{tree, definition.full_version(), TRY(library_dirs_of(trees)), {}, {}, {},
                  options->no_commands};
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(tree));
  for (const os::TreeEntry& entry : entries) {
    if (entry.type == os::FileType::kSymlink) {
      TRY(scan_library_link(scanner, entry, trees));
      continue;
    }
    if (entry.type != os::FileType::kRegular) continue;
    scanner.command(entry);
    if (entry.size_bytes < 4) continue;
    const std::string bytes = TRY(os::read_beneath(tree, entry.path, kMaxElfBytes));
    if (is_elf(bytes)) {
      if (const auto elf = read_elf(bytes)) scanner.elf(entry, *elf);
    } else if (entry.path.name().ends_with(".pc")) {
      scanner.pkg_config(entry, bytes);
    } else {
      scanner.shebang(entry, std::string_view(bytes).substr(0, 80));
    }
  }

  Scan out;
  const std::set<std::string> own = names_of(scanner.vendored);
  if (!options->no_depends)
    for (const std::string& name : scanner.depends)
      if (!own.contains(name)) out.depends.push_back(name);
  if (!options->no_provides) out.provides.assign(scanner.provides.begin(), scanner.provides.end());
  out.vendored.assign(scanner.vendored.begin(), scanner.vendored.end());
  return out;
}

}  // namespace nacre::package
