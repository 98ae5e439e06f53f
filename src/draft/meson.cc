#include "draft/license.h"
#include "draft/readers.h"
#include "draft/text.h"

#include "base/text.h"
#include "definition/fields.h"

#include <optional>

namespace nacre::draft {
namespace {

std::string unquoted(std::string_view word) {
  word = trim(word);
  const bool quoted = word.size() >= 2 && word.front() == '\'' && word.back() == '\'';
  return quoted ? std::string(word.substr(1, word.size() - 2)) : std::string();
}

/// The value of `NAME: …` among arguments.
std::optional<std::string> named(const std::vector<std::string>& words, std::string_view name) {
  for (const std::string& word : words) {
    const std::string_view text = trim(word);
    if (!text.starts_with(name)) continue;
    const std::string_view rest = trim(text.substr(name.size()));
    if (rest.starts_with(':')) return std::string(trim(rest.substr(1)));
  }
  return std::nullopt;
}

bool is_yes(const std::vector<std::string>& words, std::string_view name) {
  const auto value = named(words, name);
  return value && *value == "true";
}

}  // namespace

Result<> read_meson(const SourceTree& tree, const Origin&, Facts& out) {
  if (!tree.text("meson.build")) return Error::make(ErrorKind::kInvalid, "meson.build could not be read");
  out.need("build-base");
  out.need("meson");
  bool both = false;
  for (const auto& [file, text] : tree.named("meson.build"))
    for (const Call& call : find_calls(*text, Language::kMeson)) {
      const std::vector<std::string> words = arguments_of(call, Language::kMeson);
      if (words.empty()) continue;
      const std::string first = unquoted(words[0]), where = fmt::format("{}:{}", file, line_at(*text, call.at));
      if (call.name == "project" && file == "meson.build") {
        fill(out.name, first);
        if (const auto version = named(words, "version")) fill(out.version, unquoted(*version));
        if (const auto license = named(words, "license"))
          for (const std::string& one : all_quoted(*license)) add_license(out, one);
      } else if (call.name == "dependency" && !first.empty()) {
        const auto required = named(words, "required");
        if (first != "threads" && first != "dl" && first != "openmp")
          need_module(out, first, (required && *required != "true") || file != "meson.build", where);
      } else if (call.name == "find_library" && !first.empty()) {
        need_library(out, first, where);
      } else if (call.name == "executable" && is_yes(words, "install") && !first.empty()) {
        definition::add_unique(out.programs, first);
      } else if (call.name == "library" || call.name == "shared_library" || call.name == "both_libraries") {
        if (!is_yes(words, "install")) continue;
        out.library = true;
        both = both || call.name == "both_libraries";
      } else if (call.name == "static_library") {
        out.static_library = out.static_library || is_yes(words, "install");
      } else if (call.name == "install_headers") {
        out.headers = true;
      } else if (call.name == "install_man") {
        out.manuals = true;
      } else if (call.name == "generate" && (call.inside.find("filebase") != std::string_view::npos ||
                                             call.inside.find("description") != std::string_view::npos)) {
        out.pkgconfig = true;
      }
    }
  out.static_library = out.static_library || both;
  for (const std::string& file : tree.files) out.pkgconfig = out.pkgconfig || file.ends_with(".pc.in");
  out.steps.push_back({"", "meson/configure", "", "", {}});
  out.steps.push_back({"", "meson/compile", "", "", {}});
  out.steps.push_back({"", "meson/install", "", "", {}});
  return {};
}

}  // namespace nacre::draft
