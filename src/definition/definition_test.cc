#include "definition/rules.h"
#include "definition/condition.h"
#include "definition/dotenv.h"
#include "definition/fields.h"
#include "definition/load.h"
#include "definition/regex.h"
#include "definition/schema.h"

#include <gtest/gtest.h>

namespace nacre::definition {
namespace {

/// Pipelines from a table.
class Pipelines final : public PipelineSource {
 public:
  explicit Pipelines(std::map<std::string, std::string, std::less<>> texts)
      : texts_(std::move(texts)) {}
  Result<std::shared_ptr<const codec::YamlTree>> pipeline(std::string_view name) override {
    const auto found = texts_.find(name);
    if (found == texts_.end()) return Error::make(ErrorKind::kNotFound, "no pipeline '{}'", name);
    codec::YamlTree tree = TRY(codec::parse_yaml(found->second, found->first + ".yaml"));
    return std::make_shared<const codec::YamlTree>(std::move(tree));
  }

 private:
  std::map<std::string, std::string, std::less<>> texts_;
};

Result<Definition> read(const std::string& text,
                        std::map<std::string, std::string, std::less<>> pipelines = {},
                        CompileOptions options = {}) {
  Pipelines source(std::move(pipelines));
  codec::YamlTree tree = TRY(codec::parse_yaml(text, "a.yaml"));
  return read_definition(std::make_shared<const codec::YamlTree>(std::move(tree)), source, options);
}

Definition good(const std::string& text,
                std::map<std::string, std::string, std::less<>> pipelines = {},
                CompileOptions options = {}) {
  auto out = read(text, std::move(pipelines), std::move(options));
  EXPECT_TRUE(out) << out.error().render();
  return out ? *std::move(out) : Definition{};
}

std::string bad(const std::string& text,
                std::map<std::string, std::string, std::less<>> pipelines = {}) {
  const auto out = read(text, std::move(pipelines));
  return out ? "no error" : out.error().render();
}

const std::string kPackage = "package: {name: a, version: 1.10, epoch: 2}\n";

TEST(OurDefinitions, AllReadOnBothArchitectures) {
  const os::Path root = os::Path(NACRE_SOURCE_DIR) / "os";
  PipelineFolders pipelines({root / "pipelines"});
  std::size_t count = 0;
  for (const char* arch : {"x86_64", "aarch64"})
    for (const auto& entry : std::filesystem::directory_iterator(root / "packages")) {
      if (entry.path().extension() != ".yaml") continue;
      CompileOptions options;
      options.arch = *find_arch(arch);
      const auto definition = load_definition(entry.path(), pipelines, options);
      ASSERT_TRUE(definition) << definition.error().render();
      EXPECT_EQ(definition->name + ".yaml", entry.path().filename().string());
      EXPECT_EQ(codec::to_json(definition->compiled).find("${{"), std::string::npos)
          << definition->name;
      for (const Source& source : definition->sources)
        EXPECT_EQ(source.sha256.size(), 64u) << definition->name;
      ++count;
    }
  EXPECT_GT(count, 20u);
}

TEST(Substitution, EachPhaseKnowsItsNames) {
  const Definition d = good(
      "package:\n  name: a\n  version: 1.10\n  epoch: 2\n"
      "  description: ${{package.name}} ${{ package.name }} ${{vars.major}} ${{nothing}}\n"
      "  dependencies: {provides: ['x=${{ package.full-version }}'], provider-priority: "
      "'${{vars.major}}'}\n"
      "vars: {given: '3'}\n"
      "var-transforms:\n  - {from: '${{package.version}}', match: '^(\\d+)\\.(\\d+)$', replace: "
      "'$1', to: major}\n"
      "  - {from: '${{vars.major}}.x', match: '(.*)', replace: '$1t', to: odd}\n"
      "pipeline:\n"
      "  - name: in ${{package.name}}\n"
      "    working-directory: ${{targets.destdir}}\n"
      "    runs: echo ${{ vars.given }} [${{vars.odd}}] ${{targets.contextdir}} "
      "${{host.triplet.gnu}}\n");
  EXPECT_EQ(d.description, "a ${{ package.name }} 1 ${{nothing}}");
  EXPECT_EQ(d.dependencies.provides, (std::vector<std::string>{"x=1.10-r2"}));
  EXPECT_EQ(d.dependencies.provider_priority, 1u);
  EXPECT_EQ(d.full_version(), "1.10-r2");
  EXPECT_EQ(d.pipeline[0].name, "in a");
  EXPECT_EQ(d.pipeline[0].working_directory, "/home/build/melange-out/a");
  EXPECT_EQ(d.pipeline[0].runs,
            "echo 3 [] /home/build/melange-out/a " + std::string(host_arch().gnu_triplet));
}

TEST(Substitution, VarsOfTheCallerWin) {
  CompileOptions options;
  options.vars = {{"x", "theirs"}};
  const Definition d =
      good(kPackage + "vars: {x: ours}\npipeline: [{runs: 'echo ${{vars.x}}'}]\n", {}, options);
  EXPECT_EQ(d.pipeline[0].runs, "echo theirs");
}

TEST(Ranges, ExpandInOrderOfTheirKeys) {
  const Definition d =
      good(kPackage +
           "data: [{name: versions, items: {'3.9': b, '3.10': , '2': a}}]\n"
           "subpackages:\n  - name: first\n  - range: versions\n    name: py${{range.key}}\n"
           "    if: '\"${{range.key}}\" != \"2\"'\n"
           "    description: for ${{range.value}}\n"
           "    pipeline: [{runs: 'cd ${{targets.subpkgdir}}; ${{subpkg.name}} "
           "${{targets.destdir}}'}]\n");
  ASSERT_EQ(d.subpackages.size(), 3u);
  EXPECT_EQ(d.subpackages[1].name, "py3.10");
  EXPECT_EQ(d.subpackages[1].description, "for ");
  EXPECT_EQ(d.subpackages[2].name, "py3.9");
  EXPECT_EQ(d.subpackages[2].description, "for b");
  EXPECT_EQ(d.subpackages[2].pipeline[0].runs,
            "cd /home/build/melange-out/py3.9; py3.9 /home/build/melange-out/a");
}

TEST(Uses, InputsDefaultsNeedsAndChildren) {
  const std::map<std::string, std::string, std::less<>> pipelines = {
      {"x/make",
       "name: Make\ninputs:\n  dir: {default: .}\n  opts: {description: more}\n  who: {default: "
       "'${{context.name}}'}\n"
       "needs: {packages: [make, 'lib-${{inputs.dir}}']}\n"
       "pipeline:\n  - runs: make -C ${{inputs.dir}} ${{inputs.opts}} ${{inputs.who}}\n"
       "  - uses: x/inner\n    with: {dir: '${{inputs.dir}}/deep'}\n"},
      {"x/inner",
       "inputs: {dir: {required: true}}\npipeline: [{runs: 'ls ${{inputs.dir}} "
       "${{inputs.opts}}'}]\n"}};
  const Definition d =
      good(kPackage +
               "environment: {contents: {packages: [busybox, make]}}\n"
               "pipeline:\n  - name: mine\n    uses: x/make\n    working-directory: sub\n"
               "    environment: {A: '1'}\n    with: {dir: '', opts: '-j${{build.arch}}'}\n"
               "  - if: ${{build.arch}} == 'none'\n    uses: x/make\n    with: {dir: never}\n",
           pipelines);
  const Step& step = d.pipeline[0];
  EXPECT_EQ(step.name, "mine");
  EXPECT_EQ(step.with,
            (Pairs{{"dir", "."}, {"opts", "-j" + std::string(host_arch().apk)}, {"who", "a"}}));
  EXPECT_EQ(step.pipeline[0].runs, "make -C . -j" + std::string(host_arch().apk) + " a");
  EXPECT_EQ(step.pipeline[0].working_directory, "sub");
  EXPECT_EQ(step.pipeline[0].environment, (Pairs{{"A", "1"}}));
  EXPECT_EQ(step.pipeline[1].pipeline[0].runs, "ls ./deep -j" + std::string(host_arch().apk));
  EXPECT_FALSE(d.pipeline[1].enabled);
  EXPECT_EQ(d.environment.packages, (std::vector<std::string>{"busybox", "make", "lib-."}));
}

TEST(Compiled, HasTheReferencesForm) {
  const Definition d = good(
      "package: {name: a, version: '1', epoch: 0, description: text, resources: {cpu: '2'}}\n"
      "pipeline: [{uses: p, with: {x: '1', y: d}}, {runs: '# nothing'}, {if: \"${{build.arch}} != "
      "''\", runs: ls}]\n"
      "subpackages: [{name: a-dev, dependencies: {runtime: [a], provider-priority: -1}}]\n"
      "update: {enabled: true, release-monitor: {identifier: 12}}\n"
      "test: {environment: {contents: {packages: [b]}}, pipeline: [{runs: a}]}\n",
      {{"p",
        "inputs: {x: {}, y: {default: d}}\nneeds: {packages: [n]}\npipeline: [{runs: 'echo "
        "${{inputs.y}}'}]\n"}});
  const std::string arch(host_arch().apk);
  const std::string accounts =
      R"("entrypoint":{},"accounts":{"users":[{"username":"build","uid":1000,"gid":1000}],)"
      R"("groups":[{"groupname":"build","gid":1000,"members":["build"]}]})";
  EXPECT_EQ(
      codec::to_json(d.compiled),
      R"({"package":{"name":"a","version":"1","epoch":0,"description":"text","dependencies":{},"checks":{},"cpe":{},)"
      R"("resources":{"cpu":"2"}},"environment":{"contents":{"packages":["n"]},)" +
          accounts +
          R"(,"environment":{"COMPOSER_CACHE_DIR":"/var/cache/melange/composer",)"
          R"("GOMODCACHE":"/var/cache/melange/gomodcache",)"
          R"("GOPATH":"/home/build/.cache/go","HOME":"/home/build","PIP_CACHE_DIR":"/var/cache/melange/pip",)"
          R"("UV_CACHE_DIR":"/var/cache/melange/uv","npm_config_cache":"/var/cache/melange/npm"}},)"
          R"("capabilities":{},"pipeline":[{"uses":"p","with":{"x":"1"},"pipeline":[{"runs":"echo d"}]},{},{"if":"\")" +
          arch +
          R"(\" != ''","runs":"ls"}],)"
          R"("subpackages":[{"name":"a-dev","dependencies":{"runtime":["a"],"provider-priority":"-1"},"checks":{}}],)"
          R"("update":{"enabled":true,"release-monitor":{"identifier":12}},)"
          R"("test":{"environment":{"contents":{"packages":["a","b"]},)" +
          accounts + R"(},"pipeline":[{"runs":"a"}]}})");
  // A compiled definition compiles to itself, without the pipelines.
  const Definition again = good(codec::to_json(d.compiled));
  EXPECT_EQ(codec::to_json(again.compiled), codec::to_json(d.compiled));
}

TEST(Sources, AreFoundInSteps) {
  const std::string digest(64, 'a'), commit(40, 'b');
  const std::string fetch = "inputs: {uri: {required: true}, expected-sha256: {}}\n";
  const Definition d = good(
      kPackage +
          "pipeline:\n  - uses: fetch\n    with: {uri: 'https://x/${{package.version}}', "
          "expected-sha256: " +
          digest + "}\n  - if: \"'a' == 'b'\"\n    uses: fetch\n    with: {uri: never}\n" +
          "subpackages:\n  - name: s\n    pipeline: [{uses: git-checkout, with: {repository: r, "
          "tag: t, expected-commit: " +
          commit + "}}]\n",
      {{"fetch", fetch},
       {"git-checkout", "inputs: {repository: {}, tag: {}, branch: {}, expected-commit: {}}\n"}});
  ASSERT_EQ(d.sources.size(), 2u);
  EXPECT_EQ(d.sources[0].uri, "https://x/1.10");
  EXPECT_EQ(d.sources[0].sha256, digest);
  EXPECT_EQ(d.sources[0].place.line, 3);
  EXPECT_EQ(d.sources[1].kind, Source::Kind::kGit);
  EXPECT_EQ(d.sources[1].tag, "t");
  EXPECT_EQ(d.sources[1].commit, commit);
}

TEST(Options, ChangeVariablesAndPackages) {
  const std::string text = kPackage +
                           "vars: {x: plain}\nenvironment: {contents: {packages: [one]}}\n"
                           "options: {big: {vars: {x: big}, environment: {contents: {packages: "
                           "{add: [two], remove: [one]}}}}}\n"
                           "pipeline: [{runs: '${{options.big.enabled}}'}]\n";
  EXPECT_EQ(good(text).pipeline[0].runs, "false");
  CompileOptions options;
  options.enabled_options = {"big"};
  const Definition d = good(text, {}, options);
  EXPECT_EQ(d.pipeline[0].runs, "true");
  EXPECT_EQ(d.environment.packages, (std::vector<std::string>{"two"}));
}

TEST(Faults, AreToldWithPlaceAndHint) {
  const std::map<std::string, std::string, std::less<>> pipelines = {
      {"p",
       "inputs: {opts: {}, expected-sha256: {}, must: {required: true}}\npipeline: [{runs: "
       "'${{inputs.optz}}'}]\n"},
      {"loop", "pipeline: [{uses: loop}]\n"},
      {"wide", "pipeline: [{uses: wide}, {uses: wide}, {uses: wide}]\n"}};
  const struct {
    std::string text, error;
  } cases[] = {
      {"enviroment: {}\n" + kPackage,
       "a.yaml:1:1: unknown field 'enviroment' in a definition\n  hint: did you mean "
       "'environment'?"},
      {"package:\n  name: a\n  version: 1\n  licence: MIT\n",
       "a.yaml:4:3: unknown field 'licence' in package\n"
       "  hint: known are: name, version, epoch, description, annotations, url, commit, "
       "target-architecture, copyright, "
       "dependencies, options, scriptlets, checks, cpe, timeout, resources, test-resources, "
       "setcap"},
      {"package: {name: -a, version: 1}\n",
       "a.yaml:1:17: '-a' cannot be the name of a package\n  hint: letters, digits, '+', '_', '.', "
       "'-'; a letter or digit first"},
      {"package: {version: 1}\n", "a.yaml:1:10: a package without a name\n  hint: add name:"},
      {"package: {name: a, version: }\n",
       "a.yaml:1:10: package 'a' has no version\n  hint: add version:, in quotes"},
      {"package: {name: a, version: 1, epoch: x}\n",
       "a.yaml:1:39: expected a number, found 'x'\n  while reading 'epoch' of package"},
      {"package: {name: a, version: 1, epoch: 010}\n",
       "a.yaml:1:39: '010' is octal to some readers of YAML and decimal to others\n"
       "  while reading 'epoch' of package\n  hint: write it without the zero in front"},
      {"package: {name: a, version: [1]}\n",
       "a.yaml:1:29: expected a single value, found a list\n  while reading 'version' of package"},
      {"vars: {}\n", "a.yaml: no 'package' in this definition\n  hint: it begins with package: and its name:, version: "
       "and epoch:; `nacre init` writes a first one"},
      {kPackage + "pipeline:\n  - runs: |\n      one\n      echo ${{vars.y}} ${{packag.name}}\n",
       "a.yaml:5: unknown variable '${{vars.y}}'\n  while compiling package 'a'"},
      {kPackage + "pipeline:\n  - runs: echo ${{packag.name}}\n",
       "a.yaml:3:11: unknown variable '${{packag.name}}'\n  while compiling package 'a'\n  hint: "
       "did you mean 'package.name'?"},
      {kPackage + "pipeline:\n  - run: ls\n",
       "a.yaml:3:5: unknown field 'run' in a step\n  while compiling package 'a'\n  hint: did you "
       "mean 'runs'?"},
      {kPackage + "pipeline:\n  - with: {a: b}\n",
       "a.yaml:3:11: 'with' without 'uses'\n  while compiling package 'a'"},
      {kPackage + "pipeline:\n  - {uses: p, runs: ls}\n",
       "a.yaml:3:21: a step has either 'uses' or 'runs'\n  while compiling package 'a'\n  hint: "
       "make two steps of it"},
      {kPackage + "pipeline:\n  - {uses: ../p}\n",
       "a.yaml:3:12: '../p' cannot be the name of a pipeline\n  while compiling package 'a'\n  "
       "hint: write it like autoconf/make"},
      {kPackage + "pipeline:\n  - {uses: q}\n",
       "a.yaml:3:12: no pipeline 'q'\n  while compiling package 'a'"},
      {kPackage + "pipeline:\n  - {uses: p, with: {opt: x}}\n",
       "a.yaml:3:27: 'p' has no input 'opt'\n  while "
       "compiling package 'a'\n"
       "  hint: did you mean 'opts'?"},
      {kPackage + "pipeline:\n  - {uses: p}\n",
       "a.yaml:3:12: 'p' needs the input 'must'\n  while "
       "compiling package 'a'"},
      {kPackage + "pipeline:\n  - {uses: p, with: {must: x, expected-sha256: abc}}\n",
       "a.yaml:3:48: expected-sha256: expected 64 hexadecimal digits, found 'abc'\n"
       "  while compiling package 'a'"},
      {kPackage + "pipeline:\n  - {uses: p, with: {must: x}}\n",
       "p.yaml:2:19: unknown variable '${{inputs.optz}}'\n"
       "  while step 1 (a.yaml:3:5) uses p\n  while compiling package 'a'\n  hint: "
       "did you mean 'inputs.opts'?"},
      {kPackage + "pipeline:\n  - {uses: loop}\n",
       "loop.yaml:1:12: pipelines inside pipelines deeper than 16\n"
       "  while step 1 (a.yaml:3:5) uses loop\n  while compiling package 'a'"},
      {kPackage + "pipeline:\n  - if: ${{build.arch}} = 'x'\n",
       "a.yaml:3:9: condition: expected == or !=, found '= 'x''\n  while compiling package 'a'"},
      {kPackage + "subpackages:\n  - name: a\n", "a.yaml:3:11: package 'a' is given twice"},
      {kPackage +
           "subpackages:\n  - {name: b, range: versons}\ndata: [{name: versions, items: {}}]\n",
       "a.yaml:3:22: no data 'versons' for this range\n  hint: did you mean 'versions'?"},
      {kPackage + "subpackages:\n  - {name: b, range: versons}\n",
       "a.yaml:3:22: no data 'versons' for this range\n  hint: add it to data:, with a name and items:"},
      {kPackage + "subpackages:\n  - {name: b, range: x}\ndata: [{name: versions, items: {}}]\n",
       "a.yaml:3:22: no data 'x' for this range\n  hint: data: has versions"},
      {"package: {name: a, version: 1, dependencies: {runtime: [b c]}}\n",
       "a.yaml:1:57: 'b c' is no dependency: it holds blanks or foreign characters\n"
       "  while reading 'runtime' of dependencies\n"
       "  hint: write it like zlib, zlib>=1.3, zlib~1.3 or !zlib"},
      {"package: {name: " + std::string(129, 'a') + ", version: 1}\n",
       "a.yaml:1:17: a package's name of 129 bytes is longer than 128"},
      {"package: {name: a, version: 1, timeout: 5 days}\n",
       "a.yaml:1:41: expected a duration, found '5 days'\n  while reading 'timeout' of package\n  hint: write it like "
       "90s, 30m or 1h30m"},
      {"package: {name: a, version: 1, setcap: [{path: p, add: {cap_chown: +ep}, reason: r}]}\n",
       "a.yaml:1:41: unknown capability 'cap_chown'\n  hint: known are: cap_net_bind_service, cap_net_admin, "
       "cap_net_raw, cap_ipc_lock, cap_sys_admin"},
      {"package: {name: a, version: 1, cpe: {vendor: v}}\n",
       "a.yaml:1:37: a cpe needs both vendor and product"},
      {kPackage + "update: {enabled: true, release-monitor: {identifier: abc}}\n",
       "a.yaml:2:55: expected a number, found 'abc'\n  while reading 'identifier' of release-monitor"},
      {kPackage + "update: {schedule: {period: hourly}}\n",
       "a.yaml:2:20: unknown period 'hourly'\n  hint: daily, weekly or monthly"},
      {kPackage + "var-transforms: [{from: a, match: '(', replace: b, to: c}]\n",
       "a.yaml:2:18: '(' is not a regular expression: missing ): ("},
  };
  for (const auto& c : cases) EXPECT_EQ(bad(c.text, pipelines), c.error) << c.text;
  EXPECT_NE(bad(kPackage + "pipeline:\n  - {uses: wide}\n", pipelines), "no error");
}

TEST(Faults, TextsCannotGrowWithoutEnd) {
  std::string text =
      kPackage + "vars:\n  x: '" + std::string(4000, 'x') + "'\npipeline:\n  - runs: '";
  for (int i = 0; i < 1000; ++i) text += "${{vars.x}}";
  EXPECT_EQ(bad(text + "'\n"), "the variables in it make it too long");
}

TEST(Condition, IsReadFromLeftToRight) {
  const struct {
    const char* text;
    bool value;
  } cases[] = {{"", true},
               {"'a' == \"a\"", true},
               {"'a' != 'a'", false},
               {"'a'=='a' || 'a'=='b' && 'a'=='b'", false},
               {"'a'=='a' || ('a'=='b' && 'a'=='b')", true},
               {R"("a\"b" == 'a"b')", true},
               {R"('\q' == "\\q")", true},
               {"('a' == 'a')", true}};
  for (const auto& c : cases) EXPECT_EQ(*evaluate_condition(c.text), c.value) << c.text;
  const struct {
    const char *text, *error;
  } faults[] = {{"'a' = 'a'", "condition: expected == or !=, found '= 'a''"},
                {"'a' ==",
                 "condition: expected a text in quotes or a variable, found the end\n"
                 "  hint: ${{package.…}} and ${{vars.…}} stand in quotes: '${{vars.tls}}' == 'on'"},
                {"\"\"x\"\" == \"a\"", "condition: expected == or !=, found 'x\"\" == \"a\"'"},
                {"'a' == 'a' 'b'", "condition: expected && or ||, found ''b''"},
                {"('a' == 'a'", "condition: expected ')', found the end"},
                {"'a", "condition: expected a closing quote, found ''a'"}};
  for (const auto& c : faults) EXPECT_EQ(evaluate_condition(c.text).error().render(), c.error);
  EXPECT_FALSE(evaluate_condition(std::string(100'000, '(')));
}

TEST(Regex, ReplacesAsGoDoes) {
  const struct {
    const char *text, *pattern, *replacement, *result;
  } cases[] = {{"1.2.3", R"(^(\d+)\.(\d+).*$)", "${1}_$2", "1_2"},
               {"1.2", R"((\d+))", "$1t", "."},
               {"a.b", R"(\.)", "$$", "a$b"},
               {"abc", "", "-", "-a-b-c-"},
               {"baac", "a*", "x", "xbxcx"},
               {"v1", "(?P<n>\\d)", "${n}${m}", "v1"},
               {"x", "y", "z", "x"},
               {"a", "a", "${", "${"}};
  for (const auto& c : cases)
    EXPECT_EQ(*replace_matches(c.text, c.pattern, c.replacement), c.result) << c.pattern;
  EXPECT_EQ(replace_matches("x", "(", "").error().render(),
            "'(' is not a regular expression: missing ): (");
}

/// Whether a tree has only fields that the schema names: enough of JSON Schema for ours.
std::string unknown_to(const codec::Json& schema, const codec::Json& at, const codec::YamlNode& node) {
  const codec::Json* here = &at;
  if (const codec::Json* reference = at.find("$ref"))
    here = &schema["$defs"][std::string_view(reference->as_string()).substr(8)];
  for (const auto& entry : node.entries) {
    const codec::Json* field = (*here)["properties"].find(entry.key);
    const codec::Json& rest = (*here)["additionalProperties"];
    if (!field && !rest.is_object()) return entry.key;
    if (std::string found = unknown_to(schema, field ? *field : rest, entry.value); !found.empty()) return found;
  }
  for (const auto& item : node.items)
    if (std::string found = unknown_to(schema, (*here)["items"], item); !found.empty()) return found;
  return {};
}

TEST(Schema, KnowsWhatTheReaderKnows) {
  const codec::Json schema = definition_schema(), pipeline = pipeline_schema();
  EXPECT_EQ(codec::to_json(schema["$defs"]["definition"]["required"]), R"(["package"])");
  EXPECT_EQ(codec::to_json(schema["$defs"]["step"]["properties"]["pipeline"]["items"]), R"({"$ref":"#/$defs/step"})");
  EXPECT_EQ(codec::to_json(schema["$defs"]["schedule"]["properties"]["period"]["enum"]),
            R"(["daily","weekly","monthly"])");
  const os::Path root = os::Path(NACRE_SOURCE_DIR) / "os";
  std::size_t count = 0;
  for (const char* folder : {"packages", "pipelines"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const bool is_package = std::string_view(folder) == "packages";
      if (entry.path().extension() != ".yaml" || (is_package && entry.path().parent_path() != root / folder)) continue;
      const codec::YamlTree tree = *codec::parse_yaml(*os::read_file(entry.path()), entry.path());
      const codec::Json& used = is_package ? schema : pipeline;
      EXPECT_EQ(unknown_to(used, used, tree.root), "") << entry.path();
      ++count;
    }
  EXPECT_GT(count, 50u);
  const codec::YamlTree odd = *codec::parse_yaml("package: {name: a, licence: MIT}\n", "a");
  EXPECT_EQ(unknown_to(schema, schema, odd.root), "licence");
}

TEST(Dotenv, ReadsWhatTheFieldWrites) {
  const auto out = parse_dotenv(
      "# a comment\nexport A=1\nB = two words # not this\nC: \"x\\n${A}$B\\$A\"\n\nD='$A # kept'\n"
      "E=\nF=\"two\nlines\" # c\nA=3",
      "env");
  ASSERT_TRUE(out) << out.error().render();
  EXPECT_EQ(*out, (Pairs{{"A", "3"}, {"B", "two words"}, {"C", "x\n1two words$A"}, {"D", "$A # kept"}, {"E", ""},
                         {"F", "two\nlines"}}));
  const struct {
    const char *text, *error;
  } faults[] = {
      {"A=1\n=2", "env:2: expected the name of a variable\n  hint: a line is NAME=value, NAME=\"value\" or a comment"},
      {"A b", "env:1: expected '=' behind the name\n  hint: a line is NAME=value, NAME=\"value\" or a comment"},
      {"A='b", "env:1: expected a closing quote\n  hint: a line is NAME=value, NAME=\"value\" or a comment"},
      {"A='b' c",
       "env:1: expected nothing behind the closing quote\n  hint: a line is NAME=value, NAME=\"value\" or a comment"}};
  for (const auto& c : faults) EXPECT_EQ(parse_dotenv(c.text, "env").error().render(), c.error);
  std::string doubling = "A0=0123456789\n";
  for (int i = 1; i < 40; ++i) doubling += fmt::format("A{0}=$A{1}$A{1}\n", i, i - 1);
  const auto large = parse_dotenv(doubling, "env");
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().render().substr(0, 47), "env:19: expected at most 4194304 bytes of value");
}

TEST(Rules, FindWhatCompilesAndIsNotRight) {
  const auto found = [](const std::string& text) {
    std::string out;
    for (const RuleFinding& finding : check_rules(good(text)))
      out += fmt::format("{}:{} {}\n", finding.place.line, finding.place.column, finding.rule);
    return out;
  };
  const std::string fine =
      "package:\n  name: a\n  version: 1\n  epoch: 0\n  description: d\n  copyright: [{license: MIT}]\n"
      "update:\n  enabled: true\n"
      "test: {pipeline: [{runs: a}]}\n";
  EXPECT_EQ(found(fine + "pipeline: [{runs: make}]\n"), "");
  EXPECT_EQ(found("package:\n  name: a\n  version: 1\n  epoch: 0\npipeline:\n"
                  "  - runs: |\n      server &\n      mkdir /home/build/melange-out/a\n"),
            "2:3 valid-copyright-header\n2:3 description\n2:3 update-present\n"
            "2:3 valid-package-or-subpackage-test\n6:11 written-directory\n"
            "6:11 background-process-without-redirect\n");
  EXPECT_EQ(found(fine + "pipeline:\n  - runs: |\n      ! cmp a b\n"), "11:11 check-never-fails\n");
  EXPECT_EQ(found(fine + "pipeline:\n  - runs: ls\n  - name: nothing\n  -\n"), "12:5 empty-step\n13:4 empty-step\n");
  EXPECT_EQ(found(fine + "pipeline:\n  - runs: |\n      ! cmp a b || exit 1\n      ! cmp a \\\n        b || exit 1\n"
                         "      if ! cmp a b; then exit 1; fi\n      differ() {\n        ! cmp a b\n      }\n"),
            "");
  const std::string wrong = fine +
                            "vars: {used: x, left: y}\n"
                            "environment:\n  contents:\n    repositories: [https://h/r]\n    packages: [b, c, b]\n"
                            "pipeline: [{runs: '${{vars.used}} 2>log &'}]\n";
  EXPECT_EQ(found(wrong), "10:17 unused-variable\n13:19 forbidden-repository-used\n14:22 no-repeated-deps\n");
  EXPECT_EQ(found(wrong + "# nolint: unused-variable, no-repeated-deps\n"), "13:19 forbidden-repository-used\n");
  EXPECT_EQ(excepted_rules("a: 1 # nolint:x,y z\n#nolint: w\n# other\n"),
            (std::vector<std::string>{"x", "y", "z", "w"}));
}

TEST(Options, FilesOfTheCaller) {
  CompileOptions options;
  options.environment = {{"CFLAGS", "theirs"}, {"X", "theirs"}, {"HOME", "/theirs"}};
  options.resources.cpu = "8";
  options.libc_flavor = "musl";
  const Definition d = good(kPackage + "environment: {environment: {CFLAGS: ours}}\n"
                                       "pipeline: [{runs: '${{host.triplet.gnu}} ${{host.triplet.rust}}'}]\n",
                            {}, options);
  EXPECT_EQ(*find_pair(d.environment.variables, "CFLAGS"), "ours");
  EXPECT_EQ(*find_pair(d.environment.variables, "X"), "theirs");
  EXPECT_EQ(*find_pair(d.environment.variables, "HOME"), "/theirs");
  EXPECT_EQ(d.callers_variables, (std::vector<std::string>{"X", "HOME"}));
  EXPECT_EQ(d.resources.cpu, "8");
  if (host_arch().apk == "x86_64") {
    EXPECT_EQ(d.pipeline[0].runs, "x86_64-pc-linux-musl x86_64-unknown-linux-musl");
  }
}

TEST(Fields, AreKeptAsTheReferenceShowsThem) {
  const Definition d = good(
      "package:\n  name: a\n  version: 1\n  timeout: 1h30m\n  cpe: {vendor: v, product: p, other: o}\n"
      "  copyright: [{license: MIT, detection-override: X}]\n"
      "  setcap: [{path: /usr/bin/x, add: {'cap_net_raw,cap_net_admin': +eip}, reason: ping}]\n"
      "  test-resources: {memory: 1Gi}\n"
      "capabilities: {add: [CAP_A], drop: [CAP_B]}\n"
      "environment:\n  contents: {build_repositories: [r], baseimage: {image: i, apkindex: x}}\n"
      "  entrypoint: {type: service-bundle, services: {s: run}}\n  cmd: c\n  archs: [x86_64]\n"
      "  paths: [{path: /p, type: directory, permissions: 0o755, uid: 1}]\n"
      "update: {enabled: false, oci: {identifier: o, strip-prefix: v}, version_data: {version_format: f, sources: "
      "[{name: n, stream: s, use_release: true}]}}\n");
  EXPECT_EQ(d.timeout_nanoseconds, 5'400'000'000'000);
  const codec::Json& package = d.compiled["package"];
  EXPECT_EQ(codec::to_json(package["cpe"]), R"({"vendor":"v","product":"p","other":"o"})");
  EXPECT_EQ(codec::to_json(package["setcap"]),
            R"([{"path":"/usr/bin/x","add":{"cap_net_raw,cap_net_admin":"+eip"},"reason":"ping"}])");
  EXPECT_EQ(codec::to_json(package["copyright"]), R"([{"license":"MIT","detection-override":"X"}])");
  EXPECT_EQ(package["timeout"].as_int(), 5'400'000'000'000);
  EXPECT_EQ(codec::to_json(d.compiled["capabilities"]), R"({"add":["CAP_A"],"drop":["CAP_B"]})");
  EXPECT_EQ(codec::to_json(d.compiled["environment"]["contents"]),
            R"({"build_repositories":["r"],"baseimage":{"image":"i","apkindex":"x"}})");
  EXPECT_EQ(codec::to_json(d.compiled["environment"]["paths"]),
            R"([{"path":"/p","type":"directory","uid":1,"permissions":493}])");
  EXPECT_EQ(codec::to_json(d.compiled["update"]),
            R"({"enabled":false,"oci":{"identifier":"o","strip-prefix":"v"},"version_data":{"version_format":"f",)"
            R"("sources":[{"name":"n","stream":"s","use_release":true}]}})");
}

TEST(Script, HasThePrologueOfTheReference) {
  Step step;
  step.runs = "make\n";
  EXPECT_EQ(step_script(step, "/home/build"),
            "set -eo pipefail\n[ -d '/home/build' ] || mkdir -p '/home/build'\ncd "
            "'/home/build'\nmake\nexit 0\n");
  step.working_directory = "it's";
  step.runs = "";
  EXPECT_EQ(step_script(step, "/w"),
            "set -eo pipefail\n[ -d '/w/it'\\''s' ] || mkdir -p '/w/it'\\''s'\ncd "
            "'/w/it'\\''s'\nexit 0\n");
}

}  // namespace
}  // namespace nacre::definition
