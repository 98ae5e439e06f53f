#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

/// Internal to the room: protobuf's binary form, as far as the Remote Execution API needs it.
namespace nacre::engine {

/// Writes the fields of one message in the order of the calls. Fields with the value that absence means are left out,
/// so that equal values have equal bytes: digests of Action, Command and Directory rest on that.
class WireWriter {
 public:
  WireWriter& number(unsigned field, std::uint64_t value);
  WireWriter& flag(unsigned field, bool value) { return number(field, value ? 1 : 0); }
  WireWriter& text(unsigned field, std::string_view bytes);
  WireWriter& message(unsigned field, std::string_view bytes);  ///< Written even when it is empty.
  std::string take() { return std::move(out_); }

 private:
  void head(unsigned field, unsigned type);
  void varint(std::uint64_t value);
  std::string out_;
};

/// One field as it was read.
struct WireField {
  unsigned number = 0;
  bool is_bytes = false;  ///< Text, bytes or a message; else a number.
  std::uint64_t value = 0;
  std::string_view bytes{};  ///< Of the text that was read.
};

/// Calls `each` for every field in turn; the same one may come several times. kInvalid for bytes that are no message.
Result<> read_fields(std::string_view message, const std::function<Result<>(const WireField&)>& each);

}  // namespace nacre::engine
