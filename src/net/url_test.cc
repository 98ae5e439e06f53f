#include "net/url.h"

#include <gtest/gtest.h>

namespace nacre::net {
namespace {

TEST(Url, IsSplit) {
  const auto url = parse_url("HTTPS://me:se%40cret@Example.ORG:8443/a/b%20c?x=1&y=/?#part");
  ASSERT_TRUE(url) << url.error().render();
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->user, "me");
  EXPECT_EQ(url->password, "se%40cret");
  EXPECT_EQ(url->host, "example.org");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->path, "/a/b%20c");
  EXPECT_EQ(url->query, "x=1&y=/?");
  EXPECT_EQ(url->str(), "https://me:se%40cret@example.org:8443/a/b%20c?x=1&y=/?");
  EXPECT_EQ(url->safe(), "https://example.org:8443/a/b%20c?x=1&y=/?");
}

struct Form {
  std::string_view text, str;
};

TEST(Url, HasOneForm) {
  for (const Form& form : {
           Form{"http://a", "http://a/"},
           Form{"http://a?q", "http://a/?q"},
           Form{"http://a:80/", "http://a/"},
           Form{"https://a:443/x", "https://a/x"},
           Form{"http://a:443/", "http://a:443/"},
           Form{"http://[::1]:8080/x", "http://[::1]:8080/x"},
           Form{"http://[FE80::1]", "http://[fe80::1]/"},
           Form{"http://user@a/", "http://user@a/"},
           Form{"file:///srv/x", "file:///srv/x"},
           Form{"file://localhost/srv/x", "file:///srv/x"},
       }) {
    const auto url = parse_url(form.text);
    ASSERT_TRUE(url) << url.error().render();
    EXPECT_EQ(url->str(), form.str);
  }
}

struct Fault {
  const char* name;
  std::string text;
  std::string_view message;
};

class UrlFault : public testing::TestWithParam<Fault> {};

TEST_P(UrlFault, IsNamed) {
  const auto url = parse_url(GetParam().text);
  ASSERT_FALSE(url) << url->str();
  EXPECT_EQ(url.error().render(), GetParam().message);
  EXPECT_EQ(url.error().kind(), ErrorKind::kInvalid);
}

INSTANTIATE_TEST_SUITE_P(
    , UrlFault,
    testing::Values(
        Fault{"NoScheme", "example.org/x",
              "expected http://, https:// or file://\n"
              "  while reading the address 'example.org/x'"},
        Fault{"OtherScheme", "ftp://example.org/x",
              "expected http://, https:// or file://\n"
              "  while reading the address 'ftp://example.org/x'"},
        Fault{"NoHost", "http:///x",
              "'' is not a host name or address\n  while reading the address 'http:///x'"},
        Fault{"EncodedHost", "http://exa%6dple.org/",
              "'exa%6dple.org' is not a host name or address\n"
              "  while reading the address 'http://exa%6dple.org/'"},
        Fault{"TwoAccounts", "http://a:b@c@d/",
              "more than one '@' before the host\n  while reading the address '…@d/'"},
        Fault{"PasswordIsNotShown", "http://a:secret@d:x/",
              "expected a port from 1 to 65535, got 'x'\n  while reading the address '…@d:x/'"},
        Fault{"LargePort", "http://a:65536/",
              "expected a port from 1 to 65535, got '65536'\n"
              "  while reading the address 'http://a:65536/'"},
        Fault{"SignedPort", "http://a:-1/",
              "expected a port from 1 to 65535, got '-1'\n"
              "  while reading the address 'http://a:-1/'"},
        Fault{"Backslash", R"(http://a\@b/)",
              "'\\' has no place in an address\n  while reading the address '…@b/'"},
        Fault{"HostOfAFile", "file://server/x",
              "a file address names no host, got 'server'\n"
              "  while reading the address 'file://server/x'"},
        Fault{"Blank", "http://a/b c",
              "an address holds a blank, a control character or a letter beyond ASCII\n"
              "  hint: percent-encode it: a blank is %20"},
        Fault{"LineEnd", "http://a/\r\nHost: b",
              "an address holds a blank, a control character or a letter beyond ASCII\n"
              "  hint: percent-encode it: a blank is %20"},
        Fault{"Long", "http://a/" + std::string(9000, 'x'),
              "an address of 9009 bytes is longer than 8192"}),
    [](const auto& fault) { return fault.param.name; });

TEST(UrlEncode, KeepsUnreservedCharactersOnly) {
  EXPECT_EQ(url_encode("a-Z_0.9~"), "a-Z_0.9~");
  EXPECT_EQ(url_encode("a b/c?\xc3\xa9+"), "a%20b%2Fc%3F%C3%A9%2B");
}

TEST(UrlDecode, UndoesTheEncodingAndLeavesTheRest) {
  EXPECT_EQ(url_decode("/a%20b/%2e%2E"), "/a b/..");
  EXPECT_EQ(url_decode("a+b"), "a+b");
  EXPECT_EQ(url_decode("%4"), "%4");
  EXPECT_EQ(url_decode("%zz%"), "%zz%");
  EXPECT_EQ(url_decode("%41"), "A");
  EXPECT_EQ(url_decode("x%00y"), std::string("x\0y", 3));
  EXPECT_EQ(url_decode(url_encode("100% /?&=\n")), "100% /?&=\n");
}

}  // namespace
}  // namespace nacre::net
