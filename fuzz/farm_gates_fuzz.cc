#include "codec/yaml.h"
#include "farm/facts.h"
#include "farm/gate.h"
#include "farm/gate_policy.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

/// The first byte chooses the parser: policy, kept facts, licence expression, program.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: {
      const auto tree = nacre::codec::parse_yaml(std::string(text), "farm.yaml");
      if (tree) (void)nacre::farm::read_gate_policy(*tree, &tree->root);
      break;
    }
    case 1: {
      const auto json = nacre::codec::parse_json(text, "facts");
      const auto facts = json ? nacre::farm::facts_from_json(*json) : nacre::Result<nacre::farm::PackageFacts>({});
      if (!json || !facts) break;
      const auto again = nacre::farm::facts_from_json(nacre::farm::facts_to_json(*facts));
      if (!again || !(*again == *facts)) std::abort();
      break;
    }
    case 2: (void)nacre::farm::licence_passes(text, [](std::string_view id) { return id.size() % 2 == 0; }); break;
    default: (void)nacre::farm::read_binary("usr/lib/libx.so.1", text);
  }
  return 0;
}
