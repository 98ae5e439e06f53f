#pragma once

#include "base/result.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

// Solver cases in apk-tools' own form (docs/formats/solver-case.md): what apk would be asked, what is installed, which
// repositories there are, and what it must print.
namespace nacre::solve {

struct Case {
  struct Repository { std::string tag, file; };  ///< tag: "" or "@edge".
  std::vector<std::string> arguments;            ///< "add", "a", …
  std::vector<std::string> world;
  std::string installed, cache;                  ///< Files beside the case; empty: none.
  std::vector<Repository> repositories;
  std::string expected;
};

/// kInvalid with the line for what is no case.
Result<Case> read_case(std::string_view text, std::string_view source);

/// Bytes of a file that a case names.
using ReadFile = std::function<Result<std::string>(const std::string& file)>;

struct CaseAnswer {
  std::string output;  ///< As `apk --simulate` prints it.
  bool refused = false;
};

/// Answers a case as apk-tools' own choice has it: its rules, its order, its words. kInvalid for a file that cannot be
/// read and for arguments that a case may not have.
Result<CaseAnswer> run_case(const Case& given, const ReadFile& read);

/// Lines of two texts side by side: "-" only expected, "+" only printed; empty when they are equal.
std::string difference(std::string_view expected, std::string_view printed);

}  // namespace nacre::solve
