#pragma once

#include "base/result.h"
#include "base/tree_path.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace nacre::codec {

/// One tar header, without its content.
struct TarHeader {
  std::string path;        ///< As written; readers get it without leading "./" and trailing "/".
  /// '0' file, '1' hard link, '2' symlink, '3' char device, '4' block device, '5' directory, '6' fifo.
  char type = '0';
  unsigned mode = 0644;
  std::uint64_t uid = 0, gid = 0;
  std::string uname, gname;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
  std::string link;        ///< Target of links.
  unsigned dev_major = 0, dev_minor = 0;
  std::map<std::string, std::string> pax;  ///< Extra records: "APK-TOOLS.checksum.SHA1", "SCHILY.xattr.*".
};

/// Bytes of the header block(s) for one entry, exactly as Go's archive/tar writes them (spec: apk-melange-apko 1.2):
/// ustar, and a PAX header before it when there are records or the name does not fit.
/// Also when an owner or a size is too large for its field. kInvalid for a negative mtime.
Result<std::string> tar_header(const TarHeader& header);

/// Zero bytes that fill `size` up to the next 512.
std::size_t tar_padding(std::uint64_t size);

/// The 1,024 zero bytes that end an archive.
std::string_view tar_end();

struct TarLimits {
  std::uint64_t max_entries = 2'000'000;
  std::uint64_t max_total_bytes = std::uint64_t{64} << 30;
  std::size_t max_pax_bytes = 1u << 20;
};

/// Reads a tar stream pushed in pieces (ustar, PAX 'x'/'g', GNU long names 'L'/'K'). A missing end marker is
/// fine when the stream stops between entries (apk segments). kInvalid for a bad checksum, a size that
/// overflows, a truncated entry, records over the limits.
class TarReader {
 public:
  struct Visitor {
    /// Called once for each entry before its content.
    std::function<Result<>(const TarHeader&)> on_entry;
    /// Called with pieces of the current entry's content.
    std::function<Result<>(std::string_view)> on_data;
  };
  explicit TarReader(Visitor visitor, TarLimits limits = {});
  ~TarReader();
  TarReader(TarReader&&) noexcept;

  Result<> push(std::string_view bytes);
  Result<> finish();  ///< kInvalid when the stream stopped inside an entry.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nacre::codec
