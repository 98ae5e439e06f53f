#include "net/http.h"

#include "base/text.h"
#include "net/url.h"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>

namespace nacre::net {
namespace {

constexpr int kMaxRetries = 4;
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

/// Seconds of a Retry-After header; its other form, a date, is taken as none.
double asked_delay(const Response& response) {
  const std::string& text = response.header("retry-after");
  unsigned seconds = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  return status == std::errc{} && end == text.data() + text.size() ? seconds : 0;
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
    TRY(request.sink(answer.body));
    answer.body.clear();
  }
  return answer;
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
