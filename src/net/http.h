#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nacre::net {

struct Request {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::filesystem::path body_file;      ///< Sent instead of `body` when set; streamed.
  std::uint64_t body_offset = 0, body_size = 0;  ///< Part of body_file; size 0: to its end.
  std::uint64_t max_bytes = 64u << 20;  ///< Of the answer; more is kInvalid.
  double timeout_seconds = 60;          ///< Without any byte moving.
  double max_seconds = 0;               ///< For the whole answer; 0: as long as it moves.
  double least_bytes_per_second = 0;    ///< Over each timeout_seconds; slower is kUnavailable. 0: any rate.
  int max_redirects = 5;
  /// Called once before the first byte of a 2xx answer that has a sink: status and headers are known then.
  std::function<Result<>(const struct Response& head)> on_head;
  /// When set, the bytes of a 2xx answer go here instead of into Response::body.
  std::function<Result<>(std::string_view)> sink;
  std::function<void(std::uint64_t done, std::uint64_t total)> on_progress;
};

struct Response {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< Names in lower case; the last of several wins.
  std::string body;
  std::string final_url;
  bool pieced = false;  ///< Of download(): the file is put together from several answers.
  const std::string& header(const std::string& lower_name) const;
};

/// Sends requests. Any status is a Response; Errors are about not getting one:
/// kUnavailable (name, connection, TLS, timeout), kInvalid (too long, redirect loop, bad address).
class Http {
 public:
  virtual ~Http() = default;
  virtual Result<Response> send(const Request& request, std::stop_token stop = {}) = 0;
};

/// libcurl: HTTP/1.1 and 2, TLS, proxies and SSL_CERT_FILE from the environment, netrc off. Thread-safe;
/// keeps connections for the next request. Redirects lead only to http and https, and credentials do not
/// follow them to another host.
class CurlHttp final : public Http {
 public:
  explicit CurlHttp(std::string user_agent);
  Result<Response> send(const Request& request, std::stop_token stop = {}) override;

 private:
  struct State;
  std::string user_agent_;
  std::shared_ptr<State> state_;
};

/// Answers from a table of recorded exchanges; an unknown request is kUnavailable naming it. For tests.
class RecordedHttp final : public Http {
 public:
  void add(std::string method, std::string url, Response answer);
  Result<Response> send(const Request& request, std::stop_token stop = {}) override;
  const std::vector<Request>& sent() const { return sent_; }

 private:
  std::map<std::pair<std::string, std::string>, Response> table_;
  std::vector<Request> sent_;
};

/// NACRE_HTTP_TIMEOUT, else 60: for how many seconds a server may be silent or next to it.
Result<double> patience_from_environment();
/// What a server must send or take in that time, for bytes a second, not to count as silent.
constexpr double kLeastBytesPerSecond = 64;

/// send(), tried again (up to 4 times, 0.2 s doubling) on kUnavailable, 429, 502, 503 and 504. Waits longer, up
/// to 10 s, where Retry-After asks for it. Not tried again once the sink has got bytes.
Result<Response> send_with_retry(Http& http, const Request& request, std::stop_token stop = {});

/// How long download() goes on.
struct DownloadRules {
  int max_resumes = 5;                          ///< One after the other that bring (next to) nothing.
  std::function<bool(double seconds)> pause;    ///< Waits between them; false: give up. Empty: waits really.
};

/// Brings what is at `request.url` into `file`, a partial download: what it has already is not asked for again (Range),
/// here and in another process later. A connection that breaks is taken up where it stopped. The caller checks the
/// bytes, removes the file when they are wrong, and may begin anew when the answer says `pieced`: the parts may be of
/// different times. Sets on_head and sink of `request`; its on_progress hears of the whole file.
Result<Response> download(Http& http, Request request, const std::filesystem::path& file, std::stop_token stop = {},
                          const DownloadRules& rules = {});

/// Refuses every request (kNotFound), without a socket: what --offline puts in the place of the others.
class NoHttp final : public Http {
 public:
  Result<Response> send(const Request& request, std::stop_token stop = {}) override;
};

/// kNotFound for 404/410, kDenied for 401/403, kUnavailable for 429 and 5xx, kInvalid for other non-2xx; nothing for
/// 2xx.
Result<> expect_success(const Response& response, std::string_view url);

}  // namespace nacre::net
