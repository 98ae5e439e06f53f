#pragma once

#include "apk/index_record.h"
#include "base/result.h"
#include "index/index.h"
#include "index/kept_index.h"

#include <span>
#include <vector>

namespace nacre::index {

/// An index after an edit of ours: the mapped form of `before`, when the store has it, is extended by what differs
/// (kept_index.h), so that the next reader of `after` neither parses nor lays out its text. False: there was nothing to
/// extend; the next reader makes it all. Only for indexes in the order in which nacre writes them.
Result<bool> follow_kept_index(store::Store& store, const Sha256& before, const Sha256& after,
                               std::span<const apk::IndexRecord> added, std::span<const apk::IndexRecord> removed);

/// The same for the indexes of two serials of an edition.
Result<bool> follow_serial(store::Store& store, const Serial& before, const Serial& after);

/// The packages of an index in the order of its text, whatever segments it was made of: choices that go by the order
/// must not depend on how an index came to be mapped.
std::vector<apk::PackageNumber> in_text_order(const KeptIndex& index);

}  // namespace nacre::index
