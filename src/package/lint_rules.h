#pragma once

#include "package/lint.h"

#include <functional>
#include <optional>

namespace nacre::package {

/// What a linter sees: one package and the definition that made it.
struct LintSubject {
  const PackageTree& tree;
  const definition::Definition* definition;
  std::string_view package;
};

/// One hit, before it becomes a Finding.
struct LintHit {
  TreePath path;
  std::string text;
  codec::Json detail;
};
using LintCheck = std::function<Result<std::vector<LintHit>>(const LintSubject&)>;

/// The check of that name; of those that need more than names and modes in lint_files.cc.
LintCheck file_check(std::string_view name);

/// ".so" of "a/libx.so"; empty without a dot in the last component.
std::string_view extension_of(const TreePath& path);

}  // namespace nacre::package
