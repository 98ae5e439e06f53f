#pragma once

#include "cli/flow.h"
#include "farm/repository.h"
#include "farm/run.h"
#include "farm/schedule.h"

#include <memory>
#include <mutex>
#include <string>

namespace nacre::cli {

/// Where a farm keeps what it works with.
struct FarmPlaces {
  std::string database;  ///< "sqlite:FILE" or "postgres://…"
  Path repository;       ///< Of definitions.
  std::string branch;    ///< That is published: "main".
  Path folder;           ///< NACRE_HOME/farm: work trees, logs.
  std::string registry;  ///< That images are pushed to; empty: as farm.yaml says.
};

/// Note of the ledger: by which data on vulnerabilities the last candidate was judged, as people read it.
inline constexpr std::string_view kVulnerabilityData = "vulnerability-data";

/// An open farm: what the verbs of `nacre farm` share.
struct Farm {
  FarmPlaces places;
  std::unique_ptr<farm::Ledger> ledger;
  farm::Schedule schedule;
};

/// Opens ledger and schedule. kNotFound when `must_exist` and no farm ever ran here.
enum class MustExist { kNo, kYes };
Result<Farm> open_farm(FarmPlaces places, MustExist must_exist, Env& env);

/// What the farm does at each stage, by the distribution's own flow (cli/flow.h): every stage runs the flow so far as
/// it must, in a work tree of the change's branch, and finds done what earlier stages did.
class FarmSteps final : public farm::Steps {
 public:
  /// Opens the repository of definitions, and makes it from `session.os_dir` when there is none.
  static Result<std::unique_ptr<FarmSteps>> open(Farm& farm, Session& session);

  Result<int> look(std::stop_token stop) override;
  Result<std::int64_t> next_look() override;
  Result<farm::StepOutcome> advance(farm::Change& change, farm::Stage stage, std::stop_token stop) override;
  Result<> settle(const farm::Change& change) override;

 private:
  FarmSteps(Farm& farm, farm::Repository repository, Session& session)
      : farm_(farm), repository_(std::move(repository)), session_(session) {}

  // look(): what is new upstream, on people's branches, and on the main branch itself; what has come to its end.
  Result<int> look_at_definitions(Session& session);
  Result<int> look_upstream(Session& session, const Distribution& os);
  Result<int> look_at_streams(Session& session);
  Result<int> look_at_postponed(const Distribution& os);
  Result<int> add_rebuild(const std::string& what);
  Result<int> look_at_branches();
  Result<int> look_at_main();
  Result<> look_at_channels(Session& session);
  Result<> clear_ended();
  Result<> clear_logs(const farm::Policy& policy);
  Result<Path> view_of_main();

  // advance(): one for each stage that has a step of its own.
  Result<farm::StepOutcome> step(farm::Change& change, farm::Stage stage, Session& session);
  Result<farm::StepOutcome> propose(farm::Change& change, Session& session);
  Result<farm::StepOutcome> take_over(farm::Change& change);
  Result<farm::StepOutcome> fetch(farm::Change& change, Session& session);
  Result<farm::StepOutcome> flow(farm::Change& change, FlowOptions::Until until, Session& session);
  Result<farm::StepOutcome> gate(farm::Change& change, Session& session);
  Result<farm::StepOutcome> publish(farm::Change& change, Session& session);
  Result<farm::StepOutcome> push(farm::Change& change, Session& session);
  Result<farm::StepOutcome> promote(Session& session);
  Result<std::string> follow_stable(Session& session, const farm::Policy& policy);
  Result<> follow_tags(Session& session, const farm::Policy& policy);

  Result<Workshop> open_shop(const farm::Change& change, Session& session);
  Result<FlowReport> run(const farm::Change& change, const FlowOptions& options, Workshop& shop);
  std::string registry_of(const farm::Policy& policy) const;
  Result<bool> needs_approval(const farm::Change& change, const std::string& head, const std::string& commit,
                              const std::vector<farm::Policy>& policies);
  Result<> keep_diff(const farm::Change& change);
  Result<Path> tree_of(const farm::Change& change);
  /// The farm's work trees and branches are one process's at a time.
  Result<store::Lease> own_repository();

  Farm& farm_;
  farm::Repository repository_;
  Session& session_;
  std::mutex mutex_;                    ///< Of the repository, within this process.
  std::vector<farm::Watched> watched_;  ///< On main when look() looked last.
};

/// The policy of a distribution: farm.yaml beside packages/, or the defaults.
Result<farm::Policy> load_policy(const Path& os_dir);

}  // namespace nacre::cli
