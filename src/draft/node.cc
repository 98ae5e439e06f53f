#include "draft/readers.h"
#include "draft/text.h"

#include "base/text.h"
#include "definition/fields.h"

namespace nacre::draft {
namespace {

/// "git+https://github.com/o/n.git", "github:o/n" or "o/n" as an address to read.
std::string address_of(std::string text) {
  for (const char* start : {"git+", "git://"})
    if (text.starts_with(start)) text.erase(0, 4);
  if (text.starts_with("://")) text = "https" + text;
  if (text.starts_with("github:")) text = "https://github.com/" + text.substr(7);
  else if (text.find(':') == std::string::npos && text.find('/') != std::string::npos)
    text = "https://github.com/" + text;
  if (text.ends_with(".git")) text.resize(text.size() - 4);
  return text.starts_with("http") ? text : "";
}

}  // namespace

Result<> read_node(const SourceTree& tree, const Origin&, Facts& out) {
  const std::string* text = tree.text("package.json");
  if (!text) return Error::make(ErrorKind::kInvalid, "package.json could not be read");
  const codec::Json json = TRY(codec::parse_json(*text, "package.json"));
  const std::string name = json["name"].as_string();
  const std::string bare = name.substr(name.rfind('/') + 1);
  fill(out.name, bare);
  fill(out.version, json["version"].as_string());
  fill(out.description, json["description"].as_string());
  add_license(out, json["license"].is_object() ? json["license"]["type"].as_string() : json["license"].as_string());
  fill(out.url, json["homepage"].as_string());
  const codec::Json& repository = json["repository"];
  fill(out.url, address_of(repository.is_string() ? repository.as_string() : repository["url"].as_string()));
  if (json["bin"].is_string()) definition::add_unique(out.programs, bare);
  for (const auto& [program, file] : json["bin"].members()) definition::add_unique(out.programs, program);

  std::string install, run;
  out.need("nodejs");
  out.need("npm");
  if (tree.has("pnpm-lock.yaml")) {
    out.need("pnpm");
    install = "pnpm install --frozen-lockfile\n", run = "pnpm run";
  } else if (tree.has("yarn.lock")) {
    out.need("yarn");
    install = "yarn install --frozen-lockfile\n", run = "yarn run";
  } else {
    const bool locked = tree.has("package-lock.json") || tree.has("npm-shrinkwrap.json");
    install = locked ? "npm ci\n" : "npm install\n", run = "npm run";
    if (!locked) out.remarks.push_back("there is no lock file: which packages are built in depends on the day");
  }
  const bool builds = !json["scripts"]["build"].as_string().empty();
  out.network = true;
  out.need_at_runtime("nodejs");
  out.steps.push_back({"Build", "", install + (builds ? run + " build\n" : ""), "", {}});
  out.steps.push_back(
      {"Install",
       "",
       "npm pack --ignore-scripts --pack-destination ..\n"
       "npm install --global --omit=dev --ignore-scripts --prefix \"${{targets.destdir}}/usr\" ../*.tgz\n",
       "",
       {}});
  if (out.programs.empty())
    out.remarks.push_back(
        "package.json names no program (bin): what is installed is a library below /usr/lib/node_modules");
  return {};
}

}  // namespace nacre::draft
