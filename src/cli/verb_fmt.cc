#include "cli/compile_many.h"
#include "cli/verbs.h"
#include "codec/json.h"
#include "definition/layout.h"

namespace nacre::cli {
namespace {

Result<int> run_fmt(const Arguments& arguments, std::stop_token) {
  const std::vector<Path> files = TRY(definition_files(arguments.list("FILE")));
  const bool check = arguments.flag("--check");
  const bool json = arguments.flag("--json");
  std::vector<std::string> changed;
  for (const Path& file : files) {
    const std::string text = TRY(os::read_file(file));
    const codec::YamlTree tree = TRY(codec::parse_yaml(text, file.string()));
    const std::string laid = TRY(definition::lay_out(tree));
    if (laid == text) continue;
    changed.push_back(file.string());
    if (!json) std::printf("%s\n", file.c_str());
    if (check) continue;
    const auto mode = std::filesystem::status(file).permissions() & std::filesystem::perms::mask;
    TRY(os::write_file(file, laid, static_cast<unsigned>(mode)));
  }
  if (json) std::puts(codec::to_json(codec::Json::strings(changed)).c_str());
  return check && !changed.empty() ? 2 : 0;
}

}  // namespace

Verb verb_fmt() {
  Verb verb;
  verb.name = "fmt";
  verb.summary = "lay definitions out: blanks alone change";
  verb.arguments = {{"FILE", "definition, or a directory of them", true, true, Completion::kFile}};
  verb.options = {{"--check", OptionType::kFlag, "", "", "change nothing; exit 2 when a file would change",
                   Completion::kNone}};
  verb.run_alone = run_fmt;
  return verb;
}

}  // namespace nacre::cli
