#include "attest/statement_check.h"

#include "base/text.h"
#include "index/index.h"

#include <algorithm>
#include <array>

namespace nacre::attest {
namespace {

using codec::Json;

constexpr std::array<std::string_view, 9> kKnownParameters = {
    "definition", "package", "version", "architecture", "edition", "image", "serial", "table",
    "instructions"};

Result<> check_subject(const Json& statement, const Sha256& wanted) {
  std::vector<std::string> found;
  for (const Json& subject : statement["subject"].items()) {
    const std::string& digest = subject["digest"]["sha256"].as_string();
    if (digest == wanted.hex()) return {};
    found.push_back("sha256:" + digest);
  }
  return Error::make(ErrorKind::kDenied, "the statement is about {}, expected {}",
                     found.empty() ? "nothing" : join(found, " "), wanted.oci());
}

Result<std::string> check_provenance(const Json& predicate, const StatementWanted& wanted,
                                     const TrustedKeys& keys) {
  const Json& build = predicate["buildDefinition"];
  const std::string& type = build["buildType"].as_string();
  if (type != wanted.build_type)
    return Error::make(ErrorKind::kDenied, "provenance has build type '{}', expected '{}'", type,
                       wanted.build_type);
  const std::string& builder = predicate["runDetails"]["builder"]["id"].as_string();
  if (std::find(keys.builders.begin(), keys.builders.end(), builder) == keys.builders.end())
    return Error::make(ErrorKind::kDenied, "provenance names builder '{}', trusted are: {}",
                       builder, join(keys.builders, " "))
        .hint("--builder ID trusts one more");
  const Json& parameters = build["externalParameters"];
  const std::string& edition = parameters["edition"].as_string();
  if (edition != name_of(keys.edition))
    return Error::make(ErrorKind::kDenied, "provenance says edition '{}', expected '{}'", edition,
                       name_of(keys.edition));
  for (const auto& [key, value] : parameters.members())
    if (std::find(kKnownParameters.begin(), kKnownParameters.end(), key) == kKnownParameters.end())
      return Error::make(ErrorKind::kDenied, "provenance has the unknown parameter '{}'", key);
  return fmt::format("{}, edition {}", builder, edition);
}

}  // namespace

Result<StatementFound> check_envelope(const Json& envelope, const StatementWanted& wanted,
                                      const TrustedKeys& keys) {
  const std::string payload = TRY(crypto::dsse_verify(envelope, keys.attestation),
                                  "checking the signature of a statement for {}",
                                  wanted.subject.oci());
  const Json statement = TRY(codec::parse_json(payload, "statement"));
  if (statement["_type"].as_string() != "https://in-toto.io/Statement/v1")
    return Error::make(ErrorKind::kDenied, "expected an in-toto statement v1, found '{}'",
                       statement["_type"].as_string());
  TRY(check_subject(statement, wanted.subject));
  const std::string& type = statement["predicateType"].as_string();
  if (type != wanted.predicate_type)
    return Error::make(ErrorKind::kDenied, "the statement has type '{}', expected '{}'", type,
                       wanted.predicate_type);
  StatementFound out;
  out.predicate = statement["predicate"];
  out.summary = fmt::format("{}", wanted.predicate_type);
  if (type == kProvenanceType) out.summary = TRY(check_provenance(out.predicate, wanted, keys));
  return out;
}

Result<StatementFound> check_statement(const std::string& bundle, const StatementWanted& wanted,
                                       const TrustedKeys& keys) {
  const Json json = TRY(codec::parse_json(bundle, "bundle"));
  const Json envelope = TRY(crypto::envelope_of_bundle(json));
  StatementFound found = TRY(check_envelope(envelope, wanted, keys));
  // The signature covers the payload alone. What stands around it must be what we write, to the byte.
  const std::string whole = codec::to_json(crypto::bundle_of_envelope(envelope, keys.attestation));
  const auto [ours, theirs] = std::mismatch(whole.begin(), whole.end(), bundle.begin(), bundle.end());
  if (ours != whole.end() || theirs != bundle.end())
    return Error::make(ErrorKind::kDenied,
                       "the signature of the bundle holds, but byte {} is not as the key's owner writes it",
                       theirs - bundle.begin());
  return found;
}

Result<apk::IndexFile> checked_index(std::string_view bytes, std::string_view source,
                                     const TrustedKeys& keys) {
  apk::IndexFile index = TRY(apk::read_index(bytes, source));
  const std::string wanted = crypto::public_key_name(keys.edition, crypto::Purpose::kPackage);
  if (index.key_name.empty())
    return Error::make(ErrorKind::kDenied, "'{}' is not signed, expected a signature by '{}'",
                       source, wanted);
  if (index.key_name != wanted)
    return Error::make(ErrorKind::kDenied, "'{}' is signed by '{}', expected '{}' of edition {}",
                       source, index.key_name, wanted, name_of(keys.edition));
  TRY(keys.package.verify(index.signed_bytes, index.signature_bytes),
      "checking the signature of '{}'", source);
  const index::IndexIdentity identity = TRY(index::parse_index_description(index.description));
  if (identity.edition != keys.edition)
    return Error::make(ErrorKind::kDenied, "'{}' is of edition {}, expected {}", source,
                       name_of(identity.edition), name_of(keys.edition));
  return index;
}

}  // namespace nacre::attest
