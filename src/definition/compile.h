#pragma once

#include "definition/definition.h"
#include "definition/parse.h"

namespace nacre::definition {

/// Makes steps: looks up `uses`, fills inputs, replaces variables, judges conditions, hands down
/// directory and environment to children.
class Compiler {
 public:
  explicit Compiler(PipelineSource& pipelines) : pipelines_(pipelines) {}

  /// The steps of `list`. Packages that enabled steps need are added to `needs`.
  Result<std::vector<Step>> steps(const std::optional<Value>& list, const Scope& scope,
                                  std::vector<std::string>& needs);

 private:
  Result<Step> step(const Value& value, std::size_t number, const Scope& scope, const Step* parent, int depth);
  Result<> step_into(const Value& value, const Scope& scope, const Step* parent, int depth, Step& out);
  Result<> take_pipeline(const Value& uses, WrittenStep& out);
  static Result<> fill_inputs(const WrittenStep& written, const Scope& scope, const Step* parent,
                              Step& out, Scope& inner);
  Result<> fill(const WrittenStep& written, const Scope& scope, const Step* parent, Step& out);
  Result<std::string> text(const std::optional<Value>& value, const Scope& scope,
                           Quoting quoting = Quoting::kNone);
  Result<> count(const Value& where);

  PipelineSource& pipelines_;
  std::vector<std::shared_ptr<const codec::YamlTree>> kept_;  ///< What values point into.
  std::size_t steps_ = 0, bytes_ = 0;
};

/// The sources that enabled fetch and git-checkout steps name, in order.
std::vector<Source> find_sources(const Definition& definition);

/// Adds what enabled steps need.
void gather_needs(const std::vector<Step>& steps, std::vector<std::string>& out);

}  // namespace nacre::definition
