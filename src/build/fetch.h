#pragma once

#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "definition/definition.h"
#include "os/file.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::build {

/// One entry of os/sources.lock: where a source file can be had besides upstream's own address.
struct LockedSource {
  std::string file;  ///< Name of the archive.
  Sha256 sha256;
  std::uint64_t size_bytes = 0;
  std::string uri;          ///< Upstream's address, as the definition names it.
  std::string debian_pool;  ///< "pool/main/z/zlib/zlib_1.3.2.orig.tar.gz", or empty.
  std::vector<std::string> debian_suites;
  bool repacked = false;  ///< Not upstream's bytes (design, decision 12).
  std::vector<std::string> used_by;
};

/// Reads sources.lock (YAML). kInvalid with file:line:column for unknown fields, bad digests, two
/// entries of one digest.
Result<std::vector<LockedSource>> parse_sources_lock(std::string_view text, std::string_view file);

/// The text of a lock: sorted by first user, then by file; ends with a newline.
std::string write_sources_lock(const std::vector<LockedSource>& sources);

/// Debian's archives as the machine's apt configuration names them (`apt-get indextargets`). Asking takes most of a
/// second of processor time, so it is done when the first source has to come from there. Thread-safe.
class AptArchives {
 public:
  AptArchives() = default;
  /// Apt is not asked: these are known.
  explicit AptArchives(std::vector<std::string> bases) : bases_(std::move(bases)) {
    std::call_once(once_, [] {});
  }
  /// Addresses, without trailing '/'; none on a machine without apt. They never go into a message, event or record.
  const std::vector<std::string>& bases(Env& env) const;

 private:
  mutable std::once_flag once_;
  mutable std::vector<std::string> bases_;
};

/// Where this machine looks for sources, in order: store, directories, Debian's archives, upstream.
struct FetchPlaces {
  std::vector<os::Path> directories;      ///< NACRE_SOURCE_MIRRORS, parted by ':'; files named HEX,
                                          ///< sha256/HEX or by file name; bare repositories named
                                          ///< OWNER+NAME or HOST/OWNER/NAME.git.
  std::shared_ptr<const AptArchives> apt;  ///< nullptr: Debian is not asked. Copies share what was learned.
  bool upstream = true;
};
FetchPlaces places_of_machine();

/// A source that is in the store, and how it came there.
struct FetchedSource {
  std::string uri;  ///< As the definition names it.
  Sha256 sha256;
  std::uint64_t size_bytes = 0;
  std::string origin;  ///< "store", "directory", "debian", "upstream": never a host or a path.
  bool repacked = false;
  std::string expected;  ///< "sha256:HEX", "sha512:HEX" or "git:HEX": the name of the file below /var/cache/melange.
  std::string commit;    ///< Of a git source: what is checked out. Empty for files.
  std::string ref;       ///< Of a git source: "refs/tags/v1", or empty.

  /// What the source is, whoever packed it: "sha256:HEX" of a file, "gitCommit:HEX" of a history.
  std::string identity() const { return commit.empty() ? sha256.oci() : "gitCommit:" + commit; }
};

/// Brings one source of a definition into the store. Downloads go to partial/ under the digest's
/// name and resume with a range request after an interruption. kDenied when bytes have another
/// digest (they go to quarantine, and the error names the file there, the expected and the found
/// digest); kUnavailable when no place has it: one line for each place tried. A source with neither
/// sha256 nor sha512 is kInvalid. Git sources come as archives of their history (git.h).
Result<FetchedSource> fetch_source(const definition::Source& source,
                                   const std::vector<LockedSource>& lock, const FetchPlaces& places,
                                   Env& env);

/// All sources of a definition, in order; git repositories that the build itself makes are none.
Result<std::vector<FetchedSource>> fetch_sources(const definition::Definition& definition,
                                                 const std::vector<LockedSource>& lock,
                                                 const FetchPlaces& places, Env& env);

}  // namespace nacre::build
