#include "draft/source_tree.h"

#include "base/text.h"
#include "codec/archive.h"
#include "draft/license.h"

#include <unistd.h>

#include <algorithm>
#include <deque>

namespace nacre::draft {
namespace {

namespace fs = std::filesystem;

std::string_view name_of(std::string_view file) { return file.substr(file.rfind('/') + 1); }

std::ptrdiff_t depth_of(std::string_view file) { return std::count(file.begin(), file.end(), '/'); }

/// Directories of other people's sources, and of what tools leave behind.
bool is_skipped(std::string_view folder) {
  constexpr std::string_view kNames[] = {".git",     ".hg",         ".svn",       "node_modules",
                                         "testdata", "third_party", "__pycache__"};
  return std::find(std::begin(kNames), std::end(kNames), folder) != std::end(kNames);
}

/// Takes files in until there are too many, and texts until they are too long.
class Collector {
 public:
  explicit Collector(SourceTree& out) : out_(out) {}

  bool add_file(std::string file) {
    if (out_.files.size() >= kMaxFiles) {
      remark(fmt::format("more than {} files: the rest was not looked at", kMaxFiles));
      return false;
    }
    out_.files.insert(std::move(file));
    return true;
  }
  bool has_room() const { return bytes_ < kMaxAllTextBytes; }
  void add_text(const std::string& file, std::string text, bool whole) {
    if (!whole && name_of(file) != "configure")
      remark(fmt::format("'{}' is longer than {}: the rest of it was not read", file, human_bytes(kMaxTextBytes)));
    bytes_ += text.size();
    out_.texts[file] = std::move(text);
  }
  void remark(std::string text) {
    auto& remarks = out_.remarks;
    if (std::find(remarks.begin(), remarks.end(), text) == remarks.end()) remarks.push_back(std::move(text));
  }

 private:
  SourceTree& out_;
  std::size_t bytes_ = 0;
};

/// The first kMaxTextBytes of a regular file beneath `root`.
Result<> read_text(const os::Path& root, const std::string& file, Collector& out) {
  const TreePath path = TRY(TreePath::parse(file));
  const os::Fd fd = TRY(os::open_beneath(root, path));
  std::string text(kMaxTextBytes + 1, '\0');
  std::size_t size = 0;
  for (ssize_t got = 1; got > 0 && size < text.size(); size += static_cast<std::size_t>(std::max<ssize_t>(0, got))) {
    got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0) return os::system_error(errno, fmt::format("read '{}'", file));
  }
  const bool whole = size <= kMaxTextBytes;
  text.resize(std::min(size, kMaxTextBytes));
  out.add_text(file, std::move(text), whole);
  return {};
}

/// The directory that all files are in, with its '/'; empty when they are in several.
std::string common_top(const SourceTree& tree) {
  if (tree.files.empty()) return {};
  const std::string& first = *tree.files.begin();
  const std::size_t slash = first.find('/');
  if (slash == std::string::npos) return {};
  const std::string top = first.substr(0, slash + 1);
  const auto inside = [&](const std::string& file) { return file.starts_with(top); };
  return std::all_of(tree.files.begin(), tree.files.end(), inside) ? top : "";
}

void drop_top(SourceTree& tree, std::size_t length) {
  std::set<std::string, std::less<>> files;
  std::map<std::string, std::string, std::less<>> texts;
  for (const std::string& file : tree.files) files.insert(file.substr(length));
  for (auto& [file, text] : tree.texts) texts.emplace(file.substr(length), std::move(text));
  tree.files = std::move(files);
  tree.texts = std::move(texts);
}

std::string stem_of_archive(std::string name) {
  for (const char* end :
       {".gz", ".xz", ".bz2", ".zst", ".lz", ".tar", ".orig", ".tgz", ".txz", ".zip", ".crate", ".gem"})
    if (name.ends_with(end)) name.resize(name.size() - std::string_view(end).size());
  return name;
}

}  // namespace

bool SourceTree::has_folder(std::string_view path) const {
  const std::string start = std::string(path) + "/";
  const auto found = files.lower_bound(start);
  return found != files.end() && found->starts_with(start);
}

const std::string* SourceTree::text(std::string_view file) const {
  const auto found = texts.find(file);
  return found == texts.end() ? nullptr : &found->second;
}

std::vector<std::pair<std::string, const std::string*>> SourceTree::named(std::string_view name) const {
  std::vector<std::pair<std::string, const std::string*>> out;
  for (const auto& [file, text] : texts)
    if (name_of(file) == name) out.emplace_back(file, &text);
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return depth_of(a.first) < depth_of(b.first); });
  return out;
}

bool is_wanted(std::string_view file) {
  constexpr std::string_view kRoot[] = {"configure", "configure.ac", "configure.in",   "Makefile",    "GNUmakefile",
                                        "makefile",  "go.mod",       "pyproject.toml", "setup.cfg",   "setup.py",
                                        "PKG-INFO",  "package.json", "META.json",      "Makefile.PL", "Build.PL",
                                        "VERSION",   "version.txt",  ".version",       "VERSION.txt"};
  constexpr std::string_view kAnywhere[] = {"CMakeLists.txt", "meson.build", "Makefile.am", "Makefile.in",
                                            "Cargo.toml"};
  constexpr std::string_view kNear[] = {"Makefile", "GNUmakefile", "makefile"};
  constexpr std::string_view kVersions[] = {"__init__.py", "_version.py", "__version__.py", "version.py",
                                            "version.rb"};
  const std::ptrdiff_t depth = depth_of(file);
  const std::string_view name = name_of(file);
  const auto is_in = [&](const auto& list) {
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
  };
  const auto ends = [&](std::string_view end) { return name.size() > end.size() && name.ends_with(end); };
  if (depth == 0 && (is_in(kRoot) || ends(".gemspec") || name.starts_with("README") || license_weight(name) > 0.5))
    return true;
  if (depth <= 4 && is_in(kAnywhere)) return true;
  if (depth <= 2 && is_in(kNear)) return true;
  if (depth <= 4 && is_in(kVersions)) return true;
  if (depth <= 2 && ends(".go") && !ends("_test.go")) return true;
  if (depth <= 4 && ends(".pm")) return true;
  return depth <= 3 && (ends(".1") || ends(".8"));  // Manual pages: what a program is, and its switches.
}

Result<SourceTree> read_folder(const os::Path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return Error::make(ErrorKind::kNotFound, "no directory '{}'", folder.string());
  SourceTree out;
  out.folder = fs::weakly_canonical(folder, error).filename().string();
  Collector collector(out);
  std::deque<std::pair<std::string, int>> todo = {{"", 0}};  // Breadth first: what is near the root comes in.
  while (!todo.empty()) {
    const auto [inside, depth] = todo.front();
    todo.pop_front();
    fs::directory_iterator entries(folder / inside, fs::directory_options::skip_permission_denied, error);
    if (error && depth == 0) return os::system_error(error.value(), fmt::format("list '{}'", folder.string()));
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
      const fs::file_status status = entries->symlink_status(error);
      const std::string name = entries->path().filename().string();
      const std::string file = inside.empty() ? name : inside + "/" + name;
      if (fs::is_directory(status) && !is_skipped(name)) {
        if (depth + 1 < kMaxFolders && todo.size() < kMaxFiles) todo.emplace_back(file, depth + 1);
      } else if (fs::is_regular_file(status)) {
        if (!collector.add_file(file)) return out;
      }
    }
    error.clear();
  }
  for (const std::string& file : out.files) {
    if (!is_wanted(file) || !collector.has_room()) continue;
    if (const auto read = read_text(folder, file, collector); !read)
      collector.remark(fmt::format("'{}' was not read: {}", file, read.error().render()));
  }
  return out;
}

Result<SourceTree> read_archive(const os::Path& file) {
  SourceTree out;
  out.folder = stem_of_archive(file.filename().string());
  Collector collector(out);
  std::string current, text;
  bool wanted = false;
  const auto finish = [&] {
    if (!wanted) return;
    const bool whole = text.size() <= kMaxTextBytes;
    text.resize(std::min(text.size(), kMaxTextBytes));
    collector.add_text(current, std::move(text), whole);
    text = {};
    wanted = false;
  };
  codec::TarReader::Visitor visitor;
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    finish();
    const auto path = TreePath::parse(header.path);
    if (header.type != '0' || !path) return {};
    current = path->str();
    const std::size_t slash = current.find('/');
    const std::string below = slash == std::string::npos ? current : current.substr(slash + 1);
    if (depth_of(current) > kMaxFolders) return {};
    if (!collector.add_file(current)) return {};
    wanted = (is_wanted(current) || is_wanted(below)) && collector.has_room();
    return {};
  };
  visitor.on_data = [&](std::string_view bytes) -> Result<> {
    if (wanted && text.size() <= kMaxTextBytes) text.append(bytes.substr(0, kMaxTextBytes + 1 - text.size()));
    return {};
  };
  codec::TarLimits limits;
  limits.max_entries = 1'000'000;
  limits.max_total_bytes = std::uint64_t{8} << 30;
  TRY(codec::read_archive(file, visitor, limits), "reading the archive '{}'", file.string());
  finish();
  if (out.files.empty()) return Error::make(ErrorKind::kInvalid, "no files in the archive '{}'", file.string());
  if (const std::string top = common_top(out); !top.empty()) {
    drop_top(out, top.size());
    out.folder = top.substr(0, top.size() - 1);
  }
  return out;
}

}  // namespace nacre::draft
