#include "build/secrets.h"

#include "base/encoding.h"
#include "base/text.h"

#include <algorithm>
#include <cstdlib>

namespace nacre::build {
namespace {

constexpr std::string_view kFolder = "/run/secrets/";
constexpr std::size_t kMinBytes = 8, kMaxBytes = 64u << 10;
constexpr std::size_t kMinLine = 16;  ///< Of a secret with many lines; shorter ones say nothing.

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/// The letters of base64 that the value alone decides, when `before` bytes stand before it.
std::string base64_core(std::string_view value, std::size_t before) {
  const std::string all = to_base64(std::string(before, '\0') + std::string(value));
  const std::size_t skip = (before * 8 + 5) / 6, whole = (before + value.size()) * 8 / 6;
  return all.substr(skip, whole - skip);
}

std::string url_alphabet(std::string text) {
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

char other_case(char c) {
  if (c >= 'A' && c <= 'F') return static_cast<char>(c - 'A' + 'a');
  return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// "%2F" -> "%2f".
std::string lower_escapes(std::string text) {
  for (std::size_t i = 0; i + 2 < text.size(); ++i)
    if (text[i] == '%')
      for (const std::size_t at : {i + 1, i + 2}) text[at] = other_case(text[at]);
  return text;
}

void add_forms(std::string_view value, std::vector<std::string>& out) {
  out.emplace_back(value);
  for (std::size_t before = 0; before < 3; ++before) {
    out.push_back(base64_core(value, before));
    out.push_back(url_alphabet(out.back()));
  }
  const std::string percent = percent_encode(value);
  for (const std::string& form : {percent, lower_escapes(percent)}) {
    out.push_back(form);
    out.push_back(replace_all(form, "%20", "+"));
  }
  out.push_back(to_hex(value));
  std::string upper = out.back();
  std::transform(upper.begin(), upper.end(), upper.begin(), other_case);
  out.push_back(std::move(upper));
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
