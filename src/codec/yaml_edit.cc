#include "base/text.h"
#include "codec/yaml.h"
#include "codec/yaml_write.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace nacre::codec {
namespace {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; });
}

/// Whether a plain scalar can hold `text`, in a block as well as in a flow collection.
bool fits_plain(std::string_view text) {
  constexpr std::string_view kNulls[] = {"~", "null", "Null", "NULL", "---", "...", "<<"};
  if (text.empty() || trim(text) != text || has_control(text)) return false;
  if (std::find(std::begin(kNulls), std::end(kNulls), text) != std::end(kNulls)) return false;
  if (std::string_view("&*!|>'\"%@`#,[]{}").find(text[0]) != std::string_view::npos) return false;
  const bool dash = text[0] == '-' || text[0] == '?' || text[0] == ':';
  if (dash && (text.size() == 1 || text[1] == ' ')) return false;
  if (text.starts_with("--- ") || text.starts_with("... ")) return false;
  return text.find_first_of(",[]{}") == std::string_view::npos &&
         text.find(": ") == std::string_view::npos && text.find(" #") == std::string_view::npos &&
         text.back() != ':';
}

std::string in_double_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f')
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else out += c;
  }
  return out + '"';
}

std::string in_single_quotes(std::string_view text) {
  return "'" + replace_all(std::string(text), "'", "''") + "'";
}

/// Indentation of the first line with content in a block scalar's source; npos when there is none.
std::size_t block_indent(std::string_view block) {
  std::size_t at = block.find('\n');
  while (at != std::string_view::npos) {
    const std::string_view rest = block.substr(at + 1);
    const std::size_t indent = std::min(rest.find_first_not_of(' '), rest.size());
    if (indent < rest.size() && rest[indent] != '\n' && rest[indent] != '\r') return indent;
    at = block.find('\n', at + 1);
  }
  return std::string_view::npos;
}

/// A literal block with the same indentation, or nothing where `text` needs more than that.
std::string as_literal(std::string_view block, std::string_view text) {
  const std::size_t indent = block_indent(block);
  const std::string_view body = text.substr(0, text.find_last_not_of('\n') + 1);
  const std::size_t breaks = text.size() - body.size();
  if (indent == std::string_view::npos || indent == 0 || body.empty() || breaks > 1) return {};
  if (body.find_first_of("\r\n \t") == 0 || has_control(replace_all(std::string(body), "\n", "")))
    return {};
  std::string out = breaks == 0 ? "|-\n" : "|\n";
  for (const std::string& line : split(body, '\n'))
    out += line.empty() ? "\n" : std::string(indent, ' ') + line + "\n";
  return out;
}

/// Where the last line of a block ends: blank lines behind it stay as they are.
std::size_t content_end(std::string_view source, const YamlSpan& span) {
  const std::size_t last = source.substr(0, span.end).find_last_not_of(" \t\r\n");
  if (last == std::string_view::npos || last < span.begin) return span.end;
  const std::size_t end = source.find('\n', last);
  return std::min(span.end, end == std::string_view::npos ? source.size() : end + 1);
}

/// What the underline covers: the word at `at`, at least one character.
std::size_t word_length(std::string_view line, std::size_t at) {
  if (at >= line.size()) return 1;
  const char quote = line[at];
  if (quote == '"' || quote == '\'') {
    const std::size_t close = line.find(quote, at + 1);
    return close == std::string_view::npos ? 1 : close - at + 1;
  }
  std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
  if (end > at + 1 && line[end - 1] == ':') --end;
  return std::max<std::size_t>(1, end - at);
}

/// What readers that give scalars types take for something else than a text.
bool has_a_type(std::string_view text) {
  constexpr std::string_view kWords[] = {"true", "false", "yes", "no", "on", "off", "y", "n"};
  std::string low(text);
  std::transform(low.begin(), low.end(), low.begin(), [](unsigned char c) { return std::tolower(c); });
  if (std::find(std::begin(kWords), std::end(kWords), low) != std::end(kWords)) return true;
  if (low.starts_with("0x") || low.starts_with("0o")) return true;
  return low.find_first_not_of("0123456789.e+-_:") == std::string::npos && low.find_first_of("0123456789.+-") == 0;
}

/// As fits_plain, where no flow collection is around.
bool fits_block(std::string_view text) {
  std::string bare(text);
  std::erase_if(bare, [](char c) { return std::string_view(",[]{}").find(c) != std::string_view::npos; });
  return !text.empty() && std::string_view(",[]{}").find(text[0]) == std::string_view::npos && fits_plain(bare);
}

}  // namespace

std::string yaml_scalar(std::string_view text) {
  return fits_block(text) && !has_a_type(text) ? std::string(text) : in_double_quotes(text);
}

std::string replace_scalar(const YamlTree& tree, const YamlNode& scalar, std::string_view text) {
  const YamlSpan& span = scalar.span;
  std::size_t end = span.end;
  std::string written;
  if (scalar.kind == YamlKind::kNull && span.begin == span.end) {
    // Nothing stands behind the colon or dash yet.
    written = " " + (fits_plain(text) ? std::string(text) : in_double_quotes(text));
  } else if (scalar.style == ScalarStyle::kLiteral || scalar.style == ScalarStyle::kFolded) {
    end = content_end(tree.source, span);
    const std::string_view block =
        std::string_view(tree.source).substr(span.begin, end - span.begin);
    if (scalar.style == ScalarStyle::kLiteral) written = as_literal(block, text);
    if (written.empty()) written = in_double_quotes(text) + "\n";
    if (!block.ends_with('\n')) written.pop_back();
  } else if (scalar.style == ScalarStyle::kSingleQuoted && !has_control(text)) {
    written = in_single_quotes(text);
  } else if (scalar.style == ScalarStyle::kPlain && fits_plain(text)) {
    written = text;
  } else {
    written = in_double_quotes(text);
  }
  return tree.source.substr(0, span.begin) + written + tree.source.substr(end);
}

namespace {

/// Bytes that continue a character take no room on the screen.
bool takes_room(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

/// The line, or, of one that no screen holds, what stands around the byte `at`, which comes to be where that is now.
std::string part_to_show(const std::string& line, std::size_t& at) {
  constexpr std::size_t kShown = 160;
  constexpr std::string_view kCut = "…";
  if (line.size() <= kShown) return line;
  std::size_t begin = at > kShown / 2 ? std::min(at - kShown / 2, line.size() - kShown) : 0;
  std::size_t end = begin + kShown;
  while (begin > 0 && !takes_room(line[begin])) --begin;
  while (end < line.size() && !takes_room(line[end])) ++end;
  std::string out = line.substr(begin, end - begin);
  if (end < line.size()) out += kCut;
  if (begin == 0) return out;
  at = at - begin + kCut.size();
  return std::string(kCut) + out;
}

}  // namespace

std::string render_with_source(const Error& error, std::string_view source) {
  const std::string plain = error.render();
  const Place& place = error.place();
  if (place.line <= 0) return plain;
  const std::vector<std::string> lines = split(source, '\n');
  const std::size_t number = static_cast<std::size_t>(place.line);
  if (number > lines.size()) return plain;

  std::string line = lines[number - 1];
  if (line.ends_with('\r')) line.pop_back();
  std::size_t at = place.column > 0 ? static_cast<std::size_t>(place.column) - 1 : 0;
  line = part_to_show(line, at);
  std::string shown = fmt::format("\n  {} | {}", number, replace_all(line, "\t", " "));
  if (place.column > 0) {
    const std::string_view before = std::string_view(line).substr(0, std::min(at, line.size()));
    const std::string_view word =
        std::string_view(line).substr(before.size(), word_length(line, at));
    const auto blanks = static_cast<std::size_t>(std::count_if(before.begin(), before.end(), takes_room));
    const auto marks = std::max<std::size_t>(
        1, static_cast<std::size_t>(std::count_if(word.begin(), word.end(), takes_room)));
    shown += fmt::format("\n  {} | {}^{}", std::string(std::to_string(number).size(), ' '),
                         std::string(blanks, ' '), std::string(marks - 1, '~'));
  }
  std::size_t cut = std::min(plain.find("\n  while "), plain.find("\n  hint: "));
  if (cut == std::string::npos) cut = plain.size();
  return plain.substr(0, cut) + shown + plain.substr(cut);
}

}  // namespace nacre::codec
