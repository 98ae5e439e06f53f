#include "definition/compile.h"

namespace nacre::definition {
namespace {

std::string value_of(const Step& step, std::string_view name) {
  const std::string* value = find_pair(step.with, name);
  return value ? *value : std::string();
}

void walk(const std::vector<Step>& steps, std::vector<Source>& out) {
  for (const Step& step : steps) {
    if (!step.enabled) continue;
    if (step.uses == "fetch") {
      Source& source = out.emplace_back();
      source.kind = Source::Kind::kFetch;
      source.uri = value_of(step, "uri");
      source.sha256 = value_of(step, "expected-sha256");
      source.sha512 = value_of(step, "expected-sha512");
      source.place = step.place;
    } else if (step.uses == "git-checkout") {
      Source& source = out.emplace_back();
      source.kind = Source::Kind::kGit;
      source.repository = value_of(step, "repository");
      source.tag = value_of(step, "tag");
      source.branch = value_of(step, "branch");
      source.commit = value_of(step, "expected-commit");
      source.depth = value_of(step, "depth");
      source.cherry_picks = value_of(step, "cherry-picks");
      source.submodules = value_of(step, "recurse-submodules") == "true";
      source.branch_tip = value_of(step, "expected-commit-is-branch-tip") == "true";
      source.place = step.place;
    } else {
      walk(step.pipeline, out);
    }
  }
}

}  // namespace

std::vector<Source> find_sources(const Definition& definition) {
  std::vector<Source> out;
  walk(definition.pipeline, out);
  for (const Subpackage& subpackage : definition.subpackages) walk(subpackage.pipeline, out);
  return out;
}

}  // namespace nacre::definition
