#pragma once

#include "cli/command.h"

// Verbs of the security loop, apart from verbs.h so that a change of one builds few files anew. The files beside the
// names hold the verbs up to the next of them.
namespace nacre::cli {

Verb verb_scan();           ///< verb_scan.cc
Verb verb_advisory_list();  ///< verb_advisory.cc
Verb verb_advisory_show();  ///< All events of one vulnerability.
Verb verb_advisory_add();   ///< The one that writes.
Verb verb_advisory_guide();
Verb verb_advisory_lint();
Verb verb_advisory_close();  ///< verb_advisory_feed.cc
Verb verb_advisory_feed();
Verb verb_cve_report();
/// verb_drill.cc: an emergency rehearsed in a copy of this home and of the definitions, whose files are hard links and
/// which is removed afterwards. The edition is not touched.
Verb verb_drill();

}  // namespace nacre::cli
