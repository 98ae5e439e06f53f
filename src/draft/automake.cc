#include "draft/readers.h"
#include "draft/text.h"

#include "base/text.h"

#include <algorithm>

namespace nacre::draft {
namespace {

/// The value that a generated configure gives to one of its variables.
std::string of_configure(std::string_view text, std::string_view variable) {
  const std::string line = fmt::format("\n{}='", variable);
  const std::size_t at = text.find(line);
  if (at == std::string_view::npos) return {};
  const std::size_t start = at + line.size(), end = text.find_first_of("'\n", start);
  return end == std::string_view::npos ? "" : std::string(text.substr(start, end - start));
}

bool is_plain(std::string_view text) {
  return !text.empty() && text.find_first_of("$()[]`\\\n") == std::string_view::npos;
}

void take_names(const std::string& configure, const std::string* ac, Facts& out) {
  fill(out.name, of_configure(configure, "PACKAGE_TARNAME"));
  fill(out.version, of_configure(configure, "PACKAGE_VERSION"));
  fill(out.url, of_configure(configure, "PACKAGE_URL"));
  if (!ac) return;
  for (const Call& call : find_calls(*ac, Language::kM4)) {
    if (call.name != "AC_INIT") continue;
    std::vector<std::string> words = arguments_of(call, Language::kM4);
    words.resize(5);
    if (is_plain(words[3])) fill(out.name, words[3]);
    if (is_plain(words[0])) fill(out.name, words[0]);
    if (is_plain(words[1])) fill(out.version, words[1]);
    if (is_plain(words[4])) fill(out.url, words[4]);
  }
}

void take_dependencies(const std::string& ac, const std::string& file, Facts& out) {
  for (const Call& call : find_calls(ac, Language::kM4)) {
    const bool modules =
        call.name == "PKG_CHECK_MODULES" || call.name == "PKG_CHECK_EXISTS" || call.name == "PKG_CHECK_MODULES_STATIC";
    if (!modules && call.name != "AC_CHECK_LIB" && call.name != "AC_SEARCH_LIBS" && call.name != "AM_GNU_GETTEXT")
      continue;
    const std::vector<std::string> words = arguments_of(call, Language::kM4);
    const std::string where = fmt::format("{}:{}", file, line_at(ac, call.at));
    if (call.name == "AM_GNU_GETTEXT") {
      out.need("gettext-dev", true, where);
    } else if (modules) {
      const bool exists = call.name == "PKG_CHECK_EXISTS";
      const std::size_t list = exists ? 0 : 1;
      if (words.size() <= list) continue;
      bool version = false;
      for (const std::string& word : split_words(replace_all(words[list], ",", " "))) {
        const bool compares = word.find_first_of("<>=") != std::string::npos;
        if (!compares && !version && is_plain(word)) need_module(out, word, exists || words.size() > 3, where);
        version = compares && word.find_first_not_of("<>=!") == std::string::npos;
      }
    } else if (call.name == "AC_CHECK_LIB" && !words.empty() && is_plain(words[0])) {
      need_library(out, words[0], where);
    } else if (words.size() > 1) {
      for (const std::string& word : split_words(words[1]))
        if (is_plain(word)) need_library(out, word, where);
    }
  }
}

/// What Makefile.am installs.
void take_products(const SourceTree& tree, Facts& out) {
  for (const auto& [file, text] : tree.named("Makefile.am")) {
    for (const std::string& line : split(replace_all(*text, "\\\n", " "), '\n')) {
      const std::size_t equals = line.find('=');
      if (equals == std::string::npos || line[0] == '\t' || line[0] == '#') continue;
      std::string variable(trim(std::string_view(line).substr(0, equals)));
      if (variable.ends_with('+')) variable = trim(std::string_view(variable).substr(0, variable.size() - 1));
      for (const char* mark : {"dist_", "nodist_", "nobase_"})
        if (variable.starts_with(mark)) variable.erase(0, std::string_view(mark).size());
      const std::string value = line.substr(equals + 1, line.find('#', equals) - equals - 1);
      if (trim(value).empty()) continue;
      if (variable == "bin_PROGRAMS" || variable == "sbin_PROGRAMS" || variable == "bin_SCRIPTS") {
        for (const std::string& word : split_words(value))
          if (is_plain(word) && word.find_first_of("@/") == std::string::npos &&
              std::find(out.programs.begin(), out.programs.end(), word) == out.programs.end())
            out.programs.push_back(word);
      } else if (variable == "lib_LTLIBRARIES") {
        out.library = true;
      } else if (variable == "lib_LIBRARIES") {
        out.static_library = true;
      } else if (variable.find("include") != std::string::npos && variable.ends_with("_HEADERS")) {
        out.headers = true;
      } else if (variable == "pkgconfig_DATA" || variable == "pcfiles_DATA") {
        out.pkgconfig = true;
      } else if (variable.ends_with("_MANS") || variable == "man_MANS") {
        out.manuals = true;
      } else if (variable == "info_TEXINFOS") {
        out.info = true;
      }
    }
  }
}

/// What the steps of every configure have in common.
void make_and_install(Facts& out) {
  out.steps.push_back({"", "autoconf/make", "", "", {}});
  out.steps.push_back({"", "autoconf/make-install", "", "", {}});
}

}  // namespace

bool is_autoconf(const SourceTree& tree) {
  const std::string* text = tree.text("configure");
  return text && text->find("Generated by GNU Autoconf") != std::string::npos;
}

Result<> read_autotools(const SourceTree& tree, const Origin&, Facts& out) {
  const std::string* configure = tree.text("configure");
  const std::string* ac = tree.text("configure.ac");
  const std::string file = ac ? "configure.ac" : "configure.in";
  if (!ac) ac = tree.text("configure.in");
  take_names(configure ? *configure : std::string(), ac, out);
  out.need("build-base");
  if (!configure)
    for (const char* tool : {"autoconf", "automake", "libtool"}) out.need(tool, true, "there is no configure yet");
  if (ac) {
    if (ac->find("AM_GNU_GETTEXT") != std::string::npos || ac->find("GLIB_GNU_GETTEXT") != std::string::npos)
      out.need("gettext");
    if (ac->find("AC_PROG_YACC") != std::string::npos) out.need("bison", false, file);
    if (ac->find("AC_PROG_LEX") != std::string::npos) out.need("flex", false, file);
    take_dependencies(*ac, file, out);
  }
  take_products(tree, out);
  if (!configure) out.steps.push_back({"Make configure", "", "autoreconf -vfi\n", "", {}});
  out.steps.push_back({"", "autoconf/configure", "", "", {}});
  if (out.library && !out.static_library) out.steps.back().with.emplace_back("opts", "--disable-static");
  make_and_install(out);
  return {};
}

Result<> read_configure(const SourceTree& tree, const Origin&, Facts& out) {
  const std::string& text = *tree.text("configure");
  std::string command = "CC=gcc ./configure";
  bool any = false;
  for (const auto& [option, value] : {std::pair{"--prefix", "=/usr"},
                                      {"--libdir", "=/usr/lib"},
                                      {"--sharedlibdir", "=/usr/lib"},
                                      {"--mandir", "=/usr/share/man"},
                                      {"--sysconfdir", "=/etc"}}) {
    if (text.find(option) == std::string::npos) continue;
    command += fmt::format(" \\\n  {}{}", option, value);
    any = true;
  }
  out.remarks.push_back(any ? "configure is no script of autoconf: look at the switches that it is given"
                            : "configure is no script of autoconf, and seems to have no switches");
  out.need("build-base");
  out.steps.push_back({"Configure", "", command + "\n", "", {}});
  make_and_install(out);
  for (const std::string& file : tree.files) {
    if (file.ends_with(".pc.in")) out.pkgconfig = out.headers = true;
    if (file.ends_with(".3") || file.ends_with(".1")) out.manuals = true;
  }
  out.library = text.find("sharedlib") != std::string::npos || text.find("shared") != std::string::npos;
  return {};
}

}  // namespace nacre::draft
