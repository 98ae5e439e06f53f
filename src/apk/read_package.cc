#include "apk/package_file.h"

#include "apk/segment.h"
#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "codec/digest_pair.h"
#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace nacre::apk {
namespace {

enum class Extent { kHeader, kBytes, kWhole };  ///< kBytes: all of it, the data segment not inflated.

/// Reads an .apk front to back, once.
class PackageReader {
 public:
  PackageReader(const std::filesystem::path& path, const codec::TarReader::Visitor* visitor, const ReadLimits& limits)
      : limits_(limits),
        data_(visitor, limits),
        gzip_({[this](std::string_view bytes) { return on_plain(bytes); },
               [this](std::size_t, std::uint64_t end) { return on_member_end(end); }},
              limits.max_data_bytes + 2 * limits.max_control_bytes) {
    out_.path = path;
  }

  Result<> run(Extent extent) {
    extent_ = extent;
    const os::Fd fd = TRY(open_file());
    std::string buffer(extent == Extent::kHeader ? kPieceBytes / 8 : kPieceBytes, '\0');
    std::uint64_t offset = 0;
    while (!(extent == Extent::kHeader && stage_ == Stage::kData)) {
      const ssize_t got = ::pread(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return os::system_error(errno, fmt::format("read '{}'", out_.path.string()));
      if (got == 0) break;
      offset += static_cast<std::uint64_t>(got);
      TRY(on_piece(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
    }
    if (stage_ != Stage::kData) TRY(gzip_.finish());
    if (stage_ != Stage::kData)
      return Error::make(ErrorKind::kInvalid, "the package has no control segment");
    out_.data.size = out_.file_size - out_.data.offset;
    if (extent == Extent::kHeader) return stated_digest();
    return extent == Extent::kWhole ? finish(offset) : check_bytes(offset);
  }

  PackageFile out_;
  std::vector<SmallFile> control_files_;
  codec::Sink copy_;   ///< Gets every byte, when there is one.

 private:
  enum class Stage { kFirst, kControl, kData };

  Result<os::Fd> open_file() {
    os::Fd fd(::open(out_.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return os::system_error(errno, fmt::format("open '{}'", out_.path.string()));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
      return Error::make(ErrorKind::kInvalid, "the package is no regular file");
    out_.file_size = static_cast<std::uint64_t>(status.st_size);
    return fd;
  }

  /// Compressed bytes as they come. Those up to the end of the control segment are kept, to be hashed by segment.
  Result<> on_piece(std::string_view piece) {
    if (copy_) TRY(copy_(piece));
    if (stage_ == Stage::kData) {
      hashes_.update_both(piece);
      return extent_ == Extent::kBytes ? Result<>{} : inflate(piece);
    }
    head_.append(piece);
    if (head_.starts_with("ADB"))
      return Error::make(ErrorKind::kInvalid, "apk v3 packages are not supported")
          .hint("ask for the package in apk v2 format");
    if (head_.size() >= 2 && !head_.starts_with("\x1f\x8b"))
      return Error::make(ErrorKind::kInvalid, "this is no package: an .apk begins with the bytes of gzip");
    if (head_.size() > 2 * limits_.max_control_bytes + kPieceBytes)
      return Error::make(ErrorKind::kInvalid, "signature and control segments have more than {} bytes",
                         2 * limits_.max_control_bytes);
    TRY(inflate(piece));
    if (stage_ != Stage::kData) return {};
    const std::string_view head = head_;
    out_.control_sha1 = codec::sha1(head.substr(out_.control.offset, out_.control.size));
    if (extent_ != Extent::kHeader) {
      hashes_.update_first(head.substr(0, out_.data.offset));
      hashes_.update_both(head.substr(out_.data.offset));
    }
    if (!limits_.expected_checksum.empty() && out_.checksum() != limits_.expected_checksum)
      return Error::make(ErrorKind::kDenied, "the control segment has the checksum {}, the index says {}",
                         out_.checksum(), limits_.expected_checksum);
    return {};
  }

  Result<> inflate(std::string_view piece) {
    auto done = gzip_.push(piece);
    if (done) return {};
    const char* segment = stage_ == Stage::kData ? "data" : stage_ == Stage::kControl ? "control" : "first";
    return std::move(done).error().while_doing("reading the {} segment", segment);
  }

  /// Inflated bytes: of the first two members kept whole, of the rest handed on.
  Result<> on_plain(std::string_view bytes) {
    if (stage_ == Stage::kData) {
      diff_id_.update(bytes);
      return data_.push(bytes);
    }
    if (member_.size() + bytes.size() > limits_.max_control_bytes)
      return Error::make(ErrorKind::kInvalid, "a control segment inflates to more than {} bytes",
                         limits_.max_control_bytes);
    member_.append(bytes);
    return {};
  }

  Result<> on_member_end(std::uint64_t end) {
    if (stage_ == Stage::kData) return {};
    std::vector<SmallFile> files = TRY(read_files(std::exchange(member_, {})));
    if (files.empty()) return Error::make(ErrorKind::kInvalid, "the control segment is empty");
    if (stage_ == Stage::kFirst && is_signature_name(files.front().name)) {
      const std::vector<SignatureFile> signatures = TRY(parse_signatures(files));
      const SignatureFile& signature = *best_of(signatures);
      out_.signature = {0, end};
      out_.key_name = signature.key_name;
      out_.signature_bytes = signature.bytes;
      stage_ = Stage::kControl;
      return {};
    }
    TRY(take_control(std::move(files)));
    stage_ = Stage::kData;
    out_.control = {out_.signature.size, end - out_.signature.size};
    out_.data.offset = end;
    return {};
  }

  Result<> take_control(std::vector<SmallFile> files) {
    for (const SmallFile& file : files)
      if (!file.name.starts_with('.') || file.name.find('/') != std::string::npos || is_signature_name(file.name))
        return Error::make(ErrorKind::kInvalid, "'{}' stands in the control segment", file.name);
    const auto info = std::find_if(files.begin(), files.end(),
                                   [](const SmallFile& file) { return file.name == ".PKGINFO"; });
    if (info == files.end()) return Error::make(ErrorKind::kInvalid, "the control segment has no .PKGINFO");
    out_.info = TRY(parse_package_info(info->content, ".PKGINFO"));
    if (out_.info.data_hash.empty())
      return Error::make(ErrorKind::kInvalid, ".PKGINFO names no data segment (datahash)");
    control_files_ = std::move(files);
    return {};
  }

  Result<> stated_digest() {
    out_.data_sha256 = TRY(parse_sha256(out_.info.data_hash), "reading datahash in .PKGINFO");
    return {};
  }

  Result<> check_bytes(std::uint64_t bytes_read) {
    TRY(stated_digest());
    const Sha256 found = hashes_.second();
    if (found != out_.data_sha256)
      return Error::make(ErrorKind::kDenied, "the data segment has the SHA-256 {}, .PKGINFO says {}", found.hex(),
                         out_.data_sha256.hex());
    if (bytes_read != out_.file_size)
      return Error::make(ErrorKind::kConflict, "the package changed while it was read");
    out_.file_sha256 = hashes_.first();
    return {};
  }

  Result<> finish(std::uint64_t bytes_read) {
    TRY(check_bytes(bytes_read));
    TRY(gzip_.finish());
    TRY(data_.finish());
    out_.data_ends_with_zeros = data_.ends_with_zeros();
    // What a layer has more than the segment is known, and so is the digest of both.
    codec::Hasher plain = diff_id_.clone();
    const std::string_view ending = out_.data_ends_with_zeros ? std::string_view() : codec::gzip_tar_end();
    if (!ending.empty()) plain.update(codec::tar_end());
    out_.layer_size = out_.data.size + ending.size();
    out_.layer_diff_id = plain.finish_sha256();
    out_.layer_sha256 = hashes_.second_with(ending);
    out_.data_diff_id = diff_id_.finish_sha256();
    return {};
  }

  ReadLimits limits_;
  Extent extent_ = Extent::kWhole;
  Stage stage_ = Stage::kFirst;
  std::string head_, member_;
  codec::DigestPair hashes_;   ///< Of the file, and of its data segment.
  codec::Hasher diff_id_;
  DataScanner data_;
  codec::GzipReader gzip_;
};

/// One SPDX expression out of several license lines.
std::string joined_license(const std::vector<std::string>& licenses) {
  if (licenses.size() == 1) return licenses.front();
  std::vector<std::string> parts;
  for (const std::string& license : licenses)
    parts.push_back(license.find(" OR ") == std::string::npos ? license : "(" + license + ")");
  return join(parts, " AND ");
}

}  // namespace

std::string PackageFile::checksum() const { return "Q1" + to_base64(control_sha1); }

IndexRecord PackageFile::record() const {
  IndexRecord out;
  out.name = info.name;
  out.version = info.version;
  out.arch = info.arch;
  out.checksum = checksum();
  out.size_bytes = file_size;
  out.installed_bytes = info.installed_bytes;
  out.built_at = info.build_date;
  out.origin = info.origin;
  out.depends = info.depends;
  out.provides = info.provides;
  out.install_if = info.install_if;
  out.provider_priority = info.provider_priority;
  out.description = info.description;
  out.url = info.url;
  out.license = joined_license(info.licenses);
  out.maintainer = info.maintainer;
  out.commit = info.commit;
  return out;
}

Result<PackageFile> read_package(const std::filesystem::path& path, const codec::TarReader::Visitor* visit,
                                 const ReadLimits& limits) {
  PackageReader reader(path, visit, limits);
  TRY(reader.run(Extent::kWhole), "reading the package '{}'", path.string());
  return std::move(reader.out_);
}

Result<TakenPackage> take_package(const std::filesystem::path& path, const codec::TarReader::Visitor* visit,
                                  const codec::Sink& copy, const ReadLimits& limits) {
  PackageReader reader(path, visit, limits);
  reader.copy_ = copy;
  TRY(reader.run(Extent::kWhole), "reading the package '{}'", path.string());
  TakenPackage out;
  out.file = std::move(reader.out_);
  for (SmallFile& file : reader.control_files_) {
    out.control.emplace_back(std::move(file.name), std::move(file.content));
    out.control_attributes.push_back(std::move(file.as));
  }
  return out;
}

Result<PackageFile> read_package_bytes(const std::filesystem::path& path, const ReadLimits& limits,
                                       const codec::Sink& copy) {
  PackageReader reader(path, nullptr, limits);
  reader.copy_ = copy;
  TRY(reader.run(Extent::kBytes), "reading the package '{}'", path.string());
  return std::move(reader.out_);
}

Result<PackageFile> read_package_header(const std::filesystem::path& path, const ReadLimits& limits) {
  PackageReader reader(path, nullptr, limits);
  TRY(reader.run(Extent::kHeader), "reading the package '{}'", path.string());
  return std::move(reader.out_);
}

Result<std::vector<std::pair<std::string, std::string>>> read_control_files(const std::filesystem::path& path,
                                                                            const ReadLimits& limits) {
  PackageReader reader(path, nullptr, limits);
  TRY(reader.run(Extent::kHeader), "reading the package '{}'", path.string());
  std::vector<std::pair<std::string, std::string>> out;
  for (SmallFile& file : reader.control_files_) out.emplace_back(std::move(file.name), std::move(file.content));
  return out;
}

Result<std::string> read_segment(const std::filesystem::path& path, const Segment& segment, const ReadLimits& limits) {
  if (segment.size > 2 * limits.max_control_bytes)
    return Error::make(ErrorKind::kInvalid, "a segment of {} bytes is too large to be held in memory", segment.size);
  const os::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return os::system_error(errno, fmt::format("open '{}'", path.string()));
  std::string out(static_cast<std::size_t>(segment.size), '\0');
  for (std::size_t done = 0; done < out.size();) {
    const ssize_t got =
        ::pread(fd.get(), out.data() + done, out.size() - done, static_cast<off_t>(segment.offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os::system_error(errno, fmt::format("read '{}'", path.string()));
    if (got == 0) return Error::make(ErrorKind::kInvalid, "'{}' ends inside the segment", path.string());
    done += static_cast<std::size_t>(got);
  }
  return out;
}

}  // namespace nacre::apk
