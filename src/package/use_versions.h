#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

// What files that say how to build may ask of a library's version.
namespace nacre::package {

struct VersionTexts {
  /// A dotted number -> words near it, letters alone, in small letters: what it may be a version of.
  std::map<std::string, std::set<std::string>> numbers;
  /// Words near a comparison with what no number stands for: "zlib >= $WANTED" may be any number of the build.
  std::set<std::string> by_variable;
  /// Modules whose version is taken from pkg-config, by name; "*": any.
  std::set<std::string> taken;

  /// `name`: of the file alone.
  void add(std::string_view name, std::string_view text);
  /// After all files: modules of Meson's variables.
  void finish();

 private:
  std::map<std::string, std::set<std::string>, std::less<>> assigned_;  ///< Variable of Meson -> modules; "*": others.
  std::set<std::string> asked_;                                         ///< Variables whose .version() is called.
};

/// The letters of a word, in small letters.
std::string small_letters(std::string_view word);

}  // namespace nacre::package
