#include "net/grpc.h"

#include "base/text.h"
#include "net/curl_handles.h"
#include "os/file.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace nacre::net {
namespace {

using Time = std::chrono::steady_clock;

constexpr std::size_t kMaxHeaderBytes = 64u << 10, kMaxMessage = 2000, kMaxIdle = 8;
constexpr long kConnectSeconds = 20, kKeepAliveIdle = 30, kKeepAliveInterval = 10, kUploadBuffer = 512L << 10;

/// One call under way: what the callbacks read and write.
struct Transfer {
  const GrpcCall& call;
  GrpcFrames frames;
  std::string out{};      ///< Framed, not yet taken by curl.
  std::size_t taken = 0;  ///< Of `out`.
  bool sent_all = false;
  std::size_t header_bytes = 0;
  std::optional<GrpcCode> code{};  ///< grpc-status
  std::string message{};           ///< grpc-message
  std::string content_type{};
  std::optional<Error> error{};  ///< Set by a callback that made curl give up.
  Time::time_point last_move = Time::now();
};

/// "%0A" and so on undone.
std::string readable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() < kMaxMessage; ++i) {
    unsigned value = static_cast<unsigned char>(text[i]);
    if (text[i] == '%' && i + 2 < text.size()) {
      unsigned hex = 0;
      const auto [end, status] = std::from_chars(text.data() + i + 1, text.data() + i + 3, hex, 16);
      if (status == std::errc{} && end == text.data() + i + 3) value = hex, i += 2;
    }
    out += static_cast<char>(value);
  }
  return printable(out, kMaxMessage);
}

/// Head and trailers alike.
std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(bytes, size * count);
  transfer.last_move = Time::now();
  transfer.header_bytes += line.size();
  if (transfer.header_bytes > kMaxHeaderBytes) {
    transfer.error = Error::make(ErrorKind::kInvalid, "the headers are longer than {} bytes", kMaxHeaderBytes);
    return 0;
  }
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return line.size();
  const std::string_view name = line.substr(0, colon), value = trim(line.substr(colon + 1));
  if (name == "content-type") transfer.content_type = value;
  if (name == "grpc-message") transfer.message = readable(value);
  if (name == "grpc-status") {
    std::uint64_t code = 0;
    const auto [end, status] = std::from_chars(value.data(), value.data() + value.size(), code);
    const bool is_number = status == std::errc{} && end == value.data() + value.size();
    transfer.code = is_number ? grpc_code(code) : GrpcCode::kUnknown;
  }
  return line.size();
}

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  transfer.last_move = Time::now();
  if (!transfer.content_type.starts_with("application/grpc"))
    return size * count;  // a web page; its status says enough
  auto pushed = transfer.frames.push({bytes, size * count});
  if (pushed) return size * count;
  transfer.error = std::move(pushed).error();
  return 0;
}

std::size_t on_upload(char* to, std::size_t size, std::size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  transfer.last_move = Time::now();
  if (transfer.taken == transfer.out.size() && !transfer.sent_all) {
    auto next = transfer.call.next();
    if (!next) {
      transfer.error = std::move(next).error();
      return CURL_READFUNC_ABORT;
    }
    transfer.sent_all = !next->has_value();
    transfer.out = next->has_value() ? grpc_frame(**next) : std::string();
    transfer.taken = 0;
  }
  const std::size_t part = transfer.out.copy(to, size * count, transfer.taken);
  transfer.taken += part;
  return part;
}

/// What a status of HTTP means where gRPC's own lacks: the proxy's word, not the server's.
GrpcStatus status_of_http(long status) {
  GrpcStatus out{GrpcCode::kUnknown, fmt::format("HTTP status {}", status)};
  if (status == 401) out.code = GrpcCode::kUnauthenticated;
  if (status == 403) out.code = GrpcCode::kPermissionDenied;
  if (status == 404) out.code = GrpcCode::kUnimplemented;
  if (status == 429 || status == 502 || status == 503 || status == 504) out.code = GrpcCode::kUnavailable;
  return out;
}

class CurlChannel final : public GrpcChannel {
 public:
  CurlChannel(std::string base, GrpcPlace place, std::string user_agent)
      : base_(std::move(base)), place_(std::move(place)), user_agent_(std::move(user_agent)) {}

  Result<GrpcStatus> call(const GrpcCall& call, std::stop_token stop) override {
    std::unique_ptr<CurlSession> session = take();
    if (!session->multi || !session->easy) return Error::make(ErrorKind::kUnavailable, "out of memory");
    auto status = transfer_with(*session, call, stop);
    give_back(std::move(session));
    if (status) return status;
    return std::move(status).error().while_doing("calling {} of '{}'", call.method, place_.address);
  }

 private:
  std::unique_ptr<CurlSession> take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<CurlSession>();
    std::unique_ptr<CurlSession> out = std::move(idle_.back());
    idle_.pop_back();
    return out;
  }
  void give_back(std::unique_ptr<CurlSession> session) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::move(session));
  }

  Result<CurlList> headers() const {
    std::vector<std::string> lines = {"Expect:", "Accept:", "content-type: application/grpc", "te: trailers"};
    if (!place_.token_file.empty()) {
      const std::string token = TRY(os::read_file(place_.token_file, 64u << 10), "reading the token");
      const std::string_view word = trim(token);
      if (word.find_first_of(std::string_view("\r\n\0", 3)) != word.npos)
        return Error::make(ErrorKind::kInvalid, "'{}' holds more than one line", place_.token_file);
      lines.push_back("authorization: Bearer " + std::string(word));
    }
    CurlList list;
    for (const std::string& line : lines) {
      curl_slist* longer = curl_slist_append(list.get(), line.c_str());
      if (longer == nullptr) return Error::make(ErrorKind::kUnavailable, "out of memory");
      (void)list.release();
      list.reset(longer);
    }
    return list;
  }

  void set_options(CURL* easy, Transfer& transfer) const {
    const bool tls = base_.starts_with("https:");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent_.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, kKeepAliveIdle);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, kKeepAliveInterval);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     static_cast<long>(tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
    // libcurl 7.88 cannot use a connection of this kind twice ("Error in the HTTP2 framing layer").
    if (!tls) curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    if (!place_.ca_file.empty()) {
      curl_easy_setopt(easy, CURLOPT_CAINFO, place_.ca_file.c_str());
      curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    } else if (const char* bundle = std::getenv("SSL_CERT_FILE"); bundle != nullptr && *bundle != '\0') {
      curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
    }
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(transfer.call.body_bytes));
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "POST");
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
  }

  /// curl's verdict, or an Error when we ended it, or nothing after a silence.
  Result<std::optional<CURLcode>> drive(CurlSession& session, Transfer& transfer, std::stop_token stop) const {
    CURLM* multi = session.multi.get();
    curl_multi_add_handle(multi, session.easy.get());
    struct Detach {
      CurlSession& session;
      ~Detach() { curl_multi_remove_handle(session.multi.get(), session.easy.get()); }
    } const detach{session};
    const std::stop_callback on_stop(stop, [&] { curl_multi_wakeup(multi); });
    for (int running = 1; running > 0;) {
      if (stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
      if (curl_multi_perform(multi, &running) != CURLM_OK) return std::optional(CURLE_FAILED_INIT);
      if (running == 0) break;
      const double silent = std::chrono::duration<double>(Time::now() - transfer.last_move).count();
      if (silent > transfer.call.silence_seconds) return std::optional<CURLcode>();
      const double nap = std::clamp(transfer.call.silence_seconds - silent, 0.001, 1.0);
      if (curl_multi_poll(multi, nullptr, 0, static_cast<int>(nap * 1000) + 1, nullptr) != CURLM_OK)
        return std::optional(CURLE_FAILED_INIT);
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left))
      if (message->msg == CURLMSG_DONE) return std::optional(message->data.result);
    return std::optional(CURLE_FAILED_INIT);
  }

  Result<GrpcStatus> transfer_with(CurlSession& session, const GrpcCall& call, std::stop_token stop) const {
    CURL* easy = session.easy.get();
    Transfer transfer{.call = call, .frames = {call.max_message_bytes, call.max_bytes, call.on_message}};
    const auto lines = TRY(headers());
    const std::string url = base_ + "/" + call.method;
    char detail[CURL_ERROR_SIZE] = "";
    set_options(easy, transfer);
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines.get());
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
    auto code = drive(session, transfer, stop);
    long http = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &http);
    curl_easy_reset(easy);  // no option outlives what it points to
    if (transfer.error) return *std::move(transfer.error);
    const std::optional<CURLcode> verdict = TRY(std::move(code));
    if (transfer.code) {  // said, whatever became of the stream afterwards
      const GrpcStatus status{*transfer.code, transfer.message};
      if (status.ok()) TRY(transfer.frames.finish());
      return status;
    }
    if (!verdict)
      return GrpcStatus{GrpcCode::kUnavailable,
                        fmt::format("nothing came for {}", human_duration(call.silence_seconds))};
    if (*verdict != CURLE_OK)
      return GrpcStatus{GrpcCode::kUnavailable, *detail != '\0' ? detail : curl_easy_strerror(*verdict)};
    if (http != 200) return status_of_http(http);
    return GrpcStatus{GrpcCode::kUnavailable,
                      "the answer has no status: it was cut off, or the server does not speak gRPC"};
  }

  std::string base_;
  GrpcPlace place_;
  std::string user_agent_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<CurlSession>> idle_;
};

}  // namespace

Result<std::unique_ptr<GrpcChannel>> open_channel(const GrpcPlace& place, std::string user_agent) {
  const bool tls = place.address.starts_with("grpcs://");
  const std::string_view address = place.address;
  const std::string_view host = tls                              ? address.substr(8)
                                : address.starts_with("grpc://") ? address.substr(7)
                                                                 : std::string_view();
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
  if (host.empty() || host.find(':') == host.npos || host.find_first_not_of(kPlain) != host.npos)
    return Error::make(ErrorKind::kInvalid, "expected grpc://HOST:PORT or grpcs://HOST:PORT, got '{}'", place.address);
  std::unique_ptr<GrpcChannel> out =
      std::make_unique<CurlChannel>((tls ? "https://" : "http://") + std::string(host), place, std::move(user_agent));
  return out;
}

}  // namespace nacre::net
