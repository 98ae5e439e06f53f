#include "cli/container_bundle.h"

#include "base/number.h"
#include "base/text.h"
#include "store/store.h"

#include <algorithm>
#include <optional>

namespace nacre::cli {
namespace {

using codec::Json;

/// Field `field` of the line of a passwd-like file whose first field is `name` (or whose third is the number).
std::optional<unsigned> look_up(const Path& root, const char* file, const std::string& name, std::size_t field) {
  const auto text = os::read_beneath(root, TreePath::literal(file), 1u << 20);
  if (!text) return std::nullopt;
  for (const std::string& line : split(*text, '\n')) {
    const std::vector<std::string> fields = split(line, ':');
    if (fields.size() > field && (fields[0] == name || (fields.size() > 2 && fields[2] == name)))
      return whole_number<unsigned>(fields[field]);
  }
  return std::nullopt;
}

Json mount(const char* at, const char* type, const char* source, std::vector<std::string> options) {
  Json out;
  out.set("destination", at).set("type", type).set("source", source);
  return out.set("options", Json::strings(options));
}

Result<> check_mount_point(const Path& root, const std::string& at) {
  if (!at.starts_with('/'))
    return Error::make(ErrorKind::kInvalid, "expected an absolute path inside the container, got '{}'", at);
  const TreePath inside = TRY(TreePath::parse(at));
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(root / inside.str(), error))) return {};
  return Error::make(ErrorKind::kInvalid, "the image has no '{}' to mount on, and its root is read-only", at)
      .hint("add it under `paths:` in the image's definition");
}

Result<Json> mounts_of(const BundleRequest& request) {
  Json out = Json::array();
  out.push(mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  out.push(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  out.push(mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
  if (!request.rootless) out.push(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
  std::vector<std::string> tmpfs = {"/tmp", "/run"};
  for (const std::string& at : request.options.tmpfs)
    if (std::find(tmpfs.begin(), tmpfs.end(), at) == tmpfs.end()) tmpfs.push_back(at);
  for (const std::string& at : tmpfs) {
    const bool standard = at == "/tmp" || at == "/run";
    std::error_code error;
    if (standard && !std::filesystem::exists(request.root / at.substr(1), error)) continue;
    TRY(check_mount_point(request.root, at));
    out.push(mount(at.c_str(), "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777", "size=268435456"}));
  }
  for (const auto& [host, at] : request.options.volumes) {
    TRY(check_mount_point(request.root, at));
    if (!os::exists(host)) return Error::make(ErrorKind::kNotFound, "no '{}' on this machine to mount", host.string());
    out.push(mount(at.c_str(), "bind", std::filesystem::absolute(host).c_str(), {"bind", "rw", "nosuid", "nodev"}));
  }
  return out;
}

/// Denies what reaches out of a container or into the kernel's less trodden parts.
Json seccomp() {
  const std::vector<std::string> kDenied = {
      "mount",        "umount2",       "pivot_root",    "fsopen",        "fsmount",      "move_mount",
      "open_tree",    "fsconfig",      "fspick",        "mount_setattr", "ptrace",       "process_vm_readv",
      "process_vm_writev", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
      "bpf",          "perf_event_open", "keyctl",      "add_key",       "request_key",  "userfaultfd",
      "io_uring_setup", "io_uring_enter", "io_uring_register", "open_by_handle_at", "setns", "unshare",
      "swapon",       "swapoff",       "reboot",        "settimeofday",  "clock_settime", "acct",
      "quotactl",     "nfsservctl",    "vhangup",       "chroot",        "lookup_dcookie"};
  Json denied, clone3, rules = Json::array(), out;
  denied.set("names", Json::strings(kDenied)).set("action", "SCMP_ACT_ERRNO").set("errnoRet", 1);
  // Flags of clone3 lie in memory that a filter cannot read: "no such call" makes libraries fall back to clone.
  clone3.set("names", Json::strings({"clone3"})).set("action", "SCMP_ACT_ERRNO").set("errnoRet", 38);
  rules.push(std::move(denied)).push(std::move(clone3));
  for (const std::int64_t flag : {0x10000000LL, 0x20000000LL, 0x40000000LL, 0x00020000LL, 0x04000000LL, 0x08000000LL,
                                  0x02000000LL}) {
    Json condition, conditions = Json::array(), rule;
    condition.set("index", 0).set("value", flag).set("valueTwo", flag).set("op", "SCMP_CMP_MASKED_EQ");
    rule.set("names", Json::strings({"clone"})).set("action", "SCMP_ACT_ERRNO").set("errnoRet", 1);
    rules.push(rule.set("args", conditions.push(std::move(condition))));
  }
  return out.set("defaultAction", "SCMP_ACT_ALLOW").set("syscalls", std::move(rules));
}

Json id_map(unsigned inside, unsigned outside) {
  Json row, out = Json::array();
  return out.push(row.set("containerID", static_cast<std::int64_t>(inside))
                      .set("hostID", static_cast<std::int64_t>(outside))
                      .set("size", 1));
}

Json linux_part(const BundleRequest& request) {
  Json namespaces = Json::array(), out;
  std::vector<std::string> types = {"pid", "network", "ipc", "uts", "mount"};
  if (request.rootless) types.push_back("user");
  for (const std::string& type : types) {
    Json row;
    namespaces.push(row.set("type", type));
  }
  out.set("namespaces", std::move(namespaces));
  if (request.rootless) {
    out.set("uidMappings", id_map(request.uid, request.caller_uid));
    out.set("gidMappings", id_map(request.gid, request.caller_gid));
  } else {
    Json deny, devices = Json::array(), pids, resources;
    devices.push(deny.set("allow", false).set("access", "rwm"));
    resources.set("devices", std::move(devices)).set("pids", pids.set("limit", 1024));
    out.set("resources", std::move(resources));
  }
  out.set("seccomp", seccomp());
  out.set("maskedPaths",
          Json::strings({"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                         "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"}));
  return out.set("readonlyPaths",
                 Json::strings({"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}));
}

}  // namespace

Result<ImageConfig> read_image_config(const Sha256& manifest, Env& env) {
  const std::string text = TRY(env.store.read(manifest));
  const Json json = TRY(codec::parse_json(text, "manifest"));
  const Sha256 digest = TRY(parse_sha256(json["config"]["digest"].as_string()));
  const std::string config_text = TRY(env.store.read(digest));
  const Json document = TRY(codec::parse_json(config_text, "image configuration"));
  const Json& config = document["config"];
  ImageConfig out;
  out.entrypoint = config["Entrypoint"].as_strings();
  out.cmd = config["Cmd"].as_strings();
  out.env = config["Env"].as_strings();
  out.user = config["User"].as_string();
  out.working_dir = config["WorkingDir"].as_string();
  out.stop_signal = config["StopSignal"].as_string();
  return out;
}

Result<std::pair<unsigned, unsigned>> resolve_user(const std::string& user, const Path& root) {
  if (user.empty()) return std::pair(0U, 0U);
  const std::vector<std::string> parts = split(user, ':');
  std::optional<unsigned> uid = whole_number<unsigned>(parts[0]);
  if (!uid) uid = look_up(root, "etc/passwd", parts[0], 2);
  if (!uid) return Error::make(ErrorKind::kInvalid, "the image's user '{}' is not in its etc/passwd", parts[0]);
  std::optional<unsigned> gid;
  if (parts.size() > 1) {
    gid = whole_number<unsigned>(parts[1]);
    if (!gid) gid = look_up(root, "etc/group", parts[1], 2);
    if (!gid) return Error::make(ErrorKind::kInvalid, "the image's group '{}' is not in its etc/group", parts[1]);
  } else {
    gid = look_up(root, "etc/passwd", parts[0], 3);
  }
  return std::pair(*uid, gid.value_or(0));
}

Result<Json> make_bundle(const BundleRequest& request) {
  const RunOptions& options = request.options;
  std::vector<std::string> argv = request.image.entrypoint;
  if (!options.entrypoint.empty()) argv = {options.entrypoint};
  const std::vector<std::string>& tail =
      options.arguments.empty() && options.entrypoint.empty() ? request.image.cmd : options.arguments;
  argv.insert(argv.end(), tail.begin(), tail.end());
  if (argv.empty())
    return Error::make(ErrorKind::kInvalid, "the image names no program to run")
        .hint("give one: nacre run IMAGE -- PROGRAM ARGUMENT …");
  std::vector<std::string> env = request.image.env;
  for (const std::string& entry : options.env) {  // a program may take the first of two values
    const std::string name = entry.substr(0, entry.find('=') + 1);
    std::erase_if(env, [&](const std::string& old) { return old.starts_with(name); });
    env.push_back(entry);
  }

  Json user, none = Json::array(), capabilities, process, root;
  user.set("uid", static_cast<std::int64_t>(request.uid)).set("gid", static_cast<std::int64_t>(request.gid));
  for (const char* set : {"bounding", "effective", "inheritable", "permitted", "ambient"}) capabilities.set(set, none);
  process.set("terminal", false).set("user", std::move(user)).set("args", Json::strings(argv));
  process.set("env", Json::strings(env));
  process.set("cwd", request.image.working_dir.empty() ? "/" : request.image.working_dir);
  process.set("capabilities", std::move(capabilities)).set("noNewPrivileges", true);
  root.set("path", request.root.string()).set("readonly", true);
  Json out;
  out.set("ociVersion", "1.0.2").set("process", std::move(process)).set("root", std::move(root));
  out.set("hostname", options.name.substr(0, 60));
  Json mounts = TRY(mounts_of(request));
  out.set("mounts", std::move(mounts));
  return out.set("linux", linux_part(request));
}

}  // namespace nacre::cli
