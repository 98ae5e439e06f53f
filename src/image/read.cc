#include "image/read.h"

#include "base/text.h"
#include "codec/archive.h"
#include "codec/digest.h"
#include "image/contents.h"
#include "image/database.h"
#include "image/oci.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::image {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxDocument = 8u << 20;
constexpr std::size_t kMaxLayers = 500;
constexpr std::uint64_t kMaxLayerBytes = std::uint64_t{64} << 30;
constexpr std::uint64_t kMaxDatabase = std::uint64_t{512} << 20;

enum class Packing { kPlain, kGzip, kZstd };

Result<Packing> packing_of(const std::string& media_type) {
  if (media_type.ends_with("tar+gzip") || media_type.ends_with("tar.gzip")) return Packing::kGzip;
  if (media_type.ends_with("tar+zstd") || media_type.ends_with("tar.zstd")) return Packing::kZstd;
  if (media_type.ends_with(".tar")) return Packing::kPlain;
  return Error::make(ErrorKind::kInvalid,
                     "layers of type '{}' are not supported; nacre reads tar, tar+gzip and tar+zstd", media_type);
}

/// A frame, or one to skip (RFC 8878, 3.1).
bool begins_zstd(std::string_view bytes) {
  if (bytes == "\x28\xb5\x2f\xfd") return true;
  return bytes.size() == 4 && (bytes[0] & 0xf0) == 0x50 && bytes.substr(1) == "\x2a\x4d\x18";
}

Result<std::vector<Sha256>> read_diff_ids(const Descriptor& config, Env& env) {
  const Json json = TRY(read_document(config.digest, env), "reading the image's config");
  std::vector<Sha256> out;
  for (const std::string& text : json["rootfs"]["diff_ids"].as_strings()) {
    const Sha256 digest = TRY(parse_sha256(text), "reading the diff IDs of the image's config");
    out.push_back(digest);
  }
  return out;
}

std::string platform_of(const Json& descriptor) {
  const Json& platform = descriptor["platform"];
  const std::string& variant = platform["variant"].as_string();
  return platform["os"].as_string() + "/" + platform["architecture"].as_string() +
         (variant.empty() ? "" : "/" + variant);
}

}  // namespace

bool is_variant_of(const Arch& arch, std::string_view variant) {
  return variant.empty() || variant == arch.oci_variant || (arch.oci == "arm64" && variant == "v8");
}

Result<Json> read_document(const Sha256& digest, Env& env) {
  const std::string text = TRY(env.store.read(digest, kMaxDocument));
  if (codec::sha256(text) != digest)
    return Error::make(ErrorKind::kDenied, "blob {} does not hold what its name says", digest.oci());
  Json json = TRY(codec::parse_json(text, digest.oci()));
  if (!json.is_object()) return Error::make(ErrorKind::kInvalid, "blob {} is no JSON object", digest.oci());
  return json;
}

Result<Descriptor> read_descriptor(const Json& json) {
  Descriptor out;
  out.media_type = TRY(json.string_at("mediaType"));
  const std::string digest = TRY(json.string_at("digest"));
  out.digest = TRY(parse_sha256(digest));
  const std::int64_t size = TRY(json.int_at("size"));
  if (size < 0) return Error::make(ErrorKind::kInvalid, "blob {} has the size {}", digest, size);
  out.size = static_cast<std::uint64_t>(size);
  return out;
}

Result<ImageParts> read_parts(const Sha256& manifest, Env& env) {
  const Json json = TRY(read_document(manifest, env), "reading image manifest {}", manifest.oci());
  if (!json["layers"].is_array() || !json["config"].is_object())
    return Error::make(ErrorKind::kInvalid, "blob {} is no image manifest: it has no config and layers",
                       manifest.oci());
  ImageParts out;
  if (json["layers"].items().size() > kMaxLayers)
    return Error::make(ErrorKind::kInvalid, "image {} has {} layers, more than {}", manifest.oci(),
                       json["layers"].items().size(), kMaxLayers);
  for (const Json& item : json["layers"].items()) {
    Descriptor layer = TRY(read_descriptor(item), "reading image manifest {}", manifest.oci());
    TRY(packing_of(layer.media_type), "reading image manifest {}", manifest.oci());
    out.layers.push_back(std::move(layer));
  }
  const Descriptor config = TRY(read_descriptor(json["config"]), "reading image manifest {}", manifest.oci());
  out.diff_ids = TRY(read_diff_ids(config, env), "reading image manifest {}", manifest.oci());
  if (out.diff_ids.size() != out.layers.size())
    return Error::make(ErrorKind::kInvalid, "image {} has {} layers, and its config has {} diff IDs",
                       manifest.oci(), out.layers.size(), out.diff_ids.size());
  return out;
}

Result<> read_layer(const ImageParts& parts, std::size_t layer, Check check,
                    codec::TarReader::Visitor visitor, Env& env) {
  const Descriptor& blob = parts.layers[layer];
  const Packing packing = TRY(packing_of(blob.media_type));
  const bool checked = check == Check::kYes;
  codec::Hasher packed, plain;
  codec::TarReader tar(std::move(visitor));
  const auto on_plain = [&](std::string_view bytes) -> Result<> {
    if (checked) plain.update(bytes);
    return tar.push(bytes);
  };
  codec::GzipReader gzip({on_plain, nullptr}, kMaxLayerBytes);
  const std::uint64_t size = TRY(env.store.size(blob.digest));
  if (size != blob.size)
    return Error::make(ErrorKind::kDenied, "layer {} has {} bytes, and the manifest says {}",
                       blob.digest.oci(), size, blob.size);
  const os::Path file = TRY(env.store.local(blob.digest));
  std::string begin;
  // Of zstd that nobody checks only the beginning is looked at here.
  const std::uint64_t looked_at = packing == Packing::kZstd && !checked ? std::min<std::uint64_t>(size, 4) : size;
  TRY(read_range(file, 0, looked_at, [&](std::string_view bytes) -> Result<> {
    if (begin.size() < 4) begin += bytes.substr(0, 4 - begin.size());
    if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (checked) packed.update(bytes);
    switch (packing) {
      case Packing::kPlain: return on_plain(bytes);
      case Packing::kGzip: return gzip.push(bytes);
      case Packing::kZstd: return {};  // unpacked below, once its digest is known
    }
    return {};
  }));
  if (packing == Packing::kGzip) TRY(gzip.finish());
  if (checked && packed.finish_sha256() != blob.digest)
    return Error::make(ErrorKind::kDenied, "layer {} does not hold what its name says", blob.digest.oci());
  if (packing == Packing::kZstd) {
    if (!begins_zstd(begin))
      return Error::make(ErrorKind::kInvalid, "layer {} is of type '{}' and no zstd", blob.digest.oci(),
                         blob.media_type);
    TRY(codec::read_compressed_file(file, kMaxLayerBytes, [&](std::string_view bytes) -> Result<> {
      if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
      return on_plain(bytes);
    }));
  }
  TRY(tar.finish());
  if (!checked) return {};
  if (plain.finish_sha256() != parts.diff_ids[layer])
    return Error::make(ErrorKind::kDenied, "layer {} inflates to other bytes than its diff ID {} says",
                       blob.digest.oci(), parts.diff_ids[layer].oci());
  return {};
}

Result<FileMap> read_file_map(const ImageParts& parts, Env& env) {
  FileMap files;
  for (std::size_t i = 0; i < parts.layers.size(); ++i) {
    files.begin_layer();
    TRY(read_layer(parts, i, Check::kYes,
                   {[&](const codec::TarHeader& header) { return files.add(header); }, nullptr}, env),
        "reading layer {}", parts.layers[i].digest.oci());
  }
  return files;
}

Result<std::string> read_image_file(const ImageParts& parts, const FileMap& files, std::string_view path,
                                    Env& env) {
  const std::string at = TRY(files.resolved(path, Last::kFollow));
  const auto found = files.nodes().find(at);
  if (found == files.nodes().end() || found->second.header.type != '0') return std::string();
  if (found->second.header.size > kMaxDatabase)
    return Error::make(ErrorKind::kInvalid, "'{}' has {} bytes, more than {}", at, found->second.header.size,
                       kMaxDatabase);
  const FileMap::Source source = found->second.source;
  std::string content;
  std::size_t entry = 0;
  const auto on_entry = [&](const codec::TarHeader&) {
    ++entry;
    return Result<>{};
  };
  const auto on_data = [&](std::string_view bytes) {
    if (entry == source.entry + 1) content += bytes;
    return Result<>{};
  };
  TRY(read_layer(parts, source.layer - 1, Check::kNo, {on_entry, on_data}, env));
  return content;
}

Result<std::vector<ImageFile>> list_files(const Sha256& manifest, Env& env) {
  const ImageParts parts = TRY(read_parts(manifest, env));
  const FileMap files = TRY(read_file_map(parts, env), "listing the files of image {}", manifest.oci());
  std::string database = TRY(read_image_file(parts, files, "usr/lib/apk/db/installed", env));
  if (database.empty()) database = TRY(read_image_file(parts, files, "lib/apk/db/installed", env));
  std::map<std::string, std::string> owners;
  for (const auto& [path, package] : parse_installed(database)) {
    auto at = files.resolved(path, Last::kKeep);
    if (at) owners.try_emplace(*std::move(at), package);
  }
  std::vector<ImageFile> out;
  for (const auto& [path, node] : files.nodes()) {
    ImageFile file;
    file.path = path;
    file.layer = node.layer - 1;
    if (const auto owner = owners.find(path); owner != owners.end()) file.package = owner->second;
    file.type = node.header.type;
    file.mode = node.header.mode;
    file.uid = node.header.uid;
    file.gid = node.header.gid;
    file.size = node.header.type == '0' ? node.header.size : 0;
    file.link = node.header.type == '2' ? node.header.link : "";
    out.push_back(std::move(file));
  }
  return out;
}

Result<Sha256> manifest_for(const Sha256& index_or_manifest, const Arch& arch, Env& env) {
  const Json json = TRY(read_document(index_or_manifest, env), "reading image {}", index_or_manifest.oci());
  if (json["layers"].is_array()) return index_or_manifest;
  if (!json["manifests"].is_array())
    return Error::make(ErrorKind::kInvalid, "blob {} is neither an image index nor a manifest",
                       index_or_manifest.oci());
  std::vector<std::string> known;
  const Json* best = nullptr;
  for (const Json& item : json["manifests"].items()) {
    const Json& platform = item["platform"];
    const std::string& variant = platform["variant"].as_string();
    const bool fits = platform["os"].as_string() == "linux" && platform["architecture"].as_string() == arch.oci &&
                      is_variant_of(arch, variant);
    // The variant that is meant, before what has none or another word for it.
    if (fits && (best == nullptr || variant == arch.oci_variant)) best = &item;
    known.push_back(platform_of(item));
  }
  if (best != nullptr) {
    const Descriptor found = TRY(read_descriptor(*best), "reading image {}", index_or_manifest.oci());
    return found.digest;
  }
  return Error::make(ErrorKind::kNotFound, "image {} has no manifest for linux/{}", index_or_manifest.oci(),
                     arch.oci)
      .hint(known.empty() ? "it has none at all" : "it has " + join(known, ", "));
}

}  // namespace nacre::image
