#pragma once

#include "base/result.h"
#include "codec/tar.h"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace nacre::codec {

/// Reads a foreign archive (tar in any compression, zip, ar/.deb members) through libarchive, entry by entry.
/// on_data is called with the content of regular files. Paths come as written: callers turn them into TreePath,
/// which refuses what leads outside. kInvalid for anything malformed or over the limits.
Result<> read_archive(const std::filesystem::path& file, const TarReader::Visitor& visitor,
                      const TarLimits& limits = {});

/// The same for bytes in memory.
Result<> read_archive_bytes(std::string_view bytes, std::string_view source,
                            const TarReader::Visitor& visitor, const TarLimits& limits = {});

/// Unpacks one compressed file that is no archive (gzip, bzip2, xz, lzma, zstd), told by its first bytes.
Result<> read_compressed(std::string_view bytes, std::string_view source, std::uint64_t max_bytes,
                         const std::function<Result<>(std::string_view)>& sink);

/// The same of a file.
Result<> read_compressed_file(const std::filesystem::path& file, std::uint64_t max_bytes,
                              const std::function<Result<>(std::string_view)>& sink);

/// Text that may be compressed so: `bytes` themselves, or what they unpack to. kInvalid for more than `max_bytes`.
Result<std::string> plain_text(std::string bytes, std::string_view source, std::uint64_t max_bytes);

}  // namespace nacre::codec
