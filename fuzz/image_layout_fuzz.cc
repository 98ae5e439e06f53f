#include "base/events.h"
#include "codec/digest.h"
#include "image/image.h"
#include "image/read.h"
#include "image/take_layout.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

using namespace nacre;

class NoHttp final : public net::Http {
 public:
  Result<net::Response> send(const net::Request&, std::stop_token) override {
    return Error::make(ErrorKind::kUnavailable, "there is no network here");
  }
};

/// Documents and layers, cut at lines "--". "@1" to "@9" in one of them are the digests of those behind it.
std::vector<std::string> parts_of(std::string_view bytes) {
  constexpr std::size_t kMost = 10;
  constexpr std::string_view kCut = "\n--\n";
  std::vector<std::string> parts;
  while (parts.size() + 1 < kMost && bytes.find(kCut) != bytes.npos) {
    parts.emplace_back(bytes.substr(0, bytes.find(kCut)));
    bytes.remove_prefix(parts.back().size() + kCut.size());
  }
  parts.emplace_back(bytes);
  for (std::size_t i = parts.size(); i-- > 0;)
    for (std::size_t behind = 1; i + behind < parts.size(); ++behind) {
      const std::string name = "@" + std::to_string(behind), digest = codec::sha256(parts[i + behind]).oci();
      for (std::size_t at = 0; (at = parts[i].find(name, at)) != std::string::npos; at += digest.size())
        parts[i].replace(at, name.size(), digest);
    }
  return parts;
}

}  // namespace

// An OCI layout of somebody else: index.json is the first part. What was taken in is read as an image then.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const os::TempDir place = os::TempDir::create(std::filesystem::temp_directory_path()).take();
  static const std::unique_ptr<store::Store> store = store::Store::open(place.path() / "home").take();
  static os::SystemProcesses processes;
  static os::SystemClock clock;
  static NoHttp http;
  static NoEvents events;
  Env env{processes, clock, http, *store, events, {}};
  const os::Path folder = place.path() / "layout", blobs = folder / "blobs" / "sha256";
  if (!os::remove_tree(folder) || !os::make_dirs(blobs)) std::abort();
  const std::vector<std::string> parts = parts_of({reinterpret_cast<const char*>(data), size});
  if (!os::write_file(folder / "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}")) std::abort();
  if (!os::write_file(folder / "index.json", parts[0])) std::abort();
  for (std::size_t i = 1; i < parts.size(); ++i)
    if (!os::write_file(blobs / codec::sha256(parts[i]).hex(), parts[i])) std::abort();
  const auto taken = image::take_layout(folder, env);
  if (!taken) return 0;
  (void)image::list_files(*taken, env);
  if (const auto text = store->read(*taken, 8u << 20); !text || codec::sha256(*text) != *taken) std::abort();
  return 0;
}
