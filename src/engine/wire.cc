#include "engine/wire.h"

namespace nacre::engine {
namespace {

constexpr unsigned kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;
constexpr unsigned kMaxField = (1u << 29) - 1;

Error malformed(std::string_view what) { return Error::make(ErrorKind::kInvalid, "no protobuf message: {}", what); }

Result<std::uint64_t> read_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (bytes.empty()) return malformed("it stops inside a number");
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (shift == 63 && byte > 1) return malformed("a number has more than 64 bits");
    value |= std::uint64_t{byte & 127u} << shift;
    if (byte < 128) return value;
  }
  return malformed("a number has more than 64 bits");
}

Result<std::uint64_t> read_fixed(std::string_view& bytes, std::size_t size) {
  if (bytes.size() < size) return malformed("it stops inside a number");
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  bytes.remove_prefix(size);
  return value;
}

}  // namespace

void WireWriter::varint(std::uint64_t value) {
  for (; value > 127; value >>= 7) out_ += static_cast<char>((value & 127) | 128);
  out_ += static_cast<char>(value);
}

void WireWriter::head(unsigned field, unsigned type) { varint(std::uint64_t{field} << 3 | type); }

WireWriter& WireWriter::number(unsigned field, std::uint64_t value) {
  if (value == 0) return *this;
  head(field, kVarint);
  varint(value);
  return *this;
}

WireWriter& WireWriter::text(unsigned field, std::string_view bytes) {
  return bytes.empty() ? *this : message(field, bytes);
}

WireWriter& WireWriter::message(unsigned field, std::string_view bytes) {
  head(field, kBytes);
  varint(bytes.size());
  out_ += bytes;
  return *this;
}

Result<> read_fields(std::string_view message, const std::function<Result<>(const WireField&)>& each) {
  while (!message.empty()) {
    const std::uint64_t head = TRY(read_varint(message));
    WireField field;
    if (head >> 3 == 0 || head >> 3 > kMaxField) return malformed("a field has no number");
    field.number = static_cast<unsigned>(head >> 3);
    switch (head & 7) {
      case kVarint: field.value = TRY(read_varint(message)); break;
      case kFixed64: field.value = TRY(read_fixed(message, 8)); break;
      case kFixed32: field.value = TRY(read_fixed(message, 4)); break;
      case kBytes: {
        const std::uint64_t size = TRY(read_varint(message));
        if (size > message.size()) return malformed("it stops inside a field");
        field.is_bytes = true;
        field.bytes = message.substr(0, size);
        message.remove_prefix(size);
        break;
      }
      default: return malformed(fmt::format("a field of type {}", head & 7));
    }
    TRY(each(field));
  }
  return {};
}

}  // namespace nacre::engine
