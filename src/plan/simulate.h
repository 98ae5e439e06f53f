#pragma once

#include "plan/build_graph.h"
#include "plan/keys.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// A recorded history of changes played again on a graph: how much a factory would have built, and how long changes
// would have waited, by each policy of keys.
namespace nacre::plan {

/// One change of a definition, as somebody made it.
struct RecordedChange {
  std::int64_t at = 0;  ///< Seconds since 1970.
  NodeId node = 0;
  /// Of versions: which part of the number is the first that differs from the version before.
  enum class Kind { kMajor, kMinor, kPatch, kEpoch } kind = Kind::kMinor;
};
/// kMajor for 1.9 -> 2.0, kMinor for 1.3.1 -> 1.4.0 and 10.48 -> 10.49, kPatch for parts behind; kMinor when one is
/// empty.
RecordedChange::Kind kind_of_release(std::string_view before, std::string_view after);

struct History {
  std::vector<RecordedChange> changes;  ///< In the order of time.
  std::size_t passed_over = 0;          ///< Of definitions that the graph has not, or of other kinds.
};
/// Lines "SECONDS\tDEFINITION\tKIND\tVERSION\tEPOCH" below a heading; KIND is version, epoch, or another that is passed
/// over. A version is compared with the one before of its definition, the first that is seen with the one behind;
/// without VERSION it counts as minor. kInvalid with the line.
Result<History> read_history(std::string_view text, std::string_view source, const BuildGraph& graph);

/// How often what is built comes out with other keys, by why it was built. Measured: docs/planner.md.
struct ChangeRates {
  struct Rate {
    double content = 1, abi = 1, breaks = 1;  ///< Shares of all builds: none is greater than the one before it.
    double used = 1;    ///< Share of builds and their users: what differs may have been taken. At most `abi`.
    double urgent = 1;  ///< The same, and what was taken cannot wait. At most `used`.
  };
  Rate major, minor, patch, epoch, relinked, embedded;
  /// Share of epoch changes that say nothing but "build it again" or change what no build reads: with keys they are no
  /// change at all.
  double needless_epochs = 0;
};

struct SimulationInput {
  const BuildGraph& graph;
  std::span<const RecordedChange> history;
  KeyPolicy policy = KeyPolicy::kAbi;
  ChangeRates rates;
  std::int64_t batch_seconds = 86400;  ///< Changes within it are built together; 0: each by itself.
  std::int64_t postpone_seconds = 30 * 86400;  ///< Of kPostponed: after so long a user is built for it alone.
  unsigned workers = 8;
  std::vector<double> build_seconds;  ///< Of each node.
  std::vector<std::uint64_t> bytes;   ///< Of each node's packages; empty: not known.
  std::uint64_t seed = 1;
};

struct Simulation {
  std::size_t batches = 0, changes = 0;  ///< changes: of a definition in a batch, each once.
  std::size_t needless = 0;              ///< Of the changes: those that a factory with keys does not build.
  std::size_t builds = 0;
  std::size_t second_stage = 0;             ///< Besides: members of a group once more, after their seed.
  std::map<EdgeKind, std::size_t> cut_off;  ///< Users that were left alone, by how they use what changed.
  /// Of kPostponed: how often a user was put off, how many of these were built because their time had come (the others
  /// with a change of their own), and who still waits at the end.
  std::size_t postponed = 0, came_due = 0, still_postponed = 0;
  std::size_t stale_embeds = 0;  ///< Definitions that hold, at the end, an older content of something embedded.
  double median_wait = 0, p90_wait = 0, p99_wait = 0;  ///< Seconds from a change to the end of its last build.
  double busy = 0;                                     ///< Share of the workers' time.
  std::uint64_t bytes_moved = 0;  ///< Of packages whose content changed; 0 when sizes are not known.

  double builds_per_change() const {
    return changes == 0 ? 0 : static_cast<double>(builds + second_stage) / static_cast<double>(changes);
  }
};

/// The same input gives the same answer on any machine.
Simulation simulate(const SimulationInput& input);

}  // namespace nacre::plan
