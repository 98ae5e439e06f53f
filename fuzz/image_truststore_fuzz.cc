#include "codec/digest.h"
#include "image/accounts.h"
#include "image/java_truststore.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

using namespace nacre;

// A key store that a package brings, with the digest that fits: written, it is read again. The same bytes as accounts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)image::JavaTruststore::parse(bytes);
  codec::Hasher hasher(codec::HashKind::kSha1);
  for (const char c : std::string_view("changeit")) hasher.update(std::string{'\0', c});
  hasher.update("Mighty Aphrodite");
  hasher.update(bytes);
  if (auto store = image::JavaTruststore::parse(bytes + hasher.finish())) {
    store->add("Extra", "der", 1);
    const std::string written = store->write();
    const auto again = image::JavaTruststore::parse(written);
    if (!again || again->write() != written) std::abort();
  }
  for (const image::PasswdEntry& entry : image::parse_passwd(bytes))
    if (entry.name.size() + entry.home.size() > size) std::abort();
  (void)image::resolve_user("app", bytes);
  return 0;
}
