#pragma once

#include "cli/images.h"
#include "cli/workshop.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nacre::cli {

struct FlowOptions {
  std::vector<std::string> only;   ///< Definitions; empty: all.
  std::string reason;              ///< Of the serial; empty: made from what changed.
  enum class Tests { kRun, kSkip } tests = Tests::kRun;
  unsigned jobs = 0;               ///< Builds at once; 0: as the machine has cores and memory.
  /// How far it goes. Nothing is visible to anybody before kPublished, and only that excludes other flows.
  enum class Until { kBuilt, kTested, kComposed, kPublished } until = Until::kPublished;
};

/// What the flow did with one definition.
struct BuiltRow {
  std::string definition, version;
  Made made = Made::kKept;
  std::vector<std::string> why;
  double seconds = 0;
  std::string bumped_from;         ///< The version before the factory wrote the next epoch; empty: not.
};

struct ImageRow {
  std::string name;
  Sha256 digest;
  std::uint64_t size_bytes = 0;
  bool composed = false;
  std::vector<std::string> tags;
  PullCost pull;                   ///< For a client that has the image of the serial before.
};

struct FlowReport {
  Edition edition = Edition::kCommunity;
  std::vector<BuiltRow> built;
  std::vector<ImageRow> images;
  TestCount tests;
  std::size_t packages = 0;
  std::optional<index::Serial> before;     ///< The newest serial when the flow began.
  std::optional<index::Serial> candidate;  ///< What is to be published; from Until::kComposed on.
  std::optional<index::Serial> published;  ///< Nothing when the newest serial already says it all.
  std::uint64_t serial = 0;                ///< The newest after the flow.
  std::vector<std::pair<std::string, double>> stage_seconds;
  double seconds = 0;
};

/// The flow, one page: definitions -> plan -> build -> package -> test -> image -> publish, for edition `community`.
///
/// Every step asks first whether its work was done before with the same inputs, so a second call finds nothing to do,
/// and a call after an interruption goes on where the first stopped. A rebuild whose bytes differ from what was
/// published under the same name gets the next epoch, written into the definition (design, decision 14).
Result<FlowReport> run_flow(Workshop& shop, const FlowOptions& options);

/// The newest of community; kNotFound when there is none.
Result<index::Serial> serial_to_promote(Env& env);

/// The newest community serial in edition `production`: every package built a second time with the same bytes, signed
/// with production's keys, images composed from those, tested, published as production's next serial. With `only`, of
/// these definitions alone: the other packages of production stay, and images wait until all their packages are
/// there.
Result<FlowReport> promote(Workshop& shop, const std::vector<std::string>& only = {});

/// Publishes a new serial with the content of serial `number` (0: the one before the newest).
Result<index::Serial> roll_back(Session& session, Edition edition, std::uint64_t number);

/// What to do about an image some of whose packages the edition does not have.
enum class Incomplete { kRefuse, kSkip };

/// Composes, tests and attests all images of an edition from the packages of the shelf. `before` gives each image's
/// predecessor.
Result<std::vector<ComposedImage>> make_images(Workshop& shop, Edition edition,
                                               const std::optional<index::Serial>& before,
                                               FlowOptions::Tests tests,
                                               Incomplete incomplete = Incomplete::kRefuse);

codec::Json to_json(const FlowReport& report);
std::string render(const FlowReport& report);

}  // namespace nacre::cli
