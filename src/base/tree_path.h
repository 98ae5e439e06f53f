#pragma once

#include "base/result.h"

#include <compare>
#include <string>
#include <string_view>

namespace nacre {

/// A path inside a package, image or archive: relative, normal, never leading outside.
///
/// Shape: components parted by one '/', none empty, none "." or "..", no NUL byte; at most 4,096
/// bytes, a component at most 255. The empty path is the root of the tree. Ordered bytewise.
class TreePath {
 public:
  TreePath() = default;

  /// Reads a path as archives write it: leading "./" and "/" and one trailing "/" are dropped.
  /// kInvalid for "..", an empty component, a NUL byte, or a length over the bounds.
  static Result<TreePath> parse(std::string_view text);

  /// For texts that the program itself wrote: aborts where parse() would refuse.
  static TreePath literal(std::string_view text);

  const std::string& str() const { return text_; }
  bool is_root() const { return text_.empty(); }
  TreePath parent() const;                    ///< The root's parent is the root.
  std::string_view name() const;              ///< The last component; empty for the root.
  bool is_under(const TreePath& folder) const;  ///< Strictly inside; everything but the root is under the root.
  Result<TreePath> join(std::string_view child) const;  ///< parse() of `this/child`.

  auto operator<=>(const TreePath&) const = default;

 private:
  explicit TreePath(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace nacre
