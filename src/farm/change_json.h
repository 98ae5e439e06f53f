#pragma once

#include "codec/json.h"
#include "farm/change.h"

namespace nacre::farm {

// As `nacre farm … --json` and the server show them; times as RFC 3339, what is empty or unknown left out or "".
codec::Json to_json(const Change& change);
codec::Json to_json(const Transition& step);

}  // namespace nacre::farm
