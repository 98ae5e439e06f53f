#pragma once

#include "definition/definition.h"
#include "definition/fields.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace nacre::definition {

/// No text that substitution makes is longer.
constexpr std::size_t kMaxTextBytes = 1u << 20;
/// Nor are all of one definition together.
constexpr std::size_t kMaxTotalBytes = 64u << 20;

/// The first phase, at parse time: `${{name}}` without blanks is replaced where the name is known,
/// all else stays; what was put in is not looked at again.
class Replacer {
 public:
  /// `names` without the braces: "package.version", "vars.X".
  explicit Replacer(std::map<std::string, std::string, std::less<>> names)
      : names_(std::move(names)) {}

  Result<std::string> apply(std::string_view text);

  /// In every scalar at and below `node`; keys of mappings stay.
  Result<> below(codec::YamlNode& node);
  /// In the fields of that name, where there are any.
  Result<> fields(codec::YamlNode& mapping, std::initializer_list<std::string_view> keys);

  /// This one with two more names, for one item of a range.
  Replacer with_range(std::string_view key, std::string_view value) const;

  const std::map<std::string, std::string, std::less<>>& names() const { return names_; }

 private:
  std::map<std::string, std::string, std::less<>> names_;
  std::size_t made_ = 0;
};

/// Applies the first phase to a whole definition: expands ranges, removes `data`, leaves `vars` as
/// they were and gives their final values.
struct FirstPhase {
  codec::YamlNode root;
  std::map<std::string, std::string, std::less<>>
      names;  ///< package.* and vars.* of the first phase.
};
Result<FirstPhase> run_first_phase(const codec::YamlTree& tree, const CompileOptions& options);

/// Its names alone: `vars` and what `var-transforms` make of them.
Result<std::map<std::string, std::string, std::less<>>> first_names(const codec::YamlTree& tree,
                                                                    const CompileOptions& options);

/// The names that the second phase knows: those of a package, then the inputs of each pipeline
/// around a step.
class Scope {
 public:
  explicit Scope(const Scope* outer = nullptr) : outer_(outer) {}
  void set(std::string name, std::string value) { names_[std::move(name)] = std::move(value); }
  const std::string* find(std::string_view name) const;
  std::vector<std::string> all_names() const;

 private:
  const Scope* outer_;
  std::map<std::string, std::string, std::less<>> names_;
};

enum class Quoting {
  kNone,
  kQuoted
};  ///< kQuoted puts each value into double quotes, for conditions.

/// The second phase: every `${{ name }}`, blanks allowed; an unknown name or other content of the
/// braces is kInvalid at the line of `where`.
Result<std::string> expand(std::string_view text, const Scope& scope, const Value& where,
                           Quoting quoting = Quoting::kNone);

/// The same with names from anywhere.
using LookUp = std::function<Result<std::string>(std::string_view name)>;
Result<std::string> expand_with(std::string_view text, const LookUp& look_up, const Value& where,
                                Quoting quoting = Quoting::kNone);

/// The error for a name that is not in scope.
Error unknown_variable(std::string_view name, const Scope& scope);

}  // namespace nacre::definition
