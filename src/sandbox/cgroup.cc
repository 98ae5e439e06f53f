#include "sandbox/cgroup.h"

#include "base/text.h"
#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

namespace nacre::sandbox {
namespace {

constexpr std::string_view kControllers[] = {"memory", "pids", "cpu"};
constexpr int kPeriodMicroseconds = 100'000;

bool has_word(std::string_view list, char separator, std::string_view word) {
  const std::vector<std::string> words = split(list, separator);
  return std::find(words.begin(), words.end(), word) != words.end();
}

struct Mounted {
  std::string type, options, point;
};

std::vector<Mounted> cgroup_mounts(std::string_view mountinfo) {
  std::vector<Mounted> mounts;
  for (const std::string& line : split(mountinfo, '\n')) {
    const std::vector<std::string> words = split_words(line);
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    if (dash[1] == "cgroup" || dash[1] == "cgroup2") mounts.push_back({dash[1], dash[3], words[4]});
  }
  return mounts;
}

/// Our group in the hierarchy that has the controller ("" is that of v2), "/" when it is not told.
std::string own_group(std::string_view own, std::string_view controller) {
  for (const std::string& line : split(own, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string_view names = std::string_view(line).substr(first + 1, second - first - 1);
    if (controller.empty() ? names.empty() : has_word(names, ',', controller))
      return line.substr(second + 1);
  }
  return "/";
}

Result<> write_value(const Path& file, std::string_view value) {
  const os::Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return os::system_error(errno, fmt::format("write '{}' into '{}'", value, file.string()));
  return {};
}

Result<> set_limit(const ControllerPlace& place, const Path& folder, const Limits& limits) {
  const bool old = place.version == 1;
  if (place.controller == "pids") {
    TRY(write_value(folder / "pids.max", fmt::format("{}", limits.max_pids)));
  } else if (place.controller == "cpu") {
    const int quota = std::max(1000, static_cast<int>(limits.cpus * kPeriodMicroseconds));
    if (old) TRY(write_value(folder / "cpu.cfs_period_us", fmt::format("{}", kPeriodMicroseconds)));
    if (old) TRY(write_value(folder / "cpu.cfs_quota_us", fmt::format("{}", quota)));
    if (!old)
      TRY(write_value(folder / "cpu.max", fmt::format("{} {}", quota, kPeriodMicroseconds)));
  } else {
    const std::string bytes = fmt::format("{}", limits.memory_bytes);
    TRY(write_value(folder / (old ? "memory.limit_in_bytes" : "memory.max"), bytes));
    // Swap counts as well; kernels without swap accounting lack the file.
    const Path swap = folder / (old ? "memory.memsw.limit_in_bytes" : "memory.swap.max");
    if (os::exists(swap)) TRY(write_value(swap, old ? bytes : "0"));
  }
  return {};
}

bool is_wanted(std::string_view controller, const Limits& limits) {
  if (controller == "memory") return limits.memory_bytes > 0;
  if (controller == "pids") return limits.max_pids > 0;
  return limits.cpus > 0;
}

/// Groups that a killed nacre left: named after a process that is no more. One in use cannot go.
void remove_stale(const Path& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::vector<std::string> parts = split(entry.path().filename().string(), '-');
    if (parts.size() != 3 || parts[0] != "nacre" || os::exists(Path("/proc") / parts[1])) continue;
    ::rmdir(entry.path().c_str());
  }
}

}  // namespace

std::vector<ControllerPlace> find_controllers(std::string_view mountinfo, std::string_view own,
                                              std::string_view v2_controllers) {
  std::vector<ControllerPlace> places;
  const std::vector<Mounted> mounts = cgroup_mounts(mountinfo);
  for (const std::string_view controller : kControllers)
    for (const Mounted& mount : mounts) {
      const bool old = mount.type == "cgroup";
      if (old ? !has_word(mount.options, ',', controller)
              : !has_word(trim(v2_controllers), ' ', controller))
        continue;
      // v2 groups with processes cannot have limited children, so ours is made at the top.
      const std::string group = old ? own_group(own, controller) : "/";
      places.push_back({std::string(controller), Path(mount.point) / group.substr(1), old ? 1 : 2});
      break;
    }
  return places;
}

std::vector<ControllerPlace> find_controllers() {
  const std::string mountinfo = os::read_file("/proc/self/mountinfo").value_or("");
  const std::string own = os::read_file("/proc/self/cgroup").value_or("");
  std::string offered;
  for (const Mounted& mount : cgroup_mounts(mountinfo))
    if (mount.type == "cgroup2")
      offered = os::read_file(Path(mount.point) / "cgroup.controllers").value_or("");
  std::vector<ControllerPlace> places = find_controllers(mountinfo, own, offered);
  // Inside a container the path of our group may be the host's, and our own is the mount itself.
  for (ControllerPlace& place : places)
    while (!os::exists(place.folder / "cgroup.procs") && place.folder.has_relative_path())
      place.folder = place.folder.parent_path();
  return places;
}

Result<> Cgroup::add(const ControllerPlace& place, const Limits& limits, std::string_view name) {
  const Path folder = place.folder / name;
  remove_stale(place.folder);
  if (place.version == 2) {
    const Path control = place.folder / "cgroup.subtree_control";
    const std::string on = os::read_file(control).value_or("");
    if (!has_word(trim(on), ' ', place.controller))
      TRY(write_value(control, "+" + place.controller));
  }
  const bool shared = std::find(folders_.begin(), folders_.end(), folder) != folders_.end();
  if (!shared) {
    if (::mkdir(folder.c_str(), 0755) != 0)
      return os::system_error(errno, fmt::format("make '{}'", folder.string()));
    folders_.push_back(folder);
  }
  TRY(set_limit(place, folder, limits));
  if (shared) return {};
  os::Fd procs(::open((folder / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!procs)
    return os::system_error(errno, fmt::format("open '{}/cgroup.procs'", folder.string()));
  procs_.push_back(std::move(procs));
  return {};
}

Cgroup Cgroup::make(const Limits& limits, std::vector<std::string>& notes) {
  static std::atomic<unsigned> counter{0};
  const std::string name = fmt::format("nacre-{}-{}", ::getpid(), ++counter);
  const std::vector<ControllerPlace> places = find_controllers();
  Cgroup group;
  for (const std::string_view controller : kControllers) {
    if (!is_wanted(controller, limits)) continue;
    const auto place = std::find_if(places.begin(), places.end(), [&](const auto& each) {
      return each.controller == controller;
    });
    if (place == places.end() && controller != "pids") {
      notes.push_back(
          fmt::format("no {0} limit: this machine mounts no {0} control group", controller));
    }
    if (place == places.end()) continue;
    auto added = group.add(*place, limits, name);
    // For processes there is RLIMIT_NPROC, which a user namespace counts by itself.
    if (!added && controller != "pids")
      notes.push_back(fmt::format("no {} limit: {}", controller, added.error().render()));
    if (added && controller == "pids") group.limits_pids_ = true;
  }
  return group;
}

std::vector<int> Cgroup::joins() const {
  std::vector<int> out;
  for (const os::Fd& procs : procs_) out.push_back(procs.get());
  return out;
}

bool Cgroup::counted(std::string_view file, std::string_view key) const {
  for (const Path& folder : folders_) {
    const std::string text = os::read_file(folder / file).value_or("");
    for (const std::string& line : split(text, '\n')) {
      const std::vector<std::string> words = split_words(line);
      if (words.size() == 2 && words[0] == key && words[1] != "0") return true;
    }
  }
  return false;
}

bool Cgroup::ran_out_of_memory() const {
  return counted("memory.oom_control", "oom_kill") || counted("memory.events", "oom_kill");
}

bool Cgroup::ran_out_of_pids() const { return counted("pids.events", "max"); }

Cgroup::~Cgroup() {
  procs_.clear();
  // The last process may be on its way out still.
  for (const Path& folder : folders_)
    for (int attempt = 0; attempt < 200 && ::rmdir(folder.c_str()) != 0 && errno == EBUSY;
         ++attempt)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

}  // namespace nacre::sandbox
