#include "draft/license.h"
#include "draft/readers.h"
#include "draft/text.h"

#include "base/text.h"
#include "definition/fields.h"

#include <algorithm>
#include <cctype>

namespace nacre::draft {
namespace {

std::string_view name_of(std::string_view file) { return file.substr(file.rfind('/') + 1); }

bool has_gemspec(const SourceTree& tree) {
  return std::any_of(tree.files.begin(), tree.files.end(), [](const std::string& file) {
    return file.find('/') == std::string::npos && file.ends_with(".gemspec");
  });
}

/// Letters, digits and `others`, a letter or digit first: nothing that a shell would take for its own.
bool is_tame(std::string_view name, std::string_view others) {
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return !name.empty() && name.size() < 100 && (plain(name[0]) || name[0] == '_') &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return plain(c) || others.find(c) != std::string_view::npos; });
}

struct System {
  std::string_view name;
  bool (*is_there)(const SourceTree&);
  Result<> (*read)(const SourceTree&, const Origin&, Facts&);
};

/// In the order in which they are tried: what a project publishes with comes before what it also carries.
const std::vector<System>& systems() {
  static const std::vector<System> kSystems = {
      {"python", is_python_project, read_python},
      {"cargo", [](const SourceTree& tree) { return tree.has("Cargo.toml"); }, read_cargo},
      {"go", [](const SourceTree& tree) { return tree.has("go.mod"); }, read_go},
      {"perl", [](const SourceTree& tree) { return tree.has("Makefile.PL") || tree.has("Build.PL"); }, read_cpan},
      {"gem", has_gemspec, read_gem},
      {"autotools", [](const SourceTree& tree) { return tree.has("configure") && is_autoconf(tree); }, read_autotools},
      {"meson", [](const SourceTree& tree) { return tree.has("meson.build"); }, read_meson},
      {"configure", [](const SourceTree& tree) { return tree.has("configure") && !is_autoconf(tree); },
       read_configure},
      {"cmake", [](const SourceTree& tree) { return tree.has("CMakeLists.txt"); }, read_cmake},
      {"autotools", [](const SourceTree& tree) { return tree.has("configure.ac") || tree.has("configure.in"); },
       read_autotools},
      {"python", [](const SourceTree& tree) { return tree.has("setup.py"); }, read_python},
      {"node", [](const SourceTree& tree) { return tree.has("package.json"); }, read_node},
      {"make",
       [](const SourceTree& tree) { return tree.has("Makefile") || tree.has("GNUmakefile") || tree.has("makefile"); },
       read_make}};
  return kSystems;
}

/// "zlib-1.3.2" -> zlib and 1.3.2.
std::pair<std::string, std::string> take_apart(std::string_view folder) {
  for (std::size_t at = folder.rfind('-'); at != std::string_view::npos && at > 0; at = folder.rfind('-', at - 1))
    if (std::string version = apk_version(folder.substr(at + 1)); !version.empty())
      return {std::string(folder.substr(0, at)), std::move(version)};
  return {std::string(folder), ""};
}

/// "https://github.com/OWNER/NAME" -> NAME.
std::string name_of_repository(std::string repository) {
  while (repository.ends_with('/')) repository.pop_back();
  if (repository.ends_with(".git")) repository.resize(repository.size() - 4);
  return std::string(name_of(repository));
}

void find_version(const SourceTree& tree, const Origin& origin, Facts& out) {
  for (const char* file : {"VERSION", "version.txt", ".version", "VERSION.txt"})
    if (const std::string* text = tree.text(file); text && out.version.empty() && text->size() < 100)
      out.version = apk_version(trim(*text));
  if (!origin.tag.empty()) {  // What was checked out has the last word.
    const std::size_t digit = origin.tag.find_first_of("0123456789");
    if (digit != std::string::npos)
      if (const std::string version = apk_version(origin.tag.substr(digit)); !version.empty()) out.version = version;
  }
}

/// Licences of the files at the root, unless the metadata has said them.
void find_licenses(const SourceTree& tree, Facts& out) {
  std::vector<std::pair<double, std::string>> files;
  for (const auto& [file, text] : tree.texts)
    if (file.find('/') == std::string::npos && license_weight(file) > 0.5)
      files.emplace_back(-license_weight(file), file);
  std::sort(files.begin(), files.end());
  std::vector<std::string> found, unknown;
  for (const auto& [weight, file] : files) {
    std::string license = recognise_license(*tree.text(file));
    if (license.empty()) unknown.push_back(file);
    else definition::add_unique(found, license);
  }
  if (out.licenses.empty()) {
    // GPL's text does not say which versions apply; what the project says of itself may.
    for (std::string& license : found) {
      if (!license.ends_with("-only")) continue;
      bool later = false;
      for (const auto& [file, text] : tree.texts)
        if (file.find('/') == std::string::npos && license_weight(file) == 0 &&
            lower(join(split_words(text.substr(0, 100'000)), " ")).find("any later version") != std::string::npos)
          later = true;
      if (later) license = license.substr(0, license.size() - 4) + "or-later";
      else
        out.remarks.push_back(
            fmt::format("{}: nothing at the root says whether later versions of the licence apply", license));
    }
    out.licenses = found;
  }
  if (out.licenses.empty())
    out.remarks.push_back(unknown.empty()
                              ? "no licence was found: `license` is for you to say"
                              : fmt::format("the licence in '{}' was not recognised: `license` is for you to say",
                                            join(unknown, "', '")));
}

/// The first sentence of a README that is neither heading nor badge.
std::string described_in(std::string_view text) {
  const std::vector<std::string> lines = split(text.substr(0, 20'000), '\n');
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string words(trim(lines[i]));
    if (words.size() < 20 || std::string_view("#=-[!<>*`|.:~+").find(words[0]) != std::string_view::npos) continue;
    if (words.find("://") != std::string::npos || words.find(' ') == std::string::npos) continue;
    for (std::size_t more = i + 1; more < lines.size() && more < i + 4 && !trim(lines[more]).empty(); ++more)
      (words += ' ').append(trim(lines[more]));
    std::string out = one_line(words, 400);
    for (const auto& [from, to] : {std::pair{"**", ""}, {"`", ""}, {"_ ", " "}}) out = replace_all(out, from, to);
    if (const std::size_t end = out.find(". "); end != std::string::npos && end > 15) out.resize(end);
    out = one_line(out, 120);
    while (out.ends_with('.') || out.ends_with(',') || out.ends_with(':')) out.pop_back();
    return out;
  }
  return {};
}

void find_description(const SourceTree& tree, Facts& out) {
  for (const auto& [file, text] : tree.texts)
    if (out.description.empty() && file.starts_with("README") && file.find('/') == std::string::npos)
      out.description = described_in(text);
  if (!out.description.empty()) {
    while (out.description.ends_with('.')) out.description.pop_back();
    return;
  }
  out.description = fmt::format("The {} software", out.name);
  out.remarks.push_back("nothing says in a sentence what this is: write `description`");
}

}  // namespace

std::string name_of_folder(std::string_view folder) { return take_apart(folder).first; }

void Facts::need(std::string package, bool sure, std::string why) {
  for (Wanted& known : build)
    if (known.package == package) {
      known.sure = known.sure || sure;
      return;
    }
  build.push_back({std::move(package), sure, std::move(why)});
}

void Facts::need_at_runtime(std::string package, bool sure, std::string why) {
  for (const Wanted& known : runtime)
    if (known.package == package) return;
  runtime.push_back({std::move(package), sure, std::move(why)});
}

void fill(std::string& field, std::string_view value, std::size_t max) {
  if (field.empty()) field = one_line(value, max);
}

void add_license(Facts& facts, std::string_view words) {
  if (const std::string license = license_expression(words); !license.empty())
    definition::add_unique(facts.licenses, license);
}

void look_at_manuals(const SourceTree& tree, Facts& out) {
  for (const auto& [file, text] : tree.texts) {
    const std::string_view page = name_of(file);
    if (!page.ends_with(".1") && !page.ends_with(".8")) continue;
    out.manuals = true;
    const std::string name(page.substr(0, page.size() - 2));
    const std::string plain = replace_all(text, "\\-", "-");
    const bool known = std::find(out.programs.begin(), out.programs.end(), name) != out.programs.end();
    if (known && plain.find("--version") != std::string::npos) definition::add_unique(out.asked_programs, name);
  }
}

std::vector<std::string> build_systems() {
  std::vector<std::string> out;
  for (const System& system : systems()) definition::add_unique(out, std::string(system.name));
  return out;
}

Result<Facts> find_facts(const SourceTree& tree, const Origin& origin, const DraftOptions& options) {
  Facts out;
  const System* chosen = nullptr;
  std::vector<std::string> there;
  for (const System& system : systems()) {
    if (!system.is_there(tree)) continue;
    definition::add_unique(there, std::string(system.name));
    if (!chosen && (options.system.empty() || options.system == system.name)) chosen = &system;
  }
  if (!options.system.empty() && !chosen) {
    const std::vector<std::string> known = build_systems();
    const bool is_known = std::find(known.begin(), known.end(), options.system) != known.end();
    const std::string near = nearest_hint(options.system, known);
    if (!is_known)
      return Error::make(ErrorKind::kInvalid, "'{}' is no build system that is known", options.system)
          .hint(near.empty() ? "known are: " + join(known, ", ") : near);
    return Error::make(ErrorKind::kNotFound, "'{}' has no files of the build system {}", tree.folder, options.system)
        .hint("there are: " + (there.empty() ? "none that is known" : join(there, ", ")));
  }
  if (!chosen)
    return Error::make(ErrorKind::kInvalid, "no file of a build system that is known in '{}'", tree.folder)
        .hint("looked for " + join(build_systems(), ", ") + " at the root of the tree");
  out.system = chosen->name;
  for (const std::string& name : there)
    if (name != out.system) out.other_systems.push_back(name);
  out.remarks = tree.remarks;
  TRY(chosen->read(tree, origin, out), "reading the {} files of '{}'", out.system, tree.folder);

  find_version(tree, origin, out);
  if (!origin.repository.empty()) fill(out.name, name_of_repository(origin.repository));
  const auto parts = take_apart(tree.folder);
  fill(out.name, parts.first);
  fill(out.version, parts.second);
  if (!options.name.empty()) out.name = options.name;
  out.name = package_name(out.name);
  if (out.name.empty())
    return Error::make(ErrorKind::kInvalid, "nothing says what the package is called").hint("--name NAME");
  std::erase_if(out.programs, [](const std::string& name) { return !is_tame(name, "+._-"); });
  std::erase_if(out.modules, [](const std::string& name) { return !is_tame(name, "_:/.-"); });
  if (!options.version.empty()) out.version = options.version;
  out.version = apk_version(out.version);
  if (out.version.empty() && !origin.date.empty()) out.version = "0_git" + origin.date;
  if (out.version.empty()) {
    out.version = "0";
    out.remarks.push_back("nothing says which version this is: write `version`");
  }
  find_description(tree, out);
  find_licenses(tree, out);
  look_at_manuals(tree, out);
  if (out.url.empty() && origin.repository.starts_with("http")) {
    out.url = origin.repository;
    if (out.url.ends_with(".git")) out.url.resize(out.url.size() - 4);
  }
  if (!out.url.starts_with("http://") && !out.url.starts_with("https://")) out.url.clear();
  if (!out.other_systems.empty())
    out.remarks.push_back(fmt::format("files of {} are there as well: --build-system takes one of these instead",
                                      join(out.other_systems, ", ")));
  return out;
}

}  // namespace nacre::draft
