#include "apk/version.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <tuple>
#include <vector>

namespace nacre::apk {
namespace {

/// What a piece of a version is. Of two versions that part at different kinds, the one with the higher rank is greater.
enum class Kind { kInvalid, kEnd, kRevision, kHash, kSuffixNumber, kSuffix, kLetter, kDigit };

constexpr std::array<std::string_view, 9> kSuffixes = {"alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"};
constexpr int kPreReleases = 4;  ///< The first of them sort before "nothing".

struct Token {
  Kind kind = Kind::kEnd;
  std::string_view text;
  int suffix = 0;        ///< Index into kSuffixes.
  bool first = false;    ///< The first number of the version.
};

/// Reads a version token by token.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : rest_(text) {}

  Token next() {
    if (rest_.empty()) return start_ ? Token{Kind::kInvalid, {}, 0, false} : Token{};
    if (std::exchange(start_, false)) return number(Kind::kDigit, true);
    const char c = rest_.front();
    if (c == '.' && last_ == Kind::kDigit) return skip(), number(Kind::kDigit, false);
    if (std::islower(static_cast<unsigned char>(c)) != 0 && last_ == Kind::kDigit) return take(Kind::kLetter, 1);
    if (c == '_' && last_ != Kind::kHash && last_ != Kind::kRevision) return suffix();
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 && last_ == Kind::kSuffix)
      return number(Kind::kSuffixNumber, false);
    if (c == '~' && last_ != Kind::kHash && last_ != Kind::kRevision) return hash();
    if (rest_.starts_with("-r") && last_ != Kind::kRevision) return skip(), skip(), number(Kind::kRevision, false);
    return fail();
  }

 private:
  void skip() { rest_.remove_prefix(1); }
  Token fail() {
    rest_ = {};
    return {last_ = Kind::kInvalid, {}, 0, false};
  }
  Token take(Kind kind, std::size_t length) {
    const Token out{kind, rest_.substr(0, length), 0, false};
    rest_.remove_prefix(length);
    last_ = kind;
    return out;
  }
  Token number(Kind kind, bool first) {
    const std::size_t length = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (length == 0) return fail();
    Token out = take(kind, length);
    out.first = first;
    return out;
  }
  Token suffix() {
    skip();
    const auto end = std::find_if_not(rest_.begin(), rest_.end(),
                                      [](char c) { return std::islower(static_cast<unsigned char>(c)) != 0; });
    const std::string_view word = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    const auto found = std::find(kSuffixes.begin(), kSuffixes.end(), word);
    if (found == kSuffixes.end()) return fail();
    Token out = take(Kind::kSuffix, word.size());
    out.suffix = static_cast<int>(found - kSuffixes.begin());
    return out;
  }
  Token hash() {
    skip();
    const std::size_t length = std::min(rest_.find_first_not_of("0123456789abcdef"), rest_.size());
    return length == 0 ? fail() : take(Kind::kHash, length);
  }

  std::string_view rest_;
  Kind last_ = Kind::kEnd;
  bool start_ = true;
};

std::weak_ordering by_number(std::string_view a, std::string_view b) {
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a <=> b;
}

std::weak_ordering compare_tokens(const Token& a, const Token& b) {
  switch (a.kind) {
    case Kind::kDigit:
      if (!a.first && (a.text.starts_with('0') || b.text.starts_with('0'))) return a.text <=> b.text;
      return by_number(a.text, b.text);
    case Kind::kSuffixNumber:
    case Kind::kRevision: return by_number(a.text, b.text);
    case Kind::kSuffix: return a.suffix <=> b.suffix;
    default: return a.text <=> b.text;
  }
}

bool pre_release(const Token& token) { return token.kind == Kind::kSuffix && token.suffix < kPreReleases; }

/// Order of two versions; `fuzzy` calls them equal once b is read to its end.
std::weak_ordering compare(std::string_view text_a, std::string_view text_b, bool fuzzy) {
  Tokens tokens_a(text_a), tokens_b(text_b);
  while (true) {
    const Token a = tokens_a.next(), b = tokens_b.next();
    if (a.kind != b.kind) {
      if (fuzzy && b.kind == Kind::kEnd) return std::weak_ordering::equivalent;
      if (pre_release(a)) return std::weak_ordering::less;
      if (pre_release(b)) return std::weak_ordering::greater;
      return static_cast<int>(a.kind) <=> static_cast<int>(b.kind);
    }
    if (a.kind == Kind::kEnd || a.kind == Kind::kInvalid) return std::weak_ordering::equivalent;
    const std::weak_ordering order = compare_tokens(a, b);
    if (order != 0) return order;
  }
}

/// A version as apko takes it apart.
struct ApkoVersion {
  std::vector<std::uint64_t> numbers;
  char letter = 0;
  int pre = 0, post = 0;  ///< 0: none; else one more than the suffix's place in kSuffixes.
  std::uint64_t pre_number = 0, post_number = 0, revision = 0;
};

/// Takes digits off the front; false when there are none (`needed`) or they are no 63-bit number.
bool take_number(std::string_view& rest, bool needed, std::uint64_t& out) {
  const std::size_t length = std::min(rest.find_first_not_of("0123456789"), rest.size());
  if (length == 0) return !needed;
  const auto [end, status] = std::from_chars(rest.data(), rest.data() + length, out);
  rest.remove_prefix(length);
  return status == std::errc{} && out <= std::uint64_t{INT64_MAX};
}

/// Takes one of the suffixes [from, to) off the front with its number.
bool take_suffix(std::string_view& rest, std::size_t from, std::size_t to, int& out, std::uint64_t& number) {
  for (std::size_t i = from; i < to; ++i) {
    if (!rest.starts_with('_') || !rest.substr(1).starts_with(kSuffixes[i])) continue;
    rest.remove_prefix(1 + kSuffixes[i].size());
    out = static_cast<int>(i) + 1;
    return take_number(rest, false, number);
  }
  return true;
}

std::optional<ApkoVersion> read_apko(std::string_view rest) {
  ApkoVersion out;
  if (!take_number(rest, true, out.numbers.emplace_back())) return std::nullopt;
  while (rest.starts_with('.')) {
    rest.remove_prefix(1);
    if (!take_number(rest, true, out.numbers.emplace_back())) return std::nullopt;
  }
  if (!rest.empty() && std::islower(static_cast<unsigned char>(rest.front())) != 0) {
    out.letter = rest.front();
    rest.remove_prefix(1);
  }
  if (!take_suffix(rest, 0, kPreReleases, out.pre, out.pre_number)) return std::nullopt;
  if (!take_suffix(rest, kPreReleases, kSuffixes.size(), out.post, out.post_number)) return std::nullopt;
  if (rest.starts_with("-r")) {
    rest.remove_prefix(2);
    if (!take_number(rest, true, out.revision)) return std::nullopt;
  }
  if (!rest.empty()) return std::nullopt;
  return out;
}

std::weak_ordering order_apko(const ApkoVersion& a, const ApkoVersion& b) {
  static constexpr int kNoPre = 1000;
  const auto key = [](const ApkoVersion& v) {
    return std::tuple(v.numbers, v.letter, v.pre == 0 ? kNoPre : v.pre, v.pre_number, v.post, v.post_number,
                      v.revision);
  };
  return key(a) <=> key(b);
}

/// apko's `~`: what is asked for is a beginning of what is there; of what it leaves out nothing is asked.
bool includes_apko(const ApkoVersion& have, const ApkoVersion& want) {
  if (have.numbers.size() < want.numbers.size()) return false;
  if (!std::equal(want.numbers.begin(), want.numbers.end(), have.numbers.begin())) return false;
  if (have.numbers.size() > want.numbers.size()) return true;
  const auto same = [](auto asked, auto given) { return asked == 0 || asked == given; };
  return same(want.letter, have.letter) && same(want.pre, have.pre) && same(want.pre_number, have.pre_number) &&
         same(want.post, have.post) && same(want.post_number, have.post_number) &&
         same(want.revision, have.revision);
}

}  // namespace

std::weak_ordering compare_versions(std::string_view a, std::string_view b) { return compare(a, b, false); }

bool is_valid_version(std::string_view text) {
  Tokens tokens(text);
  while (true) {
    const Kind kind = tokens.next().kind;
    if (kind == Kind::kEnd || kind == Kind::kInvalid) return kind == Kind::kEnd;
  }
}

bool fuzzy_match(std::string_view version, std::string_view pattern) { return compare(version, pattern, true) == 0; }

std::partial_ordering compare_versions_apko(std::string_view a, std::string_view b) {
  const auto left = read_apko(a), right = read_apko(b);
  if (!left || !right) return std::partial_ordering::unordered;
  return order_apko(*left, *right);
}

bool apko_version_matches(std::string_view found, unsigned op, std::string_view wanted) {
  constexpr unsigned kLessBit = 1, kGreaterBit = 2, kEqualBit = 4, kFuzzyBit = 8;
  const auto have = read_apko(found), want = read_apko(wanted);
  if (!have || !want) return false;
  if ((op & kFuzzyBit) != 0) return includes_apko(*have, *want);
  const std::weak_ordering order = order_apko(*have, *want);
  return (order < 0 && (op & kLessBit) != 0) || (order > 0 && (op & kGreaterBit) != 0) ||
         (order == 0 && (op & kEqualBit) != 0);
}

std::string full_version(std::string_view version, std::uint64_t epoch) {
  return fmt::format("{}-r{}", version, epoch);
}

}  // namespace nacre::apk
