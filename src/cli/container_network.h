#pragma once

#include "base/result.h"

#include <functional>
#include <stop_token>
#include <utility>
#include <vector>

namespace nacre::cli {

/// Forwards TCP connections from 127.0.0.1:HOST on this machine to 127.0.0.1:PORT in the network namespace of process
/// `pid`, which has no other way out or in. Returns when the process has ended or `stop` is requested. kConflict when
/// a host port is taken. `on_listening` is called once connections are taken; the first of them wait while the program
/// inside starts, for some seconds.
Result<> forward_ports(int pid, const std::vector<std::pair<int, int>>& ports, std::stop_token stop,
                       const std::function<void()>& on_listening = {});

/// kConflict when a host port is taken now: before a container starts whose forwarder nobody watches.
Result<> check_ports(const std::vector<std::pair<int, int>>& ports);

}  // namespace nacre::cli
