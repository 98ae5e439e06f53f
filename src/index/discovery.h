#pragma once

#include "index/repositories.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::index {

/// A key that a server says is its own. It is trusted no more than the server until somebody names it.
struct DiscoveredKey {
  TrustedKey key;             ///< File name "KID.rsa.pub", and PEM.
  std::string fingerprint;    ///< crypto::PublicKey::fingerprint().
  std::string repository;     ///< Who says so, without a password.
};

/// The keys that a repository publishes: "REPOSITORY/apk-configuration" names a key set (RFC 7517) under "jwks_uri".
/// None for directories and for servers that have no such file. kInvalid for what is none, and for a key set that
/// would come over http from a repository that speaks https.
Result<std::vector<DiscoveredKey>> discover_keys(const std::string& repository, const Fetcher& fetcher);

/// The RSA keys of a key set; kInvalid for keys of another kind or without an identifier fit for a file name.
Result<std::vector<TrustedKey>> parse_key_set(std::string_view text, std::string_view source);

}  // namespace nacre::index
