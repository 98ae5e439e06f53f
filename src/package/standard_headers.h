#pragma once

#include <string_view>
#include <vector>

// Headers that the standards of C, C++ and POSIX name. A program may include them in any order and more than once, and
// gets the same (ISO C 7.1.2, ISO C++ [using.headers], POSIX 2.2.2), but for <assert.h>.
namespace nacre::package {

enum class StandardHeader {
  kNone,
  kBrought,  ///< Another of the C library or the compiler.
  kNamed,    ///< A standard names it.
};

/// By its path in a root: "usr/include/stdio.h".
StandardHeader standard_header(std::string_view path);

/// A header of the standard library of C++.
bool is_of_cxx(std::string_view path);

/// Whether nobody names headers of the folder ("usr/include/linux/") without it where another has that name.
bool is_inner_folder(std::string_view folder);

/// A macro that gcc and clang define before they read anything ("__GNUC__", "__SIZE_TYPE__"): a header that defines it
/// does so for other compilers.
bool is_predefined(std::string_view macro);

/// A function that the standard library of C++ calls by a name that others give functions, too, for types of theirs.
bool is_customized(std::string_view function);

/// Other headers that define the name, which <stddef.h> defines: "stdio.h" for NULL.
std::vector<std::string_view> headers_that_define(std::string_view name);

}  // namespace nacre::package
