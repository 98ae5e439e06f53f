#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "package/offer.h"
#include "package/use.h"

// What differs between the shared libraries of two states of a root, and who is linked with it.
namespace nacre::package {

struct LibraryChanges {
  std::map<std::string, std::string> symbols;  ///< Name -> how: "of libz.so.1, which is new".
  std::map<std::string, std::string> sonames;  ///< A library that came or went -> how.
  std::set<std::string> lost;  ///< Sonames that are gone; symbols that are gone, or have another version or size.
  std::map<std::string, std::string> links;    ///< A word by which a link finds such a library -> how.
  std::vector<std::string> for_all;            ///< Why everybody is touched.

  bool empty() const { return symbols.empty() && sonames.empty() && links.empty() && for_all.empty(); }
  /// Why a build that uses this must be made again: "it is linked with f of libz.so.1, which is gone". What links find
  /// is asked of BuildFileChanges.
  std::optional<std::string> touches(const Use& use) const;
  /// What its programs were linked with and no longer find.
  std::optional<std::string> breaks(const Use& use) const;
};

LibraryChanges compare_libraries(const RootStates& states);

/// Puts in what -lz, AC_CHECK_LIB(z, …) and find_library(… z) look for, of "libz". Words that are there stay.
void put_link_words(std::map<std::string, std::string>& links, std::string_view stem, const std::string& how);

}  // namespace nacre::package
