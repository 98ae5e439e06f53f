#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::codec {

/// A part of a gzip member that refers to nothing before it and ends on a byte: it can be inflated, kept and replaced
/// alone. Its bytes depend on its text and on zlib alone.
struct GzipPiece {
  std::string bytes;       ///< Raw deflate, ended with a full flush.
  std::uint32_t size = 0;  ///< Of the text.
  std::uint32_t crc = 0;   ///< Of the text, as gzip has it.
  std::uint32_t items = 0; ///< Whatever the caller counts; of the text, too.
};

/// Compresses each text into a piece, several at once. Texts are shorter than 4 GiB.
std::vector<GzipPiece> deflate_pieces(std::span<const std::string_view> texts);

/// Where a piece lies in a member: `bytes` is a part of it.
struct GzipPieceView {
  std::string_view bytes;
  std::uint32_t size = 0, crc = 0, items = 0;
};
GzipPieceView view_of(const GzipPiece& piece);

/// One gzip member of these pieces, which any reader of gzip inflates. `table`: its header says where the pieces are,
/// in an extra field (RFC 1952, 2.3.1.1; left out when it would be longer than 64 KiB: from 4,096 pieces on).
enum class PieceTable { kNo, kYes };
std::string join_pieces(std::span<const GzipPieceView> pieces, PieceTable table);

/// The pieces of a member that join_pieces() wrote with a table; nothing for any other bytes. Not a check: what a piece
/// holds is looked at when it is inflated.
std::optional<std::vector<GzipPieceView>> split_pieces(std::string_view member);

/// The text of a piece. kInvalid when it is not what the table says.
Result<std::string> inflate_piece(const GzipPieceView& piece);
/// The first bytes of its text, at most `max_bytes`, not checked.
Result<std::string> inflate_beginning(const GzipPieceView& piece, std::size_t max_bytes);

}  // namespace nacre::codec
