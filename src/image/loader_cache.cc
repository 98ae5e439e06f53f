#include "image/top.h"

#include "base/ascii.h"
#include "base/little_endian.h"
#include "base/text.h"
#include "codec/digest.h"
#include "image/library.h"
#include "store/store.h"

#include <fnmatch.h>

#include <algorithm>
#include <set>

// etc/ld.so.cache, as `ldconfig` would write it after an installation; glibc's loader reads it.
namespace nacre::image {
namespace {

using codec::Json;

constexpr std::string_view kConfiguration = "etc/ld.so.conf";
constexpr std::string_view kState = "library-name";   ///< State: .apk and path -> machine and soname.
constexpr std::uint64_t kMaxLibraryBytes = std::uint64_t{1} << 30;
constexpr int kMaxIncludes = 8;
constexpr std::uint32_t kLibc6 = 3;

/// What glibc adds to an entry's flags for a machine (sysdeps/…/ldconfig.h); 0 for none.
std::uint32_t machine_flag(int machine) {
  switch (machine) {
    case 62: return 0x0300;   // x86_64
    case 183: return 0x0a00;  // aarch64
    case 22: return 0x0400;   // s390x
    case 21: return 0x0500;   // powerpc64
    case 40: return 0x0900;   // arm, hard float
    case 243: return 0x1000;  // riscv64, double float
    case 258: return 0x1200;  // loongarch64, double float
    default: return 0;
  }
}

/// The order in which the loader searches: runs of digits by value, a digit after anything else.
int compare_libraries(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      std::uint64_t x = 0, y = 0;
      for (; i < a.size() && is_digit(a[i]); ++i) x = x * 10 + static_cast<std::uint64_t>(a[i] - '0');
      for (; j < b.size() && is_digit(b[j]); ++j) y = y * 10 + static_cast<std::uint64_t>(b[j] - '0');
      if (x != y) return x < y ? -1 : 1;
    } else if (is_digit(a[i]) || is_digit(b[j])) {
      return is_digit(a[i]) ? 1 : -1;
    } else if (a[i] != b[j]) {
      return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]) ? -1 : 1;
    } else {
      ++i;
      ++j;
    }
  }
  const std::size_t left = a.size() - i, right = b.size() - j;
  return left < right ? -1 : left > right ? 1 : 0;
}

std::string le32(std::uint32_t value) {
  std::string out;
  append_little_endian(out, value, 4);
  return out;
}

struct Library {
  std::string path;     ///< "/lib/libz.so.1"
  std::uint32_t flags = 0;
  std::string_view name() const { return std::string_view(path).substr(path.rfind('/') + 1); }
};

class Cache {
 public:
  Cache(TopLayer& top, const std::vector<PackageContents>& packages, Env& env)
      : top_(top), packages_(packages), env_(env) {}

  Result<std::string> make() {
    std::vector<std::string> folders = {"/lib"};
    TRY(read_configuration(std::string(kConfiguration), folders, 0));
    TRY(gather(folders));
    std::vector<Library> all;
    for (const std::string& folder : folders) TRY(scan(folder, all));
    std::stable_sort(all.begin(), all.end(), [](const Library& a, const Library& b) {
      return compare_libraries(a.name(), b.name()) > 0;
    });
    return write(all);
  }

 private:
  /// Folders of the configuration; what follows the first include counts no more, as in the field.
  Result<> read_configuration(const std::string& file, std::vector<std::string>& folders, int depth) {
    if (depth > kMaxIncludes) return {};
    const std::string text = TRY(top_.read(file, env_));
    std::vector<std::string> own;
    for (const std::string& raw : split(text, '\n')) {
      const std::string line(trim(raw.substr(0, raw.find('#'))));
      if (line.empty()) continue;
      if (!line.starts_with("include ")) {
        if (std::find(own.begin(), own.end(), line) == own.end()) own.push_back(line);
        continue;
      }
      std::string pattern(trim(line.substr(8)));
      while (pattern.starts_with('/')) pattern.erase(0, 1);
      folders.insert(folders.end(), own.begin(), own.end());
      std::vector<std::string> found;
      // What a pattern finds begins with its folders up to the first sign that stands for others.
      const std::string plain = pattern.substr(0, pattern.find_first_of("*?[\\"));
      const std::string in = parent_of(plain);
      auto at = top_.tree().nodes.lower_bound(in);
      for (; at != top_.tree().nodes.end() && (at->first == in || is_beneath(at->first, in)); ++at)
        if (at->second.type != '5' && ::fnmatch(pattern.c_str(), at->first.c_str(), FNM_PATHNAME) == 0)
          found.push_back(at->first);
      for (const std::string& path : found) TRY(read_configuration(path, folders, depth + 1));
      return {};
    }
    folders.insert(folders.end(), own.begin(), own.end());
    return {};
  }

  /// Names in a folder, links of the folder itself followed.
  Result<std::vector<std::string>> names_in(const std::string& folder) const {
    std::vector<std::string> out;
    const auto path = TreePath::parse(folder);
    if (!path) return out;
    const std::string at = TRY(top_.tree().resolved(path->str(), Last::kFollow));
    auto node = top_.tree().nodes.upper_bound(at);
    for (; node != top_.tree().nodes.end() && is_beneath(node->first, at); ++node) {
      const std::string_view name = std::string_view(node->first).substr(at.empty() ? 0 : at.size() + 1);
      if (name.find('/') == std::string_view::npos && !library_stem(name).empty()) out.push_back(node->first);
    }
    return out;
  }

  const Node* file_at(const std::string& path) const {
    const auto at = top_.tree().resolved(path, Last::kFollow);
    const Node* node = at ? top_.tree().find(*at) : nullptr;
    return node != nullptr && node->type == '0' ? node : nullptr;
  }

  const ContentEntry& entry_of(const Node& node) const {
    const std::vector<ContentEntry>& entries = packages_[static_cast<std::size_t>(node.package)].entries;
    const ContentEntry& entry = entries[node.entry];
    if (entry.type != '1') return entry;
    const auto target =
        std::find_if(entries.begin(), entries.end(), [&](const ContentEntry& e) { return e.path == entry.link; });
    return target == entries.end() ? entry : *target;
  }

  std::string key_of(const Node& node, const ContentEntry& entry) const {
    return packages_[static_cast<std::size_t>(node.package)].apk.hex() + " " + entry.path;
  }

  /// What was not told while the packages were read (a library under another name, or an enormous one) is read once,
  /// ever: extracted, a package at a time.
  Result<> gather(const std::vector<std::string>& folders) {
    std::map<int, std::set<std::string>> unknown;
    for (const std::string& folder : folders) {
      const std::vector<std::string> names = TRY(names_in(folder));
      for (const std::string& path : names) {
        const Node* node = file_at(path);
        if (node == nullptr || node->package < 0 || node->content) continue;
        const ContentEntry& entry = entry_of(*node);
        const std::string key = key_of(*node, entry);
        if (entry.library || probes_.contains(key)) continue;
        const auto kept = TRY(env_.store.state().get(kState, key));
        if (kept) {
          const Json json = TRY(codec::parse_json(*kept, "a kept library name"));
          probes_[key] = {static_cast<int>(json["machine"].as_int()), json["soname"].as_string()};
        } else {
          unknown[node->package].insert(entry.path);
        }
      }
    }
    for (const auto& [package, files] : unknown) TRY(extract(packages_[static_cast<std::size_t>(package)], files));
    return {};
  }

  Result<> extract(const PackageContents& package, const std::set<std::string>& files) {
    const os::TempDir folder = TRY(scratch(env_));
    const auto found = TRY(extract_files(package, {files.begin(), files.end()}, folder.path(), env_));
    for (const auto& [path, file] : found) {
      const std::string bytes = TRY(os::read_file(file, kMaxLibraryBytes));
      const LibraryName name = library_name(bytes);
      const std::string key = package.apk.hex() + " " + path;
      Json json = Json::object({{"machine", name.machine}, {"soname", name.soname}});
      TRY(env_.store.state().put(kState, key, codec::to_json(json)));
      probes_[key] = name;
    }
    return {};
  }

  LibraryName known(const Node& node) const {
    const ContentEntry& entry = entry_of(node);
    if (entry.library) return *entry.library;
    const auto found = probes_.find(key_of(node, entry));
    return found == probes_.end() ? LibraryName() : found->second;
  }

  Result<> scan(const std::string& folder, std::vector<Library>& out) const {
    std::vector<std::string> names = TRY(names_in(folder));
    std::sort(names.begin(), names.end());
    for (const std::string& path : names) {
      const Node* node = file_at(path);
      if (node == nullptr || node->package < 0 || node->content) continue;
      const LibraryName library = known(*node);
      if (library.machine == 0) continue;
      const std::string name = name_of_path(path);
      std::string soname = library.soname;
      if (soname.empty() && name.ends_with(".so")) soname = name;
      const std::string_view stem = library_stem(soname);
      if (stem.empty() || (name != soname && name != std::string(stem) + ".so")) continue;
      std::string at = folder;
      while (at.size() > 1 && at.ends_with('/')) at.pop_back();
      if (!at.starts_with('/')) at = "/" + at;
      out.push_back({at + "/" + name, kLibc6 | machine_flag(library.machine)});
    }
    return {};
  }

  /// Header (48 bytes), entries (24 each: flags, key, value, OS version, hardware), strings, zeros up to a multiple of
  /// 16 (at least one).
  static std::string write(const std::vector<Library>& all) {
    std::string strings, entries;
    const std::size_t base = 48 + 24 * all.size();
    for (const Library& library : all) {
      const auto at = static_cast<std::uint32_t>(base + strings.size());
      const auto name = static_cast<std::uint32_t>(library.path.rfind('/') + 1);
      entries += le32(library.flags) + le32(at + name) + le32(at) + le32(0) + le32(0) + le32(0);
      strings += library.path + '\0';
    }
    std::string out = "glibc-ld.so.cache1.1";
    out += le32(static_cast<std::uint32_t>(all.size())) + le32(static_cast<std::uint32_t>(strings.size()));
    out.append(20, '\0');
    out += entries + strings;
    out.append(16 - out.size() % 16, '\0');
    return out;
  }

  TopLayer& top_;
  const std::vector<PackageContents>& packages_;
  Env& env_;
  std::map<std::string, LibraryName> probes_;   ///< By key_of().
};

}  // namespace

Result<> add_loader_cache(TopLayer& top, const std::vector<PackageContents>& packages, Env& env) {
  if (!top.has_file(kConfiguration)) return {};
  std::string cache = TRY(Cache(top, packages, env).make(), "making etc/ld.so.cache");
  return top.put_file("etc/ld.so.cache", std::move(cache), 0644);
}

}  // namespace nacre::image
