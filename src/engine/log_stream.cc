#include "engine/log_stream.h"

#include <algorithm>
#include <chrono>

#include "engine/pause.h"
#include "engine/wire.h"

namespace nacre::engine {
namespace {

using net::GrpcCode;
using net::GrpcStatus;
using Time = std::chrono::steady_clock;

constexpr std::size_t kMaxLine = 4096;
constexpr std::uint64_t kMaxLog = std::uint64_t{64} << 20;
constexpr std::chrono::seconds kRest(3);  ///< For what is still on its way when the command has ended.

/// A stream that was cut, not one that cannot be had.
bool may_go_on(GrpcCode code) {
  return code == GrpcCode::kUnavailable || code == GrpcCode::kDeadlineExceeded || code == GrpcCode::kInternal ||
         code == GrpcCode::kUnknown || code == GrpcCode::kAborted;
}

}  // namespace

LogStream::LogStream(net::GrpcChannel& channel, std::string name, const Listener& listener, const Patience& patience)
    : channel_(channel),
      name_(std::move(name)),
      listener_(listener),
      patience_(patience),
      thread_([this](const std::stop_token& stop) { follow(stop); }) {}

LogStream::~LogStream() = default;

void LogStream::finish() {
  {
    std::unique_lock lock(mutex_);
    done_.wait_for(lock, kRest, [&] { return ended_; });
  }
  thread_.request_stop();
  thread_.join();
}

void LogStream::follow(const std::stop_token& stop) {
  Pause pause(patience_);
  while (!stop.stop_requested()) {
    const std::uint64_t before = offset_;
    const Time::time_point begun = Time::now();
    const auto status = read(stop);
    if (status && status->ok()) break;
    if (stop.stop_requested()) break;
    if (!status || !may_go_on(status->code)) {
      if (listener_.on_note)
        listener_.on_note(fmt::format("the log cannot be followed ({})",
                                      status ? status->error().render() : status.error().render()));
      break;
    }
    // A build may be silent for hours.
    if (offset_ != before || Time::now() - begun > std::chrono::seconds(1)) pause.reset();
    if (!pause.again(stop)) break;
  }
  if (!line_.empty()) say();
  const std::lock_guard lock(mutex_);
  ended_ = true;
  done_.notify_all();
}

Result<GrpcStatus> LogStream::read(const std::stop_token& stop) {
  net::GrpcCall call;
  call.method = "google.bytestream.ByteStream/Read";
  call.max_bytes = kMaxLog - std::min(kMaxLog, offset_);
  call.silence_seconds = patience_.silence_seconds;
  std::optional<std::string> request = WireWriter().text(1, name_).number(2, offset_).take();
  call.body_bytes = net::grpc_frame_size(request->size());
  call.next = [&]() -> Result<std::optional<std::string>> { return std::exchange(request, std::nullopt); };
  call.on_message = [&](std::string_view message) {
    return read_fields(message, [&](const WireField& field) -> Result<> {
      if (field.number == 10 && field.is_bytes) take(field.bytes);
      return {};
    });
  };
  return channel_.call(call, stop);
}

void LogStream::take(std::string_view bytes) {
  offset_ += bytes.size();
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    line_ += bytes.substr(0, std::min(end, kMaxLine - line_.size()));
    if (end == bytes.size()) return;
    say();
    bytes.remove_prefix(end + 1);
  }
}

void LogStream::say() {
  listener_.on_line(net::printable(line_, kMaxLine));
  line_.clear();
}

}  // namespace nacre::engine
