#include "cli/lookup.h"
#include "cli/stage0.h"
#include "cli/verbs.h"
#include "codec/json.h"

namespace nacre::cli {
namespace {

Result<int> run_export(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  const std::string named = arguments.text("--table");
  const Path table = named.empty() ? session.os_dir / "stage0.yaml" : Path(named);
  const Path folder = arguments.text("DIR");
  const Stage0Export made = TRY(export_stage0(session, arch, table, folder), "making '{}'", table.string());
  codec::Json json;
  json.set("packages", made.packages).set("written", made.written);
  json.set("index", made.index.string()).set("key", made.key.string());
  session.print(session.json ? codec::to_pretty_json(json)
                             : fmt::format("{} packages in '{}', {} written\nkey: {}", made.packages,
                                           folder.string(), made.written, made.key.string()));
  return 0;
}

}  // namespace

Verb verb_stage0() {
  Verb verb;
  verb.name = "stage0 export";
  verb.summary = "write Debian's packages, renamed by a table, as a signed repository";
  verb.arguments = {{"DIR", "where the repository goes", true, false, Completion::kFolder}};
  verb.options = {{"--table", OptionType::kText, "FILE", "", "the table (default: stage0.yaml of the distribution)",
                   Completion::kFile},
                  kArchOption};
  verb.run = run_export;
  return verb;
}

}  // namespace nacre::cli
