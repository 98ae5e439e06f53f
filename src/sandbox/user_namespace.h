#pragma once

#include "sandbox/launch.h"

namespace nacre::sandbox {

/// Whether this process may map foreign ids and make idmapped mounts.
bool is_privileged();

/// A user namespace with these ids, held by descriptor only. Errors name the setting to change.
Result<os::Fd> make_user_namespace(const IdMap& ids);

}  // namespace nacre::sandbox
