#pragma once

#include "definition/definition.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::definition {

enum class Severity { kError, kWarning };

/// What a rule has to say of a definition that compiles.
struct RuleFinding {
  std::string rule;
  Severity severity = Severity::kWarning;
  std::string text, hint;
  Place place;
};

/// One row of the table of rules: `nacre lint --rules`.
struct Rule {
  std::string_view name;
  Severity severity;
  std::string_view about;
};
const std::vector<Rule>& all_rules();

/// Names of rules that a definition itself excepts: "# nolint: RULE, RULE" anywhere in its text.
std::vector<std::string> excepted_rules(std::string_view text);

/// Every finding, ordered by place, without the rules that the definition excepts. Pure; the cost is that of one walk.
std::vector<RuleFinding> check_rules(const Definition& definition);

/// A script of a definition as its author wrote it, and where it begins: for checks that need a shell.
struct WrittenScript {
  const codec::YamlNode* node = nullptr;
  Place place;
};
std::vector<WrittenScript> written_scripts(const codec::YamlTree& tree);

}  // namespace nacre::definition
