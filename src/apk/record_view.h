#pragma once

#include "apk/index_record.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

namespace nacre::apk {

/// IndexRecord without copies: every text is a piece of the index (or of the mapped index) that it came from, and
/// lives as long as that. Lists stay as written, words parted by blanks: see each_word().
struct RecordView {
  std::string_view name, version, arch, checksum, origin;
  std::string_view depends, provides, install_if;
  std::string_view description, url, license, maintainer, commit;
  std::uint64_t size_bytes = 0, installed_bytes = 0, provider_priority = 0;
  std::int64_t built_at = 0;
};

/// The words of a list, in order. `visit` is called with a std::string_view.
template <class Visit>
void each_word(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    if (end > 0) visit(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

/// A copy that lives by itself.
IndexRecord to_record(const RecordView& view);

/// The lists of a record as text, which `view_of` needs beside the record.
struct RecordLists {
  std::string depends, provides, install_if;
};
RecordView view_of(const IndexRecord& record, RecordLists& lists);

/// What a reader of one index takes at most.
struct IndexLimits {
  std::size_t max_records = 1'000'000;
  std::size_t max_line_bytes = 1u << 20;  ///< As the field's readers have it.
};

/// Reads an APKINDEX text in one pass and hands each record to `visit`, in order; what parse_index() refuses is refused
/// here, and what is longer than the limits. An error of `visit` ends the reading.
Result<> scan_index(std::string_view text, std::string_view source,
                    const std::function<Result<>(const RecordView&)>& visit,
                    const IndexLimits& limits = {});

}  // namespace nacre::apk
