#pragma once

#include "package/package.h"

namespace nacre::package {

/// Part of each stage0 package's key: raise it when the importer would write other bytes.
constexpr std::string_view kImporterVersion = "2";

/// One entry of os/stage0.yaml: which Debian packages become which stage0 package.
struct Stage0Entry {
  std::string name;
  std::string suite;  ///< Where its debs come from, when it is not the table's suite.
  std::vector<std::string> debs, depends, provides;
  std::vector<std::pair<TreePath, std::string>> links;   ///< path -> target
  std::vector<std::pair<TreePath, std::string>> files;   ///< path -> file below os/
  std::vector<std::pair<TreePath, std::string>> joined;  ///< path -> folder of the package: its files in one
};
Result<std::vector<Stage0Entry>> parse_stage0(const codec::YamlTree& yaml);

/// What a table says besides its packages.
struct Stage0Settings {
  std::string suite;           ///< Debian suite that the debs come from; empty: what the host's apt knows.
  bool provide_names = false;  ///< `provide: [cmd, pc]`: packages also provide commands and pkg-config modules.
};
Result<Stage0Settings> parse_stage0_settings(const codec::YamlTree& yaml);

/// A Debian package file that was taken in.
struct DebFile {
  std::string name, version, arch, file_name;
  Sha256 sha256;
  os::Path path;   ///< The blob.
};

/// Each .apk with the .debs it was made of: what provenance states.
struct Stage0Package {
  apk::PackageFile apk;
  std::vector<DebFile> debs;
};

/// Makes stage0 (design, decision 11): asks apt (its own client, a private state directory, the host's sources) for
/// the closure of all debs, downloads what the store lacks with apt's own checks, turns each entry (and each deb of
/// the closure that no entry names) into a signed .apk. Directories are merged: bin, sbin, usr/sbin -> usr/bin; lib,
/// lib64, usr/lib64 -> usr/lib. Documentation and locales are left out. Dependencies: `so:` by ELF scan, else
/// Debian's Depends between packages of the set. Debian's version is mapped to a valid apk version, the original is
/// in the description. Work that the store already holds is not done again: key of each package is its debs, entry
/// and importer version.
struct Stage0Request {
  os::Path os_dir;           ///< Holds the table and the files that it names.
  std::string table = "stage0.yaml";
  Arch arch = host_arch();
  apk::SegmentSigner signer;
  os::Path out_dir;
};
Result<std::vector<Stage0Package>> make_stage0(const Stage0Request& request, Env& env);

}  // namespace nacre::package
