#include "net/url.h"
#include "publish/registry.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// What is read as a reference is written as one that reads the same, and its host can stand in an address.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto reference = nacre::publish::parse_reference(text);
  if (!reference) return 0;
  const auto again = nacre::publish::parse_reference(reference->str());
  if (!again || again->str() != reference->str() || again->host != reference->host || again->tag != reference->tag ||
      again->plain_http != reference->plain_http)
    std::abort();
  if (!reference->host.empty()) {
    const auto url = nacre::net::parse_url("https://" + reference->host + "/v2/");
    if (url && (url->path != "/v2/" || !url->user.empty())) std::abort();
  }
  return 0;
}
