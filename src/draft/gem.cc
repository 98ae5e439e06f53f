#include "draft/readers.h"
#include "draft/text.h"

#include "base/text.h"
#include "definition/fields.h"

#include <algorithm>

namespace nacre::draft {

Result<> read_gem(const SourceTree& tree, const Origin&, Facts& out) {
  std::string file;
  for (const auto& [name, text] : tree.texts)
    if (file.empty() && name.find('/') == std::string::npos && name.ends_with(".gemspec")) file = name;
  if (file.empty()) return Error::make(ErrorKind::kInvalid, "the .gemspec could not be read");
  const std::string& text = *tree.text(file);
  const std::string gem = quoted_after(text, "name").value_or(file.substr(0, file.size() - 8));
  const std::string stem = file.substr(0, file.size() - 8);
  fill(out.version, quoted_after(text, "version").value_or(""));
  if (out.version.empty())
    for (const auto& [path, source] : tree.named("version.rb"))
      if (const auto value = quoted_after(*source, "VERSION"); value && out.version.empty()) out.version = *value;
  fill(out.description, quoted_after(text, "summary").value_or(""));
  fill(out.url, quoted_after(text, "homepage").value_or(""));
  if (const auto license = quoted_after(text, "license")) add_license(out, *license);
  for (const std::string& one : all_quoted(block_after(text, "licenses"))) add_license(out, one);
  for (const std::string& line : split(text, '\n'))
    for (const char* word : {"add_dependency", "add_runtime_dependency"})
      if (const auto name = quoted_after(line, word))
        out.need_at_runtime("ruby-" + package_name(*name), false, "gem " + *name);
  if (const std::string_view list = block_after(text, "executables"); !list.empty() && list.size() < 2000)
    for (const std::string& one : all_quoted(list)) definition::add_unique(out.programs, one);
  std::erase_if(out.programs, [](const std::string& name) { return package_name(name) != lower(name); });

  out.name = "ruby-" + package_name(gem);
  out.modules = {replace_all(gem, "-", "/")};
  if (tree.has("lib/" + gem + ".rb")) out.modules = {gem};
  for (const char* package : {"ca-certificates-bundle", "git", "ruby-3.3"}) out.need(package);
  if (text.find("extensions") != std::string::npos) out.need("build-base"), out.need("ruby-3.3-dev");
  out.need_at_runtime("ruby-3.3");
  if (text.find("git ls-files") != std::string::npos)
    out.remarks.push_back(
        "the specification asks git for its files: a build from an archive has none, and packs an empty gem");
  out.steps.push_back({"", "ruby/build", "", "", {{"gem", stem}}});
  out.steps.push_back({"", "ruby/install", "", "", {{"gem", gem}, {"version", "${{package.version}}"}}});
  out.steps.push_back({"", "ruby/clean", "", "", {}});
  return {};
}

}  // namespace nacre::draft
