#include "build/search.h"

#include "base/encoding.h"
#include "base/tree_path.h"
#include "codec/digest.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace nacre::build {
namespace {

using os::Path;

/// The SHA-256 under which the store would hold the source; nothing while only SHA-512 is known.
Result<std::optional<Sha256>> stored_digest(const Search& search, Env& env) {
  if (!search.source.sha256.empty()) {
    const Sha256 digest = TRY(parse_sha256(search.source.sha256));
    return std::optional(digest);
  }
  const auto known = TRY(env.store.state().get(kSourceKind, search.expected));
  if (!known) return std::optional<Sha256>();
  const Sha256 digest = TRY(parse_sha256(*known));
  return std::optional(digest);
}

}  // namespace

Result<Digests> hash_file(const Path& file) {
  const os::Fd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in) return os::system_error(errno, fmt::format("open '{}'", file.string()));
  codec::Hasher short_hash(codec::HashKind::kSha256), long_hash(codec::HashKind::kSha512);
  std::string buffer(1u << 18, '\0');
  for (;;) {
    const ssize_t count = ::read(in.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os::system_error(errno, fmt::format("read '{}'", file.string()));
    if (count == 0) break;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
    short_hash.update(bytes);
    long_hash.update(bytes);
  }
  return Digests{short_hash.finish_sha256(), to_hex(long_hash.finish())};
}

std::string found_of(const Search& search, const Digests& digests) {
  if (search.expected.starts_with("sha512:")) return "sha512:" + digests.sha512;
  return "sha256:" + digests.sha256.hex();
}

bool matches(const Search& search, const Digests& digests) {
  const definition::Source& source = search.source;
  return (source.sha256.empty() || source.sha256 == digests.sha256.hex()) &&
         (source.sha512.empty() || source.sha512 == digests.sha512);
}

Result<FetchedSource> fetched(const Search& search, const Sha256& digest, std::string origin,
                              Env& env) {
  FetchedSource out;
  out.uri = search.source.uri;
  out.sha256 = digest;
  out.size_bytes = TRY(env.store.size(digest));
  out.origin = std::move(origin);
  out.repacked = search.locked != nullptr && search.locked->repacked;
  out.expected = search.expected;
  return out;
}

Result<FetchedSource> take_in(const Search& search, const Path& file, store::Store::Take take,
                              const Digests& digests, std::string origin, Env& env) {
  const Sha256 stored = TRY(env.store.put_file(file, take), "storing source '{}'", search.file);
  if (stored != digests.sha256)
    return Error::make(ErrorKind::kConflict, "'{}' changed while it was read", file.string());
  if (search.expected.starts_with("sha512:"))
    TRY(env.store.state().put(kSourceKind, search.expected, stored.hex()));
  return fetched(search, stored, std::move(origin), env);
}

Result<Found> from_store(Search& search, Env& env) {
  const std::optional<Sha256> digest = TRY(stored_digest(search, env));
  bool there = static_cast<bool>(digest);
  if (there) there = TRY(env.store.holds(*digest));
  if (!there) {
    search.tried.push_back("store: not there");
    return Found();
  }
  FetchedSource out = TRY(fetched(search, *digest, "store", env));
  return std::optional(std::move(out));
}

/// A file that bears the digest as its name must have it; one that bears the archive's name may be
/// another release.
Result<Found> from_file(Search& search, const Path& file, Named named, std::string_view origin,
                        Env& env) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return Found();
  const Digests digests = TRY(hash_file(file));
  if (matches(search, digests)) {
    FetchedSource out =
        TRY(take_in(search, file, store::Store::Take::kCopy, digests, std::string(origin), env));
    return std::optional(std::move(out));
  }
  const std::string line =
      fmt::format("{}: '{}' has {}", origin, file.string(), found_of(search, digests));
  (named == Named::kByDigest ? search.wrong : search.tried).push_back(line);
  return Found();
}

Result<Found> from_directories(Search& search, const FetchPlaces& places, Env& env) {
  const std::size_t colon = search.expected.find(':');
  const std::string kind = search.expected.substr(0, colon),
                    hex = search.expected.substr(colon + 1);
  std::vector<std::string> names;
  if (search.locked != nullptr) names.push_back(search.locked->file);
  const auto plain = TreePath::parse(search.file);
  if (plain && !plain->is_root() && (names.empty() || names[0] != search.file))
    names.push_back(search.file);
  const std::size_t before = search.tried.size() + search.wrong.size();
  for (const Path& directory : places.directories) {
    for (const Path& name : {Path(hex), Path(kind) / hex, Path(search.expected)}) {
      auto out = TRY(from_file(search, directory / name, Named::kByDigest, "directory", env));
      if (out) return out;
    }
    for (const std::string& name : names) {
      auto out = TRY(from_file(search, directory / name, Named::kByPeople, "directory", env));
      if (out) return out;
    }
  }
  if (search.tried.size() + search.wrong.size() == before)
    search.tried.push_back(places.directories.empty()
                               ? "directories: none named (NACRE_SOURCE_MIRRORS)"
                               : "directories: not there");
  return Found();
}

}  // namespace nacre::build
