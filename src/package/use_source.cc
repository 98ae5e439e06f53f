#include "package/use_source.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <utility>

#include "base/ascii.h"
#include "package/dead_branches.h"
#include "package/name_text.h"

namespace nacre::package {
namespace {

bool in_word(char c) {
  return is_word_character(c) || c == '$' || (c & 0x80) != 0;
}
/// What a JSON text can hold as it is.
bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f' || c == '\v'; }

bool one_of(std::string_view text, std::span<const std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string_view ending(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot);
}

/// Endings of files in which comments are those of C or C++ for sure.
constexpr std::array<std::string_view, 15> kPlainCode = {".c",   ".h",   ".cc",  ".cpp", ".cxx", ".c++", ".hh", ".hpp",
                                                         ".hxx", ".h++", ".inl", ".C",   ".H",   ".tcc", ".ipp"};

bool is_code(std::string_view name) {
  static constexpr std::array<std::string_view, 28> kEnds = {
      ".inc", ".def", ".y",   ".l",  ".yy",    ".ll",   ".m",   ".mm",  ".xs",  ".cu",  ".S",   ".tmpl", ".sx", ".rl",
      ".F",   ".F90", ".fpp", ".re", ".gperf", ".re2c", ".pyx", ".pxd", ".pxi", ".hsc", ".chs", ".c2hs", ".i",  ".cl"};
  if (name.ends_with(".in")) name.remove_suffix(3);
  return one_of(ending(name), kPlainCode) || one_of(ending(name), kEnds);
}

/// Scripts that autoconf and its kin bring along: what they compile takes nothing of any library.
bool is_helper(std::string_view name, std::string_view bytes) {
  static constexpr std::array<std::string_view, 4> kSigns = {"Free Software Foundation", "X Consortium",
                                                             "mkinstalldirs ---",
                                                             "This file contains any messages produced by compilers"};

  static constexpr std::array<std::string_view, 16> kNames = {
      "config.status", "config.log",    "config.guess", "config.sub", "ltmain.sh", "libtool",
      "depcomp",       "missing",       "install-sh",   "compile",    "mdate-sh",  "ylwrap",
      "test-driver",   "mkinstalldirs", "config.rpath", "texinfo.tex"};
  return one_of(name, kNames) && std::any_of(kSigns.begin(), kSigns.end(),
                                             [&](auto sign) { return bytes.find(sign) != std::string_view::npos; });
}

/// What is known to say how to build, by its name.
bool is_script(std::string_view name) {
  static constexpr std::array<std::string_view, 18> kEnds = {".cmake", ".build", ".mk", ".am", ".mak", ".sh",
                                                             ".py",    ".pl",    ".pm", ".rb", ".tcl", ".lua",
                                                             ".awk",   ".sed",   ".t",  ".rs", ".go",  ".hs"};
  if (name.ends_with(".in")) name.remove_suffix(3);
  return one_of(ending(name), kEnds) || name.find("akefile") != std::string_view::npos;
}

/// Data, and languages whose programs take nothing of headers by name.
bool is_data(std::string_view name) {
  static constexpr std::array<std::string_view, 47> kEnds = {
      ".json", ".xml",  ".yaml", ".yml",  ".toml", ".ini",  ".conf", ".cfg", ".desktop", ".service",
      ".csv",  ".tsv",  ".sql",  ".java", ".js",   ".mjs",  ".cjs",  ".ts",  ".tsx",     ".jsx",
      ".css",  ".scss", ".php",  ".cs",   ".kt",   ".el",   ".vim",  ".ui",  ".qml",     ".vala",
      ".vapi", ".gir",  ".pem",  ".crt",  ".log",  ".lock", ".sum",  ".qrc", ".glade",   ".gradle",
      ".dtd",  ".xsd",  ".xsl",  ".rng",  ".html", ".diff", ".patch"};
  return one_of(ending(name), kEnds);
}

/// What other systems build with, and services that build elsewhere.
bool is_of_others(std::string_view path) {
  static constexpr std::array<std::string_view, 12> kEnds = {
      ".vcxproj", ".vcproj", ".sln", ".bat", ".cmd", ".ps1", ".dsp", ".dsw", ".bp", ".spec", ".plist", ".pbxproj"};
  static constexpr std::array<std::string_view, 6> kNames = {"Android.mk",     "Application.mk", "appveyor.yml",
                                                             ".gitlab-ci.yml", ".travis.yml",    ".cirrus.yml"};
  const std::string_view name = base_of(path);
  return one_of(ending(name), kEnds) || one_of(name, kNames) || path.find("/.github/") != std::string_view::npos ||
         path.starts_with(".github/") || path.find("/.circleci/") != std::string_view::npos;
}

/// What a build system writes for people, or for itself: all of it comes from files that are read by themselves.
bool is_log(std::string_view path) {
  static constexpr std::array<std::string_view, 4> kNames = {"CMakeConfigureLog.yaml", "CMakeOutput.log",
                                                             "CMakeError.log", ".ninja_log"};
  static constexpr std::array<std::string_view, 4> kFolders = {"/meson-logs/", "/meson-private/", "/meson-info/",
                                                               "/autom4te.cache/"};
  return one_of(base_of(path), kNames) || std::any_of(kFolders.begin(), kFolders.end(), [&](std::string_view folder) {
           return path.find(folder) != std::string_view::npos;
         });
}

bool is_prose(std::string_view path) {
  static constexpr std::array<std::string_view, 22> kEnds = {
      ".md",  ".markdown", ".html", ".htm",  ".xhtml", ".po", ".pot", ".gmo", ".rst", ".tex", ".texi",
      ".svg", ".css",      ".info", ".adoc", ".1",     ".3",  ".5",   ".7",   ".8",   ".rtf", ".texinfo"};
  static constexpr std::array<std::string_view, 14> kNames = {"ChangeLog",
                                                              "CHANGES",
                                                              "NEWS",
                                                              "README",
                                                              "Changes",
                                                              "CHANGELOG",
                                                              "AUTHORS",
                                                              "COPYING",
                                                              "LICENSE",
                                                              "LICENCE",
                                                              "THANKS",
                                                              "TO"
                                                              "DO",
                                                              "INSTALL",
                                                              "CREDITS"};
  static constexpr std::array<std::string_view, 6> kFolders = {"doc", "docs", "man", "po", "locale", "LICENSES"};
  static constexpr std::array<std::string_view, 5> kTexts = {".txt", ".xml", ".sgml", ".docbook", ".dbk"};
  const std::string_view name = base_of(path);
  if (name == "CMakeLists.txt" || name.starts_with("meson")) return false;
  if (one_of(ending(name), kEnds)) return true;
  if (one_of(ending(name), kTexts) || ending(name).empty())
    if (std::any_of(kNames.begin(), kNames.end(), [&](auto begin) { return name.starts_with(begin); })) return true;
  if (!one_of(ending(name), kTexts)) return false;
  for (std::size_t from = 0, to; (to = path.find('/', from)) != std::string_view::npos; from = to + 1)
    if (one_of(path.substr(from, to - from), kFolders)) return true;
  return false;
}

/// "foo.o: foo.c /usr/include/zlib.h": written by a compiler.
bool is_depends(std::string_view name, std::string_view bytes) {
  static constexpr std::array<std::string_view, 5> kEnds = {".d", ".Po", ".Plo", ".Tpo", ".dep"};
  if (!one_of(ending(name), kEnds)) return false;
  const std::size_t colon = bytes.substr(0, 4096).find(':');
  if (colon == std::string_view::npos) return bytes.starts_with('#');  // "# dummy"
  const std::string_view target = bytes.substr(0, colon);
  return target.ends_with(".o") || target.ends_with(".lo") || target.ends_with(".obj");
}

/// The text with comments taken out; false when it is not sure where they end.
bool without_comments(std::string_view in, std::string& out) {
  out.clear();
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size();) {
    const char c = in[i];
    if (c == '/' && i + 1 < in.size() && in[i + 1] == '*') {
      const std::size_t end = in.find("*/", i + 2);
      if (end == std::string_view::npos) return false;
      out += ' ';
      // Lines stay lines, but a comment within a directive does not end it.
      i = end + 2;
      continue;
    }
    if (c == '/' && i + 1 < in.size() && (in[i + 1] == '/' || in[i + 1] == '\\')) {
      if (in[i + 1] == '\\') return false;
      while (i < in.size() && in[i] != '\n') i += in[i] == '\\' ? (in.substr(i + 1, 2) == "\r\n" ? 3 : 2) : 1;
      continue;
    }
    if (c == '"' || c == '\'') {
      std::size_t word = i;
      while (word > 0 && in_word(in[word - 1])) --word;
      const bool separator = c == '\'' && word < i && is_digit(in[word]);
      if (c == '"' && i > 0 && in[i - 1] == 'R') return false;  // a raw string
      out += c;
      ++i;
      if (separator) continue;
      while (i < in.size() && in[i] != '\n') {
        out += in[i];
        if (in[i] == '\\' && i + 1 < in.size()) {
          out += in[++i];
          ++i;
          continue;
        }
        if (in[i++] == c) break;
      }
      continue;
    }
    out += c;
    ++i;
  }
  return true;
}

class Lines {
  static constexpr int kUnclear = -1;  ///< Of an #include that stands elsewhere than in a line of its own.

 public:
  Lines(Source& out, Branches branches) : out_(out), all_(branches == Branches::kAll) {}

  /// Whether all of it stands in one guard, or it says that it is to be read once.
  bool guarded() const { return once_ || is_whole_guard(); }
  /// The name that the guard defines; empty: none.
  std::string_view guard() const { return is_whole_guard() ? not_defined_ : std::string_view(); }

  void run() {
    const std::string_view text = out_.text;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t end = at;
      while (end < text.size() && text[end] != '\n') {
        if (text[end] == '\\' && text.substr(end + 1, 1) == "\n") end += 2;
        else if (text[end] == '\\' && text.substr(end + 1, 2) == "\r\n") end += 3;
        else ++end;
      }
      end = std::min(end, text.size());
      line(text.substr(at, end - at));
      at = end + 1;
    }
    const int base = is_whole_guard() ? 1 : 0;
    for (std::size_t i = 0; i < depths_.size(); ++i) out_.includes[i].always = depth_ == 0 && depths_[i] == base;
  }

 private:
  void line(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size() && is_blank(text[at])) ++at;
    const bool directive = at < text.size() && (text[at] == '#' || text.substr(at, 2) == "%:");
    if (!directive) {
      if (branches_.dead()) return;
      keep(text);
      inside(text);
      if (text.find_first_not_of(" \t\r\f\v") == std::string_view::npos) return;
      begun_ = true;
      if (ended_) behind_ = true;
      return;
    }
    at += text[at] == '#' ? 1 : 2;
    while (at < text.size() && (is_blank(text[at]) || text[at] == '\\' || text[at] == '\n')) ++at;
    std::size_t end = at;
    while (end < text.size() && in_word(text[end])) ++end;
    const std::string_view what = text.substr(at, end - at);
    const std::string_view rest = text.substr(end);
    const bool includes = what == "include" || what == "include_next" || what == "import";
    const bool here = what == "endif" || what.starts_with("el") ? !branches_.dead_above() : !branches_.dead();
    if (!all_) branches_.directive(what, rest);
    if (!here) {
      if (what.starts_with("if")) ++depth_;
      else if (what == "endif") --depth_;
      return;
    }
    if (!includes) keep(text);
    if (includes) {
      if (include(rest, depth_)) behind_include();
      else keep(text);
      begun_ = true;
    } else if (what == "define") {
      defines(first_word(rest));
      if (guard_ && depth_ == 1 && first_word(rest) == not_defined_) defined_ = true;
      begun_ = true;
      macro(rest);
    } else if (what.starts_with("if")) {
      if (depth_ == 0 && !begun_ && what == "ifndef") {
        guard_ = true;
        not_defined_ = first_word(rest);
      }
      ++depth_;
      begun_ = true;
      has_include(rest);
    } else if (what == "endif") {
      if (--depth_ == 0 && guard_) ended_ = true;
    } else if (what.starts_with("el")) {
      if (depth_ == 1) other_branch_ = true;
      has_include(rest);
    } else {
      if (what == "pragma" && first_word(rest) == "once" && depth_ == 0) once_ = true;
      if (what == "undef") defines(first_word(rest));
      if (what == "pragma" && !is_quiet(rest)) out_.defines.emplace_back(what);
      inside(text);
      begun_ = true;
    }
    if (ended_ && what != "endif") behind_ = true;
  }

  void keep(std::string_view text) {
    if (text.find("_Pragma") != std::string_view::npos) out_.defines.emplace_back("_Pragma");
    out_.code += text;
    out_.code += '\n';
    since_ += text;
    since_ += '\n';
  }
  void behind_include() {
    (included_ ? out_.between : out_.ahead) += std::exchange(since_, {});
    included_ = true;
  }

  /// A name that a directive makes a macro, or no longer one; where it cannot be told, any.
  void defines(std::string_view name) {
    if (name.empty()) keep(kReachesOn[0]);
    out_.defines.emplace_back(name.empty() ? kReachesOn[0] : name);
  }

  /// A pragma that says nothing to what comes behind it but for warnings.
  static bool is_quiet(std::string_view text) {
    static constexpr std::array<std::string_view, 7> kQuiet = {"once", "warning", "message",  "comment",
                                                               "mark", "region",  "endregion"};
    static constexpr std::array<std::string_view, 4> kQuietOfGcc = {"diagnostic", "system_header", "warning", "error"};
    const std::string_view what = first_word(text);
    if (what != "GCC" && what != "clang") return one_of(what, kQuiet);
    return one_of(first_word(text.substr(static_cast<std::size_t>(what.data() + what.size() - text.data()))),
                  kQuietOfGcc);
  }

  bool is_whole_guard() const { return guard_ && defined_ && ended_ && !other_branch_ && !behind_ && depth_ == 0; }

  static std::string_view first_word(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size() && is_blank(text[at])) ++at;
    std::size_t end = at;
    while (end < text.size() && in_word(text[end])) ++end;
    return text.substr(at, end - at);
  }

  /// What stands behind #include; whether it says a path.
  bool include(std::string_view text, int depth) {
    std::size_t at = 0;
    while (at < text.size() && (is_blank(text[at]) || text[at] == '\\' || text[at] == '\n' || text[at] == '\r')) ++at;
    if (at >= text.size()) return false;
    SourceInclude out;
    const char open = text[at];
    if (open == '"' || open == '<') {
      const std::size_t end = text.find(open == '"' ? '"' : '>', at + 1);
      if (end != std::string_view::npos) {
        out.path = text.substr(at + 1, end - at - 1);
        if (out.path.ends_with('\\')) out.path.pop_back();  // of a text in quotes
        out.quoted = open == '"';
        if (out.path.find_first_of("@$%\\") != std::string::npos || !is_ascii(out.path)) out.path.clear();
      }
    }
    const bool says = !out.path.empty();
    out_.includes.push_back(std::move(out));
    depths_.push_back(depth);
    return says;
  }

  /// Directives in texts in quotes, #include in them above all, and what a line that is not understood may hold.
  void inside(std::string_view text) {
    for (std::size_t at = text.find('#'); at != std::string_view::npos; at = text.find('#', at + 1)) {
      if (text.substr(at, 2) == "##") {
        free_paste(text, at);
        ++at;
        continue;
      }
      std::size_t from = at + 1;
      while (from < text.size() && is_blank(text[from])) ++from;
      const std::string_view rest = text.substr(from);
      for (const std::string_view what : {"include_next", "include", "import"})
        if (rest.starts_with(what)) {
          std::string_view behind = rest.substr(what.size());
          while (!behind.empty() && (is_blank(behind[0]) || behind[0] == '\\')) behind.remove_prefix(1);
          if (behind.starts_with('<') || behind.starts_with('"') || behind.starts_with('%') || behind.starts_with('@'))
            include(behind, kUnclear);
          break;
        }
    }
    has_include(text);
    extern_from(text);
    for (std::size_t at = text.find("import"); at != std::string_view::npos; at = text.find("import", at + 1)) {
      std::string_view behind = text.substr(at + 6);
      while (!behind.empty() && is_blank(behind[0])) behind.remove_prefix(1);
      if ((at == 0 || !in_word(text[at - 1])) && behind.starts_with('<')) include(behind, kUnclear);
    }
  }

  /// cdef extern from "x.h": of Cython.
  void extern_from(std::string_view text) {
    const std::size_t at = text.find("extern from");
    if (at == std::string_view::npos) return;
    const std::size_t open = text.find_first_of("<\"'", at);
    if (open == std::string_view::npos) {
      out_.includes.emplace_back();
      depths_.push_back(kUnclear);
      return;
    }
    std::string path(text.substr(open + 1));
    path.resize(std::min(path.size(), path.find_first_of(">\"'")));
    if (path.starts_with('<')) path.erase(0, 1);
    if (path != "*") include("\"" + path + "\"", kUnclear);
  }

  /// __has_include(<x.h>)
  void has_include(std::string_view text) {
    for (std::size_t at = text.find("__has_include"); at != std::string_view::npos;
         at = text.find("__has_include", at + 1)) {
      const std::size_t open = text.find_first_of("<\"", at);
      if (open != std::string_view::npos) include(text.substr(open), kUnclear);
    }
  }

  /// ## outside of a #define: of a text that becomes one, perhaps.
  void free_paste(std::string_view text, std::size_t at) {
    std::size_t left = at, right = at + 2;
    while (left > 0 && is_blank(text[left - 1])) --left;
    while (right < text.size() && is_blank(text[right])) ++right;
    if (left > 0 && right < text.size() && (in_word(text[left - 1]) || text[left - 1] == '%') &&
        (in_word(text[right]) || text[right] == '%'))
      out_.pastes.emplace_back(kAnyPaste);
  }

  void macro(std::string_view text) {
    if (text.find("%:%:") != std::string_view::npos) out_.pastes.emplace_back(kAnyPaste);
    inside_quotes(text);
    has_include(text);
    if (text.find("##") == std::string_view::npos) return;
    std::vector<std::string_view> tokens;
    bool function_like = false;
    for (std::size_t at = 0; at < text.size();) {
      if (is_blank(text[at]) || text[at] == '\n' || text[at] == '\r' || text[at] == '\\') {
        ++at;
        continue;
      }
      std::size_t end = at + 1;
      if (text.substr(at, 2) == "##") {
        end = at + 2;
      } else if (in_word(text[at])) {
        while (end < text.size() && in_word(text[end])) ++end;
      } else if (text[at] == '"' || text[at] == '\'') {
        while (end < text.size() && text[end] != text[at]) end += text[end] == '\\' ? 2 : 1;
        end = std::min(end + 1, text.size());
      }
      if (tokens.size() == 1 && text[at] == '(' && in_word(text[at - 1])) function_like = true;
      tokens.push_back(text.substr(at, end - at));
      at = end;
    }
    if (!tokens.empty()) tokens.erase(tokens.begin());
    for (std::string& pattern : paste_patterns(tokens, function_like)) out_.pastes.push_back(std::move(pattern));
  }

  void inside_quotes(std::string_view text) {
    for (std::size_t at = text.find("include"); at != std::string_view::npos; at = text.find("include", at + 1)) {
      std::size_t before = at;
      while (before > 0 && is_blank(text[before - 1])) --before;
      if (before == 0 || text[before - 1] != '#') continue;
      std::string_view behind = text.substr(at + 7);
      while (!behind.empty() && (is_blank(behind[0]) || behind[0] == '\\')) behind.remove_prefix(1);
      include(behind, kUnclear);
    }
  }

  Source& out_;
  bool all_;
  DeadBranches branches_;
  int depth_ = 0;
  std::vector<int> depths_;  ///< Of each #include: how many conditions it stands in.
  /// Begun: something stands before what is read. Guard: the file begins with #ifndef.
  bool begun_ = false, guard_ = false, defined_ = false, ended_ = false, other_branch_ = false, behind_ = false,
       once_ = false;
  std::string_view not_defined_;
  bool included_ = false;  ///< There was an #include.
  std::string since_;      ///< What stands behind the last one, or the beginning.
};

}  // namespace

TextKind text_kind(std::string_view path, std::string_view bytes) {
  const std::string_view name = base_of(path);
  if (is_of_others(path) || is_log(path)) return TextKind::kProse;
  if (is_code(name)) return TextKind::kCode;
  if (name.ends_with(".go") && bytes.find("import \"C\"") != std::string_view::npos) return TextKind::kCode;
  if (name == "configure") return TextKind::kConfigure;
  if (name.ends_with(".m4") || name.ends_with(".ac") || name == "configure.in") return TextKind::kAutoconf;
  if (is_helper(name, bytes)) return TextKind::kData;
  if (is_depends(name, bytes)) return TextKind::kDepends;
  if (is_prose(path)) return TextKind::kProse;
  // Whatever has an #include may become a source.
  if (bytes.find("#include") != std::string_view::npos && !bytes.starts_with("#!") && name != "CMakeLists.txt" &&
      !name.starts_with("meson"))
    return is_script(name) ? TextKind::kScript : TextKind::kCode;
  return is_data(name) && name != "CMakeLists.txt" && !name.starts_with("meson") ? TextKind::kData : TextKind::kScript;
}

Source read_source(std::string_view name, std::string_view bytes, Branches branches) {
  Source out;
  const bool plain = one_of(ending(name), kPlainCode) && without_comments(bytes, out.text);
  if (!plain) out.text = bytes;
  Lines(out, plain ? branches : Branches::kAll).run();
  // An #include may stand in a comment.
  if (!plain)
    for (SourceInclude& include : out.includes) include.always = false;
  for (std::vector<std::string>* texts : {&out.pastes, &out.defines}) {
    std::sort(texts->begin(), texts->end());
    texts->erase(std::unique(texts->begin(), texts->end()), texts->end());
  }
  return out;
}

Guard guard_of(std::string_view text) {
  Source source;
  if (!without_comments(text, source.text)) return {};
  Lines lines(source, Branches::kAll);
  lines.run();
  return {lines.guarded(), std::string(lines.guard())};
}

std::vector<std::string> paste_patterns(const std::vector<std::string_view>& tokens, bool function_like) {
  std::vector<std::string> out;
  std::set<std::string_view> parameters = {"__VA_ARGS__", "__VA_OPT__"};
  std::size_t from = 0;
  if (function_like) {
    while (from < tokens.size() && tokens[from] != ")") {
      if (in_word(tokens[from][0])) parameters.insert(tokens[from]);
      ++from;
    }
  }
  for (std::size_t i = from; i < tokens.size(); ++i) {
    if (tokens[i] != "##" || i == 0) continue;
    std::string pattern;
    bool name = true;  // else it makes no identifier
    const auto operand = [&](std::string_view token) {
      if (parameters.contains(token) || token == ")") pattern += '*';  // the ')' of __VA_OPT__(…)
      else if (in_word(token[0])) pattern += token;
      else name = false;
    };
    operand(tokens[i - 1]);
    for (; i + 1 < tokens.size() && tokens[i] == "##"; i += 2) operand(tokens[i + 1]);
    if (name) out.push_back(is_ascii(pattern) ? pattern : std::string(kAnyPaste));
  }
  return out;
}

}  // namespace nacre::package
