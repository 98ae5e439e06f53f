#pragma once

#include "base/sha256.h"
#include "publish/session.h"

#include <cstdint>
#include <optional>
#include <string>

namespace nacre::publish {

/// How a blob came to be in a repository.
enum class Arrival { kPresent, kMounted, kSent };

/// Where the registry wants the bytes of an upload that it opened. kUnavailable, kInvalid when it says nothing usable.
Result<std::string> place_of_upload(const net::Response& opened, const RegistrySession& session);
/// Sends the (rest of the) bytes in `put` there, as all of blob `digest`.
Result<> end_upload(RegistrySession& session, net::Request put, const Sha256& digest, const std::string& location);

/// Brings blobs of the store into one repository. Thread-safe.
///
/// The state database remembers, for each registry, in which repository a blob was seen ("blob-at"), and where uploads
/// of large blobs stand that did not end ("upload").
class BlobUpload {
 public:
  BlobUpload(Env& env, const Reference& base, SharedToken& token) : env_(env), base_(base), token_(token) {}

  Result<Arrival> bring(const Sha256& digest);

  /// A smaller blob that was not seen in the repository before is sent (or mounted) without asking first: that is no
  /// more than the question.
  static constexpr std::uint64_t kSmall = 16u << 10;
  /// Blobs of at least kLarge go in pieces of kPiece, or of more where the registry asks for it.
  static constexpr std::uint64_t kLarge = 32u << 20, kPiece = 16u << 20;

 private:
  struct Upload {
    std::string location;
    std::uint64_t offset = 0, piece = kPiece;
  };
  Result<bool> is_there(RegistrySession& session, const Sha256& digest, std::uint64_t size);
  Result<Arrival> send_or_mount(RegistrySession& session, const Sha256& digest, std::uint64_t size);
  Result<> send_whole(RegistrySession& session, const Sha256& digest, const std::string& location);
  Result<> send_pieces(RegistrySession& session, const Sha256& digest, std::uint64_t size, Upload upload);
  /// Sends the next piece, and moves `upload` to what the registry says it has.
  Result<> send_piece(RegistrySession& session, const Sha256& digest, std::uint64_t size, Upload& upload);
  /// What the registry has of an upload; nothing when it has forgotten it.
  Result<std::optional<Upload>> stand_of(RegistrySession& session, const std::string& location);
  std::string upload_key(const Sha256& digest) const;
  std::string seen_key(const Sha256& digest) const;
  Result<> saw(const Sha256& digest);

  Env& env_;
  const Reference& base_;
  SharedToken& token_;
};

}  // namespace nacre::publish
