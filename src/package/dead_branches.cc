#include "package/dead_branches.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "package/header_lexer.h"

namespace nacre::package {
namespace {

/// Reserved to compilers: of Windows, Apple, BSDs, other Unixes, smaller systems, and of what compiles for them alone.
constexpr std::array<std::string_view, 61> kOfOthers = {
    "_AIX", "_MSC_BUILD", "_MSC_FULL_VER", "_MSC_VER", "_WIN32", "_WIN32_WCE", "_WIN64", "__ANDROID_API__",
    "__ANDROID__", "__APPLE_CC__", "__APPLE__", "__BEOS__", "__BORLANDC__", "__CODEGEARC__", "__CYGWIN32__",
    "__CYGWIN__", "__DECC", "__DECCXX", "__DJGPP__", "__DMC__", "__DOS__", "__DragonFly__", "__EMSCRIPTEN__",
    "__EMX__", "__FreeBSD__", "__FreeBSD_kernel__", "__HAIKU__", "__HP_aCC", "__HP_cc", "__IAR_SYSTEMS_ICC__",
    "__IBMCPP__", "__IBMC__", "__INTERIX", "__MINGW32__", "__MINGW64__", "__MSDOS__", "__MSYS__", "__MVS__",
    "__NetBSD__", "__OS2__", "__OS400__", "__OpenBSD__", "__QNXNTO__", "__QNX__", "__SUNPRO_C", "__SUNPRO_CC",
    "__SYMBIAN32__", "__TANDEM", "__TOS_WIN__", "__VMS", "__WATCOMC__", "__WIN32__", "__WINDOWS__", "__bsdi__",
    "__hpux", "__minix", "__osf__", "__sgi", "__sun", "__vxworks", "__xlC__"};

static_assert(std::is_sorted(kOfOthers.begin(), kOfOthers.end()));

/// Words, numbers, && and the like as one, other marks one by one; nothing of what cannot be cut.
std::vector<std::string> tokens_of(std::string_view text) {
  static constexpr std::array<std::string_view, 8> kPairs = {"&&", "||", "==", "!=", "<=", ">=", "<<", ">>"};
  std::vector<std::string> out;
  HeaderTokens lexed = lex_header(text);
  if (!lexed.whole) return out;
  bool mark = false;  // the one before may begin a pair
  for (HeaderToken& token : lexed.tokens) {
    const bool joins = mark && !token.spaced && token.kind == HeaderToken::Kind::kMark &&
                       std::find(kPairs.begin(), kPairs.end(), out.back() + token.text) != kPairs.end();
    mark = token.kind == HeaderToken::Kind::kMark && !joins;
    if (joins) out.back() += token.text;
    else out.push_back(std::move(token.text));
  }
  return out;
}

}  // namespace

bool is_of_other_systems(std::string_view macro) {
  return std::binary_search(kOfOthers.begin(), kOfOthers.end(), macro);
}

bool serves_other_systems(std::string_view path) {
  static constexpr std::array<std::string_view, 16> kParts = {
      "mingw",    "winegcc", "wineg++", "winecpp", "/wine/", "emcc",     "em++",    "emscripten",
      "-android", "darwin",  "cygwin",  "djgpp",   "haiku",  "-freebsd", "-netbsd", "-openbsd"};
  static constexpr std::array<std::string_view, 3> kNames = {"zig", "tcc-win32", "osxcross"};
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (std::find(kNames.begin(), kNames.end(), name) != kNames.end()) return true;
  return std::any_of(kParts.begin(), kParts.end(),
                     [&](std::string_view part) { return path.find(part) != std::string_view::npos; });
}

/// Reads an expression of #if as far as it is made of !, &&, ||, defined, numbers and macros of other systems.
class DeadBranches::Expression {
 public:
  explicit Expression(std::string_view text) : tokens_(tokens_of(text)) {}

  Truth value() {
    const Truth out = either().truth;
    return at_ == tokens_.size() && good_ ? out : Truth::kMaybe;
  }

  /// Its tokens, without those that only compilers of other systems could give another value.
  std::vector<std::string> here() {
    Part out = either();
    return at_ == tokens_.size() && good_ && out.truth == Truth::kMaybe ? std::move(out.here) : tokens_;
  }

 private:
  struct Part {
    Truth truth = Truth::kMaybe;
    std::vector<std::string> here;  ///< What is left of it, where it may be either.
  };

  static constexpr int kDeepest = 200;

  bool take(std::string_view what) {
    if (at_ >= tokens_.size() || tokens_[at_] != what) return false;
    ++at_;
    return true;
  }
  bool ends_operand() const {
    return at_ >= tokens_.size() || tokens_[at_] == "&&" || tokens_[at_] == "||" || tokens_[at_] == ")";
  }

  Part either() {
    Part out = both();
    while (take("||")) join(out, both(), "||", Truth::kYes);
    return out;
  }
  Part both() {
    Part out = operand();
    while (take("&&")) join(out, operand(), "&&", Truth::kNo);
    return out;
  }

  /// `decides`: what makes the whole so.
  static void join(Part& one, Part other, const char* mark, Truth decides) {
    if (one.truth == decides || other.truth == decides) {
      one = {decides, {}};
    } else if (one.truth != Truth::kMaybe) {
      one = std::move(other);
    } else if (other.truth == Truth::kMaybe) {
      one.here.emplace_back(mark);
      one.here.insert(one.here.end(), other.here.begin(), other.here.end());
    }
  }

  /// Between && and ||. What is not understood is passed over up to its end.
  Part operand() {
    const std::size_t from = at_;
    std::optional<Part> known = simple();
    if (known && ends_operand()) return *std::move(known);
    at_ = from;
    for (int open = 0; at_ < tokens_.size(); ++at_) {
      if (open == 0 && ends_operand()) break;
      if (tokens_[at_] == "?") good_ = false;
      if (tokens_[at_] == "(") ++open;
      if (tokens_[at_] == ")") --open;
    }
    return {Truth::kMaybe, {tokens_.begin() + static_cast<std::ptrdiff_t>(from),
                            tokens_.begin() + static_cast<std::ptrdiff_t>(at_)}};
  }

  std::optional<Part> simple() {
    if (++depth_ > kDeepest) good_ = false;
    std::optional<Part> out;
    if (good_ && at_ < tokens_.size()) {
      if (take("!")) {
        if ((out = simple())) {
          out->truth = opposite(out->truth);
          out->here.insert(out->here.begin(), "!");
        }
      } else if (take("(")) {
        Part inner = either();
        if (take(")")) {
          inner.here.insert(inner.here.begin(), "(");
          inner.here.emplace_back(")");
          out = std::move(inner);
        }
      } else if (take("defined")) {
        const bool group = take("(");
        if (at_ < tokens_.size()) {
          const std::string& name = tokens_[at_++];
          const Truth truth = is_of_other_systems(name) ? Truth::kNo : Truth::kMaybe;
          if (!group || take(")")) out = Part{truth, {"defined", "(", name, ")"}};
        }
      } else if (const std::optional<Truth> truth = number()) {
        out = Part{*truth, {}};
      }
    }
    --depth_;
    return out;
  }

  static Truth opposite(Truth truth) {
    if (truth == Truth::kMaybe) return truth;
    return truth == Truth::kYes ? Truth::kNo : Truth::kYes;
  }

  /// A number, or a macro that is none here and counts as 0; or two of these compared.
  std::optional<Truth> number() {
    const std::optional<std::int64_t> left = value_of();
    if (!left) return std::nullopt;
    if (ends_operand()) return *left != 0 ? Truth::kYes : Truth::kNo;
    const std::string& sign = tokens_[at_++];
    const std::optional<std::int64_t> right = at_ < tokens_.size() ? value_of() : std::nullopt;
    if (!right) return std::nullopt;
    const auto truth = [](bool holds) { return holds ? Truth::kYes : Truth::kNo; };
    if (sign == "==") return truth(*left == *right);
    if (sign == "!=") return truth(*left != *right);
    if (sign == "<") return truth(*left < *right);
    if (sign == "<=") return truth(*left <= *right);
    if (sign == ">") return truth(*left > *right);
    if (sign == ">=") return truth(*left >= *right);
    return std::nullopt;
  }
  std::optional<std::int64_t> value_of() {
    const std::string& token = tokens_[at_];
    if (is_of_other_systems(token)) {
      ++at_;
      return at_ < tokens_.size() && tokens_[at_] == "(" ? std::nullopt : std::optional<std::int64_t>(0);
    }
    if (token.size() > 1 && token[0] == '0') return std::nullopt;  // octal
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), out);
    const std::string_view rest(end, static_cast<std::size_t>(token.data() + token.size() - end));
    if (error != std::errc() || rest.find_first_not_of("uUlL") != std::string_view::npos) return std::nullopt;
    ++at_;
    return out;
  }

  std::vector<std::string> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool good_ = true;
};

std::vector<std::string> DeadBranches::read_here(std::string_view condition) { return Expression(condition).here(); }

DeadBranches::Truth DeadBranches::truth_of(std::string_view what, std::string_view rest) {
  if (!what.ends_with("def")) return Expression(rest).value();
  const std::vector<std::string> tokens = tokens_of(rest);
  if (tokens.empty() || !is_of_other_systems(tokens[0])) return Truth::kMaybe;
  return what.ends_with("ndef") ? Truth::kYes : Truth::kNo;
}

void DeadBranches::directive(std::string_view what, std::string_view rest) {
  if (what == "if" || what == "ifdef" || what == "ifndef") {
    const Truth truth = truth_of(what, rest);
    const bool above = dead();
    frames_.push_back({truth, truth == Truth::kNo, above});
    dead_above_ = above;
    return;
  }
  if (frames_.empty()) return;
  Frame& frame = frames_.back();
  if (what == "else") {
    frame.dead = frame.before == Truth::kYes;
  } else if (what == "elif" || what == "elifdef" || what == "elifndef") {
    const Truth truth = truth_of(what, rest);
    frame.dead = frame.before == Truth::kYes || truth == Truth::kNo;
    frame.before = std::max(frame.before, truth);
  } else if (what == "endif") {
    frames_.pop_back();
    dead_above_ = !frames_.empty() && frames_.back().above;
  }
}

}  // namespace nacre::package
