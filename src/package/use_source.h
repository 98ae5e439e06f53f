#pragma once

#include <string>
#include <string_view>
#include <vector>

// What one text of a build's tree is, and what a source of C or C++ says of headers and of names that it puts together.
namespace nacre::package {

/// Whether branches of #if that compilers of other systems read (package/dead_branches.h) are looked at.
enum class Branches { kOfThisSystem, kAll };

enum class TextKind {
  kCode,       ///< What a compiler of C or C++ reads, or what becomes that.
  kScript,     ///< What says how to build, or a program: these may work together.
  kAutoconf,   ///< What autoconf makes configure of.
  kConfigure,  ///< A configure, which asks a compiler by itself.
  kData,       ///< Read by programs, or in a language that takes nothing of headers.
  kProse,      ///< For people alone: documents, translations, what other systems build with.
  kDepends,    ///< What a compiler wrote about the headers that it read.
};

/// By its path in the tree, and how it begins.
TextKind text_kind(std::string_view path, std::string_view bytes);

/// One #include, #include_next or #import.
struct SourceInclude {
  std::string path;     ///< As it says it; empty: a macro says which.
  bool quoted = false;  ///< Looked for beside the file first.
  bool always = false;  ///< Stands in no condition but the file's own guard.
};

struct Source {
  std::string text;                     ///< Without comments where that can be told for sure, else all of it.
  std::string code;                     ///< Of that, all but the lines that include what they say.
  std::string ahead;                    ///< Of `code`, what stands before the first of those lines; empty: none.
  std::string between;                  ///< Of `code`, what stands between the first and the last of them.
  std::vector<SourceInclude> includes;  ///< In the order of the file; those in texts in quotes, too.
  /// Names that it defines as macros or makes undefined; kReachesOn for a pragma that may change what comes behind it.
  std::vector<std::string> defines;
  /// Names that macros put together with ##, as patterns: "lib_*" for `lib_##x`, "**" for what is not known.
  std::vector<std::string> pastes;
};

/// `name`: of the file alone. Never fails: what is not understood counts as more, never as less. Branches of #if are
/// left out only where comments can be told.
Source read_source(std::string_view name, std::string_view bytes, Branches branches = Branches::kAll);

struct Guard {
  bool guarded = false;  ///< The file does nothing when it is included again.
  std::string name;      ///< What it defines for that; empty: #pragma once.
};
Guard guard_of(std::string_view text);

/// The patterns of one macro, from the tokens of its #define behind the name (the parameters first); "##" is one token.
std::vector<std::string> paste_patterns(const std::vector<std::string_view>& tokens, bool function_like);

/// Words of texts that change what is read behind them without naming it.
constexpr std::string_view kReachesOn[] = {"pragma", "_Pragma"};

/// Any name at all.
constexpr std::string_view kAnyPaste = "**";

}  // namespace nacre::package
