#include "plan/root_kinds.h"

#include <gtest/gtest.h>

namespace nacre::plan {
namespace {

TEST(RootKinds, FollowWhatBroughtThem) {
  const std::vector<RootMember> root = {
      {"tls-dev", {"tls=1-r0", "!old"}, {"pc:tls=1"}},
      {"tls", {"so:libz.so.1"}, {"so:libtls.so.1=1"}},
      {"zlib", {"so:libc.so.6"}, {"so:libz.so.1=1.3"}},
      {"libc", {}, {"so:libc.so.6"}},
      {"make", {"so:libc.so.6", "so:libguile.so"}, {"cmd:make=4"}},
      {"guile", {}, {"so:libguile.so=3"}},
      {"kit-static", {"kit-tool"}, {}},
      {"kit-tool", {}, {}},
      {"stranger", {}, {}},
  };
  const std::vector<std::string> atoms = {"pc:tls>=1", "cmd:make", "kit-static", "nothing", "a b"};
  const std::map<std::string, EdgeKind> want = {
      {"tls-dev", EdgeKind::kLink},     {"tls", EdgeKind::kLink},      {"zlib", EdgeKind::kLink},
      {"libc", EdgeKind::kLink},        {"make", EdgeKind::kTool},     {"guile", EdgeKind::kTool},
      {"kit-static", EdgeKind::kEmbed}, {"kit-tool", EdgeKind::kTool},
  };
  EXPECT_EQ(kinds_in_root(atoms, root, EdgePolicy::usual()), want);
}

}  // namespace
}  // namespace nacre::plan
