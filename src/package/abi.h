#pragma once

#include "base/sha256.h"
#include "codec/json.h"
#include "package/elf.h"
#include "package/tree.h"

#include <string>
#include <vector>

namespace nacre::package {

/// The symbols of one dynamic ELF file.
struct FileAbi {
  TreePath path;
  std::string soname;
  std::vector<std::string> needed;
  std::vector<ElfSymbol> exports, imports;
};

/// Part of each digest, so that digests of two forms are never equal: raise it with every change of what is in one.
constexpr int kAbiVersion = 2;

/// What a package shows to those that link with it (design, decision 5).
struct PackageAbi {
  std::vector<FileAbi> files;  ///< Every dynamic ELF file, by path.
  /// Equal digests: whoever links with the packages gets the same. Made of, for each shared library, soname and
  /// exported symbols with version, kind and weakness, of data also the size (copies of it lie in programs); of the
  /// contents of headers (without comments), static libraries, objects, linker scripts, pkg-config (without what only
  /// people read), CMake, autoconf, GIR and Vala files; of commands named *-config, and of all commands of a package
  /// with headers; and of the names of library links. Not of: code, versions in file names, other commands and data.
  /// docs/formats/abi.md.
  Sha256 digest;
};
Result<PackageAbi> read_abi(const PackageTree& tree);
/// The digest alone, of a tree on disk.
Result<Sha256> abi_digest(const os::Path& tree);

/// "F deflate@@ZLIB_1.2.0", "O8 z_errmsg": exports as docs/formats/abi.md writes them; sorted, once each.
std::vector<std::string> export_texts(const std::vector<ElfSymbol>& symbols);
/// Whether a file of this name is a library, or a link to one, by its name alone.
bool is_library_name(std::string_view name);

/// Compact form to keep: docs/formats/abi.md.
codec::Json abi_to_json(const PackageAbi& abi);

}  // namespace nacre::package
