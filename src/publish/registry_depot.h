#pragma once

#include "publish/session.h"
#include "store/depot.h"

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace nacre::publish {

/// What the manifest around a kept blob says (docs/formats/registry-depot.md).
struct KeptBlob {
  Sha256 digest;
  std::uint64_t size = 0;
  std::int64_t kept = 0;  ///< Seconds since 1970, by the clock of who brought it; 0: it does not say.
};
/// kInvalid for what is no such manifest.
Result<KeptBlob> read_kept_blob(std::string_view manifest);
/// The text that a manifest carries in its annotations. kInvalid likewise.
Result<std::string> read_kept_text(std::string_view manifest);

/// Blobs in one repository of a registry, oci://HOST/REPOSITORY: each with a manifest and a tag of its own, so that
/// the registry's collector leaves it alone and that it can be listed.
class RegistryDepot final : public store::Depot {
 public:
  /// kInvalid for a place that names no repository. Nothing is asked yet.
  static Result<std::unique_ptr<RegistryDepot>> open(const std::string& place, Wire wire, os::Clock& clock);

  std::string name() const override { return place_; }
  Result<std::optional<std::uint64_t>> size(const Sha256& digest) override;
  Result<> put(const Sha256& digest, const os::Path& file) override;
  Result<bool> get(const Sha256& digest, const os::Path& file) override;
  /// kDenied where the registry does not let manifests be removed. The bytes are its own collector's.
  Result<> remove(const Sha256& digest) override;
  /// One request for each blob: the registry lists names alone.
  Result<> for_each(const std::function<Result<>(const Blob&)>& see) override;
  Result<std::optional<std::string>> read_text(const std::string& name) override;
  Result<> write_text(const std::string& name, const std::string& text) override;

 private:
  RegistryDepot(std::string place, Reference base, Wire wire, os::Clock& clock)
      : place_(std::move(place)), base_(std::move(base)), wire_(std::move(wire)), clock_(clock) {}

  RegistrySession session() { return {wire_, base_, token_}; }
  /// Manifest by tag; nothing when there is none.
  Result<std::optional<std::string>> manifest(const std::string& tag);
  Result<> put_manifest(const std::string& tag, const std::string& text);
  Result<> upload(const Sha256& digest, net::Request put);
  Result<> bring(const Sha256& digest, const os::Path& file, std::uint64_t bytes);
  Result<> upload_empty();

  std::string place_;
  Reference base_;
  Wire wire_;
  os::Clock& clock_;
  SharedToken token_;
  std::mutex empty_mutex_;  ///< Registries may lose a blob for a moment that two bring at once.
  bool has_empty_ = false;
};

}  // namespace nacre::publish
