#pragma once

#include "solve/apk_choice.h"

#include <string>

// What apk-tools prints about a choice, to the letter: its test cases hold it. Inside this room only.
namespace nacre::solve {

struct ApkTotals {
  std::uint64_t bytes = 0;      ///< Installed size of what is installed before.
  std::size_t packages = 0, dirs = 0, files = 0;
};

struct ApkWords {
  const Problem& problem;
  const ApkAnswer& answer;
  const std::vector<std::uint64_t>& installed_bytes;  ///< Of each package.
  int verbosity = 1;
};

/// "(1/2) Installing b (2)" … "OK: 2 B in 2 packages".
std::string apk_transaction(const ApkWords& words, const ApkTotals& totals);

/// "ERROR: unable to select packages:" and what stands in the way of whom.
std::string apk_errors(const ApkWords& words, const std::vector<ApkInstalled>& installed);

/// apk's lines of words that wrap at 50 columns.
class Wrapped {
 public:
  explicit Wrapped(std::string& out) : out_(out) {}
  void line(const std::string& text);                      ///< A whole line.
  void group(const std::string& head, std::size_t indent); ///< Begins a group; indent 0: behind the head.
  void word(const std::string& text);
  void end();
  bool open() const { return column_ > 0; }

 private:
  std::string& out_;
  std::size_t column_ = 0, indent_ = 0;
};

}  // namespace nacre::solve
