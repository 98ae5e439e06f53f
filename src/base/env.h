#pragma once

#include <stop_token>

namespace nacre {

class Events;
namespace os { class Processes; class Clock; }
namespace net { class Http; }
namespace store { class Store; }
namespace crypto { class Signer; }

/// What a room may touch of the world: made once in cli/main.cc, handed down by reference, never
/// global and never stored in a value. A room uses only the members that it needs.
///
/// File system access is direct (os/file.h) on paths that callers hand in: tests give a TempDir,
/// which is faster to read and truer than a fake (docs/decisions/0001-real-files-in-tests.md).
struct Env {
  os::Processes& processes;
  os::Clock& clock;
  net::Http& http;
  store::Store& store;
  Events& events;
  std::stop_token stop;  ///< Requested by Ctrl-C; long work checks it and returns kUnavailable "interrupted".
};

}  // namespace nacre
