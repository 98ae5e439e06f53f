#include "codec/archive.h"
#include "codec/gzip.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

namespace nacre::codec {
namespace {

/// Lines "TYPE PATH MODE [-> LINK] [CONTENT]".
Result<std::vector<std::string>> listing(std::string_view bytes, const TarLimits& limits = {}) {
  std::vector<std::string> out;
  TarReader::Visitor visitor;
  visitor.on_entry = [&](const TarHeader& header) -> Result<> {
    out.push_back(fmt::format("{} {} {:o}", header.type, header.path, header.mode));
    if (!header.link.empty()) out.back() += " -> " + header.link;
    if (header.type == '0') out.back() += " ";
    return {};
  };
  visitor.on_data = [&](std::string_view piece) -> Result<> {
    out.back().append(piece);
    return {};
  };
  TRY(read_archive_bytes(bytes, "test", visitor, limits));
  return out;
}

std::string tar_of(const std::vector<std::pair<TarHeader, std::string>>& entries) {
  std::string out;
  for (auto [header, content] : entries) {
    header.size = content.size();
    out += *tar_header(header);
    out += content;
    out.append(tar_padding(content.size()), '\0');
  }
  return out + std::string(tar_end());
}

/// An archive as libarchive itself writes it.
std::string written(int (*format)(archive*), int (*filter)(archive*)) {
  std::string out(1 << 16, '\0');
  std::size_t used = 0;
  archive* handle = archive_write_new();
  format(handle);
  filter(handle);
  archive_write_set_bytes_in_last_block(handle, 1);
  EXPECT_EQ(archive_write_open_memory(handle, out.data(), out.size(), &used), ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, "file");
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_perm(entry, 0755);
  archive_entry_set_size(entry, 5);
  EXPECT_EQ(archive_write_header(handle, entry), ARCHIVE_OK) << archive_error_string(handle);
  archive_write_data(handle, "hello", 5);
  archive_entry_free(entry);
  archive_write_free(handle);
  out.resize(used);
  return out;
}

TEST(Archive, ReadsEveryKindOfEntry) {
  const std::string tar =
      tar_of({{{.path = "./a", .type = '5', .mode = 0755}, ""},
              {{.path = "a/ü", .mode = 04711}, "text"},
              {{.path = "a/hard", .type = '1', .link = "a/ü"}, ""},
              {{.path = "a/soft", .type = '2', .mode = 0777, .link = "../x"}, ""}});
  const std::vector<std::string> expected = {"5 a 755", "0 a/ü 4711 text", "1 a/hard 644 -> a/ü",
                                             "2 a/soft 777 -> ../x"};
  const auto plain = listing(tar);
  ASSERT_TRUE(plain) << plain.error().render();
  EXPECT_EQ(*plain, expected);
  EXPECT_EQ(*listing(*gzip(tar)), expected);
}

TEST(Archive, ReadsEveryFormatAndCompression) {
  const std::vector<std::string> expected = {"0 file 755 hello"};
  for (const auto filter :
       {archive_write_add_filter_none, archive_write_add_filter_gzip,
        archive_write_add_filter_bzip2, archive_write_add_filter_xz, archive_write_add_filter_lzma,
        archive_write_add_filter_lzip, archive_write_add_filter_zstd}) {
    const auto read = listing(written(archive_write_set_format_ustar, filter));
    ASSERT_TRUE(read) << read.error().render();
    EXPECT_EQ(*read, expected);
  }
  for (const auto format : {archive_write_set_format_zip, archive_write_set_format_pax,
                            archive_write_set_format_gnutar, archive_write_set_format_ar_svr4}) {
    const auto read = listing(written(format, archive_write_add_filter_none));
    ASSERT_TRUE(read) << read.error().render();
    EXPECT_EQ(*read, expected);
  }
}

TEST(Archive, LeavesPathsToTheCaller) {
  EXPECT_EQ(listing(tar_of({{{.path = "../../etc/passwd"}, "x"}}))->front(),
            "0 ../../etc/passwd 644 x");
}

TEST(Archive, RefusesWhatIsBrokenOrTooLarge) {
  const std::string tar =
      tar_of({{{.path = "a"}, std::string(1000, 'x')}, {{.path = "b"}, std::string(1000, 'x')}});
  EXPECT_EQ(listing(tar, {.max_entries = 1}).error().render(),
            "archive 'test' has more than 1 entries");
  EXPECT_EQ(listing(tar, {.max_total_bytes = 1500}).error().render(),
            "more content than the limit allows\n  while reading 'b' of archive 'test'");
  EXPECT_EQ(listing(tar.substr(0, 700)).error().kind(), ErrorKind::kInvalid);
  EXPECT_EQ(listing("nothing of the kind").error().render(),
            "archive 'test': Unrecognized archive format");
  EXPECT_EQ(listing("#mtree\n./passwd type=file contents=/etc/passwd\n").error().kind(),
            ErrorKind::kInvalid);
  EXPECT_EQ(read_archive("/nowhere/x.tar", {}).error().render(), "no archive '/nowhere/x.tar'");
}

TEST(Archive, PassesOnWhatTheVisitorSays) {
  TarReader::Visitor visitor;
  visitor.on_entry = [](const TarHeader&) -> Result<> {
    return Error::make(ErrorKind::kDenied, "not this one");
  };
  const std::string tar = tar_of({{{.path = "a"}, "x"}});
  EXPECT_EQ(read_archive_bytes(tar, "test", visitor).error().render(), "not this one");
}

TEST(PlainText, IsTheBytesOrWhatTheyUnpackTo) {
  EXPECT_EQ(*plain_text("BZ is no mark", "t", 100), "BZ is no mark");
  EXPECT_EQ(*plain_text("", "t", 0), "");
  EXPECT_EQ(*plain_text(*gzip("text"), "t", 4), "text");
  EXPECT_EQ(plain_text("text", "t", 3).error().render(), "'t' has more than 3 bytes");
  EXPECT_EQ(plain_text(*gzip("text"), "t", 3).error().render(), "more content than the limit allows");
  EXPECT_EQ(plain_text(gzip("text")->substr(0, 12), "t", 100).error().kind(), ErrorKind::kInvalid);
}

}  // namespace
}  // namespace nacre::codec
