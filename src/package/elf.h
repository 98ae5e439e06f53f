#pragma once

#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::package {

/// The facts about an ELF file that scanning and the hardening gate need (64-bit little-endian only).
struct Elf {
  int type = 0;                       ///< e_type: 1 object, 2 executable, 3 shared or PIE.
  int machine = 0;                    ///< e_machine.
  std::string interpreter;            ///< PT_INTERP, or empty.
  std::string soname, rpath, runpath;
  std::vector<std::string> needed;
  bool dynamic = false;               ///< Has a dynamic section.
  bool bind_now = false, relro = false, text_relocations = false, pie_flag = false;
  bool executable_stack = true;       ///< True also when there is no PT_GNU_STACK.
  bool writable_code = false;         ///< A loaded segment is writable and executable.
  bool has_ibt = false, has_shstk = false;
  bool has_debug = false;             ///< A .debug* or .zdebug* section.
  std::vector<std::string> imports;   ///< Undefined dynamic symbols.
  std::vector<std::string> exports;   ///< Defined global dynamic symbols.
};

/// Whether the bytes begin as an ELF file does.
bool is_elf(std::string_view bytes);

/// Reads a 64-bit little-endian ELF file from hostile bytes: every offset, size and count is checked against the
/// file. kInvalid says which table leads outside. 32-bit and big-endian files are kInvalid too.
Result<Elf> read_elf(std::string_view bytes);

}  // namespace nacre::package
