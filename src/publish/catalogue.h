#pragma once

#include "base/env.h"
#include "base/sha256.h"
#include "codec/json.h"
#include "index/index.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace nacre::publish {

/// A file beside an index: a package, its provenance, its SBOM.
struct PublishedFile {
  Sha256 blob;
  std::string_view type;   ///< Media type.
};

/// All serials of an edition as a server looks things up in them. Thread-safe.
///
/// Each question looks at the head first (one state look-up): what was published a moment ago is seen. A serial is read
/// once; older ones only when a question goes back that far, so the memory is that of the names, not of the serials.
class Catalogue {
 public:
  Catalogue(Env& env, Edition edition) : env_(env), edition_(edition) {}

  /// Nothing before the first publish.
  Result<std::shared_ptr<const index::Serial>> newest();
  /// "NAME-VERSION.apk", also with ".spdx.json" or ".intoto.sigstore.json", of any serial: the newest that has it;
  /// "HEX.APKINDEX.tar.gz", the index of any.
  Result<std::optional<PublishedFile>> package_file(const std::string& arch, const std::string& file);

  /// Names of the images of any serial, sorted.
  Result<std::vector<std::string>> images();
  /// Sorted, channels that have the image among them; empty: no such image.
  Result<std::vector<std::string>> tags(const std::string& image);
  /// What a tag ("latest", "serial-3", cosign's "sha256-….sig") of the image means: as the newest serial with it says.
  /// A channel's name means what the channel says now (index/channels.h).
  Result<std::optional<Sha256>> tagged(const std::string& image, const std::string& tag);
  /// "name=version" of what an image holds, by its index; nothing for other manifests.
  Result<std::vector<std::string>> packages_of(const std::string& image, const Sha256& index);
  /// Whether a blob belongs to the image, in any serial.
  Result<bool> has_blob(const std::string& image, const Sha256& blob);
  /// Descriptors of what refers to a manifest of the image ("sha256:…"); of one artifact type when that is not empty.
  Result<codec::Json> referrers(const std::string& image, const std::string& subject, const std::string& artifact_type);

 private:
  struct ImageRows {
    std::map<std::string, Sha256> tags;
    std::unordered_set<std::string> blobs;               ///< Hexadecimal.
    std::map<Sha256, std::vector<std::string>> packages;  ///< By index.
    std::unordered_map<std::string, codec::Json> referrers;  ///< By subject.
  };

  Result<> look_at_head();
  Result<bool> go_back();   ///< Reads one older serial; false: there is none.
  Result<> go_back_to_the_first();
  void add(const index::Serial& serial, bool newer);
  static void add_image(const index::Serial& serial, const index::SerialImage& image, bool newer, ImageRows& rows);
  /// Asks `find` (nullopt: not here) of ever older serials.
  template <class T, class Find>
  Result<std::optional<T>> search(Find find);

  Env& env_;
  const Edition edition_;
  std::mutex mutex_;
  std::shared_ptr<const index::Serial> newest_;
  std::uint64_t oldest_ = 0;   ///< Number of the oldest serial that was read.
  std::unordered_map<std::string, PublishedFile> files_;   ///< By "ARCH/FILE".
  std::map<std::string, ImageRows> images_;
};

}  // namespace nacre::publish
