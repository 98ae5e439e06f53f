#pragma once

#include "cli/command.h"

// Verbs of the security loop, apart from verbs.h so that a change of one builds few files anew.
namespace nacre::cli {

Verb verb_scan();             ///< verb_scan.cc
Verb verb_advisory_list();    ///< verb_advisory.cc, and the next four
Verb verb_advisory_show();
Verb verb_advisory_add();
Verb verb_advisory_guide();
Verb verb_advisory_lint();
Verb verb_advisory_close();   ///< verb_advisory_feed.cc, and the next two
Verb verb_advisory_feed();
Verb verb_cve_report();
/// An emergency rehearsed in a copy of this home and of the definitions, whose files are hard links and which is removed
/// afterwards (verb_drill.cc). The edition is not touched.
Verb verb_drill();

}  // namespace nacre::cli
