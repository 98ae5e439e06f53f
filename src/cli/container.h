#pragma once

#include "cli/command.h"
#include "image/image.h"

#include <optional>
#include <string>
#include <vector>

namespace nacre::cli {

/// How `nacre run` starts an image. Defaults are the narrowest: read-only root, no capabilities, the image's own
/// user, no network but loopback.
struct RunOptions {
  std::string name;                                     ///< Empty: made up.
  std::vector<std::pair<int, int>> publish;             ///< Host port (127.0.0.1) -> container port.
  std::vector<std::pair<Path, std::string>> volumes;    ///< Host directory or file -> absolute path inside, writable.
  std::vector<std::string> env, tmpfs, arguments;       ///< arguments replace Cmd.
  std::string entrypoint;                               ///< Replaces the image's entrypoint when set.
  bool detach = false;
};

/// Runs a manifest from the store through runc or crun: OCI bundle under NACRE_HOME/containers/NAME (unpacked once
/// per manifest and shared as a read-only tree from the store), read-only root, tmpfs on /tmp and /run, no_new_privs,
/// no capabilities, seccomp, own namespaces, cgroup where there is one. In the foreground: streams the output and
/// returns the exit code; Ctrl-C stops the container. Detached: returns once it runs. kUnavailable with a hint when
/// the machine has no OCI runtime that works.
Result<int> run_container(const Sha256& manifest, const RunOptions& options, Session& session);

/// Of a detached container, by name. kNotFound for unknown names.
/// SIGTERM (the image's StopSignal), 10 s, SIGKILL; removes it.
Result<> stop_container(const std::string& name, Session& session);
Result<> signal_container(const std::string& name, const std::string& signal, Session& session);
Result<int> exec_in_container(const std::string& name, const std::vector<std::string>& argv, Session& session);
Result<std::string> container_logs(const std::string& name, Session& session);
/// Forwards ports of 127.0.0.1 into a container until it ends.
Result<> forward_container(const std::string& name, const std::vector<std::pair<int, int>>& ports, Session& session);
struct ContainerState { std::string name, image, status; int pid = 0; };
Result<std::vector<ContainerState>> list_containers(Session& session);

/// Trees that containers, running or not yet removed, stand on.
std::vector<Sha256> container_trees(const Session& session);

}  // namespace nacre::cli
