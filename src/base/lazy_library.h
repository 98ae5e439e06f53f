#pragma once

namespace nacre {

/// Address of a function of a shared library, which is loaded when it is first asked for and stays.
///
/// Loading libcurl with the thirty libraries that it needs takes longer than most commands run. So what only some
/// commands use is not linked: a file of the room that owns the library (net/lazy_curl.cc) defines each function that
/// the room calls, under its own name, and passes the call on. `soname` is the name that a linker would have noted.
///
/// Ends the program with exit code 127 and a line on stderr when library or function are missing: what the system's
/// loader does at the start of a program that is linked. Any thread. Never in a child between fork and exec.
void* find_function(const char* soname, const char* name);

}  // namespace nacre

/// The function `name`, of the type that it is declared with, in the library `soname`; looked for once.
#define NACRE_LAZY(soname, name)                                                                       \
  ([]() -> decltype(&name) {                                                                           \
    static const auto kFound = reinterpret_cast<decltype(&name)>(nacre::find_function(soname, #name)); \
    return kFound;                                                                                     \
  }())
