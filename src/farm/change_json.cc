#include "farm/change_json.h"

#include "os/clock.h"

namespace nacre::farm {

codec::Json to_json(const Change& change) {
  codec::Json out;
  out.set("id", change.id).set("package", change.package).set("from", change.from).set("to", change.to);
  out.set("cause", name_of(change.cause)).set("stage", name_of(change.stage)).set("state", name_of(change.state));
  out.set("priority", change.priority).set("branch", change.branch).set("commit", change.commit);
  out.set("attempts", change.attempts).set("serial", change.serial);
  if (change.not_before > 0) out.set("notBefore", os::rfc3339(change.not_before));
  if (!change.approved_by.empty()) out.set("approvedBy", change.approved_by);
  if (!change.error.empty()) out.set("error", change.error).set("errorKind", change.error_kind);
  if (!change.owner.empty()) out.set("owner", change.owner);
  return out.set("created", os::rfc3339(change.created)).set("updated", os::rfc3339(change.updated));
}

codec::Json to_json(const Transition& step) {
  codec::Json out;
  out.set("change", step.change).set("at", os::rfc3339(step.at)).set("stage", name_of(step.stage));
  return out.set("state", name_of(step.state)).set("who", step.who).set("note", step.note).set("seconds", step.seconds);
}

}  // namespace nacre::farm
