#include "net/credentials.h"

#include <gtest/gtest.h>

namespace nacre::net {
namespace {

std::string said_to(const Credentials& credentials, const std::string& url, Request request = {}) {
  RecordedHttp recorded;
  recorded.add("GET", url, {});
  AuthorizedHttp http(recorded, credentials);
  request.url = url;
  if (!http.send(request)) return "not sent";
  std::string out;
  for (const auto& [name, value] : recorded.sent().back().headers) out += name + ": " + value + ";";
  return out;
}

TEST(Credentials, AreTheFirstThatFit) {
  Credentials all;
  ASSERT_TRUE(all.add_http_auth("basic:a.example:me:se:cret\nbearer:B.example:tok-1\n"));
  ASSERT_TRUE(all.add_netrc("# mine\nmachine c.example login you password \"two words\"\n"
                            "machine\n  d.example\n  login x\n  account y\n  password z\n"
                            "macdef init\n machine evil.example login q password q\n\n"
                            "machine a.example login later password later\ndefault login any password body\n",
                            "netrc"));
  EXPECT_EQ(said_to(all, "https://a.example/x"), "Authorization: Basic bWU6c2U6Y3JldA==;");
  EXPECT_EQ(said_to(all, "https://b.example/x"), "Authorization: Bearer tok-1;");
  EXPECT_EQ(said_to(all, "http://c.example/"), "Authorization: Basic eW91OnR3byB3b3Jkcw==;");
  EXPECT_EQ(said_to(all, "http://d.example/"), "Authorization: Basic eDp6;");
  EXPECT_EQ(said_to(all, "http://evil.example/"), "Authorization: Basic YW55OmJvZHk=;");
  EXPECT_EQ(said_to(all, "http://own:name@a.example/"), "");  // curl takes these
  Request request;
  request.headers.emplace_back("authorization", "Bearer x");
  EXPECT_EQ(said_to(all, "https://a.example/", request), "authorization: Bearer x;");
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
  for (const char* text : {"me:secret", "bearer:host:me:secret", "basic:host:secret", "basic::me:secret",
                           "digest:a:b:c"}) {
    const auto read = Credentials().add_http_auth(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().render(), "HTTP_AUTH is not basic:HOST:USER:PASSWORD or bearer:HOST:TOKEN\n  hint: a port "
                                     "stands behind the host: basic:HOST:PORT:USER:PASSWORD");
  }
}

TEST(Credentials, FitTheirHostAndPortAlone) {
  const auto said = [](const std::string& url, std::string_view text) {
    Credentials credentials;
    EXPECT_TRUE(credentials.add_http_auth(text));
    return said_to(credentials, url);
  };
  const std::string mine = "Authorization: Basic bWU6c2VjcmV0;";  // me:secret
  EXPECT_EQ(said("https://apk.example/x", "basic:APK.example:me:secret"), mine);
  EXPECT_EQ(said("http://apk.example:8080/x", "basic:apk.example:8080:me:secret"), mine);
  EXPECT_EQ(said("http://apk.example:8080/x", "basic:apk.example:me:secret"), "");
  EXPECT_EQ(said("https://apk.example/x", "basic:apk.example:8080:me:secret"), "");
  EXPECT_EQ(said("https://apk.example.org/x", "basic:apk.example:me:secret"), "");
  EXPECT_EQ(said("https://other/apk.example", "basic:apk.example:me:secret"), "");
  EXPECT_EQ(said("https://any:7/x", "basic:*:me:secret"), mine);
}

}  // namespace
}  // namespace nacre::net
