#include "definition/cpe.h"

#include "definition/definition.h"

namespace nacre::definition {

std::string cpe_name(const Definition& definition) {
  const Cpe& cpe = definition.cpe;
  if (cpe.vendor.empty() || cpe.product.empty()) return {};
  std::string out = "cpe:2.3:" + (cpe.part.empty() ? "a" : cpe.part);
  out += ":" + cpe.vendor + ":" + cpe.product + ":" + definition.version + ":*";  // update
  for (const std::string* field :
       {&cpe.edition, &cpe.language, &cpe.sw_edition, &cpe.target_sw, &cpe.target_hw, &cpe.other})
    out += ":" + (field->empty() ? "*" : *field);
  return out;
}

}  // namespace nacre::definition
