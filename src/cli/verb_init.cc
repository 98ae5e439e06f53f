#include "base/text.h"
#include "cli/init_sources.h"
#include "cli/verbs.h"
#include "codec/yaml.h"
#include "definition/layout.h"
#include "definition/load.h"
#include "definition/rules.h"

#include <fcntl.h>
#include <unistd.h>

namespace nacre::cli {
namespace {

/// Writes a file that must not be there yet.
Result<> write_new(const Path& file, std::string_view text) {
  const os::Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd && errno == EEXIST)
    return Error::make(ErrorKind::kConflict, "'{}' is there already", file.string())
        .hint("--force replaces it; --output names another file");
  if (!fd) return os::system_error(errno, fmt::format("create '{}'", file.string()));
  while (!text.empty()) {
    const ssize_t count = ::write(fd.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os::system_error(errno, fmt::format("write '{}'", file.string()));
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

/// Lays the text out and reads it as every other verb will. What rules say of it is told, not hidden.
Result<std::string> checked(const std::string& text, const std::string& file, Session& session,
                            std::vector<std::string>& remarks) {
  const codec::YamlTree tree = TRY(codec::parse_yaml(text, file));
  std::string laid = TRY(definition::lay_out(tree));
  codec::YamlTree again = TRY(codec::parse_yaml(laid, file));
  definition::PipelineFolders pipelines({session.os_dir / "pipelines"});
  const definition::Definition definition =
      TRY(definition::read_definition(std::make_shared<const codec::YamlTree>(std::move(again)), pipelines, {}));
  for (const definition::RuleFinding& finding : definition::check_rules(definition))
    remarks.push_back(fmt::format("{} [{}]", finding.text, finding.rule));
  return laid;
}

Result<int> run_init(const Arguments& arguments, Session& session) {
  InitRequest request;
  request.source = arguments.text("SOURCE").empty() ? "." : arguments.text("SOURCE");
  request.uri = arguments.text("--uri");
  request.tag = arguments.text("--tag");
  request.branch = arguments.text("--branch");
  const draft::DraftOptions options{arguments.text("--name"), arguments.text("--set-version"),
                                    arguments.text("--build-system")};
  const InitSource source = TRY(find_init_source(request, session));
  draft::Facts facts = TRY(draft::find_facts(source.tree, source.origin, options));
  const std::string output = arguments.text("--output");
  const std::string file = output.empty() ? facts.name + ".yaml" : output;
  std::vector<std::string> remarks = facts.remarks;
  const std::string text = TRY(checked(draft::write_definition(facts, source.origin), file, session, remarks),
                               "reading the definition that was made");
  if (output == "-") {
    if (session.json) facts.remarks = remarks;
    session.print(session.json ? codec::to_pretty_json(draft::facts_json(facts, source.origin).set("definition", text))
                               : std::string_view(text).substr(0, text.size() - 1));
    return 0;
  }
  if (arguments.flag("--force")) TRY(os::write_file(file, text));
  else TRY(write_new(file, text));
  if (session.json) {
    facts.remarks = remarks;
    session.print(codec::to_pretty_json(draft::facts_json(facts, source.origin).set("file", file)));
    return 0;
  }
  std::string said = fmt::format("{}: {} {}, {}, {}", file, facts.name, facts.version, facts.system,
                                 facts.licenses.empty() ? "licence not known" : join(facts.licenses, ", "));
  for (const std::string& remark : remarks) said += "\n  look at: " + replace_all(remark, "\n", " ");
  session.print(said);
  return 0;
}

}  // namespace

Verb verb_init() {
  Verb verb;
  verb.name = "init";
  verb.summary = "write a first definition from a source tree";
  verb.arguments = {{"SOURCE", "directory (default: this one), archive, or address of an archive or a git repository",
                     false, false, Completion::kFile}};
  verb.options = {
      {"--output", OptionType::kText, "FILE", "", "write here instead of NAME.yaml; - prints", Completion::kFile},
      {"--force", OptionType::kFlag, "", "", "replace a file that is there", Completion::kNone},
      {"--name", OptionType::kText, "NAME", "", "name of the package", Completion::kNone},
      {"--set-version", OptionType::kText, "VERSION", "", "version of the package", Completion::kNone},
      {"--build-system", OptionType::kText, "NAME", "", "which build system to use, where there are several",
       Completion::kNone},
      {"--uri", OptionType::kText, "ADDRESS", "", "where the sources of a directory or file are published",
       Completion::kNone},
      {"--tag", OptionType::kText, "TAG", "", "of a repository: what to take (default: the newest release)",
       Completion::kNone},
      {"--branch", OptionType::kText, "BRANCH", "", "of a repository: take the end of this branch",
       Completion::kNone}};
  verb.run = run_init;
  return verb;
}

}  // namespace nacre::cli
