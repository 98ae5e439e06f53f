#pragma once

#include "cli/lookup.h"
#include "index/channels.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// --at: an edition as it was at a serial, a date or a channel (index/channels.h). serial_of() of cli/lookup.h heeds it.
namespace nacre::cli {

extern const Option kAtOption;

/// Whether --at or --serial is given.
bool names_serial(const Arguments& arguments);
/// What --at names; nothing when it is not given.
Result<std::optional<index::Moment>> moment_of(const Arguments& arguments, Edition edition, Session& session);
/// As find_image() without `arguments`; with --at "nginx" as it was then. kInvalid for a tag, a digest or a registry
/// beside --at.
Result<FoundImage> find_image(const std::string& reference, const Arguments& arguments, Session& session);

/// Verbs of channels and of time.
Verb verb_farm_channel();
Verb verb_farm_serials();
Verb verb_image_history();

}  // namespace nacre::cli
