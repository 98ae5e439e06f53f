#include "build/fetch.h"

#include "codec/digest.h"

#include <gtest/gtest.h>

namespace nacre::build {
namespace {

const std::string kHex(64, 'a');

TEST(SourcesLock, IsReadAsItWasWritten) {
  std::vector<LockedSource> sources(3);
  sources[0] = {"zlib_1.3.2.orig.tar.gz",
                codec::sha256("z"),
                1234,
                "https://zlib.net/zlib-1.3.2.tar.gz",
                "pool/main/z/zlib/zlib_1.3.2.orig.tar.gz",
                {"forky", "sid"},
                true,
                {"zlib"}};
  sources[1] = {"b c: \"d\".tar",
                codec::sha256("b"),
                18446744073709551615u,
                "https://x/?a=b#c",
                "",
                {},
                false,
                {"b", "zlib"}};
  sources[2] = {"null", codec::sha256("a"), 0, "", "", {}, false, {}};
  const std::string text = write_sources_lock(sources);
  const auto read = parse_sources_lock(text, "lock");
  ASSERT_TRUE(read) << read.error().render() << "\n" << text;
  ASSERT_EQ(read->size(), 3u);
  EXPECT_EQ((*read)[0].file, "null") << "sorted by first user";
  EXPECT_EQ((*read)[1].file, sources[1].file);
  EXPECT_EQ((*read)[1].size_bytes, sources[1].size_bytes);
  EXPECT_EQ((*read)[1].uri, sources[1].uri);
  EXPECT_EQ((*read)[2].debian_pool, sources[0].debian_pool);
  EXPECT_EQ((*read)[2].debian_suites, sources[0].debian_suites);
  EXPECT_TRUE((*read)[2].repacked);
  EXPECT_EQ(write_sources_lock(*read), text);
  EXPECT_EQ(parse_sources_lock(write_sources_lock({}), "lock")->size(), 0u);
}

struct Fault {
  const char* name;
  std::string text, message;
};
class SourcesLockFault : public testing::TestWithParam<Fault> {};

TEST_P(SourcesLockFault, SaysWhereAndWhat) {
  const auto read = parse_sources_lock(GetParam().text, "lock");
  EXPECT_EQ(read ? "no error" : read.error().render(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    , SourcesLockFault,
    testing::Values(
        Fault{"Field", "sources:\n  - fil: x\n",
              "lock:2:5: unknown field 'fil'\n  hint: did you mean 'file'?"},
        Fault{"Missing", "sources:\n  - file: x\n    size: 1\n",
              "lock:2:5: a source has no 'sha256'"},
        Fault{"Digest", "sources:\n  - file: x\n    sha256: abc\n",
              "lock:3:13: expected 64 hexadecimal digits, got 'abc'\n  while reading 'sha256'"},
        Fault{"Size", "sources:\n  - size: 1k\n",
              "lock:2:11: expected a number of bytes, got '1k'\n  while reading 'size'"},
        Fault{"Outside", "sources:\n  - debian-pool: pool/../../x\n",
              "lock:2:18: expected a path below the archive's base, got 'pool/../../x'\n"
              "  while reading 'debian-pool'"},
        Fault{"Folder", "sources:\n  - file: a/b\n",
              "lock:2:11: expected a file name, got 'a/b'\n  while reading 'file'"},
        Fault{"Bool", "sources:\n  - repacked: yes\n",
              "lock:2:15: expected true or false, got 'yes'\n  while reading 'repacked'"},
        Fault{"Twice",
              "sources:\n  - {file: a, size: 1, sha256: " + kHex +
                  "}\n  - {file: b, size: 1, sha256: " + kHex + "}\n",
              "lock:3:5: digest " + kHex +
                  " is already locked in line 2\n  hint: one file, one entry: list its users in "
                  "'used-by'"},
        Fault{"Top", "source: []\n", "lock:1:1: unknown field 'source'"}),
    [](const auto& fault) { return fault.param.name; });

}  // namespace
}  // namespace nacre::build
