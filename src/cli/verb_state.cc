#include "cli/places.h"
#include "cli/verbs.h"
#include "codec/json.h"
#include "farm/copy_farm.h"
#include "store/store.h"

namespace nacre::cli {
namespace {

using codec::Json;

Result<int> run_state_share(const Arguments&, Session& session) {
  store::Store& store = session.env.store;
  // Nobody publishes meanwhile, here or elsewhere.
  std::vector<store::Lease> leases;
  for (const char* name : {"flow/community", "flow/production", "farm/repository"})
    leases.push_back(
        TRY(store.lease(name, os::FileLock::Wait::kNo, store::Store::Reach::kEveryone), "moving the state"));
  const std::size_t records = TRY(store.state().share_own());
  std::size_t changes = 0;
  const Path own = session.home / "farm" / "farm.db";
  const std::string from = "sqlite:" + own.string(), to = farm_database({}, session.home);
  if (os::exists(own) && to != from) changes = TRY(farm::copy_farm(from, to, session.env.clock));
  Json json;
  json.set("records", records).set("changes", changes);
  session.print(session.json ? codec::to_pretty_json(json)
                             : fmt::format("{} records and {} changes of the farm are in the shared state\n"
                                           "Set NACRE_STATE wherever this home is used from now on.\n",
                                           records, changes));
  return 0;
}

}  // namespace

Verb verb_state_share() {
  Verb verb;
  verb.name = "state share";
  verb.summary = "move the records of this home, and of its farm, into the state that NACRE_STATE names";
  verb.run = run_state_share;
  return verb;
}

}  // namespace nacre::cli
