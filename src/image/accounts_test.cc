#include "image/accounts.h"

#include <gtest/gtest.h>

namespace nacre::image {
namespace {

definition::AccountGroup group(const char* name, unsigned gid, std::vector<std::string> members) {
  definition::AccountGroup out;
  out.name = name;
  out.gid = gid;
  out.members = std::move(members);
  return out;
}

TEST(Accounts, MembersJoinAGroupThatIsThere) {
  for (const char* end : {"\n", ""}) {
    AccountFiles files;
    files.group = std::string("root:x:0:\nwheel:x:10:ann") + end;
    const auto first = add_accounts(files, {}, {group("root", 0, {"ben"}), group("wheel", 10, {"ann", "ben"})});
    ASSERT_TRUE(first) << first.error().render();
    EXPECT_EQ(first->group, "root:x:0:ben\nwheel:x:10:ann,ben\n");
    const auto more = add_accounts(files, {}, {group("web", 80, {"ann"})});
    ASSERT_TRUE(more) << more.error().render();
    EXPECT_EQ(more->group, "root:x:0:\nwheel:x:10:ann\nweb:x:80:ann\n");
  }
  AccountFiles files;
  files.group = "wheel:x:10:\n";
  const auto other = add_accounts(files, {}, {group("wheel", 11, {})});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().render(), "group 'wheel' has gid 10 in the packages' etc/group, and the image gives it 11");
}

}  // namespace
}  // namespace nacre::image
