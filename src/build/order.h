#pragma once

#include <memory>
#include <string>
#include <vector>

#include "build/build.h"
#include "codec/json.h"

/// A build as an action for an engine: what its worker is told, and what it answers. docs/engine.md has the form.
namespace nacre::build {

/// Where things lie in an action's input root, and what it leaves.
constexpr std::string_view kOrderFile = "order.json", kReportFile = "out/report.json", kLogFile = "out/log",
                           kPackagesFile = "out/packages.tar", kKeptFile = "out/kept.tar";
std::string package_file(const Sha256& apk);    ///< "root/HEX.apk"
std::string source_file(const Sha256& source);  ///< "sources/HEX"
std::string side_file(std::size_t number);      ///< "side/0"

/// All that a worker needs to know besides the files: the steps, the environment, names and digests; no place of the
/// definition's text, so that comments and moved lines give the same action. `keep` are files of the workspace that the
/// caller wants to see. kInvalid for a build with network or secrets: these do not leave this machine.
Result<codec::Json> write_order(const BuildRequest& request, const std::vector<std::string>& keep);

/// The order as a request; its definition holds what a build needs, and places "order:N" for step N, counted from 1 as
/// they stand in the order. Paths are below `inputs`.
struct Order {
  std::shared_ptr<const definition::Definition> definition;
  BuildRequest request;  ///< Trees of `root`, source_dir and work are still to be filled in.
  std::vector<std::pair<TreePath, unsigned>> side_files;  ///< Path and mode, by number.
  std::vector<TreePath> keep;
  Sha256 key;  ///< The caller's action_key().
};
Result<Order> read_order(std::string_view text);

/// What a worker says of a build that ran.
struct BuildReport {
  Sha256 key;
  std::vector<std::string> packages;
  std::vector<StepRecord> steps;
  std::optional<BuiltTree::Owner> sole_owner;  ///< When everything in packages.tar has one.
  std::optional<Error> error;                  ///< Why it failed; its place is "order:N".
};
std::string write_report(const BuildReport& report);
/// kInvalid for what no worker says; nothing of it is more than a claim.
Result<BuildReport> read_report(std::string_view text);

/// The error of a worker as this machine's own build would have said it: with the place of the step in the definition
/// and what uses it.
Error localized(const Error& error, const definition::Definition& definition);

}  // namespace nacre::build
