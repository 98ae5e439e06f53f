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
  const std::string control = TRY(read_segment(path, package.control));
  const SegmentSignature signature = TRY(signer(control), "signing '{}'", path.string());
  const std::string head = TRY(pack_signature(signature, package.info.build_date));
  const os::Fd in(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!in || ::fstat(in.get(), &status) != 0) return os::system_error(errno, fmt::format("open '{}'", path.string()));
  os::AtomicFile out = TRY(os::AtomicFile::create(path, status.st_mode & 0777));
  TRY(out.write(head));
  std::string buffer(kPieceBytes, '\0');
  for (std::uint64_t at = package.control.offset;;) {
    const ssize_t got = ::pread(in.get(), buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os::system_error(errno, fmt::format("read '{}'", path.string()));
    if (got == 0) break;
    TRY(out.write(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
    at += static_cast<std::uint64_t>(got);
  }
  return out.commit();
}

Result<std::string> sign_index(std::string_view bytes, std::string_view source, const SegmentSigner& signer) {
  const IndexFile index = TRY(read_index(bytes, source));
  const SegmentSignature signature = TRY(signer(index.signed_bytes), "signing the index '{}'", source);
  const std::string head = TRY(pack_signature(signature, 0));
  return head + index.signed_bytes;
}

}  // namespace nacre::apk
