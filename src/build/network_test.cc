#include "build/network.h"

#include "os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace nacre::build {
namespace {

using testing::HasSubstr;

definition::Definition asking(const std::string& value) {
  definition::Definition out;
  out.name = "hello";
  out.file = "hello.yaml";
  if (!value.empty()) out.annotations = {{"other", "x"}, {"nacre.network", value}};
  return out;
}

TEST(Network, IsForThoseThatAskWhenThePolicyAllows) {
  struct Case {
    NetworkPolicy policy;
    const char *asks, *use;
    bool granted;
  };
  const Case cases[] = {
      {NetworkPolicy::kAsked, "", "build", false},         {NetworkPolicy::kAsked, "build", "build", true},
      {NetworkPolicy::kAsked, "build", "test", false},     {NetworkPolicy::kAsked, "build, test", "test", true},
      {NetworkPolicy::kAsked, "test build", "build", true}, {NetworkPolicy::kAlways, "", "build", true},
      {NetworkPolicy::kNever, "", "build", false},         {NetworkPolicy::kNever, "test", "build", false},
  };
  for (const Case& c : cases) {
    const auto granted = grant_network(c.policy, asking(c.asks), c.use);
    ASSERT_TRUE(granted) << granted.error().render();
    EXPECT_EQ(*granted, c.granted) << name_of(c.policy) << " '" << c.asks << "' " << c.use;
  }
}

TEST(Network, RefusesWhoAsksAgainstThePolicyAndFaultyWords) {
  const auto refused = grant_network(NetworkPolicy::kNever, asking("build"), "build");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kDenied);
  EXPECT_THAT(refused.error().render(), HasSubstr("the build of 'hello' asks for network"));
  const auto faulty = grant_network(NetworkPolicy::kAsked, asking("yes"), "build");
  ASSERT_FALSE(faulty);
  EXPECT_EQ(faulty.error().kind(), ErrorKind::kInvalid);
  EXPECT_THAT(faulty.error().render(), HasSubstr("got 'yes'"));
  const auto policy = parse_network_policy("alway");
  ASSERT_FALSE(policy);
  EXPECT_THAT(policy.error().render(), HasSubstr("always"));
}

TEST(Network, TakesNamesOfVariablesAndFilesFromTheMachinesOwner) {
  const os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  const std::string file = (dir.path() / "pip.conf").string();
  ASSERT_TRUE(os::write_file(file, "[global]\n"));
  ::setenv("NACRE_NETWORK_ENV", "HTTPS_PROXY, GOPROXY", 1);
  ::setenv("NACRE_NETWORK_FILES", (file + "=/etc/pip.conf").c_str(), 1);
  const auto grant = network_grant_of_machine();
  ASSERT_TRUE(grant) << grant.error().render();
  EXPECT_THAT(grant->environment, testing::ElementsAre("HTTPS_PROXY", "GOPROXY"));
  ASSERT_EQ(grant->files.size(), 1u);
  EXPECT_EQ(grant->files[0].inside.str(), "etc/pip.conf");
  ::setenv("NACRE_NETWORK_ENV", "TOKEN=secret", 1);
  EXPECT_EQ(network_grant_of_machine().error().kind(), ErrorKind::kInvalid);
  ::unsetenv("NACRE_NETWORK_ENV");
  ::setenv("NACRE_NETWORK_FILES", "/nonexistent=/etc/x", 1);
  EXPECT_EQ(network_grant_of_machine().error().kind(), ErrorKind::kNotFound);
  ::setenv("NACRE_NETWORK_FILES", (file + "=/etc/../../x").c_str(), 1);
  EXPECT_EQ(network_grant_of_machine().error().kind(), ErrorKind::kInvalid);
  ::unsetenv("NACRE_NETWORK_FILES");
}

}  // namespace
}  // namespace nacre::build
