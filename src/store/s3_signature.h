#pragma once

#include "net/http.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace nacre::store {

/// Who asks an S3 store, and where it stands.
struct S3Identity {
  std::string key_id, secret;
  std::string session_token;  ///< Of credentials that expire; usually empty.
  std::string region;         ///< "us-east-1"
};

/// Adds the headers of AWS Signature Version 4 to a request for the service "s3": x-amz-date, x-amz-content-sha256,
/// x-amz-security-token where there is a token, Authorization. `content_sha256` is the digest of the body in
/// hexadecimal, which the server checks what it got against. Path and query of the address are as they will be sent,
/// the query's parameters in any order.
///
/// All headers that the request has are signed; who adds one later (Range) sends it unsigned. kInvalid for an address
/// that is none.
Result<> sign_s3(net::Request& request, const S3Identity& who, std::string_view content_sha256, std::int64_t now);

/// HMAC (RFC 2104) with SHA-256, raw bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);

/// Digest of no bytes at all: of requests without a body.
inline constexpr std::string_view kSha256OfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

}  // namespace nacre::store
