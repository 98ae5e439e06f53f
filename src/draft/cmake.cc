#include "draft/readers.h"
#include "draft/text.h"

#include "base/text.h"
#include "definition/fields.h"

#include <algorithm>
#include <map>

namespace nacre::draft {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

/// ${NAME} of what is known; empty when something is not.
std::string expand(std::string_view text, const Variables& variables) {
  std::string out;
  while (true) {
    const std::size_t at = text.find("${");
    if (at == std::string_view::npos) return out.append(text);
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) return {};
    const auto found = variables.find(text.substr(at + 2, end - at - 2));
    if (found == variables.end() || out.size() > 1000) return {};
    out.append(text.substr(0, at)).append(found->second);
    text.remove_prefix(end + 1);
  }
}

class Reader {
 public:
  Reader(const SourceTree& tree, Facts& out) : tree_(tree), out_(out) {}

  void read() {
    for (const auto& [file, text] : tree_.named("CMakeLists.txt"))
      for (const Call& call : find_calls(*text, Language::kCMake)) {
        const std::string name = lower(call.name);
        std::vector<std::string> words = arguments_of(call, Language::kCMake);
        std::erase(words, "");
        if (words.empty()) continue;
        take(name, words, fmt::format("{}:{}", file, line_at(*text, call.at)));
      }
    for (const std::string& name : executables_)
      if (installed_.contains(name))
        definition::add_unique(out_.programs, outputs_.contains(name) ? outputs_[name] : name);
    for (const auto& [name, kind] : libraries_) {
      if (!installed_.contains(name)) continue;
      if (kind == "STATIC") out_.static_library = true;
      else if (kind != "INTERFACE" && kind != "OBJECT") out_.library = true;
      if (kind.empty()) undecided_ = true;
      out_.headers = true;
    }
    for (const std::string& file : tree_.files)
      if (file.ends_with(".pc.in") || file.ends_with(".pc.cmake")) out_.pkgconfig = out_.headers = true;
  }
  /// The project's own option for shared libraries; empty: it has none.
  const std::string& shared_option() const { return shared_option_; }
  /// Whether a library is static or shared as who builds wants it.
  bool undecided() const { return undecided_; }
  bool has_tests() const { return tests_; }

 private:
  void take(const std::string& name, const std::vector<std::string>& words, const std::string& where) {
    if (name == "project" && !named_) take_project(words);
    else if (name == "set" && words.size() == 2) variables_.emplace(words[0], expand(words[1], variables_));
    else if (name == "option") take_option(words);
    else if (name == "include" && words[0] == "CTest") tests_ = true;
    else if (name == "find_package") take_package(words, where);
    else if (name == "pkg_check_modules" || name == "pkg_search_module") take_modules(words, where);
    else if (name == "add_executable") executables_.insert(expand(words[0], variables_));
    else if (name == "add_library") take_library(words);
    else if (name == "set_target_properties") take_output(words);
    else if (name == "install") take_install(words);
  }

  void take_project(const std::vector<std::string>& words) {
    named_ = true;
    const std::string name = expand(words[0], variables_);
    fill(out_.name, name);
    variables_["PROJECT_NAME"] = variables_["CMAKE_PROJECT_NAME"] = name;
    for (std::size_t i = 1; i + 1 < words.size(); ++i) {
      const std::string value = expand(words[i + 1], variables_);
      if (words[i] == "VERSION") {
        fill(out_.version, value);
        variables_["PROJECT_VERSION"] = variables_[name + "_VERSION"] = value;
      } else if (words[i] == "DESCRIPTION") {
        fill(out_.description, value);
      } else if (words[i] == "HOMEPAGE_URL") {
        fill(out_.url, value);
      }
    }
    languages_ = words;
  }

  void take_option(const std::vector<std::string>& words) {
    if (words[0] == "BUILD_TESTING") tests_ = true;
    const bool plain = words[0].find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string::npos;
    if (plain && words[0] != "BUILD_SHARED_LIBS" && words[0].find("SHARED_LIB") != std::string::npos)
      shared_option_ = words[0];
  }

  void take_package(const std::vector<std::string>& words, const std::string& where) {
    static constexpr std::string_view kOwn[] = {"threads", "pkgconfig", "git",  "doxygen", "openmp",
                                                "python",  "python3",   "perl", "ctest"};
    const std::string name = lower(words[0]);
    if (std::find(std::begin(kOwn), std::end(kOwn), name) != std::end(kOwn) || words[0].find('$') != std::string::npos)
      return;
    const bool required =
        std::find(words.begin(), words.end(), "REQUIRED") != words.end() && where.starts_with("CMakeLists.txt:");
    const std::string known = package_of_cmake(name);
    out_.need(known.empty() ? package_name(name) + "-dev" : known, required && !known.empty(),
              fmt::format("find_package {}, {}", words[0], where));
  }

  void take_modules(const std::vector<std::string>& words, const std::string& where) {
    static constexpr std::string_view kMarks[] = {"REQUIRED",     "QUIET",         "IMPORTED_TARGET",
                                                  "GLOBAL",       "NO_CMAKE_PATH", "NO_CMAKE_ENVIRONMENT_PATH",
                                                  "STATIC_TARGET"};
    const bool required =
        std::find(words.begin(), words.end(), "REQUIRED") != words.end() && where.starts_with("CMakeLists.txt:");
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string module = words[i].substr(0, words[i].find_first_of("<>=!"));
      const bool mark = std::find(std::begin(kMarks), std::end(kMarks), module) != std::end(kMarks);
      if (!mark && !module.empty() && module.find('$') == std::string::npos)
        need_module(out_, module, !required, where);
    }
  }

  void take_library(const std::vector<std::string>& words) {
    const std::string kind = words.size() > 1 ? words[1] : "";
    const bool known = kind == "STATIC" || kind == "SHARED" || kind == "INTERFACE" || kind == "OBJECT" ||
                       kind == "MODULE" || kind == "ALIAS" || kind == "IMPORTED";
    if (kind == "ALIAS" || kind == "IMPORTED") return;
    const auto [found, added] = libraries_.emplace(expand(words[0], variables_), known ? kind : "");
    if (!added && found->second != kind) found->second = "";  // Static or shared, as an option says.
  }

  void take_output(const std::vector<std::string>& words) {
    for (std::size_t i = 1; i + 1 < words.size(); ++i)
      if (words[i] == "OUTPUT_NAME")
        if (const std::string value = expand(words[i + 1], variables_); !value.empty())
          outputs_[expand(words[0], variables_)] = value;
  }

  void take_install(const std::vector<std::string>& words) {
    const std::string all = lower(join(words, " "));
    if (words[0] == "TARGETS") {
      static constexpr std::string_view kEnds[] = {"EXPORT",      "RUNTIME",   "LIBRARY",       "ARCHIVE",
                                                   "DESTINATION", "COMPONENT", "PUBLIC_HEADER", "OPTIONAL",
                                                   "BUNDLE",      "INCLUDES",  "CONFIGURATIONS"};
      for (std::size_t i = 1; i < words.size(); ++i) {
        if (std::find(std::begin(kEnds), std::end(kEnds), words[i]) != std::end(kEnds)) break;
        for (const std::string& word : split_words(replace_all(expand(words[i], variables_), ";", " ")))
          installed_.insert(word);
      }
    }
    if (all.find("include") != std::string::npos || all.find("public_header") != std::string::npos)
      out_.headers = true;
    if (all.find("/man") != std::string::npos || all.find("mandir") != std::string::npos) out_.manuals = true;
  }

  const SourceTree& tree_;
  Facts& out_;
  Variables variables_;
  std::vector<std::string> languages_;
  std::set<std::string> executables_, installed_;
  std::map<std::string, std::string> libraries_, outputs_;
  std::string shared_option_;
  bool named_ = false, undecided_ = false, tests_ = false;
};

}  // namespace

Result<> read_cmake(const SourceTree& tree, const Origin&, Facts& out) {
  if (!tree.text("CMakeLists.txt")) return Error::make(ErrorKind::kInvalid, "CMakeLists.txt could not be read");
  out.need("build-base");
  out.need("cmake");
  out.need("samurai");
  Reader reader(tree, out);
  reader.read();
  DraftStep configure{"", "cmake/configure", "", "", {}};
  std::string opts;
  if (reader.undecided())
    opts = fmt::format("-D{}=ON", reader.shared_option().empty() ? "BUILD_SHARED_LIBS" : reader.shared_option());
  if (reader.has_tests()) opts += fmt::format("{}-DBUILD_TESTING=OFF", opts.empty() ? "" : " ");
  if (!opts.empty()) configure.with.emplace_back("opts", opts);
  out.steps.push_back(configure);
  out.steps.push_back({"", "cmake/build", "", "", {}});
  out.steps.push_back({"", "cmake/install", "", "", {}});
  return {};
}

}  // namespace nacre::draft
