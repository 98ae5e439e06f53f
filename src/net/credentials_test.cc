#include "net/credentials.h"

#include <gtest/gtest.h>

namespace nacre::net {
namespace {

std::string said_to(const Credentials& credentials, std::string_view url) {
  return credentials.authorization(*parse_url(url));
}

TEST(Credentials, AreTheFirstThatFit) {
  Credentials all;
  ASSERT_TRUE(all.add_http_auth("basic:a.example:me:se:cret\nbearer:B.example:tok-1\n"));
  ASSERT_TRUE(all.add_netrc("# mine\nmachine c.example login you password \"two words\"\n"
                            "machine\n  d.example\n  login x\n  account y\n  password z\n"
                            "macdef init\n machine evil.example login q password q\n\n"
                            "machine a.example login later password later\ndefault login any password body\n",
                            "netrc"));
  EXPECT_EQ(said_to(all, "https://a.example/x"), "Basic bWU6c2U6Y3JldA==");
  EXPECT_EQ(said_to(all, "https://b.example:444/x"), "Bearer tok-1");
  EXPECT_EQ(said_to(all, "http://c.example/"), "Basic eW91OnR3byB3b3Jkcw==");
  EXPECT_EQ(said_to(all, "http://d.example/"), "Basic eDp6");
  EXPECT_EQ(said_to(all, "http://evil.example/"), "Basic YW55OmJvZHk=");
  EXPECT_EQ(said_to(all, "http://own:name@a.example/"), "");  // curl takes these
  EXPECT_EQ(said_to(Credentials(), "http://a.example/"), "");
}

TEST(Credentials, FaultsHavePlacesAndNoSecrets) {
  const auto netrc = [](std::string_view text) {
    auto read = Credentials().add_netrc(text, "netrc");
    return read ? "no error" : read.error().render();
  };
  EXPECT_EQ(netrc("machine a\nlogin"), "netrc:2: 'login' has no value");
  EXPECT_EQ(netrc("login a"), "netrc:1: 'login' stands before any machine");
  EXPECT_EQ(netrc("machine a login b hunter2"),
            "netrc:1: expected machine, default, login, password, account or macdef");
  for (const char* text : {"basic:host:user", "hunter2", "bearer:host:a:b", "digest:a:b:c"}) {
    auto read = Credentials().add_http_auth(text);
    ASSERT_FALSE(read) << text;
    EXPECT_TRUE(read.error().render().starts_with("HTTP_AUTH: expected 'basic:HOST:USER:PASSWORD'"));
  }
}

}  // namespace
}  // namespace nacre::net
