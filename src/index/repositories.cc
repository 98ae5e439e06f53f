#include "index/repositories.h"

#include "apk/index_file.h"
#include "apk/package_file.h"
#include "base/events.h"
#include "base/text.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "crypto/key.h"
#include "index/freshness.h"
#include "net/url.h"
#include "os/threads.h"
#include "store/store.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>

namespace nacre::index {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxIndexBytes = 256u << 20;  ///< Compressed.
constexpr std::uint64_t kMaxKeyBytes = 64u << 10;
constexpr std::size_t kThreads = 8;  ///< Transfers at once.

constexpr std::string_view kApkKind = "foreign-apk";        ///< Signer and record -> digest of the .apk.
constexpr std::string_view kVerifiedKind = "foreign-index"; ///< Index and keys -> JSON: signer, description.
constexpr std::string_view kIndexFile = "APKINDEX.tar.gz";

std::string file_name(const std::string& text) {
  return os::Path(text.substr(0, text.find('?'))).filename().string();
}

/// "KEY.rsa.pub" is also found as "KEY.rsa.pub.rsa.pub", as some repositories name it.
bool names_key(const std::string& signature, const std::string& key) {
  return signature == key || signature == key + ".rsa.pub" || signature + ".rsa.pub" == key;
}

bool tag_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

Error bad_line(std::string_view line, std::string_view what) {
  return Error::make(ErrorKind::kInvalid, "'{}' is no repository: {}", line.substr(0, 200), what)
      .hint("write an address, a directory, or '@tag ADDRESS'");
}

}  // namespace

Result<RepositoryLine> parse_repository_line(std::string_view text) {
  RepositoryLine out;
  std::string_view rest = trim(text);
  const std::string_view line = rest;
  const auto control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  if (line.size() > 4096 || std::any_of(line.begin(), line.end(), control))
    return bad_line("…", "it is too long or holds control characters");
  if (rest.starts_with('@')) {
    const std::size_t end = rest.find_first_of(" \t");
    if (end == std::string_view::npos)
      return Error::make(ErrorKind::kInvalid, "expected '@TAG ADDRESS', got the repository '{}'", line);
    out.tag = rest.substr(1, end - 1);
    if (out.tag.empty() || !std::all_of(out.tag.begin(), out.tag.end(), tag_character))
      return bad_line(line, fmt::format("'{}' is no tag", out.tag));
    rest = trim(rest.substr(end));
  }
  for (const std::string_view form : {"v2 ", "ndx "})
    if (rest.starts_with(form)) rest = trim(rest.substr(form.size()));
  if (rest.starts_with("v3 ") || rest.ends_with(".adb"))
    return bad_line(line, "it is of apk v3, whose indexes nacre does not read")
        .hint("name the repository in its apk v2 form, with ARCH/APKINDEX.tar.gz");
  if (rest.empty()) return bad_line(line, "it is empty");
  if (is_address(rest) || rest.starts_with("file:")) {
    const net::Url url = TRY(net::parse_url(rest), "reading the repository '{}'", line.substr(0, 200));
    if (!url.query.empty()) return bad_line(url.safe(), "an address with a query cannot be continued");
    if (url.scheme == "file") rest.remove_prefix(rest.find(url.path));
  } else if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos) {
    return bad_line(line, fmt::format("addresses with '{}' are not read", rest.substr(0, scheme)));
  }
  out.base = rest;
  if (out.base.ends_with(fmt::format("/{}", kIndexFile))) {
    out.base.resize(out.base.size() - kIndexFile.size() - 1);
    const std::size_t arch = out.base.rfind('/');
    if (arch == std::string::npos) return bad_line(line, "the index stands in no directory of an architecture");
    out.base.resize(arch);
  }
  while (out.base.size() > 1 && out.base.ends_with('/')) out.base.pop_back();
  return out;
}

Result<std::vector<RepositoryLine>> parse_repositories(std::string_view text, std::string_view source) {
  std::vector<RepositoryLine> out;
  int line = 0;
  for (const std::string& row : split(text, '\n')) {
    ++line;
    const std::string_view content = trim(row);
    if (content.empty() || content.starts_with('#')) continue;
    auto parsed = parse_repository_line(content);
    if (!parsed) return std::move(parsed).error().at({std::string(source), line, 0});
    out.push_back(*std::move(parsed));
  }
  return out;
}

namespace {

/// A key that somebody named and that is none would only show as "not in the keyring".
Result<> check_is_public_key(const TrustedKey& key, const std::string& place) {
  if (key.pem.find(" PRIVATE KEY-----") != std::string::npos)
    return Error::make(ErrorKind::kInvalid, "'{}' is a private key, and whom one trusts is said by public ones", place)
        .hint(fmt::format("its public half is called '{}.pub' as a rule", place));
  if (!crypto::PublicKey::from_pem(key.pem))
    return Error::make(ErrorKind::kInvalid, "'{}' is no public key", place)
        .hint("a key file begins with '-----BEGIN PUBLIC KEY-----'");
  return {};
}

}  // namespace

Result<std::vector<TrustedKey>> read_keyring(const std::vector<std::string>& keyring, const Fetcher& fetcher) {
  std::vector<std::string> places;
  for (const std::string& text : keyring) {
    std::error_code error;
    if (is_address(text) || !std::filesystem::is_directory(text, error)) {
      places.push_back(text);
      continue;
    }
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(text, error))
      if (entry.path().extension() == ".pub") files.push_back(entry.path().string());
    std::sort(files.begin(), files.end());
    places.insert(places.end(), files.begin(), files.end());
  }
  std::vector<TrustedKey> out;
  std::set<std::string> seen;
  for (const std::string& place : places) {
    if (!seen.insert(place).second) continue;
    TrustedKey key{file_name(place), {}};
    key.pem = TRY(fetcher.read(place, kMaxKeyBytes), "{} the key '{}'", is_address(place) ? "fetching" : "reading",
                  safe_place(place));
    const bool named = std::find(keyring.begin(), keyring.end(), place) != keyring.end();
    if (named) TRY(check_is_public_key(key, safe_place(place)));
    out.push_back(std::move(key));
  }
  return out;
}

std::string Repositories::Repository::name() const { return tag.empty() ? safe_place(base) : "@" + tag; }

Result<> Repositories::read_lines(const std::vector<std::string>& lines) {
  const std::set<std::string> sorted(lines.begin(), lines.end());
  for (const std::string& line : sorted) {
    RepositoryLine parsed = TRY(parse_repository_line(line));
    Repository repository;
    repository.tag = std::move(parsed.tag);
    repository.base = std::move(parsed.base);
    const std::string file = fmt::format("{}/{}/{}", repository.base, source_.arch.apk, kIndexFile);
    if (!is_address(file) && !os::exists(file)) {
      env_->events.emit({.kind = EventKind::kNote,
                         .name = "repositories",
                         .detail = fmt::format("no index '{}': taken as empty", file)});
      continue;
    }
    repositories_.push_back(std::move(repository));
  }
  return {};
}

Result<Repositories> Repositories::unopened(RepositorySource source, Env& env) {
  Fetcher fetcher = TRY(Fetcher::make(env, source.reach));
  return Repositories(std::move(source), env, std::move(fetcher));
}

Result<Repositories> Repositories::open(RepositorySource source, Env& env) {
  Repositories out = TRY(unopened(std::move(source), env));
  if (out.source_.signatures == RepositorySource::Signatures::kCheck)
    out.keys_ = TRY(read_keyring(out.source_.keyring, out.fetcher_));
  out.keys_.insert(out.keys_.end(), out.source_.keys.begin(), out.source_.keys.end());
  TRY(out.read_lines(out.source_.repositories));
  auto loaded =
      os::for_each(out.repositories_.size(), kThreads, [&](std::size_t i) { return out.load(out.repositories_[i]); });
  if (!loaded) return std::move(loaded).error();
  return out;
}

/// The index itself; of a repository with a trusted root the one that its metadata names, and no other.
Result<Fetched> Repositories::fetch_index(Repository& repository, const std::string& file) const {
  const std::string target = fmt::format("{}/{}", source_.arch.apk, kIndexFile);
  const auto fresh = TRY(check_freshness(*env_, fetcher_, repository.base, target));
  const std::uint64_t allowed = std::min(kMaxIndexBytes, source_.limits.answer_bytes);
  if (!fresh) return fetcher_.fetch(file, allowed);
  repository.fresh = true;
  const std::uint64_t most = std::min(fresh->size, allowed);
  Fetched out;
  bool found = false;
  if (fresh->consistent) {
    auto named = fetcher_.fetch(
        fmt::format("{}/{}/{}.{}", repository.base, source_.arch.apk, fresh->digest.hex(), kIndexFile), most);
    if (!named && named.error().kind() != ErrorKind::kNotFound) return named;
    found = named.has_value();
    if (found) out = *std::move(named);
  }
  if (!found) out = TRY(fetcher_.fetch(file, most));
  if (out.digest == fresh->digest) return out;
  return Error::make(ErrorKind::kDenied, "the index of '{}' is {}, its metadata names {}", safe_place(repository.base),
                     out.digest.oci(), fresh->digest.oci())
      .hint("a mirror changed it, or it is of another time than the metadata");
}

Result<> Repositories::load(Repository& repository) const {
  const std::string file = fmt::format("{}/{}/{}", repository.base, source_.arch.apk, kIndexFile);
  const Fetched fetched = TRY(fetch_index(repository, file), "{} the index '{}'",
                              is_address(file) ? "fetching" : "reading", safe_place(file));
  repository.digest = fetched.digest;
  std::string question = fetched.digest.hex();
  if (source_.signatures == RepositorySource::Signatures::kCheck)
    for (const TrustedKey& key : keys_) question += fmt::format("\n{} {}", key.name, codec::sha256(key.pem).hex());
  else
    question += "\nnot checked";
  const std::string verdict = codec::sha256(question).hex();
  if (const auto known = TRY(env_->store.state().get(kVerifiedKind, verdict))) {
    auto kept = TRY(find_kept_index(env_->store, fetched.digest));
    const Json json = TRY(codec::parse_json(*known, "a kept verdict"));
    if (kept) {
      repository.index = *std::move(kept);
      repository.signer = json["signer"].as_string();
      repository.description = json["description"].as_string();
      return {};
    }
  }
  const std::string who = safe_place(file);
  const std::string bytes = TRY(fetcher_.bytes_of(fetched, kMaxIndexBytes));
  apk::IndexText index = TRY(apk::unpack_index(bytes, who, source_.limits.index_bytes));
  repository.signer = TRY(verify(repository, bytes, index));
  repository.description = index.description;
  auto kept = TRY(find_kept_index(env_->store, fetched.digest));  // another key, or an edit of ours, had it
  if (kept) repository.index = *std::move(kept);
  else repository.index = TRY(keep_index(env_->store, fetched.digest, index.text, who), "reading the index '{}'", who);
  Json json;
  json.set("signer", repository.signer).set("description", repository.description);
  json.set("index", fetched.digest.hex());
  return env_->store.state().put(kVerifiedKind, verdict, codec::to_json(json));
}

/// The fingerprint of the key that signed. One good signature is enough; one that does not fit a known key is
/// remembered for the message, and outweighs those of strangers.
Result<std::string> Repositories::verify(const Repository& repository, std::string_view bytes,
                                         const apk::IndexText& index) const {
  if (source_.signatures == RepositorySource::Signatures::kIgnore) return std::string();
  const std::string who = safe_place(repository.base);
  if (index.signatures.empty())
    return Error::make(ErrorKind::kDenied, "the index of '{}' is not signed", who)
        .hint("sign it (`melange sign-index`), or say --ignore-signatures");
  const std::string_view covered = bytes.substr(index.signed_from);
  std::string wrong_key;
  std::vector<std::string> signers, names;
  for (const TrustedKey& key : keys_) names.push_back(key.name);
  for (const apk::SignatureFile& signature : index.signatures) {
    signers.push_back(fmt::format("'{}'", signature.key_name));
    if (signature.kind != "RSA" && signature.kind != "RSA256") continue;
    for (const TrustedKey& key : keys_) {
      if (!names_key(signature.key_name, key.name)) continue;
      const crypto::PublicKey parsed = TRY(crypto::PublicKey::from_pem(key.pem), "reading the key '{}'", key.name);
      const auto held = signature.kind == "RSA" ? parsed.verify_sha1(covered, signature.bytes)
                                                : parsed.verify(covered, signature.bytes);
      if (held) return parsed.fingerprint();
      wrong_key = key.name;
    }
  }
  if (!wrong_key.empty())
    return Error::make(ErrorKind::kDenied, "the signature of the index of '{}' does not fit the key '{}'", who,
                       wrong_key)
        .hint("the index was changed after it was signed, or another key of that name signed it");
  return Error::make(ErrorKind::kDenied, "the index of '{}' is signed by {}, which is not in the keyring{}", who,
                     join(signers, ", "), names.empty() ? std::string() : " (" + join(names, ", ") + ")")
      .hint("name the public key that signed it: --key, or --keyring-append for those who come from melange and apko");
}

std::string Repositories::identity() const {
  std::string text = fmt::format("arch {}\n", source_.arch.apk);
  for (const Repository& repository : repositories_)
    text += fmt::format("repository {} {}\n", repository.name(), repository.digest.hex());
  for (const TrustedKey& key : keys_) text += fmt::format("key {} {}\n", key.name, codec::sha256(key.pem).hex());
  text += source_.signatures == RepositorySource::Signatures::kCheck ? "checked\n" : "not checked\n";
  return text;
}

std::string Repositories::place_of(const Wanted& wanted) const {
  const std::string file = fmt::format("{}-{}.apk", wanted.record.name, wanted.record.version);
  const std::string& base = wanted.from->base;
  return fmt::format("{}/{}/{}", base, source_.arch.apk, is_address(base) ? net::url_encode(file) : file);
}

// Who signed is part of what is remembered: another's word is another question.
std::string Repositories::apk_key(const Wanted& wanted) {
  const apk::RecordView& record = wanted.record;
  return codec::sha256(fmt::format("{} {} {} {} {} {}", wanted.from->signer, record.name, record.version, record.arch,
                                   record.checksum, record.size_bytes))
      .hex();
}

Result<std::optional<Sha256>> Repositories::find(const Wanted& wanted) const {
  std::optional<Sha256> out;
  const auto known = TRY(env_->store.state().get(kApkKind, apk_key(wanted)));
  if (!known) return out;
  const Sha256 digest = TRY(parse_sha256(*known));
  if (!env_->store.has(digest)) return out;
  const std::uint64_t size = TRY(env_->store.size(digest));
  if (wanted.record.size_bytes == 0 || size == wanted.record.size_bytes) out = digest;
  return out;
}

Result<Sha256> Repositories::fetch(const Wanted& wanted, const Reader& reader) const {
  const apk::RecordView& record = wanted.record;
  for (const std::string_view part : {record.name, record.version})
    if (part.find('/') != std::string_view::npos || part.starts_with('.'))
      return Error::make(ErrorKind::kInvalid, "the index of '{}' holds the name '{}-{}', which is no file name",
                         wanted.from->name(), record.name, record.version);
  if (const auto known = TRY(find(wanted))) return *known;
  const std::string place = place_of(wanted);
  const auto take = [&](const os::Path& file, const codec::Sink& copy) -> Result<Sha256> {
    apk::ReadLimits limits;
    limits.expected_checksum = record.checksum;
    limits.max_control_bytes = source_.limits.control_bytes;
    limits.max_data_bytes = source_.limits.data_bytes;
    const apk::PackageFile package =
        TRY(reader ? reader(file, copy, limits) : apk::read_package_bytes(file, limits, copy));
    if (package.info.name != record.name || package.info.version != record.version)
      return Error::make(ErrorKind::kDenied, "the package is '{}-{}', the index says '{}-{}'", package.info.name,
                         package.info.version, record.name, record.version);
    if (record.size_bytes != 0 && package.file_size != record.size_bytes)
      return Error::make(ErrorKind::kDenied, "the package has {} bytes, the index says {}", package.file_size,
                         record.size_bytes);
    return package.file_sha256;
  };
  const std::uint64_t allowed = source_.limits.answer_bytes;
  const std::uint64_t most = record.size_bytes > 0 ? std::min(record.size_bytes, allowed) : allowed;
  const Sha256 digest =
      TRY(fetcher_.bring(place, most, take), "taking the package '{}', which its index names", safe_place(place));
  TRY(env_->store.state().put(kApkKind, apk_key(wanted), digest.hex()));
  return digest;
}

Result<std::vector<Sha256>> Repositories::fetch_all(std::span<const Wanted> wanted,
                                                    const std::function<void(std::size_t done)>& on_done) const {
  std::vector<Sha256> out(wanted.size());
  std::atomic<std::size_t> done = 0;
  auto fetched = os::for_each(wanted.size(), kThreads, [&](std::size_t i) -> Result<> {
    if (env_->stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    out[i] = TRY(fetch(wanted[i]));
    const std::size_t now = ++done;
    if (on_done) on_done(now);
    return {};
  });
  if (!fetched) return std::move(fetched).error();
  return out;
}

}  // namespace nacre::index
