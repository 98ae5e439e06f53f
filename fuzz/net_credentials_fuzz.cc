#include "net/credentials.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

/// A netrc file, and HTTP_AUTH.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  nacre::net::Credentials netrc, entries;
  (void)netrc.add_netrc(text, "fuzz");
  (void)entries.add_http_auth(text);
  if (const auto url = nacre::net::parse_url("https://host.example:8443/path")) {
    (void)netrc.authorization(*url);
    (void)entries.authorization(*url);
  }
  return 0;
}
