#include "net/http.h"

#include "base/number.h"
#include "base/text.h"
#include "net/url.h"
#include "os/fd.h"
#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <mutex>

namespace nacre::net {
namespace {

constexpr int kMaxRetries = 4;
/// A server that breaks off after fewer bytes brings nothing worth another connection.
constexpr std::uint64_t kProgressBytes = 4u << 10;
constexpr double kFirstDelaySeconds = 0.2, kMaxDelaySeconds = 10;

bool worth_another_try(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

/// False when `stop` came first.
bool pause(double seconds, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  const auto time = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
  woken.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

/// Seconds of a Retry-After header, which is a number of them or a date.
double asked_delay(const Response& response) {
  const std::string& text = response.header("retry-after");
  if (const auto seconds = whole_number<unsigned>(text)) return *seconds;
  std::tm date{};
  const char* rest = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (rest == nullptr || *rest != '\0') return 0;
  return std::max(0.0, std::difftime(::timegm(&date), std::time(nullptr)));
}

std::string shown(std::string_view url) {
  const auto parsed = parse_url(url);
  return parsed ? parsed->safe() : std::string("an address that cannot be read");
}

/// What the server says in its own words, when that is one short line.
std::string said(const Response& response) {
  const std::string_view body = trim(response.body);
  const bool plain = std::all_of(body.begin(), body.end(), [](char c) {
    return c >= 0x20 && c < 0x7f;
  });
  if (body.empty() || !plain || body.size() > 300 || body.starts_with('<')) return "";
  return fmt::format(": {}", body);
}

/// Whether an answer of 206 goes on at `offset`, as "Content-Range: bytes FIRST-LAST/TOTAL" says.
bool continues_at(const Response& head, std::uint64_t offset) {
  return head.header("content-range").starts_with(fmt::format("bytes {}-", offset));
}

/// A partial download on disk.
class PartialFile {
 public:
  static Result<PartialFile> open(const std::filesystem::path& path) {
    os::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0)
      return os::system_error(errno, fmt::format("open '{}'", path.string()));
    return PartialFile(path, std::move(fd), static_cast<std::uint64_t>(status.st_size));
  }
  std::uint64_t size() const { return size_; }

  Result<> write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return os::system_error(errno, fmt::format("write '{}'", path_.string()));
      size_ += static_cast<std::uint64_t>(put);
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
  }
  Result<> clear() {
    size_ = 0;
    if (::ftruncate(fd_.get(), 0) == 0) return {};
    return os::system_error(errno, fmt::format("truncate '{}'", path_.string()));
  }

 private:
  PartialFile(std::filesystem::path path, os::Fd fd, std::uint64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}
  std::filesystem::path path_;
  os::Fd fd_;
  std::uint64_t size_;
};

}  // namespace

const std::string& Response::header(const std::string& lower_name) const {
  static const std::string kNone;
  const auto found = headers.find(lower_name);
  return found == headers.end() ? kNone : found->second;
}

void RecordedHttp::add(std::string method, std::string url, Response answer) {
  table_[{std::move(method), std::move(url)}] = std::move(answer);
}

Result<Response> RecordedHttp::send(const Request& request, std::stop_token stop) {
  if (stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
  sent_.push_back(request);
  const auto found = table_.find({request.method, request.url});
  if (found == table_.end())
    return Error::make(ErrorKind::kUnavailable, "no answer was recorded for '{} {}'",
                       request.method, request.url);
  Response answer = found->second;
  if (answer.final_url.empty()) answer.final_url = request.url;
  if (answer.body.size() > request.max_bytes)
    return Error::make(ErrorKind::kInvalid, "the answer of '{}' is longer than {} bytes",
                       shown(request.url), request.max_bytes);
  if (request.on_progress) request.on_progress(answer.body.size(), answer.body.size());
  if (request.sink && answer.status / 100 == 2) {
    if (request.on_head) TRY(request.on_head(answer));
    TRY(request.sink(answer.body));
    answer.body.clear();
  }
  return answer;
}

Result<double> patience_from_environment() {
  const char* text = std::getenv("NACRE_HTTP_TIMEOUT");
  if (text == nullptr || *text == '\0') return Request{}.timeout_seconds;
  const auto seconds = whole_number<unsigned>(text);
  if (!seconds || *seconds == 0 || *seconds > 86400)
    return Error::make(ErrorKind::kInvalid, "NACRE_HTTP_TIMEOUT is '{}', expected seconds", text);
  return static_cast<double>(*seconds);
}

Result<Response> send_with_retry(Http& http, const Request& request, std::stop_token stop) {
  Request watched = request;
  bool delivered = false;
  if (request.sink)
    watched.sink = [&](std::string_view bytes) {
      delivered = delivered || !bytes.empty();
      return request.sink(bytes);
    };
  double delay = kFirstDelaySeconds;
  for (int retries = 0;; ++retries, delay *= 2) {
    Result<Response> answer = http.send(watched, stop);
    const bool passing = answer ? worth_another_try(answer->status)
                                : answer.error().kind() == ErrorKind::kUnavailable;
    const bool again = passing && !delivered && retries < kMaxRetries && !stop.stop_requested();
    if (!again) return answer;
    const double asked = answer ? asked_delay(*answer) : 0;
    if (!pause(std::clamp(asked, delay, kMaxDelaySeconds), stop))
      return Error::make(ErrorKind::kUnavailable, "interrupted");
  }
}

Result<Response> download(Http& http, Request request, const std::filesystem::path& file, std::stop_token stop,
                          const DownloadRules& rules) {
  PartialFile partial = TRY(PartialFile::open(file));
  const std::vector<std::pair<std::string, std::string>> headers = request.headers;
  const std::uint64_t max_bytes = request.max_bytes;
  const auto on_progress = request.on_progress;
  std::string etag;  // of what the file holds, when this call brought it
  bool pieced = false;
  double delay = kFirstDelaySeconds;
  for (int idle = 0;; ++idle, delay *= 2) {
    if (partial.size() > max_bytes) TRY(partial.clear());
    const std::uint64_t before = partial.size();
    request.headers = headers;
    request.max_bytes = max_bytes;
    if (before > 0) {
      request.headers.emplace_back("Range", fmt::format("bytes={}-", before));
      if (!etag.empty()) request.headers.emplace_back("If-Range", etag);
    }
    bool began = false;
    std::uint64_t from = 0;
    request.on_head = [&](const Response& head) -> Result<> {
      began = true;
      pieced = head.status == 206 && before > 0 && continues_at(head, before);
      if (!pieced) TRY(partial.clear());
      from = partial.size();
      etag = head.header("etag");
      if (etag.starts_with("W/")) etag.clear();  // If-Range takes strong ones only
      if (head.status == 206 && !pieced && !continues_at(head, 0))
        return Error::make(ErrorKind::kInvalid, "the answer is another part than the one asked for ({})",
                           head.header("content-range"));
      return {};
    };
    request.sink = [&](std::string_view bytes) -> Result<> {
      if (bytes.size() > max_bytes || partial.size() > max_bytes - bytes.size())
        return Error::make(ErrorKind::kInvalid, "the answer is longer than {} bytes", max_bytes);
      return partial.write(bytes);
    };
    if (on_progress)
      request.on_progress = [&](std::uint64_t done, std::uint64_t total) {
        on_progress(from + done, total > 0 ? from + total : 0);
      };
    Result<Response> answer = http.send(request, stop);
    if (answer && answer->status == 416) {  // nothing is left to send, or the file is of another time
      const std::string& range = answer->header("content-range");
      if (before > 0 && (range.empty() || range == fmt::format("bytes */{}", before))) {
        answer->status = 206;
        answer->pieced = true;
        return answer;
      }
      TRY(partial.clear());
    } else if (answer && answer->status / 100 == 2) {
      if (!began && answer->status != 206) TRY(partial.clear());  // an empty body
      answer->pieced = pieced;
      return answer;
    } else {
      const bool passing = answer ? worth_another_try(answer->status)
                                  : answer.error().kind() == ErrorKind::kUnavailable;
      if (!passing) return answer;
    }
    if (partial.size() >= before + kProgressBytes) {
      idle = 0;
      delay = kFirstDelaySeconds;
    }
    if (idle >= rules.max_resumes || stop.stop_requested()) return answer;
    const double wanted = std::clamp(answer ? asked_delay(*answer) : 0, delay, kMaxDelaySeconds);
    if (rules.pause ? !rules.pause(wanted) : !pause(wanted, stop))
      return Error::make(ErrorKind::kUnavailable, "interrupted");
  }
}

Result<Response> NoHttp::send(const Request& request, std::stop_token) {
  return Error::make(ErrorKind::kNotFound, "'{}' is not in the store, and this call is offline", shown(request.url))
      .hint("run it once without --offline");
}

Result<> expect_success(const Response& response, std::string_view url) {
  const int status = response.status;
  if (status / 100 == 2) return {};
  const std::string address = shown(url), reason = said(response);
  if (status == 404 || status == 410)
    return Error::make(ErrorKind::kNotFound, "nothing is at '{}' (status {}){}", address, status,
                       reason);
  if (status == 401 || status == 403)
    return Error::make(ErrorKind::kDenied, "access to '{}' was refused (status {}){}", address,
                       status, reason);
  const bool later = status == 429 || status / 100 == 5;
  return Error::make(later ? ErrorKind::kUnavailable : ErrorKind::kInvalid,
                     "expected success from '{}', got status {}{}", address, status, reason);
}

}  // namespace nacre::net
