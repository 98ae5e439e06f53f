#pragma once

#include <string>
#include <string_view>
#include <vector>

// Which branches of #if no compiler for this system reads: those of other systems, of their compilers, and #if 0.
namespace nacre::package {

/// Follows the conditions of a source or header, directive by directive.
class DeadBranches {
 public:
  /// #if, #ifdef, #ifndef, #elif, #elifdef, #elifndef, #else, #endif; `rest`: what stands behind that word, without
  /// comments. Others are passed over. What cannot be told counts as read.
  void directive(std::string_view what, std::string_view rest);
  /// Whether what stands here is surely not read.
  bool dead() const { return dead_above_ || (!frames_.empty() && frames_.back().dead); }
  /// Whether that #if as a whole stands in such a branch.
  bool dead_above() const { return dead_above_; }
  /// Tokens of what stands behind #if or #elif, without the parts that only compilers of other systems could give
  /// another value: `A` of "A || defined(_MSC_VER)".
  static std::vector<std::string> read_here(std::string_view condition);

 private:
  enum class Truth { kNo, kMaybe, kYes };
  struct Frame {
    Truth before = Truth::kNo;  ///< Of its branches so far, that of one of them.
    bool dead = false;          ///< The branch that is open.
    bool above = false;         ///< All of it.
  };
  class Expression;
  static Truth truth_of(std::string_view what, std::string_view rest);

  std::vector<Frame> frames_;
  bool dead_above_ = false;
};

/// A macro that only compilers of other systems define ("_MSC_VER", "__APPLE__"). Names that a program may define for
/// itself ("WIN32") are none.
bool is_of_other_systems(std::string_view macro);

/// Whether a program is a compiler that makes programs for other systems, or a folder one of its headers:
/// "x86_64-w64-mingw32-gcc", "winegcc", "emcc", "usr/x86_64-w64-mingw32/include/".
bool serves_other_systems(std::string_view path);

}  // namespace nacre::package
