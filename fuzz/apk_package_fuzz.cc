#include "apk/package_file.h"
#include "apk/segment.h"
#include "codec/digest.h"
#include "codec/gzip.h"
#include "os/file.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

namespace {

/// A package whose control segment names these data bytes, so that the fuzzer gets past the digest.
std::string wrap(std::string_view tar) {
  const std::string data = *codec::gzip(tar, 1);
  apk::PackageInfo info;
  info.name = info.arch = "a";
  info.version = "1-r0";
  info.data_hash = codec::sha256(data).hex();
  return *apk::pack_files({{".PKGINFO", apk::write_package_info(info)}}, 0, "root", apk::Ending::kOpen) + data;
}

}  // namespace

// The first byte chooses: raw bytes, a control tar, or a data tar, which is also unpacked beside a file that must stay.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const os::TempDir dir = *os::TempDir::create("/tmp", "nacre-fuzz-");
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const os::Path package = dir.path() / "x.apk", folder = dir.path() / "out", canary = dir.path() / "canary";
  std::string content(bytes);
  if (data[0] % 3 == 1) content = *codec::gzip(bytes, 1);
  if (data[0] % 3 == 2) content = wrap(bytes);
  if (!os::write_file(package, content) || !os::write_file(canary, "alive")) std::abort();
  (void)apk::read_package_header(package);
  (void)apk::read_package(package);
  if (data[0] % 3 == 2) {
    if (!os::make_dirs(folder)) std::abort();
    (void)apk::unpack_package(package, folder, apk::Owners::kIgnore);
    if (*os::read_file(canary) != "alive" || !os::remove_tree(folder)) std::abort();
  }
  return 0;
}
