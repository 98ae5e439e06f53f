#include "build/fetch.h"

#include "base/events.h"
#include "base/text.h"
#include "build/download.h"
#include "build/git.h"
#include "build/search.h"
#include "store/store.h"

#include <optional>

namespace nacre::build {
namespace {

using os::Path;

constexpr std::uint64_t kMaxSourceBytes = std::uint64_t{16} << 30;

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

/// Downloads to partial/ and takes the file in. Nothing: this place does not have it; `search` says
/// why.
Result<Found> from_address(Search& search, const std::string& url, std::string_view origin,
                           const Task& task, Env& env) {
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
      return Found();
    }
    const Digests digests = TRY(hash_file(partial));
    if (matches(search, digests)) {
      FetchedSource out = TRY(
          take_in(search, partial, store::Store::Take::kMove, digests, std::string(origin), env));
      return std::optional(std::move(out));
    }
    if (*got == Got::kResumed) {  // Parts of two files, perhaps.
      TRY(os::remove_tree(partial));
      again = true;
      continue;
    }
    const std::string found = found_of(search, digests);
    const Path kept = TRY(
        env.store.quarantine(partial, fmt::format("source '{}' from {}: expected {}, found {}",
                                                  search.file, origin, search.expected, found)));
    search.wrong.push_back(fmt::format("{}: found {}, kept as '{}'", origin, found, kept.string()));
  }
  return Found();
}

Result<Found> from_debian(Search& search, const FetchPlaces& places, const Task& task, Env& env) {
  if (search.locked == nullptr || search.locked->debian_pool.empty()) {
    search.tried.push_back("debian: the lock names no path there");
    return Found();
  }
  const std::vector<std::string> bases = places.apt ? places.apt->bases(env) : std::vector<std::string>();
  if (bases.empty()) search.tried.push_back("debian: apt names no archive");
  for (const std::string& base : bases) {
    const std::string url = base + "/" + search.locked->debian_pool;
    auto out = base.starts_with("file:")  // An archive on this machine's own disk.
                   ? from_file(search, Path("/" + url.substr(url.find_first_not_of('/', 5))),
                               Named::kByPeople, "debian", env)
                   : from_address(search, url, "debian", task, env);
    if (!out || *out) return out;
  }
  return Found();
}

Result<Found> from_upstream(Search& search, const FetchPlaces& places, const Task& task, Env& env) {
  const std::string& uri = search.source.uri;
  if (!places.upstream) {
    search.tried.push_back("upstream: not asked");
  } else if (!uri.starts_with("https://") && !uri.starts_with("http://")) {
    search.tried.push_back(fmt::format("upstream: '{}' is no http address", uri));
  } else {
    return from_address(search, uri, "upstream", task, env);
  }
  return Found();
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

Result<Search> make_search(const definition::Source& source,
                           const std::vector<LockedSource>& lock) {
  if (source.sha256.empty() && source.sha512.empty())
    return Error::make(ErrorKind::kInvalid, "source '{}' has no digest", source.uri)
        .at(source.place)
        .hint("add expected-sha256: what a build takes in is named by what it is");
  if (!is_digest(source.sha256, 64) || !is_digest(source.sha512, 128))
    return Error::make(ErrorKind::kInvalid,
                       "the digest of source '{}' is not lower-case hexadecimal of "
                       "its length",
                       source.uri)
        .at(source.place);
  Search search{source, locked_source(source, lock), {}, {}, {}, {}};
  search.file = source.uri.substr(source.uri.rfind('/') + 1);
  search.expected = source.sha256.empty() ? "sha512:" + source.sha512 : "sha256:" + source.sha256;
  return search;
}

Error not_found_anywhere(const Search& search) {
  if (!search.wrong.empty())
    return Error::make(ErrorKind::kDenied,
                       "source '{}' has other bytes than expected\n  expected {}\n  {}",
                       search.file, search.expected, join(search.wrong, "\n  "))
        .at(search.source.place)
        .hint(
            "compare with upstream's announcement before you change the digest in the definition");
  return Error::make(ErrorKind::kUnavailable, "no place has source '{}' ({})\n  {}", search.file,
                     search.expected, join(search.tried, "\n  "))
      .at(search.source.place)
      .hint("put the file into a directory and name that in NACRE_SOURCE_MIRRORS");
}

}  // namespace

Result<FetchedSource> fetch_source(const definition::Source& source,
                                   const std::vector<LockedSource>& lock, const FetchPlaces& places,
                                   Env& env) {
  if (source.kind == definition::Source::Kind::kGit) return fetch_git(source, places, env);
  Search search = TRY(make_search(source, lock));
  auto found = TRY(from_store(search, env));
  if (found) return *std::move(found);

  // One download of a source for all processes of the store; who waited finds it there.
  const store::Lease lease =
      TRY(env.store.lease("source/" + replace_all(search.expected, ":", "-")), "fetching '{}'",
          search.file);
  search.tried.clear();
  Task task(env.events, "fetch " + search.file);
  found = TRY(from_store(search, env));
  if (!found) found = TRY(from_directories(search, places, env));
  if (!found) found = TRY(from_debian(search, places, task, env));
  if (!found) found = TRY(from_upstream(search, places, task, env));
  if (!found) return not_found_anywhere(search);
  for (const std::string& line : search.wrong)
    task.warn(
        fmt::format("source '{}' has other bytes than expected elsewhere: {}", search.file, line));
  task.finish(fmt::format("{}, {}", found->origin, human_bytes(found->size_bytes)));
  return *std::move(found);
}

Result<std::vector<FetchedSource>> fetch_sources(const definition::Definition& definition,
                                                 const std::vector<LockedSource>& lock,
                                                 const FetchPlaces& places, Env& env) {
  std::vector<FetchedSource> out;
  for (const definition::Source& source : definition.sources) {
    if (source.kind == definition::Source::Kind::kGit && !is_remote_repository(source.repository)) continue;
    auto fetched_one = fetch_source(source, lock, places, env);
    if (!fetched_one)
      return std::move(fetched_one)
          .error()
          .while_doing("fetching the sources of '{}'", definition.name);
    out.push_back(*std::move(fetched_one));
  }
  return out;
}

}  // namespace nacre::build
