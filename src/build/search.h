#pragma once

#include "base/env.h"
#include "build/fetch.h"
#include "store/store.h"

#include <optional>

namespace nacre::build {

/// Kind of state records: "sha512:HEX" or "git:HEX" -> SHA-256 of the blob.
constexpr std::string_view kSourceKind = "source";

struct Digests {
  Sha256 sha256;
  std::string sha512;
};

/// One source being looked for. Internal to the room.
struct Search {
  const definition::Source& source;
  const LockedSource* locked = nullptr;
  std::string file;                ///< Last part of the address: for people, and for directories.
  std::string expected;            ///< "sha256:HEX" or "sha512:HEX".
  std::vector<std::string> tried;  ///< One line for each place.
  std::vector<std::string> wrong;  ///< Places that gave other bytes.
};

enum class Named { kByDigest, kByPeople };

using Found = std::optional<FetchedSource>;  ///< Nothing: this place does not have it.

Result<Digests> hash_file(const os::Path& file);
bool matches(const Search& search, const Digests& digests);
/// What the bytes are, written as the definition writes what it expects.
std::string found_of(const Search& search, const Digests& digests);

Result<FetchedSource> fetched(const Search& search, const Sha256& digest, std::string origin,
                              Env& env);
/// Puts a file that matches into the store.
Result<FetchedSource> take_in(const Search& search, const os::Path& file, store::Store::Take take,
                              const Digests& digests, std::string origin, Env& env);

Result<Found> from_store(Search& search, Env& env);
/// A file that bears the digest as its name must have it; one that bears the archive's name may be
/// another release.
Result<Found> from_file(Search& search, const os::Path& file, Named named, std::string_view origin,
                        Env& env);
Result<Found> from_directories(Search& search, const FetchPlaces& places, Env& env);

}  // namespace nacre::build
