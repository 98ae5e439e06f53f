#pragma once

#include "draft/draft.h"

namespace nacre::draft {

// One reader for each build system: what its files say, and the steps that build with it. Internal to the room.
Result<> read_cargo(const SourceTree& tree, const Origin& origin, Facts& out);
Result<> read_go(const SourceTree& tree, const Origin& origin, Facts& out);
Result<> read_python(const SourceTree& tree, const Origin& origin, Facts& out);
Result<> read_meson(const SourceTree& tree, const Origin& origin, Facts& out);
Result<> read_cmake(const SourceTree& tree, const Origin& origin, Facts& out);
Result<> read_autotools(const SourceTree& tree, const Origin& origin, Facts& out);
Result<> read_configure(const SourceTree& tree, const Origin& origin, Facts& out);
Result<> read_gem(const SourceTree& tree, const Origin& origin, Facts& out);
Result<> read_cpan(const SourceTree& tree, const Origin& origin, Facts& out);
Result<> read_node(const SourceTree& tree, const Origin& origin, Facts& out);
Result<> read_make(const SourceTree& tree, const Origin& origin, Facts& out);

/// Whether a pyproject.toml is the project's own, not only a place for the settings of tools.
bool is_python_project(const SourceTree& tree);
/// Whether `configure` was made by autoconf.
bool is_autoconf(const SourceTree& tree);

/// "zlib" of "zlib-1.3.2"; what does not end with a version stays.
std::string name_of_folder(std::string_view folder);

/// Takes `value` for `field` unless there is something already.
void fill(std::string& field, std::string_view value, std::size_t max = 200);
void add_license(Facts& facts, std::string_view words);

/// The package of the field that has the pkg-config module, the library (-lNAME) or CMake's find_package; empty: a
/// guess is all there is.
std::string package_of_module(std::string_view module);
std::string package_of_library(std::string_view library);
std::string package_of_cmake(std::string_view name);
/// Adds what has the module; a comment when it is not known for certain or `optional`.
void need_module(Facts& facts, std::string_view module, bool optional, std::string where);
void need_library(Facts& facts, std::string_view library, std::string where);

/// Manual pages in the tree: which programs they are of, and which of these have --version.
void look_at_manuals(const SourceTree& tree, Facts& out);

}  // namespace nacre::draft
