#include "package/abi_text.h"

#include "base/ascii.h"
#include "base/text.h"

#include <algorithm>
#include <array>

namespace nacre::package {
namespace {

/// Walks over a header once.
class Stripper {
 public:
  explicit Stripper(std::string_view in) : in_(in) {}

  std::string run() {
    while (at_ < in_.size()) {
      if (in_.substr(at_, 2) == "/*") block_comment();
      else if (in_.substr(at_, 2) == "//") line_comment();
      else if (in_[at_] == '"' && follows_raw_prefix()) raw_string();
      else if (in_[at_] == '"' || in_[at_] == '\'') quoted(in_[at_]);
      else put(in_[at_++]);
    }
    trim_line();
    return std::move(out_);
  }

 private:
  void put(char c) {
    if (c == '\n') trim_line();
    out_ += c;
  }

  void trim_line() {
    while (!out_.empty() && (out_.back() == ' ' || out_.back() == '\t' || out_.back() == '\r')) out_.pop_back();
  }

  void block_comment() {
    const std::size_t end = in_.find("*/", at_ + 2);
    const std::size_t after = end == std::string_view::npos ? in_.size() : end + 2;
    put(' ');
    for (; at_ < after; ++at_)
      if (in_[at_] == '\n') put('\n');
  }

  /// A line that ends in a backslash goes on, and so does its comment.
  void line_comment() {
    for (; at_ < in_.size(); ++at_) {
      if (in_[at_] != '\n') continue;
      const bool goes_on = in_[at_ - 1] == '\\' || in_.substr(at_ - 2, 2) == "\\\r";
      if (!goes_on) return;
      put('\n');
    }
  }

  void quoted(char quote) {
    put(in_[at_++]);
    while (at_ < in_.size() && in_[at_] != '\n') {
      const char c = in_[at_++];
      out_ += c;
      if (c == quote) return;
      if (c == '\\' && at_ < in_.size()) out_ += in_[at_++];
    }
  }

  /// R"x( … )x", also behind u8, u, U and L.
  bool follows_raw_prefix() const {
    if (at_ == 0 || in_[at_ - 1] != 'R') return false;
    std::size_t start = at_ - 1;
    while (start > 0 && is_word_character(in_[start - 1])) --start;
    static constexpr std::array<std::string_view, 5> kPrefixes = {"R", "uR", "UR", "LR", "u8R"};
    return std::find(kPrefixes.begin(), kPrefixes.end(), in_.substr(start, at_ - start)) != kPrefixes.end();
  }

  void raw_string() {
    const std::size_t open = in_.find('(', at_);
    if (open == std::string_view::npos || open - at_ > 17) return quoted('"');
    const std::string close = ")" + std::string(in_.substr(at_ + 1, open - at_ - 1)) + "\"";
    const std::size_t end = in_.find(close, open);
    const std::size_t after = end == std::string_view::npos ? in_.size() : end + close.size();
    out_ += in_.substr(at_, after - at_);
    at_ = after;
  }

  std::string_view in_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string without_comments(std::string_view header) { return Stripper(header).run(); }

std::string pkg_config_facts(std::string_view text) {
  static constexpr std::array<std::string_view, 7> kForPeople = {"Name:",      "Description:", "URL:",   "Maintainer:",
                                                                 "Copyright:", "License:",     "Source:"};
  std::string out;
  bool goes_on = false;  // a line for people that ends in a backslash takes the next with it
  for (const std::string& line : split(text, '\n')) {
    const std::string_view whole = trim(line);
    const bool for_people = goes_on || whole.empty() || whole.starts_with('#') ||
                            std::any_of(kForPeople.begin(), kForPeople.end(),
                                        [&](std::string_view field) { return whole.starts_with(field); });
    goes_on = for_people && whole.ends_with('\\');
    if (!for_people) out.append(whole).append("\n");
  }
  return out;
}

}  // namespace nacre::package
