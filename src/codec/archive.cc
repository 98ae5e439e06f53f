#include "codec/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace nacre::codec {
namespace {

struct Free {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using Handle = std::unique_ptr<archive, Free>;

constexpr std::size_t kBlockBytes = 128 * 1024;

Error fault(archive* handle, std::string_view source) {
  const char* text = archive_error_string(handle);
  return Error::make(ErrorKind::kInvalid, "archive '{}': {}", source, text ? text : "damaged");
}

/// Only the formats that sources come in. Left out: mtree, which names files of this machine, raw,
/// which takes anything, and filters that libarchive hands to other programs.
Result<Handle> make_reader() {
  Handle handle(archive_read_new());
  if (!handle) return Error::make(ErrorKind::kUnavailable, "out of memory");
  archive* raw = handle.get();
  bool fine = true;
  for (const auto enable : {archive_read_support_filter_gzip, archive_read_support_filter_bzip2,
                            archive_read_support_filter_xz, archive_read_support_filter_lzma,
                            archive_read_support_filter_lzip, archive_read_support_filter_zstd,
                            archive_read_support_format_tar, archive_read_support_format_zip,
                            archive_read_support_format_ar})
    fine = enable(raw) == ARCHIVE_OK && fine;
  if (!fine)
    return Error::make(ErrorKind::kInternal, "this libarchive lacks a format that sources come in");
  // Names as bytes, whatever the locale of this process.
  archive_read_set_format_option(raw, "tar", "hdrcharset", "BINARY");
  archive_read_set_format_option(raw, "zip", "hdrcharset", "BINARY");
  return handle;
}

std::string text_of(const char* text) { return text ? text : ""; }

Result<char> type_of(archive_entry* entry, const std::string& path, std::string_view source) {
  if (archive_entry_hardlink(entry)) return '1';
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG: return '0';
    case AE_IFLNK: return '2';
    case AE_IFCHR: return '3';
    case AE_IFBLK: return '4';
    case AE_IFDIR: return '5';
    case AE_IFIFO: return '6';
    default:
      return Error::make(ErrorKind::kInvalid, "archive '{}': '{}' is of no known type", source,
                         path);
  }
}

void read_xattrs(archive_entry* entry, TarHeader& header) {
  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
    if (name)
      header.pax[fmt::format("SCHILY.xattr.{}", name)].assign(static_cast<const char*>(value),
                                                              size);
}

Result<TarHeader> header_of(archive_entry* entry, std::string_view source) {
  TarHeader header;
  const char* path = archive_entry_pathname(entry);
  if (!path)
    return Error::make(ErrorKind::kInvalid, "archive '{}': an entry has no readable name", source);
  header.path = path;
  while (header.path.starts_with("./")) header.path.erase(0, 2);
  while (header.path.size() > 1 && header.path.ends_with('/')) header.path.pop_back();
  header.type = TRY(type_of(entry, header.path, source));
  header.mode = static_cast<unsigned>(archive_entry_perm(entry)) & 07777u;
  header.uid = static_cast<std::uint64_t>(archive_entry_uid(entry));
  header.gid = static_cast<std::uint64_t>(archive_entry_gid(entry));
  header.uname = text_of(archive_entry_uname(entry));
  header.gname = text_of(archive_entry_gname(entry));
  header.mtime = archive_entry_mtime_is_set(entry) ? archive_entry_mtime(entry) : 0;
  if (header.type == '0' && archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0)
    header.size = static_cast<std::uint64_t>(archive_entry_size(entry));
  if (header.type == '1') header.link = text_of(archive_entry_hardlink(entry));
  if (header.type == '2') header.link = text_of(archive_entry_symlink(entry));
  if (header.type == '3' || header.type == '4') {
    header.dev_major = static_cast<unsigned>(archive_entry_rdevmajor(entry));
    header.dev_minor = static_cast<unsigned>(archive_entry_rdevminor(entry));
  }
  read_xattrs(entry, header);
  return header;
}

/// Hands out content in order and fills the holes of sparse files with zeros; counts against the
/// limit.
class Content {
 public:
  Content(const TarReader::Visitor& visitor, std::uint64_t& left)
      : visitor_(visitor), left_(left) {}

  Result<> up_to(std::uint64_t offset) {
    static const std::string kZeros(64 * 1024, '\0');
    while (at_ < offset) {
      const std::uint64_t step = std::min<std::uint64_t>(kZeros.size(), offset - at_);
      TRY(give(std::string_view(kZeros).substr(0, static_cast<std::size_t>(step))));
    }
    return {};
  }

  Result<> give(std::string_view bytes) {
    if (bytes.size() > left_)
      return Error::make(ErrorKind::kInvalid, "more content than the limit allows");
    left_ -= bytes.size();
    at_ += bytes.size();
    if (visitor_.on_data && !bytes.empty()) return visitor_.on_data(bytes);
    return {};
  }

  std::uint64_t at() const { return at_; }

 private:
  const TarReader::Visitor& visitor_;
  std::uint64_t& left_;
  std::uint64_t at_ = 0;
};

Result<> read_content(archive* handle, const TarHeader& header, Content& content,
                      std::string_view source) {
  while (true) {
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int status = archive_read_data_block(handle, &block, &size, &offset);
    if (status == ARCHIVE_EOF) return content.up_to(header.size);
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return fault(handle, source);
    if (offset < 0 || static_cast<std::uint64_t>(offset) < content.at())
      return Error::make(ErrorKind::kInvalid, "archive '{}': pieces of '{}' overlap", source,
                         header.path);
    TRY(content.up_to(static_cast<std::uint64_t>(offset)));
    TRY(content.give({static_cast<const char*>(block), size}));
  }
}

Result<> read_entries(archive* handle, std::string_view source, const TarReader::Visitor& visitor,
                      const TarLimits& limits) {
  std::uint64_t entries = 0, left = limits.max_total_bytes;
  while (true) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(handle, &entry);
    if (status == ARCHIVE_EOF) return {};
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return fault(handle, source);
    if (++entries > limits.max_entries)
      return Error::make(ErrorKind::kInvalid, "archive '{}' has more than {} entries", source,
                         limits.max_entries);
    if (archive_entry_is_encrypted(entry))
      return Error::make(ErrorKind::kInvalid, "archive '{}' is encrypted", source);
    const TarHeader header = TRY(header_of(entry, source));
    if (visitor.on_entry) TRY(visitor.on_entry(header));
    if (header.type != '0') continue;
    Content content(visitor, left);
    TRY(read_content(handle, header, content, source), "reading '{}' of archive '{}'", header.path,
        source);
  }
}

Result<> open_file(archive* handle, const std::filesystem::path& file) {
  errno = 0;
  if (archive_read_open_filename(handle, file.c_str(), kBlockBytes) == ARCHIVE_OK) return {};
  const int why = archive_errno(handle);
  if (why == ENOENT || why == ENOTDIR) return Error::make(ErrorKind::kNotFound, "no archive '{}'", file.string());
  if (why == EACCES || why == EPERM) return Error::make(ErrorKind::kDenied, "may not read '{}'", file.string());
  return fault(handle, file.string());
}

/// One compressed file that is no archive.
Result<Handle> make_raw_reader() {
  Handle handle(archive_read_new());
  if (!handle) return Error::make(ErrorKind::kUnavailable, "out of memory");
  for (const auto enable : {archive_read_support_filter_gzip, archive_read_support_filter_bzip2,
                            archive_read_support_filter_xz, archive_read_support_filter_lzma,
                            archive_read_support_filter_zstd, archive_read_support_format_raw})
    enable(handle.get());
  return handle;
}

Result<> read_raw(archive* handle, std::string_view source, std::uint64_t max_bytes,
                  const std::function<Result<>(std::string_view)>& sink) {
  archive_entry* entry = nullptr;
  if (archive_read_next_header(handle, &entry) != ARCHIVE_OK) return fault(handle, source);
  TarReader::Visitor visitor;
  visitor.on_data = sink;
  Content content(visitor, max_bytes);
  return read_content(handle, TarHeader{}, content, source);
}

}  // namespace

Result<> read_archive(const std::filesystem::path& file, const TarReader::Visitor& visitor,
                      const TarLimits& limits) {
  const Handle handle = TRY(make_reader());
  TRY(open_file(handle.get(), file));
  return read_entries(handle.get(), file.string(), visitor, limits);
}

Result<> read_archive_bytes(std::string_view bytes, std::string_view source,
                            const TarReader::Visitor& visitor, const TarLimits& limits) {
  const Handle handle = TRY(make_reader());
  if (archive_read_open_memory(handle.get(), bytes.data(), bytes.size()) != ARCHIVE_OK)
    return fault(handle.get(), source);
  return read_entries(handle.get(), source, visitor, limits);
}

Result<> read_compressed(std::string_view bytes, std::string_view source, std::uint64_t max_bytes,
                         const std::function<Result<>(std::string_view)>& sink) {
  const Handle handle = TRY(make_raw_reader());
  if (archive_read_open_memory(handle.get(), bytes.data(), bytes.size()) != ARCHIVE_OK)
    return fault(handle.get(), source);
  return read_raw(handle.get(), source, max_bytes, sink);
}

Result<> read_compressed_file(const std::filesystem::path& file, std::uint64_t max_bytes,
                              const std::function<Result<>(std::string_view)>& sink) {
  const Handle handle = TRY(make_raw_reader());
  TRY(open_file(handle.get(), file));
  return read_raw(handle.get(), file.string(), max_bytes, sink);
}

Result<std::string> plain_text(std::string bytes, std::string_view source, std::uint64_t max_bytes) {
  constexpr std::string_view kMarks[] = {"\x1f\x8b", "BZh", "\xfd" "7zXZ", "\x28\xb5\x2f\xfd"};
  const bool packed = std::any_of(std::begin(kMarks), std::end(kMarks),
                                  [&](std::string_view mark) { return bytes.starts_with(mark); });
  if (!packed) {
    if (bytes.size() <= max_bytes) return bytes;
    return Error::make(ErrorKind::kInvalid, "'{}' has more than {} bytes", source, max_bytes);
  }
  std::string out;
  TRY(read_compressed(bytes, source, max_bytes, [&](std::string_view part) -> Result<> {
    out += part;
    return {};
  }));
  return out;
}

}  // namespace nacre::codec
