#pragma once

#include "codec/yaml.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::cli {

/// One step of the main pipeline that uses a pipeline: what was written in the definition, and the same after its first
/// phase.
struct UsedStep {
  const codec::YamlNode* written = nullptr;   ///< Its `with` in the tree of the text.
  const codec::YamlNode* replaced = nullptr;  ///< The same with variables replaced.

  /// An input after the first phase; empty when it is not given.
  std::string input(std::string_view name) const;
};

/// Steps, nested ones too, whose `uses` is `pipeline`. Both trees live as long as the answer.
std::vector<UsedStep> steps_that_use(const codec::YamlNode& written, const codec::YamlNode& replaced,
                                     std::string_view pipeline);

}  // namespace nacre::cli
