#pragma once

#include "base/env.h"
#include "base/events.h"
#include "base/result.h"
#include "os/file.h"

#include <cstdint>
#include <string>

namespace nacre::build {

/// How a download ended.
enum class Got {
  kWhole,    ///< The file is all there, as far as the server's lengths tell.
  kResumed,  ///< Likewise, put together from several answers: on a wrong digest worth one more try
             ///< from the start.
};

/// Brings `url` into `partial` (net::download), going on behind the bytes that are there already, with the clock of
/// `env` and progress for `task`. Errors: kNotFound for 404 and 410; kUnavailable, kDenied, kInvalid as net/http.h
/// says. Their texts may name the address.
Result<Got> download(const std::string& url, const os::Path& partial, std::uint64_t max_bytes,
                     const Task& task, Env& env);

}  // namespace nacre::build
