#pragma once

#include <string>
#include <string_view>

// What of a text that a package shows to those that link with it can change what they become.
namespace nacre::package {

/// A header of C or C++ as a compiler takes it: without comments and blanks at the ends of lines. Lines stay where they
/// are, because __LINE__ of inline functions goes into what is built. Texts in quotes (raw ones too) are kept as they
/// stand; what is not C is kept, too, but for what a compiler would take for a comment.
std::string without_comments(std::string_view header);

/// A pkg-config file without what only people read: comments, Name, Description, URL, Maintainer, Copyright, License
/// and Source. Variables, versions, requirements and flags stay.
std::string pkg_config_facts(std::string_view text);

}  // namespace nacre::package
