#pragma once

#include "definition/definition.h"
#include "definition/fields.h"
#include "definition/substitute.h"

namespace nacre::definition {

/// What only the compiled JSON shows of a package.
struct PackageExtras {
  Pairs cpe;
  std::string timeout, detection_override;
  Resources test_resources;
  bool has_test_resources = false;
};

/// `package:` into `out`; `scope` has the names of the second phase.
Result<> parse_package(const Value& value, const Scope& scope, Definition& out,
                       PackageExtras& extras);

/// The fields of a subpackage that are not steps.
Result<> parse_subpackage(Fields& fields, const Scope& scope, Subpackage& out);

/// `environment:` of a build or a test, with the build account added.
Result<> parse_environment(const std::optional<Value>& value, const Scope& scope, Environment& out);

Result<> parse_update(const Value& value, Update& out);

/// kInvalid unless `name` can be the name of a package.
Result<> check_package_name(const std::string& name, const Value& where);

/// `options:` of the definition: what --build-option turns on.
struct BuildOption {
  std::string name;
  Pairs vars;
  std::vector<std::string> add, remove;
};
Result<std::vector<BuildOption>> parse_build_options(const Value& value);

}  // namespace nacre::definition
