#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "engine/reapi.h"
#include "engine/wire.h"

namespace nacre::engine {

/// An engine in memory, behind the channel, whose every method a test may replace by one that lies or fails.
class TestServer final : public net::GrpcChannel {
 public:
  using Emit = std::function<Result<>(std::string_view)>;
  using Method = std::function<Result<net::GrpcStatus>(const std::vector<std::string>& sent, const Emit& emit)>;

  std::map<std::string, std::string> blobs;  ///< By "HEX/SIZE".
  std::map<std::string, Method> methods;     ///< By the name after the last '/'; these come first.
  std::vector<std::string> calls;            ///< In order.
  std::stop_token stop;                      ///< That of the last call.

  Result<net::GrpcStatus> call(const net::GrpcCall& call, std::stop_token token) override {
    if (token.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    std::vector<std::string> sent;
    std::uint64_t bytes = 0;
    while (true) {
      std::optional<std::string> message = TRY(call.next());
      if (!message) break;
      bytes += net::grpc_frame_size(message->size());
      sent.push_back(*std::move(message));
    }
    EXPECT_EQ(bytes, call.body_bytes) << call.method;
    const std::string name = call.method.substr(call.method.rfind('/') + 1);
    Method method;
    {
      const std::lock_guard lock(mutex_);
      calls.push_back(name);
      stop = std::move(token);
      const auto found = methods.find(name);
      if (found != methods.end()) method = found->second;
    }
    // As the real channel bounds what arrives.
    net::GrpcFrames frames(call.max_message_bytes, call.max_bytes, call.on_message);
    const Emit emit = [&](std::string_view message) { return frames.push(net::grpc_frame(message)); };
    if (method) return method(sent, emit);
    return answer(name, sent, emit);
  }

 private:
  Result<net::GrpcStatus> answer(const std::string& name, const std::vector<std::string>& sent, const Emit& emit) {
    if (name == "FindMissingBlobs") return find_missing(sent.at(0), emit);
    if (name == "BatchUpdateBlobs") return update(sent.at(0), emit);
    if (name == "Write") return write(sent, emit);
    if (name == "Read") return read(sent.at(0), emit);
    return net::GrpcStatus{net::GrpcCode::kUnimplemented, name};
  }

  Result<net::GrpcStatus> find_missing(const std::string& request, const Emit& emit) {
    WireWriter out;
    const std::vector<Digest> asked = *digests_from_wire(request, 2);
    for (const Digest& digest : asked)
      if (!blobs.contains(digest.str())) out.message(2, to_wire(digest));
    TRY(emit(out.take()));
    return net::GrpcStatus{};
  }

  Result<net::GrpcStatus> update(const std::string& request, const Emit& emit) {
    WireWriter out;
    auto read = read_fields(request, [&](const WireField& field) -> Result<> {
      if (field.number != 2) return {};
      Digest digest;
      std::string data;
      auto row = read_fields(field.bytes, [&](const WireField& part) -> Result<> {
        if (part.number == 1) digest = *digest_from_wire(part.bytes);
        if (part.number == 2) data = part.bytes;
        return {};
      });
      EXPECT_TRUE(row);
      EXPECT_EQ(digest, digest_of(data));
      blobs[digest.str()] = data;
      out.message(1, WireWriter().message(1, to_wire(digest)).take());
      return {};
    });
    EXPECT_TRUE(read);
    TRY(emit(out.take()));
    return net::GrpcStatus{};
  }

  Result<net::GrpcStatus> write(const std::vector<std::string>& sent, const Emit& emit) {
    std::string name, data;
    for (const std::string& message : sent) {
      std::uint64_t offset = 0;
      auto read = read_fields(message, [&](const WireField& field) -> Result<> {
        if (field.number == 1) name = field.bytes;
        if (field.number == 2) offset = field.value;
        if (field.number == 10) {
          EXPECT_EQ(offset, data.size());
          data += field.bytes;
        }
        return {};
      });
      EXPECT_TRUE(read);
    }
    blobs[name.substr(name.find("/blobs/") + 7)] = data;
    TRY(emit(WireWriter().number(1, data.size()).take()));
    return net::GrpcStatus{};
  }

  Result<net::GrpcStatus> read(const std::string& request, const Emit& emit) {
    std::string name;
    std::uint64_t offset = 0;
    auto read = read_fields(request, [&](const WireField& field) -> Result<> {
      if (field.number == 1) name = field.bytes;
      if (field.number == 2) offset = field.value;
      return {};
    });
    EXPECT_TRUE(read);
    const auto found = blobs.find(name.substr(name.find("blobs/") + 6));
    if (found == blobs.end()) return net::GrpcStatus{net::GrpcCode::kNotFound, name};
    constexpr std::size_t kPiece = 1000;
    for (std::size_t at = offset; at < found->second.size(); at += kPiece)
      TRY(emit(WireWriter().text(10, found->second.substr(at, kPiece)).take()));
    return net::GrpcStatus{};
  }

  std::mutex mutex_;
};

template <class T>
std::string message_of(const Result<T>& result) {
  return result ? "no error" : result.error().render();
}

/// In a hurry.
inline Patience hasty() { return {.first_pause_seconds = 0.001, .tries = 4, .silence_seconds = 5}; }

}  // namespace nacre::engine
