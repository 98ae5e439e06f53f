// Reads 2,419 real definitions and compares them with what the reference says of them. Both are
// test data outside the repository: NACRE_SHARED names the directory; without it the tests are
// skipped.
#include "codec/archive.h"
#include "definition/layout.h"
#include "definition/load.h"

#include <gtest/gtest.h>

#include "base/text.h"

#include <algorithm>
#include <cstdlib>

namespace nacre::definition {
namespace {

using codec::Json;

constexpr std::string_view kPipelines = "pipelines/";

struct Corpus {
  std::map<std::string, std::string> definitions,
      pipelines;  ///< By file name, by name of the pipeline.
};

Result<Corpus> read_corpus(const os::Path& shared) {
  std::map<std::string, std::string> files;
  std::string* current = nullptr;
  codec::TarReader::Visitor visitor;
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    current = header.type == '0' && header.path.ends_with(".yaml") ? &files[header.path] : nullptr;
    return {};
  };
  visitor.on_data = [&](std::string_view bytes) -> Result<> {
    if (current) current->append(bytes);
    return {};
  };
  TRY(codec::read_archive(shared / "corpus/wolfi-definitions.tar.zst", visitor));
  Corpus out;
  for (auto& [path, text] : files) {
    if (path.starts_with(kPipelines))
      out.pipelines[path.substr(kPipelines.size(), path.size() - kPipelines.size() - 5)] =
          std::move(text);
    else if (path.find('/') == std::string::npos && path[0] != '.')
      out.definitions[path] = std::move(text);
  }
  return out;
}

std::map<std::string, Json> read_oracle(const os::Path& shared) {
  // The reader of archives does not take a bare compressed stream, so let zstd unpack it.
  std::map<std::string, Json> out;
  const os::Path file = shared / "oracle/compile.jsonl.zst";
  FILE* pipe = popen(("zstd -dcq '" + file.string() + "'").c_str(), "r");
  std::string text(1 << 16, '\0'), rest;
  while (const std::size_t size = std::fread(text.data(), 1, text.size(), pipe))
    rest.append(text.data(), size);
  pclose(pipe);
  for (const std::string& line : split(rest, '\n')) {
    if (line.empty()) continue;
    auto json = codec::parse_json(line, "oracle");
    if (json) out[(*json)["file"].as_string()] = *std::move(json);
  }
  return out;
}

/// Pipelines of the corpus before those of this distribution, as `--pipeline-dir` puts them.
class CorpusPipelines final : public PipelineSource {
 public:
  explicit CorpusPipelines(const Corpus& corpus) : corpus_(corpus) {}

  Result<std::shared_ptr<const codec::YamlTree>> pipeline(std::string_view name) override {
    if (const auto found = kept_.find(std::string(name)); found != kept_.end())
      return found->second;
    const auto text = corpus_.pipelines.find(std::string(name));
    if (text == corpus_.pipelines.end()) return built_in_.pipeline(name);
    codec::YamlTree tree = TRY(codec::parse_yaml(text->second, fmt::format("pipelines/{}.yaml", name)));
    return kept_[std::string(name)] = std::make_shared<const codec::YamlTree>(std::move(tree));
  }

 private:
  const Corpus& corpus_;
  PipelineFolders built_in_{{os::Path(NACRE_SOURCE_DIR) / "os/pipelines"}};
  std::map<std::string, std::shared_ptr<const codec::YamlTree>> kept_;
};

Result<Definition> compile(const std::string& file, const std::string& text,
                           PipelineSource& pipelines) {
  codec::YamlTree tree = TRY(codec::parse_yaml(text, file));
  CompileOptions options;
  options.arch = TRY(find_arch("x86_64"));
  return read_definition(std::make_shared<const codec::YamlTree>(std::move(tree)), pipelines,
                         options);
}

/// The form of the oracle: `runs` only says whether there is any, steps that use something have no
/// children.
Json normal_steps(const Json& steps) {
  Json out = Json::array();
  for (const Json& step : steps.items()) {
    Json item = Json::object();
    for (const auto& [key, value] : step.members()) {
      if (key == "runs") item.set(key, true);
      else if (key != "pipeline") item.set(key, value);
      else if (!step.find("uses")) item.set(key, normal_steps(value));
    }
    if (!step.find("uses") && !step.find("runs")) item.set("runs", false);
    out.push(std::move(item));
  }
  return out;
}

Json normal_test(const Json& test) {
  std::vector<std::string> packages = test["environment"]["contents"]["packages"].as_strings();
  std::sort(packages.begin(), packages.end());
  return Json::object(
      {{"packages", Json::strings(packages)}, {"pipeline", normal_steps(test["pipeline"])}});
}

Json without(const Json& object, std::string_view key) {
  Json out = Json::object();
  for (const auto& [name, value] : object.members())
    if (name != key) out.set(name, value);
  return out;
}

Json normal_form(const Definition& definition) {
  const Json& compiled = definition.compiled;
  Json out = Json::object({{"package", without(compiled["package"], "commit")},
                           {"pipeline", normal_steps(compiled["pipeline"])}});
  Json subpackages = Json::array();
  for (const Json& subpackage : compiled["subpackages"].items()) {
    Json item = subpackage;
    for (const char* key : {"dependencies", "checks"})
      if (item[key].members().empty()) item = without(item, key);
    item.set("pipeline", normal_steps(subpackage["pipeline"]));
    item.set("test", normal_test(subpackage["test"]));
    subpackages.push(std::move(item));
  }
  out.set("subpackages", std::move(subpackages));
  std::vector<std::string> packages = compiled["environment"]["contents"]["packages"].as_strings();
  std::sort(packages.begin(), packages.end());
  out.set("environment", Json::object({{"packages", Json::strings(packages)},
                                       {"variables", compiled["environment"]["environment"]}}));
  out.set("update", compiled["update"]);
  out.set("test", normal_test(compiled["test"]));
  return out;
}

/// What differs when one of two values is not what the other is: "pipeline[3].with.tag: a, expected
/// b".
std::string difference(const std::string& at, const Json& ours, const Json& theirs) {
  if (codec::to_canonical_json(ours) == codec::to_canonical_json(theirs)) return {};
  if (ours.is_object() && theirs.is_object()) {
    for (const auto& [key, value] : theirs.members())
      if (std::string found = difference(at + "." + key, ours[key], value); !found.empty())
        return found;
    for (const auto& [key, value] : ours.members())
      if (!theirs.find(key)) return at + "." + key + ": not expected: " + codec::to_json(value);
  }
  if (ours.is_array() && theirs.is_array() && ours.items().size() == theirs.items().size())
    for (std::size_t i = 0; i < ours.items().size(); ++i) {
      std::string found =
          difference(fmt::format("{}[{}]", at, i), ours.items()[i], theirs.items()[i]);
      if (!found.empty()) return found;
    }
  return fmt::format("{}: {}, expected {}", at, codec::to_json(ours), codec::to_json(theirs));
}

const char* shared_dir() { return std::getenv("NACRE_SHARED"); }

TEST(Corpus, EveryDefinitionIsWhatTheReferenceMakesOfIt) {
  if (!shared_dir()) GTEST_SKIP() << "NACRE_SHARED is not set";
  const auto corpus = read_corpus(shared_dir());
  ASSERT_TRUE(corpus) << corpus.error().render();
  const std::map<std::string, Json> oracle = read_oracle(shared_dir());
  ASSERT_EQ(oracle.size(), 2419u);
  CorpusPipelines pipelines(*corpus);
  std::map<std::string, std::size_t> equal;
  std::size_t whole = 0, compiled = 0, told = 0;
  for (const auto& [file, theirs] : oracle) {
    const auto definition = compile(file, corpus->definitions.at(file), pipelines);
    if (!definition) {
      if (++told <= 20) ADD_FAILURE() << definition.error().render();
      continue;
    }
    ++compiled;
    const Json ours = normal_form(*definition);
    bool all = true;
    for (const auto& [part, value] : ours.members()) {
      const std::string found = difference(part, value, theirs[part]);
      if (found.empty()) ++equal[part];
      else if (++told <= 20) ADD_FAILURE() << fmt::format("{}: {:.300}", file, found);
      all = all && found.empty();
    }
    whole += all;
  }
  fmt::print("{} of {} definitions compile, {} are equal to the reference's compiled form\n", compiled, oracle.size(),
             whole);
  for (const auto& [part, count] : equal) fmt::print("  {}: {}\n", part, count);
  EXPECT_EQ(whole, oracle.size());
}

TEST(Corpus, LayoutKeepsTheMeaning) {
  if (!shared_dir()) GTEST_SKIP() << "NACRE_SHARED is not set";
  const auto corpus = read_corpus(shared_dir());
  ASSERT_TRUE(corpus) << corpus.error().render();
  CorpusPipelines pipelines(*corpus);
  std::size_t unchanged = 0;
  for (const auto& [file, text] : corpus->definitions) {
    const auto once = lay_out(*codec::parse_yaml(text, file));
    ASSERT_TRUE(once) << file;
    const auto twice = lay_out(*codec::parse_yaml(*once, file));
    ASSERT_TRUE(twice) << file;
    EXPECT_EQ(*once, *twice) << file;
    if (*once == text) {
      ++unchanged;
      continue;
    }
    const auto before = compile(file, text, pipelines), after = compile(file, *once, pipelines);
    ASSERT_TRUE(before && after) << file;
    EXPECT_EQ(codec::to_json(before->compiled), codec::to_json(after->compiled)) << file;
  }
  fmt::print("{} of {} definitions stand as laid out\n", unchanged, corpus->definitions.size());
}

}  // namespace
}  // namespace nacre::definition
