#pragma once

#include "base/result.h"
#include "os/file.h"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::draft {

/// What a first definition needs of a source tree: the names of its files, and the texts of those that say something
/// of the project. Links are not followed and not listed; all of it is bounded.
struct SourceTree {
  std::string folder;                                     ///< Name of the directory or archive, for guesses.
  std::set<std::string, std::less<>> files;               ///< "src/main.rs"
  std::map<std::string, std::string, std::less<>> texts;  ///< Of the files that readers look at.
  std::vector<std::string> remarks;                       ///< What was left out, for people.

  bool has(std::string_view file) const { return files.contains(file); }
  bool has_folder(std::string_view path) const;          ///< Whether a file is below it.
  const std::string* text(std::string_view file) const;  ///< nullptr: not there, or not looked at.
  /// Texts of all files of that name, those nearest to the root first.
  std::vector<std::pair<std::string, const std::string*>> named(std::string_view name) const;
};

constexpr std::size_t kMaxFiles = 50'000, kMaxTextBytes = 1u << 20, kMaxAllTextBytes = 32u << 20;
constexpr int kMaxFolders = 6;  ///< How deep directories are looked into.

/// Whether readers may want the text of this file.
bool is_wanted(std::string_view file);

Result<SourceTree> read_folder(const os::Path& folder);
/// An archive in any form that codec reads. One directory at its top, as releases have it, is left out of names.
Result<SourceTree> read_archive(const os::Path& file);

}  // namespace nacre::draft
