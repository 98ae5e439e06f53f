#include "build/fetch.h"

#include "base/encoding.h"
#include "base/events.h"
#include "base/text.h"
#include "base/tree_path.h"
#include "build/download.h"
#include "codec/digest.h"
#include "store/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

namespace nacre::build {
namespace {

using os::Path;

constexpr std::uint64_t kMaxSourceBytes = std::uint64_t{16} << 30;
constexpr std::string_view kStateKind = "source";  ///< "sha512:HEX" or "git:…" -> SHA-256 of the blob.

struct Digests {
  Sha256 sha256;
  std::string sha512;
};

/// One source being looked for.
struct Search {
  const definition::Source& source;
  const LockedSource* locked = nullptr;
  std::string file;       ///< Last part of the address: for people, and for directories.
  std::string expected;   ///< "sha256:HEX" or "sha512:HEX".
  std::vector<std::string> tried;  ///< One line for each place.
  std::vector<std::string> wrong;  ///< Places that gave other bytes.
};

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

/// What the bytes are, written as the definition writes what it expects.
std::string found_of(const Search& search, const Digests& digests) {
  if (search.expected.starts_with("sha512:")) return "sha512:" + digests.sha512;
  return "sha256:" + digests.sha256.hex();
}

bool matches(const Search& search, const Digests& digests) {
  const definition::Source& source = search.source;
  return (source.sha256.empty() || source.sha256 == digests.sha256.hex()) &&
         (source.sha512.empty() || source.sha512 == digests.sha512);
}

Result<FetchedSource> fetched(const Search& search, const Sha256& digest, std::string origin, Env& env) {
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
    TRY(env.store.state().put(kStateKind, search.expected, stored.hex()));
  return fetched(search, stored, std::move(origin), env);
}

/// The SHA-256 under which the store would hold the source; nothing while only its SHA-512 is known.
Result<std::optional<Sha256>> stored_digest(const Search& search, Env& env) {
  if (!search.source.sha256.empty()) {
    const Sha256 digest = TRY(parse_sha256(search.source.sha256));
    return std::optional(digest);
  }
  const auto known = TRY(env.store.state().get(kStateKind, search.expected));
  if (!known) return std::optional<Sha256>();
  const Sha256 digest = TRY(parse_sha256(*known));
  return std::optional(digest);
}

Result<std::optional<FetchedSource>> from_store(Search& search, Env& env) {
  const std::optional<Sha256> digest = TRY(stored_digest(search, env));
  if (!digest || !env.store.has(*digest)) {
    search.tried.push_back("store: not there");
    return std::optional<FetchedSource>();
  }
  FetchedSource out = TRY(fetched(search, *digest, "store", env));
  return std::optional(std::move(out));
}

enum class Named { kByDigest, kByPeople };

/// A file that bears the digest as its name must have it; one that bears the archive's name may be another release.
Result<std::optional<FetchedSource>> from_file(Search& search, const Path& file, Named named,
                                               std::string_view origin, Env& env) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return std::optional<FetchedSource>();
  const Digests digests = TRY(hash_file(file));
  if (matches(search, digests)) {
    FetchedSource out =
        TRY(take_in(search, file, store::Store::Take::kCopy, digests, std::string(origin), env));
    return std::optional(std::move(out));
  }
  const std::string line =
      fmt::format("{}: '{}' has {}", origin, file.string(), found_of(search, digests));
  (named == Named::kByDigest ? search.wrong : search.tried).push_back(line);
  return std::optional<FetchedSource>();
}

Result<std::optional<FetchedSource>> from_directories(Search& search, const FetchPlaces& places, Env& env) {
  const std::size_t colon = search.expected.find(':');
  const std::string kind = search.expected.substr(0, colon), hex = search.expected.substr(colon + 1);
  std::vector<std::string> names;
  if (search.locked != nullptr) names.push_back(search.locked->file);
  const auto plain = TreePath::parse(search.file);
  if (plain && !plain->is_root() && (names.empty() || names[0] != search.file))
    names.push_back(search.file);
  const std::size_t before = search.tried.size() + search.wrong.size();
  for (const Path& directory : places.directories) {
    for (const Path& name : {Path(hex), Path(kind) / hex}) {
      auto out = TRY(from_file(search, directory / name, Named::kByDigest, "directory", env));
      if (out) return out;
    }
    for (const std::string& name : names) {
      auto out = TRY(from_file(search, directory / name, Named::kByPeople, "directory", env));
      if (out) return out;
    }
  }
  if (search.tried.size() + search.wrong.size() == before)
    search.tried.push_back(places.directories.empty() ? "directories: none named (NACRE_SOURCE_MIRRORS)"
                                                      : "directories: not there");
  return std::optional<FetchedSource>();
}

/// What a place's failure may say: of Debian's archives neither address nor host.
std::string failure_text(const Error& error, std::string_view origin) {
  if (origin != "debian") return replace_all(error.render(), "\n  ", "; ");
  switch (error.kind()) {
    case ErrorKind::kNotFound: return "not there";
    case ErrorKind::kDenied: return "access denied";
    case ErrorKind::kUnavailable: return "no answer";
    default: return "unusable answer";
  }
}

/// Downloads to partial/ and takes the file in. Nothing: this place does not have it; `search` says why.
Result<std::optional<FetchedSource>> from_address(Search& search, const std::string& url,
                                                  std::string_view origin, const Task& task, Env& env) {
  const Path partial = env.store.home() / "partial" / replace_all(search.expected, ":", "-");
  TRY(os::make_dirs(partial.parent_path()));
  const bool sized = search.locked != nullptr && search.locked->size_bytes > 0;
  const std::uint64_t limit = sized ? search.locked->size_bytes : kMaxSourceBytes;
  for (bool again = true; again;) {
    again = false;
    auto got = download(url, partial, limit, task, env);
    if (!got) {
      if (env.stop.stop_requested() || got.error().kind() == ErrorKind::kInternal)
        return std::move(got).error();
      search.tried.push_back(fmt::format("{}: {}", origin, failure_text(got.error(), origin)));
      return std::optional<FetchedSource>();
    }
    const Digests digests = TRY(hash_file(partial));
    if (matches(search, digests)) {
      FetchedSource out =
          TRY(take_in(search, partial, store::Store::Take::kMove, digests, std::string(origin), env));
      return std::optional(std::move(out));
    }
    if (*got == Got::kResumed) {  // Parts of two files, perhaps.
      TRY(os::remove_tree(partial));
      again = true;
      continue;
    }
    const std::string found = found_of(search, digests);
    const Path kept = TRY(env.store.quarantine(
        partial, fmt::format("source '{}' from {}: expected {}, found {}", search.file, origin,
                             search.expected, found)));
    search.wrong.push_back(fmt::format("{}: found {}, kept as '{}'", origin, found, kept.string()));
  }
  return std::optional<FetchedSource>();
}

Result<std::optional<FetchedSource>> from_debian(Search& search, const FetchPlaces& places,
                                                 const Task& task, Env& env) {
  if (search.locked == nullptr || search.locked->debian_pool.empty() || places.debian_bases.empty()) {
    search.tried.push_back(places.debian_bases.empty() ? "debian: apt names no archive"
                                                       : "debian: the lock names no path there");
    return std::optional<FetchedSource>();
  }
  for (const std::string& base : places.debian_bases) {
    const std::string url = base + "/" + search.locked->debian_pool;
    auto out = base.starts_with("file:")  // An archive on this machine's own disk.
                   ? from_file(search, Path("/" + url.substr(url.find_first_not_of('/', 5))),
                               Named::kByPeople, "debian", env)
                   : from_address(search, url, "debian", task, env);
    if (!out || *out) return out;
  }
  return std::optional<FetchedSource>();
}

Result<std::optional<FetchedSource>> from_upstream(Search& search, const FetchPlaces& places,
                                                   const Task& task, Env& env) {
  const std::string& uri = search.source.uri;
  if (!places.upstream) {
    search.tried.push_back("upstream: not asked");
  } else if (!uri.starts_with("https://") && !uri.starts_with("http://")) {
    search.tried.push_back(fmt::format("upstream: '{}' is no http address", uri));
  } else {
    return from_address(search, uri, "upstream", task, env);
  }
  return std::optional<FetchedSource>();
}

const LockedSource* locked_source(const definition::Source& source,
                                  const std::vector<LockedSource>& lock) {
  for (const LockedSource& locked : lock) {
    if (source.sha256.empty() ? locked.uri == source.uri : locked.sha256.hex() == source.sha256)
      return &locked;
  }
  return nullptr;
}

bool is_digest(std::string_view text, std::size_t digits) {
  return text.empty() || (text.size() == digits &&
                          text.find_first_not_of("0123456789abcdef") == std::string_view::npos);
}

Result<Search> make_search(const definition::Source& source, const std::vector<LockedSource>& lock) {
  if (source.sha256.empty() && source.sha512.empty())
    return Error::make(ErrorKind::kInvalid, "source '{}' has no digest", source.uri)
        .at(source.place)
        .hint("add expected-sha256: what a build takes in is named by what it is");
  if (!is_digest(source.sha256, 64) || !is_digest(source.sha512, 128))
    return Error::make(ErrorKind::kInvalid, "the digest of source '{}' is not lower-case hexadecimal of "
                       "its length", source.uri).at(source.place);
  Search search{source, locked_source(source, lock), {}, {}, {}, {}};
  search.file = source.uri.substr(source.uri.rfind('/') + 1);
  search.expected = source.sha256.empty() ? "sha512:" + source.sha512 : "sha256:" + source.sha256;
  return search;
}

Error not_found_anywhere(const Search& search) {
  if (!search.wrong.empty())
    return Error::make(ErrorKind::kDenied, "source '{}' has other bytes than expected\n  expected {}\n  {}",
                       search.file, search.expected, join(search.wrong, "\n  "))
        .at(search.source.place)
        .hint("compare with upstream's announcement before you change the digest in the definition");
  return Error::make(ErrorKind::kUnavailable, "no place has source '{}' ({})\n  {}", search.file,
                     search.expected, join(search.tried, "\n  "))
      .at(search.source.place)
      .hint("put the file into a directory and name that in NACRE_SOURCE_MIRRORS");
}

Result<FetchedSource> fetch_git(const definition::Source& source, Env& env) {
  const std::string key = fmt::format("git:{}@{}", source.repository, source.commit);
  const auto known = TRY(env.store.state().get(kStateKind, key));
  const auto digest = known ? parse_sha256(*known) : Result<Sha256>(Sha256{});
  if (!known || !digest || !env.store.has(*digest))
    return Error::make(ErrorKind::kUnavailable, "the store has no tree of git source '{}' at {}",
                       source.repository, source.commit.empty() ? source.tag : source.commit)
        .at(source.place)
        .hint("builds have no network: name upstream's release archive with a fetch step instead");
  Search search{source, nullptr, {}, "sha256:" + digest->hex(), {}, {}};
  FetchedSource out = TRY(fetched(search, *digest, "store", env));
  out.uri = source.repository;
  return out;
}

}  // namespace

Result<FetchedSource> fetch_source(const definition::Source& source,
                                   const std::vector<LockedSource>& lock,
                                   const FetchPlaces& places, Env& env) {
  if (source.kind == definition::Source::Kind::kGit) return fetch_git(source, env);
  Search search = TRY(make_search(source, lock));
  auto found = TRY(from_store(search, env));
  if (found) return *std::move(found);

  // One download of a source for all processes of the store; who waited finds it there.
  const os::FileLock lease =
      TRY(env.store.lease("source/" + replace_all(search.expected, ":", "-")), "fetching '{}'", search.file);
  search.tried.clear();
  Task task(env.events, "fetch " + search.file);
  found = TRY(from_store(search, env));
  if (!found) found = TRY(from_directories(search, places, env));
  if (!found) found = TRY(from_debian(search, places, task, env));
  if (!found) found = TRY(from_upstream(search, places, task, env));
  if (!found) return not_found_anywhere(search);
  for (const std::string& line : search.wrong)
    task.warn(fmt::format("source '{}' has other bytes than expected elsewhere: {}", search.file, line));
  task.finish(fmt::format("{}, {}", found->origin, human_bytes(found->size_bytes)));
  return *std::move(found);
}

Result<std::vector<FetchedSource>> fetch_sources(const definition::Definition& definition,
                                                 const std::vector<LockedSource>& lock,
                                                 const FetchPlaces& places, Env& env) {
  std::vector<FetchedSource> out;
  for (const definition::Source& source : definition.sources) {
    auto fetched_one = fetch_source(source, lock, places, env);
    if (!fetched_one)
      return std::move(fetched_one).error().while_doing("fetching the sources of '{}'", definition.name);
    out.push_back(*std::move(fetched_one));
  }
  return out;
}

}  // namespace nacre::build
