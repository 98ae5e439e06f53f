#include "apk/index_pieces.h"

#include "apk/index_file.h"
#include "apk/segment.h"
#include "codec/digest.h"
#include "codec/gzip.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace nacre::apk {
namespace {

SegmentSigner fake_signer() {
  return [](std::string_view bytes) -> Result<SegmentSignature> {
    return SegmentSignature{"test.rsa.pub", codec::sha512(bytes)};
  };
}

IndexRecord record_of(const std::string& name, const std::string& version) {
  IndexRecord out;
  out.name = name;
  out.version = version;
  out.arch = "x86_64";
  out.checksum = "Q1" + name + version;
  out.description = "The package " + name;
  out.depends = {"so:libc.so.6", name + "-base"};
  return out;
}

std::vector<IndexRecord> many(int count) {
  std::vector<IndexRecord> out;
  for (int i = 0; i < count; ++i)
    for (int version = 0; version <= i % 3; ++version)
      out.push_back(record_of(fmt::format("package{:05}", i * 7 % count), fmt::format("1.{}-r0", version)));
  std::sort(out.begin(), out.end(), comes_before);
  return out;
}

/// What editing `before` gives, or the error.
std::string edited(const std::vector<IndexRecord>& before, const std::vector<IndexRecord>& added,
                   const std::vector<IndexRecord>& removed) {
  const std::string member = *pack_index(before, "greetings", {});
  auto pieces = IndexPieces::open(member, "APKINDEX.tar.gz");
  if (!pieces) return pieces.error().render();
  if (!*pieces) return "no pieces";
  EXPECT_EQ((*pieces)->record_count(), before.size());
  EXPECT_EQ((*pieces)->description(), "greetings");
  auto out = (*pieces)->edited(added, removed, fake_signer());
  return out ? *out : out.error().render();
}

/// Short in failures.
std::string digest(const std::string& bytes) {
  return bytes.starts_with("\x1f\x8b") ? codec::sha256(bytes).hex() : bytes;
}

TEST(IndexPieces, AnEditIsWhatWritingAllGives) {
  std::mt19937 random(1);
  std::vector<IndexRecord> all;
  for (int round = 0; round < 60; ++round) {
    const std::vector<IndexRecord> before = all;
    std::vector<IndexRecord> added, removed;
    const int come = round % 10 == 0 ? 400 : static_cast<int>(random() % 5);
    for (int i = 0; i < come; ++i) {
      const IndexRecord record =
          record_of(fmt::format("p{:x}", random() % 3000), fmt::format("{}-r{}", random() % 3, random() % 2));
      if (std::find(all.begin(), all.end(), record) != all.end()) continue;
      all.push_back(record);
      added.push_back(record);
    }
    const int go = round % 10 == 5 ? 300 : static_cast<int>(random() % 4);
    for (int i = 0; i < go && !before.empty(); ++i) {
      const IndexRecord& record = before[random() % before.size()];
      const auto at = std::find(all.begin(), all.end(), record);
      if (at == all.end()) continue;
      removed.push_back(record);
      all.erase(at);
    }
    std::sort(all.begin(), all.end(), comes_before);
    ASSERT_EQ(digest(edited(before, added, removed)), digest(*pack_index(all, "greetings", fake_signer())))
        << "round " << round << ", " << added.size() << " more, " << removed.size() << " less of " << before.size();
  }
}

TEST(IndexPieces, EdgesOfPieces) {
  const std::vector<IndexRecord> before = many(2000);
  const std::string member = *pack_index(before, "greetings", {});
  const auto parts = codec::split_pieces(member);
  ASSERT_TRUE(parts);
  // 2,000 names that differ in their last letters alone: about 2,000 / 64 pieces.
  ASSERT_GT(parts->size(), 15u);
  ASSERT_LT(parts->size(), 80u);
  // Names that begin a piece: without them, and with something just before.
  std::size_t at = 0;
  for (std::size_t piece = 1; piece + 1 < parts->size() && piece < 12; at += (*parts)[piece++].items) {
    const std::string& name = before[at].name;
    const std::vector<IndexRecord> added = {record_of(name + "+", "1-r0"),
                                            record_of(name.substr(0, name.size() - 1), "1-r0")};
    std::vector<IndexRecord> removed, after = added;
    for (const IndexRecord& record : before) (record.name == name ? removed : after).push_back(record);
    std::sort(after.begin(), after.end(), comes_before);
    EXPECT_EQ(digest(edited(before, added, removed)), digest(*pack_index(after, "greetings", fake_signer()))) << piece;
  }
  EXPECT_EQ(digest(edited(before, {}, before)), digest(*pack_index({}, "greetings", fake_signer())));
  EXPECT_EQ(digest(edited({}, before, {})), digest(*pack_index(before, "greetings", fake_signer())));
  EXPECT_EQ(edited(before, {}, {record_of("nobody", "1-r0")}),
            "the index 'APKINDEX.tar.gz' has no nobody-1-r0 to remove");
}

TEST(IndexPieces, OnlyTheChangedPieceIsOther) {
  const std::vector<IndexRecord> before = many(2000);
  const std::string older = *pack_index(before, "greetings", {});
  std::vector<IndexRecord> all = before;
  all.push_back(record_of("package00500a", "1-r0"));
  std::sort(all.begin(), all.end(), comes_before);
  const std::string newer = *pack_index(all, "greetings", {});
  const auto was = codec::split_pieces(older), is = codec::split_pieces(newer);
  ASSERT_TRUE(was && is);
  std::set<std::string_view> known;
  for (const codec::GzipPieceView& piece : *was) known.insert(piece.bytes);
  std::size_t other = 0;
  for (const codec::GzipPieceView& piece : *is) other += known.contains(piece.bytes) ? 0 : 1;
  EXPECT_LE(other, 3u);  // the head with the size, the text, and the padding before the tail
}

TEST(IndexPieces, NamesAreFound) {
  const std::vector<IndexRecord> before = many(1000);
  const std::string member = *pack_index(before, "greetings", {});
  auto pieces = IndexPieces::open(member, "x");
  ASSERT_TRUE(pieces && *pieces);
  for (std::size_t i = 0; i < before.size(); i += 7) {
    const auto found = (*pieces)->named(before[i].name);
    ASSERT_TRUE(found) << found.error().render();
    std::vector<IndexRecord> wanted;
    for (const IndexRecord& record : before)
      if (record.name == before[i].name) wanted.push_back(record);
    EXPECT_EQ(*found, wanted);
  }
  for (const char* name : {"", "a", "package", "package00000x", "zzz"}) {
    const auto found = (*pieces)->named(name);
    ASSERT_TRUE(found) << found.error().render();
    EXPECT_TRUE(found->empty()) << name;
  }
}

TEST(IndexPieces, OtherIndexesHaveNone) {
  const auto has = [](const std::string& bytes) {
    const auto pieces = IndexPieces::open(bytes, "x");
    return pieces && *pieces;
  };
  std::vector<IndexRecord> records = many(100);
  EXPECT_TRUE(has(*pack_index(records, "", {})));
  std::swap(records[3], records[50]);
  const std::string unsorted = *pack_index(records, "", {});
  EXPECT_FALSE(has(unsorted));
  const auto read = read_index(unsorted, "x");
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_EQ(read->records, records);
  EXPECT_FALSE(has(*pack_files({{"APKINDEX", write_index(records)}, {"DESCRIPTION", ""}}, 0, "",
                               Ending::kZeroBlocks)));
  EXPECT_FALSE(has(""));
}

}  // namespace
}  // namespace nacre::apk
