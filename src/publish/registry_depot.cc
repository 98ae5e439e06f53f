#include "publish/registry_depot.h"

#include "base/text.h"
#include "codec/digest.h"
#include "net/url.h"
#include "os/clock.h"
#include "os/rfc3339.h"
#include "publish/upload.h"

#include <filesystem>
#include <utility>

namespace nacre::publish {
namespace {

using codec::Json;

constexpr std::string_view kScheme = "oci://";
constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kEmptyType = "application/vnd.oci.empty.v1+json";
constexpr const char* kBlobType = "application/vnd.nacre.blob.v1";
constexpr const char* kTextType = "application/vnd.nacre.text.v1";
constexpr const char* kCreated = "org.opencontainers.image.created";
constexpr const char* kText = "dev.nacre.text";
constexpr std::string_view kEmpty = "{}";
constexpr std::string_view kBlobTag = "blob-", kTextTag = "text-";
constexpr std::uint64_t kMaxBlobBytes = std::uint64_t{16} << 30;
constexpr std::uint64_t kMaxManifestBytes = 1u << 20, kMaxPageBytes = 16u << 20;
constexpr int kMaxPages = 100'000;
constexpr double kPauseSeconds = 0.5;

std::string tag_of(const Sha256& digest) { return std::string(kBlobTag) + digest.hex(); }

Json descriptor(const char* type, const Sha256& digest, std::uint64_t size) {
  return Json().set("mediaType", type).set("digest", digest.oci()).set("size", size);
}

Json empty_descriptor() { return descriptor(kEmptyType, codec::sha256(kEmpty), kEmpty.size()); }

Json manifest_of(const char* artifact_type, Json layer, Json annotations) {
  Json out, layers = Json::array();
  out.set("schemaVersion", 2).set("mediaType", kManifestType).set("artifactType", artifact_type);
  out.set("config", empty_descriptor()).set("layers", layers.push(std::move(layer)));
  return out.set("annotations", std::move(annotations));
}

Result<Json> read_manifest(std::string_view text, std::string_view artifact_type) {
  Json json = TRY(codec::parse_json(text, "manifest"));
  if (json["artifactType"].as_string() != artifact_type)
    return Error::make(ErrorKind::kInvalid, "the manifest is of type '{}', expected '{}'",
                       json["artifactType"].as_string().substr(0, 100), artifact_type);
  return json;
}

}  // namespace

Result<KeptBlob> read_kept_blob(std::string_view manifest) {
  const Json json = TRY(read_manifest(manifest, kBlobType));
  const std::vector<Json>& layers = json["layers"].items();
  if (layers.size() != 1)
    return Error::make(ErrorKind::kInvalid, "the manifest has {} layers, expected one", layers.size());
  KeptBlob out;
  out.digest = TRY(parse_sha256(layers[0]["digest"].as_string()));
  const std::int64_t size = TRY(layers[0].int_at("size"));
  if (size < 0 || static_cast<std::uint64_t>(size) > kMaxBlobBytes)
    return Error::make(ErrorKind::kInvalid, "the manifest's blob has {} bytes", size);
  out.size = static_cast<std::uint64_t>(size);
  out.kept = os::parse_rfc3339(json["annotations"][kCreated].as_string()).value_or(0);
  return out;
}

Result<std::string> read_kept_text(std::string_view manifest) {
  const Json json = TRY(read_manifest(manifest, kTextType));
  return json["annotations"].string_at(kText);
}

Result<std::unique_ptr<RegistryDepot>> RegistryDepot::open(const std::string& place, Wire wire, os::Clock& clock) {
  const auto fault = [&](std::string_view why) {
    return Error::make(ErrorKind::kInvalid, "'{}' names no place for blobs: {}", place, why)
        .hint("write oci://HOST/REPOSITORY, or s3://BUCKET/PREFIX");
  };
  if (!place.starts_with(kScheme)) return fault("it begins with neither oci:// nor s3://");
  Reference base = TRY(parse_reference(place.substr(kScheme.size())), "reading '{}'", place);
  if (base.host.empty()) return fault("it has no registry's host");
  if (!base.tag.empty() && place.ends_with(":" + base.tag)) return fault("a tag is not part of a repository's name");
  if (!base.digest.empty()) return fault("a digest is not part of a repository's name");
  return std::unique_ptr<RegistryDepot>(new RegistryDepot(place, std::move(base), std::move(wire), clock));
}

Result<std::optional<std::string>> RegistryDepot::manifest(const std::string& tag) {
  std::optional<std::string> out;
  RegistrySession session = this->session();
  net::Request get;
  get.url = "manifests/" + tag;
  get.headers.emplace_back("Accept", kManifestType);
  get.max_bytes = kMaxManifestBytes;
  net::Response answer = TRY(session.send(std::move(get)), "asking {} for '{}'", place_, tag);
  if (answer.status == 404) return out;
  TRY(net::expect_success(answer, session.url("manifests/" + tag)), "asking {} for '{}'", place_, tag);
  out = std::move(answer.body);
  return out;
}

Result<> RegistryDepot::put_manifest(const std::string& tag, const std::string& text) {
  RegistrySession session = this->session();
  net::Request put;
  put.method = "PUT";
  put.url = "manifests/" + tag;
  put.headers.emplace_back("Content-Type", kManifestType);
  put.body = text;
  const net::Response answer = TRY(session.send(std::move(put)), "putting '{}' into {}", tag, place_);
  return net::expect_success(answer, session.url("manifests/" + tag));
}

Result<> RegistryDepot::upload(const Sha256& digest, net::Request put) {
  RegistrySession session = this->session();
  net::Request start;
  start.method = "POST";
  start.url = "blobs/uploads/";
  const net::Response opened = TRY(session.send(std::move(start)));
  const std::string location = TRY(place_of_upload(opened, session));
  return end_upload(session, std::move(put), digest, location);
}

Result<> RegistryDepot::upload_empty() {
  const std::lock_guard lock(empty_mutex_);
  if (has_empty_) return {};
  RegistrySession session = this->session();
  net::Request head;
  head.method = "HEAD";
  head.url = "blobs/" + codec::sha256(kEmpty).oci();
  const net::Response there = TRY(session.send(std::move(head)), "asking {} for the empty configuration", place_);
  has_empty_ = there.status == 200;
  if (has_empty_) return {};
  net::Request put;
  put.body = kEmpty;
  TRY(upload(codec::sha256(kEmpty), std::move(put)), "putting the empty configuration into {}", place_);
  has_empty_ = true;
  return {};
}

Result<std::optional<std::uint64_t>> RegistryDepot::size(const Sha256& digest) {
  std::optional<std::uint64_t> out;
  const std::optional<std::string> text = TRY(manifest(tag_of(digest)));
  if (!text) return out;
  const KeptBlob kept = TRY(read_kept_blob(*text), "reading '{}' of {}", tag_of(digest), place_);
  if (kept.digest != digest)
    return Error::make(ErrorKind::kInvalid, "'{}' of {} holds blob {}", tag_of(digest), place_, kept.digest.oci());
  out = kept.size;
  return out;
}

Result<> RegistryDepot::put(const Sha256& digest, const os::Path& file) {
  std::error_code failed;
  const std::uintmax_t bytes = std::filesystem::file_size(file, failed);
  if (failed) return os::system_error(failed.value(), fmt::format("read '{}'", file.string()));
  if (bytes > kMaxBlobBytes)
    return Error::make(ErrorKind::kInvalid, "blob {} has {}: more than {} cannot be kept in {}", digest.oci(),
                       human_bytes(bytes), human_bytes(kMaxBlobBytes), place_);
  auto brought = bring(digest, file, bytes);
  // Another machine that brought the same at the same moment, or a collector between our requests: once more.
  if (!brought && brought.error().kind() == ErrorKind::kInvalid) {
    {
      const std::lock_guard lock(empty_mutex_);
      has_empty_ = false;
    }
    clock_.sleep(kPauseSeconds);
    brought = bring(digest, file, bytes);
  }
  return brought;
}

Result<> RegistryDepot::bring(const Sha256& digest, const os::Path& file, std::uint64_t bytes) {
  TRY(upload_empty());
  net::Request put;
  if (bytes > 0) put.body_file = file;
  TRY(upload(digest, std::move(put)), "putting blob {} into {}", digest.oci(), place_);
  const Json manifest = manifest_of(kBlobType, descriptor("application/octet-stream", digest, bytes),
                                    Json().set(kCreated, os::rfc3339(clock_.now_seconds())));
  return put_manifest(tag_of(digest), codec::to_json(manifest));
}

Result<bool> RegistryDepot::get(const Sha256& digest, const os::Path& file) {
  RegistrySession session = this->session();
  SessionHttp http(session);
  net::Request get;
  get.url = "blobs/" + digest.oci();
  get.max_bytes = kMaxBlobBytes;
  const net::Response answer = TRY(net::download(http, std::move(get), file, wire_.stop), "getting blob {} from {}",
                                   digest.oci(), place_);
  if (answer.status == 404) return false;
  TRY(net::expect_success(answer, session.url("blobs/" + digest.oci())), "getting blob {} from {}", digest.oci(),
      place_);
  return true;
}

Result<> RegistryDepot::remove(const Sha256& digest) {
  const std::string tag = tag_of(digest);
  const std::optional<std::string> text = TRY(manifest(tag));
  if (!text) return {};
  RegistrySession session = this->session();
  net::Request request;
  request.method = "DELETE";
  request.url = "manifests/" + codec::sha256(*text).oci();
  const net::Response answer = TRY(session.send(std::move(request)), "removing '{}' from {}", tag, place_);
  if (answer.status == 404) return {};
  if (answer.status == 405)
    return Error::make(ErrorKind::kDenied, "{} does not let anything be removed", place_)
        .hint("switch removal on in the registry (docker-registry: storage.delete.enabled), or leave `nacre gc` to "
              "homes with a bucket");
  return net::expect_success(answer, session.url("manifests/" + tag));
}

Result<> RegistryDepot::for_each(const std::function<Result<>(const Blob&)>& see) {
  RegistrySession session = this->session();
  std::string next = "tags/list?n=1000";
  for (int page = 0; page < kMaxPages && !next.empty(); ++page) {
    net::Request get;
    get.url = next;
    get.max_bytes = kMaxPageBytes;
    const net::Response answer = TRY(session.send(std::move(get)), "listing {}", place_);
    if (answer.status == 404) return {};
    TRY(net::expect_success(answer, session.url(next)), "listing {}", place_);
    const Json json = TRY(codec::parse_json(answer.body, "list of tags"), "listing {}", place_);
    for (const Json& item : json["tags"].items()) {
      const std::string& tag = item.as_string();
      if (!tag.starts_with(kBlobTag)) continue;
      const std::optional<std::string> text = TRY(manifest(tag));
      if (!text) continue;
      const KeptBlob kept = TRY(read_kept_blob(*text), "reading '{}' of {}", tag, place_);
      if (tag == tag_of(kept.digest)) TRY(see({kept.digest, kept.size, kept.kept}));
    }
    const std::string after = next_page(answer.header("link"), session.url("/"));
    if (after == next) break;
    next = after;
  }
  return {};
}

Result<std::optional<std::string>> RegistryDepot::read_text(const std::string& name) {
  std::optional<std::string> out;
  const std::optional<std::string> text = TRY(manifest(std::string(kTextTag) + name));
  if (text) out = TRY(read_kept_text(*text), "reading '{}' of {}", name, place_);
  return out;
}

Result<> RegistryDepot::write_text(const std::string& name, const std::string& text) {
  TRY(upload_empty());
  const Json manifest = manifest_of(kTextType, empty_descriptor(), Json().set(kText, text));
  return put_manifest(std::string(kTextTag) + name, codec::to_json(manifest));
}

}  // namespace nacre::publish
