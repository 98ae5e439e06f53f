#include "draft/readers.h"
#include "draft/text.h"

#include "base/text.h"
#include "definition/fields.h"

#include <algorithm>

namespace nacre::draft {
namespace {

/// Whether a rule of that name stands in a makefile.
bool has_target(std::string_view text, std::string_view name) {
  for (const std::string& line : split(text, '\n')) {
    if (line.empty() || line[0] == '\t' || line[0] == '#' || line[0] == ' ') continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || (colon + 1 < line.size() && line[colon + 1] == '=')) continue;
    for (const std::string& word : split_words(std::string_view(line).substr(0, colon)))
      if (word == name) return true;
  }
  return false;
}

/// Whether a makefile sets a variable, or has one set by who calls it.
bool has_variable(std::string_view text, std::string_view name) {
  return text.find(fmt::format("$({})", name)) != std::string_view::npos ||
         text.find(fmt::format("${{{}}}", name)) != std::string_view::npos;
}

/// The value of a variable that is set in plain sight.
std::string value_of(std::string_view text, std::string_view name) {
  for (const std::string& line : split(text, '\n')) {
    if (!line.starts_with(name)) continue;
    std::string_view rest = trim(std::string_view(line).substr(name.size()));
    while (!rest.empty() && std::string_view(":?+").find(rest[0]) != std::string_view::npos) rest.remove_prefix(1);
    if (!rest.starts_with('=')) continue;
    rest = trim(rest.substr(1, rest.find('#') - 1));
    if (!rest.empty() && rest.find('$') == std::string_view::npos) return std::string(rest);
  }
  return {};
}

}  // namespace

Result<> read_make(const SourceTree& tree, const Origin&, Facts& out) {
  const std::string* text = nullptr;
  for (const char* file : {"GNUmakefile", "makefile", "Makefile"})
    if (const std::string* found = tree.text(file); found && !text) text = found;
  if (!text) return Error::make(ErrorKind::kInvalid, "the makefile could not be read");
  for (const char* name : {"VERSION", "version"}) fill(out.version, value_of(*text, name));
  std::vector<const std::string*> all;
  for (const char* file : {"GNUmakefile", "makefile", "Makefile"})
    for (const auto& [path, found] : tree.named(file)) all.push_back(found);
  out.need("build-base");
  DraftStep make{"", "autoconf/make", "", "", {}}, install{"", "autoconf/make-install", "", "", {}};
  std::string opts;
  for (const char* name : {"PREFIX", "prefix"})  // Some have one, some the other, some give one to the other.
    if (std::any_of(all.begin(), all.end(), [&](const std::string* one) { return has_variable(*one, name); }))
      opts += fmt::format("{}{}=/usr", opts.empty() ? "" : " ", name);
  if (text->find("MANPREFIX") != std::string::npos) opts += " MANPREFIX=/usr/share/man";
  else if (text->find("MANDIR") != std::string::npos) opts += " MANDIR=/usr/share/man";
  if (!opts.empty()) {
    make.with.emplace_back("opts", opts);
    install.with.emplace_back("opts", opts);
  }
  out.steps.push_back(make);
  const std::string program = package_name(name_of_folder(tree.folder));
  if (has_target(*text, "install") && text->find("DESTDIR") != std::string::npos) {
    out.steps.push_back(install);
  } else if (has_target(*text, "install") && !opts.empty()) {
    out.remarks.push_back(
        "`make install` knows no DESTDIR: it is given the whole path as its prefix; see whether that gets built in");
    const std::string variable = opts.substr(0, opts.find('='));
    out.steps.push_back(
        {"Install", "", fmt::format("make install {}=\"${{{{targets.destdir}}}}/usr\"\n", variable), "", {}});
  } else {
    out.remarks.push_back("there is no `make install`: the step that installs is a guess");
    out.steps.push_back({"Install",
                         "",
                         fmt::format("install -Dm755 {0} \"${{{{targets.destdir}}}}/usr/bin/{0}\"\n", program),
                         "",
                         {}});
    out.programs.push_back(program);
  }
  for (const std::string& file : tree.files) {
    if (file.ends_with(".pc.in") || file.ends_with(".pc")) out.pkgconfig = out.headers = true;
    if (file.find('/') == std::string::npos && (file.ends_with(".1") || file.ends_with(".8"))) {
      out.manuals = true;
      definition::add_unique(out.programs, file.substr(0, file.size() - 2));
    }
  }
  if (text->find(".so") != std::string::npos && text->find("include") != std::string::npos)
    out.library = out.headers = true;
  if (text->find(".a ") != std::string::npos && has_target(*text, "install") && text->find(".so") != std::string::npos)
    out.static_library = true;
  return {};
}

}  // namespace nacre::draft
