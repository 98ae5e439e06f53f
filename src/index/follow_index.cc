#include "index/follow_index.h"

#include "apk/index_file.h"
#include "apk/version.h"
#include "index/order.h"

#include <algorithm>

namespace nacre::index {
namespace {

constexpr std::size_t kMaxChanges = 1000;  ///< More is as well made from the text.
/// After so many edits the index is made from its text once, in the text's order (extend_kept_index would put what is
/// new at the end).
constexpr std::size_t kMaxSegments = 16;

}  // namespace

Result<bool> follow_kept_index(store::Store& store, const Sha256& before, const Sha256& after,
                               std::span<const apk::IndexRecord> added, std::span<const apk::IndexRecord> removed) {
  if (before == after || added.size() + removed.size() > kMaxChanges) return false;
  const auto kept = TRY(find_kept_index(store, before));
  if (!kept || (*kept)->segment_count() >= kMaxSegments) return false;
  std::vector<apk::PackageNumber> gone;
  for (const apk::IndexRecord& record : removed) {
    gone.push_back((*kept)->find_package(record.name, record.version, record.arch));
    if (gone.back() == apk::kNoNumber) return false;
  }
  // As a reader of the text sees them.
  const std::string text = apk::write_index({added.begin(), added.end()});
  std::vector<apk::RecordView> views;
  TRY(apk::scan_index(text, "the new packages", [&](const apk::RecordView& record) -> Result<> {
    views.push_back(record);
    return {};
  }));
  (void)TRY(extend_kept_index(store, *kept, after, views, gone));
  return true;
}

Result<bool> follow_serial(store::Store& store, const Serial& older, const Serial& newer) {
  std::vector<apk::IndexRecord> added, removed;
  auto is = newer.packages.begin();
  for (const SerialPackage& was : older.packages) {
    while (is != newer.packages.end() && before(*is, was)) added.push_back((is++)->record);
    const bool same = is != newer.packages.end() && !before(was, *is);
    if (same && is->record == was.record) {
      ++is;
      continue;
    }
    removed.push_back(was.record);
    if (same) added.push_back((is++)->record);
  }
  for (; is != newer.packages.end(); ++is) added.push_back(is->record);
  return follow_kept_index(store, older.index, newer.index, added, removed);
}

std::vector<apk::PackageNumber> in_text_order(const KeptIndex& index) {
  std::vector<apk::PackageNumber> out;
  for (apk::PackageNumber package = 0; package < index->package_count(); ++package)
    if (index->has(package)) out.push_back(package);
  if (index->segment_count() == 1) return out;
  std::stable_sort(out.begin(), out.end(), [&](apk::PackageNumber a, apk::PackageNumber b) {
    const std::string_view name = index->name(index->name_of(a)), other = index->name(index->name_of(b));
    if (name != other) return name < other;
    const apk::RecordView x = index->record(a), y = index->record(b);
    const auto order = apk::compare_versions(x.version, y.version);
    if (order != 0) return order < 0;
    return x.version != y.version ? x.version < y.version : x.arch < y.arch;
  });
  return out;
}

}  // namespace nacre::index
