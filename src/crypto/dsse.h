#pragma once

#include "base/result.h"
#include "codec/json.h"
#include "crypto/signer.h"

#include <string>
#include <string_view>

namespace nacre::crypto {

/// DSSE pre-authentication encoding: "DSSEv1 LEN TYPE LEN BODY".
std::string dsse_pae(std::string_view payload_type, std::string_view body);

constexpr std::string_view kInTotoPayload = "application/vnd.in-toto+json";

/// Signs `payload` and returns the envelope (JSON, keyid omitted: cosign refuses all but empty ones).
Result<codec::Json> dsse_sign(Signer& signer, Edition edition, std::string_view payload_type,
                              std::string_view payload);

/// Payload of an envelope whose signature fits `key`. kDenied when none fits, kInvalid when it is no envelope.
Result<std::string> dsse_verify(const codec::Json& envelope, const PublicKey& key,
                                std::string_view payload_type = kInTotoPayload);

/// Sigstore bundle v0.3 around an envelope (public key material by hint), as cosign >= 3 reads it.
codec::Json bundle_of_envelope(const codec::Json& envelope, const PublicKey& key);

/// Sigstore bundle v0.3 with a message signature over `message_sha256`'s file, for `cosign verify-blob`.
codec::Json bundle_of_signature(std::string_view raw_sha256, std::string_view signature,
                                const PublicKey& key);

/// The envelope inside a bundle. kInvalid when there is none.
Result<codec::Json> envelope_of_bundle(const codec::Json& bundle);

/// The signature inside a bundle of bundle_of_signature(), to be verified over the file's bytes. kInvalid when
/// there is none, kDenied when the bundle is about another file.
Result<std::string> signature_of_bundle(const codec::Json& bundle, std::string_view raw_sha256);

}  // namespace nacre::crypto
