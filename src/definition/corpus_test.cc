// Reads 2,419 real definitions and compares them with what the reference says of them. Both are
// test data outside the repository: NACRE_SHARED names the directory; without it the tests are
// skipped.
#include "codec/archive.h"
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

/// Pipelines of the corpus; those that only the reference has built in are missing, or, for
/// comparing, stood in for by empty ones with every input that any definition gives them.
class CorpusPipelines final : public PipelineSource {
 public:
  enum class BuiltIn { kMissing, kStandIn };
  CorpusPipelines(const Corpus& corpus, BuiltIn built_in) : corpus_(corpus), built_in_(built_in) {}

  Result<std::shared_ptr<const codec::YamlTree>> pipeline(std::string_view name) override {
    if (const auto found = kept_.find(std::string(name)); found != kept_.end())
      return found->second;
    std::string text;
    if (const auto found = corpus_.pipelines.find(std::string(name));
        found != corpus_.pipelines.end()) {
      text = found->second;
    } else if (built_in_ == BuiltIn::kMissing) {
      return Error::make(ErrorKind::kNotFound, "no pipeline '{}'", name);
    } else {
      learn();
      text = "inputs:\n";
      for (const auto& [input, fallback] : inputs_[std::string(name)])
        text += fmt::format("  {}: {{default: '{}'}}\n", input, fallback);
    }
    codec::YamlTree tree = TRY(codec::parse_yaml(text, fmt::format("pipelines/{}.yaml", name)));
    return kept_[std::string(name)] = std::make_shared<const codec::YamlTree>(std::move(tree));
  }

 private:
  void learn() {
    if (!inputs_.empty()) return;
    for (const auto& [file, text] : corpus_.definitions)
      if (const auto tree = codec::parse_yaml(text, file)) learn_from(tree->root);
    for (const auto& [file, text] : corpus_.pipelines)
      if (const auto tree = codec::parse_yaml(text, file)) learn_from(tree->root);
    const os::Path ours = os::Path(NACRE_SOURCE_DIR) / "os/pipelines";
    for (auto& [name, inputs] : inputs_) {
      const auto text = os::read_file(ours / (name + ".yaml"));
      if (!text) continue;
      const auto tree = codec::parse_yaml(*text, name);
      const codec::YamlNode* list = tree ? tree->root.find("inputs") : nullptr;
      if (!list) continue;
      for (const auto& entry : list->entries)
        if (const codec::YamlNode* fallback = entry.value.find("default"))
          inputs[entry.key] = fallback->text;
    }
  }
  void learn_from(const codec::YamlNode& node) {
    const codec::YamlNode *uses = node.find("uses"), *with = node.find("with");
    if (uses && with)
      for (const auto& entry : with->entries) inputs_[uses->text][entry.key];
    if (uses) inputs_[uses->text];
    for (const auto& item : node.items) learn_from(item);
    for (const auto& entry : node.entries) learn_from(entry.value);
  }
  const Corpus& corpus_;
  BuiltIn built_in_;
  std::map<std::string, std::map<std::string, std::string>> inputs_;
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

/// Nothing is known of a stand-in's defaults and needs: an input that only one side shows may be a
/// default. The packages of a build or test must be among the reference's.
void forgive_stand_ins(const Corpus& corpus, Json& ours, const Json& theirs) {
  if (ours.is_array()) {
    Json out = Json::array();
    for (std::size_t i = 0; i < ours.items().size(); ++i) {
      Json item = ours.items()[i];
      if (i < theirs.items().size()) forgive_stand_ins(corpus, item, theirs.items()[i]);
      out.push(std::move(item));
    }
    ours = std::move(out);
    return;
  }
  const bool stand_in = ours.find("uses") && !corpus.pipelines.contains(ours["uses"].as_string());
  const Json before = ours;
  for (const auto& [key, value] : before.members()) {
    Json changed = value;
    forgive_stand_ins(corpus, changed, theirs[key]);
    ours.set(key, std::move(changed));
  }
  if (stand_in && (ours.find("with") || theirs.find("with"))) {
    Json with = theirs["with"];
    for (const auto& [key, value] : with.members())
      if (const Json* own = before["with"].find(key)) with.set(key, *own);
    if (theirs.find("with")) ours.set("with", std::move(with));
    else ours = without(before, "with");
  }
  if (ours.find("packages") && theirs.find("packages")) {
    const std::vector<std::string> all = theirs["packages"].as_strings();
    const std::vector<std::string> own = ours["packages"].as_strings();
    const bool inside = std::all_of(own.begin(), own.end(), [&](const std::string& name) {
      return std::find(all.begin(), all.end(), name) != all.end();
    });
    if (inside) ours.set("packages", theirs["packages"]);
  }
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

TEST(Corpus, EveryDefinitionReads) {
  if (!shared_dir()) GTEST_SKIP() << "NACRE_SHARED is not set";
  const auto corpus = read_corpus(shared_dir());
  ASSERT_TRUE(corpus) << corpus.error().render();
  CorpusPipelines real(*corpus, CorpusPipelines::BuiltIn::kMissing),
      full(*corpus, CorpusPipelines::BuiltIn::kStandIn);
  std::size_t compiled = 0, missing = 0, failed = 0;
  for (const auto& [file, text] : corpus->definitions) {
    const auto strict = compile(file, text, real);
    if (strict) ++compiled;
    else if (strict.error().kind() == ErrorKind::kNotFound) ++missing;
    const auto all = compile(file, text, full);
    if (!all && ++failed <= 20) ADD_FAILURE() << all.error().render();
  }
  fmt::print(
      "{} definitions: {} compile with the corpus' own pipelines, {} want one that is built into "
      "the "
      "reference, {} fail even with stand-ins for those\n",
      corpus->definitions.size(), compiled, missing, failed);
  EXPECT_EQ(corpus->definitions.size(), 2419u);
  EXPECT_EQ(compiled + missing, corpus->definitions.size());
  EXPECT_EQ(failed, 0u);
}

TEST(Corpus, AgreesWithTheReference) {
  if (!shared_dir()) GTEST_SKIP() << "NACRE_SHARED is not set";
  const auto corpus = read_corpus(shared_dir());
  ASSERT_TRUE(corpus) << corpus.error().render();
  const std::map<std::string, Json> oracle = read_oracle(shared_dir());
  ASSERT_FALSE(oracle.empty());
  CorpusPipelines pipelines(*corpus, CorpusPipelines::BuiltIn::kStandIn);
  std::map<std::string, std::size_t> equal;
  std::map<std::string, std::vector<std::string>> unequal;
  std::size_t whole = 0, strictly = 0;
  for (const auto& [file, theirs] : oracle) {
    const auto definition = compile(file, corpus->definitions.at(file), pipelines);
    if (!definition) continue;
    Json ours = normal_form(*definition);
    bool same = true;
    for (const auto& [part, value] : ours.members())
      same = same && difference(part, value, theirs[part]).empty();
    strictly += same;
    forgive_stand_ins(*corpus, ours, theirs);
    bool all = true;
    for (const auto& [part, value] : ours.members()) {
      const std::string found = difference(part, value, theirs[part]);
      if (found.empty()) ++equal[part];
      else unequal[part].push_back(file + ": " + found), all = false;
    }
    whole += all;
  }
  fmt::print(
      "{} of {} definitions are equal to the reference's compiled form; {} once the unknown needs and "
      "defaults of its own pipelines are left out\n",
      strictly, oracle.size(), whole);
  for (const auto& [part, count] : equal) {
    fmt::print("  {}: {}\n", part, count);
    const auto& list = unequal[part];
    for (std::size_t i = 0; i < std::min<std::size_t>(list.size(), 5); ++i)
      fmt::print("    {:.300}\n", list[i]);
  }
  EXPECT_EQ(whole, oracle.size());
}

}  // namespace
}  // namespace nacre::definition
