#include "codec/digest_pair.h"

#include "codec/digest.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>

namespace nacre::codec {
namespace {

TEST(DigestPair, IsWhatTheOrdinaryDigestSays) {
  std::mt19937 chance(1);
  std::string bytes(300'000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(chance());
  for (const std::size_t offset : {0, 1, 63, 64, 65, 127, 1000, 4096, 99'999}) {
    for (const std::size_t piece : {1, 13, 64, 100, 1000, 4096, 1 << 20}) {
      if (piece == 1 && offset != 65) continue;
      DigestPair pair;
      pair.update_first(std::string_view(bytes).substr(0, offset));
      for (std::size_t at = offset; at < bytes.size(); at += piece)
        pair.update_both(std::string_view(bytes).substr(at, piece));
      EXPECT_EQ(pair.first(), sha256(bytes)) << offset << " " << piece;
      EXPECT_EQ(pair.second(), sha256(std::string_view(bytes).substr(offset))) << offset << " " << piece;
    }
  }
}

TEST(DigestPair, GoesOnAfterItWasAsked) {
  DigestPair pair;
  EXPECT_EQ(pair.first(), sha256(""));
  pair.update_both("abc");
  pair.update_second("d");
  EXPECT_EQ(pair.second_with("ef"), sha256("abcdef"));
  EXPECT_EQ(pair.second(), sha256("abcd"));
  const std::string more(1000, 'x');
  pair.update_both(more);
  EXPECT_EQ(pair.first(), sha256("abc" + more));
  EXPECT_EQ(pair.second(), sha256("abcd" + more));
}

TEST(DigestPair, CountsBeyond4GiBOfBits) {
  if (std::getenv("NACRE_TEST_LARGE") == nullptr) GTEST_SKIP() << "set NACRE_TEST_LARGE=1: it hashes 600 MiB";
  const std::string piece(6 << 20, 'n');
  DigestPair pair;
  Hasher hasher;
  for (int i = 0; i < 100; ++i) {
    pair.update_both(piece);
    hasher.update(piece);
  }
  const Sha256 expected = hasher.finish_sha256();
  EXPECT_EQ(pair.first(), expected);
  EXPECT_EQ(pair.second(), expected);
}

}  // namespace
}  // namespace nacre::codec
