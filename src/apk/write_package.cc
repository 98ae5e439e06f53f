#include "apk/package_file.h"

#include "apk/segment.h"
#include "base/encoding.h"
#include "codec/digest.h"
#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

namespace nacre::apk {
namespace {

constexpr std::uint64_t kWholeBytes = 8u << 20;  ///< Files up to this size are read once, larger ones twice.

using Sink = codec::Sink;

/// A regular file of the tree that goes into the package.
class SourceFile {
 public:
  static Result<SourceFile> open(const std::filesystem::path& path) {
    SourceFile out;
    out.path_ = path;
    out.fd_ = os::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!out.fd_) return os::system_error(errno, fmt::format("open '{}'", path.string()));
    struct stat status {};
    if (::fstat(out.fd_.get(), &status) != 0 || !S_ISREG(status.st_mode))
      return Error::make(ErrorKind::kInvalid, "'{}' is no regular file", path.string());
    out.size_ = static_cast<std::uint64_t>(status.st_size);
    return out;
  }
  std::uint64_t size() const { return size_; }

  /// All bytes, from the beginning; kConflict when there are not exactly size() of them.
  Result<> read(const Sink& sink) const {
    std::string buffer(static_cast<std::size_t>(std::min<std::uint64_t>(size_ + 1, kPieceBytes)), '\0');
    std::uint64_t done = 0;
    while (true) {
      const ssize_t got = ::pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return os::system_error(errno, fmt::format("read '{}'", path_.string()));
      done += static_cast<std::uint64_t>(got);
      if (done > size_ || (got == 0 && done < size_))
        return Error::make(ErrorKind::kConflict, "'{}' changed while it was packed", path_.string());
      if (got == 0) return {};
      TRY(sink(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
    }
  }

 private:
  std::filesystem::path path_;
  os::Fd fd_;
  std::uint64_t size_ = 0;
};

/// The data segment while it is written.
class DataWriter {
 public:
  DataWriter(os::AtomicFile& file, const WriteOptions& options)
      : mtime_(options.mtime),
        inspect_(options.inspect),
        gzip_([this, &file](std::string_view bytes) {
                compressed_.update(bytes);
                size_ += bytes.size();
                return file.write(bytes);
              },
              {6, options.threads}) {}

  Result<> add(const DataEntry& entry) {
    codec::TarHeader header = entry.header;
    header.mtime = mtime_;
    header.size = 0;
    TRY(check_path(header));
    switch (header.type) {
      case '0': return entry.file.empty() ? add_content(header, entry.content) : add_file(header, entry.file);
      case '1': return add_link(header);
      case '2':
        if (header.link.empty() || header.link.find('\0') != std::string::npos)
          return Error::make(ErrorKind::kInvalid, "the symlink has no usable target");
        header.pax[std::string(kChecksumKey)] = to_hex(codec::sha1(header.link));
        return put_header(header);
      case '3': case '4': case '5': return put_header(header);
      default:
        return Error::make(ErrorKind::kInvalid, "a package cannot hold entries of type '{}'", header.type);
    }
  }

  /// No end-of-archive blocks: design, decision 3.
  Result<> finish(PackageFile& out) {
    TRY(gzip_.finish());
    out.data.size = size_;
    out.data_sha256 = compressed_.finish_sha256();
    out.data_diff_id = plain_.finish_sha256();
    return {};
  }

 private:
  Result<> put(std::string_view bytes) {
    plain_.update(bytes);
    return gzip_.write(bytes);
  }
  Result<> put_header(const codec::TarHeader& header) {
    const std::string bytes = TRY(codec::tar_header(header));
    return put(bytes);
  }
  Result<> put_padding(std::uint64_t size) { return put(codec::tar_end().substr(0, codec::tar_padding(size))); }

  Result<> check_path(const codec::TarHeader& header) {
    const TreePath path = TRY(TreePath::parse(header.path));
    if (path.is_root() || path.str() != header.path)
      return Error::make(ErrorKind::kInvalid, "'{}' is no normal relative path", header.path);
    if (header.path == ".PKGINFO" || is_signature_name(header.path))
      return Error::make(ErrorKind::kInvalid, "the name is kept for apk itself");
    if (!types_.emplace(header.path, header.type).second)
      return Error::make(ErrorKind::kInvalid, "the path is given twice");
    return {};
  }

  Result<> add_content(codec::TarHeader& header, std::string_view content) {
    header.size = content.size();
    if (inspect_) TRY(inspect_(header.path, content, true));
    header.pax[std::string(kChecksumKey)] = to_hex(codec::sha1(content));
    TRY(put_header(header));
    TRY(put(content));
    return put_padding(header.size);
  }

  Result<> add_file(codec::TarHeader& header, const std::filesystem::path& path) {
    const SourceFile file = TRY(SourceFile::open(path));
    if (file.size() <= kWholeBytes) {
      std::string content;
      content.reserve(static_cast<std::size_t>(file.size()));
      TRY(file.read([&](std::string_view bytes) -> Result<> {
        content.append(bytes);
        return {};
      }));
      return add_content(header, content);
    }
    codec::Hasher before(codec::HashKind::kSha1), after(codec::HashKind::kSha1);
    TRY(file.read([&](std::string_view bytes) -> Result<> {
      before.update(bytes);
      return {};
    }));
    const std::string checksum = before.finish();
    header.size = file.size();
    header.pax[std::string(kChecksumKey)] = to_hex(checksum);
    TRY(put_header(header));
    bool begin = true;
    const Sink pack = [&](std::string_view bytes) -> Result<> {
      if (inspect_) TRY(inspect_(header.path, bytes, std::exchange(begin, false)));
      after.update(bytes);
      return put(bytes);
    };
    TRY(file.read(pack));
    if (after.finish() != checksum)
      return Error::make(ErrorKind::kConflict, "'{}' changed while it was packed", path.string());
    return put_padding(header.size);
  }

  Result<> add_link(const codec::TarHeader& header) {
    const auto target = types_.find(header.link);
    if (target == types_.end() || target->second != '0')
      return Error::make(ErrorKind::kInvalid, "the hard link names '{}', which is no earlier file", header.link);
    return put_header(header);
  }

  std::int64_t mtime_;
  decltype(WriteOptions::inspect) inspect_;
  codec::Hasher compressed_, plain_;
  std::uint64_t size_ = 0;
  std::map<std::string, char> types_;
  codec::GzipWriter gzip_;
};

Result<std::string> pack_control(const PackageInfo& info, const WriteOptions& options) {
  static constexpr std::string_view kScripts[] = {".post-deinstall", ".post-install", ".post-upgrade", ".pre-deinstall",
                                                  ".pre-install",    ".pre-upgrade",  ".trigger"};
  std::vector<SmallFile> files = {{".PKGINFO", write_package_info(info)}};
  for (const auto& [name, content] : options.control_files) {
    if (!name.starts_with('.') || name.size() < 2 || name.find('/') != std::string::npos || name == ".PKGINFO" ||
        is_signature_name(name))
      return Error::make(ErrorKind::kInvalid, "'{}' is no name for a control file", name);
    const bool script = std::find(std::begin(kScripts), std::end(kScripts), name) != std::end(kScripts);
    files.push_back({name, content, script ? 0755u : 0644u});
  }
  std::sort(files.begin() + 1, files.end(), [](const SmallFile& a, const SmallFile& b) { return a.name < b.name; });
  for (std::size_t i = 1; i < files.size(); ++i)
    if (files[i].name == files[i - 1].name)
      return Error::make(ErrorKind::kInvalid, "the control file '{}' is given twice", files[i].name);
  return pack_files(files, options.mtime, "root", Ending::kOpen);
}

/// Joins the segments into the final file.
Result<> assemble(PackageFile& out, const std::string& signature, const std::string& control,
                  const std::filesystem::path& data) {
  os::AtomicFile file = TRY(os::AtomicFile::create(out.path));
  codec::Hasher whole;
  const Sink put = [&](std::string_view bytes) {
    whole.update(bytes);
    return file.write(bytes);
  };
  TRY(put(signature));
  TRY(put(control));
  const SourceFile source = TRY(SourceFile::open(data));
  TRY(source.read(put));
  out.signature = {0, signature.size()};
  out.control = {signature.size(), control.size()};
  out.data = {signature.size() + control.size(), source.size()};
  out.file_size = out.data.offset + out.data.size;
  out.file_sha256 = whole.finish_sha256();
  return file.commit();
}

}  // namespace

Result<PackageFile> write_package(const std::filesystem::path& path, PackageInfo info,
                                  const std::vector<DataEntry>& entries, const WriteOptions& options) {
  TRY(check_package_info(info), "writing '{}'", path.string());
  PackageFile out;
  out.path = path;
  // Signature and control segments, which stand first, depend on the data segment's digest: it waits in a file of its
  // own.
  os::AtomicFile scratch = TRY(os::AtomicFile::create(path));
  DataWriter data(scratch, options);
  for (const DataEntry& entry : entries)
    TRY(data.add(entry), "packing '{}' into '{}'", entry.header.path, path.filename().string());
  TRY(data.finish(out));

  info.data_hash = out.data_sha256.hex();
  const std::string control = TRY(pack_control(info, options), "writing '{}'", path.string());
  out.control_sha1 = codec::sha1(control);
  std::string signature;
  if (options.signer) {
    const SegmentSignature made = TRY(options.signer(control), "signing '{}'", path.filename().string());
    signature = TRY(pack_signature(made, options.mtime));
    out.key_name = made.key_name;
    out.signature_bytes = made.signature;
  }
  // What was written is what a reader will see: order and folded characters included.
  out.info = TRY(parse_package_info(write_package_info(info), ".PKGINFO"));
  TRY(assemble(out, signature, control, scratch.temporary_path()));
  return out;
}

}  // namespace nacre::apk
