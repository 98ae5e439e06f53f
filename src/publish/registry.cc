#include "publish/registry.h"

#include "base/events.h"
#include "base/text.h"
#include "codec/digest.h"
#include "os/threads.h"
#include "publish/session.h"
#include "publish/upload.h"
#include "store/store.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <set>

namespace nacre::publish {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxManifestBytes = 8u << 20;
constexpr std::uint64_t kMaxBlobBytes = std::uint64_t{16} << 30;
constexpr unsigned kUploadsAtOnce = 4, kPullsAtOnce = 4;
constexpr int kMaxResumes = 3;  // of a blob, one after the other without progress
constexpr const char* kPushed = "pushed";
constexpr int kMaxDepth = 4;
constexpr int kMaxPages = 100;  // of a list
constexpr int kMaxManifests = 1'000;  // of one image, in a pull
constexpr const char* kAccept =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

bool is_manifest_type(std::string_view type) {
  return type.find("manifest") != std::string_view::npos || type.find("image.index") != std::string_view::npos;
}

/// A manifest is what its media type says, and one thing only: clients that look at another field must not see another
/// image.
Result<> check_type(const Json& json, std::string_view header, const std::string& name) {
  if (json.find("manifests") != nullptr && (json.find("layers") != nullptr || json.find("config") != nullptr))
    return Error::make(ErrorKind::kInvalid, "'{}' is an index and an image at once", name);
  const std::string& inside = json["mediaType"].as_string();
  const std::string_view outside = trim(header.substr(0, header.find(';')));
  if (inside.empty() || !is_manifest_type(outside) || inside == outside) return {};
  return Error::make(ErrorKind::kInvalid, "'{}' was sent as '{}', and says that it is '{}'", name, outside, inside);
}

Result<Sha256> digest_of(const os::Path& file) {
  codec::Hasher hasher;
  std::ifstream in(file, std::ios::binary);
  std::string buffer(1u << 20, '\0');
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0)
    hasher.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(in.gcount())));
  if (in.bad()) return os::system_error(errno, fmt::format("read '{}'", file.string()));
  return hasher.finish_sha256();
}

/// One manifest on its way to the registry.
struct ManifestPut {
  std::string target;   ///< Tag or digest.
  Sha256 digest;
  std::string media_type;
};

/// Blobs and manifests of an image, told apart by what refers to them.
struct Parts {
  std::vector<Sha256> blobs;
  std::vector<ManifestPut> image;       ///< Children before parents, the index last.
  std::vector<ManifestPut> statements;  ///< In any order; those with a tag of their own under that alone.
};

void add_manifest(std::vector<ManifestPut>& into, const Sha256& digest, std::string media_type) {
  for (const ManifestPut& known : into)
    if (known.digest == digest) return;
  into.push_back({digest.oci(), digest, std::move(media_type)});
}

/// `into`: which of the two lists of `parts` the manifest and those beneath it belong to.
Result<> collect(Parts& parts, std::vector<ManifestPut>& into, const Sha256& digest, store::Store& store, int depth) {
  if (depth > kMaxDepth) return Error::make(ErrorKind::kInvalid, "indexes are nested too deeply");
  const std::string text = TRY(store.read(digest, kMaxManifestBytes));
  const Json json = TRY(codec::parse_json(text, digest.oci()));
  for (const Json& child : json["manifests"].items()) {
    const Sha256 inner = TRY(parse_sha256(child["digest"].as_string()));
    TRY(collect(parts, into, inner, store, depth + 1));
  }
  std::vector<Json> descriptors = json["layers"].items();
  if (json.find("config") != nullptr) descriptors.push_back(json["config"]);
  for (const Json& descriptor : descriptors) {
    const Sha256 blob = TRY(parse_sha256(descriptor["digest"].as_string()));
    if (std::find(parts.blobs.begin(), parts.blobs.end(), blob) == parts.blobs.end()) parts.blobs.push_back(blob);
  }
  std::string type = json["mediaType"].as_string();
  if (type.empty())
    type = json.find("manifests") != nullptr ? "application/vnd.oci.image.index.v1+json"
                                             : "application/vnd.oci.image.manifest.v1+json";
  add_manifest(into, digest, std::move(type));
  return {};
}

class Pusher {
 public:
  explicit Pusher(RegistrySession session) : session_(std::move(session)) {}

  /// Puts a manifest under its digest or a tag; true when the registry took note of its `subject`.
  Result<bool> manifest(const ManifestPut& what, const std::string& text) {
    net::Request put;
    put.method = "PUT";
    put.url = "manifests/" + what.target;
    put.headers.emplace_back("Content-Type", what.media_type);
    put.body = text;
    const net::Response done = TRY(session_.send(std::move(put)));
    TRY(net::expect_success(done, session_.url({})), "putting manifest {}", what.target);
    const std::string& found = done.header("docker-content-digest");
    if (!found.empty() && found != codec::sha256(text).oci())
      return Error::make(ErrorKind::kDenied, "the registry says that manifest {} is {}", what.target, found);
    return !done.header("oci-subject").empty();
  }

  /// The referrers tag of a subject gains `descriptors` (read, change, write): for registries without the referrers
  /// API.
  Result<> fallback_tag(const std::string& subject, const Json& descriptors) {
    const std::string tag = replace_all(subject, ":", "-");
    net::Request get;
    get.url = "manifests/" + tag;
    get.headers.emplace_back("Accept", kAccept);
    get.max_bytes = kMaxManifestBytes;
    const net::Response answer = TRY(session_.send(std::move(get)));
    Json list = Json::array();
    if (answer.status != 404) {  // anything but "there is none" must not make us overwrite what others listed
      TRY(net::expect_success(answer, session_.url({})), "reading the referrers of {}", subject);
      const Json old = TRY(codec::parse_json(answer.body, "referrers of " + subject));
      list = old["manifests"];
    }
    for (const Json& descriptor : descriptors.items()) {
      const auto& items = list.items();
      const bool known = std::any_of(items.begin(), items.end(), [&](const Json& item) {
        return item["digest"].as_string() == descriptor["digest"].as_string();
      });
      if (!known) list.push(descriptor);
    }
    Json index;
    index.set("schemaVersion", 2).set("mediaType", "application/vnd.oci.image.index.v1+json");
    const std::string text = codec::to_json(index.set("manifests", std::move(list)));
    const bool noted = TRY(manifest({tag, {}, "application/vnd.oci.image.index.v1+json"}, text));
    (void)noted;
    return {};
  }

 private:
  RegistrySession session_;
};

void count(Receipt& receipt, Arrival how, std::uint64_t bytes) {
  switch (how) {
    case Arrival::kPresent: ++receipt.blobs_present, receipt.bytes_present += bytes; break;
    case Arrival::kMounted: ++receipt.blobs_mounted, receipt.bytes_mounted += bytes; break;
    case Arrival::kSent: ++receipt.blobs_sent, receipt.bytes_sent += bytes; break;
  }
}

std::vector<std::pair<std::string, std::string>> legacy_tags(const index::SerialImage& image) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [tag, digest] : image.referrers["tags"].members()) out.emplace_back(tag, digest.as_string());
  return out;
}

/// The image, then each statement about it: everything that must be there before a tag points to it.
Result<Parts> parts_of(const index::SerialImage& image, store::Store& store) {
  Parts parts;
  TRY(collect(parts, parts.image, image.index_digest, store, 0));
  for (const auto& [subject, list] : image.referrers.members()) {
    if (subject == "tags") continue;
    for (const Json& descriptor : list.items()) {
      const Sha256 digest = TRY(parse_sha256(descriptor["digest"].as_string()));
      TRY(collect(parts, parts.statements, digest, store, 0));
    }
  }
  for (const auto& [tag, text] : legacy_tags(image)) {
    const Sha256 digest = TRY(parse_sha256(text));
    TRY(collect(parts, parts.statements, digest, store, 0));
    const auto put = std::find_if(parts.statements.begin(), parts.statements.end(),
                                  [&](const ManifestPut& manifest) { return manifest.digest == digest; });
    if (put->target == digest.oci()) put->target = tag;  // a tag puts the manifest under its digest, too
    else parts.statements.push_back({tag, digest, put->media_type});
  }
  return parts;
}

}  // namespace

BlobTurns::Turn BlobTurns::take(const Sha256& digest) {
  std::unique_lock lock(mutex_);
  over_.wait(lock, [&] { return !taken_.contains(digest) || failed_.contains(digest); });
  taken_.insert(digest);
  return Turn(*this, digest);
}

BlobTurns::Turn::~Turn() {
  {
    const std::lock_guard lock(turns_.mutex_);
    turns_.taken_.erase(digest_);
    if (failed_) turns_.failed_.insert(digest_);
  }
  turns_.over_.notify_all();
}

/// What the image that was pushed here last has, when the repository still has its index.
struct Registry::Held {
  std::optional<std::string> last;  ///< Digest of its index, also when that is gone.
  std::set<Sha256> blobs, manifests;
};

Result<Registry::Held> Registry::held() {
  Held out;
  const std::string name = base_.host + "/" + base_.repository;
  out.last = TRY(env_.store.state().get(kPushed, name));
  if (!out.last) return out;
  const auto digest = parse_sha256(*out.last);
  if (!digest || !env_.store.has(*digest)) return out;
  Parts parts;
  if (!collect(parts, parts.image, *digest, env_.store, 0)) return out;  // gc took a part of it
  RegistrySession session(env_, base_, token_);
  net::Request head;
  head.method = "HEAD";
  head.url = "manifests/" + digest->oci();
  head.headers.emplace_back("Accept", kAccept);
  const net::Response answer = TRY(session.send(std::move(head)));
  if (answer.status != 200) return out;
  out.blobs.insert(parts.blobs.begin(), parts.blobs.end());
  for (const ManifestPut& manifest : parts.image) out.manifests.insert(manifest.digest);
  return out;
}

Result<Receipt> Registry::push(const index::SerialImage& image) {
  const Held known = TRY(held());
  Result<Receipt> done = push_beside(image, known);
  const ErrorKind kind = done ? ErrorKind::kUnavailable : done.error().kind();
  const bool refused = kind == ErrorKind::kInvalid || kind == ErrorKind::kNotFound;
  if (refused && !known.manifests.empty()) done = push_beside(image, {});
  if (!done) return done;
  const std::string digest = done->digest.oci();
  if (known.last != digest) TRY(env_.store.state().put(kPushed, done->name, digest));
  return done;
}

Result<Receipt> Registry::push_beside(const index::SerialImage& image, const Held& held) {
  Receipt receipt;
  receipt.name = base_.host + "/" + base_.repository;
  receipt.digest = image.index_digest;
  Task task(env_.events, "push " + receipt.name);
  Pusher pusher(RegistrySession(env_, base_, token_));
  const Parts parts = TRY(parts_of(image, env_.store), "reading image '{}'", image.name);
  // The index comes with its first tag, after all that belongs to it; without tags as the last part of the image.
  const std::size_t untagged = parts.image.size() - (image.tags.empty() ? 0 : 1);
  const std::uint64_t total = parts.blobs.size() + untagged + parts.statements.size() + image.tags.size();
  std::uint64_t done = 0;
  std::mutex mutex;
  BlobUpload upload(env_, base_, token_);
  const auto bring = [&](std::size_t i) -> Result<> {
    const std::uint64_t size = TRY(env_.store.size(parts.blobs[i]));
    Arrival how = Arrival::kPresent;
    if (!held.blobs.contains(parts.blobs[i])) {
      BlobTurns::Turn turn = turns_.take(parts.blobs[i]);
      how = TRY(upload.bring(parts.blobs[i]));
      turn.succeeded();
    }
    const std::lock_guard lock(mutex);
    count(receipt, how, size);
    task.progress(++done, total);
    return {};
  };
  TRY(os::for_each(parts.blobs.size(), kUploadsAtOnce, bring));
  bool noted = false;
  const auto put = [&](const ManifestPut& manifest) -> Result<> {
    const std::string text = TRY(env_.store.read(manifest.digest, kMaxManifestBytes));
    const bool subject_noted = TRY(pusher.manifest(manifest, text));
    const std::lock_guard lock(mutex);
    noted = noted || subject_noted;
    task.progress(++done, total);
    return {};
  };
  for (std::size_t i = 0; i < untagged; ++i)
    if (!held.manifests.contains(parts.image[i].digest)) TRY(put(parts.image[i]));
  TRY(os::for_each(parts.statements.size(), kUploadsAtOnce, [&](std::size_t i) { return put(parts.statements[i]); }));
  receipt.referrers_api = noted;
  for (const auto& [subject, list] : image.referrers.members())
    if (!noted && subject != "tags") TRY(pusher.fallback_tag(subject, list));
  for (const std::string& tag : image.tags) TRY(put({tag, image.index_digest, parts.image.back().media_type}));
  receipt.tags = image.tags;
  task.finish(fmt::format("{} sent, {} mounted, {} there before", human_bytes(receipt.bytes_sent),
                          human_bytes(receipt.bytes_mounted), human_bytes(receipt.bytes_present)));
  return receipt;
}

Result<std::optional<Sha256>> Registry::named(const std::string& tag_or_digest) {
  auto found = manifest(tag_or_digest);
  if (found) return std::optional(found->second);
  if (found.error().kind() == ErrorKind::kNotFound) return std::optional<Sha256>();
  return std::move(found).error();
}

Result<bool> Registry::tag(const Sha256& digest, const std::vector<std::string>& tags) {
  const std::optional<Sha256> there = TRY(named(digest.oci()));
  if (!there) return false;
  const std::string bytes = TRY(env_.store.read(digest, kMaxManifestBytes));
  const Json json = TRY(codec::parse_json(bytes, digest.oci()));
  Pusher pusher(RegistrySession(env_, base_, token_));
  for (const std::string& tag : tags) {
    const bool ignored = TRY(pusher.manifest({tag, digest, json["mediaType"].as_string()}, bytes));
    (void)ignored;
  }
  return true;
}

Result<bool> Registry::untag(const std::string& tag) {
  RegistrySession session(env_, base_, token_);
  net::Request request;
  request.method = "DELETE";
  request.url = "manifests/" + tag;
  const net::Response answer = TRY(session.send(std::move(request)));
  if (answer.status == 404 || (answer.status >= 200 && answer.status < 300)) return true;
  // Many registries know removal by digest only, which takes all tags with it, or have it switched off.
  if (answer.status == 400 || answer.status == 403 || answer.status == 405 || answer.status == 501) return false;
  TRY(net::expect_success(answer, session.url({})), "taking away tag '{}'", tag);
  return false;
}

Result<std::string> Registry::blob(const Sha256& digest, std::uint64_t max_bytes) {
  RegistrySession session(env_, base_, token_);
  net::Request get;
  get.url = "blobs/" + digest.oci();
  get.max_bytes = max_bytes;
  net::Response answer = TRY(session.send(std::move(get)));
  TRY(net::expect_success(answer, session.url({})), "reading blob {}", digest.oci());
  const Sha256 found = codec::sha256(answer.body);
  if (found != digest)
    return Error::make(ErrorKind::kDenied, "'{}' gave {} for blob {}", base_.host, found.oci(), digest.oci());
  return std::move(answer.body);
}

Result<std::pair<std::string, Sha256>> Registry::manifest(const std::string& tag_or_digest) {
  RegistrySession session(env_, base_, token_);
  net::Request get;
  get.url = "manifests/" + tag_or_digest;
  get.headers.emplace_back("Accept", kAccept);
  get.max_bytes = kMaxManifestBytes;
  net::Response answer = TRY(session.send(std::move(get)));
  if (answer.status == 404)
    return Error::make(ErrorKind::kNotFound, "the registry '{}' has no image '{}' with the tag or digest '{}'",
                       base_.host, base_.repository, tag_or_digest);
  TRY(net::expect_success(answer, session.url({})), "reading manifest '{}'", tag_or_digest);
  const Sha256 found = codec::sha256(answer.body);
  if (tag_or_digest.starts_with("sha256:") && found.oci() != tag_or_digest)
    return Error::make(ErrorKind::kDenied, "'{}' gave {} for manifest {}", base_.host, found.oci(), tag_or_digest);
  if (const auto json = codec::parse_json(answer.body, tag_or_digest))
    TRY(check_type(*json, answer.header("content-type"), tag_or_digest));
  return std::pair(std::move(answer.body), found);
}

Result<Json> Registry::referrers(const Sha256& subject) {
  RegistrySession session(env_, base_, token_);
  Json list = Json::array();
  std::string next = "referrers/" + subject.oci();
  for (int page = 0; page < kMaxPages; ++page) {
    net::Request get;
    get.url = next;
    get.max_bytes = kMaxManifestBytes;
    const net::Response answer = TRY(session.send(std::move(get)));
    if (page == 0 && answer.status != 200) break;
    TRY(net::expect_success(answer, session.url({})), "reading the referrers of {}", subject.oci());
    const Json index = TRY(codec::parse_json(answer.body, "referrers"));
    for (const Json& item : index["manifests"].items()) list.push(item);
    next = next_page(answer.header("link"), session.url("/"));
    if (next.empty()) return list;
    if (page + 1 == kMaxPages)
      return Error::make(ErrorKind::kInvalid, "the referrers of {} are more than {} pages", subject.oci(), kMaxPages);
  }
  auto fallback = manifest(replace_all(subject.oci(), ":", "-"));
  if (!fallback && fallback.error().kind() == ErrorKind::kNotFound) return Json::array();
  const auto [text, digest] = TRY(std::move(fallback));
  const Json index = TRY(codec::parse_json(text, "referrers"));
  return Json(index["manifests"]);
}

Result<> Registry::pull_blob(const Json& descriptor) {
  const Sha256 wanted = TRY(parse_sha256(descriptor["digest"].as_string()));
  const std::int64_t size = TRY(descriptor.int_at("size"));
  if (size < 0 || static_cast<std::uint64_t>(size) > kMaxBlobBytes)
    return Error::make(ErrorKind::kInvalid, "blob {} has {} bytes, expected at most {}", wanted.oci(), size,
                       kMaxBlobBytes);
  if (env_.store.has(wanted)) return {};
  const std::string name = "pull-" + wanted.hex();
  const store::Lease alone = TRY(env_.store.lease(name));
  if (env_.store.has(wanted)) return {};
  const os::Path file = env_.store.home() / "partial" / name;
  TRY(os::make_dirs(file.parent_path()));
  RegistrySession session(env_, base_, token_);
  SessionHttp http(session);
  for (int round = 0;; ++round) {
    net::Request get;
    get.url = "blobs/" + wanted.oci();
    get.max_bytes = static_cast<std::uint64_t>(size);
    const net::DownloadRules rules{.max_resumes = kMaxResumes, .pause = {}};
    const net::Response answer = TRY(net::download(http, std::move(get), file, env_.stop, rules),
                                     "reading blob {}", wanted.oci());
    TRY(net::expect_success(answer, session.url({})), "reading blob {}", wanted.oci());
    const Sha256 found = TRY(digest_of(file));
    if (found == wanted) break;
    std::error_code error;
    const std::uint64_t got = std::filesystem::file_size(file, error);
    TRY(os::remove_tree(file));
    if (!answer.pieced || round > 0)
      return Error::make(ErrorKind::kDenied, "'{}' gave {} for blob {}, {} of {} bytes", base_.host, found.oci(),
                         wanted.oci(), error ? 0 : got, size);
  }
  const Sha256 kept = TRY(env_.store.put_file(file, store::Store::Take::kMove));
  (void)kept;
  return {};
}

Result<Sha256> Registry::pull(const std::string& tag_or_digest) {
  int left = kMaxManifests;
  return pull_beneath(tag_or_digest, 0, left);
}

Result<Sha256> Registry::pull_beneath(const std::string& tag_or_digest, int depth, int& left) {
  if (depth > kMaxDepth) return Error::make(ErrorKind::kInvalid, "indexes are nested too deeply");
  if (--left < 0) return Error::make(ErrorKind::kInvalid, "the image has more than {} manifests", kMaxManifests);
  const auto [text, digest] = TRY(manifest(tag_or_digest));
  const Json json = TRY(codec::parse_json(text, tag_or_digest));
  for (const Json& child : json["manifests"].items()) {
    if (!is_manifest_type(child["mediaType"].as_string())) continue;
    const Sha256 inner = TRY(parse_sha256(child["digest"].as_string()), "reading manifest '{}'", tag_or_digest);
    const Sha256 pulled = TRY(pull_beneath(inner.oci(), depth + 1, left));
    (void)pulled;
  }
  std::vector<Json> descriptors = json["layers"].items();
  if (json.find("config") != nullptr) descriptors.push_back(json["config"]);
  const auto take = [&](std::size_t i) { return pull_blob(descriptors[i]); };
  TRY(os::for_each(descriptors.size(), kPullsAtOnce, take), "reading manifest '{}'", tag_or_digest);
  return env_.store.put_bytes(text);
}

}  // namespace nacre::publish
