#pragma once

#include "package/header_items.h"
#include "package/tree.h"

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What a package offers to those that link with it, piece by piece: the same that package/abi.h has one digest of.
namespace nacre::package {

struct OfferedModule {
  std::string version;                ///< Of a pkg-config file; empty: not said.
  std::uint64_t rest = 0;             ///< Digest of all else that programs read, but for Libs.private.
  std::uint64_t for_static = 0;       ///< Of Libs.private: what a static link takes besides.
  std::set<std::string> words;        ///< Names of modules in it, among others.
};

struct OfferedLibrary {
  std::map<std::string, std::set<std::string>> exports;  ///< Name -> "F deflate@@ZLIB_1.2.0", for each version.
  std::set<std::string> imports, needed;
};

/// A file that is not cut.
struct OfferedFile {
  enum class Kind {
    kWhole,         ///< Static libraries, objects, linker scripts, links, what nothing is known of: reaches all.
    kM4,            ///< Macros of autoconf.
    kCmake,         ///< What find_package reads.
    kCmakeVersion,  ///< The file beside it that says whether the version will do.
    kGir, kVala, kQmake,
    kCommand,       ///< A program that builds run.
    kLibraryLink,   ///< libNAME.so: what -lNAME finds.
  } kind = Kind::kWhole;
  std::uint64_t digest = 0;
  std::uint64_t apart = 0;      ///< Without the package's own version (kCmakeVersion: without numbers).
  std::vector<std::string> names;  ///< kM4: macros; kCmake: what find_package calls it, in small letters.
  bool by_minor = false;        ///< kCmakeVersion: another minor version will not do.
};

struct Offer {
  std::string version;  ///< Of the package, without epoch.
  std::map<std::string, HeaderItems> headers;         ///< By path.
  std::map<std::string, OfferedLibrary> libraries;    ///< By soname; by path where there is none.
  std::map<std::string, OfferedModule> modules;       ///< By path.
  std::map<std::string, OfferedFile> files;           ///< By path.
};

/// Two states of a build's root.
struct RootStates {
  std::span<const Offer* const> before, after;  ///< Of the packages that changed, by what each was and is.
  std::span<const Offer* const> others;         ///< What stood beside them both times.
};

/// Of a package's tree. kInvalid when a file cannot be read.
Result<Offer> read_offer(const PackageTree& tree, std::string_view version);

}  // namespace nacre::package
