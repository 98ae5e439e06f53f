#pragma once

#include "cli/command.h"
#include "cli/distribution.h"
#include "cli/records.h"
#include "package/package.h"
#include "plan/plan.h"
#include "store/lease.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::cli {

class BuildEngine;  // cli/build_engine.h
class Offers;       // cli/offers.h

/// What every production verb works with: definitions, stage 0, and the packages that may stand in roots.
struct Workshop {
  Session& session;
  Distribution os;
  Shelf shelf;
  index::Serial stage0;
  build::FetchPlaces places;
  std::unique_ptr<store::Lease> in_use;  ///< Holds off `nacre gc`.
  build::NetworkPolicy network = build::NetworkPolicy::kAsked;  ///< NACRE_NETWORK, or --network.
  /// Definitions that `always` is meant for, when these alone were asked for; others fall back to `asked`.
  std::optional<std::set<std::string>> network_always_for;
  build::NetworkGrant grant;           ///< What the machine's owner shows to steps with network.
  Path cache_dir;                      ///< --cache-dir; empty: one of ours below NACRE_HOME/cache.
  std::vector<build::Secret> secrets;  ///< NACRE_SECRETS, and --secret before them.
  std::uint64_t step_cache_bytes = std::uint64_t{4} << 30;  ///< NACRE_STEP_CACHE; 0: states between steps are not kept.
  std::map<std::string, std::string> first_step;  ///< --from-step, by definition.
  std::shared_ptr<BuildEngine> engine;  ///< NACRE_ENGINE or --engine: runs the steps of builds. None: this process.
  /// By definition: whose packages its root may hold. Of the last plan.
  std::map<std::string, std::set<std::string>> seen;
  std::unique_ptr<std::mutex> definitions = std::make_unique<std::mutex>();  ///< Held to find or change one in `os`.
  std::vector<std::string> test_with;  ///< --test-package-append: in every test root.
  bool gates_warn = false;        ///< --gates-warn: for definitions from files; keys of their own.
  /// So many cut-offs are still to be confirmed by a build: --paranoid.
  std::unique_ptr<std::atomic<long>> confirmations = std::make_unique<std::atomic<long>>(0);
  /// So long a build may be put off that takes nothing urgent of what changed: farm.yaml's rebuild.postpone,
  /// --postpone.
  std::int64_t postpone_seconds = 0;
  bool postponed_too = false;     ///< --postponed: what was put off earlier is built now.
  std::set<std::string> urgent;   ///< Definitions whose changes are never put off: they mend a vulnerability.
  std::shared_ptr<Offers> offers;  ///< What packages offer, read once for all users.
  std::set<std::string> from_files;    ///< Names of definitions given as files: their caches are their own.

  Env& env() { return session.env; }
};

/// Packages of ours that stand in every build root once they are made: the C library (design, decision 11).
extern const std::vector<std::string> kAlwaysInBuildRoot;

/// The lease `name`, exclusive among all processes of this home, and of all homes that share its state. While another
/// holds it, says who, and waits; Ctrl-C ends that.
Result<store::Lease> wait_for_lease(std::string_view name, Env& env);

/// Reads the distribution and makes stage 0 unless the newest stage0 serial was made from the same table. `asked`:
/// definitions or packages that the caller was given, or files; one that is not there is refused before stage 0, which
/// may take minutes.
Result<Workshop> open_workshop(Session& session, const Arch& arch, const std::vector<std::string>& asked = {});

/// The definition of that name, which a flow in another thread may be changing another of. nullptr: none.
const definition::Definition* find_definition(Workshop& shop, std::string_view name);

/// How a definition came by its packages.
enum class Made {
  kKept,    ///< Equal key: not built.
  kCutOff,  ///< Not built: what it takes from what changed is the same (cli/cut_off.h).
  kPostponed,  ///< Not built yet: what it takes of what changed can wait.
  kBuilt,   ///< Built; at least one package has new bytes.
  kSame,    ///< Built, and every package came out as it was: dependents are not touched.
};

struct BuildOutcome {
  BuildRecord record;
  Made made = Made::kKept;
  std::vector<std::string> why;
  std::vector<package::Finding> findings;
};

/// A build's request as the definition, the lock and the shelf give it now; fetches what is missing.
Result<build::BuildRequest> prepare_build(Workshop& shop, const definition::Definition& definition,
                                          bool from_stage0_alone);

/// Digest that names a build and its packages: build::action_key and what the packages say of themselves (design,
/// decision 5).
Result<Sha256> package_key(const build::BuildRequest& request);

/// Builds a definition and packages it, unless a build of the same key is known. Puts its packages on the shelf.
enum class Force { kNo, kYes };
Result<BuildOutcome> build_definition(Workshop& shop, const plan::PlannedStep& step,
                                      Force force = Force::kNo);

/// Builds once more in another root and compares byte for byte (signatures aside) with `record`; the answer holds the
/// packages of that second build signed for `edition`. kConflict lists every difference.
Result<std::vector<index::SerialPackage>> reproduce(Workshop& shop, const BuildRecord& record,
                                                    bool from_stage0_alone, Edition edition);

/// What the steps before `step` leave, in a shell; nothing is packaged.
Result<int> shell_at(Workshop& shop, const plan::PlannedStep& planned, const std::string& step);

/// Runs `test:` pipelines of the main package and of each subpackage on the packages of the shelf. Returns how many
/// ran and how many had passed before with the same inputs.
struct TestCount { int ran = 0, known = 0; };
Result<TestCount> test_definition(Workshop& shop, const definition::Definition& definition);

/// Input for plan::make_plan as the state stands.
Result<plan::Plan> plan_builds(Workshop& shop, const std::vector<std::string>& only);

/// The date that a build runs at: the newest file in its sources, so that it changes with them and with nothing else.
Result<std::int64_t> source_date(const std::vector<build::FetchedSource>& sources, Env& env);

}  // namespace nacre::cli
