#include "base/edition.h"

#include "base/text.h"

#include <array>

namespace nacre {
namespace {

constexpr std::array kEditions = {Edition::kStage0, Edition::kCommunity, Edition::kProduction};

}  // namespace

std::string_view name_of(Edition edition) {
  switch (edition) {
    case Edition::kStage0: return "stage0";
    case Edition::kCommunity: return "community";
    case Edition::kProduction: return "production";
  }
  return "unknown";
}

Result<Edition> parse_edition(std::string_view text) {
  for (const Edition edition : kEditions)
    if (text == name_of(edition)) return edition;
  return Error::make(ErrorKind::kInvalid, "unknown edition '{}'", text)
      .hint("known: stage0, community, production");
}

}  // namespace nacre
