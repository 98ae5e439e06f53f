#include "apk/package_file.h"

#include "apk/segment.h"
#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "os/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>

namespace nacre::apk {
namespace {

constexpr std::int64_t kTime = 1'700'000'000;

std::string noise(std::size_t size) {
  std::string out;
  for (std::uint32_t state = 7; out.size() < size;) {
    state = state * 1664525 + 1013904223;
    out += static_cast<char>(state >> 24);
  }
  return out;
}

DataEntry folder(std::string path, unsigned mode = 0755) {
  DataEntry out;
  out.header = {.path = std::move(path), .type = '5', .mode = mode, .uname = "root", .gname = "root"};
  return out;
}
DataEntry file(std::string path, std::string content, unsigned mode = 0644) {
  DataEntry out;
  out.header = {.path = std::move(path), .mode = mode, .uname = "root", .gname = "root"};
  out.content = std::move(content);
  return out;
}
DataEntry link(std::string path, std::string target, char type = '2') {
  DataEntry out;
  out.header = {.path = std::move(path), .type = type, .mode = 0777, .link = std::move(target)};
  return out;
}

PackageInfo hello() {
  PackageInfo info;
  info.name = "hello";
  info.version = "1.0-r0";
  info.arch = "x86_64";
  info.installed_bytes = 1234;
  info.origin = "hello";
  info.description = "Greets";
  info.url = "https://example.org";
  info.commit = "c0ffee";
  info.build_date = kTime;
  info.licenses = {"MIT"};
  info.provides = {"cmd:hello=1.0-r0"};
  return info;
}

class PackageTest : public testing::Test {
 protected:
  void SetUp() override { big_ = noise((9u << 20) + 77); }
  os::Path path(std::string_view name) const { return dir_.path() / name; }

  std::vector<DataEntry> entries() {
    EXPECT_TRUE(os::write_file(path("big.bin"), big_));
    DataEntry big;
    big.header = {.path = "usr/share/hello/big.bin"};
    big.file = path("big.bin");
    return {folder("etc"), file("etc/empty", ""), folder("usr"), folder("usr/bin"),
            file("usr/bin/hello", "#!/bin/sh\necho hello\n", 0755), link("usr/bin/hi", "hello"),
            link("usr/bin/hullo", "usr/bin/hello", '1'), file("usr/bin/su", "su", 04755), folder("usr/share"),
            folder("usr/share/hello", 0555), big};
  }
  WriteOptions options() {
    WriteOptions out;
    out.mtime = kTime;
    out.control_files = {{".post-install", "#!/bin/sh\n"}, {".melange.yaml", "package: {}\n"}};
    out.signer = [](std::string_view control) -> Result<SegmentSignature> {
      return SegmentSignature{"test.rsa.pub", codec::sha512(control)};
    };
    return out;
  }
  PackageFile write(std::string_view name, const std::vector<DataEntry>& list, const WriteOptions& how) {
    auto out = write_package(path(name), hello(), list, how);
    EXPECT_TRUE(out) << (out ? "" : out.error().render());
    return out ? *std::move(out) : PackageFile();
  }

  /// A package of any bytes as data tar, with its own datahash: what a hostile builder could sign.
  os::Path forge(std::string_view name, const std::string& tar) {
    const std::string data = *codec::gzip(tar);
    PackageInfo info = hello();
    info.data_hash = codec::sha256(data).hex();
    const std::string control = *pack_files({{".PKGINFO", write_package_info(info)}}, 0, "root", Ending::kOpen);
    EXPECT_TRUE(os::write_file(path(name), control + data));
    return path(name);
  }
  std::string tar_of(const std::vector<DataEntry>& list, bool end = true) {
    std::string out;
    for (const DataEntry& entry : list) {
      codec::TarHeader header = entry.header;
      header.size = entry.content.size();
      out += *codec::tar_header(header) + entry.content + std::string(codec::tar_padding(header.size), '\0');
    }
    return end ? out + std::string(codec::tar_end()) : out;
  }

  os::TempDir dir_ = *os::TempDir::create(testing::TempDir());
  std::string big_;
};

std::string render(const Error& error) { return error.render(); }

TEST_F(PackageTest, ReadsWhatItWrote) {
  const PackageFile written = write("hello-1.0-r0.apk", entries(), options());
  std::vector<codec::TarHeader> seen;
  std::uint64_t bytes = 0;
  const codec::TarReader::Visitor visitor = {
      [&](const codec::TarHeader& header) -> Result<> { seen.push_back(header); return {}; },
      [&](std::string_view piece) -> Result<> { bytes += piece.size(); return {}; }};
  const auto read = read_package(written.path, &visitor);
  ASSERT_TRUE(read) << render(read.error());

  EXPECT_EQ(read->info, written.info);
  EXPECT_EQ(read->data.offset, written.data.offset);
  EXPECT_EQ(read->data.size, written.data.size);
  EXPECT_EQ(read->control.offset, written.control.offset);
  EXPECT_EQ(read->signature.size, written.signature.size);
  EXPECT_EQ(read->key_name, "test.rsa.pub");
  EXPECT_EQ(read->checksum(), written.checksum());
  EXPECT_EQ(read->data_sha256, written.data_sha256);
  EXPECT_EQ(read->data_diff_id, written.data_diff_id);
  EXPECT_EQ(read->file_sha256, written.file_sha256);
  EXPECT_EQ(read->file_size, written.file_size);
  EXPECT_FALSE(read->data_ends_with_zeros);
  EXPECT_EQ(read->record(), written.record());
  ASSERT_EQ(seen.size(), 11u);
  EXPECT_EQ(bytes, big_.size() + 2 + 21);
  EXPECT_EQ(seen[4].mtime, kTime);
  EXPECT_EQ(seen[4].pax.at("APK-TOOLS.checksum.SHA1"), to_hex(codec::sha1("#!/bin/sh\necho hello\n")));
  EXPECT_EQ(seen[5].pax.at("APK-TOOLS.checksum.SHA1"), to_hex(codec::sha1("hello")));

  const auto control = read_segment(written.path, written.control);
  ASSERT_TRUE(control);
  EXPECT_EQ(read->signature_bytes, codec::sha512(*control));
  const auto header = read_package_header(written.path);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->data_sha256, written.data_sha256);
  EXPECT_EQ(header->record(), written.record());
}

TEST_F(PackageTest, BytesDoNotDependOnThreads) {
  std::vector<std::string> seen;
  for (const int threads : {1, 2, 5}) {
    WriteOptions how = options();
    how.threads = threads;
    seen.push_back(write("hello.apk", entries(), how).file_sha256.hex());
  }
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
}

TEST_F(PackageTest, ControlFilesComeBackInOrder) {
  const PackageFile written = write("hello.apk", {}, options());
  const auto files = read_control_files(written.path);
  ASSERT_TRUE(files) << render(files.error());
  ASSERT_EQ(files->size(), 3u);
  EXPECT_EQ((*files)[0].first, ".PKGINFO");
  EXPECT_EQ((*files)[1].first, ".melange.yaml");
  EXPECT_EQ((*files)[2], (std::pair<std::string, std::string>(".post-install", "#!/bin/sh\n")));
}

TEST_F(PackageTest, SegmentsAndOneTailMakeALayer) {
  const PackageFile a = write("a.apk", {folder("a"), file("a/x", "1")}, options());
  const PackageFile b = write("b.apk", {folder("b"), file("b/y", "2")}, options());
  const std::string layer = *read_segment(a.path, a.data) + *read_segment(b.path, b.data) +
                            std::string(codec::gzip_tar_end());
  const std::string tar = *codec::gunzip(layer, 1 << 20);
  std::vector<std::string> names;
  codec::TarReader reader({[&](const codec::TarHeader& header) -> Result<> {
                             names.push_back(header.path);
                             return {};
                           },
                           {}});
  ASSERT_TRUE(reader.push(tar));
  ASSERT_TRUE(reader.finish());
  EXPECT_EQ(names, (std::vector<std::string>{"a", "a/x", "b", "b/y"}));
}

// Every byte that is turned around must be noticed, given what the index says of the package. The only bytes that
// nothing covers are time, flags and system in the gzip header of the signature segment, which no reader looks at.
TEST_F(PackageTest, OneWrongByteIsRefused) {
  const PackageFile written = write("hello.apk", {folder("a"), file("a/x", "some text"), link("a/l", "x")}, options());
  const std::string good = *os::read_file(written.path);
  ReadLimits limits;
  limits.expected_checksum = written.checksum();
  ASSERT_TRUE(read_package(written.path, nullptr, limits));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(~bad[i]);
    ASSERT_TRUE(os::write_file(path("bad.apk"), bad));
    const auto read = read_package(path("bad.apk"), nullptr, limits);
    if (i >= 4 && i < 10) {
      ASSERT_TRUE(read) << i;
      EXPECT_EQ(read->signature_bytes, written.signature_bytes);
      EXPECT_NE(read->file_sha256, written.file_sha256);
      continue;
    }
    ASSERT_FALSE(read) << "byte " << i << " of " << good.size();
    EXPECT_TRUE(read.error().kind() == ErrorKind::kInvalid || read.error().kind() == ErrorKind::kDenied)
        << render(read.error());
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{written.control.offset + 3},
                                 std::size_t{written.data.offset}, good.size() - 1}) {
    ASSERT_TRUE(os::write_file(path("bad.apk"), good.substr(0, size)));
    EXPECT_FALSE(read_package(path("bad.apk"), nullptr, limits)) << size;
  }
  ASSERT_TRUE(os::write_file(path("bad.apk"), good + *codec::gzip("more")));
  EXPECT_FALSE(read_package(path("bad.apk"), nullptr, limits));
}

TEST_F(PackageTest, SaysWhatIsWrongWithAPackage) {
  const auto message = [&](const os::Path& at) {
    const auto read = read_package(at);
    return read ? std::string("no error") : replace_all(render(read.error()), dir_.path().string(), "DIR");
  };
  ASSERT_TRUE(os::write_file(path("v3.apk"), "ADBd123"));
  EXPECT_EQ(message(path("v3.apk")),
            "apk v3 packages are not supported\n  while reading the package 'DIR/v3.apk'\n"
            "  hint: ask for the package in apk v2 format");
  const PackageFile one = write("one.apk", {file("x", "1")}, {}), two = write("two.apk", {file("x", "2")}, {});
  ASSERT_TRUE(os::write_file(path("mixed.apk"),
                             *read_segment(one.path, one.control) + *read_segment(two.path, two.data)));
  EXPECT_EQ(message(path("mixed.apk")),
            fmt::format("the data segment has the SHA-256 {}, .PKGINFO says {}\n  while reading the package "
                        "'DIR/mixed.apk'", two.data_sha256.hex(), one.data_sha256.hex()));
  ASSERT_TRUE(os::write_file(path("none.apk"), *read_segment(one.path, one.data)));
  EXPECT_EQ(message(path("none.apk")), "'x' stands in the control segment\n  while reading the first segment\n"
            "  while reading the package 'DIR/none.apk'");
  DataEntry wrong = file("x", "1");
  wrong.header.pax["APK-TOOLS.checksum.SHA1"] = to_hex(codec::sha1("2"));
  EXPECT_EQ(message(forge("sum.apk", tar_of({wrong}))),
            "'x' has the SHA-1 356a192b7913b04c54574d18c28d46e6395428ab, its header says "
            "da4b9237bacccdf19c0760cab7aec4a8359010b0\n  while reading the package 'DIR/sum.apk'");
  EXPECT_EQ(message(forge("twice.apk", tar_of({file("x", "1"), file("./x", "2")}))),
            "'x' occurs twice\n  while reading the data segment\n  while reading the package 'DIR/twice.apk'");
  EXPECT_EQ(
      message(forge("abs.apk", tar_of({file("/etc/passwd", "1")}))),
      "'/etc/passwd' is an absolute path\n  while reading the data segment\n  while reading the package 'DIR/abs.apk'");
  EXPECT_EQ(message(forge("up.apk", tar_of({file("a/../../x", "1")}))),
            "path 'a/../../x' has the component '..'\n  while reading the data segment\n  while reading the package "
            "'DIR/up.apk'");
  EXPECT_EQ(message(forge("tail.apk", tar_of({file("x", "1")}) + tar_of({file("y", "2")}))),
            "tar has bytes that belong to no entry after its end\n  while reading the package 'DIR/tail.apk'");
  EXPECT_EQ(message(path("absent.apk")), "cannot open 'DIR/absent.apk': no such file or directory\n"
                                         "  while reading the package 'DIR/absent.apk'");
}

TEST_F(PackageTest, TellsEndBlocksFromZerosInAFile) {
  const auto ends = [&](const std::string& tar) { return read_package(forge("z.apk", tar))->data_ends_with_zeros; };
  const std::vector<DataEntry> zeros = {file("x", std::string(4096, '\0'))};
  EXPECT_FALSE(ends(tar_of(zeros, false)));
  EXPECT_TRUE(ends(tar_of(zeros, true)));
  EXPECT_FALSE(ends(""));
}

TEST_F(PackageTest, LimitsHold) {
  const PackageFile written = write("hello.apk", {file("a", std::string(1 << 20, 'a')), file("b", "")}, {});
  ReadLimits limits;
  limits.max_data_bytes = 1 << 19;
  EXPECT_FALSE(read_package(written.path, nullptr, limits));
  limits = {};
  limits.max_entries = 1;
  EXPECT_FALSE(read_package(written.path, nullptr, limits));
  limits = {};
  limits.max_control_bytes = 512;
  EXPECT_FALSE(read_package_header(written.path, limits));
}

TEST_F(PackageTest, WriterRefusesBadInput) {
  const auto message = [&](PackageInfo info, const std::vector<DataEntry>& list, const WriteOptions& how) {
    const auto out = write_package(path("bad.apk"), std::move(info), list, how);
    EXPECT_FALSE(os::exists(path("bad.apk")));
    return out ? std::string("no error") : replace_all(render(out.error()), dir_.path().string(), "DIR");
  };
  EXPECT_EQ(message(hello(), {file("a", "1"), file("a", "2")}, {}),
            "the path is given twice\n  while packing 'a' into 'bad.apk'");
  EXPECT_EQ(message(hello(), {file("../a", "1")}, {}),
            "path '../a' has the component '..'\n  while packing '../a' into 'bad.apk'");
  EXPECT_EQ(message(hello(), {link("b", "a", '1')}, {}),
            "the hard link names 'a', which is no earlier file\n  while packing 'b' into 'bad.apk'");
  PackageInfo info = hello();
  info.name = "a/b";
  EXPECT_EQ(message(info, {}, {}),
            "'a/b' is no name: expected letters, digits and '._+-', the first a letter or digit\n"
            "  while writing 'DIR/bad.apk'");
  WriteOptions how;
  how.control_files = {{".PKGINFO", ""}};
  EXPECT_EQ(message(hello(), {}, how), "'.PKGINFO' is no name for a control file\n  while writing 'DIR/bad.apk'");
  how = {};
  how.signer = [](std::string_view) -> Result<SegmentSignature> {
    return Error::make(ErrorKind::kDenied, "the policy refuses");
  };
  EXPECT_EQ(message(hello(), {}, how), "the policy refuses\n  while signing 'bad.apk'");
}

TEST_F(PackageTest, UnpacksModesTimesAndLinks) {
  std::vector<DataEntry> list = entries();
  list.push_back(file("deep/without/folders", "x"));
  const PackageFile written = write("hello.apk", list, options());
  const os::Path out = path("out");
  ASSERT_TRUE(os::make_dirs(out));
  const auto done = unpack_package(written.path, out, ::geteuid() == 0 ? Owners::kKeep : Owners::kIgnore);
  ASSERT_TRUE(done) << render(done.error());
  std::map<std::string, os::TreeEntry> found;
  const std::vector<os::TreeEntry> walked = *os::walk_tree(out);
  for (const os::TreeEntry& entry : walked) found[entry.path.str()] = entry;
  EXPECT_EQ(found.size(), 14u);
  for (const auto& [name, entry] : found) EXPECT_EQ(entry.mtime, kTime) << name;
  EXPECT_EQ(found["usr/bin/hello"].mode, 0755u);
  EXPECT_EQ(found["usr/share/hello"].mode, 0555u);
  EXPECT_EQ(found["deep"].mode, 0755u);
  EXPECT_EQ(found["usr/bin/hi"].link_target, "hello");
  EXPECT_EQ(found["usr/bin/hullo"].inode, found["usr/bin/hello"].inode);
  EXPECT_EQ(*os::read_file(out / "usr/share/hello/big.bin"), big_);
  EXPECT_EQ(found["usr/bin/su"].mode, ::geteuid() == 0 ? 04755u : 0755u);

  ASSERT_TRUE(os::make_dirs(path("plain")));
  ASSERT_TRUE(unpack_package(written.path, path("plain"), Owners::kIgnore));
  struct stat status {};
  ASSERT_EQ(::stat((path("plain") / "usr/bin/su").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0755u);
}

TEST_F(PackageTest, HostileArchivesStayInside) {
  DataEntry device;
  device.header = {.path = "dev", .type = '3', .mode = 0666, .dev_major = 1, .dev_minor = 3};
  struct Row {
    const char* name;
    std::vector<DataEntry> list;
    std::string message;  ///< First line; empty: fine.
  };
  const std::string beneath = ", which is no directory or leads through a symlink";
  const Row rows[] = {
      {"LinkThenFile", {link("a", ".."), file("a/x", "1")}, "an entry lies beneath 'a'" + beneath},
      {"LinkToRoot", {link("a", "/"), file("a/etc/x", "1")}, "an entry lies beneath 'a'" + beneath},
      {"LinkInMiddle",
       {folder("a"), link("a/b", "../.."), file("a/b/c/d", "1")},
       "an entry lies beneath 'a/b'" + beneath},
      {"FileThenBelow", {file("a", "1"), file("a/b", "2")}, "an entry lies beneath 'a'" + beneath},
      {"FolderToLink", {folder("a"), link("a", "/etc"), file("a/x", "1")}, "'a' occurs twice"},
      {"ImpliedToLink", {file("a/x", "1"), link("a", "/etc")}, "'a' takes the place of another entry"},
      {"LinkToFolder", {link("a", "/etc"), folder("a")}, "'a' occurs twice"},
      {"FileThroughLink", {link("a", "../out"), file("a", "1")}, "'a' occurs twice"},
      {"HardLinkUp", {link("a", "../victim", '1')}, "the hard link 'a' leads outside, to '../victim'"},
      {"HardLinkAbsolute", {link("a", "/etc/passwd", '1')}, "the hard link 'a' leads outside, to '/etc/passwd'"},
      {"HardLinkThroughLink", {link("s", ".."), link("a", "s/victim", '1')}, "an entry lies beneath 's'" + beneath},
      {"HardLinkToLink",
       {link("s", "../victim"), link("a", "s", '1')},
       "the hard link 'a' names 's', which is no earlier file"},
      {"DotDot", {file("a/../../x", "1")}, "path 'a/../../x' has the component '..'"},
      {"Device", {device, file("ok", "1")}, ""},
      {"BadOwner",
       {[] {
         DataEntry e = file("x", "");
         e.header.pax["uid"] = "4294967295";
         return e;
       }()},
       ::geteuid() == 0 ? "'x' belongs to 4294967295:0, which is no owner" : ""},
  };
  ASSERT_TRUE(os::write_file(path("victim"), "untouched", 0600));
  for (const Row& row : rows) {
    const os::Path package = forge("evil.apk", tar_of(row.list));
    const os::Path out = path("out");
    ASSERT_TRUE(os::remove_tree(out));
    ASSERT_TRUE(os::make_dirs(out));
    const auto done = unpack_package(package, out, ::geteuid() == 0 ? Owners::kKeep : Owners::kIgnore);
    if (row.message.empty()) {
      EXPECT_TRUE(done) << row.name << ": " << render(done.error());
    } else {
      ASSERT_FALSE(done) << row.name;
      EXPECT_EQ(split(render(done.error()), '\n')[0], row.message) << row.name;
      EXPECT_EQ(done.error().kind(), ErrorKind::kInvalid) << row.name;
    }
    EXPECT_FALSE(os::exists(out / "dev"));
    EXPECT_EQ(*os::read_file(path("victim")), "untouched");
    struct stat status {};
    ASSERT_EQ(::stat(path("victim").c_str(), &status), 0);
    EXPECT_EQ(status.st_nlink, 1u) << row.name;
    EXPECT_EQ(status.st_mode & 07777, 0600u) << row.name;
  }
}

}  // namespace
}  // namespace nacre::apk
