#include "advisory/cvss.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

namespace nacre::advisory {
namespace {

using Metrics = std::map<std::string, char>;

std::optional<Metrics> read(std::string_view vector) {
  if (!vector.starts_with("CVSS:3.0/") && !vector.starts_with("CVSS:3.1/")) return std::nullopt;
  Metrics out;
  for (const std::string& part : split(vector.substr(9), '/')) {
    const std::size_t colon = part.find(':');
    if (colon == std::string::npos || part.size() != colon + 2) return std::nullopt;
    if (!out.emplace(part.substr(0, colon), part[colon + 1]).second) return std::nullopt;
  }
  return out;
}

/// The number that a metric's value stands for (specification 3.1, table 16).
std::optional<double> weight(const Metrics& metrics, const char* name,
                             std::initializer_list<std::pair<char, double>> values) {
  const auto found = metrics.find(name);
  if (found == metrics.end()) return std::nullopt;
  for (const auto& [value, number] : values)
    if (value == found->second) return number;
  return std::nullopt;
}

/// Smallest number with one decimal that is not below (specification 3.1, appendix A: no error of floating point).
double round_up(double value) {
  const long whole = std::lround(value * 100'000);
  return whole % 10'000 == 0 ? static_cast<double>(whole) / 100'000.0 : static_cast<double>(whole / 10'000 + 1) / 10.0;
}

}  // namespace

std::optional<double> cvss3_base_score(std::string_view vector) {
  const auto metrics = read(vector);
  if (!metrics) return std::nullopt;
  const auto scope = metrics->find("S");
  if (scope == metrics->end() || (scope->second != 'U' && scope->second != 'C')) return std::nullopt;
  const bool changed = scope->second == 'C';
  const auto attack = weight(*metrics, "AV", {{'N', 0.85}, {'A', 0.62}, {'L', 0.55}, {'P', 0.2}});
  const auto complexity = weight(*metrics, "AC", {{'L', 0.77}, {'H', 0.44}});
  const auto privileges =
      weight(*metrics, "PR", {{'N', 0.85}, {'L', changed ? 0.68 : 0.62}, {'H', changed ? 0.5 : 0.27}});
  const auto interaction = weight(*metrics, "UI", {{'N', 0.85}, {'R', 0.62}});
  std::array<double, 3> parts{};
  for (std::size_t i = 0; i < 3; ++i) {
    constexpr std::array kNames = {"C", "I", "A"};
    const auto part = weight(*metrics, kNames[i], {{'H', 0.56}, {'L', 0.22}, {'N', 0.0}});
    if (!part) return std::nullopt;
    parts[i] = *part;
  }
  if (!attack || !complexity || !privileges || !interaction) return std::nullopt;
  const double base = 1 - (1 - parts[0]) * (1 - parts[1]) * (1 - parts[2]);
  const double impact = changed ? 7.52 * (base - 0.029) - 3.25 * std::pow(base - 0.02, 15) : 6.42 * base;
  if (impact <= 0) return 0.0;
  const double exploitability = 8.22 * *attack * *complexity * *privileges * *interaction;
  return round_up(std::min((changed ? 1.08 : 1.0) * (impact + exploitability), 10.0));
}

std::string_view severity_of_score(double score) {
  if (score >= 9.0) return "critical";
  if (score >= 7.0) return "high";
  if (score >= 4.0) return "medium";
  return score > 0 ? "low" : "none";
}

std::string severity_word(std::string_view text) {
  std::string word;
  for (const char c : text) word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (word == "moderate") return "medium";
  if (word == "important") return "high";
  return severity_rank(word) > 0 ? word : std::string();
}

int severity_rank(std::string_view word) {
  static const std::vector<std::string> kWords = {"low", "medium", "high", "critical"};
  const auto found = std::find(kWords.begin(), kWords.end(), word);
  return found == kWords.end() ? 0 : static_cast<int>(found - kWords.begin()) + 1;
}

}  // namespace nacre::advisory
