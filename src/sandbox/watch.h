#pragma once

#include "sandbox/launch.h"

#include <optional>

namespace nacre::sandbox {

/// The parent's ends of what connects it to a running sandbox.
struct Line {
  os::Fd out, err;     ///< Empty when interactive.
  os::Fd report;       ///< End of file once the command runs; a Report when a step failed.
  os::Fd status;       ///< The command's wait status from process 1.
  os::Fd life;         ///< Closing it makes process 1 end, and with it everything.
  int pid = -1;        ///< The process that waits for process 1.
};

struct Ending {
  os::Exit exit;
  bool interrupted = false;
  bool disk_full = false;           ///< Over limits.disk_bytes.
  bool too_much = false;            ///< Captured output went over the bound.
  std::optional<Report> failure;    ///< A step before the command failed.
};

/// Streams lines until the sandbox is gone as a whole.
Ending watch(Line line, const SandboxCommand& command, std::stop_token stop);

}  // namespace nacre::sandbox
