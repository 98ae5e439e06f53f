#include "base/text.h"
#include "cli/melange_common.h"
#include "cli/melange_template.h"
#include "cli/melange_trace.h"
#include "codec/yaml.h"

#include <gtest/gtest.h>

namespace nacre::cli {
namespace {

using Words = std::vector<std::string>;

TEST(MelangeFlags, AreReadAsTheReferenceReadsThem) {
  const auto call =
      parse_melange({"--log-level", "warn", "build", "a.yaml", "--arch=x86_64,aarch64", "--arch", "x86_64", "-kone.pub",
                     "-k", "two.pub,three.pub", "-i", "--rm=false", "-r=dir", "--out-dir", "o"},
                    melange_commands());
  ASSERT_TRUE(call) << call.error().render();
  const MelangeArguments& arguments = call->arguments;
  EXPECT_EQ(call->command->name, "build");
  EXPECT_EQ(call->log_level, "warn");
  EXPECT_EQ(arguments.words, Words{"a.yaml"});
  EXPECT_EQ(arguments.list("--arch"), (Words{"x86_64", "aarch64", "x86_64"}));
  EXPECT_EQ(arguments.list("--keyring-append"), (Words{"one.pub", "two.pub", "three.pub"}));
  EXPECT_EQ(arguments.list("--repository-append"), Words{"dir"});
  EXPECT_TRUE(arguments.on("--interactive"));
  EXPECT_FALSE(arguments.on("--rm"));
  EXPECT_TRUE(arguments.on("--generate-index"));
  EXPECT_FALSE(arguments.has("--generate-index"));
  EXPECT_EQ(arguments.list("--lint-require").size(), 8u);
}

struct Refusal {
  Words words;
  std::string message;
};

class MelangeRefusals : public testing::TestWithParam<Refusal> {};

TEST_P(MelangeRefusals, SayWhatIsNext) {
  const auto call = parse_melange(GetParam().words, melange_commands());
  ASSERT_FALSE(call);
  EXPECT_EQ(call.error().kind(), ErrorKind::kInvalid);
  EXPECT_EQ(call.error().render(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Melange, MelangeRefusals,
    testing::Values(
        Refusal{{"biuld"}, "unknown command 'melange biuld'\n  hint: did you mean 'build'?"},
        Refusal{{"initramfs"},
                "unknown command 'melange initramfs'\n  hint: there is no virtual machine to make one for: builds run "
                "in nacre's own sandbox"},
        Refusal{{"build", "--signing-kye", "x"},
                "`melange build` has no flag '--signing-kye'\n  hint: did you mean '--signing-key'?"},
        Refusal{{"build", "-z"}, "`melange build` has no flag '-z'\n  hint: see `melange build --help`"},
        Refusal{{"build", "--out-dir"}, "flag '--out-dir' needs a value"},
        Refusal{{"build", "--rm=perhaps"}, "flag '--rm' is true or false, got 'perhaps'"},
        Refusal{{"query", "a.yaml"},
                "usage: melange query [FLAG …] CONFIG TEMPLATE\n  hint: see `melange query --help`"}));

TEST(MelangeHelp, ListsEveryCommandAndCompletionEveryFlag) {
  const std::string all = melange_help(nullptr, melange_commands());
  for (const char* shell : {"bash", "zsh", "fish", "powershell"}) {
    const auto script = melange_completion(shell, melange_commands());
    ASSERT_TRUE(script);
    for (const MelangeCommand& command : melange_commands()) {
      EXPECT_NE(all.find("  " + command.name + " "), std::string::npos);
      EXPECT_NE(script->find(command.name), std::string::npos) << shell;
      for (const MelangeFlag& flag : command.flags)
        EXPECT_NE(script->find(flag.name.substr(2)), std::string::npos) << shell << flag.name;
    }
  }
  EXPECT_FALSE(melange_completion("tcsh", melange_commands()));
}

constexpr const char* kDefinition = R"(
package:
  name: demo
  version: 1.10
  copyright:
    - license: MIT
    - license: Apache-2.0
  dependencies:
    runtime: [a, b]
environment:
  environment: {B: two, A: one}
subpackages:
  - name: demo-dev
  - name: demo-doc
)";

struct Filled {
  std::string text, answer;
};

class Templates : public testing::TestWithParam<Filled> {};

TEST_P(Templates, AreFilledAsGoFillsThem) {
  const auto tree = codec::parse_yaml(kDefinition, "demo.yaml");
  ASSERT_TRUE(tree);
  const auto out = fill_template(GetParam().text, tree->root);
  ASSERT_TRUE(out) << out.error().render();
  EXPECT_EQ(*out, GetParam().answer);
}

INSTANTIATE_TEST_SUITE_P(
    Melange, Templates,
    testing::Values(Filled{"plain", "plain"},
                    Filled{"{{ .Package.Name }}-{{ .Package.Version }}-r{{.Package.Epoch}}", "demo-1.10-r0"},
                    Filled{"{{ .Package.Description }}|{{ .Package.URL }}", "|"},
                    Filled{"{{ .Package.Dependencies.Runtime }} {{ .Package.Dependencies.Provides }}", "[a b] []"},
                    Filled{"{{ .Environment.Environment }}", "map[A:one B:two]"},
                    Filled{"{{ range .Subpackages }}{{ .Name }},{{ end }}", "demo-dev,demo-doc,"},
                    Filled{"{{ range .Subpackages }}{{ $.Package.Name }}>{{ .Name }} {{ end }}",
                           "demo>demo-dev demo>demo-doc "},
                    Filled{"{{ range .Pipeline }}x{{ else }}none{{ end }}", "none"},
                    Filled{"{{ if .Subpackages }}yes{{ else }}no{{ end }}{{ if .Package.URL }}yes{{ else if "
                           ".Package.Epoch }}e{{ else }}no{{ end }}",
                           "yesno"},
                    Filled{"{{ len .Subpackages }}{{ if eq .Package.Name \"demo\" }}!{{ end }}{{ if not (eq "
                           ".Package.Epoch 0) }}?{{ end }}",
                           "2!"},
                    Filled{"{{ (index .Package.Copyright 1).License }}", "Apache-2.0"},
                    Filled{"a {{- /* nothing */ -}} b", "ab"},
                    Filled{"{{ with .Package }}{{ .Name }}{{ end }}", "demo"}));

TEST(Template, RefusesWhatItDoesNotKnow) {
  const auto tree = codec::parse_yaml(kDefinition, "demo.yaml");
  ASSERT_TRUE(tree);
  const auto refusal = [&](std::string_view text) { return fill_template(text, tree->root).error().render(); };
  EXPECT_EQ(refusal("{{ .Package.Nmae }}"), "a Package has no field 'Nmae'\n  hint: did you mean 'Name'?");
  const std::string hint =
      "\n  hint: fields, range, if, with, else, end, len, not, eq, ne and index are known; docs/melange.md";
  EXPECT_EQ(refusal("{{ printf .Package.Name }}"), "this template cannot be filled: 'printf'" + hint);
  EXPECT_EQ(refusal("{{ .Package }}"),
            "this template cannot be filled: a whole Package would be printed; name a field of it" + hint);
  EXPECT_EQ(refusal("{{ if .Package }}"), "this template cannot be filled: 'if' has no end" + hint);
  EXPECT_EQ(refusal("{{ end }}"), "this template cannot be filled: 'end' without a beginning" + hint);
  EXPECT_EQ(refusal("{{ .Package"), "this template cannot be filled: a '{{' is never closed" + hint);
  EXPECT_EQ(refusal("{{ index .Subpackages 2 }}"),
            "this template cannot be filled: there is no item 2 in a list of 2" + hint);
}

TEST(EnvFile, TakesTheUsualForms) {
  const auto pairs = parse_env_file("# c\n\nA=1\nexport B = two \nC=\"x y\\n\" # c\nD='a\\n'\nE=v # c\nF=\n", "e");
  ASSERT_TRUE(pairs) << pairs.error().render();
  const definition::Pairs expected = {{"A", "1"}, {"B", "two"}, {"C", "x y\n"}, {"D", "a\\n"}, {"E", "v"}, {"F", ""}};
  EXPECT_EQ(*pairs, expected);
  EXPECT_EQ(parse_env_file("A=1\nnonsense\n", "e").error().render(), "e:2:1: expected NAME=value, found 'nonsense'");
}

TEST(World, VersionsWithoutARevisionMeanRevisionZero) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"a", "a"},           {"a=1.2", "a=1.2-r0"}, {"a=1.2-r3", "a=1.2-r3"},        {"a>=1.2", "a>=1.2-r0"},
      {"!a<2", "!a<2-r0"},  {"a~1.2", "a~1.2"},    {"a=1.2_rc1", "a=1.2_rc1-r0"},   {"a@edge=1", "a@edge=1-r0"},
      {"cmd:a=1", "cmd:a=1"}, {"a=x", "a=x"},      {"a b", "a b"}};
  for (const auto& [atom, wanted] : rows) EXPECT_EQ(world_of({atom}), Words{wanted}) << atom;
}

TEST(Durations, AreThoseOfGo) {
  EXPECT_DOUBLE_EQ(*parse_go_duration("1h30m"), 5400);
  EXPECT_DOUBLE_EQ(*parse_go_duration("1.5s"), 1.5);
  EXPECT_DOUBLE_EQ(*parse_go_duration("250ms"), 0.25);
  for (const char* text : {"", "5", "s", "-1s", "1x"}) EXPECT_FALSE(parse_go_duration(text)) << text;
}

TEST(Trace, HasASpanForEachTaskThatEnded) {
  NoEvents none;
  os::FakeClock clock(1'700'000'000);
  SpanRecorder spans(none, clock);
  const auto event = [](EventKind kind, std::uint64_t task, std::uint64_t parent, const char* name) {
    return Event{.kind = kind, .task = task, .parent = parent, .name = name};
  };
  spans.emit(event(EventKind::kStarted, 7, 0, "build"));
  clock.sleep(1.25);
  spans.emit(event(EventKind::kStarted, 8, 7, "step"));
  spans.emit(event(EventKind::kNote, 8, 7, "said"));
  clock.sleep(0.5);
  Event failed = event(EventKind::kFinished, 8, 7, "step");
  failed.failed = true;
  failed.detail = "exit code 1";
  spans.emit(failed);
  spans.emit(event(EventKind::kFinished, 9, 0, "never begun"));
  const auto row = codec::parse_json(spans.text(), "trace");
  ASSERT_TRUE(row) << spans.text();
  EXPECT_EQ((*row)["Name"].as_string(), "step");
  EXPECT_EQ((*row)["SpanContext"]["SpanID"].as_string(), "0000000000000008");
  EXPECT_EQ((*row)["SpanContext"]["TraceID"].as_string().size(), 32u);
  EXPECT_EQ((*row)["Parent"]["SpanID"].as_string(), "0000000000000007");
  EXPECT_EQ((*row)["StartTime"].as_string(), "2023-11-14T22:13:21.250000Z");
  EXPECT_EQ((*row)["EndTime"].as_string(), "2023-11-14T22:13:21.750000Z");
  EXPECT_EQ((*row)["Status"]["Code"].as_string(), "Error");
  spans.emit(event(EventKind::kFinished, 7, 0, "build"));
  EXPECT_EQ(split(spans.text(), '\n').size(), 3u);  // two lines, and nothing behind the last
}

}  // namespace
}  // namespace nacre::cli
