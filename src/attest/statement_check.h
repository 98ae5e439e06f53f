#pragma once

#include "apk/index_file.h"
#include "attest/verify.h"

#include <string>
#include <string_view>

namespace nacre::attest {

/// What a signed statement must be about.
struct StatementWanted {
  Sha256 subject;
  std::string_view predicate_type;
  std::string_view build_type;    ///< Of provenance; ignored for other types.
};

struct StatementFound {
  codec::Json predicate;
  std::string summary;            ///< "https://nacre.dev/builders/local/v1, edition community"
};

/// The statement inside a bundle: signature by the edition's attestation key, subject, predicate type; for provenance
/// also the builder, build type, edition, and that externalParameters holds no key that this verifier does not know
/// (SLSA v1.2, P2). kDenied names what does not hold.
Result<StatementFound> check_statement(const std::string& bundle, const StatementWanted& wanted,
                                       const TrustedKeys& keys);

/// The same for an envelope that stands alone.
Result<StatementFound> check_envelope(const codec::Json& envelope, const StatementWanted& wanted,
                                      const TrustedKeys& keys);

/// A read index whose signature and edition hold.
Result<apk::IndexFile> checked_index(std::string_view bytes, std::string_view source,
                                     const TrustedKeys& keys);

}  // namespace nacre::attest
