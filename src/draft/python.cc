#include "draft/license.h"
#include "draft/readers.h"
#include "draft/text.h"

#include "base/text.h"
#include "codec/toml.h"
#include "definition/fields.h"

#include <algorithm>
#include <map>

namespace nacre::draft {
namespace {

using codec::Json;

/// As the field names the packages of Python: "py3-typing-extensions".
std::string package_of(std::string_view distribution) {
  std::string name = package_name(replace_all(replace_all(std::string(distribution), "_", "-"), ".", "-"));
  return name.empty() ? "" : "py3-" + name;
}

/// "requests[socks]>=2.8; python_version < '3'" -> requests, and whether it always applies.
void take_requirement(std::string_view text, Facts& out, bool at_runtime) {
  text = trim(text);
  if (text.empty() || text[0] == '#' || text[0] == '-') return;
  const std::size_t end = std::min(text.find_first_of(" [<>=!~;@("), text.size());
  const std::string package = package_of(text.substr(0, end));
  const std::size_t mark = text.find(';');
  const bool always = mark == std::string_view::npos;
  if (text.find("extra ==") != std::string_view::npos || text.find("extra==") != std::string_view::npos ||
      package.empty())
    return;
  const std::string why = always ? "" : one_line(text.substr(mark + 1), 80);
  if (at_runtime) out.need_at_runtime(package, always, why);
  else out.need(package, always, why);
}

/// PKG-INFO: mail headers.
void take_pkg_info(const std::string& text, Facts& out) {
  for (const std::string& line : split(text, '\n')) {
    if (trim(line).empty()) break;
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos || line[0] == ' ') continue;
    const std::string key = line.substr(0, colon), value(trim(std::string_view(line).substr(colon + 2)));
    if (value == "UNKNOWN") continue;
    if (key == "Name") fill(out.name, value);
    else if (key == "Version") fill(out.version, value);
    else if (key == "Summary") fill(out.description, value);
    else if (key == "Home-page") fill(out.url, value);
    else if (key == "License-Expression" || (key == "License" && out.licenses.empty())) add_license(out, value);
    else if (key == "Project-URL" && lower(value).starts_with("homepage"))
      fill(out.url, trim(std::string_view(value).substr(value.find(',') + 1)));
    else if (key == "Requires-Dist") take_requirement(value, out, true);
  }
}

void take_classifiers(const std::vector<std::string>& classifiers, Facts& out) {
  for (const std::string& line : classifiers)
    if (out.licenses.empty() && line.starts_with("License ::") && line != "License :: OSI Approved")
      add_license(out, line.substr(line.rfind(':') + 2));
}

void take_project(const Json& project, Facts& out) {
  fill(out.name, project["name"].as_string());
  fill(out.version, project["version"].as_string());
  fill(out.description, project["description"].as_string());
  const Json& license = project["license"];
  if (out.licenses.empty()) add_license(out, license.is_string() ? license.as_string() : license["text"].as_string());
  take_classifiers(project["classifiers"].as_strings(), out);
  for (const auto& [key, value] : project["urls"].members())
    if (const std::string low = lower(key); low == "homepage" || low == "home") fill(out.url, value.as_string());
  for (const auto& [key, value] : project["urls"].members())
    if (const std::string low = lower(key); low == "repository" || low == "source" || low == "source code")
      fill(out.url, value.as_string());
  for (const std::string& requirement : project["dependencies"].as_strings()) take_requirement(requirement, out, true);
  for (const auto& [program, value] : project["scripts"].members()) definition::add_unique(out.programs, program);
}

void take_poetry(const Json& poetry, Facts& out) {
  fill(out.name, poetry["name"].as_string());
  fill(out.version, poetry["version"].as_string());
  fill(out.description, poetry["description"].as_string());
  if (out.licenses.empty()) add_license(out, poetry["license"].as_string());
  for (const char* key : {"homepage", "repository"}) fill(out.url, poetry[key].as_string());
  for (const auto& [name, value] : poetry["dependencies"].members())
    if (name != "python")
      out.need_at_runtime(package_of(name), !value["optional"].as_bool() && value["markers"].as_string().empty());
  for (const auto& [program, value] : poetry["scripts"].members()) definition::add_unique(out.programs, program);
}

/// setup.cfg: section -> key -> value, continued lines joined by line ends.
std::map<std::string, std::map<std::string, std::string>> read_ini(const std::string& text) {
  std::map<std::string, std::map<std::string, std::string>> out;
  std::string section, key;
  for (const std::string& line : split(text, '\n')) {
    const std::string_view words = trim(line);
    if (words.empty() || words[0] == '#' || words[0] == ';') continue;
    if (line[0] == ' ' || line[0] == '\t') {
      if (!key.empty()) (out[section][key] += '\n').append(words);
    } else if (words.front() == '[' && words.back() == ']') {
      section = words.substr(1, words.size() - 2);
      key.clear();
    } else if (const std::size_t equals = words.find_first_of("=:"); equals != std::string_view::npos) {
      key = replace_all(lower(trim(words.substr(0, equals))), "-", "_");
      out[section][key] = trim(words.substr(equals + 1));
    }
  }
  return out;
}

void take_setup_cfg(const std::string& text, Facts& out) {
  auto ini = read_ini(text);
  auto& metadata = ini["metadata"];
  const auto plain = [&](const std::string& key) {
    const std::string& value = metadata[key];
    return value.starts_with("attr:") || value.starts_with("file:") ? std::string() : value;
  };
  fill(out.name, plain("name"));
  fill(out.version, plain("version"));
  fill(out.description, plain("description"));
  fill(out.description, plain("summary"));
  fill(out.url, plain("url"));
  fill(out.url, plain("home_page"));
  if (out.licenses.empty()) add_license(out, plain("license"));
  take_classifiers(split(metadata["classifiers"], '\n'), out);
  for (const std::string& line : split(ini["options"]["install_requires"], '\n')) take_requirement(line, out, true);
  for (const std::string& line : split(ini["options.entry_points"]["console_scripts"], '\n'))
    if (const std::string program(trim(std::string_view(line).substr(0, line.find('=')))); !program.empty())
      definition::add_unique(out.programs, program);
}

void take_setup_py(const std::string& text, Facts& out) {
  const auto at = text.find("setup(");
  const std::string_view call = std::string_view(text).substr(at == std::string::npos ? 0 : at);
  for (const auto& [key, field] :
       {std::pair{"name", &out.name}, {"version", &out.version}, {"description", &out.description}, {"url", &out.url}})
    if (const auto value = quoted_after(call, key)) fill(*field, *value);
  if (const auto value = quoted_after(call, "license"); value && out.licenses.empty()) add_license(out, *value);
  take_classifiers(all_quoted(block_after(call, "classifiers")), out);
  for (const std::string& one : all_quoted(block_after(call, "install_requires"))) take_requirement(one, out, true);
  for (const std::string& one : all_quoted(block_after(call, "console_scripts")))
    if (const std::size_t equals = one.find('='); equals != std::string::npos)
      definition::add_unique(out.programs, std::string(trim(std::string_view(one).substr(0, equals))));
}

/// Packages of Python at the root or below src/.
void find_modules(const SourceTree& tree, Facts& out) {
  std::string wanted = lower(replace_all(out.name, "-", "_"));
  const std::string nested = replace_all(lower(out.name), "-", "/");  // poetry-core: poetry/core
  for (const std::string start : {"", "src/"})
    if (tree.has(start + nested + "/__init__.py")) out.modules = {replace_all(nested, "/", ".")};
  if (!out.modules.empty()) return;
  for (const std::string start : {"", "src/"})
    for (const std::string& file : tree.files) {
      if (!file.starts_with(start)) continue;
      const std::string rest = file.substr(start.size());
      const std::size_t slash = rest.find('/');
      if (slash == std::string::npos) {
        if (rest.ends_with(".py") && lower(rest.substr(0, rest.size() - 3)) == wanted)
          definition::add_unique(out.modules, rest.substr(0, rest.size() - 3));
        continue;
      }
      const std::string module = rest.substr(0, slash);
      if (rest.substr(slash) == "/__init__.py" && (lower(module) == wanted || start == "src/"))
        definition::add_unique(out.modules, module);
    }
}

void find_version(const SourceTree& tree, const Origin& origin, const std::string& project_text, Facts& out) {
  if (out.version.empty())
    for (const char* name : {"__init__.py", "_version.py", "__version__.py", "version.py"})
      for (const auto& [file, text] : tree.named(name))
        for (const char* variable : {"__version__", "VERSION", "version"})
          if (const auto value = quoted_after(*text, variable); value && out.version.empty())
            out.version = apk_version(*value);
  const bool from_git = project_text.find("setuptools_scm") != std::string::npos ||
                        project_text.find("setuptools-scm") != std::string::npos ||
                        project_text.find("hatch-vcs") != std::string::npos;
  if (from_git && (!origin.repository.empty() || !tree.has("PKG-INFO")))
    out.environment.emplace_back("SETUPTOOLS_SCM_PRETEND_VERSION", "${{package.version}}");
}

}  // namespace

bool is_python_project(const SourceTree& tree) {
  const std::string* text = tree.text("pyproject.toml");
  const bool native =
      tree.has("configure") || tree.has("configure.ac") || tree.has("CMakeLists.txt") || tree.has("meson.build");
  if (!text) return tree.has("setup.py") && !native;
  const auto toml = codec::parse_toml(*text, "pyproject.toml");
  if (!toml) return tree.has("setup.py") && !native;
  const Json& root = *toml;
  if (root["project"]["name"].is_string() || root["tool"]["poetry"]["name"].is_string()) return true;
  return (root["build-system"].is_object() || tree.has("setup.cfg")) && tree.has("setup.py") && !native;
}

Result<> read_python(const SourceTree& tree, const Origin& origin, Facts& out) {
  std::string all;
  if (const std::string* text = tree.text("PKG-INFO")) take_pkg_info(*text, out);
  std::vector<std::string> backend;
  bool declared = false;
  if (const std::string* text = tree.text("pyproject.toml")) {
    const Json root = TRY(codec::parse_toml(*text, "pyproject.toml"));
    all += *text;
    take_project(root["project"], out);
    take_poetry(root["tool"]["poetry"], out);
    for (const auto& [name, value] : root["tool"]["flit"]["metadata"].members())
      if (name == "module") fill(out.name, value.as_string());
    backend = root["build-system"]["requires"].as_strings();
    declared = root["build-system"].is_object();
  }
  if (const std::string* text = tree.text("setup.cfg")) all += *text, take_setup_cfg(*text, out);
  if (const std::string* text = tree.text("setup.py")) all += *text, take_setup_py(*text, out);
  out.need("python3");
  out.need("py3-build");
  out.need("py3-installer");
  if (!declared) backend = {"setuptools", "wheel"};
  for (const std::string& requirement : backend) take_requirement(requirement, out, false);
  const bool extension = all.find("ext_modules") != std::string::npos || all.find("Extension(") != std::string::npos ||
                         all.find("cffi_modules") != std::string::npos;
  if (extension) out.need("build-base"), out.need("python3-dev");
  out.need_at_runtime("python3");
  find_version(tree, origin, all, out);
  find_modules(tree, out);
  std::string name = out.name;
  if (name.empty()) name = name_of_folder(tree.folder);
  out.name = out.programs.empty() || !out.modules.empty() ? package_of(name) : package_name(name);
  out.steps.push_back({"Build and install the wheel",
                       "",
                       "python3 -m build --wheel --no-isolation\n"
                       "python3 -m installer --destdir=\"${{targets.destdir}}\" dist/*.whl\n"
                       "find \"${{targets.destdir}}\" -name '*.pyc' -delete\n",
                       "",
                       {}});
  return {};
}

}  // namespace nacre::draft
