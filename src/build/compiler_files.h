#pragma once

#include "base/arch.h"
#include "base/result.h"
#include "definition/definition.h"

#include <string>
#include <string_view>
#include <vector>

/// Internal to the room: files of the workspace with which compilers write into what they link whose package it is
/// (docs/formats/compiler-files.md).
namespace nacre::build {

struct CompilerFile {
  std::string path, text;  ///< Below the workspace.
};

/// `.melange.gcc.spec` (gcc -specs=), `.melange.clang.cfg` (clang --config), `.melange.fdo.h` (for sources that include
/// it), and `.config/clang-N/…` for clangs that read their configuration there. `os` is who packages. kInvalid when it
/// has characters that no such file can hold.
Result<std::vector<CompilerFile>> compiler_files(const definition::Definition& definition, const Arch& arch,
                                                 std::string_view os);

/// Whether a step names one of these files.
bool asks_for_compiler_files(const definition::Definition& definition);

}  // namespace nacre::build
