#include "cli/verbs.h"

#include <algorithm>

namespace nacre::cli {

namespace {

/// The verbs of a group stand behind `index`, as the help page shows them.
std::vector<Verb> with_groups(std::vector<Verb> verbs) {
  const auto index = std::find_if(verbs.begin(), verbs.end(), [](const Verb& verb) { return verb.name == "index"; });
  std::vector<Verb> repo = verbs_repo();
  verbs.insert(index == verbs.end() ? index : index + 1, repo.begin(), repo.end());
  return verbs;
}

}  // namespace

const std::vector<Verb>& all_verbs() {
  static const std::vector<Verb> kVerbs = with_groups({
      verb_up(),
      verb_plan(),
      verb_simulate(),
      verb_build(),
      verb_test(),
      verb_shell(),
      verb_log(),
      verb_image_build(),
      verb_image_publish(),
      verb_image_files(),
      verb_image_inspect(),
      verb_image_why(),
      verb_image_diff(),
      verb_image_export(),
      verb_image_sbom(),
      verb_index(),
      verb_key(),
      verb_promote(),
      verb_serials(),
      verb_rollback(),
      verb_verify(),
      verb_why(),
      verb_why_not(),
      verb_solve(),
      verb_watch(),
      verb_update(),
      verb_delta(),
      verb_run(),
      verb_serve(),
      verb_signer(),
      verb_doctor(),
      verb_init(),
      verb_compile(),
      verb_schema(),
      verb_fmt(),
      verb_lint(),
      verb_stage0(),
      verb_gc(),
      verb_melange(),
      verb_apko(),
      verb_completion(),
  });
  return kVerbs;
}

}  // namespace nacre::cli
