#pragma once

#include "cli/command.h"

namespace nacre::cli {

// One function for each row (or group of rows) of the table in verbs.cc; each lives in verb_NAME.cc beside its page
// verb_NAME.md.
Verb verb_up();
Verb verb_plan();
Verb verb_simulate();
Verb verb_build();
Verb verb_test();
Verb verb_shell();
Verb verb_log();
Verb verb_image_build();
Verb verb_image_publish();
Verb verb_image_files();
Verb verb_image_inspect();
Verb verb_image_why();
Verb verb_image_diff();
Verb verb_image_export();
Verb verb_image_sbom();
Verb verb_index();
std::vector<Verb> verbs_repo();
Verb verb_key();
Verb verb_promote();
Verb verb_serials();
Verb verb_rollback();
Verb verb_verify();
Verb verb_why();
Verb verb_why_not();
Verb verb_solve();
Verb verb_watch();
Verb verb_update();
Verb verb_delta();
std::vector<Verb> verbs_farm();
Verb verb_farm_waive();
Verb verb_run();
Verb verb_serve();
Verb verb_signer();
Verb verb_state_share();
Verb verb_doctor();
Verb verb_init();
Verb verb_compile();
Verb verb_schema();
Verb verb_fmt();
Verb verb_lint();
Verb verb_stage0();
Verb verb_gc();
Verb verb_melange();
Verb verb_apko();
Verb verb_completion();

}  // namespace nacre::cli
