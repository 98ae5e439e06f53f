#include "attest/cyclonedx.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

/// An SPDX document and an installed database of somebody else's image, one after the other: whatever they say, every
/// component has a reference of its own and every dependency leads to one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find('\0');
  const attest::PackageGraph graph =
      attest::package_graph(attest::installed_records(cut == std::string_view::npos ? "" : text.substr(cut + 1)));
  const auto spdx = codec::parse_json(text.substr(0, cut), "fuzz");
  if (!spdx) return 0;
  const codec::Json bom = attest::cyclonedx_of(*spdx, graph);
  std::set<std::string> references;
  if (const codec::Json* main = bom["metadata"].find("component"))
    references.insert((*main)["bom-ref"].as_string());
  for (const codec::Json& row : bom["components"].items())
    if (!references.insert(row["bom-ref"].as_string()).second) std::abort();
  for (const codec::Json& row : bom["dependencies"].items())
    for (const std::string& to : row["dependsOn"].as_strings())
      if (!references.contains(to)) std::abort();
  return 0;
}
