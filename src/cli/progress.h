#pragma once

#include "base/events.h"

#include <memory>

namespace nacre::cli {

enum class ProgressStyle {
  kAuto,   ///< Live tree on a terminal, plain lines elsewhere.
  kPlain,  ///< One line when a task begins and ends, output of failed tasks.
  kJson,   ///< One JSON object a line.
  kNone,
};

/// A sink that writes to stderr. Thread-safe.
std::unique_ptr<Events> make_progress(ProgressStyle style);

}  // namespace nacre::cli
