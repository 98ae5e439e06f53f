#pragma once

#include "base/env.h"
#include "base/result.h"
#include "build/fetch.h"
#include "definition/definition.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

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

/// Addresses of the feeds, each taken from the ecosystem's own client configuration (apt, pip, npm, go, cargo, maven)
/// or the field's public default; tests point them at a local server.
struct Feeds {
  std::string github_api, release_monitor, pypi, npm, go_proxy, crates, maven;
  std::vector<std::string> debian_bases;
  std::vector<std::string> debian_suites = {"trixie", "forky", "sid"};
  std::string github_token;

  // What one run learns once for all definitions.
  mutable std::set<std::string> silent;                      ///< Feeds that did not answer.
  mutable std::shared_ptr<const DebianIndex> debian;         ///< Read at the first question.
};
/// NACRE_FEED_GITHUB, _RELEASE_MONITOR, _PYPI, _NPM, _GO, _CRATES, _MAVEN win over the clients' configuration ("off"
/// silences a feed). A feed whose client is not set up here has an empty address.
Feeds feeds_of_machine(Env& env);

/// All releases that the definition's `update:` block can see, filtered (ignore-regex, prerelease, tag filters) and
/// transformed, newest first by apk's version order. Feeds are asked in the block's own form; when that one cannot be
/// reached, Debian's source index (by `source_of`) is the second opinion, and the report says so. kInvalid names the
/// block's fault; kUnavailable when no feed answered.
struct Observation {
  FeedKind feed = FeedKind::kDebian;
  std::vector<Release> releases;
  std::vector<std::string> unreachable;   ///< Feeds that did not answer, without addresses.
};
Result<Observation> observe(const definition::Definition& definition, const Feeds& feeds,
                            const std::vector<build::LockedSource>& lock, Env& env);

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
  std::optional<build::LockedSource> lock_entry;
  std::vector<Dropped> dropped;      ///< What upstream has taken over: no longer in new_text.
  std::vector<SideChange> side_files;
  std::vector<std::string> notes;    ///< What a person may want to look at.
  std::string problem;               ///< Why it cannot be applied by itself ("source not found at …"); empty: it can.
};
/// nullopt when the definition is at the newest release or not to be updated (reason in `why_not`).
Result<std::optional<Proposal>> propose(const definition::Definition& definition,
                                        const Observation& seen,
                                        const std::vector<build::LockedSource>& lock,
                                        const Feeds& feeds, const build::FetchPlaces& places,
                                        Env& env, std::string* why_not = nullptr);

}  // namespace nacre::watch
