#include "base/text.h"
#include "net/curl_handles.h"
#include "net/http.h"
#include "net/url.h"
#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <optional>

namespace nacre::net {
namespace {

using Time = std::chrono::steady_clock;

constexpr std::size_t kMaxHeaderBytes = 256u << 10;
constexpr std::size_t kMaxIdleSessions = 32;
/// curl's own limits are put out of the way: `timeout_seconds` is about silence and measured here.
constexpr long kConnectTimeoutMilliseconds = 24L * 3600 * 1000;

/// The bytes that go up: a text, or a part of a file.
struct Upload {
  std::string_view text;
  os::Fd file;
  std::uint64_t offset = 0, size = 0, done = 0;
};

/// One request under way: what the callbacks read and write.
struct Transfer {
  const Request& request;
  CURL* easy;
  Upload upload;
  Response response;
  std::optional<Error> error;  ///< Set by a callback that made curl give up.
  Time::time_point last_move = Time::now();
  std::uint64_t received = 0;
  std::size_t header_bytes = 0;
  std::uint64_t moved_bytes = 0;  ///< In both directions.

  void moved(std::uint64_t bytes) {
    last_move = Time::now();
    moved_bytes += bytes;
  }
};

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(bytes, size * count);
  transfer.moved(line.size());
  transfer.header_bytes += line.size();
  if (transfer.header_bytes > kMaxHeaderBytes) {
    transfer.error = Error::make(ErrorKind::kInvalid, "the headers are longer than {} bytes", kMaxHeaderBytes);
    return 0;
  }
  if (line.starts_with("HTTP/")) {  // the next answer: after a 1xx or a redirect
    transfer.response.headers.clear();
    return line.size();
  }
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return line.size();
  std::string name(line.substr(0, colon));
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  std::string& value = transfer.response.headers[name];
  // A list that may come in several headers, each with other ways to be let in.
  if (name == "www-authenticate" && !value.empty()) value += ", ";
  else value.clear();
  value += trim(line.substr(colon + 1));
  return line.size();
}

Result<> receive(Transfer& transfer, std::string_view bytes) {
  const Request& request = transfer.request;
  if (bytes.size() > request.max_bytes - transfer.received)
    return Error::make(ErrorKind::kInvalid, "the answer is longer than {} bytes", request.max_bytes);
  const bool first = transfer.received == 0;
  transfer.received += bytes.size();
  long status = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  if (request.sink && status / 100 == 2) {
    if (first && request.on_head) TRY(request.on_head(transfer.response));
    return request.sink(bytes);
  }
  transfer.response.body += bytes;
  return {};
}

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  auto taken = receive(transfer, {bytes, size * count});
  transfer.moved(size * count);
  if (taken) return size * count;
  transfer.error = std::move(taken).error();
  return 0;
}

std::size_t on_upload(char* out, std::size_t size, std::size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  Upload& upload = transfer.upload;
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size * count, upload.size - upload.done));
  transfer.moved(wanted);
  if (wanted == 0) return 0;
  if (!upload.file) {
    upload.text.copy(out, wanted, static_cast<std::size_t>(upload.done));
    upload.done += wanted;
    return wanted;
  }
  const ssize_t got = ::pread(upload.file.get(), out, wanted, static_cast<off_t>(upload.offset + upload.done));
  if (got <= 0) {
    const std::string name = transfer.request.body_file.string();
    transfer.error = got < 0 ? os::system_error(errno, fmt::format("read '{}'", name))
                             : Error::make(ErrorKind::kInvalid, "'{}' became shorter while it was sent", name);
    return CURL_READFUNC_ABORT;
  }
  upload.done += static_cast<std::uint64_t>(got);
  return static_cast<std::size_t>(got);
}

/// curl goes back to the start to send again: after a redirect, or when a kept connection died.
int on_seek(void* user, curl_off_t offset, int origin) {
  Upload& upload = static_cast<Transfer*>(user)->upload;
  if (origin != SEEK_SET || offset < 0 || static_cast<std::uint64_t>(offset) > upload.size) return CURL_SEEKFUNC_FAIL;
  upload.done = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int on_progress(void* user, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up) {
  const Transfer& transfer = *static_cast<const Transfer*>(user);
  if (!transfer.request.on_progress) return 0;
  const bool sending = up_total > 0 && down == 0;
  transfer.request.on_progress(static_cast<std::uint64_t>(sending ? up : down),
                               static_cast<std::uint64_t>(sending ? up_total : down_total));
  return 0;
}

Result<Upload> open_upload(const Request& request) {
  Upload upload;
  if (request.body_file.empty()) {
    upload.text = request.body;
    upload.size = request.body.size();
    return upload;
  }
  const std::string name = request.body_file.string();
  upload.file = os::Fd(::open(request.body_file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!upload.file || ::fstat(upload.file.get(), &status) != 0)
    return os::system_error(errno, fmt::format("open '{}'", name));
  const auto total = static_cast<std::uint64_t>(status.st_size);
  upload.offset = request.body_offset;
  if (request.body_offset > total || request.body_size > total - request.body_offset)
    return Error::make(ErrorKind::kInvalid, "'{}' has {} bytes; asked to send {} from {} on", name, total,
                       request.body_size, request.body_offset);
  upload.size = request.body_size != 0 ? request.body_size : total - request.body_offset;
  return upload;
}

Result<CurlList> make_headers(const Request& request) {
  CurlList list(curl_slist_append(nullptr, "Expect:"));  // do not wait for "100 Continue"
  for (const auto& [name, value] : request.headers) {
    const std::string_view bad("\r\n\0", 3);
    if (name.empty() || name.find_first_of(bad) != name.npos || name.find(':') != name.npos ||
        value.find_first_of(bad) != value.npos)
      return Error::make(ErrorKind::kInvalid, "the header '{}' cannot be sent", name);
    const std::string line = value.empty() ? name + ";" : name + ": " + value;
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) return Error::make(ErrorKind::kUnavailable, "out of memory");
    (void)list.release();
    list.reset(longer);
  }
  return list;
}

void set_method(CURL* easy, Transfer& transfer) {
  const std::string& method = transfer.request.method;
  if (method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  const bool carries = method == "POST" || method == "PUT" || method == "PATCH";
  if (carries || transfer.upload.size > 0) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(transfer.upload.size));
  }
  if (method != "GET" || transfer.upload.size > 0) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE,
                   static_cast<curl_off_t>(std::min<std::uint64_t>(transfer.request.max_bytes, INT64_MAX)));
}

void set_options(CURL* easy, Transfer& transfer, const std::string& user_agent) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, transfer.request.max_redirects > 0 ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, static_cast<long>(transfer.request.max_redirects));
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMilliseconds);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  if (const char* bundle = std::getenv("SSL_CERT_FILE"); bundle != nullptr && *bundle != '\0')
    curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
  curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
  curl_easy_setopt(easy, CURLOPT_SEEKDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  set_method(easy, transfer);
}

/// Takes the handle out of the multi handle again, whichever way the transfer ends.
struct Attached {
  CurlSession& session;
  explicit Attached(CurlSession& with) : session(with) {
    curl_multi_add_handle(session.multi.get(), session.easy.get());
  }
  ~Attached() { curl_multi_remove_handle(session.multi.get(), session.easy.get()); }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;
};

/// Drives the transfer to its end; curl's verdict, or an Error when we ended it.
Result<CURLcode> drive(CurlSession& session, Transfer& transfer, std::stop_token stop) {
  CURLM* multi = session.multi.get();
  const Attached attached(session);
  const std::stop_callback on_stop(stop, [&] { curl_multi_wakeup(multi); });
  const auto patience = std::chrono::milliseconds(static_cast<std::int64_t>(transfer.request.timeout_seconds * 1000));
  const Time::time_point begin = Time::now();
  Time::time_point window = begin;
  std::uint64_t window_bytes = 0;
  const double least = transfer.request.least_bytes_per_second * transfer.request.timeout_seconds;
  for (int running = 1; running > 0;) {
    if (stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (curl_multi_perform(multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    if (running == 0) break;
    const double whole = transfer.request.max_seconds;
    if (whole > 0 && std::chrono::duration<double>(Time::now() - begin).count() > whole)
      return Error::make(ErrorKind::kUnavailable, "the answer was not complete after {}", human_duration(whole));
    if (least > 0 && Time::now() - window >= patience) {
      if (const std::uint64_t came = transfer.moved_bytes - window_bytes; static_cast<double>(came) < least)
        return Error::make(ErrorKind::kUnavailable, "the server is too slow: {} bytes in {}", came,
                           human_duration(transfer.request.timeout_seconds));
      window = Time::now();
      window_bytes = transfer.moved_bytes;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(transfer.last_move + patience - Time::now());
    if (left.count() <= 0)
      return Error::make(ErrorKind::kUnavailable, "nothing came for {}",
                         human_duration(transfer.request.timeout_seconds));
    const auto nap = static_cast<int>(std::min<std::int64_t>(left.count(), 1000));
    if (curl_multi_poll(multi, nullptr, 0, nap, nullptr) != CURLM_OK) return CURLE_FAILED_INIT;
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left))
    if (message->msg == CURLMSG_DONE) return message->data.result;
  return CURLE_FAILED_INIT;
}

Error error_of(CURLcode code, const char* detail, const Request& request) {
  const std::string text = *detail != '\0' ? detail : curl_easy_strerror(code);
  switch (code) {
    case CURLE_FILESIZE_EXCEEDED:
      return Error::make(ErrorKind::kInvalid, "the answer is longer than {} bytes", request.max_bytes);
    case CURLE_TOO_MANY_REDIRECTS:
      return Error::make(ErrorKind::kInvalid, "more than {} redirects", request.max_redirects);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT: return Error::make(ErrorKind::kInvalid, "{}", text);
    case CURLE_PEER_FAILED_VERIFICATION:
      return Error::make(ErrorKind::kUnavailable, "{}", text)
          .hint(
              "the certificate is not trusted: install ca-certificates, or name a bundle in "
              "SSL_CERT_FILE");
    default: return Error::make(ErrorKind::kUnavailable, "{}", text);
  }
}

Result<Response> transfer_with(CurlSession& session, const Request& request, const Url& url,
                               const std::string& user_agent, std::stop_token stop) {
  CURL* easy = session.easy.get();
  Transfer transfer{.request = request, .easy = easy};
  transfer.upload = TRY(open_upload(request));
  const CurlList headers = TRY(make_headers(request));
  char detail[CURL_ERROR_SIZE] = "";
  set_options(easy, transfer, user_agent);
  curl_easy_setopt(easy, CURLOPT_URL, url.str().c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
  Result<CURLcode> code = drive(session, transfer, stop);
  Response response = std::move(transfer.response);
  long status = 0;
  char* address = nullptr;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &address);
  response.status = static_cast<int>(status);
  const auto reached = parse_url(address == nullptr ? "" : address);
  response.final_url = reached ? reached->safe() : url.safe();
  curl_easy_reset(easy);  // no option outlives what it points to
  if (transfer.error) return *std::move(transfer.error);
  if (!code) return std::move(code).error();
  if (*code != CURLE_OK) return error_of(*code, detail, request);
  return response;
}

}  // namespace

struct CurlHttp::State {
  std::mutex mutex;
  std::vector<std::unique_ptr<CurlSession>> idle;
};

CurlHttp::CurlHttp(std::string user_agent) : user_agent_(std::move(user_agent)), state_(std::make_shared<State>()) {}

Result<Response> CurlHttp::send(const Request& request, std::stop_token stop) {
  const Url url = TRY(parse_url(request.url));
  if (url.scheme == "file")
    return Error::make(ErrorKind::kInvalid, "expected http:// or https://, got '{}'", url.safe());
  std::unique_ptr<CurlSession> session;
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->idle.empty()) {
      session = std::move(state_->idle.back());
      state_->idle.pop_back();
    }
  }
  if (!session) session = std::make_unique<CurlSession>();
  if (!session->multi || !session->easy) return Error::make(ErrorKind::kUnavailable, "out of memory");
  auto response = transfer_with(*session, request, url, user_agent_, stop);
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->idle.size() < kMaxIdleSessions) state_->idle.push_back(std::move(session));
  }
  if (response) return response;
  return std::move(response).error().while_doing("asking '{} {}'", request.method, url.safe());
}

}  // namespace nacre::net
