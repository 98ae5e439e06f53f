#include "apk/mapped_index.h"

#include "apk/index_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace nacre::apk {
namespace {

constexpr std::string_view kText =
    "C:Q1a\nP:zlib\nV:1.3.1-r0\nA:x86_64\nS:10\nI:20\nT:data compression\n"
    "U:https://zlib.net\nL:Zlib\no:zlib\nm:me\nt:5\nc:abc\n"
    "D:so:libc.so.6 !zlib-ng\np:so:libz.so.1=1.3.1 pc:zlib=1.3.1-r0\nk:7\n\n"
    "C:Q1b\nP:curl\nV:8.1-r0\nA:x86_64\nT:\nt:0\nD:zlib>=1.3 so:libz.so.1@edge\ni:zlib curl-base\n\n"
    "C:Q1c\nP:zlib-ng\nV:2-r0\nA:noarch\nT:\nt:0\np:zlib=1.2.99 zlib-compat\n\n";

Sha256 digest(std::uint8_t fill) {
  Sha256 out;
  out.bytes.fill(fill);
  return out;
}

/// Bytes that begin at a multiple of 8, as a mapping does.
struct Aligned {
  std::vector<std::uint64_t> words;
  std::size_t size = 0;
  explicit Aligned(std::string_view bytes) : words(bytes.size() / 8 + 1), size(bytes.size()) {
    std::memcpy(words.data(), bytes.data(), bytes.size());
  }
  std::string_view view() const { return {reinterpret_cast<const char*>(words.data()), size}; }
  char* bytes() { return reinterpret_cast<char*>(words.data()); }
};

std::string segment_of(std::string_view text, const Sha256& describes, const MappedIndex* under = nullptr,
                       const std::vector<PackageNumber>& removed = {}) {
  SegmentWriter writer(describes, under);
  const auto scanned = scan_index(text, "test", [&](const RecordView& record) { return writer.add(record); });
  EXPECT_TRUE(scanned) << scanned.error().render();
  for (const PackageNumber package : removed) writer.remove(package);
  auto bytes = writer.finish();
  EXPECT_TRUE(bytes) << bytes.error().render();
  return *bytes;
}

std::vector<IndexRecord> records_of(const MappedIndex& index) {
  std::vector<IndexRecord> out;
  for (PackageNumber i = 0; i < index.package_count(); ++i)
    if (index.has(i)) out.push_back(to_record(index.record(i)));
  return out;
}

std::string offers_of(const MappedIndex& index, std::string_view name) {
  std::string out;
  for (const Offer& offer : index.offers(index.find(name)))
    out += fmt::format("{}{}={} ", offer.own ? "" : "*", index.record(offer.package).name, offer.version);
  return out;
}

std::string texts(const MappedIndex& index, const std::vector<AtomView>& atoms) {
  std::string out;
  for (const AtomView& atom : atoms) out += fmt::format("{}|{} ", index.name(atom.name), atom.text);
  return out;
}

TEST(MappedIndex, HoldsWhatTheTextSays) {
  const Aligned bytes(segment_of(kText, digest(1)));
  const auto index = MappedIndex::open({bytes.view()});
  ASSERT_TRUE(index) << index.error().render();
  EXPECT_EQ(records_of(*index), *parse_index(kText, "text"));
  EXPECT_EQ(index->describes(), digest(1));
  EXPECT_EQ(offers_of(*index, "zlib"), "zlib=1.3.1-r0 *zlib-ng=1.2.99 ");
  EXPECT_EQ(offers_of(*index, "so:libz.so.1"), "*zlib=1.3.1 ");
  EXPECT_EQ(offers_of(*index, "zlib-compat"), "*zlib-ng= ");
  EXPECT_EQ(offers_of(*index, "curl-base"), "");
  EXPECT_NE(index->find("curl-base"), kNoNumber);  // asked for, given by nobody
  EXPECT_EQ(index->find("unheard"), kNoNumber);
  EXPECT_EQ(texts(*index, index->depends(0)), "so:libc.so.6|so:libc.so.6 zlib-ng|!zlib-ng ");
  EXPECT_EQ(texts(*index, index->depends(1)), "zlib|zlib>=1.3 so:libz.so.1|so:libz.so.1@edge ");
  EXPECT_EQ(texts(*index, index->provides(0)), "so:libz.so.1|so:libz.so.1=1.3.1 pc:zlib|pc:zlib=1.3.1-r0 ");
  EXPECT_EQ(texts(*index, index->install_if(1)), "zlib|zlib curl-base|curl-base ");
  EXPECT_EQ(index->find_package("zlib", "1.3.1-r0", "x86_64"), 0u);
  EXPECT_EQ(index->find_package("zlib", "1.3.1-r0", "aarch64"), kNoNumber);
  EXPECT_EQ(index->find_package("zlib", "1.2.99", "noarch"), kNoNumber);  // a provide is no package
}

TEST(MappedIndex, GrowsAndShrinksBySegments) {
  const Aligned first(segment_of(kText, digest(1)));
  const auto before = MappedIndex::open({first.view()});
  ASSERT_TRUE(before);
  const Aligned second(segment_of("C:Q1d\nP:zlib\nV:1.3.2-r0\nA:x86_64\nT:\nt:0\n"
                                  "D:new so:libc.so.6\np:so:libz.so.1=1.3.2\n\n", digest(2),
                                  &*before, {0}));
  EXPECT_LT(second.size, 1000u);
  const auto index = MappedIndex::open({first.view(), second.view()});
  ASSERT_TRUE(index) << index.error().render();
  EXPECT_EQ(index->describes(), digest(2));
  EXPECT_EQ(index->package_count(), 4u);
  EXPECT_FALSE(index->has(0));
  EXPECT_EQ(offers_of(*index, "zlib"), "*zlib-ng=1.2.99 zlib=1.3.2-r0 ");
  EXPECT_EQ(offers_of(*index, "so:libz.so.1"), "*zlib=1.3.2 ");
  EXPECT_EQ(index->find("zlib"), before->find("zlib"));
  EXPECT_EQ(texts(*index, index->depends(3)), "new|new so:libc.so.6|so:libc.so.6 ");
  EXPECT_EQ(index->find_package("zlib", "1.3.1-r0", "x86_64"), kNoNumber);

  const auto alone = MappedIndex::open({second.view()});
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().render(), "the mapped index cannot be used: its segments do not follow each other");
  EXPECT_FALSE(MappedIndex::open({first.view(), first.view()}));
  EXPECT_FALSE(MappedIndex::open({}));
}

TEST(MappedIndex, AnyChangedByteIsSeen) {
  const std::string good = segment_of(kText, digest(1));
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    const Aligned bytes(bad);
    ASSERT_FALSE(MappedIndex::open({bytes.view()})) << "byte " << at;
  }
  for (std::size_t size = 0; size < good.size(); size += 7) {
    const Aligned bytes(good.substr(0, size));
    ASSERT_FALSE(MappedIndex::open({bytes.view()})) << size << " bytes";
  }
}

/// The checksum is no secret: whoever makes rows of his own must find every number checked.
TEST(MappedIndex, NumbersThatLieLeadNowhere) {
  const std::string good = segment_of(kText, digest(1));
  std::mt19937 random(7);
  int opened = 0;
  for (int round = 0; round < 3000; ++round) {
    Aligned bytes(good);
    for (int change = 0; change < 4; ++change) {
      const std::size_t word = 88 / 4 + random() % ((good.size() - 88) / 4);
      const std::uint32_t value = random() % 3 == 0 ? ~0u : static_cast<std::uint32_t>(random() % (good.size() + 9));
      std::memcpy(bytes.bytes() + word * 4, &value, 4);
    }
    seal_segment(bytes.bytes(), bytes.size);
    const auto index = MappedIndex::open({bytes.view()});
    if (!index) continue;
    ++opened;
    for (PackageNumber i = 0; i < std::min(index->package_count(), 100u); ++i) {
      (void)to_record(index->record(i));
      (void)texts(*index, index->depends(i));
      (void)texts(*index, index->provides(i));
      (void)texts(*index, index->install_if(i));
      (void)index->has(index->name_of(i));
    }
    for (NameNumber i = 0; i < std::min(index->name_count(), 100u); ++i)
      for (const Offer& offer : index->offers(index->find(index->name(i)))) (void)index->record(offer.package);
  }
  EXPECT_GT(opened, 100);
}

TEST(ScanIndex, KeepsItsLimits) {
  const auto take = [](const RecordView&) -> Result<> { return {}; };
  IndexLimits limits;
  limits.max_records = 2;
  auto over = scan_index(kText, "many", take, limits);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().render(), "many:27: the index holds more than 2 packages");
  const std::string endless = "C:Q1a\nP:x\nV:1\nA:a\nT:" + std::string(2u << 20, 'x');
  over = scan_index(endless, "endless", take);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().render(), "endless:5: a line of 2097154 bytes is longer than 1048576");
}

TEST(RecordView, GoesBothWays) {
  const auto records = parse_index(kText, "text");
  ASSERT_TRUE(records);
  RecordLists lists;
  for (const IndexRecord& record : *records) EXPECT_EQ(to_record(view_of(record, lists)), record);
}

}  // namespace
}  // namespace nacre::apk
