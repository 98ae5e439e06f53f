#include "apk/package_info.h"
#include "base/encoding.h"
#include "index/fields.h"
#include "index/index.h"
#include "index/order.h"

namespace nacre::index {
namespace {

using codec::Json;

/// Every field of a package, once: Writer and Reader go over them. `word` has no blanks, `word_or_none` may be empty.
template <class Visitor, class Package>
void visit_fields(Visitor& visit, Package& package) {
  auto& record = package.record;
  visit.word("name", record.name);
  visit.word("version", record.version);
  visit.word("arch", record.arch);
  visit.word("checksum", record.checksum);
  visit.count("size", record.size_bytes);
  visit.count("installedSize", record.installed_bytes);
  visit.time("builtAt", record.built_at);
  visit.word_or_none("origin", record.origin);
  visit.words("depends", record.depends);
  visit.words("provides", record.provides);
  visit.words("installIf", record.install_if);
  visit.count("providerPriority", record.provider_priority);
  visit.text("description", record.description);
  visit.text("url", record.url);
  visit.text("license", record.license);
  visit.text("maintainer", record.maintainer);
  visit.text("commit", record.commit);
  visit.digest("apk", package.apk);
  visit.digest("provenance", package.provenance);
  visit.digest("sbom", package.sbom);
  visit.digest("actionKey", package.action_key);
}

struct Writer {
  Json out;
  void text(const char* key, const std::string& value) { out.set(key, value); }
  void word(const char* key, const std::string& value) { out.set(key, value); }
  void word_or_none(const char* key, const std::string& value) { out.set(key, value); }
  void words(const char* key, const std::vector<std::string>& value) { out.set(key, Json::strings(value)); }
  void count(const char* key, std::uint64_t value) { out.set(key, value); }
  void time(const char* key, std::int64_t value) { out.set(key, value); }
  void digest(const char* key, const Sha256& value) { out.set(key, value.oci()); }
};

/// After the first fault nothing more is taken.
struct Reader {
  Fields& fields;
  Result<> so_far = {};

  void text(const char* key, std::string& out) { take(out, [&] { return fields.text(key); }); }
  void word(const char* key, std::string& out) { take(out, [&] { return fields.word(key); }); }
  void word_or_none(const char* key, std::string& out) {
    text(key, out);
    if (so_far && !out.empty()) so_far = Fields::check_word(out, fields.path(key));
  }
  void words(const char* key, std::vector<std::string>& out) { take(out, [&] { return fields.words(key); }); }
  void count(const char* key, std::uint64_t& out) { take(out, [&] { return fields.count(key); }); }
  void time(const char* key, std::int64_t& out) { take(out, [&] { return fields.time(key); }); }
  void digest(const char* key, Sha256& out) { take(out, [&] { return fields.digest(key); }); }

 private:
  template <class T, class Read>
  void take(T& out, const Read& read) {
    if (!so_far) return;
    Result<T> found = read();
    if (found) out = *std::move(found);
    else so_far = std::move(found).error();
  }
};

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

Result<SerialPackage> package_from_json(const Json& json, const std::string& path) {
  Fields fields = TRY(Fields::of(json, path));
  SerialPackage out;
  Reader reader{fields};
  visit_fields(reader, out);
  TRY(std::move(reader.so_far));
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
  for (const SerialPackage& package : serial.packages) {
    Writer writer;
    visit_fields(writer, package);
    packages.push(std::move(writer.out));
  }
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
