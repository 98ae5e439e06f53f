#pragma once

#include "base/result.h"

#include <functional>
#include <string>
#include <string_view>

namespace nacre::image {

/// Orders paths as a depth-first walk meets them: names of one directory bytewise, a directory before its
/// content.
struct TreeOrder {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

std::string parent_of(std::string_view path);     ///< "" for names at the top.
std::string name_of_path(std::string_view path);  ///< The last component.
bool is_beneath(std::string_view path, std::string_view folder);  ///< Strictly; everything is beneath "".

/// Whether the last component is followed too, when it is a symlink.
enum class Last { kKeep, kFollow };
/// Target of the symlink at a path whose folders are real, or nullptr.
using LinkLookup = std::function<const std::string*(std::string_view path)>;

/// `path` (as TreePath has it) with the symlinks on its way followed as in a root of its own: absolute targets
/// start at the root, ".." stops there. kInvalid after 40 links ("too many levels of symlinks").
Result<std::string> resolve(std::string_view path, Last last, const LinkLookup& link_at);

}  // namespace nacre::image
