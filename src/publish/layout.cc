#include "publish/layout.h"

#include "base/events.h"
#include "index/freshness.h"
#include "store/store.h"

#include <unistd.h>

namespace nacre::publish {
namespace {

using codec::Json;

Result<Json> descriptor_of(const Sha256& digest, store::Store& store) {
  const std::string text = TRY(store.read(digest));
  const Json manifest = TRY(codec::parse_json(text, digest.oci()));
  Json out;
  out.set("mediaType", manifest["mediaType"]).set("digest", digest.oci());
  return out.set("size", static_cast<std::uint64_t>(text.size()));
}

Result<> add_tag(Json& manifests, const std::string& tag, const Sha256& digest, store::Store& store) {
  Json row = TRY(descriptor_of(digest, store)), notes;
  notes.set("org.opencontainers.image.ref.name", tag);
  manifests.push(row.set("annotations", std::move(notes)));
  return {};
}

Result<> add_image(Json& manifests, const index::SerialImage& image, bool named, store::Store& store) {
  for (const std::string& tag : image.tags)
    TRY(add_tag(manifests, named ? image.name + "-" + tag : tag, image.index_digest, store));
  for (const auto& [subject, list] : image.referrers.members()) {
    if (subject == "tags") continue;
    for (const Json& descriptor : list.items()) manifests.push(descriptor);
  }
  for (const auto& [tag, text] : image.referrers["tags"].members()) {
    const Sha256 digest = TRY(parse_sha256(text.as_string()));
    TRY(add_tag(manifests, tag, digest, store));
  }
  return {};
}

/// The timestamp last: what it leads to is there then.
Result<> write_metadata(const os::Path& folder, const index::MetadataFiles& files) {
  TRY(os::make_dirs(folder));
  const auto put = [&](const std::string& name, const std::string& bytes) { return put_text(folder / name, bytes); };
  for (const auto& [name, bytes] : files)
    if (name != "timestamp.json") TRY(put(name, bytes));
  const auto timestamp = files.find("timestamp.json");
  return timestamp == files.end() ? Result<>() : put(timestamp->first, timestamp->second);
}

}  // namespace

std::string_view registry_space(Edition edition) {
  return edition == Edition::kProduction ? "nacre-production" : "nacre";
}

Result<> place_blob(const store::Store& store, const Sha256& digest, const os::Path& to) {
  if (os::exists(to)) return {};
  const os::Path from = TRY(store.local(digest));
  if (::link(from.c_str(), to.c_str()) == 0 || errno == EEXIST) return {};
  const std::string bytes = TRY(os::read_file(from, std::uint64_t{32} << 30));
  return os::write_file(to, bytes);
}

Result<> put_text(const os::Path& file, std::string_view bytes) {
  const auto there = os::read_file(file);
  return there && *there == bytes ? Result<>() : os::write_file(file, bytes);
}

Result<> write_layout(const os::Path& folder, const std::vector<index::SerialImage>& images, Env& env) {
  Task task(env.events, "layout");
  const os::Path blobs = folder / "blobs/sha256";
  TRY(os::make_dirs(blobs));
  Json manifests = Json::array();
  for (const index::SerialImage& image : images) {
    for (const Sha256& blob : image.blobs) TRY(place_blob(env.store, blob, blobs / blob.hex()));
    TRY(add_image(manifests, image, images.size() > 1, env.store));
  }
  TRY(put_text(folder / "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}"));
  Json index;
  index.set("schemaVersion", 2).set("mediaType", "application/vnd.oci.image.index.v1+json");
  index.set("manifests", std::move(manifests));
  TRY(put_text(folder / "index.json", codec::to_json(index)));
  task.finish(fmt::format("{} images", images.size()));
  return {};
}

Result<> write_repository(const os::Path& folder, const index::Serial& serial, Env& env, std::string_view channel) {
  Task task(env.events, "repository");
  const os::Path arch = folder / serial.arch;
  TRY(os::make_dirs(arch));
  for (const index::SerialPackage& package : serial.packages) {
    const std::string name = fmt::format("{}-{}.apk", package.record.name, package.record.version);
    TRY(place_blob(env.store, package.apk, arch / name));
    const bool stated = TRY(env.store.holds(package.provenance)), listed = TRY(env.store.holds(package.sbom));
    if (stated)
      TRY(place_blob(env.store, package.provenance, arch / (name + ".intoto.sigstore.json")));
    if (listed) TRY(place_blob(env.store, package.sbom, arch / (name + ".spdx.json")));
  }
  const std::string provenance = TRY(env.store.read(serial.index_provenance));
  TRY(os::write_file(arch / "APKINDEX.tar.gz.intoto.sigstore.json", provenance));
  const std::string sbom = TRY(env.store.read(serial.index_sbom));
  TRY(os::write_file(arch / "APKINDEX.tar.gz.spdx.json", sbom));
  TRY(place_blob(env.store, serial.index, arch / index::consistent_name(serial.index)));
  const index::MetadataFiles metadata = TRY(index::edition_metadata(env, serial.edition, channel));
  const bool newest = TRY(index::metadata_names(metadata, serial.index));
  const std::string index = TRY(env.store.read(serial.index, std::uint64_t{256} << 20));
  TRY(os::write_file(arch / "APKINDEX.tar.gz", index));  // after what it names
  if (newest) TRY(write_metadata(folder / "tuf", metadata));
  task.finish(fmt::format("{} packages", serial.packages.size()));
  return {};
}

}  // namespace nacre::publish
