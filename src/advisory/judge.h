#pragma once

#include "advisory/document.h"
#include "advisory/scan.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::advisory {

/// What may be published.
struct Policy {
  enum class Refuse { kNothing, kFixable, kAll } refuse = Refuse::kFixable;
  std::string least_severity;  ///< "high": lower ones pass; empty: none does. Unknown severity never passes.
  std::optional<std::int64_t> max_age_seconds = 7 * 86'400;  ///< Of the data; nothing: not asked.
};

/// What breaks the policy, a line each; empty: it may ship. Known vulnerabilities with a fix may not, and data older
/// than the policy allows is a breach of its own, whatever was found in it. An advisory of ours that says "false
/// positive" lets its match pass. Pure: farm's gate and `nacre scan --fail-on` call it.
std::vector<std::string> judge(const std::vector<Match>& matches, const std::vector<Document>& advisories,
                               std::int64_t data_date, std::int64_t now, const Policy& policy);

/// An advisory that a release closes.
struct Closing {
  std::string package;   ///< Origin: whose document it is.
  std::string advisory;  ///< Its id.
  std::vector<std::string> vulnerabilities;
  Event event;  ///< kFixed, in the new version.
};
/// Advisories that release `version` of `package` closes: still open, found in what was before, and not in what is now.
/// What was never found is not closed: nobody saw it go. The time is moved behind the advisory's latest event.
std::vector<Closing> close_fixed(const std::vector<Document>& advisories, std::string_view package,
                                 std::string_view version, const std::vector<Match>& before,
                                 const std::vector<Match>& after, std::int64_t time);

/// Detections that are to be written: one for each vulnerability that counts in an origin and has no advisory there;
/// and for a fixed one that is found again. New advisories have one event; for others only the event is to be appended.
struct Detection {
  std::string package;  ///< Origin.
  Advisory advisory;    ///< Id and aliases; its one event.
  bool known = false;   ///< The advisory is there already.
};
std::vector<Detection> new_detections(const std::vector<Document>& advisories, const std::vector<Match>& matches,
                                      std::int64_t time);

/// Writes closings or detections into the directory of advisories: appended, added, or a new document. Returns the
/// files.
Result<std::vector<os::Path>> write_events(const os::Path& folder, const std::vector<Closing>& closings,
                                           const std::vector<Detection>& detections);

}  // namespace nacre::advisory
