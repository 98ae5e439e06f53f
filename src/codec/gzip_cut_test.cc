#include "codec/gzip_cut.h"

#include "codec/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>

namespace nacre::codec {
namespace {

/// One gzip member by zlib alone, in one stream: what others' packages hold.
std::string zlib_gzip(const std::string& text, int level) {
  z_stream stream{};
  deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string words(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string out;
  while (out.size() < bytes) {
    const auto length = 1 + random() % 9;
    for (unsigned i = 0; i < length; ++i) out += static_cast<char>('a' + random() % 7);
    out += ' ';
  }
  out.resize(bytes);
  return out;
}

struct Cut {
  std::string whole;             ///< The member that was made.
  std::uint64_t kept_bytes = 0;  ///< Compressed bytes that stayed as they were.
};
std::optional<Cut> cut(const std::string& compressed, std::uint64_t keep, std::size_t piece) {
  std::uint64_t seen = 0;
  GzipCutter cutter(
      [&](std::string_view bytes) {
        seen += bytes.size();
        return Result<>{};
      },
      [&] { return keep; }, 1u << 30);
  for (std::size_t i = 0; i < compressed.size(); i += piece)
    EXPECT_TRUE(cutter.push(std::string_view(compressed).substr(i, piece)));
  const auto found = cutter.finish(keep);
  EXPECT_TRUE(found) << found.error().render();
  if (!found || !*found) return std::nullopt;
  return Cut{compressed.substr(0, (*found)->offset) + (*found)->ending, (*found)->offset};
}

TEST(GzipCut, KeepsWhatStandsBeforeTheLastBlock) {
  for (const int level : {1, 6, 9}) {
    const std::string text = words(900'000, static_cast<unsigned>(level));
    const std::string member = zlib_gzip(text + std::string(1024, '\0'), level);
    const std::optional<Cut> made = cut(member, text.size(), 4096);
    ASSERT_TRUE(made) << level;
    EXPECT_EQ(*gunzip(made->whole, 1u << 30), text) << level;
    EXPECT_GT(made->kept_bytes, member.size() / 2) << "most of it is not compressed again";
  }
}

TEST(GzipCut, IsTheSameHoweverItIsPushed) {
  const std::string text = words(300'000, 3);
  const std::string member = *gzip(text + std::string(10'240, '\0'));
  const std::optional<Cut> one = cut(member, text.size(), 1), all = cut(member, text.size(), member.size());
  ASSERT_TRUE(one && all);
  EXPECT_EQ(one->whole, all->whole);
  EXPECT_EQ(*gunzip(all->whole, 1u << 30), text);
}

TEST(GzipCut, EveryPlaceOfASmallMember) {
  const std::string text = words(3000, 5);
  const std::string member = zlib_gzip(text, 6);
  for (std::uint64_t keep = 0; keep <= text.size(); keep += 37) {
    const std::optional<Cut> made = cut(member, keep, 100);
    ASSERT_TRUE(made) << keep;
    EXPECT_EQ(*gunzip(made->whole, 1u << 20), text.substr(0, keep));
  }
}

TEST(GzipCut, SeveralMembersAndBrokenOnes) {
  const std::string member = *gzip("hello");
  EXPECT_FALSE(cut(member + member, 3, 1000)) << "several members are left alone";
  GzipCutter broken([](std::string_view) { return Result<>{}; }, [] { return std::uint64_t{0}; }, 100);
  EXPECT_FALSE(broken.push("this is no gzip stream"));
  GzipCutter bomb([](std::string_view) { return Result<>{}; }, [] { return std::uint64_t{0}; }, 100);
  EXPECT_FALSE(bomb.push(*gzip(std::string(1000, 'a'))));
  GzipCutter early([](std::string_view) { return Result<>{}; }, [] { return std::uint64_t{0}; }, 100);
  EXPECT_TRUE(early.push(std::string_view(member).substr(0, 12)));
  EXPECT_FALSE(early.finish(0));
}

}  // namespace
}  // namespace nacre::codec
