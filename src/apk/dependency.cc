#include "apk/dependency.h"

#include "apk/version.h"

#include <algorithm>
#include <array>

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
Result<> take_tag(std::string_view text, std::string_view& part, DependencyView& out) {
  const std::size_t at = part.find('@');
  if (at == std::string_view::npos) return {};
  const std::string_view tag = part.substr(at + 1);
  const bool good = !tag.empty() && std::all_of(tag.begin(), tag.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.' || c == '+';
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

/// The operators that apko knows; it takes any other for "every version".
bool known_to_apko(std::string_view op) {
  constexpr std::array<std::string_view, 7> kKnown = {"=", ">", "<", ">=", "<=", "~", "=~"};
  return std::find(kKnown.begin(), kKnown.end(), op) != kKnown.end();
}

}  // namespace

std::string comparable_version(std::string_view name, std::string_view version) {
  const bool library = name.starts_with("so:") && !version.empty() && !package_version(version);
  return (library ? "0." : "") + std::string(version);
}

std::string op_text(unsigned op) {
  std::string out;
  if (op == kByContent) return "><";
  if ((op & kLess) != 0) out += '<';
  if ((op & kGreater) != 0) out += '>';
  if ((op & kFuzzy) != 0) out += '~';
  else if ((op & kEqual) != 0) out += '=';
  return out;
}

std::string Dependency::str() const {
  return fmt::format("{}{}{}{}{}{}", conflict ? "!" : "", name, tag.empty() ? "" : "@", tag,
                     op_text(op), version);
}

bool version_matches(std::string_view found, unsigned op, std::string_view wanted) {
  if ((op & kFuzzy) != 0 && fuzzy_match(found, wanted)) return true;
  const std::weak_ordering order = compare_versions(found, wanted);
  return (order < 0 && (op & kLess) != 0) || (order > 0 && (op & kGreater) != 0) ||
         (order == 0 && (op & kEqual) != 0);
}

bool Dependency::accepts(std::string_view found) const {
  if (op == kAny) return true;
  if (found.empty() || op == kByContent) return false;
  return version_matches(comparable_version(name, found), op, comparable_version(name, version));
}

Result<DependencyView> read_dependency(std::string_view text) {
  if (text.size() > kMaxAtomBytes)
    return Error::make(ErrorKind::kInvalid, "a dependency of {} bytes is longer than {}", text.size(),
                       kMaxAtomBytes);
  if (!printable(text)) return fault(text, "it holds blanks or foreign characters");
  DependencyView out;
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
  out.odd = !known_to_apko(rest.substr(0, version_at));
  std::string_view version = rest.substr(version_at);
  TRY(take_tag(text, version, out));
  if (version.empty()) return fault(text, "its operator has no version");
  if (out.op != kByContent && !is_valid_version(version))
    return fault(text, fmt::format("'{}' is no version", version));
  if ((out.op & kEveryVersion) == kEveryVersion)
    out.op = kAny;
  else
    out.version = version;
  return out;
}

Result<Dependency> parse_dependency(std::string_view text) {
  const DependencyView read = TRY(read_dependency(text));
  return Dependency{std::string(read.name), read.conflict, std::string(read.tag), read.op, std::string(read.version)};
}

Provide parse_provide(std::string_view text) {
  const std::size_t at = std::min(text.find('='), text.size());
  return {std::string(text.substr(0, at)),
          std::string(text.substr(std::min(at + 1, text.size())))};
}

}  // namespace nacre::apk
