#pragma once

#include "plan/build_graph.h"

#include <string>
#include <string_view>

// A package has two keys: of its content, and of its ABI (package/abi.h: what linking with it sees). Which of them a
// user follows is decided here, once.
namespace nacre::plan {

/// Which keys of a package differ from those of the build before.
struct KeyChange {
  bool content = false;
  bool abi = false;     ///< Never without content.
  bool used = false;    ///< Never without abi: the user may have taken something of what differs (package/touch.h).
  bool breaks = false;  ///< Never without abi: a symbol that was there is gone or another, or the soname.
  bool urgent = false;  ///< Never without used: code or data of it is in the user, or what it links with is gone.
};

/// By what a factory decides that a user must be built again.
enum class KeyPolicy {
  kExplicit,  ///< By nothing: somebody changes each user's epoch.
  kDirect,    ///< What declares a development package (-dev, -static) of what changed, one level deep.
  kInputs,    ///< Any input has changed in any way, without looking at what came out.
  kContent,   ///< Content of an input differs.
  kAbi,       ///< What an input offers to those that take from it differs.
  kUsed,      ///< The same, and who links may have taken of it what differs: ours.
  kPostponed,  ///< As kUsed, but who links and took nothing urgent waits for its own next change, for a time at most:
               ///< ours where farm.yaml says `rebuild: {postpone: …}`.
  kBreaks,    ///< As kAbi, but who links waits until what it was linked with is no longer there. For comparison alone:
              ///< a new inline function or macro reaches users with their next change.
};
std::string_view name_of(KeyPolicy policy);

/// Whether the user is built again under the policy.
bool follows(KeyPolicy policy, const Edge& edge, KeyChange change);

/// Why it is not, for the record of what was cut off: "zlib's ABI is the same".
std::string cut_off_reason(std::string_view maker, EdgeKind kind, KeyChange change);

}  // namespace nacre::plan
