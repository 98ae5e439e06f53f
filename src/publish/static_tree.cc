#include "publish/static_tree.h"

#include "base/events.h"
#include "codec/json.h"
#include "publish/layout.h"
#include "store/store.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace nacre::publish {
namespace {

using codec::Json;
using index::SerialImage;

constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";
constexpr std::uint64_t kMaxManifestBytes = 8u << 20;

constexpr std::string_view kNginx = R"(# A registry for reading, out of plain files. Put it into nginx's `http` block;
# `root` is the directory that holds `v2`. For the world, add `listen 443 ssl` and a certificate.
server {
  listen 127.0.0.1:8485;
  root @ROOT@;
  sendfile on;
  tcp_nopush on;
  types {
    application/vnd.oci.image.index.v1+json index;
    application/vnd.oci.image.manifest.v1+json manifest;
  }
  default_type application/octet-stream;
  location = /v2/ { default_type application/json; return 200 "{}"; }
  location ~ ^/v2/.+/manifests/[^/]+$ { try_files $uri.index $uri.manifest =404; }
  location ~ ^/v2/.+/blobs/[^/]+$ {
    add_header Cache-Control "public, max-age=31536000, immutable";
    try_files $uri =404;
  }
  location ~ ^/v2/.+/referrers/[^/]+$ { default_type application/vnd.oci.image.index.v1+json; try_files $uri =404; }
  location ~ ^/v2/.+/tags/list$ { default_type application/json; try_files $uri =404; }
}
)";

/// Leaves a file alone that has the text already: servers and copies see no change.
Result<> write_changed(const os::Path& path, const std::string& text) {
  const auto there = os::read_file(path);
  return there && *there == text ? Result<>() : os::write_file(path, text);
}

/// The tree of one image, and what an object store has to know of each file.
class Tree {
 public:
  Tree(const os::Path& folder, std::string name, store::Store& store)
      : folder_(folder), name_(std::move(name)), store_(store) {}

  /// `serial` 0: the image is of another serial than the rest, since a channel pins it.
  Result<> write(const SerialImage& image, std::uint64_t serial) {
    for (const char* part : {"blobs", "manifests", "tags", "referrers"}) TRY(os::make_dirs(at(part)));
    for (const Sha256& blob : image.blobs) TRY(add_blob(blob));
    TRY(add_referrers(image.referrers));
    std::map<std::string, Sha256> tags;
    for (const auto& [tag, digest] : image.referrers["tags"].members())
      tags.insert_or_assign(tag, TRY(parse_sha256(digest.as_string())));
    for (const std::string& tag : image.tags) tags.insert_or_assign(tag, image.index_digest);
    if (serial > 0) tags.insert_or_assign(fmt::format("serial-{}", serial), image.index_digest);
    for (const auto& [tag, digest] : tags) TRY(add_manifest(digest, tag));
    return list_tags();
  }

  std::string take_objects() { return std::move(objects_); }

 private:
  os::Path at(std::string_view part) const { return folder_ / "v2" / name_ / part; }

  void object(const std::string& key, const std::string& file, std::string_view type) {
    objects_ += fmt::format("v2/{0}/{1}\tv2/{0}/{2}\t{3}\n", name_, key, file, type);
  }

  Result<> add_blob(const Sha256& digest) {
    TRY(place_blob(store_, digest, at("blobs") / digest.oci()));
    object("blobs/" + digest.oci(), "blobs/" + digest.oci(), "application/octet-stream");
    const std::uint64_t size = TRY(store_.size(digest));
    return size <= kMaxManifestBytes ? add_manifest(digest, digest.oci()) : Result<>();
  }

  /// Does nothing for a blob that is no manifest.
  Result<> add_manifest(const Sha256& digest, const std::string& reference) {
    const std::string text = TRY(store_.read(digest));
    if (!text.starts_with('{')) return {};
    const auto json = codec::parse_json(text, digest.oci());
    const std::string type = json ? (*json)["mediaType"].as_string() : std::string();
    if (!json || (*json)["schemaVersion"].as_int(0) != 2 || type.empty()) return {};
    const std::string file = fmt::format("manifests/{}.{}", reference, type == kIndexType ? "index" : "manifest");
    object("manifests/" + reference, file, type);
    return write_changed(folder_ / "v2" / name_ / file, text);
  }

  Result<> add_referrers(const Json& referrers) {
    for (const auto& [subject, list] : referrers.members()) {
      if (subject == "tags") continue;
      Json out;
      out.set("schemaVersion", 2).set("mediaType", kIndexType).set("manifests", list);
      object("referrers/" + subject, "referrers/" + subject, kIndexType);
      TRY(write_changed(at("referrers") / subject, codec::to_json(out)));
    }
    return {};
  }

  /// All tags that the directory has, those of serials written before included.
  Result<> list_tags() {
    std::vector<std::string> names;
    const std::vector<os::TreeEntry> files = TRY(os::walk_tree(at("manifests")));
    for (const os::TreeEntry& entry : files)
      if (const std::string file = entry.path.str(); !file.starts_with("sha256:"))
        names.push_back(file.substr(0, file.rfind('.')));
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    Json out;
    out.set("name", name_).set("tags", Json::strings(names));
    object("tags/list", "tags/list", "application/json");
    return write_changed(at("tags") / "list", codec::to_json(out));
  }

  const os::Path& folder_;
  const std::string name_;
  store::Store& store_;
  std::string objects_;
};

}  // namespace

Result<> write_static_tree(const os::Path& folder, const index::Serial& serial, const std::vector<SerialImage>& images,
                           Env& env) {
  Task task(env.events, "static tree");
  std::string objects = "v2/\tv2/version.json\tapplication/json\n";  // what says that this is a registry
  TRY(os::make_dirs(folder / "v2"));
  TRY(write_changed(folder / "v2/version.json", "{}"));
  for (const SerialImage& image : images) {
    Tree tree(folder, fmt::format("{}/{}", registry_space(serial.edition), image.name), env.store);
    const bool own = std::any_of(serial.images.begin(), serial.images.end(), [&](const SerialImage& one) {
      return one.name == image.name && one.index_digest == image.index_digest;
    });
    TRY(tree.write(image, own ? serial.number : 0), "writing image {}", image.name);
    objects += tree.take_objects();
  }
  TRY(os::write_file(folder / "objects.tsv", objects));
  std::string nginx(kNginx);
  const std::size_t mark = nginx.find("@ROOT@");
  nginx.replace(mark, 6, std::filesystem::absolute(folder).string());
  TRY(os::write_file(folder / "nginx.conf", nginx));
  task.finish(fmt::format("{} images", images.size()));
  return {};
}

}  // namespace nacre::publish
