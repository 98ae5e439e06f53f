#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::codec {

/// Where a node stands in its text: byte offsets (end exclusive) and the 1-based place of its start.
struct YamlSpan {
  std::size_t begin = 0, end = 0;
  int line = 0, column = 0;
};

enum class YamlKind { kNull, kScalar, kSequence, kMapping };
enum class ScalarStyle { kPlain, kSingleQuoted, kDoubleQuoted, kLiteral, kFolded };

/// One node. Scalars keep their source text: nothing is typed here ("1.10" stays "1.10"); a plain
/// `~`, `null` or nothing at all is kNull with an empty text.
struct YamlNode {
  YamlKind kind = YamlKind::kNull;
  ScalarStyle style = ScalarStyle::kPlain;
  std::string text;
  YamlSpan span;
  std::vector<YamlNode> items;    ///< Of a sequence.
  struct Entry;
  std::vector<Entry> entries;     ///< Of a mapping, in the text's order.

  const YamlNode* find(std::string_view key) const;
};

struct YamlNode::Entry {
  std::string key;
  YamlSpan key_span;
  YamlNode value;
};

/// A parsed text with its source, so that errors can show the line and edits keep every other byte.
struct YamlTree {
  std::string file;    ///< As the user wrote it.
  std::string source;  ///< The whole text.
  YamlNode root;

  Place place(const YamlSpan& span) const { return {file, span.line, span.column}; }
};

struct YamlLimits {
  std::size_t max_bytes = 8u << 20;
  int max_depth = 64;
  std::size_t max_nodes = 200'000;
};

/// Reads one document. kInvalid with file:line:column for syntax errors, duplicate keys, several documents,
/// anchors that would expand past the limits (aliases and merge keys are refused), tabs in indentation, and
/// keys that are not scalars.
Result<YamlTree> parse_yaml(std::string text, std::string file, const YamlLimits& limits = {});

/// The error text with the source line and a caret below the fault, as the terminal shows it:
///   os/packages/zlib.yaml:7:3: unknown field 'enviroment'
///     7 |   enviroment:
///       |   ^~~~~~~~~~
///     hint: did you mean 'environment'?
std::string render_with_source(const Error& error, std::string_view source);

/// Replaces the text of one scalar in place, keeping quotes style, comments, order and every other byte.
/// The new text is quoted when plain style could not hold it.
std::string replace_scalar(const YamlTree& tree, const YamlNode& scalar, std::string_view text);

}  // namespace nacre::codec
