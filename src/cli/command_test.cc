#include "cli/command.h"

#include "base/text.h"
#include "cli/completion.h"
#include "os/file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

namespace nacre::cli {
namespace {

using Words = std::vector<std::string>;

const Verb& verb_named(std::string_view name) {
  for (const Verb& verb : all_verbs())
    if (verb.name == name) return verb;
  ADD_FAILURE() << "no verb " << name;
  return all_verbs().front();
}

/// What completion offers for a call as far as it was typed.
Words offered(const Words& words, const os::Path& os_dir = "/nowhere") {
  Words out;
  for (const Candidate& one : candidates(words, os_dir)) out.push_back(one.text);
  return out;
}

struct Refusal {
  Words words;
  std::string message;
};

class CommandLineRefusals : public testing::TestWithParam<Refusal> {};

TEST_P(CommandLineRefusals, SayWhatWasExpectedAndWhatIsNext) {
  const auto call = parse_command_line(GetParam().words);
  ASSERT_FALSE(call);
  EXPECT_EQ(call.error().kind(), ErrorKind::kInvalid);
  EXPECT_EQ(call.error().render(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Command, CommandLineRefusals,
    testing::Values(
        Refusal{{"biuld"}, "unknown command 'biuld'\n  hint: did you mean 'build'?"},
        Refusal{{"frobnicate", "--json"}, "unknown command 'frobnicate'\n  hint: `nacre help` lists all commands"},
        Refusal{{"help", "serails"}, "unknown command 'serails'\n  hint: did you mean 'serials'?"},
        Refusal{{"image"},
                "command 'image' is not complete\n"
                "  hint: there are: image build, image publish, image files, image inspect, image why, "
                "image diff, image export, image sbom, image history"},
        Refusal{{"image", "--json"},
                "command 'image' is not complete\n"
                "  hint: there are: image build, image publish, image files, image inspect, image why, "
                "image diff, image export, image sbom, image history"},
        Refusal{{"image", "biuld", "nginx"}, "unknown command 'image biuld'\n  hint: did you mean 'image build'?"},
        Refusal{{"image", "x"},
                "unknown command 'image x'\n"
                "  hint: there are: image build, image publish, image files, image inspect, image why, "
                "image diff, image export, image sbom, image history"}));

INSTANTIATE_TEST_SUITE_P(
    Options, CommandLineRefusals,
    testing::Values(
        Refusal{{"build", "tini", "--agian"}, "`nacre build` has no option '--agian'\n  hint: did you mean '--again'?"},
        Refusal{{"doctor", "--frobnicate"},
                "`nacre doctor` has no option '--frobnicate'\n  hint: see `nacre doctor --help`"},
        Refusal{{"--json", "serials"},
                "expected a command, got the option '--json'\n"
                "  hint: options stand behind the command: nacre COMMAND --json"},
        Refusal{{"version", "x"}, "`nacre version` takes nothing but --json, got 'x'"},
        Refusal{{"gc", "--days", "9999999999999999999"},
                "option '--days' needs a number of at most 9 digits, got '9999999999999999999'"},
        Refusal{{"doctor", "-v"}, "`nacre doctor` has no option '-v'\n  hint: see `nacre doctor --help`"},
        Refusal{{"image", "build", "--layotu=x", "nginx"},
                "`nacre image build` has no option '--layotu'\n  hint: did you mean '--layout'?"},
        Refusal{{"build", "tini", "--out"}, "option '--out' needs a value DIR"},
        Refusal{{"build", "tini", "--again=yes"}, "option '--again' takes no value"},
        Refusal{{"plan", "--json=1"}, "option '--json' takes no value"},
        Refusal{{"serve", "--port", "http"}, "option '--port' needs a number, got 'http'"},
        Refusal{{"serve", "--port="}, "option '--port' needs a number, got ''"},
        Refusal{{"serve", "--port", "-1"}, "option '--port' needs a number, got '-1'"}));

INSTANTIATE_TEST_SUITE_P(
    Arguments, CommandLineRefusals,
    testing::Values(Refusal{{"build"},
                            "`nacre build` needs DEFINITION: name, or FILE.yaml\n  hint: see `nacre build --help`"},
                    Refusal{{"log", "--quiet"}, "`nacre log` needs NAME: definition\n  hint: see `nacre log --help`"},
                    Refusal{{"log", "tini", "zlib"}, "`nacre log` takes no further argument, got 'zlib'"},
                    Refusal{{"doctor", "--", "--json"}, "`nacre doctor` takes no further argument, got '--json'"}));

TEST(CommandLine, TakesOptionsOnBothSidesOfArguments) {
  const auto call = parse_command_line({"build", "--again", "tini", "--out=packages", "zlib", "--json"});
  ASSERT_TRUE(call) << call.error().render();
  ASSERT_NE(call->verb, nullptr);
  EXPECT_EQ(call->verb->name, "build");
  EXPECT_EQ(call->arguments.list("DEFINITION"), (Words{"tini", "zlib"}));
  EXPECT_EQ(call->arguments.text("--out"), "packages");
  EXPECT_EQ(call->arguments.text("--arch"), "host");
  EXPECT_TRUE(call->arguments.flag("--again"));
  EXPECT_TRUE(call->json);
  EXPECT_FALSE(call->quiet);
}

TEST(CommandLine, TakesTheLongerOfTwoNames) {
  const auto call = parse_command_line({"image", "files", "nginx", "--long"});
  ASSERT_TRUE(call) << call.error().render();
  EXPECT_EQ(call->verb->name, "image files");
  EXPECT_EQ(call->arguments.text("IMAGE"), "nginx");
}

TEST(CommandLine, KeepsEveryValueOfAListAndTheLastOfAText) {
  const auto call =
      parse_command_line({"run", "--env", "A=1", "--env=B=2", "--name", "x", "--name", "y", "busybox"});
  ASSERT_TRUE(call) << call.error().render();
  EXPECT_EQ(call->arguments.list("--env"), (Words{"A=1", "B=2"}));
  EXPECT_EQ(call->arguments.text("--name"), "y");
}

TEST(CommandLine, ReadsNumbersAndTheirDefaults) {
  const auto given = parse_command_line({"serve", "--port", "0"});
  ASSERT_TRUE(given) << given.error().render();
  EXPECT_EQ(given->arguments.number("--port"), 0);
  const auto silent = parse_command_line({"serve"});
  ASSERT_TRUE(silent) << silent.error().render();
  EXPECT_EQ(silent->arguments.number("--port"), 8484);
}

TEST(CommandLine, LeavesWhatFollowsTheImageToTheProgramInside) {
  const auto call = parse_command_line({"run", "--detach", "busybox", "ls", "--json", "-l", "--", "--help"});
  ASSERT_TRUE(call) << call.error().render();
  EXPECT_EQ(call->arguments.list("WORD"), (Words{"busybox", "ls", "--json", "-l", "--", "--help"}));
  EXPECT_TRUE(call->arguments.flag("--detach"));
  EXPECT_FALSE(call->json);
}

TEST(CommandLine, EndsOptionsAtTwoDashes) {
  const auto call = parse_command_line({"build", "--again", "--", "--json"});
  ASSERT_TRUE(call) << call.error().render();
  EXPECT_EQ(call->arguments.list("DEFINITION"), (Words{"--json"}));
  EXPECT_FALSE(call->json);
}

TEST(CommandLine, AnswersHelpAndVersionWithoutAVerb) {
  for (const Words& words : {Words{}, Words{"help"}, Words{"--help"}, Words{"-h"}, Words{"help", "help"}}) {
    const auto call = parse_command_line(words);
    ASSERT_TRUE(call) << call.error().render();
    EXPECT_EQ(call->verb, nullptr);
    EXPECT_EQ(call->message, help_of(nullptr));
  }
  const auto version = parse_command_line({"--version"});
  ASSERT_TRUE(version) << version.error().render();
  EXPECT_EQ(version->message, fmt::format("nacre {}", program_version()));
  const auto as_json = parse_command_line({"version", "--json"});
  ASSERT_TRUE(as_json) << as_json.error().render();
  EXPECT_EQ(as_json->message, fmt::format(R"({{"version":"{}"}})", program_version()));
  const auto group = parse_command_line({"help", "stage0"});
  ASSERT_TRUE(group) << group.error().render();
  EXPECT_EQ(group->message,
            fmt::format("  nacre {:<18} {}\n\n`nacre stage0 COMMAND --help` says more.", "stage0 export",
                        verb_named("stage0 export").summary));
  const auto page = parse_command_line({"help", "image", "build"});
  ASSERT_TRUE(page) << page.error().render();
  EXPECT_EQ(page->message, help_of(&verb_named("image build")));
}

/// `nacre VERB --help` is answered even when a required argument is missing.
TEST(EachVerb, HasHelpThatNamesItsOptionsAndArguments) {
  for (const Verb& verb : all_verbs()) {
    Words words = split(verb.name, ' ');
    words.emplace_back("--help");
    const auto call = parse_command_line(words);
    ASSERT_TRUE(call) << call.error().render();
    EXPECT_EQ(call->verb, nullptr);
    EXPECT_TRUE(call->message.starts_with(fmt::format("nacre {}: {}\n", verb.name, verb.summary))) << call->message;
    for (const Option& option : verb.options) {
      EXPECT_NE(call->message.find("\n  " + option.name + " "), std::string::npos) << verb.name << " " << option.name;
      EXPECT_FALSE(option.help.empty()) << verb.name << " " << option.name;
      EXPECT_EQ(option.type == OptionType::kFlag, option.value_name.empty()) << verb.name << " " << option.name;
    }
    for (const Argument& argument : verb.arguments)
      EXPECT_NE(call->message.find("\n  " + argument.name + " "), std::string::npos) << verb.name;
  }
}

TEST(EachVerb, StandsInTheOverview) {
  const std::string overview = help_of(nullptr);
  for (const Verb& verb : all_verbs())
    EXPECT_NE(overview.find(fmt::format("\n  {:<16} {}\n", verb.name, verb.summary)), std::string::npos) << verb.name;
}

TEST(EachVerb, RunsInOneWayAndHasANameOfItsOwn) {
  Words names;
  for (const Verb& verb : all_verbs()) {
    const bool both = verb.is_alone != nullptr;
    EXPECT_EQ(static_cast<bool>(verb.run), both || !verb.run_alone) << verb.name;
    EXPECT_EQ(static_cast<bool>(verb.run_alone), both || !verb.run) << verb.name;
    names.push_back(verb.name);
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

/// "image build" -> src/cli/verb_image_build.md. Options stand in it as `--name`, as a reader would look for them.
TEST(EachVerb, HasAPageThatNamesEachOption) {
  const std::array<std::string, 6> kSections = {"## Synopsis", "## Options", "## Examples", "## Exit codes", "## Files",
                                                "usage: nacre "};
  for (const Verb& verb : all_verbs()) {
    const os::Path file =
        os::Path(NACRE_SOURCE_DIR) / "src/cli" / fmt::format("verb_{}.md", replace_all(verb.name, " ", "_"));
    const auto page = os::read_file(file);
    ASSERT_TRUE(page) << page.error().render();
    EXPECT_TRUE(page->starts_with(fmt::format("# nacre {}\n", verb.name))) << file;
    for (const std::string& section : kSections)
      EXPECT_NE(page->find(section), std::string::npos) << file << " lacks " << section;
    for (const Option& option : verb.options) {
      const bool named = page->find(fmt::format("`{}`", option.name)) != std::string::npos ||
                         page->find(fmt::format("`{} {}`", option.name, option.value_name)) != std::string::npos;
      EXPECT_TRUE(named) << file << " lacks " << option.name;
    }
    for (const Argument& argument : verb.arguments)
      EXPECT_NE(page->find(fmt::format("`{}`", argument.name)), std::string::npos)
          << file << " lacks " << argument.name;
    for (const char* common : {"`--json`", "`--quiet`", "`--help`"})
      EXPECT_NE(page->find(common), std::string::npos) << file << " lacks " << common;
  }
}

/// The other way round: an option that went away leaves its page, too.
TEST(EachVerb, HasAPageThatNamesNoOtherOption) {
  for (const Verb& verb : all_verbs()) {
    Words known = {"--json", "--quiet", "--help"};
    for (const Option& option : verb.options) known.push_back(option.name);
    const os::Path file =
        os::Path(NACRE_SOURCE_DIR) / "src/cli" / fmt::format("verb_{}.md", replace_all(verb.name, " ", "_"));
    const auto page = os::read_file(file);
    ASSERT_TRUE(page) << page.error().render();
    for (const std::string& line : split(*page, '\n')) {
      if (!line.starts_with("| `--")) continue;
      const std::string name = line.substr(3, line.find_first_of(" `", 3) - 3);
      EXPECT_NE(std::find(known.begin(), known.end(), name), known.end()) << file << " names " << name;
    }
  }
}

TEST(Completion, KnowsEachVerbAndItsOptions) {
  for (const Verb& verb : all_verbs()) {
    Words words = split(verb.name, ' '), expected;
    words.push_back("-");
    for (const Option& option : with_common(verb)) expected.push_back(option.name);
    EXPECT_EQ(offered(words), expected) << verb.name;
  }
}

TEST(Completion, OffersEachFirstWordOnce) {
  Words expected = {"help", "version"};
  for (const Verb& verb : all_verbs()) {
    const std::string word = verb.name.substr(0, verb.name.find(' '));
    if (std::find(expected.begin(), expected.end(), word) == expected.end()) expected.push_back(word);
  }
  EXPECT_EQ(offered({""}), expected);
  EXPECT_EQ(offered({"comp"}), (Words{"compile", "completion"}));
  EXPECT_EQ(offered({}), expected);
}

TEST(Completion, OffersWhatTheTableSays) {
  const auto dir = os::TempDir::create(std::filesystem::temp_directory_path());
  ASSERT_TRUE(dir) << dir.error().render();
  for (const char* file : {"packages/zlib.yaml", "packages/zstd.yaml", "packages/jq.yaml", "images/nginx.yaml"}) {
    ASSERT_TRUE(os::make_dirs((dir->path() / file).parent_path()));
    ASSERT_TRUE(os::write_file(dir->path() / file, ""));
  }
  const os::Path& os = dir->path();
  EXPECT_EQ(offered({"update", "z"}, os), (Words{"zlib", "zstd"}));
  EXPECT_EQ(offered({"image", "history", ""}, os), Words{"nginx"});
  EXPECT_EQ(offered({"help", "image", "hist"}, os), Words{"history"});
  EXPECT_EQ(offered({"log", "--step", ""}, os), Words{}) << "a value that nobody can guess";
  EXPECT_EQ(offered({"log", "--step", "2", "z"}, os), (Words{"zlib", "zstd"})) << "the value is no argument";
  EXPECT_EQ(offered({"log", "--steps", "--st"}, os), Words{"--step"}) << "a flag once";
  EXPECT_EQ(offered({"log", "zlib", ""}, os), Words{}) << "no further argument";
  EXPECT_EQ(offered({"biuld", ""}, os), Words{});
}

TEST(Completion, HasAScriptForEachShellOnly) {
  for (const char* shell : {"bash", "zsh", "fish"}) EXPECT_TRUE(completion_script(shell)) << shell;
  EXPECT_EQ(completion_script("tcsh").error().render(),
            "no completion for the shell 'tcsh'\n  hint: there are: bash, zsh, fish");
}

}  // namespace
}  // namespace nacre::cli
