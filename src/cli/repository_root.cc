#include "cli/repository_root.h"

#include "apk/package_file.h"
#include "base/events.h"
#include "base/text.h"
#include "cli/distribution.h"
#include "codec/digest.h"
#include "crypto/key.h"
#include "net/http.h"
#include "net/url.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxIndexBytes = 256u << 20;  ///< Compressed.
constexpr std::uint64_t kMaxKeyBytes = 64u << 10;
constexpr std::uint64_t kMaxPackageBytes = std::uint64_t{16} << 30;

constexpr std::string_view kRootKind = "foreign-root";  ///< Question -> JSON: the packages chosen.
constexpr std::string_view kApkKind = "foreign-apk";    ///< Repository and record -> digest of the .apk.
constexpr std::string_view kFileKind = "foreign-file";  ///< Address -> JSON: ETag and blob.

/// For messages and keys of records: never with a password.
std::string safe_name(const std::string& base) {
  if (!is_address(base)) return base;
  const auto url = net::parse_url(base);
  return url ? url->safe() : base;
}

std::string file_name(const std::string& text) { return Path(text.substr(0, text.find('?'))).filename().string(); }

/// "KEY.rsa.pub" is also found as "KEY.rsa.pub.rsa.pub", as some repositories name it.
bool names_key(const std::string& signature, const std::string& key) {
  return signature == key || signature == key + ".rsa.pub" || signature + ".rsa.pub" == key;
}

apk::Owners owners() { return ::geteuid() == 0 ? apk::Owners::kKeep : apk::Owners::kIgnore; }

}  // namespace

bool is_address(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

Result<std::string> read_address(const std::string& url, std::uint64_t max_bytes, Env& env) {
  const std::string key = codec::sha256(url).hex();
  const auto kept = TRY(env.store.state().get(kFileKind, key));
  Json before;
  if (kept) before = TRY(codec::parse_json(*kept, "a kept file"));
  const auto blob = parse_sha256(before["blob"].as_string());
  net::Request request;
  request.url = url;
  request.max_bytes = max_bytes;
  if (blob && env.store.has(*blob) && !before["etag"].as_string().empty())
    request.headers.emplace_back("If-None-Match", before["etag"].as_string());
  const net::Response response = TRY(net::send_with_retry(env.http, request, env.stop));
  if (response.status == 304 && blob) return env.store.read(*blob, max_bytes);
  TRY(net::expect_success(response, safe_name(url)));
  if (const std::string& etag = response.header("etag"); !etag.empty()) {
    const Sha256 digest = TRY(env.store.put_bytes(response.body));
    Json record;
    record.set("etag", etag).set("blob", digest.hex());
    TRY(env.store.state().put(kFileKind, key, codec::to_json(record)));
  }
  return response.body;
}

Result<> RepositoryShelf::read_keys() {
  std::set<std::string> seen;
  for (const std::string& text : source_.keyring) {
    if (!seen.insert(text).second) continue;
    Key key{file_name(text), {}};
    if (is_address(text))
      key.pem = TRY(read_address(text, kMaxKeyBytes, env_), "fetching the key '{}'", safe_name(text));
    else
      key.pem = TRY(os::read_file(text, kMaxKeyBytes), "reading the key '{}'", text);
    keys_.push_back(std::move(key));
  }
  return {};
}

Result<> RepositoryShelf::open() {
  if (opened_) return {};
  if (source_.signatures == RepositorySource::Signatures::kCheck) TRY(read_keys());
  // The field's order of candidates: repositories sorted, each once.
  const std::set<std::string> lines(source_.repositories.begin(), source_.repositories.end());
  for (const std::string& line : lines) {
    Repository repository;
    repository.base = line;
    if (line.starts_with('@')) {
      const std::size_t blank = line.find_first_of(" \t");
      if (blank == std::string::npos)
        return Error::make(ErrorKind::kInvalid, "expected '@TAG ADDRESS', got the repository '{}'", line);
      repository.tag = line.substr(1, blank - 1);
      repository.base = std::string(trim(line.substr(blank)));
    }
    while (repository.base.size() > 1 && repository.base.ends_with('/')) repository.base.pop_back();
    const std::string file = fmt::format("{}/{}/APKINDEX.tar.gz", repository.base, source_.arch.apk);
    if (is_address(file)) {
      repository.bytes = TRY(read_address(file, kMaxIndexBytes, env_), "fetching the index '{}'", safe_name(file));
    } else if (!os::exists(file)) {
      env_.events.emit({.kind = EventKind::kNote,
                        .name = "repositories",
                        .detail = fmt::format("no index '{}': taken as empty", file)});
      continue;
    } else {
      repository.bytes = TRY(os::read_file(file, kMaxIndexBytes), "reading the index '{}'", file);
    }
    repository.digest = codec::sha256(repository.bytes);
    repositories_.push_back(std::move(repository));
  }
  opened_ = true;
  return {};
}

Result<> RepositoryShelf::verify(Repository& repository) const {
  if (source_.signatures == RepositorySource::Signatures::kIgnore) return {};
  const apk::IndexFile& index = *repository.index;
  const std::string who = safe_name(repository.base);
  if (index.signature_bytes.empty())
    return Error::make(ErrorKind::kDenied, "the index of '{}' is not signed", who)
        .hint("sign it (`melange sign-index`), or say --ignore-signatures");
  std::vector<std::string> names;
  for (const Key& key : keys_) {
    names.push_back(key.name);
    if (!names_key(index.key_name, key.name)) continue;
    const crypto::PublicKey parsed = TRY(crypto::PublicKey::from_pem(key.pem), "reading the key '{}'", key.name);
    const auto held = index.signature_kind == "RSA" ? parsed.verify_sha1(index.signed_bytes, index.signature_bytes)
                                                    : parsed.verify(index.signed_bytes, index.signature_bytes);
    if (!held)
      return Error::make(ErrorKind::kDenied, "the signature of the index of '{}' does not fit the key '{}'", who,
                         key.name)
          .hint("the index was changed after it was signed, or another key of that name signed it");
    repository.signer = parsed.fingerprint();
    return {};
  }
  return Error::make(ErrorKind::kDenied, "the index of '{}' is signed by '{}', which is not in the keyring{}", who,
                     index.key_name, names.empty() ? std::string() : " (" + join(names, ", ") + ")")
      .hint("add the public key with --keyring-append, or say --ignore-signatures");
}

Result<> RepositoryShelf::parse(Repository& repository) {
  if (repository.index) return {};
  const std::string who = safe_name(repository.base);
  repository.index = TRY(apk::read_index(repository.bytes, who));
  auto verified = verify(repository);
  if (!verified) {
    repository.index.reset();
    return verified;
  }
  repository.index->signed_bytes.clear();
  return {};
}

Result<std::vector<solve::Candidate>> RepositoryShelf::candidates() {
  std::vector<solve::Candidate> out;
  for (Repository& repository : repositories_) {
    TRY(parse(repository));
    for (const apk::IndexRecord& record : repository.index->records)
      if (!allowed_ || allowed_->contains(record.name + "=" + record.version))
        out.push_back({&record, repository.name(), Edition::kCommunity, 0});
  }
  return out;
}

Sha256 RepositoryShelf::question(const solve::World& world) const {
  std::string text = fmt::format("arch {}\n", source_.arch.apk);
  for (const Repository& repository : repositories_)
    text += fmt::format("repository {} {}\n", repository.name(), repository.digest.hex());
  for (const Key& key : keys_) text += fmt::format("key {} {}\n", key.name, codec::sha256(key.pem).hex());
  text += source_.signatures == RepositorySource::Signatures::kCheck ? "checked\n" : "not checked\n";
  for (const std::string& atom : world.atoms) text += atom + "\n";
  return codec::sha256(text);
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

/// The .apk in the store. Who signed the index is part of what is remembered: another's word is another question.
Result<Sha256> RepositoryShelf::fetch(const apk::IndexRecord& record, const Repository& from) {
  const std::string file = fmt::format("{}-{}.apk", record.name, record.version);
  const std::string key = codec::sha256(fmt::format("{} {} {} {} {} {}", safe_name(from.base), from.signer, file,
                                                    record.arch, record.checksum, record.size_bytes))
                              .hex();
  if (const auto known = TRY(env_.store.state().get(kApkKind, key))) {
    const Sha256 digest = TRY(parse_sha256(*known));
    if (env_.store.has(digest)) return digest;
  }
  const std::string place = fmt::format("{}/{}/{}", from.base, source_.arch.apk, file);
  Sha256 digest;
  if (is_address(place)) {
    os::TempDir folder = TRY(os::TempDir::create(env_.store.work_dir(), "fetch-"));
    os::AtomicFile out = TRY(os::AtomicFile::create(folder.path() / "package"));
    net::Request request;
    request.url = fmt::format("{}/{}/{}", from.base, source_.arch.apk, net::url_encode(file));
    request.max_bytes = record.size_bytes > 0 ? record.size_bytes : kMaxPackageBytes;
    request.sink = [&](std::string_view bytes) { return out.write(bytes); };
    const net::Response response =
        TRY(net::send_with_retry(env_.http, request, env_.stop), "fetching '{}'", safe_name(place));
    TRY(net::expect_success(response, safe_name(place)));
    TRY(out.commit());
    digest = TRY(env_.store.put_file(folder.path() / "package", store::Store::Take::kMove));
  } else {
    digest = TRY(env_.store.put_file(place, store::Store::Take::kCopy), "taking the package '{}'", place);
  }
  apk::ReadLimits limits;
  limits.expected_checksum = record.checksum;
  TRY(apk::read_package_header(env_.store.blob_path(digest), limits), "checking '{}' against its index",
      safe_name(place));
  TRY(env_.store.state().put(kApkKind, key, digest.hex()));
  return digest;
}

Result<build::RootPackage> RepositoryShelf::unpack(const apk::IndexRecord& record, const Repository& from) {
  const Sha256 digest = TRY(fetch(record, from));
  TRY(env_.store.tree(
          tree_key(digest),
          [&](const Path& folder) { return apk::unpack_package(env_.store.blob_path(digest), folder, owners()); }),
      "unpacking '{}-{}'", record.name, record.version);
  return root_package(record.name, record.version, digest);
}

Result<std::vector<build::RootPackage>> RepositoryShelf::root_for(const solve::World& world) {
  TRY(open());
  const Sha256 key = question(world);
  if (auto kept = TRY(known(key))) return *std::move(kept);
  const std::vector<solve::Candidate> pool = TRY(candidates());
  solve::Options options;
  options.mixing = solve::Options::Mixing::kAny;
  const std::vector<solve::Candidate> chosen = TRY(solve::solve(world, pool, options));
  Task task(env_.events, fmt::format("take {} packages", chosen.size()));
  std::vector<build::RootPackage> out;
  Json rows = Json::array();
  for (const solve::Candidate& candidate : chosen) {
    if (env_.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    const auto from = std::find_if(repositories_.begin(), repositories_.end(), [&](const Repository& repository) {
      const auto& records = repository.index->records;
      return !records.empty() && candidate.record >= &records.front() && candidate.record <= &records.back();
    });
    if (from == repositories_.end())
      return Error::make(ErrorKind::kInternal, "no repository holds '{}'", candidate.record->name);
    build::RootPackage package = TRY(unpack(*candidate.record, *from));
    Json row;
    row.set("name", package.name).set("version", package.version).set("apk", package.content.hex());
    rows.push(std::move(row));
    out.push_back(std::move(package));
    task.progress(out.size(), chosen.size());
  }
  TRY(env_.store.state().put(kRootKind, key.hex(), codec::to_json(rows)));
  task.finish();
  return out;
}

Result<std::vector<RepositoryShelf::Pick>> RepositoryShelf::pick(const solve::World& world) {
  TRY(open());
  const std::vector<solve::Candidate> pool = TRY(candidates());
  solve::Options options;
  options.mixing = solve::Options::Mixing::kAny;
  const std::vector<solve::Candidate> chosen = TRY(solve::solve(world, pool, options));
  std::vector<Pick> out;
  for (const solve::Candidate& candidate : chosen) {
    const auto from = std::find_if(repositories_.begin(), repositories_.end(), [&](const Repository& repository) {
      const std::vector<apk::IndexRecord>& records = repository.index->records;
      return !records.empty() && candidate.record >= records.data() &&
             candidate.record < records.data() + records.size();
    });
    out.push_back({*candidate.record, from->base, from->tag, from->signer});
  }
  return out;
}

Result<std::set<std::string>> RepositoryShelf::labels() {
  TRY(open());
  const std::vector<solve::Candidate> pool = TRY(candidates());
  std::set<std::string> out;
  for (const solve::Candidate& candidate : pool) out.insert(candidate.record->name + "=" + candidate.record->version);
  return out;
}

Result<Sha256> RepositoryShelf::fetch(const Pick& pick) {
  Repository from;
  from.base = pick.base;
  from.signer = pick.signer;
  return fetch(pick.record, from);
}

Result<std::vector<std::pair<std::string, std::string>>> RepositoryShelf::keys() {
  if (keys_.empty()) TRY(read_keys());
  std::vector<std::pair<std::string, std::string>> out;
  for (const Key& key : keys_) out.emplace_back(key.name, key.pem);
  return out;
}

Result<std::vector<RepositoryShelf::IndexIdentity>> RepositoryShelf::indexes() {
  TRY(open());
  std::vector<IndexIdentity> out;
  for (Repository& repository : repositories_) {
    TRY(parse(repository));
    out.push_back({fmt::format("{}/{}/APKINDEX.tar.gz", safe_name(repository.base), source_.arch.apk),
                   repository.digest.hex(), repository.index->description, repository.signer});
  }
  return out;
}

std::string RepositoryShelf::place_of(const Pick& pick) const {
  return fmt::format("{}/{}/{}-{}.apk", pick.base, source_.arch.apk, pick.record.name, pick.record.version);
}

}  // namespace nacre::cli
