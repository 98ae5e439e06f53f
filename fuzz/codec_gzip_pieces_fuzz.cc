#include "codec/gzip.h"
#include "codec/gzip_pieces.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

// A member whose pieces can all be read is what a reader of gzip sees, piece after piece, unless only its trailer lies.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto pieces = codec::split_pieces(bytes);
  if (!pieces) return 0;
  std::string text;
  for (const codec::GzipPieceView& piece : *pieces) {
    const auto part = codec::inflate_piece(piece);
    if (!part) return 0;
    const auto begin = codec::inflate_beginning(piece, 16);
    if (!begin || *begin != part->substr(0, 16)) std::abort();
    text += *part;
    if (text.size() > (4u << 20)) return 0;
  }
  const auto again = codec::gunzip(codec::join_pieces(*pieces, codec::PieceTable::kYes), text.size());
  if (!again || *again != text) std::abort();
  return 0;
}
