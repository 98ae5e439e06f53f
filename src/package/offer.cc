#include "package/offer.h"

#include <elf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <span>
#include <utility>

#include "base/text.h"
#include "package/abi.h"
#include "package/abi_text.h"
#include "package/dead_branches.h"
#include "package/elf.h"

namespace nacre::package {
namespace {

using os::FileType;
using os::TreeEntry;
using Kind = OfferedFile::Kind;

bool ends_with_one_of(std::string_view text, std::span<const std::string_view> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](auto end) { return text.ends_with(end); });
}

bool is_below_include(std::string_view path) {
  return path.starts_with("usr/include/") || path.starts_with("usr/local/include/");
}

bool is_header(std::string_view path) {
  static constexpr std::array<std::string_view, 6> kEnds = {".h", ".hh", ".hpp", ".hxx", ".h++", ".inl"};
  return is_below_include(path) || ends_with_one_of(path, kEnds);
}

bool is_command(std::string_view path) {
  static constexpr std::array<std::string_view, 4> kFolders = {"usr/bin/", "bin/", "usr/sbin/", "usr/local/bin/"};
  return std::any_of(kFolders.begin(), kFolders.end(), [&](auto folder) { return path.starts_with(folder); });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string without(std::string text, std::string_view what) {
  if (what.empty()) return text;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    text.replace(at, what.size(), "\x1");
  return text;
}

std::string without_numbers(std::string_view text) {
  std::string out;
  for (const char c : text)
    if ((c >= '0' && c <= '9') || c == '.') {
      if (out.empty() || out.back() != '\x1') out += '\x1';
    } else {
      out += c;
    }
  return out;
}

/// The macros that a file for autoconf defines.
std::vector<std::string> m4_names(std::string_view text) {
  std::vector<std::string> out;
  for (const std::string_view define :
       {"AC_DEFUN(", "AC_DEFUN_ONCE(", "AU_ALIAS(", "AU_DEFUN(", "m4_define(", "define("})
    for (std::size_t at = text.find(define); at != std::string_view::npos; at = text.find(define, at + 1)) {
      std::size_t from = at + define.size();
      while (from < text.size() && (text[from] == '[' || text[from] == ' ' || text[from] == '`')) ++from;
      std::size_t to = from;
      while (to < text.size() && (text[to] == '_' || std::isalnum(static_cast<unsigned char>(text[to])) != 0)) ++to;
      if (to > from) out.emplace_back(text.substr(from, to - from));
    }
  return out;
}

/// FooConfig.cmake, foo-config.cmake, FooTargets.cmake in a folder foo: "foo"; FindFoo.cmake likewise.
std::vector<std::string> cmake_names(const TreePath& path) {
  std::vector<std::string> out;
  std::string name = lower(path.name());
  for (const std::string_view end :
       {"configversion.cmake", "-config-version.cmake", "config.cmake", "-config.cmake", ".cmake"})
    if (name.ends_with(end)) {
      out.push_back(name.substr(0, name.size() - end.size()));
      if (out.back().starts_with("find")) out.push_back(out.back().substr(4));
    }
  const std::vector<std::string> parts = split(path.str(), '/');
  if (parts.size() >= 2) out.push_back(lower(parts[parts.size() - 2]));
  for (std::string& one : out) {
    while (!one.empty() && (one.back() == '-' || one.back() == '_')) one.pop_back();
    const std::size_t dash = one.find_last_of("-");  // foo-1.2: the version of a folder
    if (dash != std::string::npos && dash + 1 < one.size() && one[dash + 1] >= '0' && one[dash + 1] <= '9')
      one.resize(dash);
  }
  return out;
}

OfferedModule read_module(std::string_view text) {
  OfferedModule out;
  std::string rest;
  for (const std::string& line : split(pkg_config_facts(text), '\n')) {
    if (line.starts_with("Version:")) {
      out.version = trim(line.substr(8));
      continue;
    }
    const std::string field = lower(line.substr(0, line.find(':')));
    if (field == "libs.private") {
      out.for_static = short_digest(line);
      continue;
    }
    rest += line + '\n';
    if (!line.starts_with("Requires")) continue;
    std::string word;
    for (const char c : line.substr(line.find(':') == std::string::npos ? 0 : line.find(':')) + " ")
      if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '+' || c == '.') word += c;
      else if (!word.empty()) out.words.insert(std::exchange(word, {}));
  }
  out.rest = short_digest(rest);
  return out;
}

class Collector {
 public:
  Collector(const PackageTree& tree, std::string_view version) : tree_(tree) {
    out_.version = version;
    for (const TreeEntry& entry : tree.entries)
      if (entry.type == FileType::kRegular && (is_header(entry.path.str()) || entry.path.name().ends_with(".pc")))
        has_headers_ = true;
  }

  Result<Offer> run() {
    for (const TreeEntry& entry : tree_.entries) {
      if (entry.type == FileType::kRegular) TRY(file(entry), "reading '{}'", entry.path.str());
      if (entry.type == FileType::kSymlink) link(entry);
    }
    follow_links();
    return std::move(out_);
  }

 private:
  /// What a file is to those that build, by its name; nullopt: nothing.
  std::optional<Kind> kind_of(const TreePath& path) const {
    static constexpr std::array<std::string_view, 3> kStatic = {".a", ".o", ".la"};
    const std::string& text = path.str();
    if (ends_with_one_of(text, kStatic)) return Kind::kWhole;
    if (text.ends_with(".cmake") && (text.find("/cmake/") != std::string::npos || text.starts_with("usr/share/cmake")))
      return lower(text).ends_with("configversion.cmake") || lower(text).ends_with("-config-version.cmake")
                 ? Kind::kCmakeVersion
                 : Kind::kCmake;
    if (text.starts_with("usr/share/aclocal/")) return Kind::kM4;
    if (text.starts_with("usr/share/gir-1.0/")) return Kind::kGir;
    if (text.starts_with("usr/share/vala/")) return Kind::kVala;
    if (text.ends_with(".prl") || text.ends_with(".pri")) return Kind::kQmake;
    if (text.starts_with("usr/share/cmake/") || text.find("/cmake/") != std::string::npos) return Kind::kCmake;
    if (is_command(text) && (has_headers_ || path.name().ends_with("-config") || path.name().ends_with("_config")))
      return Kind::kCommand;
    return std::nullopt;
  }

  Result<> file(const TreeEntry& entry) {
    const TreePath& path = entry.path;
    const std::optional<Kind> kind = kind_of(path);
    const bool header = !kind && is_header(path.str()), module = !kind && path.name().ends_with(".pc");
    const bool library = !kind && !header && !module && (is_library_name(path.name()) || (entry.mode & 0111) != 0);
    if (!kind && !header && !module && !library) return {};
    const MappedFile mapped = TRY(MappedFile::open(tree_.root, path));
    const std::string_view bytes = mapped.bytes();
    if (header)
      out_.headers[path.str()] =
          cut_header(bytes, serves_other_systems(path.str()) ? Branches::kAll : Branches::kOfThisSystem);
    else if (module) out_.modules[path.str()] = read_module(bytes);
    else if (kind) whole(path, *kind, bytes);
    else shared(path, bytes);
    return {};
  }

  void whole(const TreePath& path, Kind kind, std::string_view bytes) {
    OfferedFile& file = out_.files[path.str()];
    file.kind = kind;
    file.digest = short_digest(bytes);
    file.apart = file.digest;
    if (kind == Kind::kM4) file.names = m4_names(bytes);
    if (kind == Kind::kCmake || kind == Kind::kCmakeVersion) file.names = cmake_names(path);
    if (kind == Kind::kCmake) file.apart = short_digest(without(std::string(bytes), out_.version));
    if (kind == Kind::kCmakeVersion) {
      file.apart = short_digest(without_numbers(bytes));
      file.by_minor = bytes.find("CVF_VERSION_MINOR") != std::string_view::npos;
    }
  }

  void shared(const TreePath& path, std::string_view bytes) {
    const bool by_name = is_library_name(path.name());
    if (is_elf(bytes)) {
      auto elf = read_elf(bytes);
      if (elf && elf->dynamic && elf->has_sections) {
        if (elf->type != ET_DYN || (elf->soname.empty() && !by_name)) return;
        OfferedLibrary& library = out_.libraries[elf->soname.empty() ? path.str() : elf->soname];
        for (const ElfSymbol& symbol : elf->exports)
          for (std::string& text : export_texts({symbol})) library.exports[symbol.name].insert(std::move(text));
        for (const ElfSymbol& symbol : elf->imports) library.imports.insert(symbol.name);
        library.needed.insert(elf->needed.begin(), elf->needed.end());
        return;
      }
    }
    if (by_name) whole(path, Kind::kWhole, bytes);
  }

  void link(const TreeEntry& entry) {
    const TreePath& path = entry.path;
    const bool library = is_library_name(path.name());
    const std::optional<Kind> kind = kind_of(path);
    const bool header = !library && !kind && is_header(path.str());
    if (!library && !kind && !header && !path.name().ends_with(".pc")) return;
    if (header) links_.emplace(path.str(), target_of(path.str(), entry.link_target));
    OfferedFile& file = out_.files[path.str()];
    file.kind = kind.value_or(library ? Kind::kLibraryLink : Kind::kWhole);
    // The target of a library's link bears a version; what it leads to is said by the library itself.
    file.digest = file.apart = library ? 1 : short_digest("link " + entry.link_target);
    if (kind == Kind::kCmake || kind == Kind::kCmakeVersion) file.names = cmake_names(path);
  }

  /// Where below the tree a link leads to, without ".."; empty: out of it.
  static std::string target_of(std::string_view link, std::string_view target) {
    if (target.starts_with('/')) return std::string(target.substr(1));
    std::vector<std::string_view> parts;
    const std::string whole = fmt::format("{}/{}", link.substr(0, link.rfind('/')), target);
    for (std::string_view rest = whole; !rest.empty();) {
      const std::string_view part = rest.substr(0, rest.find('/'));
      rest.remove_prefix(std::min(rest.size(), part.size() + 1));
      if (part.empty() || part == ".") continue;
      if (part != "..") parts.push_back(part);
      else if (parts.empty()) return {};
      else parts.pop_back();
    }
    return fmt::format("{}", fmt::join(parts, "/"));
  }

  /// A link to a header of the tree, or to a folder of them, is that under another name.
  void follow_links() {
    constexpr int kMostLinks = 40;
    for (const auto& [path, target] : links_) {
      std::string_view at = target;
      for (int i = 0; i < kMostLinks; ++i)
        if (const auto next = links_.find(at); next != links_.end()) at = next->second;
      const auto found = out_.headers.find(std::string(at));
      if (links_.contains(at)) continue;
      const bool known = found == out_.headers.end() ? link_folder(path, at) : link_header(path, found->second);
      if (known) out_.files.erase(path);
    }
  }

  bool link_header(const std::string& path, HeaderItems items) {
    out_.headers.emplace(path, std::move(items));
    return true;
  }

  /// The headers in a folder by the name of a link to it; false when there are none, or too many.
  bool link_folder(const std::string& path, std::string_view folder) {
    constexpr std::size_t kMostHeaders = 20'000;  // in all
    const std::string inside = std::string(folder) + "/";
    if (folder.empty() || path.starts_with(inside)) return false;
    std::vector<std::pair<std::string, HeaderItems>> found;
    for (auto at = out_.headers.lower_bound(inside); at != out_.headers.end() && at->first.starts_with(inside); ++at) {
      if (linked_ + found.size() >= kMostHeaders) return false;
      found.emplace_back(path + "/" + at->first.substr(inside.size()), at->second);
    }
    linked_ += found.size();
    for (auto& [name, items] : found) out_.headers.emplace(std::move(name), std::move(items));
    return !found.empty();
  }

  const PackageTree& tree_;
  bool has_headers_ = false;
  std::size_t linked_ = 0;  ///< Headers by the names of links to their folders.
  Offer out_;
  std::map<std::string, std::string, std::less<>> links_;  ///< Of headers -> what they lead to.
};

}  // namespace

Result<Offer> read_offer(const PackageTree& tree, std::string_view version) { return Collector(tree, version).run(); }

}  // namespace nacre::package
