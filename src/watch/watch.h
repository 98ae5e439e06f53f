#pragma once

#include "base/env.h"
#include "base/result.h"
#include "build/fetch.h"
#include "definition/definition.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace nacre { class Task; }

namespace nacre::watch {

/// Where newer releases are looked for.
enum class FeedKind { kGitHub, kGit, kReleaseMonitor, kDebian, kPyPI, kNpm, kGo, kCrates, kMaven };
std::string_view name_of(FeedKind kind);

/// One upstream release that a feed names.
struct Release {
  std::string version;              ///< After strip-prefix/suffix, transforms and filters.
  std::string tag;                  ///< As upstream writes it; empty when the feed has none.
  std::int64_t published = 0;       ///< 0: unknown.
};

struct DebianIndex;

/// What one run learns of the feeds for all definitions, and how it spares their servers. Thread-safe.
class FeedMemory {
 public:
  /// So many questions at once to one server.
  static constexpr unsigned kAtOnce = 4;

  /// A place at a server, held while it is asked.
  class Place {
   public:
    Place(FeedMemory& memory, std::string server) : memory_(memory), server_(std::move(server)) {}
    ~Place() { memory_.leave(server_); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    FeedMemory& memory_;
    std::string server_;
  };
  /// Waits until fewer than `at_once` are at the server.
  std::unique_ptr<Place> enter(const std::string& server, unsigned at_once = kAtOnce);

  /// Servers that did not answer are not asked again.
  bool is_silent(const std::string& server) const;
  void note_silent(const std::string& server);

  /// Debian's sources, once somebody read them.
  std::shared_ptr<const DebianIndex> debian() const;
  void set_debian(std::shared_ptr<const DebianIndex> index);

 private:
  void leave(const std::string& server);

  mutable std::mutex mutex_;  ///< Of all below.
  std::condition_variable left_;
  std::map<std::string, unsigned> asking_;
  std::set<std::string> silent_;
  std::shared_ptr<const DebianIndex> debian_;
};

/// The address of a feed, asked of its client's configuration when somebody needs it first, and once. Copies share it.
class FeedAddress {
 public:
  FeedAddress() : FeedAddress(std::string()) {}
  FeedAddress(std::string known);                        // NOLINT: as a text
  FeedAddress(const char* known) : FeedAddress(std::string(known)) {}  // NOLINT
  explicit FeedAddress(std::function<std::string()> ask);
  /// Empty: its client is not set up here. Thread-safe.
  const std::string& text() const;

 private:
  struct Asked;
  std::shared_ptr<Asked> asked_;
};

/// Addresses of the feeds, each taken from the ecosystem's own client configuration (apt, pip, npm, go, cargo, maven)
/// or the field's public default; tests point them at a local server.
struct Feeds {
  FeedAddress github_api, release_monitor, pypi, npm, go_proxy, crates, maven;
  std::shared_ptr<const build::AptArchives> archives;  ///< nullptr: Debian is not asked.
  std::vector<std::string> debian_suites = {"trixie", "forky", "sid"};
  std::string github_token;

  std::shared_ptr<FeedMemory> memory = std::make_shared<FeedMemory>();  ///< Of one run; copies share it.
};
/// NACRE_FEED_GITHUB, _RELEASE_MONITOR, _PYPI, _NPM, _GO, _CRATES, _MAVEN win over the clients' configuration ("off"
/// silences a feed). A feed whose client is not set up here has an empty address. No client is asked before its feed
/// is; `env` outlives them.
Feeds feeds_of_machine(Env& env);

/// All releases that the definition's `update:` block can see, filtered (ignore-regex, prerelease, tag filters) and
/// transformed, newest first by apk's version order. Feeds are asked in the block's own form; when that one cannot be
/// reached, Debian's source index (by `source_of`) is the second opinion, and the report says so. kInvalid names the
/// block's fault; kUnavailable when no feed answered. Thread-safe: many definitions may be asked for at once. An answer
/// with a validator is kept in the store and asked for conditionally the next time.
struct Observation {
  FeedKind feed = FeedKind::kDebian;
  std::vector<Release> releases;
  std::vector<std::string> unreachable;   ///< Feeds that did not answer, without addresses.
};
Result<Observation> observe(const definition::Definition& definition, const Feeds& feeds,
                            const std::vector<build::LockedSource>& lock, Env& env);

/// The same of many definitions, some at once (FeedMemory spares their servers): an answer or an error for each, in
/// their order, whoever was first. What is not asked because of env.stop is kUnavailable.
std::vector<Result<Observation>> observe_all(const std::vector<const definition::Definition*>& definitions,
                                             const Feeds& feeds, const std::vector<build::LockedSource>& lock, Env& env,
                                             const Task& task);

/// What a definition carried and a new release has.
struct Dropped {
  enum class Kind { kPatch, kPick } kind = Kind::kPatch;
  std::string name;                  ///< The patch's file, or the commit.
  std::string why;
};

/// A file beside the definition that a proposal writes, or removes.
struct SideChange {
  os::Path path;
  std::optional<std::string> text;   ///< Nothing: removed.
};

/// A newer release as an edit of the definition.
struct Proposal {
  std::string package, file, from, to;
  FeedKind feed = FeedKind::kDebian;
  std::string new_text;              ///< The whole definition; version, epoch, digests and what was dropped differ.
  std::vector<std::pair<Sha256, Sha256>> digests;  ///< old -> new, of sources that were fetched to learn them.
  std::vector<std::pair<std::string, std::string>> commits;  ///< Likewise of git sources.
  std::vector<build::LockedSource> lock_entries;  ///< Of the new sources.
  std::vector<Dropped> dropped;      ///< What upstream has taken over: no longer in new_text.
  std::vector<SideChange> side_files;
  std::vector<std::string> notes;    ///< What a person may want to look at.
  std::string problem;               ///< Why it cannot be applied by itself ("source not found at …"); empty: it can.
  ErrorKind problem_kind = ErrorKind::kConflict;   ///< kUnavailable: it may pass, the source is not there yet.
  bool by_hand = false;              ///< The definition wants a person to say so (`manual: true`).

  /// One more thing in the way; what does not pass by itself decides the kind.
  void add_problem(std::string text, ErrorKind kind);
};
/// The releases that an update may go to, newest first: newer than the definition's version; with `require-sequential`
/// the next one alone.
std::vector<Release> candidates(const definition::Definition& definition, const std::vector<Release>& releases);

/// nullopt when the definition is at the newest release or not to be updated (reason in `why_not`).
Result<std::optional<Proposal>> propose(const definition::Definition& definition,
                                        const Observation& seen,
                                        const std::vector<build::LockedSource>& lock,
                                        const Feeds& feeds, const build::FetchPlaces& places,
                                        Env& env, std::string* why_not = nullptr);

}  // namespace nacre::watch
