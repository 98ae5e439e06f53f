#include "package/abi.h"

#include "codec/digest.h"
#include "package/abi_text.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace nacre::package {
namespace {

using os::FileType;
using os::TreeEntry;

bool is_data(const ElfSymbol& symbol) { return symbol.type == STT_OBJECT || symbol.type == STT_TLS; }

/// "F deflate@@ZLIB_1.2", "O8 stdout@GLIBC_2.2.5": kind, size of data, name, version; a small letter is weak.
std::string export_text(const ElfSymbol& symbol) {
  const char kind = symbol.type == STT_OBJECT ? 'O' : symbol.type == STT_TLS ? 'T' : 'F';
  const std::string size = is_data(symbol) ? std::to_string(symbol.size) : std::string();
  const std::string version =
      symbol.version.empty() ? std::string() : (symbol.default_version ? "@@" : "@") + symbol.version;
  return fmt::format("{}{} {}{}", symbol.weak ? static_cast<char>(kind - 'A' + 'a') : kind, size, symbol.name, version);
}

/// Files whose text or code goes into what is built with them.
bool is_interface(const TreePath& path) {
  static constexpr std::array<std::string_view, 7> kFolders = {
      "usr/include/", "usr/share/aclocal/", "usr/share/cmake/", "usr/share/gir-1.0/",
      "usr/share/vala/", "usr/share/pkgconfig/", "usr/local/include/"};
  static constexpr std::array<std::string_view, 9> kEnds = {".a", ".o",  ".la",  ".pc", ".h",
                                                            ".hh", ".hpp", ".prl", ".pri"};
  const std::string& text = path.str();
  return std::any_of(kFolders.begin(), kFolders.end(), [&](auto folder) { return text.starts_with(folder); }) ||
         std::any_of(kEnds.begin(), kEnds.end(), [&](auto end) { return text.ends_with(end); }) ||
         text.find("/cmake/") != std::string::npos;
}

bool is_header(const TreePath& path) {
  static constexpr std::array<std::string_view, 6> kEnds = {".h", ".hh", ".hpp", ".hxx", ".h++", ".inl"};
  return std::any_of(kEnds.begin(), kEnds.end(), [&](auto end) { return path.str().ends_with(end); });
}

bool is_command(const TreePath& path) {
  static constexpr std::array<std::string_view, 4> kFolders = {"usr/bin/", "bin/", "usr/sbin/", "usr/local/bin/"};
  return std::any_of(kFolders.begin(), kFolders.end(), [&](auto folder) { return path.str().starts_with(folder); });
}

/// "curl-config", "mysql_config": told by name, wherever the package has its headers.
bool is_config_command(const TreePath& path) {
  return is_command(path) && (path.name().ends_with("-config") || path.name().ends_with("_config"));
}

class Collector {
 public:
  explicit Collector(const PackageTree& tree) : tree_(tree) {
    for (const TreeEntry& entry : tree.entries)
      if (entry.type == FileType::kRegular && (is_header(entry.path) || entry.path.name().ends_with(".pc")))
        has_headers_ = true;
  }

  Result<PackageAbi> run() {
    for (const TreeEntry& entry : tree_.entries) {
      if (entry.type == FileType::kRegular) TRY(file(entry), "reading '{}'", entry.path.str());
      if (entry.type == FileType::kSymlink) link(entry);
    }
    codec::Hasher hasher;
    hasher.update(fmt::format("abi {}\n", kAbiVersion));
    for (const std::string& line : lines_) hasher.update(line + "\n");
    out_.digest = hasher.finish_sha256();
    return std::move(out_);
  }

 private:
  Result<> file(const TreeEntry& entry) {
    const bool interface = is_interface(entry.path), library = is_library_name(entry.path.name());
    const bool may_be_program = (entry.mode & 0111) != 0;
    const bool runs = runs_in_builds(entry.path);
    if (!interface && !library && !may_be_program && !runs) return {};
    const MappedFile mapped = TRY(MappedFile::open(tree_.root, entry.path));
    const std::string_view bytes = mapped.bytes();
    if (runs) lines_.insert(fmt::format("command {} {}", entry.path.str(), codec::sha256(bytes).hex()));
    if (!interface && is_elf(bytes)) {
      auto elf = read_elf(bytes);
      if (elf && elf->dynamic && elf->has_sections) {
        take(entry, *std::move(elf));
        return {};
      }
    }
    // A library that cannot be read stands for itself; so does a linker script.
    if (interface || library)
      lines_.insert(fmt::format("file {} {}", entry.path.str(), text_digest(entry.path, bytes)));
    return {};
  }

  bool runs_in_builds(const TreePath& path) const {
    return is_config_command(path) || (has_headers_ && is_command(path));
  }

  static std::string text_digest(const TreePath& path, std::string_view bytes) {
    if (is_header(path)) return codec::sha256(without_comments(bytes)).hex();
    if (path.name().ends_with(".pc")) return codec::sha256(pkg_config_facts(bytes)).hex();
    return codec::sha256(bytes).hex();
  }

  void take(const TreeEntry& entry, Elf elf) {
    if (elf.type == ET_DYN && (!elf.soname.empty() || is_library_name(entry.path.name()))) {
      const std::string name = elf.soname.empty() ? entry.path.str() : elf.soname;
      lines_.insert(fmt::format("library {} {}", name, elf.machine));
      for (const std::string& symbol : export_texts(elf.exports)) lines_.insert(fmt::format("{} {}", name, symbol));
    }
    out_.files.push_back({entry.path, std::move(elf.soname), std::move(elf.needed), std::move(elf.exports),
                          std::move(elf.imports)});
  }

  /// The target of a library link bears a version; what it leads to is said by the library itself.
  void link(const TreeEntry& entry) {
    if (is_library_name(entry.path.name()))
      lines_.insert(fmt::format("link {}", entry.path.str()));
    else if (is_interface(entry.path) || runs_in_builds(entry.path))
      lines_.insert(fmt::format("link {} {}", entry.path.str(), entry.link_target));
  }

  const PackageTree& tree_;
  bool has_headers_ = false;  ///< Somebody compiles against it: what it brings to run, runs in builds.
  std::set<std::string> lines_;
  PackageAbi out_;
};

}  // namespace

std::vector<std::string> export_texts(const std::vector<ElfSymbol>& symbols) {
  std::set<std::string> out;
  for (const ElfSymbol& symbol : symbols) out.insert(export_text(symbol));
  return {out.begin(), out.end()};
}

bool is_library_name(std::string_view name) {
  return name.ends_with(".so") || name.find(".so.") != std::string_view::npos;
}

Result<PackageAbi> read_abi(const PackageTree& tree) { return Collector(tree).run(); }

Result<Sha256> abi_digest(const os::Path& tree) {
  const PackageTree walked = TRY(PackageTree::walk(tree));
  const PackageAbi abi = TRY(read_abi(walked));
  return abi.digest;
}

codec::Json abi_to_json(const PackageAbi& abi) {
  codec::Json files = codec::Json::array();
  for (const FileAbi& file : abi.files) {
    std::map<std::string, std::set<std::string>> by_library;
    for (const ElfSymbol& symbol : file.imports)
      by_library[symbol.library].insert(symbol.version.empty() ? symbol.name : symbol.name + "@" + symbol.version);
    codec::Json imports = codec::Json::object();
    for (const auto& [library, names] : by_library)
      imports.set(library, codec::Json::strings({names.begin(), names.end()}));
    codec::Json one = codec::Json::object();
    one.set("path", file.path.str());
    if (!file.soname.empty()) one.set("soname", file.soname);
    if (!file.needed.empty()) one.set("needed", codec::Json::strings(file.needed));
    if (!file.exports.empty()) one.set("exports", codec::Json::strings(export_texts(file.exports)));
    if (!file.imports.empty()) one.set("imports", std::move(imports));
    files.push(std::move(one));
  }
  codec::Json out = codec::Json::object();
  out.set("abi", kAbiVersion).set("digest", abi.digest.hex());
  return out.set("files", std::move(files));
}

}  // namespace nacre::package
