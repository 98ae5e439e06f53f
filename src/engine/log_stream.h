#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "engine/reapi.h"

/// Internal to the room.
namespace nacre::engine {

/// Reads a stream of a running command (ByteStream, by the name that the operation says) and gives its lines to a
/// listener, from a thread of its own. What it cannot read it leaves: the log comes with the result. Bounded: lines are
/// cut at 4 KiB, and no more than 64 MiB are read.
class LogStream {
 public:
  LogStream(net::GrpcChannel& channel, std::string name, const Listener& listener, const Patience& patience);
  ~LogStream();  ///< Drops what has not come.
  LogStream(const LogStream&) = delete;

  /// The command ended: waits for the rest, a few seconds at most.
  void finish();
  const std::string& name() const { return name_; }

 private:
  void follow(const std::stop_token& stop);
  Result<net::GrpcStatus> read(const std::stop_token& stop);
  void take(std::string_view bytes);
  void say();

  net::GrpcChannel& channel_;
  std::string name_;
  const Listener& listener_;
  Patience patience_;
  std::uint64_t offset_ = 0;
  std::string line_;  ///< What came of a line that has not ended.
  std::mutex mutex_;
  std::condition_variable done_;
  bool ended_ = false;
  std::jthread thread_;  ///< Goes first.
};

}  // namespace nacre::engine
