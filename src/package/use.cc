#include "package/use.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <utility>

#include "base/ascii.h"
#include "package/dead_branches.h"
#include "package/header_items.h"
#include "package/name_text.h"
#include "package/tree.h"
#include "package/use_configure.h"

namespace nacre::package {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{8} << 30;
/// UseReader's nodes of many files.
constexpr std::uint32_t kAutoconfPool = 1, kDataPool = 2;
/// Stands for what a configure gives to its programs by variables.
constexpr const char* kValues = "values of configure";
/// And for the lines of a program that a variable of it holds.
std::string held_by(std::string_view variable) { return fmt::format("lines of ${}", variable); }
constexpr std::size_t kMostWords = 16u << 20, kMostTexts = 20'000, kMostPairs = 24u << 20, kMostPatterns = 2'000;

bool in_run(char c) { return is_word_character(c) || c == '.' || c == '+' || c == '-'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// A file that is not there to be included by others.
bool is_unit(std::string_view path) {
  static constexpr std::array<std::string_view, 12> kEnds = {".c", ".cc", ".cpp", ".cxx", ".c++", ".C",
                                                             ".m", ".mm", ".S",   ".y",   ".l",   ".cu"};
  return std::any_of(kEnds.begin(), kEnds.end(), [&](auto end) { return path.ends_with(end); });
}

void sort_unique(std::vector<std::uint64_t>& words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
}

/// Programs and packed files, by how they begin.
bool is_packed(std::string_view bytes) {
  static constexpr std::array<std::string_view, 10> kBegins = {"\x1f\x8b",
                                                               "\xfd"
                                                               "7zXZ",
                                                               "\x28\xb5\x2f\xfd",
                                                               "BZh",
                                                               "PK\x03\x04",
                                                               "\x89PNG",
                                                               "\xff\xd8\xff",
                                                               "GIF8",
                                                               "%PDF",
                                                               "LZIP"};
  return std::any_of(kBegins.begin(), kBegins.end(), [&](auto begin) { return bytes.starts_with(begin); });
}

bool is_program(std::string_view bytes) {
  return bytes.starts_with(
             "\x7f"
             "ELF") ||
         bytes.starts_with("!<arch>\n");
}

/// Programs that make something of all that a header says; the first reads sources, too.
constexpr std::array<std::string_view, 12> kReadWhole = {"g-ir-scanner", "bindgen",  "h2ph",   "h2xs",
                                                         "castxml",      "pygccxml", "gccxml", "swig",
                                                         "SWIG",         "c2hs",     "cppyy",  "ctypesgen"};

/// The first argument of each NAME(…) in a text of CMake; in small letters.
void arguments_of(std::string_view text, std::string_view name, std::set<std::string>& out) {
  for (std::size_t i = 0; i + name.size() < text.size(); ++i) {
    if (lower(text.substr(i, 1))[0] != name[0] || lower(text.substr(i, name.size())) != name) continue;
    std::size_t at = i + name.size();
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
    if (at >= text.size() || text[at] != '(') continue;
    ++at;
    while (at < text.size() && std::strchr(" \t\r\n\"", text[at]) != nullptr) ++at;
    std::size_t end = at;
    while (end < text.size() && std::strchr(" \t\r\n\")", text[end]) == nullptr) ++end;
    const std::string_view argument = text.substr(at, end - at);
    if (argument.empty() || argument.find('$') != std::string_view::npos ||
        argument.find('@') != std::string_view::npos)
      out.insert("*");
    else out.insert(lower(argument));
  }
}

bool asks_for_static(std::string_view text) {
  static constexpr std::array<std::string_view, 5> kSigns = {"--static", "STATIC_LIBRARIES", "STATIC_LDFLAGS",
                                                             "static:", "MODULES_STATIC"};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [&](std::string_view sign) { return text.find(sign) != std::string_view::npos; });
}

/// "echo 'int main() {}' | cc ": what it reads includes nothing.
bool is_fed_by_echo(std::string_view line) {
  const std::size_t pipe = line.rfind('|');
  if (pipe == std::string_view::npos) return false;
  const std::size_t echo = std::min(line.substr(0, pipe).rfind("echo "), line.substr(0, pipe).rfind("printf "));
  return echo != std::string_view::npos &&
         line.substr(echo, pipe - echo).find_first_of("$`|;&<#") == std::string_view::npos;
}

/// Whether a compiler is told to print the macros of headers; of none ("cc -dM -E - </dev/null") are its own.
bool prints_macros(std::string_view text) {
  for (const std::string_view sign : {"-dM", "-dD", "-dU"})
    for (std::size_t at = text.find(sign); at != std::string_view::npos; at = text.find(sign, at + 1)) {
      const auto part_of_word = [&](std::size_t i) { return i < text.size() && in_run(text[i]); };
      if (part_of_word(at + 3) || (at > 0 && part_of_word(at - 1))) continue;
      const std::size_t begin = text.rfind('\n', at) + 1, end = text.find('\n', at);
      if (text.substr(begin, end - begin).find("/dev/null") != std::string_view::npos) continue;
      if (!is_fed_by_echo(text.substr(begin, at - begin))) return true;
    }
  return false;
}

}  // namespace

bool Use::has(std::uint64_t word) const { return std::binary_search(words.begin(), words.end(), word); }
bool Use::has(std::string_view word) const { return has(word_hash(word)); }

std::span<const std::uint32_t> Use::files_of(std::uint64_t word) const {
  const auto found = std::lower_bound(words.begin(), words.end(), word);
  if (where_begin.empty() || found == words.end() || *found != word) return {};
  const std::size_t at = static_cast<std::size_t>(found - words.begin());
  return std::span(where).subspan(where_begin[at], where_begin[at + 1] - where_begin[at]);
}

bool Use::scripts_have(std::string_view word) const {
  const std::span<const std::uint32_t> in = files_of(word_hash(word));
  return std::any_of(in.begin(), in.end(), [&](std::uint32_t file) { return files[file].script; });
}

void Use::put_all_together() {
  files.assign(1, UseFile{});
  files[0].script = files[0].unit = files[0].computed = true;
  files[0].pastes = pastes;
  includes.clear();
  where.assign(words.size(), 0);
  where_begin.clear();
  for (std::uint32_t i = 0; i <= words.size(); ++i) where_begin.push_back(i);
}

std::string plain_include(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const std::string_view part : parts) {
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

void UseReader::see(std::string_view path, std::uint32_t node) {
  by_base_[std::string(base_of(path))].emplace_back(path, node);
}

void UseReader::add_link(std::string_view path, std::string_view target, bool to_directory) {
  const std::string_view base = base_of(target);
  if (to_directory || !std::all_of(base.begin(), base.end(), in_run)) {
    links_ = true;
    return;
  }
  if (path.find(".so") != std::string_view::npos) return;
  const std::uint32_t node = static_cast<std::uint32_t>(nodes_.size());
  Node& made = nodes_.emplace_back();
  made.path = path;
  made.file.told = true;
  made.includes.push_back({std::string(base), false, false});
  see(path, node);
}

void UseReader::add(std::string_view path, std::string_view bytes) {
  if (is_program(bytes)) {
    if (bytes.find(".debug_line") != std::string_view::npos) out_.lines = true;
    return;
  }
  if (is_packed(bytes)) return;
  switch (text_kind(path, bytes)) {
    case TextKind::kCode: add_code(path, bytes); break;
    case TextKind::kScript: add_script(path, bytes, 0); break;
    case TextKind::kAutoconf: add_script(path, bytes, kAutoconfPool); break;
    case TextKind::kData: add_script(path, bytes, kDataPool); break;
    case TextKind::kConfigure: add_configure(path, bytes); break;
    case TextKind::kProse:
    case TextKind::kDepends: see(path, kNoNode); break;
  }
}

void UseReader::add_code(std::string_view path, std::string_view bytes) {
  const std::string_view name = base_of(path);
  const std::uint32_t at = static_cast<std::uint32_t>(nodes_.size());
  Node& node = nodes_.emplace_back();
  node.path = path;
  node.file.unit = is_unit(name);
  Source source = read_source(name, bytes, branches_);
  for (SourceInclude& include : source.includes)
    if (include.path.empty()) node.file.computed = true;
    else node.includes.push_back({std::move(include.path), include.quoted, include.always});
  node.file.pastes = !source.pastes.empty();
  pastes_.insert(std::make_move_iterator(source.pastes.begin()), std::make_move_iterator(source.pastes.end()));
  // A template becomes what configure or CMake make of it.
  scan_source(source, name.ends_with(".in") || name.ends_with(".tmpl"), node);
  close(node);
  see(path, at);
}

/// Its words, where #includes stand among them, and which are macros of it.
void UseReader::scan_source(const Source& source, bool builds, Node& node) {
  scan(source.code, builds, Words::kAll, node.words);
  scan(source.ahead, false, Words::kAll, node.ahead);
  scan(source.between, false, Words::kAll, node.between);
  for (const std::string& name : source.defines) node.defines.push_back(word_hash(name));
  for (const std::vector<std::uint64_t>* words : {&node.ahead, &node.between, &node.defines})
    node.words.insert(node.words.end(), words->begin(), words->end());
  node.file.told = true;
}

void UseReader::add_script(std::string_view path, std::string_view bytes, std::uint32_t at) {
  const std::string_view name = base_of(path);
  version_texts_.add(name, bytes);
  // aclocal.m4 holds all of pkg.m4; what of it is used stands in configure.
  if (!name.ends_with(".m4") && asks_for_static(bytes)) out_.links_static = true;
  if (name.starts_with("CMakeLists") || name.find(".cmake") != std::string_view::npos) {
    arguments_of(bytes, "find_package", sought_);
    arguments_of(bytes, "find_dependency", sought_);
    arguments_of(bytes, "pkg_check_modules", prefixes_);
    arguments_of(bytes, "pkg_search_module", prefixes_);
  }
  if (out_.whole.empty() && prints_macros(bytes)) out_.whole = "-dM";
  forced_includes(name, bytes);
  const bool own = at == kNoNode;
  if (name.starts_with("configure.")) folders_of_autoconf_.emplace(path.substr(0, path.rfind('/') + 1));
  if (own) {
    at = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back();
    nodes_[at].path = path;
  }
  Node& node = nodes_[at];
  node.file.script = true;
  Source source = read_source("script", bytes);
  // What a variable names there stands among its words.
  for (SourceInclude& include : source.includes)
    if (!include.path.empty()) node.includes.push_back({std::move(include.path), include.quoted, false});
  std::vector<std::uint64_t> words;
  scan(bytes, true, Words::kAll, own ? node.words : words);
  sort_unique(words);
  node.words.insert(node.words.end(), words.begin(), words.end());
  if (own || node.words.size() > kMostPairs) close(node);
  see(path, own ? at : kNoNode);
}

/// The programs of a configure see the headers that each of them names; the rest of it is not compiled.
void UseReader::add_configure(std::string_view path, std::string_view bytes) {
  const std::string folder(path.substr(0, path.rfind('/') + 1));
  if (!is_from_autoconf(bytes)) {
    add_script(path, bytes, kNoNode);
    return;
  }
  folders_of_configure_.insert(folder);
  add_script(path, bytes, kDataPool);
  const ConfigurePrograms made = programs_of(bytes);
  const std::string name = std::string(path) + "/";  // no file of the tree: nobody includes it
  const auto add_text = [&](const ConfigurePrograms::Text& text, std::string_view called) {
    nodes_.emplace_back();
    Node& node = nodes_.back();
    node.path = name + std::string(called);
    // Most programs name no header at all, or those of the language: these are held together.
    node.file.unit = called.empty();
    Source source = read_source("conftest", text.text);
    for (SourceInclude& include : source.includes)
      if (!include.path.empty()) node.includes.push_back({std::move(include.path), include.quoted, include.always});
    node.file.pastes = !source.pastes.empty();
    pastes_.insert(source.pastes.begin(), source.pastes.end());
    scan_source(source, false, node);
    for (const std::string_view held : text.brings) node.includes.push_back({held_by(held), false, false});
    // What another variable brings may include anything that the values name.
    if (text.takes_values) node.includes.push_back({kValues, false, false});
    close(node);
  };
  for (const ConfigurePrograms::Text& program : made.programs) add_text(program, "");
  for (const auto& [variable, texts] : made.held)
    for (const ConfigurePrograms::Text& text : texts) {
      add_text(text, held_by(variable));
      see(nodes_.back().path, static_cast<std::uint32_t>(nodes_.size() - 1));
    }
  nodes_.emplace_back();
  Node& node = nodes_.back();
  node.path = name + std::string(kValues);
  node.file.script = true;
  scan(made.values, false, Words::kAll, node.words);
  for (const std::string_view held : made.values_bring) node.includes.push_back({held_by(held), false, false});
  close(node);
  see(node.path, static_cast<std::uint32_t>(nodes_.size() - 1));
}

/// -include FILE and -imacros FILE of a compiler; "-include FILE" at the beginning of a line is make's own. What cannot
/// be told puts all before all.
void UseReader::forced_includes(std::string_view name, std::string_view text) {
  for (const std::string_view sign : {"precompile_headers", "c_pch", "cpp_pch"})
    if ((name.starts_with("meson") || name.find("CMake") != std::string_view::npos || name.ends_with(".cmake")) &&
        text.find(sign) != std::string_view::npos)
      unknown_ = true;
  for (const std::string_view flag : {"-include", "-imacros"})
    for (std::size_t at = text.find(flag); at != std::string_view::npos; at = text.find(flag, at + 1)) {
      std::size_t from = at + flag.size();
      if ((from < text.size() && in_run(text[from])) || (at > 0 && in_run(text[at - 1]))) continue;
      const std::size_t line = text.rfind('\n', at) + 1;
      const bool begins = text.substr(line, at - line).find_first_not_of(" \t") == std::string_view::npos;
      const bool goes_on = line >= 2 && text[line - 2] == '\\';
      while (from < text.size() && std::strchr(" \t,;'\"", text[from]) != nullptr) ++from;
      std::size_t end = from;
      while (end < text.size() && std::strchr(" \t\r\n,;'\")", text[end]) == nullptr) ++end;
      const std::string_view file = text.substr(from, end - from);
      const std::string_view base = base_of(file);
      const bool plain = !base.empty() && std::all_of(base.begin(), base.end(), in_run);
      const bool header =
          plain && (base.find(".h") != std::string_view::npos || base.find(".pch") != std::string_view::npos);
      if (header) forced_.push_back({std::string(base), false, false});
      else if (!begins || goes_on) unknown_ = true;
    }
}

std::vector<std::string> UseReader::included() {
  std::set<std::string> texts;
  for (const Node& node : nodes_)
    for (const RawInclude& include : node.includes) {
      bool own = false;
      (void)meant(include, node.path, own, &texts);
    }
  std::vector<std::string> out;
  for (const std::string& path : texts)
    if (told_.insert(path).second) out.push_back(path);
  return out;
}

void UseReader::add_included(std::string_view path, std::string_view bytes) {
  if (is_program(bytes) || is_packed(bytes)) return;
  add_code(path, bytes);
}

void UseReader::add_finder(std::string_view bytes) { scan(bytes, false, Words::kFinder, finder_words_); }

/// What is kept of a file that was read.
void UseReader::close(Node& node) {
  for (std::vector<std::uint64_t>* words : {&node.words, &node.defines, &node.ahead, &node.between}) {
    sort_unique(*words);
    pairs_ += words->size();
  }
  if (pairs_ < kMostPairs) return;
  // Too many to be told apart.
  unknown_ = true;
  pairs_ = 0;
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    std::vector<std::uint64_t> words = std::exchange(nodes_[i].words, {});
    nodes_[0].words.insert(nodes_[0].words.end(), words.begin(), words.end());
  }
  sort_unique(nodes_[0].words);
  if (nodes_[0].words.size() > kMostWords) full_ = true;
}

void UseReader::scan(std::string_view text, bool builds, Words which, std::vector<std::uint64_t>& into) {
  for (std::size_t at = 0; at < text.size() && !full_;) {
    if (!in_run(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && in_run(text[end])) ++end;
    const std::string_view run = text.substr(at, end - at);
    take(run, builds, which, into);
    // "\nfoo", "%sfoo": the letter belongs to what stands before it.
    if (at > 0 && (text[at - 1] == '\\' || text[at - 1] == '%')) take(run.substr(1), builds, which, into);
    at = end;
    if (into.size() > 2 * kMostWords) {
      sort_unique(into);
      if (into.size() > kMostWords) full_ = true;
    }
  }
}

void UseReader::take(std::string_view run, bool builds, Words which, std::vector<std::uint64_t>& into) {
  std::size_t pieces = 0;
  for (std::size_t at = 0; at < run.size();) {
    if (!is_word_character(run[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < run.size() && is_word_character(run[end])) ++end;
    const std::string_view word = run.substr(at, end - at);
    ++pieces;
    at = end;
    if (is_digit(word[0])) {
      if (word.size() <= 3) into.push_back(word_hash(word));
      continue;
    }
    const bool version = word.size() >= 7 && word.size() < 200 && lower(word).find("version") != std::string::npos;
    if (which == Words::kFinder && version) continue;
    if (version && builds && versions_.size() <= kMostTexts) versions_.insert(lower(word));
    into.push_back(word_hash(word));
  }
  while (!run.empty() && !is_word_character(run.front())) run.remove_prefix(1);
  while (!run.empty() && (run.back() == '.' || run.back() == '-')) run.remove_suffix(1);
  if (run.size() > 256 || run.empty() || (pieces < 2 && run.back() != '+')) return;
  if (is_digit(run[0]) && std::none_of(run.begin(), run.end(), [](char c) { return is_letter(c) || c == '_'; })) return;
  into.push_back(word_hash(run));
}

/// The files that an #include may mean; `own`: one that lies beside the includer, found first. `texts` gets those of
/// them that are no sources.
std::vector<std::uint32_t> UseReader::meant(const RawInclude& include, std::string_view includer, bool& own,
                                            std::set<std::string>* texts) const {
  std::vector<std::uint32_t> out;
  own = false;
  const std::string plain = plain_include(include.path);
  const auto found = by_base_.find(std::string(base_of(plain)));
  if (found == by_base_.end()) return out;
  const auto take_one = [&](const std::pair<std::string, std::uint32_t>& file) {
    if (file.second != kNoNode) out.push_back(file.second);
    else if (texts != nullptr) texts->insert(file.first);
  };
  if (include.quoted) {
    const std::string beside = plain_include(std::string(includer.substr(0, includer.rfind('/') + 1)) + include.path);
    for (const auto& file : found->second)
      if (file.first == beside) {
        own = true;
        take_one(file);
      }
    if (own) return out;
  }
  // Through links, and upwards from a folder that is not known, any file of that name.
  const bool by_name = links_ || include.path.starts_with('/') || include.path.find("..") != std::string::npos;
  for (const auto& file : found->second)
    if (by_name || file.first == plain || file.first.ends_with("/" + plain)) take_one(file);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

/// Puts the files with their #includes into the answer, and where each word stands.
void UseReader::resolve(Use& out) {
  std::map<std::string, std::uint32_t> paths;
  for (const Node& node : nodes_)
    for (const RawInclude& include : node.includes) paths.emplace(plain_include(include.path), 0);
  for (const RawInclude& include : forced_) paths.emplace(plain_include(include.path), 0);
  for (auto& [path, number] : paths) {
    number = static_cast<std::uint32_t>(out.includes.size());
    out.includes.push_back(path);
  }
  const auto place = [&](std::uint64_t word) {
    return static_cast<std::size_t>(std::lower_bound(out.words.begin(), out.words.end(), word) - out.words.begin());
  };
  for (Node& node : nodes_) {
    std::set<std::uint32_t> had;
    const auto put = [&](const RawInclude& raw) {
      UseInclude include;
      include.path = paths.at(plain_include(raw.path));
      include.always = raw.always;
      include.files = meant(raw, node.path, include.own, nullptr);
      if (had.insert(include.path).second || include.always) node.file.includes.push_back(std::move(include));
    };
    if (!node.file.script)
      for (const RawInclude& raw : forced_) put(raw);
    // Those stand before all of the file.
    if (!forced_.empty()) node.file.told = false;
    for (const RawInclude& raw : node.includes) put(raw);
    const auto places = [&](const std::vector<std::uint64_t>& words, std::vector<std::uint32_t>& to) {
      for (const std::uint64_t word : words) to.push_back(static_cast<std::uint32_t>(place(word)));
    };
    places(node.defines, node.file.defines);
    places(node.ahead, node.file.ahead);
    places(node.between, node.file.between);
    out.files.push_back(std::move(node.file));
  }
  std::vector<std::uint32_t> count(out.words.size() + 1, 0);
  for (const Node& node : nodes_)
    for (const std::uint64_t word : node.words) ++count[place(word) + 1];
  for (std::size_t i = 1; i < count.size(); ++i) count[i] += count[i - 1];
  out.where_begin = count;
  out.where.resize(count.back());
  for (std::uint32_t i = 0; i < nodes_.size(); ++i)
    for (const std::uint64_t word : nodes_[i].words) out.where[count[place(word)]++] = i;
}

Result<Use> UseReader::finish() {
  for (const std::string& name : sought_) nodes_[0].words.push_back(word_hash("cmake:" + name));
  // A finder names programs that nobody runs but who looks for them.
  std::vector<std::uint64_t> named = nodes_[0].words;
  for (std::size_t i = 1; i < nodes_.size(); ++i)
    if (nodes_[i].file.script) named.insert(named.end(), nodes_[i].words.begin(), nodes_[i].words.end());
  sort_unique(named);
  for (const std::string_view program : kReadWhole)
    if (out_.whole.empty() &&
        (std::binary_search(named.begin(), named.end(), word_hash(program)) || sought_.contains(lower(program))))
      out_.whole = std::string(program);
  nodes_[0].words.insert(nodes_[0].words.end(), finder_words_.begin(), finder_words_.end());
  nodes_[kDataPool].file.asks = true;
  // Where a configure was made of each configure.ac, it has all of that.
  nodes_[kAutoconfPool].file.asks =
      !folders_of_configure_.empty() && std::includes(folders_of_configure_.begin(), folders_of_configure_.end(),
                                                      folders_of_autoconf_.begin(), folders_of_autoconf_.end());
  for (std::size_t i = 0; i < kPools; ++i) {
    nodes_[i].file.script = true;
    close(nodes_[i]);
  }
  for (const Node& node : nodes_) out_.words.insert(out_.words.end(), node.words.begin(), node.words.end());
  sort_unique(out_.words);
  if (out_.words.size() > kMostWords || full_)
    return Error::make(ErrorKind::kInvalid, "more than {} different words", kMostWords);
  if (pastes_.size() > kMostPatterns) pastes_ = {std::string(kAnyPaste)};
  out_.paste_patterns.assign(pastes_.begin(), pastes_.end());
  for (const Node& node : nodes_) {
    out_.pastes = out_.pastes || node.file.pastes;
    out_.computed_includes = out_.computed_includes || node.file.computed;
  }
  if (unknown_) out_.put_all_together();
  else resolve(out_);
  for (const std::string& prefix : prefixes_)
    if (prefix == "*" || versions_.contains(prefix + "_version")) out_.asks_versions = true;
  if (versions_.size() > kMostTexts) out_.asks_versions = true;
  out_.versions.assign(versions_.begin(), versions_.end());
  put_versions(out_);
  return std::move(out_);
}

void UseReader::put_versions(Use& out) {
  version_texts_.finish();
  out.taken.assign(version_texts_.taken.begin(), version_texts_.taken.end());
  std::map<std::string_view, std::uint32_t> near;
  const auto note = [&](const std::set<std::string>& words) {
    for (const std::string& word : words) near.emplace(word, 0);
  };
  for (const auto& [number, words] : version_texts_.numbers) note(words);
  note(version_texts_.by_variable);
  if (version_texts_.numbers.size() > kMostTexts || near.size() > kMostTexts) {
    out.asks_versions = true;
    return;
  }
  for (auto& [word, number] : near) {
    number = static_cast<std::uint32_t>(out.near.size());
    out.near.emplace_back(word);
  }
  const auto numbers_of = [&](const std::set<std::string>& words) {
    std::vector<std::uint32_t> all;
    for (const std::string& word : words) all.push_back(near.at(word));
    return all;
  };
  for (const auto& [number, words] : version_texts_.numbers) {
    out.numbers.push_back(number);
    out.near_number.push_back(numbers_of(words));
  }
  out.by_variable = numbers_of(version_texts_.by_variable);
}

namespace {

/// Whether a root has a compiler that makes programs for other systems.
bool compiles_for_others(const os::Path& root) {
  for (const char* folder : {"usr/bin", "bin", "usr/local/bin"}) {
    std::error_code error;
    for (const auto& program : std::filesystem::directory_iterator(root / folder, error))
      if (serves_other_systems(program.path().filename().string())) return true;
  }
  return false;
}

}  // namespace

Result<Use> read_use(std::span<const os::Path> trees, std::span<const os::Path> roots,
                     const std::optional<os::ReadMark>& mark) {
  UseReader reader;
  if (std::any_of(roots.begin(), roots.end(), compiles_for_others)) reader.read_all_branches();
  std::uint64_t left = kMostBytes;
  for (std::size_t i = 0; i < trees.size(); ++i) {
    const os::Path& tree = trees[i];
    if (!os::exists(tree)) continue;
    const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(tree));
    for (const os::TreeEntry& entry : entries) {
      const std::string path = fmt::format("{}/{}", i, entry.path.str());
      if (entry.type == os::FileType::kSymlink) {
        std::error_code error;
        // What lies outside of the tree, nobody knows here.
        const bool folder = entry.link_target.starts_with('/')
                                ? base_of(entry.link_target).find('.') == std::string_view::npos
                                : std::filesystem::is_directory(tree / entry.path.str(), error);
        reader.add_link(path, entry.link_target, folder);
      }
      if (entry.type != os::FileType::kRegular) continue;
      if (mark && !os::was_read(tree / entry.path.str(), *mark)) continue;
      if (entry.size_bytes > left)
        return Error::make(ErrorKind::kInvalid, "'{}' holds more than {} bytes", tree.string(), kMostBytes);
      left -= entry.size_bytes;
      const MappedFile mapped = TRY(MappedFile::open(tree, entry.path));
      reader.add(path, mapped.bytes());
    }
  }
  for (std::vector<std::string> more = reader.included(); !more.empty(); more = reader.included())
    for (const std::string& path : more) {
      const std::size_t slash = path.find('/');
      const os::Path& tree = trees[static_cast<std::size_t>(std::stoul(path.substr(0, slash)))];
      const TreePath inside = TRY(TreePath::parse(path.substr(slash + 1)));
      const MappedFile mapped = TRY(MappedFile::open(tree, inside));
      reader.add_included(path, mapped.bytes());
    }
  if (!reader.sought().empty()) {
    const bool any = reader.sought().contains("*");
    for (const os::Path& root : roots) {
      std::error_code error;
      for (const auto& share : std::filesystem::directory_iterator(root / "usr" / "share", error)) {
        if (!share.path().filename().string().starts_with("cmake")) continue;
        const os::Path folder = share.path() / "Modules";
        if (!os::exists(folder)) continue;
        const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(folder));
        for (const os::TreeEntry& entry : entries) {
          const std::string name = lower(entry.path.name());
          if (entry.type != os::FileType::kRegular || !name.starts_with("find") || !name.ends_with(".cmake")) continue;
          if (!any && !reader.sought().contains(name.substr(4, name.size() - 10))) continue;
          const std::string text = TRY(os::read_beneath(folder, entry.path));
          reader.add_finder(text);
        }
      }
    }
  }
  return reader.finish();
}

}  // namespace nacre::package
