#pragma once

#include "codec/json.h"
#include "package/tree.h"

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::definition {
struct Definition;
}

namespace nacre::package {

/// One finding of a linter or gate.
struct Finding {
  std::string rule;      ///< "usrmerge", "hardening/relro", …
  std::string package;
  TreePath path;         ///< The root: the package as a whole.
  std::string text;
  bool fatal = false;
  codec::Json detail;    ///< What the results say of this path: a text or an object, by rule.
};

enum class LintLevel { kIgnore, kWarn, kRequire };

/// A linter: name and level as the reference has them (spec 4.9).
struct LintRule {
  std::string_view name;
  LintLevel level;
  std::string_view detail_list;  ///< Key of the list in the results: "paths", "files", …; empty: none.
  std::string_view advice;       ///< What to do about a finding.
};
std::span<const LintRule> lint_rules();

/// Rules of our own gates, "hardening/…" and "gate/…": they stop a package of the distribution unless `checks.disabled`
/// names them.
std::span<const std::string_view> gate_names();

/// Which linters run; a name may be in both.
struct LintChoice {
  std::set<std::string> require, warn;

  static LintChoice defaults();
  /// kInvalid for a name that is no linter, with the nearest one.
  static Result<LintChoice> of(const std::vector<std::string>& require, const std::vector<std::string>& warn);
  /// The choice for a package whose definition says `checks.disabled`: those warn, whatever they did before. Names of
  /// gates are known here, and are for the caller.
  Result<LintChoice> without(const std::vector<std::string>& disabled) const;
};

/// kInvalid at its place when a `checks.disabled` of the definition names no linter and no gate: to be asked before the
/// build, which may be long.
Result<> check_disabled_names(const definition::Definition& definition);

/// Findings of the chosen linters, by linter in the order of lint_rules(), then by path. `definition` may be nullptr: a
/// package without .melange.yaml.
Result<std::vector<Finding>> lint_package(const PackageTree& tree, const definition::Definition* definition,
                                          std::string_view package, const LintChoice& choice);
/// The same for a tree on disk with the defaults and the definition's `checks.disabled`.
Result<std::vector<Finding>> lint_tree(const os::Path& tree, const definition::Definition& definition,
                                       std::string_view package);

/// ELF hardening: PIE, full RELRO, NX, stack protector, FORTIFY, CET where the crt files have it, no RPATH outside,
/// no TEXTREL; and that the shared index of info pages is not packed. Exceptions for the C library are named in the
/// gate's table, one reason each.
Result<std::vector<Finding>> check_hardening(const PackageTree& tree, std::string_view package);
Result<std::vector<Finding>> check_hardening(const os::Path& tree, std::string_view package);

/// What `--persist-lint-results` keeps: {"package_name", "findings": {LINTER: [{"message", "explain", "details"}]}}.
/// `full_name` is NAME-VERSION-rEPOCH. Null when there are no findings.
codec::Json lint_results(const std::vector<Finding>& findings, std::string_view full_name);
/// "lint-NAME-VERSION-rEPOCH.json".
std::string lint_results_name(std::string_view full_name);

}  // namespace nacre::package
