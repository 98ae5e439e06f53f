#include "image/kept_contents.h"

#include <algorithm>
#include <cstring>

namespace nacre::image {
namespace {

constexpr std::string_view kMagic = "nacre contents 2\n";
enum Flag : unsigned { kWritten = 1, kOwner = 2, kLink = 4, kSha1 = 8, kPax = 16, kProbed = 32 };

class Writer {
 public:
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  void text(std::string_view bytes) {
    number(bytes.size());
    out_ += bytes;
  }
  void digest(const Sha256& value) { out_ += value.view(); }
  void segment(const apk::Segment& value) {
    number(value.offset);
    number(value.size);
  }
  void raw(std::string_view bytes) { out_ += bytes; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// Reads what Writer wrote; anything else ends in ok() being false, with empty values on the way.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view raw(std::uint64_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  std::string text() { return std::string(raw(number())); }
  Sha256 digest() {
    Sha256 out;
    const std::string_view bytes = raw(out.bytes.size());
    if (ok_) std::memcpy(out.bytes.data(), bytes.data(), bytes.size());
    return out;
  }
  apk::Segment segment() {
    apk::Segment out;
    out.offset = number();
    out.size = number();
    return out;
  }
  /// How many items follow, each of which takes at least one byte.
  std::size_t count() {
    const std::uint64_t value = number();
    if (value > rest_.size()) ok_ = false;
    return ok_ ? static_cast<std::size_t>(value) : 0;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

void write_entry(Writer& out, const ContentEntry& entry) {
  const bool owner = entry.uid != 0 || entry.gid != 0;
  out.number((entry.written.empty() ? 0u : kWritten) | (owner ? kOwner : 0u) | (entry.link.empty() ? 0u : kLink) |
             (entry.sha1.empty() ? 0u : kSha1) | (entry.pax.empty() ? 0u : kPax) | (entry.library ? kProbed : 0u));
  out.number(static_cast<unsigned char>(entry.type));
  out.text(entry.path);
  out.number(entry.mode);
  out.number(entry.size);
  out.number(static_cast<std::uint64_t>(entry.mtime));
  if (!entry.written.empty()) out.text(entry.written);
  if (owner) out.number(entry.uid);
  if (owner) out.number(entry.gid);
  if (!entry.link.empty()) out.text(entry.link);
  if (!entry.sha1.empty()) out.text(entry.sha1);
  if (!entry.pax.empty()) out.number(entry.pax.size());
  for (const auto& [key, value] : entry.pax) {
    out.text(key);
    out.text(value);
  }
  if (!entry.library) return;
  out.number(static_cast<std::uint64_t>(entry.library->machine));
  out.text(entry.library->soname);
}

void read_entry(Reader& in, ContentEntry& entry) {
  const std::uint64_t flags = in.number();
  entry.type = static_cast<char>(in.number());
  entry.path = in.text();
  entry.mode = static_cast<unsigned>(in.number());
  entry.size = in.number();
  entry.mtime = static_cast<std::int64_t>(in.number());
  if ((flags & kWritten) != 0) entry.written = in.text();
  if ((flags & kOwner) != 0) entry.uid = in.number();
  if ((flags & kOwner) != 0) entry.gid = in.number();
  if ((flags & kLink) != 0) entry.link = in.text();
  if ((flags & kSha1) != 0) entry.sha1 = in.text();
  for (std::size_t n = (flags & kPax) != 0 ? in.count() : 0; n > 0; --n) {
    std::string key = in.text();
    entry.pax[std::move(key)] = in.text();
  }
  if ((flags & kProbed) == 0) return;
  LibraryName library;
  library.machine = static_cast<int>(in.number());
  library.soname = in.text();
  entry.library = std::move(library);
}

}  // namespace

std::string pack_contents(const PackageContents& contents) {
  const apk::PackageFile& file = contents.file;
  Writer out;
  out.raw(kMagic);
  for (const apk::Segment& segment : {file.signature, file.control, file.data}) out.segment(segment);
  out.text(file.key_name);
  out.text(file.signature_bytes);
  out.text(file.control_sha1);
  out.number(file.file_size);
  out.number(contents.ends_with_zeros ? 1 : 0);
  out.number(file.layer_size);
  for (const Sha256& digest : {file.data_sha256, contents.diff_id, file.layer_sha256, file.layer_diff_id})
    out.digest(digest);
  out.number(contents.control.size());
  for (std::size_t i = 0; i < contents.control.size(); ++i) {
    out.text(contents.control[i].first);
    out.text(contents.control[i].second);
    const apk::ControlAttributes as =
        i < contents.control_attributes.size() ? contents.control_attributes[i] : apk::ControlAttributes();
    for (const std::uint64_t number : {std::uint64_t{as.mode}, as.uid, as.gid}) out.number(number);
    for (const std::string& text : {as.uname, as.gname}) out.text(text);
  }
  out.number(contents.entries.size());
  for (const ContentEntry& entry : contents.entries) write_entry(out, entry);
  return out.take();
}

std::optional<PackageContents> unpack_contents(std::string_view bytes) {
  std::optional<PackageContents> none;
  if (!bytes.starts_with(kMagic)) return none;
  Reader in(bytes.substr(kMagic.size()));
  PackageContents out;
  apk::PackageFile& file = out.file;
  for (apk::Segment* segment : {&file.signature, &file.control, &file.data}) *segment = in.segment();
  file.key_name = in.text();
  file.signature_bytes = in.text();
  file.control_sha1 = in.text();
  file.file_size = in.number();
  out.ends_with_zeros = file.data_ends_with_zeros = in.number() != 0;
  file.layer_size = in.number();
  for (Sha256* digest : {&file.data_sha256, &out.diff_id, &file.layer_sha256, &file.layer_diff_id})
    *digest = in.digest();
  file.data_diff_id = out.diff_id;
  for (std::size_t n = in.count(); n > 0; --n) {
    std::string name = in.text();
    std::string content = in.text();
    out.control.emplace_back(std::move(name), std::move(content));
    apk::ControlAttributes as;
    as.mode = static_cast<unsigned>(in.number());
    as.uid = in.number();
    as.gid = in.number();
    as.uname = in.text();
    as.gname = in.text();
    out.control_attributes.push_back(std::move(as));
  }
  out.entries.resize(in.count());
  for (ContentEntry& entry : out.entries) read_entry(in, entry);
  if (!in.ok() || !in.at_end()) return none;
  const auto info = std::find_if(out.control.begin(), out.control.end(),
                                 [](const auto& one) { return one.first == ".PKGINFO"; });
  if (info == out.control.end()) return none;
  auto parsed = apk::parse_package_info(info->second, ".PKGINFO");
  if (!parsed) return none;
  file.info = *std::move(parsed);
  return out;
}

}  // namespace nacre::image
