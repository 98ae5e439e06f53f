#include "attest/verify.h"

#include "apk/index_file.h"
#include "apk/package_file.h"
#include "attest/sbom.h"
#include "attest/statement_check.h"
#include "base/text.h"
#include "codec/digest.h"

#include <algorithm>

namespace nacre::attest {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxSbomBytes = 64u << 20;

/// Signature of the control segment: made by this edition's key, over exactly these bytes.
Result<Check> check_package_signature(const apk::PackageFile& package, const TrustedKeys& keys) {
  const std::string wanted = crypto::public_key_name(keys.edition, crypto::Purpose::kPackage);
  if (package.key_name.empty())
    return Error::make(ErrorKind::kDenied, "the package is not signed, expected a signature by '{}'",
                       wanted);
  if (package.key_name != wanted)
    return Error::make(ErrorKind::kDenied,
                       "the package is signed by '{}', expected '{}' of edition {}",
                       package.key_name, wanted, name_of(keys.edition))
        .hint("content of two editions never mixes; name the other edition with --edition");
  const std::string control = TRY(apk::read_segment(package.path, package.control));
  TRY(keys.package.verify(control, package.signature_bytes),
      "checking the signature of the control segment, bytes {} to {}", package.control.offset,
      package.control.offset + package.control.size);
  return Check{"signature of control segment", package.key_name};
}

/// The SBOM inside the package names this package in this version.
Result<Check> check_package_sbom(const apk::PackageFile& package, const std::string& sbom) {
  const std::string path = package_sbom_path(package.info.name, package.info.version).str();
  if (sbom.empty())
    return Error::make(ErrorKind::kDenied, "the package has no SBOM at '{}'", path);
  const Json document = TRY(codec::parse_json(sbom, path));
  for (const Json& row : document["packages"].items())
    if (row["name"].as_string() == package.info.name &&
        row["versionInfo"].as_string() == package.info.version)
      return Check{"SBOM", fmt::format("{}, {} elements", path, document["packages"].items().size())};
  return Error::make(ErrorKind::kDenied, "the SBOM at '{}' does not describe {}-{}", path,
                     package.info.name, package.info.version);
}

Result<Check> check_in_index(const apk::PackageFile& package, const std::string& index_bytes,
                             const TrustedKeys& keys) {
  const apk::IndexFile index = TRY(checked_index(index_bytes, "APKINDEX.tar.gz", keys));
  for (const apk::IndexRecord& record : index.records) {
    if (record.name != package.info.name || record.version != package.info.version) continue;
    if (record.checksum != package.checksum())
      return Error::make(ErrorKind::kDenied,
                         "the signed index says {} for {}-{}, the file has {}", record.checksum,
                         record.name, record.version, package.checksum());
    return Check{"named by the signed index", index.description};
  }
  return Error::make(ErrorKind::kDenied, "the signed index ({}) does not name {}-{}",
                     index.description, package.info.name, package.info.version);
}

}  // namespace

Result<std::vector<Check>> verify_package(const os::Path& file, const PackageEvidence& evidence,
                                          const TrustedKeys& keys) {
  std::string sbom_path, sbom;
  bool in_sbom = false;
  const apk::PackageFile head = TRY(apk::read_package_header(file));
  sbom_path = package_sbom_path(head.info.name, head.info.version).str();
  codec::TarReader::Visitor visitor;
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    in_sbom = header.path == sbom_path && header.type == '0';
    if (in_sbom && header.size > kMaxSbomBytes)
      return Error::make(ErrorKind::kInvalid, "the SBOM has {} bytes, more than {}", header.size,
                         kMaxSbomBytes);
    return {};
  };
  visitor.on_data = [&](std::string_view bytes) -> Result<> {
    if (in_sbom) sbom += bytes;
    return {};
  };
  const apk::PackageFile package = TRY(apk::read_package(file, &visitor));
  std::vector<Check> out;
  out.push_back(TRY(check_package_signature(package, keys)));
  out.push_back({"data segment and checksums of its files", "sha256:" + package.info.data_hash});
  out.push_back(TRY(check_package_sbom(package, sbom)));
  if (evidence.sbom && *evidence.sbom != sbom)
    return Error::make(ErrorKind::kDenied, "the SBOM beside the package has other bytes than the one inside, '{}'",
                       sbom_path);
  if (!evidence.provenance)
    return Error::make(ErrorKind::kDenied, "there is no provenance for '{}'",
                       file.filename().string())
        .hint("put FILE.apk.intoto.sigstore.json beside the file");
  StatementWanted wanted{package.file_sha256, kProvenanceType, kPackageBuildType};
  if (keys.edition == Edition::kStage0) wanted.build_type = kStage0BuildType;
  const StatementFound found = TRY(check_statement(*evidence.provenance, wanted, keys));
  out.push_back({"provenance", found.summary});
  for (const std::string& remark : build_remarks(found.predicate)) out.push_back({"how it was built", remark});
  if (evidence.index) out.push_back(TRY(check_in_index(package, *evidence.index, keys)));
  return out;
}

Result<std::vector<Check>> verify_index(std::string_view bytes, std::string_view source,
                                        const std::optional<std::string>& provenance,
                                        const TrustedKeys& keys) {
  const apk::IndexFile index = TRY(checked_index(bytes, source, keys));
  std::vector<Check> out;
  out.push_back({"signature of the index", index.key_name});
  out.push_back({"edition and serial in the signed description", index.description});
  out.push_back({"records", fmt::format("{} packages", index.records.size())});
  if (!provenance)
    return Error::make(ErrorKind::kDenied, "there is no provenance for '{}'", source)
        .hint("put APKINDEX.tar.gz.intoto.sigstore.json beside the file");
  const StatementWanted wanted{codec::sha256(bytes), kProvenanceType, kIndexBuildType};
  const StatementFound found = TRY(check_statement(*provenance, wanted, keys));
  out.push_back({"provenance", found.summary});
  return out;
}

}  // namespace nacre::attest
