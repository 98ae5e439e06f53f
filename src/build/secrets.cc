#include "build/secrets.h"

#include "base/encoding.h"
#include "base/text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace nacre::build {
namespace {

constexpr std::string_view kFolder = "/run/secrets/";
constexpr std::size_t kMinBytes = 8, kMaxBytes = 64u << 10;
constexpr std::size_t kMinLine = 16;  ///< Of a secret with many lines; shorter ones say nothing.

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/// The part of a base64 text that `value` alone decides when it stands `before` bytes (0 to 2) after a multiple of
/// three.
std::string base64_at(std::string_view value, std::size_t before, std::string_view alphabet) {
  std::string out;
  const std::size_t bits = (before + value.size()) * 8;
  const auto bit = [&](std::size_t at) -> unsigned {
    const std::size_t byte = at / 8;
    if (byte < before) return 0;
    return static_cast<unsigned char>(value[byte - before]) >> (7 - at % 8) & 1u;
  };
  for (std::size_t at = before == 0 ? 0 : (before * 8 + 5) / 6 * 6; at + 6 <= bits; at += 6) {
    unsigned index = 0;
    for (std::size_t i = 0; i < 6; ++i) index = index << 1 | bit(at + i);
    out += alphabet[index];
  }
  return out;
}

std::string percent(std::string_view value, std::string_view space, const char* digits) {
  std::string out;
  for (const char c : value) {
    const unsigned byte = static_cast<unsigned char>(c);
    if (is_name_byte(c) || c == '~')
      out += c;
    else if (c == ' ')
      out += space;
    else
      out += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return out;
}

void add_forms(std::string_view value, std::vector<std::string>& out) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr std::string_view kUrl = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  out.emplace_back(value);
  for (std::size_t before = 0; before < 3; ++before)
    for (const std::string_view alphabet : {kPlain, kUrl}) out.push_back(base64_at(value, before, alphabet));
  for (const char* digits : {"0123456789ABCDEF", "0123456789abcdef"}) {
    for (const char* space : {"%20", "+"}) out.push_back(percent(value, space, digits));
    std::string hex;
    for (const char c : value) {
      const unsigned byte = static_cast<unsigned char>(c);
      hex += {digits[byte >> 4], digits[byte & 15]};
    }
    out.push_back(std::move(hex));
  }
}

struct Needle {
  const Secret* secret;
  std::string form;
};

const Needle* find_in(std::string_view bytes, std::span<const Needle> needles) {
  for (const Needle& needle : needles)
    if (::memmem(bytes.data(), bytes.size(), needle.form.data(), needle.form.size()) != nullptr) return &needle;
  return nullptr;
}

/// In pieces that overlap by the longest form.
Result<const Needle*> find_in_file(const os::Path& tree, const TreePath& path, std::span<const Needle> needles) {
  std::size_t longest = 0;
  for (const Needle& needle : needles) longest = std::max(longest, needle.form.size());
  const os::Fd in = TRY(os::open_beneath(tree, path));
  std::string buffer(longest + (1u << 20), '\0');
  std::size_t held = 0;
  for (;;) {
    const ssize_t count = ::read(in.get(), buffer.data() + held, buffer.size() - held);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os::system_error(errno, fmt::format("read '{}'", path.str()));
    if (count == 0) return nullptr;
    held += static_cast<std::size_t>(count);
    if (const Needle* found = find_in({buffer.data(), held}, needles)) return found;
    const std::size_t keep = std::min(held, longest);
    std::memmove(buffer.data(), buffer.data() + held - keep, keep);
    held = keep;
  }
}

}  // namespace

Result<Secret> read_secret(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string name(text.substr(0, equals));
  const bool good = !name.empty() && name.front() != '.' && name.size() <= 100 &&
                    std::all_of(name.begin(), name.end(), is_name_byte);
  if (equals == std::string_view::npos || !good)
    return Error::make(ErrorKind::kInvalid, "expected a secret as NAME=FILE, got '{}'", name)
        .hint("a name has letters, digits, '_', '-' and '.'");
  const std::string file(text.substr(equals + 1));
  Secret out{name, {}};
  out.value = TRY(os::read_file(file, kMaxBytes), "reading the secret '{}'", name);
  if (trim(out.value).size() < kMinBytes)
    return Error::make(ErrorKind::kInvalid, "the secret '{}' has fewer than {} bytes", name, kMinBytes)
        .hint("so short a text cannot be told from what packages hold anyway");
  return out;
}

Result<std::vector<Secret>> secrets_of_machine() {
  std::vector<Secret> out;
  const char* text = std::getenv("NACRE_SECRETS");
  if (text == nullptr) return out;
  for (const std::string& word : split(text, ','))
    if (!trim(word).empty()) out.push_back(TRY(read_secret(trim(word)), "reading NACRE_SECRETS"));
  return out;
}

std::vector<std::string> forms_of(std::string_view value) {
  std::vector<std::string> out;
  const std::string_view whole = trim(value);
  if (whole.size() < kMinBytes) return out;
  add_forms(whole, out);
  if (whole.size() != value.size()) add_forms(value, out);  // with its newline, another base64
  const std::vector<std::string> lines = split(whole, '\n');
  if (lines.size() > 1)
    for (const std::string& line : lines)  // of a PEM key, say; its first and last line are everybody's
      if (trim(line).size() >= kMinLine && !line.starts_with("-----")) add_forms(trim(line), out);
  std::sort(out.begin(), out.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::string masked(std::string_view line, std::span<const std::string> forms) {
  std::string out(line);
  for (const std::string& form : forms)
    for (std::size_t at = 0; (at = out.find(form, at)) != std::string::npos; at += 3)
      out.replace(at, form.size(), "***");
  return out;
}

Result<> refuse_secrets(const os::Path& tree, std::span<const Secret> secrets) {
  std::vector<Needle> needles;
  for (const Secret& secret : secrets)
    for (std::string& form : forms_of(secret.value)) needles.push_back({&secret, std::move(form)});
  if (needles.empty()) return {};
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(tree));
  for (const os::TreeEntry& entry : entries) {
    const Needle* found = find_in(entry.path.str(), needles);
    if (found != nullptr)
      return Error::make(ErrorKind::kDenied, "a path of the package holds the secret '{}'", found->secret->name);
    if (entry.type == os::FileType::kSymlink) found = find_in(entry.link_target, needles);
    if (entry.type == os::FileType::kRegular) found = TRY(find_in_file(tree, entry.path, needles));
    if (found == nullptr) continue;
    return Error::make(ErrorKind::kDenied, "'{}' holds the secret '{}'", entry.path.str(), found->secret->name)
        .hint("secrets are for steps alone; what they write below melange-out is published");
  }
  return {};
}

std::vector<std::string> secrets_named_in(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; (at = text.find(kFolder, at)) != std::string_view::npos;) {
    at += kFolder.size();
    std::size_t end = at;
    while (end < text.size() && is_name_byte(text[end])) ++end;
    std::string name(text.substr(at, end - at));
    while (name.ends_with('.')) name.pop_back();  // the end of a sentence in a comment
    if (!name.empty() && std::find(out.begin(), out.end(), name) == out.end()) out.push_back(std::move(name));
    at = end;
  }
  return out;
}

}  // namespace nacre::build
