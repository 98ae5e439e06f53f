#include "apk/version.h"
#include "base/text.h"
#include "codec/digest.h"
#include "definition/edit.h"
#include "net/http.h"
#include "store/store.h"
#include "watch/debian.h"
#include "watch/taken.h"

#include <algorithm>

namespace nacre::watch {
namespace {

/// Where the bytes of a new release can be had, and their digest.
struct NewSource {
  Sha256 sha256;
  std::uint64_t size_bytes = 0;
  std::string file, pool;
  std::vector<std::string> suites;
  bool repacked = false;
};

/// The archive of this version in Debian's verified index.
std::optional<NewSource> find_in_debian(const std::string& name, const std::string& version, const Feeds& feeds,
                                        Env& env) {
  if (name.empty()) return std::nullopt;
  const auto index = debian_index(feeds, env);
  if (!index) return std::nullopt;
  const auto found = (*index)->sources.find(name);
  if (found == (*index)->sources.end()) return std::nullopt;
  std::optional<NewSource> out;
  for (const DebianSource& source : found->second) {
    if (source.version != version || (out && out->sha256 != source.sha256)) continue;
    if (!out) out = NewSource{source.sha256, source.size_bytes, source.file, source.pool, {}, source.repacked};
    if (out->suites.empty() || out->suites.back() != source.suite) out->suites.push_back(source.suite);
  }
  return out;
}

/// Upstream's own bytes, taken into the store to learn their digest.
Result<NewSource> download(const std::string& uri, Env& env) {
  net::Request request;
  request.url = uri;
  request.max_bytes = std::uint64_t{2} << 30;
  request.timeout_seconds = 30;
  auto response = env.http.send(request, env.stop);
  if (!response) return Error::make(ErrorKind::kUnavailable, "'{}' cannot be reached", uri);
  TRY(net::expect_success(*response, uri));
  NewSource out;
  out.sha256 = TRY(env.store.put_bytes(response->body));
  out.size_bytes = response->body.size();
  out.file = uri.substr(uri.rfind('/') + 1);
  return out;
}

const build::LockedSource* lock_entry(const std::vector<build::LockedSource>& lock, const std::string& sha256) {
  for (const build::LockedSource& entry : lock)
    if (entry.sha256.hex() == sha256) return &entry;
  return nullptr;
}

/// The definition's text with the digest of one source changed.
Result<std::string> with_digest(const std::string& text, const std::string& file, const std::string& from,
                                const Sha256& to) {
  const codec::YamlTree tree = TRY(codec::parse_yaml(text, file));
  return definition::replace_digest(tree, from, to.hex());
}

Result<std::string> with_commit(const std::string& text, const std::string& file, const std::string& from,
                                const std::string& to) {
  const codec::YamlTree tree = TRY(codec::parse_yaml(text, file));
  return definition::replace_commit(tree, from, to);
}

/// `uri` with another version where `from` stands as a whole: the 1 in "v1.0" is not version 1. Some upstreams write
/// "1_0" or "1-0".
std::string with_version(const std::string& uri, const std::string& from, const std::string& to) {
  const auto is_digit = [&](std::size_t at) { return at < uri.size() && uri[at] >= '0' && uri[at] <= '9'; };
  for (const char* mark : {".", "_", "-"}) {
    const std::string old = replace_all(from, ".", mark), next = replace_all(to, ".", mark);
    std::string out;
    std::size_t done = 0;
    for (std::size_t at = uri.find(old); at != std::string::npos; at = uri.find(old, at + 1)) {
      const std::size_t end = at + old.size();
      const bool goes_on = is_digit(end) || (end < uri.size() && uri[end] == *mark && is_digit(end + 1));
      const bool begun = at > 0 && (is_digit(at - 1) || (uri[at - 1] == *mark && at > 1 && is_digit(at - 2)));
      if (at < done || goes_on || begun) continue;
      out += uri.substr(done, at - done) + next;
      done = end;
    }
    if (done > 0) return out + uri.substr(done);
  }
  return uri;
}

/// A tag with the version in it moves; the commit that it is there becomes the one expected. Others stay.
Result<> move_git_source(Proposal& proposal, const definition::Definition& definition, definition::Source source,
                         const build::FetchPlaces& places, Env& env, std::optional<StoredSource>& moved) {
  const std::string tag = with_version(source.tag, definition.version, proposal.to);
  if (tag == source.tag || source.commit.empty()) return {};
  const std::string old = source.commit;
  source.tag = tag;
  source.commit.clear();
  const auto fetched = build::fetch_source(source, {}, places, env);
  if (!fetched) {
    proposal.add_problem(fetched.error().render(), fetched.error().kind());
    return {};
  }
  proposal.new_text = TRY(with_commit(proposal.new_text, definition.file, old, fetched->commit));
  proposal.commits.emplace_back(old, fetched->commit);
  moved = StoredSource{fetched->sha256, fetched->commit};
  return {};
}

Result<> move_source(Proposal& proposal, const definition::Definition& definition, const definition::Source& source,
                     const std::vector<build::LockedSource>& lock, const Feeds& feeds,
                     const build::FetchPlaces& places, Env& env, std::optional<StoredSource>& moved) {
  if (source.kind == definition::Source::Kind::kGit)
    return move_git_source(proposal, definition, source, places, env, moved);
  const std::string uri = with_version(source.uri, definition.version, proposal.to);
  if (source.sha256.empty()) {
    proposal.add_problem("its source is not named by a SHA-256 digest", ErrorKind::kConflict);
    return {};
  }
  if (uri == source.uri) return {};
  const build::LockedSource* old = lock_entry(lock, source.sha256);
  std::optional<NewSource> found =
      find_in_debian(old != nullptr ? debian_name(*old) : std::string(), proposal.to, feeds, env);
  if (!found) {
    auto downloaded = download(uri, env);
    if (!downloaded) {
      // What was announced may not be there yet.
      const ErrorKind kind = downloaded.error().kind();
      proposal.add_problem(downloaded.error().render(),
                           kind == ErrorKind::kNotFound ? ErrorKind::kUnavailable : kind);
      return {};
    }
    found = *std::move(downloaded);
  }
  proposal.new_text = TRY(with_digest(proposal.new_text, definition.file, source.sha256, found->sha256));
  const Sha256 old_digest = TRY(parse_sha256(source.sha256));
  proposal.digests.emplace_back(old_digest, found->sha256);
  build::LockedSource entry;
  entry.file = found->file;
  entry.sha256 = found->sha256;
  entry.size_bytes = found->size_bytes;
  entry.uri = uri;
  entry.debian_pool = found->pool;
  entry.debian_suites = found->suites;
  // Where the old archive was repacked and came from the same place, the new one is taken to be, too.
  entry.repacked = found->repacked || (!found->pool.empty() && old != nullptr && old->repacked);
  entry.used_by = old != nullptr ? old->used_by : std::vector<std::string>{definition.name};
  moved = StoredSource{entry.sha256, ""};
  proposal.lock_entries.push_back(std::move(entry));
  return {};
}

/// A source that Debian's index named is not in the store yet. One that cannot be had leaves patches untried.
Result<> bring_moved(Proposal& proposal, std::vector<std::optional<StoredSource>>& moved,
                     const build::FetchPlaces& places, Env& env) {
  for (std::optional<StoredSource>& one : moved) {
    if (!one) continue;
    const build::LockedSource* entry = lock_entry(proposal.lock_entries, one->blob.hex());
    if (entry == nullptr) continue;
    const bool there = TRY(env.store.holds(one->blob));
    if (there) continue;
    definition::Source source;
    source.uri = entry->uri;
    source.sha256 = one->blob.hex();
    source.place = {proposal.file, 0, 0};
    const auto fetched = build::fetch_source(source, {*entry}, places, env);
    if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (fetched) continue;
    proposal.notes.push_back("patches were not tried: the new source cannot be had yet");
    one.reset();
  }
  return {};
}

}  // namespace

void Proposal::add_problem(std::string text, ErrorKind kind) {
  if (problem.empty() || kind != ErrorKind::kUnavailable) problem_kind = kind;
  problem += (problem.empty() ? "" : "; ") + std::move(text);
}

std::vector<Release> candidates(const definition::Definition& definition, const std::vector<Release>& releases) {
  std::vector<Release> out;
  for (const Release& release : releases)
    if (apk::compare_versions(release.version, definition.version) > 0) out.push_back(release);
  if (definition.update.require_sequential && out.size() > 1) out.erase(out.begin(), out.end() - 1);
  return out;
}

Result<std::optional<Proposal>> propose(const definition::Definition& definition, const Observation& seen,
                                        const std::vector<build::LockedSource>& lock, const Feeds& feeds,
                                        const build::FetchPlaces& places, Env& env, std::string* why_not) {
  const auto no = [&](std::string why) {
    if (why_not != nullptr) *why_not = std::move(why);
    return std::optional<Proposal>();
  };
  if (!definition.update.present || !definition.update.enabled)
    return no(definition.update.exclude_reason.empty() ? "updates are not enabled" : definition.update.exclude_reason);
  if (seen.releases.empty()) return no("no release was seen");
  const std::vector<Release> newer = candidates(definition, seen.releases);
  if (newer.empty())
    return no(fmt::format("at the newest release ({} says {})", name_of(seen.feed), seen.releases.front().version));
  const std::string to = newer.front().version;

  Proposal out;
  out.package = definition.name;
  out.file = definition.file;
  out.from = definition.version;
  out.to = to;
  out.feed = seen.feed;
  out.new_text = TRY(definition::bump_version(*definition.yaml, to, 0));
  out.by_hand = definition.update.manual;
  std::vector<std::optional<StoredSource>> moved(definition.sources.size());
  for (std::size_t i = 0; i < moved.size(); ++i)
    TRY(move_source(out, definition, definition.sources[i], lock, feeds, places, env, moved[i]), "proposing {} {}",
        definition.name, to);
  TRY(bring_moved(out, moved, places, env));
  TRY(drop_what_upstream_took(definition, moved, out, env), "trying the patches of {} on {}", definition.name, to);
  if (out.digests.empty() && out.commits.empty() && out.problem.empty())
    out.add_problem("no source's address or tag holds the version", ErrorKind::kConflict);
  return std::optional<Proposal>(std::move(out));
}

}  // namespace nacre::watch
