#include "build/download.h"

#include "net/http.h"
#include "os/clock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace nacre::build {
namespace {

using os::Fd;
using os::Path;

constexpr int kAttempts = 4;

Result<Fd> open_for_append(const Path& file) {
  Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return os::system_error(errno, fmt::format("open '{}'", file.string()));
  return fd;
}

Result<> write_all(const Fd& fd, std::string_view bytes, const Path& file) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os::system_error(errno, fmt::format("write '{}'", file.string()));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<> append_file(const Path& from, const Path& to) {
  const Fd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in) return os::system_error(errno, fmt::format("open '{}'", from.string()));
  const Fd out = TRY(open_for_append(to));
  std::string buffer(1u << 16, '\0');
  for (;;) {
    const ssize_t count = ::read(in.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os::system_error(errno, fmt::format("read '{}'", from.string()));
    if (count == 0) return os::remove_tree(from);
    TRY(write_all(out, std::string_view(buffer.data(), static_cast<std::size_t>(count)), to));
  }
}

std::uint64_t size_of(const Path& file) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  return error ? 0 : size;
}

bool starts_at(const net::Response& response, std::uint64_t offset) {
  const std::string& range = response.header("content-range");  // "bytes 100-199/200"
  return range.empty() || range.starts_with(fmt::format("bytes {}-", offset));
}

/// One request. What comes goes beside `partial` first: only the status says whether it is the rest
/// or the whole.
Result<net::Response> ask(const std::string& url, const Path& partial, std::uint64_t offset,
                          std::uint64_t max_bytes, const Task& task, Env& env) {
  const Path next = partial.string() + ".next";
  TRY(os::remove_tree(next));
  const Fd out = TRY(open_for_append(next));
  net::Request request;
  request.url = url;
  request.max_bytes = max_bytes;
  if (offset > 0) request.headers.emplace_back("Range", fmt::format("bytes={}-", offset));
  request.sink = [&](std::string_view bytes) { return write_all(out, bytes, next); };
  request.on_progress = [&](std::uint64_t done, std::uint64_t total) {
    task.progress(offset + done, total > 0 ? offset + total : 0);
  };
  auto response = env.http.send(request, env.stop);
  const int status = response ? response->status : 0;
  if (status == 200) {
    TRY(os::rename(next, partial));
  } else if (response ? status == 206 && starts_at(*response, offset)
                      : response.error().kind() == ErrorKind::kUnavailable) {
    // A break in the middle: should these bytes be of something else, the digest will tell, and all
    // begins anew.
    TRY(append_file(next, partial));
  } else {
    TRY(os::remove_tree(next));
  }
  return response;
}

bool worth_another_try(const net::Response& response) {
  return response.status == 429 || response.status >= 500;
}

}  // namespace

Result<Got> download(const std::string& url, const Path& partial, std::uint64_t max_bytes,
                     const Task& task, Env& env) {
  bool resumed = false;
  double pause = 0.2;
  for (int attempt = 1;; ++attempt, pause *= 2) {
    const std::uint64_t offset = size_of(partial);
    auto response = ask(url, partial, offset, max_bytes, task, env);
    if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    resumed = resumed || offset > 0;
    if (response) {
      if (response->status == 206) {
        if (starts_at(*response, offset)) return Got::kResumed;
        TRY(os::remove_tree(partial));
      } else if (response->status == 200) {
        return Got::kWhole;
      } else if (response->status == 416) {
        // Nothing behind our bytes: they may be all. If not, the caller begins anew.
        return Got::kResumed;
      } else if (!worth_another_try(*response) || attempt == kAttempts) {
        TRY(net::expect_success(*response, url));
        return Error::make(ErrorKind::kInvalid, "unexpected answer {}", response->status);
      }
    } else if (response.error().kind() != ErrorKind::kUnavailable || attempt == kAttempts) {
      return std::move(response).error();
    }
    if (attempt == kAttempts) return Error::make(ErrorKind::kUnavailable, "no whole answer");
    env.clock.sleep(pause);
  }
}

}  // namespace nacre::build
