#include "cli/repository_root.h"

#include "apk/package_file.h"
#include "base/events.h"
#include "base/text.h"
#include "cli/distribution.h"
#include "codec/digest.h"
#include "index/follow_index.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::string_view kRootKind = "foreign-root";  ///< Question -> JSON: the packages chosen.

apk::Owners owners() { return ::geteuid() == 0 ? apk::Owners::kKeep : apk::Owners::kIgnore; }

}  // namespace

Result<std::string> read_address(const std::string& url, std::uint64_t max_bytes, Env& env) {
  const index::Fetcher fetcher = TRY(index::Fetcher::make(env, index::Reach::kOnline));
  return fetcher.read(url, max_bytes);
}

Result<> RepositoryShelf::open() {
  if (!repositories_) repositories_ = TRY(index::Repositories::open(source_, env_));
  return {};
}

build::RootPackage RepositoryShelf::root_package(std::string name, std::string version, const Sha256& apk) const {
  build::RootPackage out;
  out.name = std::move(name);
  out.version = std::move(version);
  out.edition = kForeignEdition;
  out.content = apk;
  out.tree = env_.store.tree_path(tree_key(apk));
  return out;
}

Result<std::optional<std::vector<build::RootPackage>>> RepositoryShelf::known(const Sha256& key) {
  std::optional<std::vector<build::RootPackage>> out;
  const auto text = TRY(env_.store.state().get(kRootKind, key.hex()));
  if (!text) return out;
  const Json rows = TRY(codec::parse_json(*text, "a kept root"));
  std::vector<build::RootPackage> packages;
  for (const Json& row : rows.items()) {
    const Sha256 apk = TRY(parse_sha256(row["apk"].as_string()));
    if (!env_.store.has_tree(tree_key(apk))) return out;
    packages.push_back(root_package(row["name"].as_string(), row["version"].as_string(), apk));
  }
  out = std::move(packages);
  return out;
}

Result<build::RootPackage> RepositoryShelf::unpack(const apk::IndexRecord& record, const Sha256& apk) {
  // Checked again against the index: the bytes lay in the store, for how long nobody knows.
  apk::ReadLimits limits;
  limits.expected_checksum = record.checksum;
  TRY(env_.store.tree(tree_key(apk),
                      [&](const Path& folder) {
                        return apk::unpack_package(env_.store.blob_path(apk), folder, owners(), limits);
                      }),
      "unpacking '{}-{}'", record.name, record.version);
  return root_package(record.name, record.version, apk);
}

void RepositoryShelf::fill(Pool& pool) const {
  for (const index::Repositories::Repository& repository : repositories_->all())
    for (const apk::PackageNumber i : index::in_text_order(repository.index)) {
      const apk::RecordView record = repository.index->record(i);
      if (!allowed_ || allowed_->contains(fmt::format("{}={}", record.name, record.version)))
        pool.places.push_back({&repository, record});
    }
  pool.records.reserve(pool.places.size() + below_.size());
  for (const index::Repositories::Wanted& place : pool.places) {
    pool.records.push_back(apk::to_record(place.record));
    pool.candidates.push_back({&pool.records.back(), place.from->name(), Edition::kCommunity, 0});
  }
  for (const apk::IndexRecord& record : below_) {
    pool.records.push_back(record);
    pool.candidates.push_back({&pool.records.back(), "the base image", Edition::kCommunity, 0});
  }
}

Result<> RepositoryShelf::refuse_mixture(const std::vector<solve::Candidate>& chosen, const Pool& pool,
                                         Mixture allowed) {
  const apk::IndexRecord* first = nullptr;
  index::IndexIdentity of_first{};
  for (const solve::Candidate& candidate : chosen) {
    const index::Repositories::Repository* from = pool.origin(candidate);
    if (from == nullptr) continue;
    const auto identity = index::parse_index_description(from->description);
    if (!identity) continue;  // nobody's edition
    if (allowed == Mixture::kBuildRoot && identity->edition == Edition::kStage0) continue;
    if (first == nullptr) {
      first = candidate.record;
      of_first = *identity;
    }
    if (identity->edition == of_first.edition) continue;
    return Error::make(ErrorKind::kDenied, "{}-{} is of the edition {}, but {}-{} of the edition {}: content of two "
                       "editions must not mix", first->name, first->version, name_of(of_first.edition),
                       candidate.record->name, candidate.record->version, name_of(identity->edition))
        .hint("name the repositories of one edition alone");
  }
  return {};
}

Result<std::vector<build::RootPackage>> RepositoryShelf::root_for(const solve::World& world) {
  TRY(open());
  std::string question = repositories_->identity();
  for (const std::string& atom : world.atoms) question += atom + "\n";
  const Sha256 key = codec::sha256(question);
  if (auto kept = TRY(known(key))) return *std::move(kept);
  Pool pool;
  fill(pool);
  solve::Options options;
  options.mixing = solve::Options::Mixing::kAny;
  const std::vector<solve::Candidate> chosen = TRY(solve::solve(world, pool.candidates, options));
  TRY(refuse_mixture(chosen, pool, Mixture::kBuildRoot));
  Task task(env_.events, fmt::format("take {} packages", chosen.size()));
  std::vector<index::Repositories::Wanted> wanted;
  for (const solve::Candidate& candidate : chosen)
    wanted.push_back(pool.places[static_cast<std::size_t>(candidate.record - pool.records.data())]);
  const std::vector<Sha256> apks = TRY(
      repositories_->fetch_all(wanted, [&](std::size_t done) { task.progress(done, chosen.size()); }));
  std::vector<build::RootPackage> out;
  Json rows = Json::array();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (env_.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    build::RootPackage package = TRY(unpack(*chosen[i].record, apks[i]));
    Json row;
    row.set("name", package.name).set("version", package.version).set("apk", package.content.hex());
    rows.push(std::move(row));
    out.push_back(std::move(package));
  }
  TRY(env_.store.state().put(kRootKind, key.hex(), codec::to_json(rows)));
  task.finish();
  return out;
}

Result<std::vector<RepositoryShelf::Pick>> RepositoryShelf::pick(const solve::World& world) {
  TRY(open());
  Pool pool;
  fill(pool);
  solve::Options options;
  options.mixing = solve::Options::Mixing::kAny;
  const std::vector<solve::Candidate> chosen = TRY(solve::solve(world, pool.candidates, options));
  TRY(refuse_mixture(chosen, pool, Mixture::kNone));
  std::vector<Pick> out;
  for (const solve::Candidate& candidate : chosen) {
    const index::Repositories::Repository* from = pool.origin(candidate);
    if (from != nullptr) out.push_back({*candidate.record, from->base, from->tag, from->signer});
  }
  return out;
}

Result<std::set<std::string>> RepositoryShelf::labels() {
  TRY(open());
  Pool pool;
  fill(pool);
  std::set<std::string> out;
  for (const index::Repositories::Wanted& place : pool.places)
    out.insert(fmt::format("{}={}", place.record.name, place.record.version));
  return out;
}

Result<Sha256> RepositoryShelf::fetch(const Pick& pick) {
  const index::Repositories none = TRY(index::Repositories::unopened(source_, env_));
  index::Repositories::Repository from;
  from.base = pick.base;
  from.signer = pick.signer;
  apk::RecordLists lists;
  return none.fetch({&from, apk::view_of(pick.record, lists)});
}

Result<std::vector<std::pair<std::string, std::string>>> RepositoryShelf::keys() {
  const index::Fetcher fetcher = TRY(index::Fetcher::make(env_, source_.reach));
  const std::vector<index::TrustedKey> keys = TRY(index::read_keyring(source_.keyring, fetcher));
  std::vector<std::pair<std::string, std::string>> out;
  for (const index::TrustedKey& key : keys) out.emplace_back(key.name, key.pem);
  return out;
}

Result<std::vector<RepositoryShelf::IndexIdentity>> RepositoryShelf::indexes() {
  TRY(open());
  std::vector<IndexIdentity> out;
  for (const index::Repositories::Repository& repository : repositories_->all())
    out.push_back({fmt::format("{}/{}/APKINDEX.tar.gz", index::safe_place(repository.base), source_.arch.apk),
                   repository.digest.hex(), repository.description, repository.signer});
  return out;
}

std::string RepositoryShelf::place_of(const Pick& pick) const {
  return fmt::format("{}/{}/{}-{}.apk", pick.base, source_.arch.apk, pick.record.name, pick.record.version);
}

}  // namespace nacre::cli
