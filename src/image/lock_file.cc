#include "image/lock_file.h"

#include "base/encoding.h"
#include "base/number.h"
#include "codec/digest.h"
#include "codec/json.h"

namespace nacre::image {
namespace {

using codec::Json;

constexpr std::string_view kVersion = "v1";

Result<std::uint64_t> number(std::string_view text) {
  const auto out = whole_number<std::uint64_t>(text);
  if (!out) return Error::make(ErrorKind::kInvalid, "'{}' is no number of bytes", text);
  return *out;
}

Result<> check_digest(std::string_view text, std::string_view prefix, std::size_t bytes) {
  const auto raw = text.starts_with(prefix) ? from_base64(text.substr(prefix.size())) : from_base64("?");
  if (raw && raw->size() == bytes) return {};
  return Error::make(ErrorKind::kInvalid, "'{}' is no digest of the form '{}…'", text, prefix);
}

Result<LockedRange> parse_range(const Json& json, std::string_view hash, std::size_t bytes) {
  LockedRange out;
  std::string_view range = json["range"].as_string();
  out.checksum = json["checksum"].as_string();
  if (range.empty() && out.checksum.empty()) return out;
  constexpr std::string_view kPrefix = "bytes=";
  const std::size_t dash = range.find('-');
  if (!range.starts_with(kPrefix) || dash == std::string_view::npos)
    return Error::make(ErrorKind::kInvalid, "'{}' is no range of the form 'bytes=0-99'", range);
  out.first = TRY(number(range.substr(kPrefix.size(), dash - kPrefix.size())));
  out.last = TRY(number(range.substr(dash + 1)));
  if (out.last < out.first) return Error::make(ErrorKind::kInvalid, "the range '{}' ends before it begins", range);
  TRY(check_digest(out.checksum, hash, bytes));
  return out;
}

Result<LockedPackage> parse_package(const Json& json) {
  LockedPackage out;
  out.name = TRY(json.string_at("name"));
  out.url = TRY(json.string_at("url"), "reading package '{}'", out.name);
  out.version = TRY(json.string_at("version"), "reading package '{}'", out.name);
  out.arch = TRY(json.string_at("architecture"), "reading package '{}'", out.name);
  out.checksum = json["checksum"].as_string();
  if (out.checksum.empty())
    return Error::make(ErrorKind::kInvalid, "package '{}' has no checksum", out.name)
        .hint("the lock is older than apko 0.13: make it again");
  TRY(check_digest(out.checksum, "Q1", 20), "reading package '{}'", out.name);
  out.signature = TRY(parse_range(json["signature"], "sha1-", 20), "reading package '{}'", out.name);
  out.control = TRY(parse_range(json["control"], "sha1-", 20), "reading package '{}'", out.name);
  out.data = TRY(parse_range(json["data"], "sha256-", 32), "reading package '{}'", out.name);
  const std::uint64_t control_begins = out.signature.empty() ? 0 : out.signature.last + 1;
  const bool follow = !out.control.empty() && !out.data.empty() && out.signature.first == 0 &&
                      out.control.first == control_begins && out.data.first == out.control.last + 1;
  if (!follow)
    return Error::make(ErrorKind::kInvalid, "the ranges of package '{}' do not follow each other", out.name);
  if (out.checksum.substr(2) != out.control.checksum.substr(5))
    return Error::make(ErrorKind::kInvalid, "package '{}' has two digests of its control segment", out.name);
  out.sha256 = json["nacre"]["sha256"].as_string();
  return out;
}

std::vector<LockedRepository> parse_repositories(const Json& json) {
  std::vector<LockedRepository> out;
  for (const Json& row : json.items())
    out.push_back({row["name"].as_string(), row["url"].as_string(), row["architecture"].as_string()});
  return out;
}

Json to_json(const std::vector<LockedRepository>& repositories) {
  Json out = Json::array();
  for (const LockedRepository& row : repositories)
    out.push(Json::object({{"name", row.name}, {"url", row.url}, {"architecture", row.arch}}));
  return out;
}

Json to_json(const LockedRange& range) {
  const std::string text = range.empty() ? "" : fmt::format("bytes={}-{}", range.first, range.last);
  return Json::object({{"range", text}, {"checksum", range.checksum}});
}

/// Digest of a lock without its own digest, whatever blanks stand in it.
std::string digest_of(const Json& lock) {
  Json bare = Json::object();
  for (const auto& [key, value] : lock.members()) {
    if (key != "nacre") {
      bare.set(key, value);
      continue;
    }
    Json own = Json::object();
    for (const auto& [name, inner] : value.members())
      if (name != "sha256") own.set(name, inner);
    bare.set(key, std::move(own));
  }
  return codec::sha256(codec::to_canonical_json(bare)).hex();
}

}  // namespace

Result<LockFile> parse_lock_file(std::string_view text, std::string_view source) {
  const Json json = TRY(codec::parse_json(text, source));
  const std::string& version = json["version"].as_string();
  if (!json.is_object() || version != kVersion)
    return Error::make(ErrorKind::kInvalid, "'{}' is no lock file of version {}, found '{}'", source, kVersion,
                       version);
  if (const Json* own = json.find("nacre"); own != nullptr && (*own)["sha256"].as_string() != digest_of(json))
    return Error::make(ErrorKind::kDenied, "the lock '{}' was changed after it was written", source)
        .hint("take it from where it was kept, or make it again");
  LockFile out;
  out.config_name = json["config"]["name"].as_string();
  out.config_checksum = json["config"]["checksum"].as_string();
  const Json& contents = json["contents"];
  for (const Json& row : contents["keyring"].items())
    out.keyring.push_back({row["name"].as_string(), row["url"].as_string(), row["content"].as_string()});
  out.build_repositories = parse_repositories(contents["build_repositories"]);
  out.runtime_repositories = parse_repositories(contents["runtime_repositories"]);
  out.repositories = parse_repositories(contents["repositories"]);
  for (const Json& row : contents["packages"].items()) {
    LockedPackage package = TRY(parse_package(row), "reading the lock file '{}'", source);
    out.packages.push_back(std::move(package));
  }
  const Json& own = json["nacre"];
  out.tool = own["tool"].as_string();
  for (const Json& row : own["indexes"].items())
    out.indexes.push_back({row["url"].as_string(), row["sha256"].as_string(), row["description"].as_string(),
                           row["key"].as_string()});
  for (const Json& row : own["bases"].items())
    out.bases.push_back({row["architecture"].as_string(), row["manifest"].as_string(), row["apkindex"].as_string()});
  return out;
}

std::string write_lock_file(const LockFile& lock) {
  Json out = Json::object({{"version", kVersion}});
  Json config = Json::object();
  if (!lock.config_name.empty()) config.set("name", lock.config_name);
  if (!lock.config_checksum.empty()) config.set("checksum", lock.config_checksum);
  Json keyring = Json::array(), packages = Json::array();
  for (const LockedKey& key : lock.keyring) {
    Json row = Json::object({{"name", key.name}, {"url", key.url}});
    if (!key.content.empty()) row.set("content", key.content);
    keyring.push(std::move(row));
  }
  for (const LockedPackage& package : lock.packages) {
    Json row = Json::object({{"name", package.name},
                             {"url", package.url},
                             {"version", package.version},
                             {"architecture", package.arch},
                             {"signature", to_json(package.signature)},
                             {"control", to_json(package.control)},
                             {"data", to_json(package.data)},
                             {"checksum", package.checksum}});
    if (!package.sha256.empty()) row.set("nacre", Json::object({{"sha256", package.sha256}}));
    packages.push(std::move(row));
  }
  Json contents = Json::object({{"keyring", std::move(keyring)},
                                {"build_repositories", to_json(lock.build_repositories)},
                                {"runtime_repositories", to_json(lock.runtime_repositories)},
                                {"repositories", to_json(lock.repositories)},
                                {"packages", std::move(packages)}});
  out.set("config", std::move(config)).set("contents", std::move(contents));
  if (lock.closed()) {
    Json indexes = Json::array();
    for (const LockedIndex& index : lock.indexes)
      indexes.push(Json::object(
          {{"url", index.url}, {"sha256", index.sha256}, {"description", index.description}, {"key", index.key}}));
    Json own = Json::object({{"tool", lock.tool}, {"indexes", std::move(indexes)}}), bases = Json::array();
    for (const LockedBase& base : lock.bases)
      bases.push(
          Json::object({{"architecture", base.arch}, {"manifest", base.manifest}, {"apkindex", base.database}}));
    if (!lock.bases.empty()) own.set("bases", std::move(bases));
    out.set("nacre", own);
    out.set("nacre", own.set("sha256", digest_of(out)));
  }
  return codec::to_pretty_json(out, 2, codec::EscapeHtml::kYes);
}

}  // namespace nacre::image
