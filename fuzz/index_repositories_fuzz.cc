#include "index/repositories.h"
#include "net/credentials.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

/// Lists of repositories, netrc and HTTP_AUTH; a base that was read is read again as itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto lines = nacre::index::parse_repositories(bytes, "fuzz"))
    for (const nacre::index::RepositoryLine& line : *lines)
      if (line.base.ends_with('/') && line.base.size() > 1) std::abort();
  nacre::net::Credentials credentials;
  (void)credentials.add_netrc(bytes, "fuzz").has_value();
  (void)credentials.add_http_auth(bytes).has_value();
  return 0;
}
