#pragma once

#include "apk/mapped_index.h"
#include "base/result.h"
#include "base/sha256.h"
#include "store/store.h"

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace nacre::index {

/// A mapped index whose segments are blobs of the store, and the mappings that keep its texts alive. Cheap to copy.
///
/// The state database names the segments by the digest of the APKINDEX.tar.gz that they say the same as
/// ("mapped-index"). They are no roots of a garbage collection: what is gone is made again from the text.
class KeptIndex {
 public:
  const apk::MappedIndex& operator*() const { return index_; }
  const apk::MappedIndex* operator->() const { return &index_; }

 private:
  friend struct KeptIndexParts;
  class Mapping;
  std::vector<Sha256> blobs_;
  std::vector<std::shared_ptr<const Mapping>> mappings_;
  apk::MappedIndex index_;
};

/// The mapped form of the index with this digest; nothing when the store has none, or one that cannot be used.
/// Cost: one mapping and one pass for the checksum.
Result<std::optional<KeptIndex>> find_kept_index(store::Store& store, const Sha256& index);

/// Makes it from the text of an APKINDEX (apk::unpack_index), which the caller has verified.
Result<KeptIndex> keep_index(store::Store& store, const Sha256& index, std::string_view text, std::string_view source);

/// The index `index`, which is `before` with packages added and removed: writes these alone, until there are too many
/// segments; then all is written once as a single one.
Result<KeptIndex> extend_kept_index(store::Store& store, const KeptIndex& before, const Sha256& index,
                                    std::span<const apk::RecordView> added,
                                    std::span<const apk::PackageNumber> removed = {});

}  // namespace nacre::index
