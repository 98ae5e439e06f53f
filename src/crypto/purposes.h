#pragma once

#include "crypto/signer.h"

namespace nacre::crypto {

/// Every purpose, in the order in which keys are shown.
constexpr Purpose kPurposes[] = {Purpose::kPackage, Purpose::kAttestation, Purpose::kRoot, Purpose::kFreshness};

}  // namespace nacre::crypto
