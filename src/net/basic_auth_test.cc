#include "net/basic_auth.h"

#include <gtest/gtest.h>

namespace nacre::net {
namespace {

std::string said_to(const std::string& url, const std::string& text, Request request = {}) {
  auto auth = parse_http_auth(text);
  if (!auth || !*auth) return "no credentials";
  RecordedHttp recorded;
  recorded.add("GET", url, {});
  AuthorizedHttp http(recorded, **auth);
  request.url = url;
  if (!http.send(request)) return "not sent";
  std::string out;
  for (const auto& [name, value] : recorded.sent().back().headers) out += name + ": " + value + ";";
  return out;
}

TEST(HttpAuth, IsSaidToItsHostAlone) {
  const std::string credentials = "Authorization: Basic bWU6c2VjcmV0;";  // me:secret
  EXPECT_EQ(said_to("https://apk.example/x", "basic:apk.example:me:secret"), credentials);
  EXPECT_EQ(said_to("https://apk.example/x", "basic:APK.example:me:secret"), credentials);
  EXPECT_EQ(said_to("http://apk.example:8080/x", "basic:apk.example:8080:me:secret"), credentials);
  EXPECT_EQ(said_to("http://apk.example:8080/x", "basic:apk.example:me:secret"), "");
  EXPECT_EQ(said_to("https://apk.example/x", "basic:apk.example:8080:me:secret"), "");
  EXPECT_EQ(said_to("https://apk.example.org/x", "basic:apk.example:me:secret"), "");
  EXPECT_EQ(said_to("https://other/apk.example", "basic:apk.example:me:secret"), "");
}

TEST(HttpAuth, YieldsToWhatARequestSays) {
  EXPECT_EQ(said_to("https://u:p@apk.example/x", "basic:apk.example:me:secret"), "");
  Request request;
  request.headers.emplace_back("authorization", "Bearer x");
  EXPECT_EQ(said_to("https://apk.example/x", "basic:apk.example:me:secret", request), "authorization: Bearer x;");
}

TEST(HttpAuth, RefusesOtherTextsWithoutRepeatingThem) {
  const auto none = parse_http_auth("");
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  for (const char* text : {"me:secret", "bearer:host:me:secret", "basic:host:me", "basic::me:secret",
                           "basic:host:port:me:secret", "basic:host:0:me:secret", "basic:host:1:me:secret:x"}) {
    const auto answer = parse_http_auth(text);
    ASSERT_FALSE(answer) << text;
    EXPECT_EQ(answer.error().render().find("secret"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace nacre::net
