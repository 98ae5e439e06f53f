#pragma once

#include "codec/json.h"
#include "watch/delta.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nacre::cli {

/// What `nacre delta` says of one package: its delta, and the limits that it passes, in words.
struct DeltaRow {
  watch::Delta delta;
  std::vector<std::string> over;
};

codec::Json to_json(const DeltaRow& row, std::int64_t now);
codec::Json to_json(const watch::DeltaTotals& totals);
watch::DeltaTotals totals_from_json(const codec::Json& json);

/// One line for each package and one of totals.
std::string render_table(const std::vector<DeltaRow>& rows, std::int64_t now);
/// Everything that makes up one package's delta, a line each.
std::string render_details(const DeltaRow& row, std::int64_t now);

}  // namespace nacre::cli
