#include "solve/pool.h"

#include <gtest/gtest.h>

#include <cstring>

namespace nacre::solve {
namespace {

Pool sample() {
  Pool out;
  apk::IndexRecord record;
  record.name = "a";
  record.version = "1-r0";
  record.checksum = "Q1a";
  record.depends = {"b>=2", "!c@tag"};
  record.provides = {"cmd:a=1-r0", "x"};
  record.install_if = {"b", "x"};
  out.add(record, 0);
  out.add(record, 1);
  record = {};
  record.name = "b";
  record.version = "2";
  record.provides = {"x=1"};
  out.add(record, 1);
  out.finish();
  return out;
}

/// Bytes at an address that a pool may be read from.
class Aligned {
 public:
  explicit Aligned(const std::string& bytes) : words_(bytes.size() / 8 + 1), size_(bytes.size()) {
    std::memcpy(words_.data(), bytes.data(), bytes.size());
  }
  char& operator[](std::size_t at) { return reinterpret_cast<char*>(words_.data())[at]; }
  std::string_view view() const { return {reinterpret_cast<const char*>(words_.data()), size_}; }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t size_;
};

void expect_sample(const Pool& pool) {
  ASSERT_EQ(pool.packages().size(), 2u);
  const PoolPackage& a = pool.packages()[0];
  EXPECT_EQ(pool.text(a.version), "1-r0");
  EXPECT_EQ(a.sources, 3u);
  ASSERT_EQ(a.depends.count, 2u);
  EXPECT_EQ(pool.text(pool.atoms(a.depends)[0].version), "2");
  EXPECT_EQ(pool.atoms(a.depends)[0].op, unsigned{apk::kGreater} | apk::kEqual);
  EXPECT_EQ(pool.text(pool.atoms(a.depends)[1].tag), "tag");
  ASSERT_NE(pool.find("x"), kNone);
  const PoolName& x = pool.names()[pool.find("x")];
  ASSERT_EQ(x.offers.count, 2u);
  EXPECT_EQ(pool.offers(x)[0].versioned, 0);
  EXPECT_EQ(pool.offers(x)[1].versioned, 1);
  ASSERT_EQ(x.companions.count, 1u);
  EXPECT_EQ(pool.companions(x)[0], 0u);
  EXPECT_EQ(pool.find("nobody"), kNone);
  EXPECT_EQ(pool.packages()[1].record, 2u);
}

TEST(Pool, IsTheSameInMemoryAndAsBytes) {
  const Pool pool = sample();
  expect_sample(pool);
  const Aligned bytes(pool.to_bytes());
  const auto mapped = Pool::from_bytes(bytes.view());
  ASSERT_TRUE(mapped) << mapped.error().render();
  expect_sample(*mapped);
  EXPECT_EQ(mapped->to_bytes(), pool.to_bytes());
}

TEST(Pool, AnEmptyOneIsOneToo) {
  Pool pool;
  pool.finish();
  EXPECT_EQ(pool.find("a"), kNone);
  const Aligned bytes(pool.to_bytes());
  EXPECT_TRUE(Pool::from_bytes(bytes.view()));
}

TEST(Pool, RefusesWhatPointsOutside) {
  const std::string good = sample().to_bytes();
  for (std::size_t size = 0; size < good.size(); size += 7)
    EXPECT_FALSE(Pool::from_bytes(Aligned(good.substr(0, size)).view())) << size;
  std::size_t refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    Aligned bytes(good);
    bytes[at] = static_cast<char>(0xff);
    const auto pool = Pool::from_bytes(bytes.view());
    refused += pool ? 0 : 1;
    if (!pool) continue;
    for (const PoolName& name : pool->names()) (void)pool->find(pool->text(name.text));  // stays inside
    for (const PoolPackage& package : pool->packages()) (void)pool->atoms(package.depends).size();
  }
  EXPECT_GT(refused, 100u);
}

}  // namespace
}  // namespace nacre::solve
