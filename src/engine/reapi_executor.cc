#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "engine/log_stream.h"
#include "engine/pause.h"
#include "engine/reapi.h"
#include "engine/wire.h"

namespace nacre::engine {
namespace {

using net::GrpcCode;
using net::GrpcStatus;

constexpr std::string_view kExecution = "build.bazel.remote.execution.v2.Execution/";
constexpr int kMaxRuns = 4;       ///< So often an action is started before trouble that the engine reports is believed.
constexpr int kShortStreams = 4;  ///< So many times more than tries may streams end at once that did say something.
constexpr std::uint64_t kMaxStream = 160u << 20;  ///< Of one stream: a result, and hours of words about its state.
constexpr std::chrono::seconds kShort(1);

/// Trouble of the engine's machinery, that another try may not have.
bool is_machinery(GrpcCode code) {
  switch (code) {
    case GrpcCode::kUnavailable:
    case GrpcCode::kInternal:
    case GrpcCode::kUnknown:
    case GrpcCode::kAborted:
    case GrpcCode::kResourceExhausted:
    case GrpcCode::kDataLoss:
    case GrpcCode::kCancelled: return true;
    default: return false;
  }
}

}  // namespace

/// One job on its way.
class ReapiExecutor::Course {
 public:
  Course(ReapiExecutor& executor, const Job& job, const Listener& listener, std::stop_token stop)
      : executor_(executor),
        job_(job),
        listener_(listener),
        stop_(std::move(stop)),
        pause_(executor.patience_),
        short_streams_(executor.patience_, kShortStreams),
        skip_cache_(job.lookup == Lookup::kRun) {}

  Result<Outcome> run() {
    if (job_.upload) TRY(job_.upload());
    while (true) {
      auto status = follow();
      if (!status) {
        if (stop_.stop_requested()) cancel();
        return std::move(status).error();
      }
      if (last_ && last_->done) {
        std::optional<Outcome> outcome = TRY(judge());
        if (outcome) return *std::move(outcome);
        continue;
      }
      TRY(go_on_after(*status));
    }
  }

 private:
  void note(std::string text) const {
    if (listener_.on_note) listener_.on_note(text);
  }

  /// One stream, from its first word to its end.
  Result<GrpcStatus> follow() {
    const bool waits = !name_.empty();
    WireWriter request;
    if (waits) {
      request.text(1, name_);
    } else {
      ++runs_;
      request.text(1, executor_.instance_).flag(3, skip_cache_).message(6, to_wire(job_.action));
      if (job_.priority != 0)
        request.message(7, WireWriter().number(1, static_cast<std::uint64_t>(std::int64_t{job_.priority})).take());
    }
    std::optional<std::string> bytes = request.take();
    last_.reset();
    begun_ = std::chrono::steady_clock::now();
    net::GrpcCall call;
    call.method = std::string(kExecution) + (waits ? "WaitExecution" : "Execute");
    call.body_bytes = net::grpc_frame_size(bytes->size());
    call.max_message_bytes = 64u << 20;  // a result may hold its streams
    call.max_bytes = kMaxStream;
    call.silence_seconds = executor_.patience_.silence_seconds;
    call.next = [&]() -> Result<std::optional<std::string>> { return std::exchange(bytes, std::nullopt); };
    call.on_message = [&](std::string_view message) -> Result<> {
      Operation operation = TRY(operation_from_wire(message), "reading the state of an action");
      heard(std::move(operation));
      return {};
    };
    return executor_.channel_.call(call, stop_);
  }

  void heard(Operation operation) {
    pause_.reset();
    if (!operation.name.empty()) name_ = operation.name;
    if (listener_.on_stage && (!last_ || last_->stage != operation.stage)) listener_.on_stage(operation.stage);
    if (listener_.on_line && !operation.done) {
      show(out_, operation.out_stream);
      show(err_, operation.err_stream);
    }
    last_ = std::move(operation);
  }

  /// A worker that takes over from another has a stream of its own.
  void show(std::optional<LogStream>& log, const std::string& name) {
    if (name.empty() || (log && log->name() == name)) return;
    log.emplace(executor_.logs_, name, listener_, executor_.patience_);
  }

  /// The stream ended, and the action did not.
  Result<> go_on_after(const GrpcStatus& status) {
    const bool waited = !name_.empty();
    const std::string how =
        status.ok() ? "without a result" : fmt::format("{}: {}", name_of(status.code), status.message);
    if (waited && (status.code == GrpcCode::kNotFound || status.code == GrpcCode::kUnimplemented)) {
      if (++forgotten_ > executor_.patience_.tries)
        return Error::make(ErrorKind::kUnavailable, "the engine forgot the action {} times", forgotten_);
      note("the engine no longer knows the action: it is run again");
      name_.clear();
      return again(status);
    }
    const bool lost = status.ok() || is_machinery(status.code) || status.code == GrpcCode::kDeadlineExceeded;
    if (!waited && status.code == GrpcCode::kFailedPrecondition) return refill(status);
    if (!lost) return status.error();
    if (!last_) return again(status);  // nothing was heard: this counts
    note(fmt::format("the stream of the action ended ({}): waiting for it again", how));
    if (std::chrono::steady_clock::now() - begun_ > kShort) short_streams_.reset();
    else if (!short_streams_.again(stop_) && !stop_.stop_requested())
      return Error::make(ErrorKind::kUnavailable, "the engine ends the stream of the action again and again ({})", how);
    return {};
  }

  Result<> again(const GrpcStatus& status) {
    if (pause_.again(stop_)) return {};
    if (stop_.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    return status.ok() ? Error::make(ErrorKind::kUnavailable, "the engine ends its streams without a word")
                       : status.error();
  }

  /// The CAS lost inputs, or a client elsewhere made us believe that it had them.
  Result<> refill(const GrpcStatus& status) {
    if (!job_.upload || refills_++ >= 2) return status.error();
    note("the engine lacks inputs: they are sent again");
    return job_.upload();
  }

  /// An outcome; nothing when the action is to be run again.
  Result<std::optional<Outcome>> judge() {
    Operation done = *std::move(last_);
    last_.reset();
    name_.clear();
    for (std::optional<LogStream>* log : {&out_, &err_}) {
      if (*log) (*log)->finish();
      log->reset();
    }
    const auto code = static_cast<GrpcCode>(done.status.code);
    if (code == GrpcCode::kOk) {
      if (!done.cached || done.result->exit_code == 0)
        return std::optional(Outcome{*std::move(done.result), done.cached, runs_});
      note("the engine had kept a failure: the action is run again");
      skip_cache_ = true;
      if (runs_ >= kMaxRuns) return std::optional(Outcome{*std::move(done.result), true, runs_});
      return std::optional<Outcome>();
    }
    const GrpcStatus status{code, done.status.message};
    if (code == GrpcCode::kDeadlineExceeded)
      return Error::make(ErrorKind::kUnavailable, "the engine stopped the action: its time was over");
    if (code == GrpcCode::kFailedPrecondition) {
      TRY(refill(status));
      return std::optional<Outcome>();
    }
    if (!is_machinery(code) || runs_ >= kMaxRuns) return status.error().while_doing("running an action");
    note(fmt::format("the engine could not run the action ({}: {}): once more", name_of(code), status.message));
    TRY(again(status));
    return std::optional<Outcome>();
  }

  /// With a stop token of its own: ours was requested.
  void cancel() const {
    if (name_.empty()) return;
    (void)executor_.channel_.ask("google.longrunning.Operations/CancelOperation", WireWriter().text(1, name_).take(),
                                 {}, 64u << 10);
  }

  ReapiExecutor& executor_;
  const Job& job_;
  const Listener& listener_;
  std::stop_token stop_;
  Pause pause_, short_streams_;
  std::chrono::steady_clock::time_point begun_{};  ///< The stream that is heard.
  bool skip_cache_;
  std::string name_;  ///< Of the operation, once it has one.
  std::optional<Operation> last_;
  int runs_ = 0, refills_ = 0, forgotten_ = 0;
  std::optional<LogStream> out_, err_;
};

ReapiExecutor::ReapiExecutor(net::GrpcChannel& channel, std::string instance, Patience patience, net::GrpcChannel* logs)
    : channel_(channel),
      instance_(std::move(instance)),
      patience_(patience),
      logs_(logs != nullptr ? *logs : channel) {}

Result<Capabilities> ReapiExecutor::capabilities(std::stop_token stop) {
  auto reply = TRY(channel_.ask("build.bazel.remote.execution.v2.Capabilities/GetCapabilities",
                                WireWriter().text(1, instance_).take(), stop));
  if (!reply.status.ok()) return reply.status.error();
  return capabilities_from_wire(reply.message);
}

Result<Outcome> ReapiExecutor::perform(const Job& job, const Listener& listener, std::stop_token stop) {
  return Course(*this, job, listener, std::move(stop)).run();
}

}  // namespace nacre::engine
