#pragma once

#include "base/result.h"
#include "codec/yaml.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace nacre::definition {

// Edits of a definition's text. Each gives the whole new text, in which only the named values
// differ: comments, order, quotes, line ends and blanks stay.

/// `package.version` and `package.epoch`. kInvalid where the file does not have them in plain
/// sight.
Result<std::string> bump_version(const codec::YamlTree& tree, std::string_view version,
                                 std::uint64_t epoch);

/// `package.epoch` alone.
Result<std::string> set_epoch(const codec::YamlTree& tree, std::uint64_t epoch);

/// Every `expected-sha256` that is `old_sha256`. kNotFound when none is.
Result<std::string> replace_digest(const codec::YamlTree& tree, std::string_view old_sha256,
                                   std::string_view new_sha256);

/// Every `expected-commit` that is `old_commit`. kNotFound when none is.
Result<std::string> replace_commit(const codec::YamlTree& tree, std::string_view old_commit,
                                   std::string_view new_commit);

/// Takes the patch file `name`, as written there, out of every step that applies it (`uses: patch` or `git-am`); a step
/// that then applies none goes whole. Comments around it stay. kNotFound when no step names it in plain sight; kInvalid
/// where a step cannot be taken out (the only one of a pipeline, a list in one line).
Result<std::string> remove_patch(const codec::YamlTree& tree, std::string_view name);

/// Takes the commit out of every `cherry-picks`; one that then has none goes whole. Errors as of remove_patch.
Result<std::string> remove_pick(const codec::YamlTree& tree, std::string_view commit);

}  // namespace nacre::definition
