#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::package {

/// One dynamic symbol that is not local.
struct ElfSymbol {
  std::string name;
  std::string version;          ///< "GLIBC_2.34"; empty without versioning.
  std::string library;          ///< Of an import with a version: the file that must have it ("libc.so.6").
  unsigned type = 0;            ///< STT_FUNC 2, STT_OBJECT 1, STT_TLS 6, …
  bool weak = false;
  bool default_version = true;  ///< Of an export: what a new link takes ("@@").
  std::uint64_t size = 0;
};

/// The facts about an ELF file that scanning, linters and the hardening gate need. Both classes and byte orders.
struct Elf {
  bool wide = true;                   ///< 64-bit.
  bool big_endian = false;
  int type = 0;                       ///< e_type: 1 object, 2 executable, 3 shared or PIE.
  int machine = 0;                    ///< e_machine.
  std::string interpreter;            ///< PT_INTERP, or empty.
  std::string soname, rpath, runpath;
  std::vector<std::string> needed;
  bool dynamic = false;               ///< Has a dynamic section with content.
  bool bind_now = false, relro = false, text_relocations = false, pie_flag = false;
  bool executable_stack = true;       ///< True also when there is no PT_GNU_STACK.
  bool writable_code = false;         ///< A loaded segment is writable and executable.
  bool has_ibt = false, has_shstk = false;
  bool has_debug_section = false;     ///< A section named exactly ".debug" or ".zdebug".
  bool has_sections = false;          ///< Has section headers: without, nothing is said of symbols and Go.
  std::string_view go_build_info;     ///< Content of .go.buildinfo, a view into the bytes given.
  std::string_view cargo_audit;       ///< Content of .dep-v0 (cargo auditable), likewise.
  std::vector<ElfSymbol> imports;     ///< Undefined dynamic symbols.
  std::vector<ElfSymbol> exports;     ///< Defined global and weak dynamic symbols.
};

/// Whether the bytes begin as an ELF file does.
bool is_elf(std::string_view bytes);

enum class ElfParts {
  kDynamic,      ///< Headers, dynamic section, notes; cheap on a mapped file.
  kWithSymbols,  ///< Also the dynamic symbols and their versions.
};

/// Reads an ELF file from hostile bytes: every offset, size and count is checked against the file. kInvalid says which
/// table leads outside.
Result<Elf> read_elf(std::string_view bytes, ElfParts parts = ElfParts::kWithSymbols);

/// Settings that the Go tool recorded ("CGO_ENABLED" -> "1"), from `go_build_info`; empty when there are none. Those
/// of Go before 1.18, which kept none, are not read.
std::vector<std::pair<std::string, std::string>> go_build_settings(std::string_view go_build_info);

/// What the Go tool recorded of a program (Go 1.18 and newer): its version of Go ("go1.22.5") and the text of lines
/// "path\t…", "mod\tPATH\tVERSION", "dep\t…", "=>\t…", "build\t…". Nothing when there is none, or it is malformed.
struct GoBuildInfo {
  std::string go_version, modules;
};
std::optional<GoBuildInfo> read_go_build_info(std::string_view go_build_info);

}  // namespace nacre::package
