#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "package/header_effects.h"
#include "package/root_headers.h"

// What differs between the headers of two states of a root.
namespace nacre::package {

struct HeaderChanges {
  HeaderEffects effects;
  std::map<HeaderGraph::Id, std::string> files;  ///< A header that came or went -> how.
  std::set<HeaderGraph::Id> other_bytes;         ///< Headers that have other bytes, or came or went.
  std::vector<std::string> for_all;              ///< Why everybody is touched.

  /// The greatest of any name, and of what reaches all who read a header.
  Weight weight() const;
  /// Whether nobody is touched by them but who reads headers as a whole.
  bool empty() const { return for_all.empty() && effects.names.empty() && effects.loose.empty() && files.empty(); }
};

/// `root`: the headers of `states`.
HeaderChanges compare_headers(const RootHeaders& root, const RootStates& states);

}  // namespace nacre::package
