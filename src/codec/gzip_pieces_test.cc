#include "codec/gzip_pieces.h"

#include "codec/gzip.h"

#include <gtest/gtest.h>

namespace nacre::codec {
namespace {

std::vector<GzipPieceView> views(const std::vector<GzipPiece>& pieces) {
  std::vector<GzipPieceView> out;
  for (const GzipPiece& piece : pieces) out.push_back(view_of(piece));
  return out;
}

std::vector<std::string> some_texts() {
  std::vector<std::string> out = {"", "a", std::string(100'000, 'x')};
  for (int i = 0; i < 40; ++i) {
    std::string text;
    for (int j = 0; j < 200 * i; ++j) text += static_cast<char>((j * j + i) % 251);
    out.push_back(text);
  }
  return out;
}

TEST(GzipPieces, AreOneMemberForEverybody) {
  const std::vector<std::string> texts = some_texts();
  const std::vector<std::string_view> given(texts.begin(), texts.end());
  std::string all;
  for (const std::string& text : texts) all += text;
  const std::vector<GzipPiece> pieces = deflate_pieces(given);
  for (const PieceTable table : {PieceTable::kNo, PieceTable::kYes}) {
    const std::string member = join_pieces(views(pieces), table);
    std::size_t members = 0;
    std::string read;
    GzipReader reader({[&](std::string_view bytes) -> Result<> {
                         read += bytes;
                         return {};
                       },
                       [&](std::size_t, std::uint64_t end) -> Result<> {
                         EXPECT_EQ(end, member.size());
                         ++members;
                         return {};
                       }},
                      all.size());
    ASSERT_TRUE(reader.push(member));
    ASSERT_TRUE(reader.finish());
    EXPECT_EQ(read, all);
    EXPECT_EQ(members, 1u);
  }
}

TEST(GzipPieces, AreFoundAndReadAlone) {
  const std::vector<std::string> texts = some_texts();
  std::vector<GzipPiece> pieces = deflate_pieces(std::vector<std::string_view>(texts.begin(), texts.end()));
  for (std::size_t i = 0; i < pieces.size(); ++i) pieces[i].items = static_cast<std::uint32_t>(i);
  const std::string member = join_pieces(views(pieces), PieceTable::kYes);
  const auto found = split_pieces(member);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto text = inflate_piece((*found)[i]);
    ASSERT_TRUE(text) << text.error().render();
    EXPECT_EQ(*text, texts[i]);
    EXPECT_EQ((*found)[i].items, i);
    const auto head = inflate_beginning((*found)[i], 10);
    ASSERT_TRUE(head);
    EXPECT_EQ(*head, texts[i].substr(0, 10));
  }
  // The same pieces give the same bytes, wherever they come from.
  EXPECT_EQ(join_pieces(*found, PieceTable::kYes), member);
}

TEST(GzipPieces, OtherMembersHaveNone) {
  const std::vector<std::string_view> texts = {"one", "two"};
  const std::vector<GzipPiece> pieces = deflate_pieces(texts);
  const std::string member = join_pieces(views(pieces), PieceTable::kYes);
  EXPECT_TRUE(split_pieces(member));
  EXPECT_FALSE(split_pieces(join_pieces(views(pieces), PieceTable::kNo)));
  EXPECT_FALSE(split_pieces(*gzip("onetwo")));
  EXPECT_FALSE(split_pieces(member + "x"));
  for (std::size_t size = 0; size < member.size(); ++size) EXPECT_FALSE(split_pieces(member.substr(0, size)));
  // More than the table's room: a member without one.
  const std::vector<std::string_view> many(4096, "x");
  EXPECT_FALSE(split_pieces(join_pieces(views(deflate_pieces(many)), PieceTable::kYes)));
  EXPECT_TRUE(split_pieces(join_pieces(views(deflate_pieces(std::span(many).first(4095))), PieceTable::kYes)));
}

TEST(GzipPieces, APieceThatLiesIsRefused) {
  const std::vector<std::string_view> texts = {"one", "three"};
  const std::string member = join_pieces(views(deflate_pieces(texts)), PieceTable::kYes);
  constexpr std::size_t kRows = 16;  // header, length of the extra field, its own header
  int refused = 0;
  for (std::size_t at = kRows; at < member.size() - 10; ++at) {
    std::string changed = member;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    const auto found = split_pieces(changed);
    if (!found) {
      ++refused;
      continue;
    }
    for (std::size_t i = 0; i < found->size(); ++i) {
      const auto text = inflate_piece((*found)[i]);
      if (!text) ++refused;
      else EXPECT_EQ(*text, texts[i]) << at;
    }
  }
  EXPECT_GT(refused, 20);
}

}  // namespace
}  // namespace nacre::codec
