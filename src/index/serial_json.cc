#include "apk/package_info.h"
#include "base/encoding.h"
#include "index/fields.h"
#include "index/index.h"
#include "index/order.h"

namespace nacre::index {
namespace {

using codec::Json;

Json package_to_json(const SerialPackage& package) {
  const apk::IndexRecord& record = package.record;
  Json out;
  out.set("name", record.name).set("version", record.version).set("arch", record.arch);
  out.set("checksum", record.checksum).set("size", record.size_bytes);
  out.set("installedSize", record.installed_bytes).set("builtAt", record.built_at);
  out.set("origin", record.origin).set("depends", Json::strings(record.depends));
  out.set("provides", Json::strings(record.provides));
  out.set("installIf", Json::strings(record.install_if));
  out.set("providerPriority", record.provider_priority).set("description", record.description);
  out.set("url", record.url).set("license", record.license);
  out.set("maintainer", record.maintainer).set("commit", record.commit);
  out.set("apk", package.apk.oci()).set("provenance", package.provenance.oci());
  out.set("sbom", package.sbom.oci()).set("actionKey", package.action_key.oci());
  return out;
}

Result<> check_identity(const apk::IndexRecord& record) {
  apk::PackageInfo info;
  info.name = record.name;
  info.version = record.version;
  info.arch = record.arch;
  TRY(apk::check_package_info(info));
  const std::string_view checksum = record.checksum;
  if (checksum.starts_with("Q1") && checksum.size() == 30) {
    const auto sha1 = from_base64(checksum.substr(2));
    if (sha1 && sha1->size() == 20) return {};
  }
  return Error::make(ErrorKind::kInvalid, "expected the checksum 'Q1' and 20 bytes in base64, "
                     "found '{}'", record.checksum.substr(0, 100));
}

Result<apk::IndexRecord> read_record(Fields& fields) {
  apk::IndexRecord out;
  out.name = TRY(fields.word("name"));
  out.version = TRY(fields.word("version"));
  out.arch = TRY(fields.word("arch"));
  out.checksum = TRY(fields.word("checksum"));
  out.size_bytes = TRY(fields.count("size"));
  out.installed_bytes = TRY(fields.count("installedSize"));
  out.built_at = TRY(fields.time("builtAt"));
  out.origin = TRY(fields.text("origin"));
  if (!out.origin.empty()) TRY(Fields::check_word(out.origin, fields.path("origin")));
  out.depends = TRY(fields.words("depends"));
  out.provides = TRY(fields.words("provides"));
  out.install_if = TRY(fields.words("installIf"));
  out.provider_priority = TRY(fields.count("providerPriority"));
  out.description = TRY(fields.text("description"));
  out.url = TRY(fields.text("url"));
  out.license = TRY(fields.text("license"));
  out.maintainer = TRY(fields.text("maintainer"));
  out.commit = TRY(fields.text("commit"));
  return out;
}

Result<SerialPackage> package_from_json(const Json& json, const std::string& path) {
  Fields fields = TRY(Fields::of(json, path));
  SerialPackage out;
  out.record = TRY(read_record(fields));
  out.apk = TRY(fields.digest("apk"));
  out.provenance = TRY(fields.digest("provenance"));
  out.sbom = TRY(fields.digest("sbom"));
  out.action_key = TRY(fields.digest("actionKey"));
  TRY(fields.finish());
  TRY(check_identity(out.record), "reading {}", path);
  return out;
}

Json image_to_json(const SerialImage& image) {
  Json blobs = Json::array();
  for (const Sha256& blob : image.blobs) blobs.push(blob.oci());
  Json out;
  out.set("name", image.name).set("indexDigest", image.index_digest.oci());
  out.set("tags", Json::strings(image.tags)).set("blobs", std::move(blobs));
  out.set("packages", Json::strings(image.packages)).set("inputs", image.inputs.oci());
  out.set("referrers", image.referrers.is_null() ? Json::object() : image.referrers);
  return out;
}

/// {"sha256:…": [descriptor…], "tags": {"sha256-….sig": "sha256:…"}}
Result<> check_referrers(const Json& referrers, const std::string& path) {
  for (const auto& [key, value] : referrers.members()) {
    const std::string at = fmt::format("{}.{}", path, key.substr(0, 100));
    if (key == "tags") {
      if (!value.is_object()) return Fields::wrong(at, "an object", value);
      for (const auto& [tag, digest] : value.members()) {
        TRY(Fields::check_word(tag, at));
        TRY(Fields::read_digest(digest.as_string(), fmt::format("{}.{}", at, tag.substr(0, 100))));
      }
      continue;
    }
    TRY(Fields::read_digest(key, at));
    if (!value.is_array()) return Fields::wrong(at, "a list", value);
    for (const Json& descriptor : value.items())
      if (!descriptor.is_object()) return Fields::wrong(at, "a list of objects", descriptor);
  }
  return {};
}

Result<SerialImage> image_from_json(const Json& json, const std::string& path) {
  Fields fields = TRY(Fields::of(json, path));
  SerialImage out;
  out.name = TRY(fields.word("name"));
  const Result<TreePath> as_path = TreePath::parse(out.name);
  if (!as_path || as_path->str() != out.name)
    return Error::make(ErrorKind::kInvalid, "{}: '{}' cannot name an image", path, out.name);
  out.index_digest = TRY(fields.digest("indexDigest"));
  out.tags = TRY(fields.words("tags"));
  for (const std::string& tag : out.tags)
    if (tag.size() > 128 || tag.find('/') != std::string::npos || tag[0] == '.')
      return Error::make(ErrorKind::kInvalid, "{}: '{}' is no tag", path, tag.substr(0, 200));
  const Json* blobs = TRY(fields.list("blobs"));
  for (const Json& blob : blobs->items()) {
    const std::string at = fmt::format("{}[{}]", fields.path("blobs"), out.blobs.size());
    out.blobs.push_back(TRY(Fields::read_digest(blob.as_string(), at)));
  }
  out.packages = TRY(fields.words("packages"));
  out.inputs = TRY(fields.digest("inputs"));
  const Json* referrers = TRY(fields.object("referrers"));
  TRY(check_referrers(*referrers, fields.path("referrers")));
  out.referrers = *referrers;
  TRY(fields.finish());
  return out;
}

Result<> check_order(const Serial& serial) {
  for (std::size_t i = 1; i < serial.packages.size(); ++i)
    if (!before(serial.packages[i - 1], serial.packages[i]))
      return Error::make(ErrorKind::kInvalid, "packages[{}]: expected after {}, found {}", i,
                         identity_of(serial.packages[i - 1].record),
                         identity_of(serial.packages[i].record))
          .hint("packages stand in order of name and version, each once");
  for (std::size_t i = 1; i < serial.images.size(); ++i)
    if (serial.images[i - 1].name >= serial.images[i].name)
      return Error::make(ErrorKind::kInvalid, "images[{}]: expected after '{}', found '{}'", i,
                         serial.images[i - 1].name, serial.images[i].name)
          .hint("images stand in order of name, each once");
  return {};
}

Result<Serial> read_serial(Fields& fields) {
  const std::uint64_t format = TRY(fields.count("format"));
  if (format != 1)
    return Error::make(ErrorKind::kInvalid, "format: expected 1, found {}", format)
        .hint("a newer nacre wrote this serial");
  Serial out;
  const std::string edition = TRY(fields.text("edition"));
  out.edition = TRY(parse_edition(edition), "reading edition");
  out.number = TRY(fields.count("number"));
  out.published = TRY(fields.time("published"));
  out.reason = TRY(fields.text("reason"));
  out.rolled_back_to = TRY(fields.count("rolledBackTo"));
  out.previous = TRY(fields.digest("previous"));
  out.arch = TRY(fields.text("arch"));
  const Arch arch = TRY(find_arch(out.arch), "reading arch");
  if (arch.apk != out.arch)
    return Error::make(ErrorKind::kInvalid, "arch: expected '{}', found '{}'", arch.apk, out.arch);
  out.index = TRY(fields.digest("index"));
  out.index_provenance = TRY(fields.digest("indexProvenance"));
  out.index_sbom = TRY(fields.digest("indexSbom"));
  const Json* packages = TRY(fields.list("packages"));
  for (const Json& item : packages->items()) {
    const std::string path = fmt::format("packages[{}]", out.packages.size());
    out.packages.push_back(TRY(package_from_json(item, path)));
  }
  const Json* images = TRY(fields.list("images"));
  for (const Json& item : images->items()) {
    const std::string path = fmt::format("images[{}]", out.images.size());
    out.images.push_back(TRY(image_from_json(item, path)));
  }
  return out;
}

}  // namespace

Json serial_to_json(const Serial& serial) {
  Json packages = Json::array(), images = Json::array();
  for (const SerialPackage& package : serial.packages) packages.push(package_to_json(package));
  for (const SerialImage& image : serial.images) images.push(image_to_json(image));
  Json out;
  out.set("format", 1).set("edition", name_of(serial.edition)).set("number", serial.number);
  out.set("published", serial.published).set("reason", serial.reason);
  out.set("rolledBackTo", serial.rolled_back_to).set("previous", serial.previous.oci());
  out.set("arch", serial.arch).set("index", serial.index.oci());
  out.set("indexProvenance", serial.index_provenance.oci());
  out.set("indexSbom", serial.index_sbom.oci());
  out.set("packages", std::move(packages)).set("images", std::move(images));
  return out;
}

Result<Serial> serial_from_json(const Json& json) {
  Fields fields = TRY(Fields::of(json, ""));
  Serial out = TRY(read_serial(fields));
  TRY(fields.finish());
  TRY(check_order(out));
  return out;
}

}  // namespace nacre::index
