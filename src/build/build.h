#pragma once

#include "base/arch.h"
#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "build/fetch.h"
#include "build/network.h"
#include "build/secrets.h"
#include "definition/definition.h"
#include "os/read_mark.h"
#include "sandbox/sandbox.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nacre::build {

/// Part of every action key: raise it when a build would give other bytes for equal inputs.
constexpr std::string_view kBuilderVersion = "1";

/// One package of a build or test root, unpacked in the store.
struct RootPackage {
  std::string name, version;
  std::string edition;  ///< "stage0", "community", …
  Sha256 content;       ///< Of the .apk.
  os::Path tree;
  std::string record{};  ///< As an index has it, for apk's database in test roots; may be empty.
};

/// When the workspace begins with the field's configuration files of compilers (docs/formats/compiler-files.md).
enum class CompilerFiles {
  kWhenNamed,  ///< By a step or a variable.
  kAlways,     ///< As the reference has it.
  kNever,
};

/// Everything that a build may depend on.
struct BuildRequest {
  const definition::Definition* definition = nullptr;
  Arch arch = host_arch();
  std::vector<RootPackage> root;  ///< Install order; a later tree wins.
  std::vector<FetchedSource> sources;
  os::Path source_dir;  ///< Side files, copied into the workspace; may be absent.
  CompilerFiles compiler_files = CompilerFiles::kWhenNamed;
  std::string packager = "nacre";  ///< Whom these name as `os`.
  std::int64_t source_date_epoch = 0;
  os::Path work;  ///< Made if absent; where workspace, upper and log go.
  sandbox::Limits limits;
  unsigned jobs = 0;  ///< Told to builds as NPROC-limited cpus; 0: all cores.
  bool network = false;
  NetworkGrant grant;  ///< Of a build with network.
  std::vector<Secret> secrets;  ///< What steps may ask for.
  os::Path step_cache;  ///< Where states between steps are kept and looked for; empty: nowhere.
  std::uint64_t step_cache_bytes = std::uint64_t{4} << 30;  ///< At most, of this definition.
  std::size_t first_step = 0;  ///< Run again from this step on, counted from 1; 0: from what changed.
};

struct StepRecord {
  std::string name;
  double seconds = 0;
  int exit_code = 0;
  bool kept = false;  ///< Run by an earlier build; its state was kept.
};

/// What a build left behind. The directories live as long as `request.work` does.
struct BuiltTree {
  os::Path output;                    ///< melange-out: one directory for each package.
  os::Path workspace;                 ///< /home/build as the last step left it.
  std::vector<std::string> packages;  ///< Main first, then subpackages whose `if` was true.
  Sha256 action_key;
  Sha256 log;  ///< Blob: the whole log.
  std::vector<StepRecord> steps;
  std::vector<std::string> secrets;   ///< Names of those that steps saw.
  std::size_t kept_steps = 0;         ///< So many, the first, were run by an earlier build, whose state was kept.
  std::optional<Sha256> kept_state;   ///< Key of that state: digest of all that it depends on.
  std::int64_t started = 0, finished = 0;
  /// Whose the files are where a sandbox has one owner alone (sandbox::has_one_owner): on disk they are all ours.
  struct Owner {
    unsigned uid = 0, gid = 0;
  };
  std::optional<Owner> sole_owner;
  /// Set before the first step that does more than bring sources; not where states of earlier steps were used.
  std::optional<os::ReadMark> read_mark;
};

/// Digest of what can change a build's output (design, decision 5): compiled steps, source digests,
/// side files, content digests of the root's packages, architecture, SOURCE_DATE_EPOCH, builder
/// version, whether there is network. Not: tests, update policy, comments, places.
Result<Sha256> action_key(const BuildRequest& request);
/// The part of it that the files beside a definition make: what a plan compares. An absent directory is an empty one.
Result<std::string> side_files_digest(const os::Path& source_dir);

/// Runs main and subpackage pipelines, each step a fresh process in a sandbox whose root is the
/// overlay of `request.root`, workspace at /home/build, sources below /var/cache/melange, and
/// network only when the request has it. One overlay upper serves all steps of the build. On failure:
/// kUnavailable for machine
/// trouble ("interrupted", "no space"), else kInvalid with the step's place in the definition, the
/// exit code, the last 20 lines of its output, and the hint `nacre shell --failed NAME`; the
/// directories stay, and a record "failed/NAME" in the state database (JSON: roots, binds,
/// environment, step script) lets reopen_failed() enter them.
Result<BuiltTree> run_build(const BuildRequest& request, sandbox::Sandbox& sandbox, Env& env);

/// "512Mi", "2", "500m" as a number. kInvalid for anything else.
Result<double> parse_quantity(std::string_view text);

/// The step that `text` names, counted from 1: a number, a label, or "PACKAGE: LABEL". kNotFound lists them.
Result<std::size_t> find_step(const definition::Definition& definition, std::string_view text);

/// An interactive shell in the state before a step, counted from 1; earlier ones are run when no state of them is kept.
Result<int> shell_at(const BuildRequest& request, std::size_t step, sandbox::Sandbox& sandbox, Env& env);

/// The directory of all definitions' states between steps, one folder for each.
os::Path step_cache_dir(Env& env);
struct StepCacheReport {
  std::size_t definitions = 0;
  std::uint64_t bytes = 0;
};
/// Removes states of definitions that were not built for so long, and of those built longest ago until the rest fits.
Result<StepCacheReport> trim_step_cache(std::uint64_t max_bytes, double max_age_seconds, Env& env);

/// One test run of a package just made, in a clean root of only what it declares.
struct TestRequest {
  const definition::Definition* definition = nullptr;
  std::string package;  ///< Main or subpackage.
  const definition::Test* test = nullptr;
  Arch arch = host_arch();
  std::vector<RootPackage> root;
  os::Path source_dir, work;
  std::int64_t source_date_epoch = 0;
  sandbox::Limits limits;
  bool network = false;
  NetworkGrant grant;
  std::vector<Secret> secrets;  ///< What steps may ask for.
};
Result<Sha256> test_key(const TestRequest& request);  ///< Equal key: passed before, not run again.
/// Nothing when all steps passed; else as run_build says it, "failed/test NAME".
Result<> run_test(const TestRequest& request, sandbox::Sandbox& sandbox, Env& env);

/// An interactive shell where the named build (or test) stopped. kNotFound when nothing failed
/// under that name.
Result<int> reopen_failed(std::string_view name, sandbox::Sandbox& sandbox, Env& env);
/// Names that reopen_failed() knows, newest first.
Result<std::vector<std::string>> failed_builds(Env& env);

}  // namespace nacre::build
