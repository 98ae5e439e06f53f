#include "apk/index_file.h"
#include "apk/index_pieces.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

// The first byte chooses: the bytes are an index that is opened and changed (whatever its table says, no crash), or
// text whose edit is compared with writing all of it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (data[0] % 2 == 0) {
    auto pieces = apk::IndexPieces::open(bytes, "fuzz");
    if (!pieces || !*pieces) return 0;
    const auto found = (*pieces)->named("b");
    apk::IndexRecord record;
    record.name = "b";
    record.version = "1";
    record.arch = "noarch";
    record.checksum = "Q1x";
    const std::vector<apk::IndexRecord> added = {record};
    (void)(*pieces)->edited(added, {}, {});
    if (found) (void)(*pieces)->edited({}, *found, {});
    return 0;
  }
  auto records = apk::parse_index(bytes, "fuzz");
  if (!records) return 0;
  std::sort(records->begin(), records->end(), apk::comes_before);
  for (std::size_t i = 1; i < records->size(); ++i)  // of twins either may come first
    if (!apk::comes_before((*records)[i - 1], (*records)[i])) return 0;
  const auto whole = apk::pack_index(*records, "x", {});
  if (!whole) return 0;
  // Some out, and in again.
  std::vector<apk::IndexRecord> stay, some;
  for (std::size_t i = 0; i < records->size(); ++i)
    ((data[1] >> (i % 8) & 1) != 0 ? some : stay).push_back((*records)[i]);
  auto all = apk::IndexPieces::open(*whole, "fuzz");
  if (!all || !*all) std::abort();
  const auto less = (*all)->edited({}, some, {});
  if (!less || *less != *apk::pack_index(stay, "x", {})) std::abort();
  auto fewer = apk::IndexPieces::open(*less, "fuzz");
  if (!fewer || !*fewer) std::abort();
  const auto again = (*fewer)->edited(some, {}, {});
  if (!again || *again != *whole) std::abort();
  return 0;
}
