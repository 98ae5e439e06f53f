#pragma once

#include <memory>
#include <string>

#include "engine/executor.h"
#include "net/grpc.h"

/// The Remote Execution API, version 2, over gRPC.
namespace nacre::engine {

/// How patient a client is. Tests are in a hurry.
struct Patience {
  double first_pause_seconds = 0.5;  ///< Between tries; doubles up to 20 s.
  int tries = 8;                     ///< In a row without an answer of any kind.
  /// A stream that says nothing for so long is dropped and taken up again: half-open connections show in no other way.
  double silence_seconds = 120;
};

/// The CAS of a server: FindMissingBlobs; BatchUpdateBlobs for small ones, in requests of less than 4 MiB or what the
/// server states; ByteStream for the others, and for reading.
class ReapiCas final : public Cas {
 public:
  ReapiCas(net::GrpcChannel& channel, std::string instance, std::stop_token stop, Patience patience = {});
  Result<std::vector<Digest>> missing(std::span<const Digest> digests) override;
  Result<> put(std::span<const Blob> blobs) override;
  /// What capabilities() said; smaller values than 64 KiB and 0 are passed over.
  void limit_batches(std::uint64_t max_bytes);

 protected:
  Result<> read(const Digest& digest, const Sink& sink) override;

 private:
  Result<> put_batch(std::span<const Blob* const> blobs);
  Result<> put_stream(const Blob& blob);
  Result<net::GrpcStatus> send_stream(const Blob& blob, std::uint64_t& committed);
  std::string prefix() const { return instance_.empty() ? "" : instance_ + "/"; }

  net::GrpcChannel& channel_;
  std::string instance_;
  std::stop_token stop_;
  Patience patience_;
  std::uint64_t max_batch_bytes_;
};

/// Execute; when the stream ends early, WaitExecution; when the server knows the operation no more, Execute again: an
/// action is the same wherever and how often it runs. Waiting is never counted as a try. Where the server names streams
/// of the running command, their lines go to the listener as they come.
class ReapiExecutor final : public Executor {
 public:
  /// `logs`: who has the streams of running commands; nullptr: the same server.
  ReapiExecutor(net::GrpcChannel& channel, std::string instance, Patience patience = {},
                net::GrpcChannel* logs = nullptr);
  ~ReapiExecutor() override { end_all(); }
  Result<Capabilities> capabilities(std::stop_token stop) override;

 protected:
  Result<Outcome> perform(const Job& job, const Listener& listener, std::stop_token stop) override;

 private:
  class Course;
  net::GrpcChannel& channel_;
  std::string instance_;
  Patience patience_;
  net::GrpcChannel& logs_;
};

}  // namespace nacre::engine
