#include "apk/index_file.h"
#include "apk/index_pieces.h"
#include "codec/gzip.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// The first byte chooses: the bytes are an index file, a tar to be compressed first, or the text inside.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 0) {
    const auto index = nacre::apk::read_index(bytes, "fuzz");
    const auto head = nacre::apk::read_index_signatures(bytes, "fuzz");
    if (index && (!head || (head->best ? head->best->key_name : "") != index->key_name ||
                  bytes.substr(head->signed_from) != index->signed_bytes))
      std::abort();
  } else if (data[0] % 3 == 1) {
    (void)nacre::apk::read_index(*nacre::codec::gzip(bytes, 1), "fuzz");
  } else {
    const auto records = nacre::apk::parse_index(bytes, "fuzz");
    if (!records) return 0;
    const std::string written = nacre::apk::write_index(*records);
    const auto again = nacre::apk::parse_index(written, "fuzz");
    if (!again || nacre::apk::write_index(*again) != written) std::abort();
  }
  return 0;
}
