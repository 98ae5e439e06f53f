#pragma once

#include "cli/delta_report.h"
#include "cli/workshop.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nacre::cli {

/// Totals of one serial. They are kept in the state database (kind "delta-totals") when the serial is published, since
/// the definitions of an older one are no longer at hand; a serial from before that has none.
struct DeltaPoint {
  std::uint64_t serial = 0;
  std::int64_t published = 0;
  std::string reason;
  bool known = false;
  watch::DeltaTotals totals;
};

/// Measures the distribution as it is now and keeps the totals for a serial just published. Trouble is a warning: the
/// serial is there.
void keep_totals(Workshop& shop, const index::Serial& published);

/// All serials of an edition, oldest first. A rollback has the totals of the serial whose content it has.
Result<std::vector<DeltaPoint>> delta_history(Env& env, Edition edition);

/// One HTML file without scripts and without anything from elsewhere: the table of today, and how each total went over
/// the serials, as SVG.
std::string delta_page(const std::vector<DeltaRow>& rows, const std::vector<DeltaPoint>& history, std::int64_t now);

}  // namespace nacre::cli
