#include "attest/statement_check.h"
#include "base/text.h"
#include "codec/digest.h"
#include "codec/gzip.h"

#include <algorithm>
#include <map>

namespace nacre::attest {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxLayerBytes = std::uint64_t{16} << 30;

/// A blob whose bytes have the digest that names it.
Result<std::string> blob_of(const ImageSource& source, const Sha256& digest, std::string_view what) {
  std::string bytes = TRY(source.blob(digest), "reading the {} {}", what, digest.oci());
  const Sha256 found = codec::sha256(bytes);
  if (found != digest)
    return Error::make(ErrorKind::kDenied, "the {} {} has other bytes: their digest is {}", what,
                       digest.oci(), found.oci());
  return bytes;
}

Result<Sha256> diff_id_of(const std::string& layer, const Sha256& digest) {
  codec::Hasher hasher;
  codec::GzipReader reader({[&](std::string_view bytes) -> Result<> {
                              hasher.update(bytes);
                              return {};
                            },
                            {}},
                           kMaxLayerBytes);
  TRY(reader.push(layer), "inflating layer {}", digest.oci());
  TRY(reader.finish(), "inflating layer {}", digest.oci());
  return hasher.finish_sha256();
}

/// Checks pile up; the first that does not hold ends it.
struct Verifier {
  const ImageSource& source;
  const TrustedKeys& keys;
  std::vector<Check> checks;

  /// Signature, provenance, SBOM of one manifest or index: each must be there and hold.
  Result<> check_evidence(const Sha256& subject, std::string_view what) {
    const Json list = TRY(source.referrers(subject), "reading the attestations of {}", subject.oci());
    std::map<std::string, std::string> bundles;  // predicate type -> bundle
    for (const Json& descriptor : list.items()) {
      const std::string& type =
          descriptor["annotations"]["dev.sigstore.bundle.predicateType"].as_string();
      const Sha256 digest = TRY(parse_sha256(descriptor["digest"].as_string()));
      const std::string text = TRY(blob_of(source, digest, "attestation manifest"));
      const Json manifest = TRY(codec::parse_json(text, "attestation manifest"));
      if (manifest["subject"]["digest"].as_string() != subject.oci()) continue;
      const Sha256 layer = TRY(parse_sha256(manifest["layers"].items().empty()
                                                ? std::string()
                                                : manifest["layers"].items()[0]["digest"].as_string()));
      bundles[type] = TRY(blob_of(source, layer, "attestation"));
    }
    for (const std::string_view type : {kCosignSignatureType, kProvenanceType, kSpdxType}) {
      const auto bundle = bundles.find(std::string(type));
      if (bundle == bundles.end())
        return Error::make(ErrorKind::kDenied, "the {} {} has no attestation of type '{}'", what,
                           subject.oci(), type);
      const StatementWanted wanted{subject, type, kImageBuildType};
      const StatementFound found = TRY(check_statement(bundle->second, wanted, keys),
                                       "checking '{}' of the {}", type, what);
      const char* name = type == kCosignSignatureType ? "signature" : type == kSpdxType ? "SBOM" : "provenance";
      checks.push_back({fmt::format("{} of the {}", name, what), found.summary});
      if (type == kProvenanceType) dependencies = found.predicate["buildDefinition"]["resolvedDependencies"];
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
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Sha256 layer = TRY(parse_sha256(layers[i]["digest"].as_string()));
      const std::string content = TRY(blob_of(source, layer, "layer"));
      const Sha256 diff_id = TRY(diff_id_of(content, layer));
      if (diff_id.oci() != diff_ids[i])
        return Error::make(ErrorKind::kDenied, "layer {} inflates to {}, the configuration says {}",
                           layer.oci(), diff_id.oci(), diff_ids[i]);
      bytes += content.size();
    }
    checks.push_back({"manifest, configuration and layers",
                      fmt::format("{}, {} layers, {}", digest.oci(), layers.size(), human_bytes(bytes))});
    const std::string& edition = manifest["annotations"]["dev.nacre.edition"].as_string();
    if (edition != name_of(keys.edition))
      return Error::make(ErrorKind::kDenied, "the manifest {} is of edition '{}', expected '{}'", digest.oci(),
                         edition, name_of(keys.edition));
    return check_evidence(digest, "manifest");
  }

  Json dependencies;  ///< Of the last provenance that was checked.
};

/// Every package that provenance names stands in the signed index with its version.
Result<Check> check_packages(const Verifier& verifier, std::string_view signed_index, const TrustedKeys& keys) {
  const apk::IndexFile index = TRY(checked_index(signed_index, "APKINDEX.tar.gz", keys));
  std::map<std::string, bool> known;
  for (const apk::IndexRecord& record : index.records) known[record.name + "@" + record.version] = true;
  int count = 0;
  const std::string prefix = fmt::format("pkg:apk/nacre-{}/", name_of(keys.edition));
  for (const Json& dependency : verifier.dependencies.items()) {
    if (dependency["annotations"]["kind"].as_string() != "package") continue;
    const std::string& uri = dependency["uri"].as_string();
    if (!uri.starts_with(prefix))
      return Error::make(ErrorKind::kDenied, "the image holds '{}', which is not of edition {}", uri,
                         name_of(keys.edition));
    const std::string name = replace_all(uri.substr(prefix.size()), "%2B", "+");
    if (!known.contains(name))
      return Error::make(ErrorKind::kDenied, "package '{}' of the image is not in the signed index ({})", name,
                         index.description)
          .hint("an older image needs the index of its serial: --index FILE");
    ++count;
  }
  return Check{"packages named by the signed index", fmt::format("{} packages, {}", count, index.description)};
}

}  // namespace

Result<std::vector<Check>> verify_image(const Sha256& index_or_manifest, const ImageSource& source,
                                        std::string_view signed_index, const TrustedKeys& keys) {
  Verifier verifier{source, keys, {}, {}};
  const std::string text = TRY(blob_of(source, index_or_manifest, "index"));
  const Json top = TRY(codec::parse_json(text, "index"));
  if (top.find("manifests") == nullptr) {
    TRY(verifier.check_manifest(index_or_manifest));
  } else {
    TRY(verifier.check_evidence(index_or_manifest, "index"));
    for (const Json& row : top["manifests"].items()) {
      const Sha256 manifest = TRY(parse_sha256(row["digest"].as_string()));
      TRY(verifier.check_manifest(manifest));
    }
  }
  Check packages = TRY(check_packages(verifier, signed_index, keys));
  verifier.checks.push_back(std::move(packages));
  return std::move(verifier.checks);
}

}  // namespace nacre::attest
