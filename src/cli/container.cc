#include "cli/container.h"

#include "base/events.h"
#include "base/text.h"
#include "cli/container_bundle.h"
#include "cli/container_network.h"
#include "codec/digest.h"
#include "os/clock.h"
#include "store/store.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr double kStopSeconds = 10;
constexpr double kStartSeconds = 20;

Path containers_dir(const Session& session) { return session.home / "containers"; }

bool has_program(const char* name) {
  for (const char* folder : {"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"})
    if (::access((Path(folder) / name).c_str(), X_OK) == 0) return true;
  return false;
}

/// The words before a runtime's own arguments: runc, else crun in a mount namespace without the empty v2 hierarchy
/// that it refuses.
Result<std::vector<std::string>> runtime(const Session& session) {
  const std::string root = (containers_dir(session) / ".runtime").string();
  if (has_program("runc")) return std::vector<std::string>{"runc", "--root", root};
  if (has_program("crun"))
    return std::vector<std::string>{
        "unshare",
        "-m",
        "sh",
        "-c",
        "mount --make-rprivate /; umount /sys/fs/cgroup/unified 2>/dev/null; exec crun \"$@\"",
        "crun",
        "--root",
        root};
  return Error::make(ErrorKind::kUnavailable, "there is no OCI runtime on this machine")
      .hint("apt-get install runc");
}

Result<os::Exit> call(Session& session, std::vector<std::string> arguments, double timeout_seconds = 60) {
  os::Command command;
  command.inherit_env = true;
  command.argv = TRY(runtime(session));
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.timeout_seconds = timeout_seconds;
  return session.env.processes.run(command);
}

/// What the runtime says of a container: status and pid. kNotFound when it knows none of that name.
Result<ContainerState> state_of(const std::string& name, Session& session) {
  const os::Exit exit = TRY(call(session, {"state", name}));
  if (!exit.ok())
    return Error::make(ErrorKind::kNotFound, "no container '{}'", name).hint("`nacre run --list` lists them");
  const Json json = TRY(codec::parse_json(exit.out, "state of " + name));
  ContainerState out;
  out.name = name;
  out.status = json["status"].as_string();
  out.pid = static_cast<int>(json["pid"].as_int());
  if (const auto image = os::read_file(containers_dir(session) / name / "image")) out.image = std::string(trim(*image));
  return out;
}

void remove_container(const std::string& name, Session& session) {
  (void)call(session, {"delete", "--force", name});
  (void)os::remove_tree(containers_dir(session) / name);
}

Sha256 tree_of(const Sha256& manifest) {
  const bool root = ::getuid() == 0;
  return codec::sha256(fmt::format("container root {} {}", manifest.hex(), root ? "root" : "rootless"));
}

Result<Path> unpacked(const Sha256& manifest, Session& session) {
  return session.env.store.tree(tree_of(manifest),
                                [&](const Path& folder) { return image::unpack_image(manifest, folder, session.env); });
}

struct Prepared {
  std::string name;
  Path bundle;
};

Result<Prepared> prepare(const Sha256& manifest, RunOptions options, Session& session) {
  if (options.name.empty())
    options.name = fmt::format("nacre-{}-{}", ::getpid(), manifest.hex().substr(0, 8));
  constexpr std::string_view kNameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";
  if (options.name.find_first_not_of(kNameBytes) != std::string::npos || options.name[0] == '.' ||
      options.name.size() > 128)
    return Error::make(ErrorKind::kInvalid, "'{}' cannot name a container", options.name)
        .hint("at most 128 letters, digits, '_', '+', '-' and '.', the last not in front");
  BundleRequest request;
  request.image = TRY(read_image_config(manifest, session.env));
  request.root = TRY(unpacked(manifest, session), "unpacking image {}", manifest.oci());
  request.rootless = ::getuid() != 0;
  request.caller_uid = ::getuid();
  request.caller_gid = ::getgid();
  const auto [uid, gid] = TRY(resolve_user(request.image.user, request.root));
  // One id is all that a caller without root can map: inside, the program is uid 0 of a user namespace without
  // capabilities.
  request.uid = request.rootless ? 0 : uid;
  request.gid = request.rootless ? 0 : gid;
  request.options = options;
  const Json config = TRY(make_bundle(request));

  Prepared out{options.name, containers_dir(session) / options.name};
  if (state_of(options.name, session))
    return Error::make(ErrorKind::kConflict, "there is a container '{}' already", options.name)
        .hint(fmt::format("nacre run --stop {}", options.name));
  TRY(os::remove_tree(out.bundle));
  TRY(os::make_dirs(out.bundle));
  TRY(os::write_file(out.bundle / "config.json", codec::to_pretty_json(config)));
  TRY(os::write_file(out.bundle / "image", manifest.oci() + "\n"));
  TRY(os::write_file(out.bundle / "stop-signal", request.image.stop_signal));
  return out;
}

Result<int> run_attached(const Prepared& container, const RunOptions& options, Session& session) {
  os::Command command;
  command.inherit_env = true;
  command.argv = TRY(runtime(session));
  for (const std::string& word :
       {std::string("run"), std::string("--bundle"), container.bundle.string(), container.name})
    command.argv.push_back(word);
  command.on_line = [&](std::string_view line) { session.print(line); };
  std::jthread forwarder;
  if (!options.publish.empty())
    forwarder = std::jthread([&](const std::stop_token& stop) {
      for (int tries = 0; tries < 200 && !stop.stop_requested(); ++tries) {
        const auto state = state_of(container.name, session);
        if (state && state->status == "running") {
          const auto done = forward_ports(state->pid, options.publish, stop);
          const auto after = state_of(container.name, session);  // who ended at once needs no ports
          if (!done && after && after->status == "running")
            session.env.events.emit({.kind = EventKind::kWarning, .name = "run", .detail = done.error().render()});
          return;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
  auto exit = session.env.processes.run(command, session.env.stop);
  forwarder.request_stop();
  remove_container(container.name, session);
  if (!exit) return std::move(exit).error();
  return exit->code;
}

/// In the bundle, once the forwarder of a detached container takes connections.
constexpr std::string_view kForwarding = "forwarding";

/// A process of its own that forwards until the container ends; whoever is told the container's name can connect.
Result<> start_forwarder(const Prepared& container, const RunOptions& options, Session& session) {
  os::Command command;
  command.inherit_env = true;
  std::string words =
      fmt::format("setsid {} run --forward {}", shell_quote(session.program.string()), shell_quote(container.name));
  for (const auto& [host, inside] : options.publish) words += fmt::format(" --publish {}:{}", host, inside);
  const std::string log = shell_quote((container.bundle / "forward.log").string());
  command.argv = {"sh", "-c", fmt::format("{} </dev/null >{} 2>&1 &", words, log)};
  command.env = {"NACRE_HOME=" + session.home.string()};
  TRY(os::run_or_fail(session.env.processes, command, session.env.stop));
  const double start = session.env.clock.monotonic_seconds();
  while (!os::exists(container.bundle / kForwarding)) {
    const auto said = os::read_file(container.bundle / "forward.log");
    if (said && !trim(*said).empty())
      return Error::make(ErrorKind::kUnavailable, "ports are not forwarded: {}", trim(*said));
    if (session.env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (session.env.clock.monotonic_seconds() - start > kStartSeconds) {
      session.env.events.emit({.kind = EventKind::kNote, .name = "run", .detail = "ports are not forwarded yet"});
      break;
    }
    session.env.clock.sleep(0.01);
  }
  return {};
}

Result<int> run_detached(const Prepared& container, const RunOptions& options, Session& session) {
  os::Command command;
  command.inherit_env = true;
  std::vector<std::string> words = TRY(runtime(session));
  for (const std::string& word : {std::string("run"), std::string("--detach"), std::string("--bundle"),
                                  container.bundle.string(), container.name})
    words.push_back(word);
  std::string script;
  for (const std::string& word : words) script += shell_quote(word) + " ";
  command.argv = {"sh", "-c", script + "</dev/null >" + shell_quote((container.bundle / "log").string()) + " 2>&1"};
  command.timeout_seconds = kStartSeconds;
  const os::Exit exit = TRY(session.env.processes.run(command, session.env.stop));
  if (!exit.ok()) {
    const auto log = os::read_file(container.bundle / "log");
    remove_container(container.name, session);
    return Error::make(ErrorKind::kUnavailable, "the container did not start: {}", log ? trim(*log) : "no output")
        .hint("`nacre doctor` says what this machine lacks");
  }
  if (!options.publish.empty()) TRY(start_forwarder(container, options, session));
  session.print(container.name);
  return 0;
}

}  // namespace

Result<int> run_container(const Sha256& manifest, const RunOptions& options, Session& session) {
  TRY(check_ports(options.publish));
  const Prepared container = TRY(prepare(manifest, options, session));
  return options.detach ? run_detached(container, options, session) : run_attached(container, options, session);
}

Result<> forward_container(const std::string& name, const std::vector<std::pair<int, int>>& ports, Session& session) {
  const std::vector<ContainerState> all = TRY(list_containers(session));
  for (const ContainerState& state : all) {
    if (state.name != name) continue;
    return forward_ports(state.pid, ports, session.env.stop, [&] {
      (void)os::write_file(containers_dir(session) / name / kForwarding, "");  // who waits for it goes on without, too
    });
  }
  return Error::make(ErrorKind::kNotFound, "no container '{}'", name);
}

Result<> stop_container(const std::string& name, Session& session) {
  const ContainerState state = TRY(state_of(name, session));
  const auto wanted = os::read_file(containers_dir(session) / name / "stop-signal");
  std::string signal = wanted && !trim(*wanted).empty() ? std::string(trim(*wanted)) : "TERM";
  if (signal.starts_with("SIG")) signal = signal.substr(3);
  if (state.status == "running") (void)call(session, {"kill", name, signal});
  const double deadline = session.env.clock.monotonic_seconds() + kStopSeconds;
  while (session.env.clock.monotonic_seconds() < deadline) {
    const auto now = state_of(name, session);
    if (!now || now->status != "running") break;
    session.env.clock.sleep(0.05);
  }
  (void)call(session, {"kill", name, "KILL"});
  remove_container(name, session);
  return {};
}

Result<> signal_container(const std::string& name, const std::string& signal, Session& session) {
  TRY(state_of(name, session));
  const os::Exit exit = TRY(call(session, {"kill", name, signal}));
  if (!exit.ok())
    return Error::make(ErrorKind::kUnavailable, "cannot send '{}' to '{}': {}", signal, name, trim(exit.err));
  return {};
}

Result<int> exec_in_container(const std::string& name, const std::vector<std::string>& argv, Session& session) {
  TRY(state_of(name, session));
  os::Command command;
  command.inherit_env = true;
  command.argv = TRY(runtime(session));
  command.argv.push_back("exec");
  command.argv.push_back(name);
  command.argv.insert(command.argv.end(), argv.begin(), argv.end());
  command.on_line = [&](std::string_view line) { session.print(line); };
  const os::Exit exit = TRY(session.env.processes.run(command, session.env.stop));
  return exit.code;
}

std::vector<Sha256> container_trees(const Session& session) {
  std::vector<Sha256> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(containers_dir(session), error)) {
    const auto image = os::read_file(entry.path() / "image");
    const auto manifest = parse_sha256(image ? trim(*image) : std::string_view());
    if (manifest) out.push_back(tree_of(*manifest));
  }
  return out;
}

Result<std::string> container_logs(const std::string& name, Session& session) {
  TRY(state_of(name, session));
  return os::read_file(containers_dir(session) / name / "log");
}

Result<std::vector<ContainerState>> list_containers(Session& session) {
  std::vector<ContainerState> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(containers_dir(session), error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.')) continue;
    if (auto state = state_of(name, session)) out.push_back(*std::move(state));
  }
  return out;
}

}  // namespace nacre::cli
