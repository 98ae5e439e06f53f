#pragma once

#include "base/result.h"
#include "base/tree_path.h"
#include "definition/definition.h"
#include "os/file.h"

#include <string_view>
#include <vector>

namespace nacre::build {

/// Which builds and tests may use the network (docs/decisions/0010-network.md). Without it a step has a network
/// namespace of its own with nothing but a loopback interface.
enum class NetworkPolicy {
  kNever,   ///< A definition that asks for it is refused.
  kAsked,   ///< Those whose annotation `nacre.network` names "build" or "test".
  kAlways,  ///< All, as the reference has it.
};

/// "never", "asked" or "always"; kInvalid with a near name for anything else.
Result<NetworkPolicy> parse_network_policy(std::string_view text);
std::string_view name_of(NetworkPolicy policy);

/// Whether the definition's annotation `nacre.network` names `use`, "build" or "test". kInvalid for other words in it.
Result<bool> asks_for_network(const definition::Definition& definition, std::string_view use);

/// Whether the steps get it. kDenied when the definition asks and the policy is kNever.
Result<bool> grant_network(NetworkPolicy policy, const definition::Definition& definition, std::string_view use);

/// A file or directory of the machine, read-only inside.
struct HostFile {
  os::Path host;
  TreePath inside;
};

/// What the machine's owner shows to steps that have network, besides /etc/resolv.conf. Names are recorded, values
/// never.
struct NetworkGrant {
  std::vector<std::string> environment;  ///< Names of our own variables that are passed on.
  std::vector<HostFile> files;
  std::string asked_by = "caller";  ///< "definition" when its annotation does: for provenance.
  bool earlier_caches = true;       ///< false: `caches` began empty.
  os::Path caches;  ///< Directory whose subdirectories steps may write below /var/cache/melange; empty: none.
};

/// As NACRE_NETWORK_ENV (names, parted by ',') and NACRE_NETWORK_FILES (HOST-FILE=INSIDE-PATH, parted by ',') say.
/// kInvalid for a name that is none, kNotFound for a file that is not there.
Result<NetworkGrant> network_grant_of_machine();

}  // namespace nacre::build
