#include "cli/verbs.h"

#include "cli/at.h"
#include "cli/security.h"

#include <algorithm>

namespace nacre::cli {

namespace {

/// Puts the verbs of a group behind the verb of that name, as the help page shows them.
void put_behind(std::vector<Verb>& verbs, std::string_view name, std::vector<Verb> group) {
  const auto found = std::find_if(verbs.begin(), verbs.end(), [&](const Verb& verb) { return verb.name == name; });
  verbs.insert(found == verbs.end() ? found : found + 1, std::move_iterator(group.begin()),
               std::move_iterator(group.end()));
}

/// A list whose rows are moved in: every command makes it.
template <class... Row>
std::vector<Verb> list_of(Row... rows) {
  std::vector<Verb> out;
  out.reserve(sizeof...(rows) + 32);  // the groups come behind
  (out.push_back(std::move(rows)), ...);
  return out;
}

std::vector<Verb> with_groups(std::vector<Verb> verbs) {
  put_behind(verbs, "index", verbs_repo());
  std::vector<Verb> farm = verbs_farm();
  farm.push_back(verb_farm_channel());
  farm.push_back(verb_farm_serials());
  put_behind(verbs, "delta", std::move(farm));
  return verbs;
}

}  // namespace

const std::vector<Verb>& all_verbs() {
  static const std::vector<Verb> kVerbs = with_groups(list_of(
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
      verb_image_history(),
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
      verb_farm_waive(),
      verb_scan(),
      verb_advisory_list(),
      verb_advisory_show(),
      verb_advisory_add(),
      verb_advisory_guide(),
      verb_advisory_lint(),
      verb_advisory_close(),
      verb_advisory_feed(),
      verb_cve_report(),
      verb_drill(),
      verb_run(),
      verb_serve(),
      verb_signer(),
      verb_state_share(),
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
      verb_completion()));
  return kVerbs;
}

}  // namespace nacre::cli
