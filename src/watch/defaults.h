#pragma once

#include "watch/delta.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

/// Upstream's own defaults of build switches, read from the source: nothing of it is run.
namespace nacre::watch {

/// What a source says of one switch: "enable-nls" -> "yes".
struct Defaults {
  std::map<std::string, std::string, std::less<>>
      autoconf;                                           ///< "enable-NAME", "with-NAME" -> yes, no, auto or a value.
  std::map<std::string, std::string, std::less<>> cmake;  ///< NAME -> ON, OFF or a value.
  std::map<std::string, std::string, std::less<>> meson;  ///< name -> value.
};

/// Whether a file of a source may say such: configure, meson_options.txt, meson.options, CMakeLists.txt, *.cmake.
bool says_defaults(std::string_view path);

/// Adds what a file says; what is there already stays, so the file nearest to the top comes first. An autoconf help
/// text names a switch by what it changes ("--disable-nls": on by default), or says "[default=…]"; where it says
/// neither, nothing is added. Values with variables in them are left out.
void add_defaults(std::string_view path, std::string_view text, Defaults& out);

/// Gives each switch that is only stated its verdict.
void judge_switches(std::vector<Switch>& switches, const Defaults& defaults);

}  // namespace nacre::watch
