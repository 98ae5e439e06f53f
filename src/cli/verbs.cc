#include "cli/verbs.h"

namespace nacre::cli {

const std::vector<Verb>& all_verbs() {
  static const std::vector<Verb> kVerbs = {
      verb_up(),
      verb_plan(),
      verb_build(),
      verb_test(),
      verb_shell(),
      verb_log(),
      verb_image_build(),
      verb_image_publish(),
      verb_image_files(),
      verb_image_diff(),
      verb_image_export(),
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
  };
  return kVerbs;
}

}  // namespace nacre::cli
