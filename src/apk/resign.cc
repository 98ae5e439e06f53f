#include "apk/index_file.h"
#include "apk/package_file.h"
#include "apk/segment.h"
#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace nacre::apk {

Result<> sign_package(const std::filesystem::path& path, const SegmentSigner& signer) {
  const PackageFile package = TRY(read_package(path));
  return sign_package_to(path, path, package, signer, os::Sync::kNo);
}

Result<> sign_package_to(const std::filesystem::path& to, const std::filesystem::path& from,
                         const PackageFile& package, const SegmentSigner& signer, os::Sync sync) {
  const std::string control = TRY(read_segment(from, package.control));
  const SegmentSignature signature = TRY(signer(control), "signing '{}'", from.string());
  const std::string head = TRY(pack_signature(signature, package.info.build_date));
  const os::Fd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!in || ::fstat(in.get(), &status) != 0) return os::system_error(errno, fmt::format("open '{}'", from.string()));
  os::AtomicFile out = TRY(os::AtomicFile::create(to, status.st_mode & 0777));
  TRY(out.write(head));
  std::string buffer(kPieceBytes, '\0');
  for (std::uint64_t at = package.control.offset;;) {
    const ssize_t got = ::pread(in.get(), buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os::system_error(errno, fmt::format("read '{}'", from.string()));
    if (got == 0) break;
    TRY(out.write(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
    at += static_cast<std::uint64_t>(got);
  }
  return out.commit(sync);
}

Result<std::string> sign_index(std::string_view bytes, std::string_view source, const SegmentSigner& signer) {
  const IndexFile index = TRY(read_index(bytes, source));
  const SegmentSignature signature = TRY(signer(index.signed_bytes), "signing the index '{}'", source);
  const std::string head = TRY(pack_signature(signature, 0));
  return head + index.signed_bytes;
}

}  // namespace nacre::apk
