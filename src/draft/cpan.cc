#include "draft/readers.h"
#include "draft/text.h"

#include "base/text.h"
#include "definition/fields.h"

#include <algorithm>

namespace nacre::draft {
namespace {

using codec::Json;

/// The package of the field that has a module; a guess, for distributions have several.
std::string package_of(std::string_view module) {
  return "perl-" + package_name(replace_all(std::string(module), "::", "-"));
}

/// Modules that come with Perl itself.
bool is_core(std::string_view module) {
  static constexpr std::string_view kCore[] = {"perl",
                                               "strict",
                                               "warnings",
                                               "utf8",
                                               "vars",
                                               "constant",
                                               "overload",
                                               "base",
                                               "parent",
                                               "fields",
                                               "lib",
                                               "bytes",
                                               "feature",
                                               "integer",
                                               "mro",
                                               "re",
                                               "Carp",
                                               "Cwd",
                                               "Config",
                                               "Encode",
                                               "Exporter",
                                               "Fcntl",
                                               "POSIX",
                                               "Socket",
                                               "Storable",
                                               "Symbol",
                                               "B",
                                               "DynaLoader",
                                               "XSLoader",
                                               "English",
                                               "Benchmark",
                                               "Data::Dumper",
                                               "Digest::MD5",
                                               "Digest::SHA",
                                               "ExtUtils::MakeMaker",
                                               "File::Basename",
                                               "File::Copy",
                                               "File::Find",
                                               "File::Path",
                                               "File::Spec",
                                               "File::Temp",
                                               "File::Spec::Functions",
                                               "Getopt::Long",
                                               "IO::File",
                                               "IO::Handle",
                                               "IO::Socket",
                                               "IO::Select",
                                               "IPC::Open3",
                                               "List::Util",
                                               "MIME::Base64",
                                               "Module::Load",
                                               "Module::CoreList",
                                               "Pod::Usage",
                                               "Scalar::Util",
                                               "Sub::Util",
                                               "Term::ANSIColor",
                                               "Test::More",
                                               "Test::Simple",
                                               "Text::ParseWords",
                                               "Text::Wrap",
                                               "Tie::Hash",
                                               "Time::HiRes",
                                               "Time::Local",
                                               "Time::Piece",
                                               "Unicode::Normalize",
                                               "JSON::PP",
                                               "HTTP::Tiny",
                                               "if",
                                               "version",
                                               "threads"};
  return std::find(std::begin(kCore), std::end(kCore), module) != std::end(kCore);
}

void take_meta(const Json& meta, Facts& out) {
  fill(out.name, meta["name"].as_string());
  fill(out.version, meta["version"].as_string());
  fill(out.description, meta["abstract"].as_string());
  for (const std::string& license : meta["license"].as_strings()) add_license(out, license);
  fill(out.url, meta["resources"]["homepage"].as_string());
  fill(out.url, meta["resources"]["repository"]["web"].as_string());
  for (const auto& [module, version] : meta["prereqs"]["runtime"]["requires"].members())
    if (!is_core(module)) out.need_at_runtime(package_of(module), false, module);
}

}  // namespace

Result<> read_cpan(const SourceTree& tree, const Origin&, Facts& out) {
  if (const std::string* text = tree.text("META.json")) {
    const auto meta = codec::parse_json(*text, "META.json");
    if (meta) take_meta(*meta, out);
    else out.remarks.push_back("META.json cannot be read: " + meta.error().render());
  }
  const bool module_build = tree.has("Build.PL") && !tree.has("Makefile.PL");
  const std::string* text = tree.text(module_build ? "Build.PL" : "Makefile.PL");
  if (!text) return Error::make(ErrorKind::kInvalid, "Makefile.PL could not be read");
  std::string module;
  for (const char* key : {"NAME", "DISTNAME", "module_name", "dist_name", "name"})
    if (const auto value = quoted_after(*text, key); value && module.empty()) module = *value;
  fill(out.name, replace_all(module, "::", "-"));
  for (const char* key : {"VERSION", "dist_version"}) fill(out.version, quoted_after(*text, key).value_or(""));
  for (const char* key : {"ABSTRACT", "dist_abstract"}) fill(out.description, quoted_after(*text, key).value_or(""));
  if (out.licenses.empty())
    add_license(out, quoted_after(*text, module_build ? "license" : "LICENSE")
                         .value_or(quoted_after(*text, "license").value_or("")));
  if (out.name.empty()) out.name = name_of_folder(tree.folder);
  module = replace_all(out.name, "-", "::");
  const std::string file = "lib/" + replace_all(out.name, "-", "/") + ".pm";
  if (const std::string* source = tree.text(file)) {
    fill(out.version, quoted_after(*source, "VERSION").value_or(""));
    const std::string mark = module + " - ";
    if (const std::size_t at = source->find("\n" + mark); at != std::string::npos)
      fill(out.description, source->substr(at + 1 + mark.size(), source->find('\n', at + 1) - at - 1 - mark.size()));
  }
  if (tree.has(file) || out.modules.empty()) out.modules = {module};
  if (out.version.starts_with('v')) out.version.erase(0, 1);
  out.name = package_of(out.name);
  out.manuals = true;  // MakeMaker makes them from the modules.
  const bool xs =
      std::any_of(tree.files.begin(), tree.files.end(), [](const std::string& name) { return name.ends_with(".xs"); });
  out.need("build-base");
  out.need("perl");
  if (xs) out.need("perl-dev");
  if (module_build) {
    out.need("perl-module-build");
    out.steps.push_back({"Build", "", "perl Build.PL --installdirs=vendor\n./Build\n", "", {}});
    out.steps.push_back({"Install", "", "./Build install --destdir=\"${{targets.destdir}}\"\n", "", {}});
  } else {
    out.steps.push_back({"", "perl/make", "", "", {}});
    out.steps.push_back({"", "autoconf/make", "", "", {}});
    out.steps.push_back({"", "autoconf/make-install", "", "", {}});
  }
  out.steps.push_back({"", "perl/cleanup", "", "", {}});
  out.need_at_runtime("perl");
  return {};
}

}  // namespace nacre::draft
