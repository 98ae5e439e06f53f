#include <cstdlib>

#include "engine/messages.h"
#include "engine/wire.h"
#include "net/grpc.h"

/// What a remote engine sends: frames of gRPC, and each message that is read from them. What was read has one form.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nacre;  // NOLINT: a program of its own
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)engine::operation_from_wire(bytes);
  (void)engine::capabilities_from_wire(bytes);
  (void)engine::digests_from_wire(bytes, 2);
  (void)engine::batch_rows_from_wire(bytes);
  const auto again = [](const auto& value, auto read) {
    if (!value) return;
    const std::string once = engine::to_wire(*value);
    const auto back = read(once);
    if (!back || engine::to_wire(*back) != once) std::abort();
  };
  again(engine::directory_from_wire(bytes), engine::directory_from_wire);
  again(engine::command_from_wire(bytes), engine::command_from_wire);
  again(engine::action_from_wire(bytes), engine::action_from_wire);
  again(engine::action_result_from_wire(bytes), engine::action_result_from_wire);
  const auto each = [](std::string_view message) -> Result<> {
    (void)engine::operation_from_wire(message);
    return {};
  };
  net::GrpcFrames whole(1u << 16, 1u << 20, each), pieces(1u << 16, 1u << 20, each);
  const bool taken = whole.push(bytes).has_value();
  bool same = true;
  for (std::size_t at = 0; at < size && same; at += 3) same = pieces.push(bytes.substr(at, 3)).has_value();
  if (taken != same) std::abort();
  return 0;
}
