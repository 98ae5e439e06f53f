#pragma once

#include "base/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace nacre::codec {

using Sink = std::function<Result<>(std::string_view bytes)>;

/// Writes one gzip member: mtime 0, no name, OS 255. The bytes depend on the input and the level alone, never on
/// how it was cut into pieces or how many threads work: input is cut into fixed blocks of 1 MiB, each primed
/// with the 32 KiB before it and ended with a sync flush (as pigz does), compressed in parallel.
/// Keep the block size and the library for ever: other bytes mean other package digests (docs/decisions).
///
/// With Form::kMembers each block is a member of its own, written by libdeflate: two to three times as fast.
class GzipWriter {
 public:
  enum class Form { kStream, kMembers };
  struct Options {
    int level = 6;
    int threads = 0;  ///< 0: as many as there are cores.
    Form form = Form::kStream;
  };
  GzipWriter(Sink out, Options options);
  explicit GzipWriter(Sink out) : GzipWriter(std::move(out), Options{}) {}
  ~GzipWriter();
  GzipWriter(GzipWriter&&) noexcept;
  Result<> write(std::string_view bytes);
  Result<> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One member in memory.
Result<std::string> gzip(std::string_view bytes, int level = 6);

/// The gzip member of 1,024 zero bytes that ends a layer made of package segments (design, decision 3).
std::string_view gzip_tar_end();

/// Inflates concatenated members pushed in pieces, telling where each begins and ends.
class GzipReader {
 public:
  struct Visitor {
    std::function<Result<>(std::string_view bytes)> on_data;
    /// After the last byte of a member: its index from 0 and the offset just past it in the compressed stream.
    std::function<Result<>(std::size_t member, std::uint64_t end_offset)> on_member_end;
  };
  /// kInvalid once more than `max_bytes` came out, or on anything that is not gzip.
  GzipReader(Visitor visitor, std::uint64_t max_bytes);
  ~GzipReader();
  GzipReader(GzipReader&&) noexcept;
  Result<> push(std::string_view bytes);
  Result<> finish();  ///< kInvalid when the stream stopped inside a member.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// All members of `bytes`, inflated and joined.
Result<std::string> gunzip(std::string_view bytes, std::uint64_t max_bytes);

}  // namespace nacre::codec
