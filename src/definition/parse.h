#pragma once

#include "definition/definition.h"
#include "definition/substitute.h"
#include "definition/table.h"

namespace nacre::definition {

/// `options:` of the definition: what --build-option turns on.
struct BuildOption {
  Pairs vars;
  struct Changes {
    std::vector<std::string> add, remove;
  };
  struct Contents {
    Changes packages;
  };
  struct Environment {
    Contents contents;
  };
  Environment environment;
};

/// A definition as its outermost table leaves it: what needs names in scope stays as written.
struct WrittenDefinition {
  std::optional<Value> package, environment, pipeline, subpackages, test;
  struct Capabilities {
    std::vector<std::string> add, drop;
  } capabilities;
  std::vector<std::pair<std::string, BuildOption>> options;
  std::vector<Update> update;  ///< None or one.
};

/// A subpackage whose steps are still as written.
struct WrittenSubpackage : Subpackage {
  std::string range;
  std::optional<Value> condition, pipeline_value, test_value;
};

struct WrittenTest {
  std::optional<Value> environment, pipeline;
};

/// The fields of a step as written, then those of the pipeline that it uses over them.
struct WrittenStep {
  std::optional<Value> name, uses, runs, condition, directory, label, with, environment, inputs, pipeline,
      file_environment;  ///< Of the pipeline, over the step's own.
  struct Needs {
    std::optional<Value> packages;
  };
  std::optional<Needs> needs;
  struct Assertions {
    int required_steps = 0;
  };
  std::optional<Assertions> assertions;
};

/// The same for a file of --pipeline-dir: it has no `uses` and no `with`.
struct WrittenPipeline : WrittenStep {};

/// One of a pipeline's `inputs`.
struct PipelineInput {
  std::string fallback;
  bool required = false;
  Value where;
};

/// One of `var-transforms`.
struct VarTransform {
  std::string from, match, replace, to;
  std::optional<Value> from_value;
};

/// One of `data`.
struct RangeData {
  std::string name;
  Pairs items;
};

// clang-format off
template <> const Table<WrittenDefinition>& table_of<WrittenDefinition>();
template <> const Table<Definition>& table_of<Definition>();            ///< `package:`
template <> const Table<Dependencies>& table_of<Dependencies>();
template <> const Table<WrittenSubpackage>& table_of<WrittenSubpackage>();
template <> const Table<WrittenTest>& table_of<WrittenTest>();
template <> const Table<Environment>& table_of<Environment>();
template <> const Table<Update>& table_of<Update>();
template <> const Table<WrittenStep>& table_of<WrittenStep>();
template <> const Table<WrittenPipeline>& table_of<WrittenPipeline>();
template <> const Table<PipelineInput>& table_of<PipelineInput>();
template <> const Table<VarTransform>& table_of<VarTransform>();
template <> const Table<RangeData>& table_of<RangeData>();
template <> const Table<BuildOption>& table_of<BuildOption>();
template <> const Table<WrittenDefinition::Capabilities>& table_of<WrittenDefinition::Capabilities>();
// clang-format on

/// `environment:` of a build or a test, with the build account added when wanted.
enum class BuildAccount { kNo, kYes };
Result<> parse_environment(const std::optional<Value>& value, const Scope& scope, BuildAccount account,
                           Environment& out);

/// kInvalid unless `name` can be the name of a package.
Result<> check_package_name(const std::string& name, const Value& where);

/// "1h30m", "90s", or a number of nanoseconds.
Result<std::int64_t> parse_timeout(const Value& value);

}  // namespace nacre::definition
