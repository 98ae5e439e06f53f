#pragma once

#include "watch/watch.h"

#include <map>
#include <string>
#include <vector>

namespace nacre::watch {

/// One source of one suite, as Debian's signed index names it.
struct DebianSource {
  std::string version;          ///< Upstream's part: without epoch, revision and marks of repacking.
  std::string debian_version, suite;
  bool repacked = false;        ///< The version says so.
  std::string file;             ///< The upstream tarball.
  std::string pool;             ///< Path below the archive's base.
  Sha256 sha256;
  std::uint64_t size_bytes = 0;
};

/// Sources by name, from apt's own verified lists.
struct DebianIndex {
  std::map<std::string, std::vector<DebianSource>, std::less<>> sources;
};

/// apt fetches and verifies the source indexes of the suites (a configuration of our own, the machine's archive and
/// keys); lists younger than an hour are used as they are. kUnavailable when apt cannot.
Result<std::shared_ptr<const DebianIndex>> debian_index(const Feeds& feeds, Env& env);

/// Reads a Sources file (deb822). Malformed stanzas are left out.
void parse_sources(std::string_view text, std::string_view suite, DebianIndex& index);

/// "1:1.3.dfsg+really1.3.2-4" -> "1.3.2"; sets `repacked` when the version says so.
std::string upstream_version(std::string_view debian_version, bool* repacked = nullptr);

/// Name of Debian's source that a lock entry was taken from: "pool/main/z/zlib/…" -> "zlib".
std::string debian_name(const build::LockedSource& source);

}  // namespace nacre::watch
