#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nacre::advisory {

/// Base score of a CVSS 3.0 or 3.1 vector ("CVSS:3.1/AV:N/AC:L/…"), 0.0 to 10.0. Nothing for other versions (4.0 needs
/// FIRST's table of classes, 2 is too old to compare) and for vectors that lack a base metric.
std::optional<double> cvss3_base_score(std::string_view vector);

/// FIRST's qualitative scale: "none", "low", "medium", "high", "critical".
std::string_view severity_of_score(double score);

/// The word among "low", "medium", "high", "critical" that data bases write in many ways ("MODERATE", "Important");
/// empty for others.
std::string severity_word(std::string_view text);

/// 0 for unknown, 1 low … 4 critical.
int severity_rank(std::string_view word);

}  // namespace nacre::advisory
