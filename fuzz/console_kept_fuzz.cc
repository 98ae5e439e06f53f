#include "cli/compile_kept.h"
#include "os/file.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

using namespace nacre;

// What an earlier `nacre compile` left behind, with a checksum that fits when the first byte is odd: every index leads
// to a pipeline, every text into the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const os::TempDir folder = *os::TempDir::create("/tmp", "nacre-fuzz-");
  const os::Path file = folder.path() / "kept";
  if (!os::write_file(file, std::string_view(reinterpret_cast<const char*>(data), size))) std::abort();
  const auto run = cli::read_kept(file, "key");
  if (!run) return 0;
  std::size_t bytes = 0;
  for (const cli::KeptFile& one : run->files) {
    for (const std::uint32_t pipeline : one.pipelines)
      if (pipeline >= run->pipelines.size()) std::abort();
    bytes += one.json.size() + cli::checksum(one.json) % 2;
  }
  return bytes == ~std::size_t{0} ? 1 : 0;
}
