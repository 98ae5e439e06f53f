#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "package/use_source.h"

// A header of C or C++ cut into the pieces that a user takes or leaves: macros, declarations, types, inline functions.
namespace nacre::package {

/// What a name is compared by.
std::uint64_t word_hash(std::string_view word);
/// The first eight bytes of a text's SHA-256.
std::uint64_t short_digest(std::string_view text);
/// Whether a language or a compiler gives the word its meaning, never a header.
bool is_language_word(std::string_view word);
bool is_language_word(std::uint64_t hash);

/// Stands for all names: what a header of more than 16 MiB declares.
constexpr std::string_view kEveryName = "*";

/// A name that a piece may declare.
struct DeclaredName {
  std::string text;
  bool sure = false;          ///< A macro, a tag with its body, an enumerator.
  bool before_group = false;  ///< Stands before a '(': a function, or a macro in front of one.
  bool last = false;          ///< The last of a declarator without '(': a variable, a type.
  bool inner = false;         ///< An argument: of a macro that may declare it.
  bool deep = false;          ///< An argument within an argument.
};

/// One piece at the top of a header, or of a namespace or `extern "C"` in it.
struct HeaderItem {
  enum class Kind : std::uint8_t {
    kMacro,    ///< #define or #undef.
    kInclude,  ///< One #include.
    kOther,    ///< A declaration, a definition, or what was not understood.
  } kind = Kind::kOther;
  /// Of its tokens, with the conditions, namespaces and pragmas that it stands in: equal for equal pieces. White space,
  /// comments and the place in the file do not count.
  std::uint64_t digest = 0;
  std::uint64_t lines = 0;  ///< Of the lines that its tokens stand in, for pieces that use __LINE__.
  std::vector<DeclaredName> names;
  std::vector<std::uint64_t> mentions;  ///< Hashes of all identifiers in it and in its conditions; sorted, once each.
  std::vector<std::uint64_t> says;      ///< Of a macro: of them those in its text; its parameters are in neither.
  bool function_like = false;           ///< Of a macro: has parameters.
  bool pastes = false;                  ///< Of a macro: makes names with ##.
  std::vector<std::string> paste_patterns;  ///< Which: package/use_source.h.
  bool type = false;                    ///< Declares types alone: typedef, struct, enum, class, using.
  /// Puts code or data into who takes it: the body of a function, an initial value, a macro with either; a pragma, and
  /// what was not understood, may do so.
  bool code = false;
  bool gives_value = false;   ///< Of a macro with code: it has no braces, but an '='.
  bool numbers = false;       ///< An enumeration, as a whole or one of its names: a value in it is a number.
  /// Its effect needs nobody who names it: a pragma, code or data that is no `inline`, an operator, `using namespace`,
  /// #error, an #include of what a macro names. A change of it reaches all who include the header.
  bool loose = false;
  bool call = false;          ///< Is nothing but a name, or that with arguments: a macro's may declare anything.
  bool always = false;        ///< Of an #include: stands in no condition but the header's own guard.
  std::string included_path;  ///< As it says it: "sys/types.h".
  std::string included;       ///< Of an #include: the last part of the path; empty: a macro says which.
};

struct HeaderItems {
  std::vector<HeaderItem> items;  ///< In the order of the file.
  std::uint64_t text = 0;         ///< Digest of the whole file as it is.
  std::uint64_t guard = 0;        ///< Hash of the name that keeps it from being read again; 0: none.
  bool guarded = false;           ///< Does nothing when it is included again.
  bool understood = true;         ///< False: one piece that declares and mentions all that is in the header.
};

/// Never fails: what cannot be cut (brackets that do not match across conditions, a comment without end) is one piece.
HeaderItems cut_header(std::string_view text, Branches branches = Branches::kOfThisSystem);

/// What names mean elsewhere: what tells, in `FOO_API foo_t *foo_make OF((int n));`, the declared name from the others.
struct KnownNames {
  std::unordered_set<std::uint64_t> function_macros, macros, types, numbers;  ///< numbers: enumerators.
  void add(const HeaderItem& item);
  bool is_macro(std::uint64_t word) const { return macros.contains(word) || function_macros.contains(word); }
};
/// The names that a piece declares. Where that cannot be told, more than it declares, never fewer.
std::vector<std::string_view> declared_names(const HeaderItem& item, const KnownNames& known);

}  // namespace nacre::package
