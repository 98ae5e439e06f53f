#pragma once

#include "advisory/feeds.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

// What the feeds share.
namespace nacre::advisory {

/// Packages of an origin; `alone` holds the answer when nothing says which there are.
inline const std::vector<std::string>& packages_of(const FeedOptions& options, const std::string& origin,
                                                   std::vector<std::string>& alone) {
  const auto found = options.packages.find(origin);
  if (found != options.packages.end()) return found->second;
  alone = {origin};
  return alone;
}

/// Names under which scanners know it, sorted: aliases, or the id when there are none.
inline std::vector<std::string> known_names(const Advisory& advisory) {
  std::vector<std::string> out = advisory.aliases;
  if (out.empty()) out = {advisory.id};
  std::sort(out.begin(), out.end());
  return out;
}

/// The same with a CVE first, where there is one.
inline std::vector<std::string> names_cve_first(const Advisory& advisory) {
  std::vector<std::string> out = known_names(advisory);
  const auto cve = std::find_if(out.begin(), out.end(), [](const std::string& n) { return n.starts_with("CVE-"); });
  if (cve != out.end()) std::rotate(out.begin(), cve, cve + 1);
  return out;
}

inline std::int64_t newest_event(const std::vector<Document>& advisories) {
  std::int64_t out = 0;
  for (const Document& document : advisories)
    for (const Advisory& advisory : document.advisories)
      for (const Event& event : advisory.events) out = std::max(out, event.time);
  return out;
}

inline std::vector<const Document*> by_package(const std::vector<Document>& advisories) {
  std::vector<const Document*> out;
  for (const Document& document : advisories) out.push_back(&document);
  std::sort(out.begin(), out.end(), [](const Document* a, const Document* b) { return a->package < b->package; });
  return out;
}

}  // namespace nacre::advisory
