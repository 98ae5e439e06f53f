#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apk/unpack_tar.h"
#include "codec/tar.h"
#include "os/file.h"

namespace nacre::apk {
namespace {

template <class T>
std::string message_of(const Result<T>& result) {
  return result ? "no error" : result.error().render();
}

os::TempDir scratch() { return *os::TempDir::create(std::filesystem::temp_directory_path()); }

TEST(Tar, NamesExtendedHeadersAsGoDoes) {
  const auto name_of = [](const char* path) {
    codec::TarHeader header;
    header.path = path;
    const std::string bytes = *codec::tar_header(header);
    return bytes.substr(0, bytes.find('\0'));
  };
  EXPECT_EQ(name_of("a/\xc3\xbcx"), "a/PaxHeaders.0/x");
  EXPECT_EQ(name_of("a/\xc3\xbc"), "a/PaxHeaders.0");
  EXPECT_EQ(name_of("\xc3\xbc/x"), "/PaxHeaders.0/x");
}

TEST(Tar, CarriesATree) {
  const os::TempDir dir = scratch();
  const os::Path from = dir.path() / "from", to = dir.path() / "to", tar = dir.path() / "t.tar";
  const std::string long_name(200, 'n');
  ASSERT_TRUE(os::make_dirs(from / "a/b"));
  ASSERT_TRUE(os::make_dirs(to));
  ASSERT_TRUE(os::write_file(from / "a/tool", std::string(5000, 'x')));
  ASSERT_TRUE(os::write_file(from / "a" / long_name, "long"));
  ASSERT_EQ(::chmod((from / "a/tool").c_str(), 04755), 0);
  ASSERT_EQ(::chmod((from / "a/b").c_str(), 0500), 0);
  ASSERT_EQ(::link((from / "a/tool").c_str(), (from / "a/z").c_str()), 0);
  ASSERT_EQ(::symlink("../outside", (from / "a/l").c_str()), 0);
  ASSERT_TRUE(pack_tar(from, tar, nullptr));
  ASSERT_TRUE(unpack_tar(tar, to, TarOwners::kCallers));
  const auto before = os::walk_tree(from), after = os::walk_tree(to);
  ASSERT_TRUE(before && after);
  ASSERT_EQ(before->size(), after->size());
  for (std::size_t i = 0; i < before->size(); ++i) {
    EXPECT_EQ((*before)[i].path, (*after)[i].path);
    EXPECT_EQ((*before)[i].mode, (*after)[i].mode) << (*before)[i].path.str();
    EXPECT_EQ((*before)[i].link_target, (*after)[i].link_target);
  }
  EXPECT_EQ(*os::read_file(to / "a/z"), std::string(5000, 'x'));
  struct stat one {
  }, two{};
  ::stat((to / "a/z").c_str(), &one);
  ::stat((to / "a/tool").c_str(), &two);
  EXPECT_EQ(one.st_ino, two.st_ino);
}

TEST(Tar, GivesOneOwnerToAll) {
  const os::TempDir dir = scratch();
  const TarOwner owner{1000, 1001};
  ASSERT_TRUE(os::make_dirs(dir.path() / "from"));
  ASSERT_TRUE(os::write_file(dir.path() / "from/x", "x"));
  ASSERT_TRUE(pack_tar(dir.path() / "from", dir.path() / "t.tar", &owner));
  const std::string bytes = *os::read_file(dir.path() / "t.tar");
  EXPECT_EQ(bytes.substr(108, 7), "0001750");
  EXPECT_EQ(bytes.substr(116, 7), "0001751");
}

TEST(Tar, RefusesWhatAnOutputIsNot) {
  const os::TempDir dir = scratch();
  ASSERT_TRUE(os::make_dirs(dir.path() / "from"));
  ASSERT_EQ(::mkfifo((dir.path() / "from/pipe").c_str(), 0600), 0);
  EXPECT_EQ(message_of(pack_tar(dir.path() / "from", dir.path() / "t.tar", nullptr)),
            "'pipe' is a device or the like, which does not come back from an engine\n  while packing 'pipe'");
  struct Case {
    std::vector<codec::TarHeader> entries;
    std::string message;
  };
  const codec::TarHeader link{.path = "l", .type = '2', .link = "/etc"};
  const Case cases[] = {
      {{{.path = "../up", .type = '5'}}, "path '../up' has the component '..'"},
      {{link, {.path = "l/passwd", .type = '5'}},
       "an entry lies beneath 'l', which is no directory or leads through a symlink"},
      {{link, {.path = "l", .type = '0'}}, "'l' takes the place of another entry"},
      {{{.path = "d", .type = '3', .dev_major = 1, .dev_minor = 3}}, "'d' is no file, link or directory"},
      {{{.path = "h", .type = '1', .link = "/etc/passwd"}}, "the hard link 'h' leads outside, to '/etc/passwd'"},
      {{{.path = "h", .type = '1', .link = "no"}}, "the hard link 'h' names 'no', which is no earlier file"},
  };
  for (const Case& item : cases) {
    std::string tar;
    for (const codec::TarHeader& entry : item.entries) tar += *codec::tar_header(entry);
    const os::TempDir to = scratch();
    ASSERT_TRUE(os::write_file(dir.path() / "x.tar", tar));
    EXPECT_EQ(message_of(unpack_tar(dir.path() / "x.tar", to.path(), TarOwners::kCallers)), item.message);
  }
}

}  // namespace
}  // namespace nacre::apk
