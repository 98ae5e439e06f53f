#include "apk/package_file.h"
#include "attest/verify.h"
#include "base/text.h"
#include "cli/at.h"
#include "cli/image_notices.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "codec/digest.h"
#include "publish/registry.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::cli {
namespace {

using attest::Check;
using codec::Json;

/// Keys from --key-package and --key-attestation, else those of this machine's signer.
Result<attest::TrustedKeys> keys_of(const Arguments& arguments, Edition edition, Session& session) {
  const auto load = [&](const char* option, crypto::Purpose purpose) -> Result<crypto::PublicKey> {
    const std::string file = arguments.text(option);
    if (file.empty()) return session.signer.public_key(edition, purpose);
    const std::string pem = TRY(os::read_file(file));
    return crypto::PublicKey::from_pem(pem);
  };
  crypto::PublicKey package = TRY(load("--key-package", crypto::Purpose::kPackage));
  crypto::PublicKey attestation = TRY(load("--key-attestation", crypto::Purpose::kAttestation));
  attest::TrustedKeys keys{edition, std::move(package), std::move(attestation), {session.builder_id}};
  for (const std::string& id : arguments.list("--builder")) keys.builders.push_back(id);
  return keys;
}

std::optional<std::string> beside(const Path& file, const char* suffix) {
  auto text = os::read_file(file.string() + suffix);
  if (!text) return std::nullopt;
  return *std::move(text);
}

/// Evidence beside the file, else what the store knows of a package of this digest.
Result<attest::PackageEvidence> evidence_for(const Path& file, Edition edition, Session& session) {
  attest::PackageEvidence out;
  out.provenance = beside(file, ".intoto.sigstore.json");
  out.sbom = beside(file, ".spdx.json");
  out.index = beside(file.parent_path() / "APKINDEX.tar.gz", "");
  if (out.provenance && out.index) return out;
  const std::string bytes = TRY(os::read_file(file, std::uint64_t{8} << 30));
  const Sha256 digest = codec::sha256(bytes);
  const std::vector<index::Serial> serials = TRY(index::list_serials(session.env, edition));
  for (const index::Serial& serial : serials) {
    for (const index::SerialPackage& package : serial.packages) {
      if (package.apk != digest) continue;
      if (!out.provenance) out.provenance = TRY(session.env.store.read(package.provenance));
      if (!out.index) out.index = TRY(session.env.store.read(serial.index));
      return out;
    }
  }
  return out;
}

/// What is verified may be true and yet not be wanted: the edition's notices about its packages.
using Notices = std::vector<index::Notice>;

Result<Notices> notices_about_package(const Path& file, Edition edition, Session& session) {
  const apk::PackageFile package = TRY(apk::read_package_header(file));
  const Notices all = TRY(index::list_notices(session.env, edition));
  const std::vector<std::string> name = {package.info.name + "=" + package.info.version};
  return index::notices_about(all, name);
}

Result<std::vector<Check>> verify_package(const Arguments& arguments, const Path& file, Edition edition,
                                          Session& session, Notices& notices) {
  const attest::TrustedKeys keys = TRY(keys_of(arguments, edition, session));
  const attest::PackageEvidence evidence = TRY(evidence_for(file, edition, session));
  notices = TRY(notices_about_package(file, edition, session));
  return attest::verify_package(file, evidence, keys);
}

Result<std::vector<Check>> verify_index(const Arguments& arguments, const Path& file, Edition edition,
                                        Session& session) {
  const attest::TrustedKeys keys = TRY(keys_of(arguments, edition, session));
  const std::string bytes = TRY(os::read_file(file));
  std::optional<std::string> provenance = beside(file, ".intoto.sigstore.json");
  const std::vector<index::Serial> serials = TRY(index::list_serials(session.env, edition));
  for (const index::Serial& serial : serials)
    if (!provenance && serial.index == codec::sha256(bytes))
      provenance = TRY(session.env.store.read(serial.index_provenance));
  return attest::verify_index(bytes, file.string(), provenance, keys);
}

/// The signed index that names an image's packages: the newest serial that holds the image, else the newest of the
/// edition.
Result<std::string> index_for(const Sha256& digest, Edition edition, Session& session) {
  const std::vector<index::Serial> serials = TRY(index::list_serials(session.env, edition));
  std::optional<Sha256> found;
  for (const index::Serial& serial : serials)
    for (const index::SerialImage& image : serial.images)
      if (image.index_digest == digest) found = serial.index;
  if (!found && !serials.empty()) found = serials.back().index;
  if (!found)
    return Error::make(ErrorKind::kNotFound, "edition {} has no signed index here", name_of(edition))
        .hint("name one with --index FILE");
  return session.env.store.read(*found);
}

Result<std::vector<Check>> verify_image(const Arguments& arguments, const std::string& reference, Session& session,
                                        Notices& notices) {
  const FoundImage found = TRY(find_image(reference, arguments, session));
  Edition edition = TRY(edition_of(arguments));
  if (found.edition && arguments.text("--edition") == "community") edition = *found.edition;
  if (reference.find("nacre-production/") != std::string::npos) edition = Edition::kProduction;
  const attest::TrustedKeys keys = TRY(keys_of(arguments, edition, session));
  std::string index;
  if (const std::string file = arguments.text("--index"); !file.empty())
    index = TRY(os::read_file(file));
  else if (const auto moment = TRY(moment_of(arguments, edition, session)))
    index = TRY(session.env.store.read(moment->serial.index));
  else
    index = TRY(index_for(found.digest, edition, session));
  const std::optional<attest::ImageSource> source = TRY(evidence_of(found, session));
  if (!source)
    return Error::make(ErrorKind::kNotFound, "image {} is in no serial, so it has no attestations here", found.name)
        .hint("publish it with `nacre up`");
  notices = TRY(notices_of(found, session));
  auto verified = attest::verify_image(found.digest, *source, index, keys);
  if (!verified && !notices.empty()) return std::move(verified).error().hint(index::render(notices.front()));
  std::vector<Check> checks = TRY(std::move(verified));
  if (found.remote) return checks;
  for (const Sha256& blob : found.entry->blobs) TRY(session.env.store.check(blob));  // the other cosign form, too
  checks.push_back({"every blob of the image", fmt::format("{} blobs", found.entry->blobs.size())});
  return checks;
}

Result<int> run_verify(const Arguments& arguments, Session& session) {
  const std::string subject = arguments.text("SUBJECT");
  const Edition edition = TRY(edition_of(arguments));
  std::vector<Check> checks;
  Notices notices;
  if (subject.ends_with(".apk"))
    checks = TRY(verify_package(arguments, subject, edition, session, notices), "verifying '{}'", subject);
  else if (subject.ends_with("APKINDEX.tar.gz"))
    checks = TRY(verify_index(arguments, subject, edition, session), "verifying '{}'", subject);
  else
    checks = TRY(verify_image(arguments, subject, session, notices), "verifying '{}'", subject);
  Json json = Json::array();
  std::string text;
  for (const Check& check : checks) {
    Json row;
    json.push(row.set("check", check.what).set("detail", check.detail));
    text += fmt::format("ok  {:<43} {}\n", check.what, check.detail);
  }
  for (const index::Notice& notice : notices) {
    Json row = index::to_json(notice);
    json.push(row.set("notice", index::render(notice)));
    text += fmt::format("note  {}\n", index::render(notice));
  }
  session.print(session.json ? codec::to_pretty_json(json)
                             : text + fmt::format("{}: {} checks hold\n", subject, checks.size()));
  return 0;
}

}  // namespace

Verb verb_verify() {
  Verb verb;
  verb.name = "verify";
  verb.summary = "check signatures, provenance, SBOM and edition of an image, a package file or an index";
  verb.arguments = {{"SUBJECT", "image reference, FILE.apk, or APKINDEX.tar.gz", true, false, Completion::kFile}};
  verb.options = {
      kEditionOption,
      kAtOption,
      {"--index", OptionType::kText, "FILE", "", "signed APKINDEX.tar.gz that must name the packages",
       Completion::kFile},
      {"--key-package", OptionType::kText, "FILE", "", "public key of packages and index", Completion::kFile},
      {"--key-attestation", OptionType::kText, "FILE", "", "public key of attestations", Completion::kFile},
      {"--builder", OptionType::kList, "ID", "", "also trust this builder identity", Completion::kNone}};
  verb.run = run_verify;
  return verb;
}

}  // namespace nacre::cli
