#include "advisory/version_order.h"

#include "apk/version.h"
#include "base/ascii.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace nacre::advisory {
namespace {

using Order = std::weak_ordering;

bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

std::string_view without_zeros(std::string_view digits) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

/// Two runs of digits of any length, by value.
Order compare_numbers(std::string_view a, std::string_view b) {
  a = without_zeros(a);
  b = without_zeros(b);
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

Order text_order(std::string_view a, std::string_view b) { return a.compare(b) <=> 0; }

// ---- Semantic Versioning

struct Semver {
  std::array<std::string_view, 3> numbers = {"0", "0", "0"};
  std::vector<std::string> before;  ///< Identifiers of the pre-release; empty: none.
};

std::optional<Semver> read_semver(std::string_view text) {
  Semver out;
  if (text.starts_with('v')) text.remove_prefix(1);
  text = text.substr(0, text.find('+'));
  const std::size_t dash = text.find('-');
  if (dash != std::string_view::npos) {
    out.before = split(text.substr(dash + 1), '.');
    for (const std::string& part : out.before)
      if (part.empty() ||
          !std::all_of(part.begin(), part.end(), [](char c) { return is_digit(c) || is_letter(c) || c == '-'; }))
        return std::nullopt;
  }
  std::string_view rest = text.substr(0, dash);
  for (std::size_t i = 0;; ++i) {
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    if (i == 3 || !all_digits(part)) return std::nullopt;
    out.numbers[i] = part;
    if (dot == std::string_view::npos) return out;
    rest.remove_prefix(dot + 1);
  }
}

std::optional<Order> compare_semver(std::string_view left, std::string_view right) {
  const auto a = read_semver(left), b = read_semver(right);
  if (!a || !b) return std::nullopt;
  for (std::size_t i = 0; i < 3; ++i)
    if (const Order order = compare_numbers(a->numbers[i], b->numbers[i]); order != 0) return order;
  if (a->before.empty() || b->before.empty()) return a->before.empty() <=> b->before.empty();
  for (std::size_t i = 0; i < std::min(a->before.size(), b->before.size()); ++i) {
    const std::string &x = a->before[i], &y = b->before[i];
    const bool number_x = all_digits(x), number_y = all_digits(y);
    const Order order = number_x && number_y   ? compare_numbers(x, y)
                        : number_x != number_y ? Order(number_y <=> number_x)
                                               : text_order(x, y);
    if (order != 0) return order;
  }
  return a->before.size() <=> b->before.size();
}

// ---- PEP 440

struct PythonVersion {
  std::string epoch = "0";
  std::vector<std::string> release;
  int before = 3;  ///< 0 dev of a release alone, then a, b, rc, none.
  std::string before_number = "0";
  int after = 0;  ///< Whether there is a post-release.
  std::string after_number = "0";
  int dev = 1;  ///< 0: a development release.
  std::string dev_number = "0";
  std::vector<std::string> local;
  bool has_local = false;
};

class PythonReader {
 public:
  explicit PythonReader(std::string_view text) : text_(trim(text)) {
    for (char& c : text_) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    rest_ = text_;
  }

  std::optional<PythonVersion> read() {
    PythonVersion out;
    if (rest_.starts_with('v')) rest_.remove_prefix(1);
    if (const std::size_t mark = rest_.find('!'); mark != std::string_view::npos) {
      if (!all_digits(rest_.substr(0, mark))) return std::nullopt;
      out.epoch = rest_.substr(0, mark);
      rest_.remove_prefix(mark + 1);
    }
    for (;;) {
      const std::string part = digits();
      if (part.empty()) return std::nullopt;
      out.release.push_back(part);
      if (rest_.size() < 2 || rest_[0] != '.' || !is_digit(rest_[1])) break;
      rest_.remove_prefix(1);
    }
    while (out.release.size() > 1 && without_zeros(out.release.back()).empty()) out.release.pop_back();
    read_before(out);
    read_after(out);
    read_dev(out);
    if (out.dev == 0 && out.before == 3 && out.after == 0) out.before = -1;
    if (!read_local(out) || !rest_.empty()) return std::nullopt;
    return out;
  }

 private:
  std::string digits() {
    std::size_t n = 0;
    while (n < rest_.size() && is_digit(rest_[n])) ++n;
    std::string out(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return out;
  }
  static bool is_mark(char c) { return c == '.' || c == '-' || c == '_'; }

  /// A word with an optional mark before it, and a number with an optional mark before that.
  bool word(std::initializer_list<std::string_view> words, std::string& number) {
    const std::string_view start = rest_;
    if (!rest_.empty() && is_mark(rest_[0])) rest_.remove_prefix(1);
    for (const std::string_view each : words) {
      if (!rest_.starts_with(each)) continue;
      rest_.remove_prefix(each.size());
      if (rest_.size() > 1 && is_mark(rest_[0]) && is_digit(rest_[1])) rest_.remove_prefix(1);
      number = digits();
      if (number.empty()) number = "0";
      return true;
    }
    rest_ = start;
    return false;
  }
  void read_before(PythonVersion& out) {
    if (word({"alpha", "a"}, out.before_number)) out.before = 0;
    else if (word({"beta", "b"}, out.before_number)) out.before = 1;
    else if (word({"preview", "pre", "rc", "c"}, out.before_number)) out.before = 2;
  }
  void read_after(PythonVersion& out) {
    if (rest_.size() > 1 && rest_[0] == '-' && is_digit(rest_[1])) {
      rest_.remove_prefix(1);
      out.after = 1;
      out.after_number = digits();
    } else if (word({"post", "rev", "r"}, out.after_number)) {
      out.after = 1;
    }
  }
  void read_dev(PythonVersion& out) {
    if (word({"dev"}, out.dev_number)) out.dev = 0;
  }
  bool read_local(PythonVersion& out) {
    if (!rest_.starts_with('+')) return true;
    rest_.remove_prefix(1);
    out.has_local = true;
    std::string part;
    for (; !rest_.empty(); rest_.remove_prefix(1)) {
      if (!is_mark(rest_[0])) {
        if (!is_digit(rest_[0]) && !is_letter(rest_[0])) return false;
        part += rest_[0];
        continue;
      }
      if (part.empty()) return false;
      out.local.push_back(std::move(part));
      part.clear();
    }
    if (part.empty()) return false;
    out.local.push_back(std::move(part));
    return true;
  }

  std::string text_;
  std::string_view rest_;
};

Order compare_local(const PythonVersion& a, const PythonVersion& b) {
  if (a.has_local != b.has_local) return a.has_local <=> b.has_local;
  for (std::size_t i = 0; i < std::min(a.local.size(), b.local.size()); ++i) {
    const bool number_a = all_digits(a.local[i]), number_b = all_digits(b.local[i]);
    const Order order = number_a && number_b   ? compare_numbers(a.local[i], b.local[i])
                        : number_a != number_b ? Order(number_a <=> number_b)
                                               : text_order(a.local[i], b.local[i]);
    if (order != 0) return order;
  }
  return a.local.size() <=> b.local.size();
}

std::optional<Order> compare_python(std::string_view left, std::string_view right) {
  const auto a = PythonReader(left).read(), b = PythonReader(right).read();
  if (!a || !b) return std::nullopt;
  if (const Order order = compare_numbers(a->epoch, b->epoch); order != 0) return order;
  for (std::size_t i = 0; i < std::max(a->release.size(), b->release.size()); ++i) {
    const std::string_view x = i < a->release.size() ? std::string_view(a->release[i]) : "0";
    const std::string_view y = i < b->release.size() ? std::string_view(b->release[i]) : "0";
    if (const Order order = compare_numbers(x, y); order != 0) return order;
  }
  if (a->before != b->before) return a->before <=> b->before;
  if (const Order order = compare_numbers(a->before_number, b->before_number); order != 0) return order;
  if (a->after != b->after) return a->after <=> b->after;
  if (const Order order = compare_numbers(a->after_number, b->after_number); order != 0) return order;
  if (a->dev != b->dev) return a->dev <=> b->dev;
  if (const Order order = compare_numbers(a->dev_number, b->dev_number); order != 0) return order;
  return compare_local(*a, *b);
}

// ---- RubyGems

std::optional<std::vector<std::string>> read_gem(std::string_view text) {
  std::vector<std::string> out;
  text = trim(text);
  const std::string whole = replace_all(std::string(text), "-", ".pre.");
  if (whole.empty() || !is_digit(whole[0])) return std::nullopt;
  for (const std::string& part : split(whole, '.')) {
    if (part.empty()) return std::nullopt;
    for (std::size_t at = 0; at < part.size();) {
      const bool number = is_digit(part[at]);
      if (!number && !is_letter(part[at])) return std::nullopt;
      std::size_t end = at;
      while (end < part.size() && is_digit(part[end]) == number && (number || is_letter(part[end]))) ++end;
      out.push_back(part.substr(at, end - at));
      at = end;
    }
  }
  return out;
}

std::optional<Order> compare_gem(std::string_view left, std::string_view right) {
  const auto a = read_gem(left), b = read_gem(right);
  if (!a || !b) return std::nullopt;
  for (std::size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
    const std::string_view x = i < a->size() ? std::string_view((*a)[i]) : "0";
    const std::string_view y = i < b->size() ? std::string_view((*b)[i]) : "0";
    const bool number_x = is_digit(x[0]), number_y = is_digit(y[0]);
    const Order order = number_x && number_y   ? compare_numbers(x, y)
                        : number_x != number_y ? Order(number_x <=> number_y)  // A word is a pre-release.
                                               : text_order(x, y);
    if (order != 0) return order;
  }
  return Order::equivalent;
}

// ---- Debian

/// Order of one byte outside digits: '~' before the end, letters before other bytes.
int debian_weight(std::string_view text, std::size_t at) {
  if (at >= text.size() || is_digit(text[at])) return 0;
  if (text[at] == '~') return -1;
  return is_letter(text[at]) ? text[at] : text[at] + 256;
}

Order compare_debian_part(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    while ((i < a.size() && !is_digit(a[i])) || (j < b.size() && !is_digit(b[j]))) {
      const int x = debian_weight(a, i), y = debian_weight(b, j);
      if (x != y) return x <=> y;
      ++i;
      ++j;
    }
    const std::size_t from_i = i, from_j = j;
    while (i < a.size() && is_digit(a[i])) ++i;
    while (j < b.size() && is_digit(b[j])) ++j;
    const std::size_t end_i = std::min(i, a.size()), end_j = std::min(j, b.size());
    const Order order = compare_numbers(a.substr(std::min(from_i, end_i), end_i - std::min(from_i, end_i)),
                                        b.substr(std::min(from_j, end_j), end_j - std::min(from_j, end_j)));
    if (order != 0) return order;
  }
  return Order::equivalent;
}

struct DebianVersion {
  std::string_view epoch = "0", upstream, revision;
};

std::optional<DebianVersion> read_debian(std::string_view text) {
  DebianVersion out;
  text = trim(text);
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    out.epoch = text.substr(0, colon);
    if (!all_digits(out.epoch)) return std::nullopt;
    text.remove_prefix(colon + 1);
  }
  const std::size_t dash = text.rfind('-');
  out.upstream = text.substr(0, dash);
  if (dash != std::string_view::npos) out.revision = text.substr(dash + 1);
  const auto good = [](char c) {
    return is_digit(c) || is_letter(c) || std::string_view(".+-~:").find(c) != std::string_view::npos;
  };
  if (out.upstream.empty() || !std::all_of(text.begin(), text.end(), good)) return std::nullopt;
  return out;
}

std::optional<Order> compare_debian(std::string_view left, std::string_view right) {
  const auto a = read_debian(left), b = read_debian(right);
  if (!a || !b) return std::nullopt;
  if (const Order order = compare_numbers(a->epoch, b->epoch); order != 0) return order;
  if (const Order order = compare_debian_part(a->upstream, b->upstream); order != 0) return order;
  return compare_debian_part(a->revision, b->revision);
}

std::optional<Order> compare_apk(std::string_view a, std::string_view b) {
  if (!apk::is_valid_version(a) || !apk::is_valid_version(b)) return std::nullopt;
  return apk::compare_versions(a, b);
}

}  // namespace

/// maven_order.cc
std::weak_ordering compare_maven(std::string_view left, std::string_view right);

VersionOrder order_of_ecosystem(std::string_view ecosystem) {
  static constexpr std::pair<std::string_view, VersionOrder> kOrders[] = {
      {"Alpine", VersionOrder::kApk},
      {"Chainguard", VersionOrder::kApk},
      {"Debian", VersionOrder::kDebian},
      {"GitHub Actions", VersionOrder::kSemver},
      {"Go", VersionOrder::kSemver},
      {"Hex", VersionOrder::kSemver},
      {"MinimOS", VersionOrder::kApk},
      {"Maven", VersionOrder::kMaven},
      {"Pub", VersionOrder::kSemver},
      {"PyPI", VersionOrder::kPyPI},
      {"RubyGems", VersionOrder::kRubyGems},
      {"SwiftURL", VersionOrder::kSemver},
      {"Ubuntu", VersionOrder::kDebian},
      {"Wolfi", VersionOrder::kApk},
      {kCratesEcosystem, VersionOrder::kSemver},
      {"npm", VersionOrder::kSemver},
  };
  const std::string_view name = ecosystem.substr(0, ecosystem.find(':'));
  for (const auto& [known, order] : kOrders)
    if (known == name) return order;
  return VersionOrder::kUnknown;
}

std::string_view name_of(VersionOrder order) {
  switch (order) {
    case VersionOrder::kUnknown: return "unknown";
    case VersionOrder::kSemver: return "semver";
    case VersionOrder::kPyPI: return "PEP 440";
    case VersionOrder::kMaven: return "Maven";
    case VersionOrder::kRubyGems: return "RubyGems";
    case VersionOrder::kDebian: return "Debian";
    case VersionOrder::kApk: return "apk";
  }
  return "";
}

std::optional<std::weak_ordering> compare(VersionOrder order, std::string_view a, std::string_view b) {
  switch (order) {
    case VersionOrder::kUnknown: return std::nullopt;
    case VersionOrder::kSemver: return compare_semver(a, b);
    case VersionOrder::kPyPI: return compare_python(a, b);
    case VersionOrder::kMaven:
      if (a.empty() || b.empty()) return std::nullopt;
      return compare_maven(a, b);
    case VersionOrder::kRubyGems: return compare_gem(a, b);
    case VersionOrder::kDebian: return compare_debian(a, b);
    case VersionOrder::kApk: return compare_apk(a, b);
  }
  return std::nullopt;
}

std::string normal_python_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool mark = c == '-' || c == '_' || c == '.';
    if (!mark) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!out.empty() && out.back() != '-') out += '-';
  }
  return out;
}

}  // namespace nacre::advisory
