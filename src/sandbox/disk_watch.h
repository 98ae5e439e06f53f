#pragma once

#include "sandbox/sandbox.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

namespace nacre::sandbox {

/// What the files below `folders` take on disk, each once. Ends early when it is over `enough`. nullopt: directories
/// are nested too deep to be measured, or `stop` was requested.
std::optional<std::uint64_t> disk_usage(const std::vector<Path>& folders, std::uint64_t enough,
                                        std::stop_token stop = {});

/// Measures again and again, in a thread of its own, while a command runs: more often when the disk fills fast, less
/// when measuring takes long (a twentieth of the time at most).
class DiskWatch {
 public:
  DiskWatch(std::vector<Path> folders, std::uint64_t limit);
  bool over() const { return over_; }
  /// Measures once more, at the end.
  bool over_at_end();

 private:
  void watch(const std::stop_token& stop);
  void measure(const std::stop_token& stop);
  std::uint64_t free_bytes() const;

  std::vector<Path> folders_;
  std::uint64_t limit_;
  std::uint64_t last_ = 0, free_then_ = 0;
  std::atomic<bool> over_{false};
  std::jthread thread_;
};

}  // namespace nacre::sandbox
