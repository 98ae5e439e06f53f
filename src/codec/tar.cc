#include "codec/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace nacre::codec {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kMaxOctalId = 07777777;
constexpr std::uint64_t kMaxOctalSize = (std::uint64_t{8} << 30) - 1;

/// Offsets and lengths of ustar header fields.
struct Field {
  std::size_t offset, length;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kMtime{136, 12},
    kChecksum{148, 8}, kLink{157, 100}, kMagic{257, 8}, kUname{265, 32}, kGname{297, 32}, kMajor{329, 8},
    kMinor{337, 8}, kPrefix{345, 155};
constexpr std::size_t kTypeOffset = 156;

using Block = std::array<char, kBlock>;

void put(Block& block, Field field, std::string_view text) {
  std::memcpy(block.data() + field.offset, text.data(), std::min(text.size(), field.length));
}

void put_octal(Block& block, Field field, std::uint64_t value) {
  put(block, field, fmt::format("{:0{}o}", value, field.length - 1));
}

void put_checksum(Block& block) {
  std::memset(block.data() + kChecksum.offset, ' ', kChecksum.length);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(block, kChecksum, fmt::format("{:06o}", sum));
  block[kChecksum.offset + 6] = '\0';
}

bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
}

/// Where a path of over 100 bytes can be cut into prefix and name, or npos.
std::size_t prefix_cut(std::string_view path) {
  if (path.size() > kPrefix.length + 1 + kName.length) return std::string_view::npos;
  const std::size_t cut = path.rfind('/', std::min(kPrefix.length, path.size() - 2));
  const bool fits = cut != std::string_view::npos && cut > 0 && path.size() - cut - 1 <= kName.length;
  return fits ? cut : std::string_view::npos;
}

/// What of a name stands in its field when a record has the whole of it. As Go does: a slash at the cut would make a
/// directory of it for readers of old.
std::string_view cut_name(std::string_view name, std::size_t length) {
  if (name.size() <= length) return name;
  name = name.substr(0, length);
  while (name.ends_with('/')) name.remove_suffix(1);
  return name;
}

/// "LEN key=value\n", where LEN counts itself.
std::string pax_record(const std::string& key, const std::string& value) {
  const std::size_t body = key.size() + value.size() + 3;
  std::size_t size = body + std::to_string(body).size();
  if (std::to_string(size).size() != std::to_string(body).size()) size = body + std::to_string(size).size();
  return fmt::format("{} {}={}\n", size, key, value);
}

std::string pax_header(const std::string& path, const std::map<std::string, std::string>& records) {
  std::string body;
  for (const auto& [key, value] : records) body += pax_record(key, value);
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  std::string name = folder + "PaxHeaders.0/" + path.substr(slash == std::string::npos ? 0 : slash + 1);
  std::erase_if(name, [](char c) { return static_cast<unsigned char>(c) >= 128; });
  name.resize(std::min(name.size(), kName.length));
  while (name.ends_with('/')) name.pop_back();  // as Go does: of "ü" nothing is left
  Block block{};
  put(block, kName, name);
  put_octal(block, kMode, 0);
  put_octal(block, kUid, 0);
  put_octal(block, kGid, 0);
  put_octal(block, kSize, body.size());
  put_octal(block, kMtime, 0);
  block[kTypeOffset] = 'x';
  put(block, kMagic, std::string_view("ustar\00000", 8));
  put_checksum(block);
  std::string out(block.data(), kBlock);
  out += body;
  out.append(tar_padding(body.size()), '\0');
  return out;
}

}  // namespace

std::size_t tar_padding(std::uint64_t size) { return static_cast<std::size_t>((kBlock - size % kBlock) % kBlock); }

std::string_view tar_end() {
  static const std::string kZeros(2 * kBlock, '\0');
  return kZeros;
}

Result<std::string> tar_header(const TarHeader& header) {
  if (header.mtime < 0) return Error::make(ErrorKind::kInvalid, "'{}' has a time before 1970", header.path);
  std::map<std::string, std::string> records = header.pax;
  // What the octal field cannot hold goes into a record, and the field says 0.
  const auto number = [&](const char* key, std::uint64_t value, std::uint64_t most) {
    if (value <= most) return value;
    records[key] = std::to_string(value);
    return std::uint64_t{0};
  };
  const std::uint64_t uid = number("uid", header.uid, kMaxOctalId), gid = number("gid", header.gid, kMaxOctalId),
                      size = number("size", header.size, kMaxOctalSize);
  Block block{};
  const std::size_t cut = header.path.size() > kName.length && ascii(header.path) ? prefix_cut(header.path)
                                                                                  : std::string::npos;
  if (cut != std::string::npos) {
    put(block, kPrefix, std::string_view(header.path).substr(0, cut));
    put(block, kName, std::string_view(header.path).substr(cut + 1));
  } else {
    if (header.path.size() > kName.length || !ascii(header.path)) records["path"] = header.path;
    std::string shown = header.path;
    std::erase_if(shown, [](char c) { return static_cast<unsigned char>(c) >= 128; });
    put(block, kName, cut_name(shown, kName.length));
  }
  if (header.link.size() > kLink.length || !ascii(header.link)) records["linkpath"] = header.link;
  std::string link = header.link;
  std::erase_if(link, [](char c) { return static_cast<unsigned char>(c) >= 128; });
  put(block, kLink, cut_name(link, kLink.length));
  put_octal(block, kMode, header.mode & 07777);
  put_octal(block, kUid, uid);
  put_octal(block, kGid, gid);
  put_octal(block, kSize, size);
  put_octal(block, kMtime, static_cast<std::uint64_t>(header.mtime));
  block[kTypeOffset] = header.type;
  put(block, kMagic, std::string_view("ustar\00000", 8));
  put(block, kUname, header.uname);
  put(block, kGname, header.gname);
  put_octal(block, kMajor, header.dev_major);
  put_octal(block, kMinor, header.dev_minor);
  put_checksum(block);
  std::string out = records.empty() ? std::string() : pax_header(header.path, records);
  out.append(block.data(), kBlock);
  return out;
}

// ---- reading ----

namespace {

std::string_view field_of(const std::string& block, Field field) {
  return std::string_view(block).substr(field.offset, field.length);
}

std::string text_of(const std::string& block, Field field) {
  const std::string_view raw = field_of(block, field);
  return std::string(raw.substr(0, std::min(raw.find('\0'), raw.size())));
}

Result<std::uint64_t> number_of(const std::string& block, Field field, const char* what) {
  const std::string_view raw = field_of(block, field);
  if ((static_cast<unsigned char>(raw[0]) & 0x80) != 0) {  // GNU's binary form
    std::uint64_t value = static_cast<unsigned char>(raw[0]) & 0x7f;
    for (const char c : raw.substr(1)) {
      if (value >> 55 != 0) return Error::make(ErrorKind::kInvalid, "tar {} is too large", what);
      value = value << 8 | static_cast<unsigned char>(c);
    }
    return value;
  }
  std::uint64_t value = 0;
  for (const char c : raw) {
    if (c == ' ' || c == '\0') {
      if (value != 0) break;
      continue;
    }
    if (c < '0' || c > '7') return Error::make(ErrorKind::kInvalid, "tar {} is not an octal number", what);
    value = value << 3 | static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::string normal_path(std::string path) {
  while (path.starts_with("./")) path.erase(0, 2);
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

}  // namespace

struct TarReader::State {
  Visitor visitor;
  TarLimits limits;
  std::string block;                ///< Header bytes gathered so far.
  std::uint64_t remaining = 0;      ///< Content bytes of the current entry still to come.
  std::size_t padding = 0;
  std::string* collect = nullptr;   ///< Where content of a meta entry goes.
  char meta = 0;
  std::string meta_body;
  std::map<std::string, std::string> global, local;
  std::string long_name, long_link;
  std::uint64_t entries = 0, total = 0;
  bool ended = false;

  Result<> on_header();
  Result<> on_meta_end();
  Result<> parse_pax(std::map<std::string, std::string>& into) const;
  Result<TarHeader> header_of() const;
  Result<> apply_pax(TarHeader& header) const;
};

Result<> TarReader::State::parse_pax(std::map<std::string, std::string>& into) const {
  std::string_view rest = meta_body;
  while (!rest.empty()) {
    std::size_t length = 0;
    const auto [stop, status] = std::from_chars(rest.data(), rest.data() + rest.size(), length);
    const auto digits = static_cast<std::size_t>(stop - rest.data());
    if (status != std::errc{} || length > rest.size() || length < digits + 3 || *stop != ' ' ||
        rest[length - 1] != '\n')
      return Error::make(ErrorKind::kInvalid, "tar has a malformed PAX record");
    const std::string_view record = rest.substr(digits + 1, length - digits - 2);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos)
      return Error::make(ErrorKind::kInvalid, "tar has a PAX record without '='");
    into[std::string(record.substr(0, equals))] = record.substr(equals + 1);
    rest.remove_prefix(length);
  }
  return {};
}

Result<> TarReader::State::apply_pax(TarHeader& header) const {
  std::map<std::string, std::string> records = global;
  for (const auto& [key, value] : local) records[key] = value;
  for (auto& [key, value] : records) {
    if (key == "path") header.path = normal_path(value);
    else if (key == "linkpath") header.link = value;
    else if (key == "uname") header.uname = value;
    else if (key == "gname") header.gname = value;
    else if (key == "size" || key == "uid" || key == "gid") {
      std::uint64_t number = 0;
      const auto [stop, status] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (status != std::errc{} || stop != value.data() + value.size())
        return Error::make(ErrorKind::kInvalid, "tar has the PAX {} '{}'", key, value);
      (key == "size" ? header.size : key == "uid" ? header.uid : header.gid) = number;
    } else if (key == "mtime") {
      // To the nearest second, as Go's writer has it.
      const char* const end = value.data() + value.size();
      const auto [stop, status] = std::from_chars(value.data(), end, header.mtime);
      if (status == std::errc{} && header.mtime >= 0 && end - stop > 1 && stop[0] == '.' && stop[1] >= '5' &&
          stop[1] <= '9' && header.mtime < INT64_MAX)
        ++header.mtime;
    } else {
      header.pax[key] = value;
    }
  }
  return {};
}

Result<TarHeader> TarReader::State::header_of() const {
  TarHeader out;
  out.path = text_of(block, kName);
  const std::string prefix = field_of(block, kMagic).starts_with("ustar\0") ? text_of(block, kPrefix) : "";
  if (!prefix.empty()) out.path = prefix + "/" + out.path;
  if (!long_name.empty()) out.path = long_name;
  out.path = normal_path(out.path);
  out.link = long_link.empty() ? text_of(block, kLink) : long_link;
  out.type = block[kTypeOffset] == '\0' ? '0' : block[kTypeOffset];
  const std::uint64_t mode = TRY(number_of(block, kMode, "mode"));
  out.mode = static_cast<unsigned>(mode & 07777);
  out.uid = TRY(number_of(block, kUid, "user id"));
  out.gid = TRY(number_of(block, kGid, "group id"));
  out.size = TRY(number_of(block, kSize, "size"));
  const std::uint64_t mtime = TRY(number_of(block, kMtime, "time"));
  out.mtime = static_cast<std::int64_t>(mtime);
  out.uname = text_of(block, kUname);
  out.gname = text_of(block, kGname);
  const std::uint64_t device_major = TRY(number_of(block, kMajor, "device number"));
  const std::uint64_t device_minor = TRY(number_of(block, kMinor, "device number"));
  out.dev_major = static_cast<unsigned>(device_major);
  out.dev_minor = static_cast<unsigned>(device_minor);
  TRY(apply_pax(out));
  constexpr std::string_view kWithContent = "07xgLK";
  if (kWithContent.find(out.type) == std::string_view::npos) out.size = 0;
  return out;
}

Result<> TarReader::State::on_header() {
  if (std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; })) {
    ended = true;
    return {};
  }
  unsigned sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i)
    sum += i >= kChecksum.offset && i < kChecksum.offset + kChecksum.length ? unsigned{' '}
                                                                            : static_cast<unsigned char>(block[i]);
  const std::uint64_t stated = TRY(number_of(block, kChecksum, "checksum"));
  if (stated != sum)
    return Error::make(ErrorKind::kInvalid, "tar header {} has a wrong checksum", entries + 1);
  const TarHeader header = TRY(header_of());
  if (++entries > limits.max_entries)
    return Error::make(ErrorKind::kInvalid, "tar has more than {} entries", limits.max_entries);
  if (header.size > limits.max_total_bytes || total > limits.max_total_bytes - header.size)
    return Error::make(ErrorKind::kInvalid, "tar holds more than {} bytes", limits.max_total_bytes);
  total += header.size;
  remaining = header.size;
  padding = tar_padding(header.size);
  if (header.type == 'x' || header.type == 'g' || header.type == 'L' || header.type == 'K') {
    if (header.size > limits.max_pax_bytes)
      return Error::make(ErrorKind::kInvalid, "tar has {} bytes of extended header, more than {}", header.size,
                         limits.max_pax_bytes);
    meta = header.type;
    meta_body.clear();
    collect = &meta_body;
    return remaining == 0 ? on_meta_end() : Result<>{};
  }
  local.clear();
  long_name.clear();
  long_link.clear();
  return visitor.on_entry ? visitor.on_entry(header) : Result<>{};
}

Result<> TarReader::State::on_meta_end() {
  collect = nullptr;
  switch (meta) {
    case 'x': return parse_pax(local);
    case 'g': return parse_pax(global);
    case 'L': long_name = meta_body.substr(0, meta_body.find('\0')); return {};
    default: long_link = meta_body.substr(0, meta_body.find('\0')); return {};
  }
}

TarReader::TarReader(Visitor visitor, TarLimits limits) : state_(std::make_unique<State>()) {
  state_->visitor = std::move(visitor);
  state_->limits = limits;
}
TarReader::~TarReader() = default;
TarReader::TarReader(TarReader&&) noexcept = default;

Result<> TarReader::push(std::string_view bytes) {
  State& s = *state_;
  while (!bytes.empty() && !s.ended) {
    if (s.remaining > 0) {
      const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(s.remaining, bytes.size()));
      const std::string_view piece = bytes.substr(0, take);
      bytes.remove_prefix(take);
      s.remaining -= take;
      if (s.collect != nullptr) {
        s.collect->append(piece);
        if (s.remaining == 0) TRY(s.on_meta_end());
      } else if (s.visitor.on_data) {
        TRY(s.visitor.on_data(piece));
      }
    } else if (s.padding > 0) {
      const std::size_t take = std::min(s.padding, bytes.size());
      bytes.remove_prefix(take);
      s.padding -= take;
    } else {
      const std::size_t take = std::min(kBlock - s.block.size(), bytes.size());
      s.block.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      if (s.block.size() < kBlock) return {};
      TRY(s.on_header());
      s.block.clear();
    }
  }
  return {};
}

Result<> TarReader::finish() {
  const State& s = *state_;
  if (!s.ended && (s.remaining > 0 || s.padding > 0 || !s.block.empty()))
    return Error::make(ErrorKind::kInvalid, "tar stops inside entry {}", s.entries);
  return {};
}

}  // namespace nacre::codec
