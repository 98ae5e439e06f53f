#pragma once

#include "cli/command.h"
#include "codec/json.h"
#include "farm/change.h"
#include "net/server.h"

namespace nacre::cli {

/// `next`, and below /farm/ the farm of this home, read-only: /farm/ (a page), /farm/N (a change with its log),
/// /farm/N.log, /farm/status.json. 404 as long as no farm ran here. `database`: as `nacre farm --database`; empty: of
/// this home.
net::Handler with_farm_pages(net::Handler next, std::string database, Session& session);

/// What the farm does, as JSON: for `nacre farm status --json` and the server.
struct Farm;
Result<codec::Json> farm_status(Farm& farm, Session& session);

/// The last line that a running change's step printed on this machine; empty: none.
std::string now_doing(const Farm& farm, const farm::Change& change);

}  // namespace nacre::cli
