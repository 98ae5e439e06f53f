#include "base/encoding.h"
#include "codec/crc.h"
#include "codec/digest.h"
#include "codec/gzip.h"
#include "codec/json.h"
#include "codec/tar.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace nacre::codec {
namespace {

std::string noise(std::size_t size) {
  std::string out;
  unsigned state = 1;
  while (out.size() < size) {
    state = state * 1664525 + 1013904223;
    out += static_cast<char>(state >> 24);
    if (state % 7 == 0) out += "the same words again and again ";
  }
  out.resize(size);
  return out;
}

TEST(Digest, KnownValues) {
  EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Crc, KnownValues) {
  EXPECT_EQ(~crc32(Crc::kIeee, "123456789"), 0xcbf43926u);
  EXPECT_EQ(~crc32(Crc::kCastagnoli, "123456789"), 0xe3069283u);
  EXPECT_EQ(~crc32(Crc::kIeee, "6789", crc32(Crc::kIeee, "12345")), 0xcbf43926u);
}

std::string pieces(const std::string& text, std::size_t step, int threads) {
  std::string out;
  GzipWriter::Options options;
  options.threads = threads;
  GzipWriter writer([&](std::string_view bytes) -> Result<> { out.append(bytes); return {}; }, options);
  for (std::size_t at = 0; at < text.size(); at += step)
    EXPECT_TRUE(writer.write(std::string_view(text).substr(at, step)));
  EXPECT_TRUE(writer.finish());
  return out;
}

TEST(Gzip, BytesDependOnInputAlone) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1} << 20, (std::size_t{3} << 20) + 17}) {
    const std::string text = noise(size);
    const std::string whole = pieces(text, size + 1, 1);
    EXPECT_EQ(whole, pieces(text, 4097, 4)) << size;
    EXPECT_EQ(*gunzip(whole, size), text);
  }
}

TEST(Gzip, MembersDependOnInputAlone) {
  const auto members = [](const std::string& text, std::size_t piece, int threads) {
    std::string out;
    GzipWriter writer(
        [&](std::string_view bytes) {
          out.append(bytes);
          return Result<>{};
        },
        {.level = 5, .threads = threads, .form = GzipWriter::Form::kMembers});
    for (std::size_t at = 0; at < text.size(); at += piece)
      EXPECT_TRUE(writer.write(std::string_view(text).substr(at, piece)));
    EXPECT_TRUE(writer.finish());
    return out;
  };
  for (const std::size_t size : {std::size_t{0}, std::size_t{1} << 20, (std::size_t{3} << 20) + 17}) {
    const std::string text = noise(size), whole = members(text, size + 1, 1);
    EXPECT_EQ(whole, members(text, 4097, 2)) << size;
    EXPECT_EQ(whole, members(text, 100'000, 7)) << size;
    EXPECT_EQ(*gunzip(whole, size), text);
  }
}

TEST(Gzip, IsReadAlikeHoweverItIsPushed) {
  const std::string text = noise(300'000), both = *gzip(text) + *gzip("more");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, both.size()}) {
    std::string out;
    GzipReader reader({[&](std::string_view bytes) {
                         out += bytes;
                         return Result<>{};
                       },
                       {}},
                      1 << 20);
    for (std::size_t at = 0; at < both.size(); at += piece)
      ASSERT_TRUE(reader.push(std::string_view(both).substr(at, piece))) << piece;
    ASSERT_TRUE(reader.finish());
    EXPECT_EQ(out, text + "more") << piece;
  }
  std::string wrong = *gzip(text);
  wrong[wrong.size() - 6] = static_cast<char>(wrong[wrong.size() - 6] ^ 1);  // within the checksum
  EXPECT_EQ(gunzip(wrong, 1 << 20).error().render(), "gzip member 0 is broken: incorrect data check");
}

/// "text" after a header of these flags and fields, and its checksum when the flags ask for one.
std::string with_header(unsigned flags, std::string_view fields) {
  std::string out("\x1f\x8b\x08?\0\0\0\0\0\xff", 10);
  out[3] = static_cast<char>(flags);
  out += fields;
  if ((flags & 2) != 0) {
    const auto crc = static_cast<std::uint32_t>(
        ::crc32(0, reinterpret_cast<const Bytef*>(out.data()), static_cast<uInt>(out.size())));
    out += static_cast<char>(crc & 255);
    out += static_cast<char>(crc >> 8 & 255);
  }
  return out + gzip("text")->substr(10);
}

std::string inflated(const std::string& member, std::size_t piece) {
  std::string out;
  GzipReader reader({[&](std::string_view bytes) {
                       out += bytes;
                       return Result<>{};
                     },
                     {}},
                    100);
  for (std::size_t at = 0; at < member.size(); at += piece)
    if (const auto pushed = reader.push(std::string_view(member).substr(at, piece)); !pushed)
      return pushed.error().render();
  const auto finished = reader.finish();
  return finished ? out : finished.error().render();
}

TEST(Gzip, ReadsEveryHeaderInPiecesOfAnySize) {
  using namespace std::string_view_literals;
  const std::string broken = "gzip member 0 is broken: ";
  std::string bad_checksum = with_header(2, "");
  bad_checksum[10] = static_cast<char>(bad_checksum[10] ^ 1);
  const std::pair<std::string, std::string> rows[] = {
      {with_header(0, ""), "text"},
      {with_header(1, ""), "text"},
      {with_header(2, ""), "text"},
      {with_header(2 | 8, "name\0"sv), "text"},
      {with_header(4, "\3\0abc"sv), "text"},
      {with_header(4, "\0\0"sv), "text"},
      {with_header(2 | 4 | 8 | 16, "\1\0a\0a comment\0"sv), "text"},
      {bad_checksum, broken + "header crc mismatch"},
      {with_header(0x20, ""), broken + "unknown header flags set"},
      {with_header(8, "a name without end"), broken + "invalid block"},
      {"\x1f\x8b\x09", broken + "unknown compression method"},
      {"\x1f\x8c", broken + "incorrect header check"},
      {with_header(4, "\3\0abc"sv).substr(0, 14), "gzip stream stops inside member 0"},
      {with_header(0, "").substr(0, 10), "gzip stream stops inside member 0"},
  };
  for (const auto& [member, expected] : rows)
    for (std::size_t piece = 1; piece <= member.size(); ++piece)
      EXPECT_EQ(inflated(member, piece), expected) << to_hex(member) << " in pieces of " << piece;
}

TEST(Hasher, GoesOnApartFromItsCopy) {
  Hasher one;
  one.update("ab");
  Hasher other = one.clone();
  one.update("c");
  other.update("d");
  EXPECT_EQ(one.finish_sha256(), sha256("abc"));
  EXPECT_EQ(other.finish_sha256(), sha256("abd"));
}

TEST(Gzip, SaysWhereMembersEnd) {
  const std::string first = *gzip("one"), second = *gzip("two");
  std::vector<std::uint64_t> ends;
  GzipReader reader({{}, [&](std::size_t, std::uint64_t end) -> Result<> { ends.push_back(end); return {}; }}, 100);
  const std::string both = first + second;
  for (const char c : both) ASSERT_TRUE(reader.push({&c, 1}));
  ASSERT_TRUE(reader.finish());
  EXPECT_EQ(ends, (std::vector<std::uint64_t>{first.size(), first.size() + second.size()}));
}

TEST(Gzip, RefusesBombsAndBrokenStreams) {
  const std::string bomb = *gzip(std::string(1 << 20, 'x'));
  EXPECT_EQ(gunzip(bomb, 1000).error().render(), "gzip stream inflates to more than 1000 bytes");
  EXPECT_EQ(gunzip(bomb.substr(0, bomb.size() - 3), 1 << 20).error().render(), "gzip stream stops inside member 0");
  EXPECT_EQ(gunzip("plain text", 100).error().render(), "gzip member 0 is broken: incorrect header check");
  EXPECT_EQ(gunzip("", 100).error().render(), "gzip stream stops inside member 0");
}

struct Seen {
  std::vector<TarHeader> headers;
  std::vector<std::string> contents;
};

Result<Seen> read_tar(const std::string& bytes, TarLimits limits = {}) {
  Seen seen;
  TarReader reader({[&](const TarHeader& header) -> Result<> {
                      seen.headers.push_back(header);
                      seen.contents.emplace_back();
                      return {};
                    },
                    [&](std::string_view piece) -> Result<> {
                      seen.contents.back().append(piece);
                      return {};
                    }},
                   limits);
  for (std::size_t at = 0; at < bytes.size(); at += 7) TRY(reader.push(std::string_view(bytes).substr(at, 7)));
  TRY(reader.finish());
  return seen;
}

std::string entry(const TarHeader& header, const std::string& content = {}) {
  TarHeader sized = header;
  sized.size = content.size();
  return *tar_header(sized) + content + std::string(tar_padding(content.size()), '\0');
}

TEST(Tar, WhatIsWrittenIsRead) {
  const std::string deep = std::string(90, 'a') + "/" + std::string(90, 'b');
  const std::string very_deep = std::string(200, 'c') + "/" + std::string(120, 'd');
  const std::string bytes = entry({.path = "usr", .type = '5', .mode = 0755}) +
                            entry({.path = deep, .mode = 04755, .uname = "root", .mtime = 7,
                                   .pax = {{"APK-TOOLS.checksum.SHA1", "ab"}}}, "content") +
                            entry({.path = "link", .type = '2', .link = std::string(150, 'l')}) +
                            entry({.path = very_deep + "é"}, "x") + std::string(tar_end());
  const auto seen = read_tar(bytes);
  ASSERT_TRUE(seen) << seen.error().render();
  ASSERT_EQ(seen->headers.size(), 4u);
  EXPECT_EQ(seen->headers[1].path, deep);
  EXPECT_EQ(seen->headers[1].mode, 04755u);
  EXPECT_EQ(seen->headers[1].pax.at("APK-TOOLS.checksum.SHA1"), "ab");
  EXPECT_EQ(seen->contents[1], "content");
  EXPECT_EQ(seen->headers[2].link, std::string(150, 'l'));
  EXPECT_EQ(seen->headers[3].path, very_deep + "é");
}

TEST(Tar, ANameThatIsCutEndsInNoSlash) {
  // The record has the whole; a slash in the field would make a directory of a file for readers of old.
  const std::string path = std::string(99, 'a') + "/" + std::string(160, 'b');
  const std::string bytes = *tar_header({.path = path});
  const std::string field = bytes.substr(bytes.size() - 512, 100);
  EXPECT_EQ(field, std::string(99, 'a') + std::string(1, '\0'));
  const auto seen = read_tar(bytes);
  ASSERT_TRUE(seen) << seen.error().render();
  EXPECT_EQ(seen->headers.at(0).path, path);
}

TEST(Tar, TimesAreReadToTheNearestSecond) {
  const auto time_of = [](const std::string& record) {
    const auto seen = read_tar(entry({.path = "x", .mtime = 7, .pax = {{"mtime", record}}}));
    return seen ? seen->headers.at(0).mtime : -1;
  };
  EXPECT_EQ(time_of("1600000000"), 1600000000);
  EXPECT_EQ(time_of("1600000000.4999"), 1600000000);
  EXPECT_EQ(time_of("1600000000.5"), 1600000001);
  EXPECT_EQ(time_of("1600000000.75"), 1600000001);
  EXPECT_EQ(time_of("1600000000."), 1600000000);
}

TEST(Tar, RefusesWhatIsBroken) {
  std::string bytes = entry({.path = "a"}, "content");
  EXPECT_EQ(read_tar(bytes.substr(0, 600)).error().render(), "tar stops inside entry 1");
  std::string flipped = bytes;
  flipped[0] = 'b';
  EXPECT_EQ(read_tar(flipped).error().render(), "tar header 1 has a wrong checksum");
  TarLimits limits;
  limits.max_total_bytes = 3;
  EXPECT_EQ(read_tar(bytes, limits).error().render(), "tar holds more than 3 bytes");
  const std::string pax = entry({.path = "x", .type = 'x'}, "99 path=a\n");
  EXPECT_EQ(read_tar(pax + bytes).error().render(), "tar has a malformed PAX record");
}

TEST(Json, KeepsOrderAndGoesBothWays) {
  const std::string text = R"({"b":[1,-2.5,true,null,"ä\n"],"a":{"x":""}})";
  const auto json = parse_json(text, "t");
  ASSERT_TRUE(json) << json.error().render();
  EXPECT_EQ(to_json(*json), text);
  EXPECT_EQ(to_canonical_json(*json), R"({"a":{"x":""},"b":[1,-2.5,true,null,"ä\n"]})");
  EXPECT_EQ(to_pretty_json(Json().set("k", Json::array({1})), 2), "{\n  \"k\": [\n    1\n  ]\n}\n");
  EXPECT_EQ((*json)["b"].items().size(), 5u);
}

struct Fault {
  const char* text;
  const char* message;
};
class JsonFault : public testing::TestWithParam<Fault> {};
TEST_P(JsonFault, SaysWhereAndWhat) {
  const auto json = parse_json(GetParam().text, "f.json", {.max_bytes = 100, .max_depth = 3, .max_values = 5});
  ASSERT_FALSE(json);
  EXPECT_TRUE(json.error().render().find(GetParam().message) != std::string::npos) << json.error().render();
}
INSTANTIATE_TEST_SUITE_P(, JsonFault,
                         testing::Values(Fault{"{\"a\":1,\"a\":2}", "duplicate key 'a'"},
                                         Fault{"[[[[1]]]]", "nested deeper than 3"},
                                         Fault{"[1,2,3,4,5,6]", "more than 5 values"},
                                         Fault{"{\n\"a\": x}", "f.json:2:6: "}, Fault{"", "f.json"},
                                         Fault{"1 2", "f.json:1:"}));

}  // namespace
}  // namespace nacre::codec
