#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "package/library_changes.h"
#include "package/offer.h"
#include "package/use.h"
#include "package/version_step.h"

// What differs between the files of two states of a root that say how to build with its libraries, those of pkg-config,
// CMake, autoconf and others, and who asks them.
namespace nacre::package {

struct BuildFileChanges {
  std::map<std::string, std::string> links;           ///< A word by which a link finds a library -> how.
  std::map<std::string, std::string> modules;         ///< pkg-config's name -> how.
  std::map<std::string, std::string> static_modules;  ///< As modules, for static links alone.
  std::map<std::string, std::string> commands;        ///< Path -> how.
  std::map<std::string, std::string> cmake;           ///< Name of find_package -> how.
  std::map<std::string, std::string> m4;              ///< Macro -> how.
  std::map<std::string, std::string> tools;           ///< A word that says that such files are read -> how.
  std::vector<VersionStep> versions;
  std::vector<std::string> for_all;  ///< Why everybody is touched.

  bool empty() const;
  /// Why a build that uses this must be made again: "it asks pkg-config for z, which says other flags". Versions are
  /// left out.
  std::optional<std::string> touches(const Use& use) const;
  /// Of the versions alone.
  std::optional<std::string> touches_by_version(const Use& use) const;
};

/// `libraries`: of the same states; links find what came or went of these, too.
BuildFileChanges compare_build_files(const RootStates& states, const LibraryChanges& libraries);

}  // namespace nacre::package
