#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "package/header_items.h"
#include "package/header_lexer.h"

// What one declaration of a header says of names.
namespace nacre::package {

/// Tokens of one piece, without directives.
using HeaderCode = std::vector<const HeaderToken*>;

/// The body of an enumeration in a piece, with its brackets: from the index of '{' to the one behind '}'.
struct EnumBody {
  std::size_t from = 0, to = 0;
};

/// Fills in the names of a piece, and whether it is of types alone, or loose. Gives the enumeration that it declares.
std::optional<EnumBody> read_declaration(const HeaderCode& code, HeaderItem& out);

/// Whether the piece ends with the body that begins behind these tokens, as a function does.
enum class BodyEnds { kNo, kYes, kUnclear };
BodyEnds body_ends(const HeaderCode& code);

/// A word that is not one of the language.
bool is_name(const HeaderToken& token);
/// The index behind the mark that closes the one at `open`; code.size() when none does.
std::size_t behind_group(const HeaderCode& code, std::size_t open);

}  // namespace nacre::package
