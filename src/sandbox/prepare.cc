#include "sandbox/launch.h"

#include "base/text.h"
#include "os/file.h"
#include "sandbox/user_namespace.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace nacre::sandbox {
namespace {

constexpr unsigned kLastId = 65535;
constexpr std::uint64_t kBindAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

bool is_plain_bind(const Source& source) {
  return source.target.starts_with("/") && (source.attributes & MOUNT_ATTR_RDONLY) != 0;
}

/// A private copy of the mount at `source.path`, its owners shown through the user namespace.
/// Only what the machine's owner started may do this; others leave it to the child.
Result<> open_ahead(Source& source, const Launch& launch) {
  if (launch.ids.kind == IdMap::Kind::kSingle) return {};
  const bool shift = launch.ids.kind == IdMap::Kind::kRange && !source.target.starts_with("/dev/");
  const int tree = ::open_tree(AT_FDCWD, source.path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0) return os::system_error(errno, fmt::format("open the tree '{}'", source.path));
  source.tree = os::Fd(tree);
  mount_attr change{};
  change.attr_set = source.attributes | (shift ? std::uint64_t{MOUNT_ATTR_IDMAP} : 0);
  change.propagation = MS_PRIVATE;
  if (shift) change.userns_fd = static_cast<std::uint64_t>(launch.user_ns.get());
  int failed = ::mount_setattr(tree, "", AT_EMPTY_PATH, &change, sizeof change);
  // What is only read may show foreign owners, where its file system cannot map them (sysfs, say).
  if (failed != 0 && shift && is_plain_bind(source)) {
    change.attr_set = source.attributes;
    failed = ::mount_setattr(tree, "", AT_EMPTY_PATH, &change, sizeof change);
  }
  if (failed != 0)
    return os::system_error(errno, fmt::format("map the owners of '{}'", source.path));
  return {};
}

Result<Source> make_source(const Launch& launch, const Path& path, std::string target,
                           std::uint64_t attributes) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    return os::system_error(errno, fmt::format("find '{}'", path.string()));
  Source source;
  source.path = std::filesystem::absolute(path).string();
  if (launch.ids.kind == IdMap::Kind::kSingle) {
    // The child opens it. Without links: those of /proc mean something else to it.
    std::error_code failure;
    source.path = std::filesystem::canonical(path, failure).string();
    if (failure) return os::system_error(failure.value(), fmt::format("find '{}'", path.string()));
  }
  source.target = std::move(target);
  source.attributes = attributes;
  source.type = S_ISDIR(status.st_mode) ? NodeType::kDirectory : NodeType::kFile;
  TRY(open_ahead(source, launch));
  return source;
}

Result<> add_layers(Launch& launch, const RootSpec& root) {
  if (root.lower.size() > kMaxLayers)
    return Error::make(ErrorKind::kInvalid, "a root of {} layers; an overlay takes {} at most",
                       root.lower.size(), kMaxLayers);
  for (auto tree = root.lower.rbegin(); tree != root.lower.rend(); ++tree) {
    Source layer = TRY(
        make_source(launch, *tree, fmt::format("l/{}", launch.layers.size()), MOUNT_ATTR_RDONLY),
        "adding a layer");
    if (layer.type != NodeType::kDirectory)
      return Error::make(ErrorKind::kInvalid, "expected a directory, found a file: layer '{}'",
                         tree->string());
    launch.layers.push_back(std::move(layer));
  }
  return {};
}

/// The upper directory, and beside it an empty work directory.
Result<> add_upper(Launch& launch, const RootSpec& root) {
  const Path upper = std::filesystem::absolute(root.upper).lexically_normal();
  const std::string name = upper.filename().string();
  if (name.empty() || name.size() > 240)
    return Error::make(
        ErrorKind::kInvalid,
        "expected a directory with a name of 1 to 240 bytes as upper directory, got '{}'",
        root.upper.string());
  TRY(os::make_dirs(upper), "making the upper directory");
  const Path work = upper.parent_path() / (name + ".work");
  TRY(os::remove_tree(work), "clearing the work directory");
  TRY(os::make_dirs(work));
  launch.upper_name = "u/" + name;
  launch.work_name = "u/" + name + ".work";
  launch.upper =
      TRY(make_source(launch, upper.parent_path(), "", 0), "opening the upper directory");
  return {};
}

Result<> add_devices(Launch& launch) {
  for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
    const std::string path = fmt::format("/dev/{}", name);
    if (std::string_view(name) == "tty" && !os::exists(path)) continue;
    launch.devices.push_back(TRY(
        make_source(launch, path, path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), "adding a device"));
  }
  return {};
}

Result<> add_binds(Launch& launch, const std::vector<Bind>& binds) {
  if (binds.size() > kMaxBinds)
    return Error::make(ErrorKind::kInvalid, "{} binds; {} are the limit", binds.size(), kMaxBinds);
  for (const Bind& bind : binds) {
    const std::uint64_t access = bind.writable ? 0 : std::uint64_t{MOUNT_ATTR_RDONLY};
    if (bind.inside.is_root())
      return Error::make(ErrorKind::kInvalid, "'{}' cannot be bound over the whole root",
                         bind.host.string());
    launch.binds.push_back(
        TRY(make_source(launch, bind.host, "/" + bind.inside.str(), kBindAttributes | access),
            "binding '{}'", bind.inside.str()));
  }
  return {};
}

std::string path_of(const std::vector<std::string>& env) {
  for (const std::string& entry : env)
    if (entry.starts_with("PATH=")) return entry.substr(5);
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

Result<> add_words(Launch& launch, const SandboxCommand& command) {
  if (command.argv.empty() || command.argv[0].empty())
    return Error::make(ErrorKind::kInternal, "no program to run");
  launch.words = command.argv;
  launch.environment = command.env;
  for (const std::vector<std::string>* texts : {&launch.words, &launch.environment})
    for (const std::string& text : *texts)
      if (text.find('\0') != std::string::npos)
        return Error::make(ErrorKind::kInvalid, "a NUL byte in '{}'", text.c_str());
  for (std::string& text : launch.words) launch.argv.push_back(text.data());
  for (std::string& text : launch.environment) launch.env.push_back(text.data());
  launch.argv.push_back(nullptr);
  launch.env.push_back(nullptr);
  if (command.argv[0].find('/') != std::string::npos) {
    launch.programs = {command.argv[0]};
    return {};
  }
  for (const std::string& folder : split(path_of(command.env), ':'))
    launch.programs.push_back((folder.empty() ? "." : folder) + "/" + command.argv[0]);
  return {};
}

/// Where the kernel keeps our command line, which process 1 of the sandbox would show.
void find_arguments(Launch& launch) {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  const std::vector<std::string> fields = split_words(text.substr(text.rfind(')') + 1));
  if (fields.size() < 47)
    return;  // arg_start and arg_end are fields 48 and 49; ')' ends the second
  const std::uintptr_t start = std::strtoull(fields[45].c_str(), nullptr, 10);
  const std::uintptr_t end = std::strtoull(fields[46].c_str(), nullptr, 10);
  if (start == 0 || end <= start) return;
  launch.arguments = reinterpret_cast<char*>(start);
  launch.arguments_bytes = end - start;
}

Result<> add_limits(Launch& launch, const SandboxCommand& command) {
  if (command.uid > kLastId || command.gid > kLastId)
    return Error::make(ErrorKind::kInvalid, "uid {} and gid {}: a sandbox has ids up to {}",
                       command.uid, command.gid, kLastId);
  if (command.hostname.empty() || command.hostname.size() > 64)
    return Error::make(ErrorKind::kInvalid, "expected a host name of 1 to 64 bytes, got '{}'",
                       command.hostname);
  launch.uid = command.uid;
  launch.gid = command.gid;
  launch.capabilities =
      TRY(capability_bits(command.keep_capabilities), "reading the capabilities to keep");
  if (command.uid == 0) launch.capabilities |= build_capabilities();
  launch.bounding = launch.capabilities;
  launch.tmp_options = fmt::format("{}", std::max<std::uint64_t>(command.limits.tmp_bytes, 4096));
  launch.shm_options = fmt::format("{}", std::max<std::uint64_t>(command.limits.shm_bytes, 4096));
  return {};
}

}  // namespace

Result<Launch> prepare(const SandboxCommand& command, const IdMap& ids, const Path& copied_root) {
  Launch launch;
  launch.ids = ids;
  TRY(add_limits(launch, command));
  TRY(add_words(launch, command));
  launch.filter = TRY(build_filter());
  launch.user_ns = TRY(make_user_namespace(ids));
  launch.overlay = copied_root.empty();
  if (launch.overlay) {
    TRY(add_layers(launch, command.root));
    TRY(add_upper(launch, command.root));
  } else {
    launch.upper = TRY(make_source(launch, copied_root, "", 0), "opening the copied root");
  }
  TRY(add_devices(launch));
  TRY(add_binds(launch, command.binds));
  for (const SecretFile& secret : command.secrets) {
    const TreePath name = TRY(TreePath::parse(secret.name), "placing a secret");
    if (name.is_root() || name.str().find('/') != std::string::npos)
      return Error::make(ErrorKind::kInvalid, "expected the name of a secret without '/', got '{}'", secret.name);
    launch.secrets.push_back({"/run/secrets/" + name.str(), secret.bytes});
  }
  find_arguments(launch);
  launch.staging = os::exists("/tmp") ? "/tmp" : "/usr";
  launch.hostname = command.hostname;
  launch.working_dir = command.working_dir;
  launch.own_network = !command.network;
  launch.interactive = command.interactive;
  launch.scope_sockets = command.network && ::syscall(444, nullptr, 0, 1 /* version */) >= 6;
  launch.max_file_bytes = command.limits.disk_bytes;
  launch.parent_pid = ::getpid();
  return launch;
}

}  // namespace nacre::sandbox
