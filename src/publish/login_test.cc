#include "publish/login.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/encoding.h"

namespace nacre::publish {
namespace {

struct LoginTest : testing::Test {
  os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  os::FakeProcesses processes;

  /// Forgets what was expected before.
  void answer(const std::string& helper, os::Exit exit) {
    processes = {};
    processes.expect({"docker-credential-" + helper, "get"}, std::move(exit));
  }

  /// "USER:PASSWORD", "token TOKEN", "nothing" or the error.
  std::string found(const std::string& host, const std::string& file, const std::string& given = {}) {
    EXPECT_TRUE(os::write_file(dir.path() / "config.json", file));
    const auto out =
        login_for(host, "team/tool", {given, {dir.path() / "absent.json", dir.path() / "config.json"}}, processes);
    if (!out) return out.error().render();
    if (out->empty()) return "nothing";
    return out->identity_token.empty() ? out->user + ":" + out->password : "token " + out->identity_token;
  }
};

TEST_F(LoginTest, ReadsEntriesOfEveryShape) {
  const std::string me = to_base64("me:a:b");
  EXPECT_EQ(found("r.example", fmt::format(R"({{"auths":{{"r.example":{{"auth":"{}"}}}}}})", me)), "me:a:b");
  EXPECT_EQ(found("r.example:5000", fmt::format(R"({{"auths":{{"https://r.example:5000/v2/":{{"auth":"{}"}}}}}})", me)),
            "me:a:b");
  EXPECT_EQ(found("r.example", R"({"auths":{"r.example":{"username":"u","password":"p"}}})"), "u:p");
  EXPECT_EQ(found("r.example", R"({"auths":{"r.example":{"identitytoken":"T"}}})"), "token T");
  EXPECT_EQ(found("other.example", fmt::format(R"({{"auths":{{"r.example":{{"auth":"{}"}}}}}})", me)), "nothing");
  EXPECT_EQ(found("r.example", R"({"auths":{"r.example":{"auth":"%%%"}}})"), "nothing");
  EXPECT_EQ(found("r.example", "no JSON"), "nothing");
  EXPECT_EQ(found("r.example", "[]"), "nothing");
  EXPECT_EQ(found("r.example", "{}", "given:pw"), "given:pw");
}

TEST_F(LoginTest, AsksHelpers) {
  const std::string config = R"({"credHelpers":{"r.example":"vault"},"credsStore":"store"})";
  answer("vault", {.out = R"({"ServerURL":"r.example","Username":"u","Secret":"s"})"});
  EXPECT_EQ(found("r.example", config), "u:s");
  EXPECT_EQ(processes.asked().back().stdin_bytes, "r.example");
  answer("store", {.out = R"({"Username":"<token>","Secret":"T"})"});
  EXPECT_EQ(found("other.example", config), "token T");
  answer("store", {.code = 1, .out = "credentials not found in native keychain\n"});
  EXPECT_EQ(found("third.example", config), "nothing");
  answer("store", {.code = 1, .err = "the keychain is locked\n"});
  EXPECT_EQ(found("fourth.example", config),
            "'docker-credential-store' failed for 'fourth.example' with exit code 1\n"
            "  hint: try it: echo fourth.example | docker-credential-store get");
}

TEST_F(LoginTest, AnEntryOfItsOwnComesBeforeAHelper) {
  EXPECT_EQ(found("r.example", R"({"auths":{"r.example":{"username":"u","password":"p"}},"credsStore":"store"})"),
            "u:p");
  EXPECT_TRUE(processes.asked().empty());
}

TEST_F(LoginTest, PartsOfAHostHaveLoginsOfTheirOwn) {
  const std::string file = R"({"auths":{"r.example":{"username":"all","password":"p"},
                                        "r.example/team":{"username":"team","password":"p"},
                                        "r.example/other":{"username":"other","password":"p"}}})";
  EXPECT_EQ(found("r.example", file), "team:p");
  EXPECT_EQ(found("r.example", R"({"auths":{"r.example/team/tool":{"username":"tool","password":"p"},
                                            "r.example/team":{"username":"team","password":"p"}}})"), "tool:p");
  EXPECT_EQ(found("r.example", R"({"auths":{"r.example/tea":{"username":"no","password":"p"}}})"), "nothing");
}

TEST_F(LoginTest, AHelpersNameIsNoPath) {
  for (const char* name : {"../../bin/sh", "a b", "x;reboot", ".x"})
    EXPECT_EQ(found("r.example", fmt::format(R"({{"credsStore":"{}"}})", name)),
              fmt::format("'{}' is no name of a credential helper", name));
  EXPECT_TRUE(processes.asked().empty());
}

}  // namespace
}  // namespace nacre::publish
