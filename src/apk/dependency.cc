#include "apk/dependency.h"

#include "apk/version.h"

#include <algorithm>

namespace nacre::apk {
namespace {

constexpr std::string_view kOps = "<>=~";
constexpr std::size_t kMaxAtomBytes = 1024;

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < 0x7f; });
}

unsigned op_bit(char c) {
  switch (c) {
    case '<': return kLess;
    case '>': return kGreater;
    case '=': return kEqual;
    default: return kFuzzy | kEqual;
  }
}

Error fault(std::string_view text, std::string_view what) {
  return Error::make(ErrorKind::kInvalid, "'{}' is no dependency: {}", text, what)
      .hint("write [!]name[@tag][op version], for example zlib, zlib>=1.3 or !busybox");
}

/// Cuts `@tag` off the end of `part`; the tag may stand before the operator or after the version.
Result<> take_tag(std::string_view text, std::string_view& part, Dependency& out) {
  const std::size_t at = part.find('@');
  if (at == std::string_view::npos) return {};
  const std::string_view tag = part.substr(at + 1);
  const bool good = !tag.empty() && std::all_of(tag.begin(), tag.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
  });
  if (!good) return fault(text, fmt::format("'{}' is no repository tag", tag));
  if (!out.tag.empty()) return fault(text, "it has two repository tags");
  out.tag = tag;
  part = part.substr(0, at);
  return {};
}

bool package_version(std::string_view version) {
  const std::size_t at = version.rfind("-r");
  return at != std::string_view::npos && at + 2 < version.size() &&
         version.find_first_not_of("0123456789", at + 2) == std::string_view::npos;
}

std::string op_text(unsigned op) {
  std::string out;
  if ((op & kLess) != 0) out += '<';
  if ((op & kGreater) != 0) out += '>';
  if ((op & kFuzzy) != 0) out += '~';
  else if ((op & kEqual) != 0) out += '=';
  return out;
}

}  // namespace

std::string comparable_version(std::string_view name, std::string_view version) {
  const bool library = name.starts_with("so:") && !version.empty() && !package_version(version);
  return (library ? "0." : "") + std::string(version);
}

std::string Dependency::str() const {
  return fmt::format("{}{}{}{}{}{}", conflict ? "!" : "", name, tag.empty() ? "" : "@", tag,
                     op_text(op), version);
}

bool Dependency::accepts(std::string_view found) const {
  if (op == kAny) return true;
  if (found.empty() || op == (kLess | kGreater)) return false;
  const std::string have = comparable_version(name, found), want = comparable_version(name, version);
  if ((op & kFuzzy) != 0 && fuzzy_match(have, want)) return true;
  const std::weak_ordering order = compare_versions(have, want);
  return (order < 0 && (op & kLess) != 0) || (order > 0 && (op & kGreater) != 0) ||
         (order == 0 && (op & kEqual) != 0);
}

Result<Dependency> parse_dependency(std::string_view text) {
  if (text.size() > kMaxAtomBytes)
    return Error::make(ErrorKind::kInvalid, "a dependency of {} bytes is longer than {}", text.size(),
                       kMaxAtomBytes);
  if (!printable(text)) return fault(text, "it holds blanks or foreign characters");
  Dependency out;
  std::string_view rest = text;
  if (rest.starts_with('!')) {
    out.conflict = true;
    rest.remove_prefix(1);
  }
  const std::size_t op_at = std::min(rest.find_first_of(kOps), rest.size());
  std::string_view name = rest.substr(0, op_at);
  rest.remove_prefix(op_at);
  TRY(take_tag(text, name, out));
  if (name.empty()) return fault(text, "it has no name");
  if (name.front() == '!') return fault(text, "its name starts with '!'");
  out.name = name;
  if (rest.empty()) return out;

  const std::size_t version_at = std::min(rest.find_first_not_of(kOps), rest.size());
  for (const char c : rest.substr(0, version_at)) out.op |= op_bit(c);
  std::string_view version = rest.substr(version_at);
  TRY(take_tag(text, version, out));
  const bool by_content = out.op == (kLess | kGreater);
  if (version.empty()) return fault(text, "its operator has no version");
  if (!by_content && !is_valid_version(version))
    return fault(text, fmt::format("'{}' is no version", version));
  if ((out.op & (kLess | kGreater)) == (kLess | kGreater) && !by_content)
    return fault(text, "its operator accepts every version");
  out.version = version;
  return out;
}

Provide parse_provide(std::string_view text) {
  const std::size_t at = std::min(text.find('='), text.size());
  return {std::string(text.substr(0, at)),
          std::string(text.substr(std::min(at + 1, text.size())))};
}

}  // namespace nacre::apk
