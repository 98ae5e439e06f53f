#include "publish/archive.h"

#include "base/events.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/tar.h"
#include "image/contents.h"
#include "publish/layout.h"
#include "publish/registry.h"
#include "store/store.h"

#include <map>
#include <set>

namespace nacre::publish {
namespace {

using codec::Json;

constexpr std::string_view kLayoutVersion = "{\n    \"imageLayoutVersion\": \"1.0.0\"\n}";

struct Manifest {
  Sha256 digest;
  std::string text, arch;   ///< arch: OCI's name, without the variant.
  Json json;
};

/// The index, and what it names in its order. A manifest alone is an index of itself.
struct Whole {
  std::string index_text;
  std::vector<Manifest> manifests;
};

Result<Manifest> read_manifest(const Sha256& digest, std::string arch, store::Store& store) {
  Manifest out;
  out.digest = digest;
  out.arch = std::move(arch);
  out.text = TRY(store.read(digest));
  out.json = TRY(codec::parse_json(out.text, digest.oci()));
  return out;
}

Result<Whole> read_whole(const Sha256& digest, store::Store& store) {
  Whole out;
  out.index_text = TRY(store.read(digest));
  const Json index = TRY(codec::parse_json(out.index_text, digest.oci()));
  if (index.find("layers") != nullptr) {
    Manifest only = TRY(read_manifest(digest, "", store));
    out.manifests.push_back(std::move(only));
    return out;
  }
  for (const Json& row : index["manifests"].items()) {
    const Sha256 inner = TRY(parse_sha256(row["digest"].as_string()));
    Manifest manifest = TRY(read_manifest(inner, row["platform"]["architecture"].as_string(), store));
    out.manifests.push_back(std::move(manifest));
  }
  return out;
}

Result<std::vector<Sha256>> blobs_of(const Manifest& manifest) {
  std::vector<Sha256> out;
  const Sha256 config = TRY(parse_sha256(manifest.json["config"]["digest"].as_string()));
  out.push_back(config);
  for (const Json& layer : manifest.json["layers"].items()) {
    const Sha256 digest = TRY(parse_sha256(layer["digest"].as_string()));
    out.push_back(digest);
  }
  return out;
}

class ArchiveFile {
 public:
  ArchiveFile(os::AtomicFile& file, store::Store& store) : file_(file), store_(store) {}

  Result<> add(const std::string& name, std::string_view content) {
    TRY(begin(name, content.size()));
    TRY(file_.write(content));
    return pad(content.size());
  }
  /// A blob under a name, once.
  Result<> add_blob(const std::string& name, const Sha256& digest) {
    if (!seen_.insert(name).second) return {};
    const std::uint64_t size = TRY(store_.size(digest));
    TRY(begin(name, size));
    const auto write = [&](std::string_view bytes) { return file_.write(bytes); };
    const os::Path blob = TRY(store_.local(digest));
    TRY(image::read_range(blob, 0, size, write));
    return pad(size);
  }
  Result<> finish() { return file_.write(codec::tar_end()); }

 private:
  Result<> begin(const std::string& name, std::uint64_t size) {
    codec::TarHeader header;
    header.path = name;
    header.size = size;
    const std::string block = TRY(codec::tar_header(header));
    return file_.write(block);
  }
  Result<> pad(std::uint64_t size) { return file_.write(std::string(codec::tar_padding(size), '\0')); }

  os::AtomicFile& file_;
  store::Store& store_;
  std::set<std::string> seen_;
};

std::string layer_name(const Sha256& digest) { return digest.hex() + ".tar.gz"; }

/// "HOST/REPOSITORY:TAG-ARCH"; clients fill in what a name without host means to them.
Result<std::string> tag_for(const std::string& tag, const std::string& arch) {
  const Reference reference = TRY(parse_reference(tag));
  std::string name = reference.host.empty() ? "" : reference.host + "/";
  name += reference.repository + ":" + (reference.tag.empty() ? "latest" : reference.tag);
  return arch.empty() ? name : name + "-" + replace_all(arch, "/", "_");
}

}  // namespace

Result<> write_index_layout(const os::Path& folder, const Sha256& index, Env& env) {
  const Whole whole = TRY(read_whole(index, env.store));
  const os::Path blobs = folder / "blobs/sha256";
  TRY(os::make_dirs(blobs));
  for (const Manifest& manifest : whole.manifests) {
    const std::vector<Sha256> needed = TRY(blobs_of(manifest));
    for (const Sha256& blob : needed) TRY(place_blob(env.store, blob, blobs / blob.hex()));
    TRY(place_blob(env.store, manifest.digest, blobs / manifest.digest.hex()));
  }
  TRY(put_text(folder / "oci-layout", kLayoutVersion));
  return put_text(folder / "index.json", whole.index_text);
}

Result<> write_docker_archive(const os::Path& file, const Sha256& index, const std::vector<std::string>& tags,
                              Env& env) {
  const Whole whole = TRY(read_whole(index, env.store));
  Task task(env.events, "archive");
  os::AtomicFile out = TRY(os::AtomicFile::create(file));
  ArchiveFile archive(out, env.store);
  Json list = Json::array();
  for (const Manifest& manifest : whole.manifests) {
    const std::vector<Sha256> blobs = TRY(blobs_of(manifest));
    TRY(archive.add_blob(blobs.front().oci(), blobs.front()));
    std::vector<std::string> layers, names;
    for (auto layer = blobs.begin() + 1; layer != blobs.end(); ++layer) {
      TRY(archive.add_blob(layer_name(*layer), *layer));
      layers.push_back(layer_name(*layer));
    }
    for (const std::string& tag : tags) {
      const std::string name = TRY(tag_for(tag, manifest.arch));
      names.push_back(name);
    }
    list.push(Json::object({{"Config", blobs.front().oci()},
                            {"RepoTags", Json::strings(names)},
                            {"Layers", Json::strings(layers)}}));
  }
  TRY(archive.add("manifest.json", codec::to_json(list)));
  for (const Manifest& manifest : whole.manifests) TRY(archive.add(manifest.digest.oci(), manifest.text));
  TRY(archive.add("index.json", whole.index_text));
  TRY(archive.finish());
  TRY(out.commit());
  task.finish(file.string());
  return {};
}

}  // namespace nacre::publish
