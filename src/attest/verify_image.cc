#include "attest/statement_check.h"
#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "codec/gzip.h"
#include "codec/tar.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

namespace nacre::attest {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxLayerBytes = std::uint64_t{16} << 30;
constexpr std::size_t kMaxDatabaseBytes = 256u << 20;
constexpr std::size_t kMaxReferrers = 1'000;
constexpr std::string_view kDatabase = "usr/lib/apk/db/installed";

/// A blob whose bytes have the digest that names it.
Result<std::string> blob_of(const ImageSource& source, const Sha256& digest, std::string_view what) {
  std::string bytes = TRY(source.blob(digest), "reading the {} {}", what, digest.oci());
  const Sha256 found = codec::sha256(bytes);
  if (found != digest)
    return Error::make(ErrorKind::kDenied, "the {} {} has other bytes: their digest is {}", what,
                       digest.oci(), found.oci());
  return bytes;
}

/// Descriptors of what refers to `subject`.
Result<Json> referrers_of(const Sha256& subject, const ImageSource& source) {
  Json list = TRY(source.referrers(subject), "reading the attestations of {}", subject.oci());
  if (list.items().size() > kMaxReferrers)
    return Error::make(ErrorKind::kInvalid, "{} has {} attestations, more than {}", subject.oci(), list.items().size(),
                       kMaxReferrers);
  return list;
}

std::string_view predicate_type_of(const Json& descriptor) {
  return descriptor["annotations"]["dev.sigstore.bundle.predicateType"].as_string();
}

/// The bundle of one attestation; nullopt when its manifest is about something else.
Result<std::optional<std::string>> bundle_of(const Json& descriptor, const Sha256& subject, const ImageSource& source) {
  const Sha256 digest = TRY(parse_sha256(descriptor["digest"].as_string()));
  const std::string text = TRY(blob_of(source, digest, "attestation manifest"));
  const Json manifest = TRY(codec::parse_json(text, "attestation manifest"));
  if (manifest["subject"]["digest"].as_string() != subject.oci()) return std::optional<std::string>();
  const auto& layers = manifest["layers"].items();
  const Sha256 layer = TRY(parse_sha256(layers.empty() ? std::string() : layers[0]["digest"].as_string()));
  std::string bundle = TRY(blob_of(source, layer, "attestation"));
  return std::optional<std::string>(std::move(bundle));
}

/// What one layer holds: its digest uncompressed, and apk's record of what is installed, if it has one.
struct LayerContent {
  Sha256 diff_id;
  std::optional<std::string> database;
};

Result<LayerContent> inflate_layer(const std::string& layer, const Sha256& digest) {
  LayerContent out;
  bool in_database = false;
  codec::TarReader tar({[&](const codec::TarHeader& header) -> Result<> {
                          in_database = header.path == kDatabase && header.type == '0';
                          if (in_database) out.database.emplace();
                          return {};
                        },
                        [&](std::string_view bytes) -> Result<> {
                          if (!in_database) return {};
                          if (out.database->size() + bytes.size() > kMaxDatabaseBytes)
                            return Error::make(ErrorKind::kInvalid, "'{}' has more than {} bytes", kDatabase,
                                               kMaxDatabaseBytes);
                          *out.database += bytes;
                          return {};
                        }});
  codec::Hasher hasher;
  codec::GzipReader reader({[&](std::string_view bytes) -> Result<> {
                              hasher.update(bytes);
                              return tar.push(bytes);
                            },
                            {}},
                           kMaxLayerBytes);
  TRY(reader.push(layer), "inflating layer {}", digest.oci());
  TRY(reader.finish(), "inflating layer {}", digest.oci());
  TRY(tar.finish(), "reading layer {}", digest.oci());
  out.diff_id = hasher.finish_sha256();
  return out;
}

/// "NAME@VERSION" -> "Q1…" of every package that apk's record lists.
std::map<std::string, std::string> installed_packages(std::string_view database) {
  std::map<std::string, std::string> out;
  std::string name, version, checksum;
  const auto end_record = [&] {
    if (!name.empty()) out[name + "@" + version] = checksum;
    name = version = checksum = {};
  };
  for (const std::string& line : split(database, '\n')) {
    if (line.empty()) end_record();
    if (line.starts_with("P:")) name = line.substr(2);
    if (line.starts_with("V:")) version = line.substr(2);
    if (line.starts_with("C:")) checksum = line.substr(2);
  }
  end_record();
  return out;
}

/// What the edition's signed index names.
struct KnownPackages {
  std::map<std::string, std::string> checksums;  ///< By "NAME@VERSION".
  std::string description;
};

/// Checks pile up; the first that does not hold ends it.
struct Verifier {
  struct Kind {
    std::string_view type;
    const char* name;
    bool must;           ///< Images made before it was written have none.
  };
  static constexpr std::array<Kind, 4> kWanted = {{{kCosignSignatureType, "signature", true},
                                                   {kProvenanceType, "provenance", true},
                                                   {kSpdxType, "SBOM", true},
                                                   {kCycloneDxType, "SBOM (CycloneDX)", false}}};

  const ImageSource& source;
  const TrustedKeys& keys;
  const KnownPackages& known;
  std::vector<Check> checks;

  /// Bundles that say they are about `subject`, by predicate type; those of types that nobody asked for are skipped.
  Result<std::multimap<std::string, std::string>> bundles_of(const Sha256& subject) const {
    const Json list = TRY(referrers_of(subject, source));
    std::multimap<std::string, std::string> out;
    for (const Json& descriptor : list.items()) {
      const std::string type(predicate_type_of(descriptor));
      if (std::none_of(kWanted.begin(), kWanted.end(), [&](const Kind& kind) { return kind.type == type; })) continue;
      std::optional<std::string> bundle = TRY(bundle_of(descriptor, subject, source));
      if (bundle) out.emplace(type, *std::move(bundle));
    }
    return out;
  }

  /// Signature, provenance, SBOM of one manifest or index: of each one must be there and hold. What others attached
  /// beside it is no reason to refuse.
  Result<> check_evidence(const Sha256& subject, std::string_view what) {
    const std::multimap<std::string, std::string> bundles = TRY(bundles_of(subject));
    for (const auto& [type, name, must] : kWanted) {
      const auto [first, last] = bundles.equal_range(std::string(type));
      if (first == last && !must) continue;
      if (first == last)
        return Error::make(ErrorKind::kDenied, "the {} {} has no attestation of type '{}'", what,
                           subject.oci(), type);
      const StatementWanted wanted{subject, type, kImageBuildType};
      auto found = check_statement(first->second, wanted, keys);
      for (auto next = std::next(first); !found && next != last; ++next)
        if (auto better = check_statement(next->second, wanted, keys)) found = std::move(better);
      const StatementFound statement = TRY(std::move(found), "checking '{}' of the {}", type, what);
      checks.push_back({fmt::format("{} of the {}", name, what), statement.summary});
      if (type == kProvenanceType) dependencies = statement.predicate["buildDefinition"]["resolvedDependencies"];
    }
    return {};
  }

  /// Layers by digest and diffID, configuration.
  Result<> check_manifest(const Sha256& digest) {
    const std::string text = TRY(blob_of(source, digest, "manifest"));
    const Json manifest = TRY(codec::parse_json(text, "manifest"));
    const Sha256 config_digest = TRY(parse_sha256(manifest["config"]["digest"].as_string()));
    const std::string config_text = TRY(blob_of(source, config_digest, "configuration"));
    const Json config = TRY(codec::parse_json(config_text, "configuration"));
    const std::vector<std::string> diff_ids = config["rootfs"]["diff_ids"].as_strings();
    const auto& layers = manifest["layers"].items();
    if (diff_ids.size() != layers.size())
      return Error::make(ErrorKind::kDenied, "the configuration lists {} layers, the manifest {}",
                         diff_ids.size(), layers.size());
    std::uint64_t bytes = 0;
    std::string database;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Sha256 layer = TRY(parse_sha256(layers[i]["digest"].as_string()));
      const std::string content = TRY(blob_of(source, layer, "layer"));
      const LayerContent inflated = TRY(inflate_layer(content, layer));
      if (inflated.diff_id.oci() != diff_ids[i])
        return Error::make(ErrorKind::kDenied, "layer {} inflates to {}, the configuration says {}",
                           layer.oci(), inflated.diff_id.oci(), diff_ids[i]);
      if (inflated.database) database = *inflated.database;
      bytes += content.size();
    }
    checks.push_back({"manifest, configuration and layers",
                      fmt::format("{}, {} layers, {}", digest.oci(), layers.size(), human_bytes(bytes))});
    const std::string& edition = manifest["annotations"]["dev.nacre.edition"].as_string();
    if (edition != name_of(keys.edition))
      return Error::make(ErrorKind::kDenied, "the manifest {} is of edition '{}', expected '{}'", digest.oci(),
                         edition, name_of(keys.edition));
    TRY(check_evidence(digest, "manifest"));
    return check_packages(installed_packages(database));
  }

  /// What is installed, what provenance names, and what the signed index names agree, by version and checksum.
  Result<> check_packages(const std::map<std::string, std::string>& installed) {
    std::set<std::string> named;
    const std::string prefix = fmt::format("pkg:apk/nacre-{}/", name_of(keys.edition));
    for (const Json& dependency : dependencies.items()) {
      if (dependency["annotations"]["kind"].as_string() != "package") continue;
      const std::string& uri = dependency["uri"].as_string();
      if (!uri.starts_with(prefix))
        return Error::make(ErrorKind::kDenied, "the image holds '{}', which is not of edition {}", uri,
                           name_of(keys.edition));
      const std::string name = replace_all(uri.substr(prefix.size()), "%2B", "+");
      if (!installed.contains(name))
        return Error::make(ErrorKind::kDenied, "provenance names package '{}', which is not in the image", name);
      named.insert(name);
    }
    for (const auto& [name, checksum] : installed) {
      if (!named.contains(name))
        return Error::make(ErrorKind::kDenied, "package '{}' is in the image, and provenance does not name it", name);
      const auto entry = known.checksums.find(name);
      if (entry == known.checksums.end())
        return Error::make(ErrorKind::kDenied, "package '{}' of the image is not in the signed index ({})", name,
                           known.description)
            .hint("an older image needs the index of its serial: --index FILE");
      if (entry->second != checksum)
        return Error::make(ErrorKind::kDenied, "package '{}' of the image is {}, the signed index ({}) says {}", name,
                           checksum, known.description, entry->second);
    }
    checks.push_back({"packages named by the signed index",
                      fmt::format("{} packages, {}", installed.size(), known.description)});
    return {};
  }

  Json dependencies;  ///< Of the last provenance that was checked.
};

}  // namespace

Result<std::optional<Json>> find_predicate(const Sha256& subject, std::string_view type, const ImageSource& source) {
  const Json list = TRY(referrers_of(subject, source));
  for (const Json& descriptor : list.items()) {
    if (predicate_type_of(descriptor) != type) continue;
    const std::optional<std::string> bundle = TRY(bundle_of(descriptor, subject, source));
    if (!bundle) continue;
    const Json json = TRY(codec::parse_json(*bundle, "attestation"));
    const std::string payload = TRY(from_base64(json["dsseEnvelope"]["payload"].as_string()), "reading an attestation");
    Json statement = TRY(codec::parse_json(payload, "statement"));
    for (const Json& row : statement["subject"].items())
      if (row["digest"]["sha256"].as_string() == subject.hex()) return std::optional<Json>(statement["predicate"]);
  }
  return std::optional<Json>();
}

Result<std::vector<Check>> verify_image(const Sha256& index_or_manifest, const ImageSource& source,
                                        std::string_view signed_index, const TrustedKeys& keys) {
  const apk::IndexFile index = TRY(checked_index(signed_index, "APKINDEX.tar.gz", keys));
  KnownPackages known{{}, index.description};
  for (const apk::IndexRecord& record : index.records)
    known.checksums[record.name + "@" + record.version] = record.checksum;
  Verifier verifier{source, keys, known, {}, {}};
  const std::string text = TRY(blob_of(source, index_or_manifest, "index"));
  const Json top = TRY(codec::parse_json(text, "index"));
  if (top.find("manifests") == nullptr) {
    TRY(verifier.check_manifest(index_or_manifest));
    return std::move(verifier.checks);
  }
  TRY(verifier.check_evidence(index_or_manifest, "index"));
  if (top["manifests"].items().empty())
    return Error::make(ErrorKind::kDenied, "the index {} names no manifest", index_or_manifest.oci());
  for (const Json& row : top["manifests"].items()) {
    const Sha256 manifest = TRY(parse_sha256(row["digest"].as_string()));
    TRY(verifier.check_manifest(manifest));
  }
  return std::move(verifier.checks);
}

}  // namespace nacre::attest
