#include "build/guest.h"
#include "build/steps.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "plan/plan.h"

namespace nacre::build {
namespace {

using codec::Json;

Result<Json> side_file_digests(const os::Path& source_dir) {
  Json out = Json::array();
  const std::vector<os::TreeEntry> files = TRY(side_files(source_dir));
  for (const os::TreeEntry& file : files) {
    const std::string bytes = TRY(os::read_beneath(source_dir, file.path));
    out.push(Json::array(
        {Json(file.path.str()), std::int64_t{file.mode & 0777}, codec::sha256(bytes).hex()}));
  }
  return out;
}

/// In install order, since a later tree covers an earlier one.
Json contents_of(const std::vector<RootPackage>& root) {
  Json out = Json::array();
  for (const RootPackage& package : root) out.push(package.content.hex());
  return out;
}

Json json_of(const definition::Pairs& pairs) {
  Json out = Json::array();
  for (const auto& [name, value] : pairs) out.push(Json::array({Json(name), Json(value)}));
  return out;
}

/// Of a test, all that recipe_digest() knows of a build.
Json json_of(const std::vector<definition::Step>& steps) {
  Json out = Json::array();
  for (const definition::Step& step : steps) {
    if (!step.enabled) continue;
    Json item = Json::object();
    item.set("runs", step.runs)
        .set("dir", step.working_directory)
        .set("env", json_of(step.environment));
    item.set("required", step.required_steps).set("steps", json_of(step.pipeline));
    out.push(std::move(item));
  }
  return out;
}

Sha256 digest_of(const Json& value) { return codec::sha256(codec::to_canonical_json(value)); }

}  // namespace

Result<std::string> side_files_digest(const os::Path& source_dir) {
  const Json files = TRY(side_file_digests(source_dir), "hashing the side files");
  return digest_of(files).hex();
}

Result<Json> input_json(const BuildRequest& request) {
  Json sources = Json::array();
  for (const FetchedSource& source : request.sources)
    sources.push(Json::array(
        {Json(source.expected), Json(source.commit.empty() ? source.sha256.hex() : source.commit)}));
  Json files = TRY(side_file_digests(request.source_dir), "hashing the side files");
  Json key = Json::object();
  key.set("builder", kBuilderVersion).set("arch", request.arch.apk);
  key.set("sources", std::move(sources)).set("files", std::move(files));
  key.set("root", contents_of(request.root)).set("epoch", request.source_date_epoch);
  if (request.network) key.set("network", true);
  const std::vector<CompilerFile> compiler_files = TRY(compiler_files_of(request));
  if (!compiler_files.empty()) {
    std::string texts;
    for (const CompilerFile& file : compiler_files) texts += file.path + "\n" + file.text;
    key.set("compilerFiles", codec::sha256(texts).hex());
  }
  return key;
}

Result<std::vector<CompilerFile>> compiler_files_of(const BuildRequest& request) {
  const bool wanted = request.compiler_files == CompilerFiles::kAlways ||
                      (request.compiler_files == CompilerFiles::kWhenNamed &&
                       asks_for_compiler_files(*request.definition));
  if (!wanted) return std::vector<CompilerFile>();
  return compiler_files(*request.definition, request.arch, request.packager);
}

Result<Sha256> action_key(const BuildRequest& request) {
  Json key = TRY(input_json(request));
  key.set("kind", "build").set("recipe", plan::recipe_digest(*request.definition).hex());
  return digest_of(key);
}

Result<Sha256> test_key(const TestRequest& request) {
  Json files = TRY(side_file_digests(request.source_dir), "hashing the side files");
  Json key = Json::object();
  key.set("kind", "test").set("builder", kBuilderVersion).set("arch", request.arch.apk);
  key.set("package", request.package).set("steps", json_of(request.test->pipeline));
  key.set("variables", json_of(request.definition->environment.variables));
  key.set("own-variables", json_of(request.test->environment.variables));
  key.set("run-as", request.test->environment.run_as);
  key.set("capabilities", Json::strings(request.definition->capabilities_add));
  key.set("files", std::move(files)).set("root", contents_of(request.root));
  key.set("epoch", request.source_date_epoch);
  if (request.network) key.set("network", true);
  return digest_of(key);
}

}  // namespace nacre::build
