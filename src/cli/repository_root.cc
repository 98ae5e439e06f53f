#include "cli/repository_root.h"

#include "apk/package_file.h"
#include "base/events.h"
#include "base/text.h"
#include "cli/distribution.h"
#include "cli/forget.h"
#include "codec/digest.h"
#include "index/follow_index.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::string_view kRootKind = "foreign-root";      ///< Question -> JSON: the packages chosen.
constexpr std::string_view kAnswerKind = "foreign-answer";  ///< Question -> places of the packages chosen.
constexpr std::string_view kPoolKind = "solver-pool";       ///< Indexes -> blob: the solver's pool.
constexpr std::uint64_t kMaxPoolBytes = std::uint64_t{1} << 30;

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

Result<build::RootPackage> RepositoryShelf::unpack(const apk::RecordView& record, const Sha256& apk) {
  // Checked again against the index: the bytes lay in the store, for how long nobody knows.
  apk::ReadLimits limits;
  limits.expected_checksum = record.checksum;
  TRY(env_.store.tree(tree_key(apk),
                      [&](const Path& folder) {
                        return apk::unpack_package(env_.store.blob_path(apk), folder, owners(), limits);
                      }),
      "unpacking '{}-{}'", record.name, record.version);
  return root_package(std::string(record.name), std::string(record.version), apk);
}

std::string RepositoryShelf::question() const {
  std::string out = repositories_->identity();
  if (!allowed_) return out;
  codec::Hasher hasher;
  for (const std::string& label : *allowed_) hasher.update(label + "\n");
  return out + "alone " + hasher.finish_sha256().hex() + "\n";
}

bool RepositoryShelf::may_be_chosen(const apk::RecordView& record) const {
  return !allowed_ || allowed_->contains(fmt::format("{}={}", record.name, record.version));
}

std::vector<RepositoryShelf::Chosen> RepositoryShelf::places() const {
  std::vector<Chosen> out;
  for (const index::Repositories::Repository& repository : repositories_->all())
    for (const apk::PackageNumber i : index::in_text_order(repository.index))
      if (!allowed_ || may_be_chosen(repository.index->record(i))) out.push_back({&repository, i});
  return out;
}

/// The packages that the same question had for an answer: "REPOSITORY NUMBER NAME=VERSION" each, after the indexes.
Result<std::optional<std::vector<RepositoryShelf::Chosen>>> RepositoryShelf::kept_answer(const std::string& key) const {
  std::optional<std::vector<Chosen>> none;
  const auto text = TRY(env_.store.state().get(kAnswerKind, key));
  if (!text) return none;
  std::vector<Chosen> out;
  for (const std::string& row : split(*text, '\n')) {
    if (row.starts_with(kAnswerIndexes)) continue;
    std::size_t repository = 0;
    apk::PackageNumber number = 0;
    const char* end = row.data() + row.size();
    const auto first = std::from_chars(row.data(), end, repository);
    if (first.ec != std::errc() || first.ptr == end) return none;
    const auto second = std::from_chars(first.ptr + 1, end, number);
    if (second.ec != std::errc() || repository >= repositories_->all().size()) return none;
    const index::Repositories::Repository& from = repositories_->all()[repository];
    if (number >= from.index->package_count() || !from.index->has(number)) return none;
    const apk::RecordView record = from.index->record(number);
    if (std::string_view(second.ptr, end) != fmt::format(" {}={}", record.name, record.version)) return none;
    out.push_back({&from, number});
  }
  return std::optional<std::vector<Chosen>>(std::move(out));
}

Result<std::vector<RepositoryShelf::Chosen>> RepositoryShelf::choose(const solve::World& world) {
  TRY(open());
  std::string text = question();
  for (const std::string& atom : world.atoms) text += atom + "\n";
  const std::string key = codec::sha256(text).hex();
  if (!below_.empty()) return ask(world);  // what a base image has is part of the question, and is not kept
  if (auto kept = TRY(kept_answer(key))) return *std::move(kept);
  std::vector<Chosen> out = TRY(ask(world));
  std::vector<std::string> rows = {std::string(kAnswerIndexes)};
  for (const index::Repositories::Repository& repository : repositories_->all())
    rows.front() += " " + repository.digest.hex();
  for (const Chosen& one : out)
    rows.push_back(fmt::format("{} {} {}={}", one.from - repositories_->all().data(), one.number, one.record().name,
                               one.record().version));
  if (!out.empty()) TRY(env_.store.state().put(kAnswerKind, key, join(rows, "\n")));
  return out;
}

/// Whether the pool's numbers count `all`.
bool RepositoryShelf::is_pool_of(const std::vector<Chosen>& all, const solve::Pool& pool) {
  const auto same = [&](const solve::PoolPackage& row, const Chosen& one) {
    const apk::RecordView record = one.record();
    return pool.text(pool.names()[row.name].text) == record.name && pool.text(row.version) == record.version &&
           pool.text(row.checksum) == record.checksum;
  };
  return std::equal(pool.packages().begin(), pool.packages().end(), all.begin(), all.end(), same);
}

Result<std::vector<RepositoryShelf::Chosen>> RepositoryShelf::ask(const solve::World& world) const {
  const std::vector<Chosen> all = places();
  std::vector<solve::Origin> origins;
  std::map<std::string, std::size_t, std::less<>> numbers;
  std::map<const index::Repositories::Repository*, std::size_t> number_of;
  for (const index::Repositories::Repository& repository : repositories_->all()) {
    const auto [at, fresh] = numbers.try_emplace(repository.name(), origins.size());
    if (fresh) origins.push_back({repository.name(), 0});
    number_of[&repository] = at->second;
  }
  const std::size_t base = origins.size();
  if (!below_.empty()) origins.push_back({"the base image", 0});
  if (origins.size() > solve::Pool::kMaxSources)
    return Error::make(ErrorKind::kInvalid, "packages come from more than {} repositories", solve::Pool::kMaxSources);
  store::Store& store = env_.store;
  const std::string key = codec::sha256(question()).hex();
  std::string bytes;   // outlives the pool that lies in it
  solve::Pool pool;
  bool kept = false;
  const auto name = TRY(store.state().get(kPoolKind, key));
  if (name && below_.empty()) {
    const auto blob = parse_sha256(*name);
    auto read = blob ? store.read(*blob, kMaxPoolBytes) : Result<std::string>(std::string());
    if (read && codec::sha256(*read) == blob) {
      bytes = *std::move(read);
      auto opened = solve::Pool::from_bytes(bytes);
      kept = opened && is_pool_of(all, *opened);
      if (kept) pool = *std::move(opened);
    }
  }
  if (!kept) {
    for (const Chosen& one : all) pool.add(apk::to_record(one.record()), number_of.at(one.from), false);
    for (const apk::IndexRecord& record : below_) pool.add(record, base, false);
    pool.finish();
    if (below_.empty()) {
      const Sha256 blob = TRY(store.put_bytes(pool.to_bytes(), store::Store::Durability::kLater));
      TRY(store.state().put(kPoolKind, key, blob.hex()));
    }
  }
  const auto result = TRY(solve::answer(world, pool, origins));
  if (const auto* refusal = std::get_if<solve::Refusal>(&result)) return refusal->error();
  std::vector<Chosen> out;
  for (const std::size_t record : std::get<solve::Solution>(result).records)
    if (record < all.size()) out.push_back(all[record]);
  return out;
}

Result<> RepositoryShelf::refuse_mixture(const std::vector<Chosen>& chosen, Mixture allowed) {
  const Chosen* first = nullptr;
  index::IndexIdentity of_first{};
  for (const Chosen& one : chosen) {
    const auto identity = index::parse_index_description(one.from->description);
    if (!identity) continue;  // nobody's edition
    if (allowed == Mixture::kBuildRoot && identity->edition == Edition::kStage0) continue;
    if (first == nullptr) {
      first = &one;
      of_first = *identity;
    }
    if (identity->edition == of_first.edition) continue;
    const apk::RecordView a = first->record(), b = one.record();
    return Error::make(ErrorKind::kDenied, "{}-{} is of the edition {}, but {}-{} of the edition {}: content of two "
                       "editions must not mix", a.name, a.version, name_of(of_first.edition), b.name, b.version,
                       name_of(identity->edition))
        .hint("name the repositories of one edition alone");
  }
  return {};
}

Result<std::vector<build::RootPackage>> RepositoryShelf::root_for(const solve::World& world) {
  TRY(open());
  std::string text = repositories_->identity();
  for (const std::string& atom : world.atoms) text += atom + "\n";
  const Sha256 key = codec::sha256(text);
  if (auto kept = TRY(known(key))) return *std::move(kept);
  const std::vector<Chosen> chosen = TRY(choose(world));
  TRY(refuse_mixture(chosen, Mixture::kBuildRoot));
  Task task(env_.events, fmt::format("take {} packages", chosen.size()));
  std::vector<index::Repositories::Wanted> wanted;
  for (const Chosen& one : chosen) wanted.push_back({one.from, one.record()});
  const std::vector<Sha256> apks = TRY(
      repositories_->fetch_all(wanted, [&](std::size_t done) { task.progress(done, chosen.size()); }));
  std::vector<build::RootPackage> out;
  Json rows = Json::array();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (env_.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    build::RootPackage package = TRY(unpack(wanted[i].record, apks[i]));
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
  const std::vector<Chosen> chosen = TRY(choose(world));
  TRY(refuse_mixture(chosen, Mixture::kNone));
  std::vector<Pick> out;
  for (const Chosen& one : chosen)
    out.push_back({apk::to_record(one.record()), one.from->base, one.from->tag, one.from->signer});
  return out;
}

Result<std::set<std::string>> RepositoryShelf::labels() {
  TRY(open());
  std::set<std::string> out;
  for (const Chosen& one : places()) {
    const apk::RecordView record = one.record();
    out.insert(fmt::format("{}={}", record.name, record.version));
  }
  return out;
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
