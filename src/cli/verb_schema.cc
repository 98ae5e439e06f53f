#include "cli/verbs.h"
#include "definition/schema.h"

namespace nacre::cli {
namespace {

Result<int> run_schema(const Arguments& arguments, std::stop_token) {
  const std::string what = arguments.text("WHAT");
  if (!what.empty() && what != "definition" && what != "pipeline")
    return Error::make(ErrorKind::kInvalid, "no schema of '{}'", what).hint("there are: definition, pipeline");
  const codec::Json schema = what == "pipeline" ? definition::pipeline_schema() : definition::definition_schema();
  std::fputs(codec::to_pretty_json(schema).c_str(), stdout);
  return 0;
}

}  // namespace

Verb verb_schema() {
  Verb verb;
  verb.name = "schema";
  verb.summary = "print the JSON schema of definitions, for editors";
  verb.arguments = {{"WHAT", "definition (default) or pipeline", false, false, Completion::kNone}};
  verb.run_alone = run_schema;
  return verb;
}

}  // namespace nacre::cli
