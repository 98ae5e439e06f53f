#include "codec/zlib_stream.h"

#include <zlib.h>

#include <algorithm>

namespace nacre::codec {

Result<std::string> inflate_zlib(std::string_view bytes, std::uint64_t max_bytes) {
  z_stream stream{};
  if (::inflateInit(&stream) != Z_OK) return Error::make(ErrorKind::kInternal, "zlib does not start");
  std::string out;
  char piece[16384];
  int status = Z_OK;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(bytes.size(), 1u << 30));
  do {
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    status = ::inflate(&stream, Z_NO_FLUSH);
    out.append(piece, sizeof piece - stream.avail_out);
  } while (status == Z_OK && out.size() <= max_bytes && (stream.avail_in > 0 || stream.avail_out == 0));
  ::inflateEnd(&stream);
  if (out.size() > max_bytes)
    return Error::make(ErrorKind::kInvalid, "zlib stream inflates to more than {} bytes", max_bytes);
  if (status != Z_STREAM_END) return Error::make(ErrorKind::kInvalid, "zlib stream is malformed or stops early");
  return out;
}

}  // namespace nacre::codec
