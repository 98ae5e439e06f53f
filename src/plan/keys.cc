#include "plan/keys.h"

#include <fmt/format.h>

namespace nacre::plan {

std::string_view name_of(KeyPolicy policy) {
  constexpr std::array<std::string_view, 8> names = {"explicit", "direct", "inputs",    "content",
                                                     "abi",      "used",   "postponed", "breaks"};
  return names[static_cast<std::size_t>(policy)];
}

bool follows(KeyPolicy policy, const Edge& edge, KeyChange change) {
  if (edge.kind == EdgeKind::kRuntime || edge.kind == EdgeKind::kTest) return false;
  switch (policy) {
    case KeyPolicy::kExplicit: return false;
    case KeyPolicy::kDirect: return edge.development;
    case KeyPolicy::kInputs: return true;
    case KeyPolicy::kContent: return change.content;
    case KeyPolicy::kAbi:
    case KeyPolicy::kUsed:
    case KeyPolicy::kPostponed:
    case KeyPolicy::kBreaks: break;
  }
  switch (edge.kind) {
    case EdgeKind::kEmbed:
    case EdgeKind::kData: return change.content;
    case EdgeKind::kLink:
      if (policy == KeyPolicy::kUsed) return change.used;
      if (policy == KeyPolicy::kPostponed) return change.urgent;
      return policy == KeyPolicy::kBreaks ? change.breaks : change.abi;
    default: return false;
  }
}

std::string cut_off_reason(std::string_view maker, EdgeKind kind, KeyChange change) {
  if (!change.content) return fmt::format("{} came out with the same content", maker);
  switch (kind) {
    case EdgeKind::kLink: return fmt::format("the ABI of {} is the same, and it is linked with", maker);
    case EdgeKind::kTool: return fmt::format("{} is a tool: its users follow with their next change", maker);
    case EdgeKind::kTest: return fmt::format("{} is used by tests alone", maker);
    case EdgeKind::kRuntime: return fmt::format("{} is needed at run time: images follow it", maker);
    default: return fmt::format("{} did not change", maker);
  }
}

}  // namespace nacre::plan
