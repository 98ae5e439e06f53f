#include "net/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <optional>
#include <string_view>

#include "net/ranges.h"
#include "net/rate_limit.h"
#include "net/url.h"
#include "os/fd.h"
#include "os/file.h"

namespace nacre::net {
namespace {

constexpr std::uint64_t kMaxBodyBytes = 64u << 10;   ///< Of requests; we answer none that carries one.
constexpr std::size_t kConnectionBytes = 32u << 10;  ///< For a request's line and headers: more is refused.
constexpr int kBacklog = 512;
constexpr const char* kTlsPriorities = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}

/// What is known of one request between libmicrohttpd's calls.
struct Exchange {
  std::string target;  ///< As sent: path and query, still encoded.
  ServerRequest request;
  std::uint64_t body_bytes = 0;  ///< Read and dropped.
  bool begun = false, answered = false;
  int status = 0;
  std::uint64_t bytes = 0;
  double started = now();
};

/// A file being served. Opened once: what was announced is what is sent, whatever is renamed.
struct OpenFile {
  os::Fd fd;
  std::uint64_t size = 0;
  std::string etag;
};

std::optional<OpenFile> open_file(const os::Path& path) {
  os::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return OpenFile{std::move(fd), static_cast<std::uint64_t>(status.st_size),
                  fmt::format("\"{:x}-{:x}-{:x}-{:x}\"", status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                              status.st_ino)};
}

/// Header values come from handlers, which may have built them from what a client sent.
bool can_be_sent(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= ' ' && c != '\x7f') || c == '\t' || c < 0; });
}

/// An answer ready to be queued.
struct Reply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::optional<OpenFile> file;
  ByteRange part;

  std::uint64_t bytes() const { return file ? part.size : body.size(); }
};

Reply text_reply(int status, std::string text) {
  return {
      .status = status, .headers = {{"Content-Type", "text/plain"}}, .body = std::move(text), .file = {}, .part = {}};
}

Reply file_reply(const ServerRequest& request, ServerResponse answer) {
  const auto asked = [&](const char* name) {
    const auto found = request.headers.find(name);
    return found == request.headers.end() ? std::string() : found->second;
  };
  auto opened = open_file(answer.file);
  if (!opened) return text_reply(404, "no such file\n");
  Reply out{
      .status = answer.status, .headers = std::move(answer.headers), .body = {}, .file = std::move(opened), .part = {}};
  const auto named =
      std::find_if(out.headers.begin(), out.headers.end(), [](const auto& row) { return lower(row.first) == "etag"; });
  const std::string etag = named == out.headers.end() ? out.file->etag : named->second;
  if (named == out.headers.end()) out.headers.emplace_back("ETag", etag);
  if (etag_matches(asked("if-none-match"), etag)) {
    out.status = 304;
    out.file.reset();
    return out;
  }
  out.headers.emplace_back("Accept-Ranges", "bytes");
  out.part = parse_range(asked("range"), out.file->size);
  if (!range_applies(asked("if-range"), etag)) out.part = {};
  if (out.part.kind == RangeKind::kUnsatisfiable) {
    out.headers.emplace_back("Content-Range", fmt::format("bytes */{}", out.file->size));
    out.headers.emplace_back("Content-Type", "text/plain");
    out.status = 416;
    out.file.reset();
    out.body = "the range is past the end\n";
    return out;
  }
  out.headers.emplace_back("Content-Type", answer.content_type);
  if (out.part.kind == RangeKind::kWhole) {
    out.part = {RangeKind::kWhole, 0, out.file->size};
    return out;
  }
  out.status = 206;
  out.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", out.part.offset,
                                                        out.part.offset + out.part.size - 1, out.file->size));
  return out;
}

Reply reply_to(const ServerRequest& request, ServerResponse answer) {
  if (!answer.file.empty()) return file_reply(request, std::move(answer));
  Reply out{.status = answer.status,
            .headers = std::move(answer.headers),
            .body = std::move(answer.body),
            .file = {},
            .part = {}};
  out.headers.emplace_back("Content-Type", answer.content_type);
  return out;
}

struct ResponseDestroyer {
  void operator()(MHD_Response* response) const { MHD_destroy_response(response); }
};
using ResponsePtr = std::unique_ptr<MHD_Response, ResponseDestroyer>;

ResponsePtr response_of(Reply& reply) {
  if (reply.file && reply.part.size > 0)
    return ResponsePtr(
        MHD_create_response_from_fd_at_offset64(reply.part.size, reply.file->fd.release(), reply.part.offset));
  return ResponsePtr(MHD_create_response_from_buffer(reply.body.size(), reply.body.data(), MHD_RESPMEM_MUST_COPY));
}

MHD_Result queue(MHD_Connection* connection, Exchange& exchange, Reply reply) {
  exchange.answered = true;
  exchange.status = reply.status;
  exchange.bytes = exchange.request.method == "HEAD" ? 0 : reply.bytes();
  const ResponsePtr response = response_of(reply);
  if (!response) return MHD_NO;
  for (const auto& [name, value] : reply.headers)
    if (can_be_sent(name) && can_be_sent(value)) MHD_add_response_header(response.get(), name.c_str(), value.c_str());
  return MHD_queue_response(connection, static_cast<unsigned>(reply.status), response.get());
}

std::string remote_of(MHD_Connection* connection) {
  const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (info == nullptr || info->client_addr == nullptr) return {};
  char text[INET6_ADDRSTRLEN] = "";
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(info->client_addr);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(info->client_addr);
  if (info->client_addr->sa_family == AF_INET6) ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
  else ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
  return text;
}

MHD_Result keep_header(void* into, MHD_ValueKind, const char* name, const char* value) {
  (*static_cast<std::map<std::string, std::string>*>(into))[lower(name)] = value == nullptr ? "" : value;
  return MHD_YES;
}

void split_target(std::string_view target, ServerRequest& out) {
  target = target.substr(0, target.find('#'));
  const std::size_t mark = target.find('?');
  out.path = url_decode(target.substr(0, mark));
  if (mark == target.npos) return;
  out.query = target.substr(mark + 1);
  std::string_view rest = out.query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const std::size_t equal = pair.find('=');
    if (!pair.empty())
      out.params[url_decode(pair.substr(0, equal))] = equal == pair.npos ? "" : url_decode(pair.substr(equal + 1));
  }
}

void read_request(MHD_Connection* connection, const char* method, Exchange& exchange) {
  exchange.request.method = method;
  exchange.request.remote = remote_of(connection);
  split_target(exchange.target, exchange.request);
  MHD_get_connection_values(connection, MHD_HEADER_KIND, keep_header, &exchange.request.headers);
}

/// Numeric address and port as the socket calls want them.
struct SocketName {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

std::optional<SocketName> socket_name(const std::string& address, int port) {
  SocketName out;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    out.size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    out.size = sizeof *v6;
  } else {
    return std::nullopt;
  }
  return out;
}

Result<os::Fd> listen_on(const std::string& address, int port) {
  const auto name = socket_name(address, port);
  if (!name)
    return Error::make(ErrorKind::kInvalid, "cannot listen on '{}': expected a numeric address", address)
        .hint("127.0.0.1 for this machine alone, 0.0.0.0 or :: for all");
  os::Fd fd(::socket(name->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  // Not SO_REUSEPORT: it would share the port with whoever else listens on it.
  if (fd) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name->storage), name->size) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    const int error = errno;
    Error out = Error::make(ErrorKind::kConflict, "cannot listen on {}:{}", address, port);
    if (error != EADDRINUSE)
      out = Error::make(ErrorKind::kDenied, "cannot listen on {}:{}: {}", address, port, ::strerror(error));
    return std::move(out).hint(error == EADDRINUSE ? "another program may use the port; 0 takes any free one"
                                                   : "an address of this machine, and a port that you may use");
  }
  return fd;
}

int port_of(const os::Fd& fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size);
  // Both families have the port at the same place.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&name)->sin_port);
}

}  // namespace

struct Server::State {
  Handler handler;
  Options options;
  std::optional<RateLimit> limit;
  MHD_Daemon* daemon = nullptr;
  int port = 0;
  std::atomic<bool> stopping = false, ended = false;

  ~State() { stop(); }

  Result<> start();
  void stop();
  MHD_Result answer(MHD_Connection* connection, Exchange& exchange, const char* upload, std::size_t& upload_bytes);
  Reply reply(const ServerRequest& request);
};

Reply Server::State::reply(const ServerRequest& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    Reply out = text_reply(405, "only GET and HEAD are answered here\n");
    out.headers.emplace_back("Allow", "GET, HEAD");
    out.headers.emplace_back("Connection", "close");
    return out;
  }
  if (const double wait = limit ? limit->take(client_of(request.remote), now()) : 0; wait > 0) {
    Reply out = text_reply(429, "too many requests from your address\n");
    out.headers.emplace_back("Retry-After", fmt::format("{}", std::max(1.0, std::ceil(wait))));
    return out;
  }
  return reply_to(request, handler(request));
}

MHD_Result Server::State::answer(MHD_Connection* connection, Exchange& exchange, const char* upload,
                                 std::size_t& upload_bytes) {
  if (!exchange.begun) {
    exchange.begun = true;
    return MHD_YES;  // a body follows, or the next call says that there is none
  }
  if (upload != nullptr && upload_bytes > 0) {
    exchange.body_bytes += upload_bytes;
    upload_bytes = 0;
    return exchange.body_bytes > kMaxBodyBytes ? MHD_NO : MHD_YES;
  }
  return exchange.answered ? MHD_NO : queue(connection, exchange, reply(exchange.request));
}

Result<> Server::State::start() {
  os::Fd listener = TRY(listen_on(options.address, options.port));
  port = port_of(listener);
  if (options.requests_per_second > 0) limit.emplace(options.requests_per_second, options.burst);
  const bool tls = !options.tls_certificate.empty() || !options.tls_key.empty();
  std::vector<MHD_OptionItem> items = {
      {MHD_OPTION_LISTEN_SOCKET, listener.get(), nullptr},
      {MHD_OPTION_THREAD_POOL_SIZE, static_cast<intptr_t>(options.threads > 1 ? options.threads : 0), nullptr},
      {MHD_OPTION_CONNECTION_LIMIT, static_cast<intptr_t>(std::max(options.max_connections, options.threads)), nullptr},
      {MHD_OPTION_PER_IP_CONNECTION_LIMIT, static_cast<intptr_t>(options.max_per_client), nullptr},
      {MHD_OPTION_CONNECTION_TIMEOUT, static_cast<intptr_t>(options.idle_seconds), nullptr},
      {MHD_OPTION_STRICT_FOR_CLIENT, 1, nullptr},
      {MHD_OPTION_CONNECTION_MEMORY_LIMIT, static_cast<intptr_t>(kConnectionBytes), nullptr}};
  if (tls) {
    items.push_back({MHD_OPTION_HTTPS_MEM_CERT, 0, options.tls_certificate.data()});
    items.push_back({MHD_OPTION_HTTPS_MEM_KEY, 0, options.tls_key.data()});
    items.push_back({MHD_OPTION_HTTPS_PRIORITIES, 0, const_cast<char*>(kTlsPriorities)});
  }
  items.push_back({MHD_OPTION_END, 0, nullptr});
  const auto begin = [](void*, const char* target, MHD_Connection*) -> void* {
    return new Exchange{.target = target, .request = {}};
  };
  const auto handle = [](void* self, MHD_Connection* connection, const char*, const char* method, const char*,
                         const char* upload, std::size_t* upload_bytes, void** kept) -> MHD_Result {
    auto& exchange = *static_cast<Exchange*>(*kept);
    if (!exchange.begun) read_request(connection, method, exchange);
    return static_cast<State*>(self)->answer(connection, exchange, upload, *upload_bytes);
  };
  const auto done = [](void* self, MHD_Connection*, void** kept, MHD_RequestTerminationCode code) {
    const std::unique_ptr<Exchange> exchange(static_cast<Exchange*>(*kept));
    *kept = nullptr;
    const auto& state = *static_cast<State*>(self);
    if (!exchange || !exchange->answered || !state.options.on_access) return;
    state.options.on_access({exchange->request, exchange->status, exchange->bytes, now() - exchange->started,
                             code == MHD_REQUEST_TERMINATED_COMPLETED_OK});
  };
  const unsigned flags =
      tls ? unsigned{MHD_USE_EPOLL_INTERNAL_THREAD} | MHD_USE_TLS : unsigned{MHD_USE_EPOLL_INTERNAL_THREAD};
  daemon = MHD_start_daemon(
      flags, 0, nullptr, nullptr, static_cast<MHD_AccessHandlerCallback>(handle), this, MHD_OPTION_URI_LOG_CALLBACK,
      static_cast<void* (*)(void*, const char*, MHD_Connection*)>(begin), nullptr, MHD_OPTION_NOTIFY_COMPLETED,
      static_cast<MHD_RequestCompletedCallback>(done), this, MHD_OPTION_ARRAY, items.data(), MHD_OPTION_END);
  if (daemon == nullptr)
    return tls ? Error::make(ErrorKind::kInvalid, "the server does not start with this certificate and key")
                     .hint("PEM both, the key belonging to the first certificate of the chain")
               : Error::make(ErrorKind::kUnavailable, "the server on {}:{} does not start", options.address, port);
  listener.release();  // libmicrohttpd's from now on
  return {};
}

void Server::State::stop() {
  if (stopping.exchange(true)) return;
  if (daemon != nullptr) MHD_stop_daemon(daemon);
  ended = true;
  ended.notify_all();
}

Result<Server> Server::start(Handler handler, Options options) {
  auto state = std::make_unique<State>();
  state->handler = std::move(handler);
  state->options = std::move(options);
  TRY(state->start());
  return Server(std::move(state));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::Server(Server&&) noexcept = default;
Server::~Server() = default;

int Server::port() const { return state_->port; }
void Server::wait() { state_->ended.wait(false); }
void Server::stop() { state_->stop(); }

}  // namespace nacre::net
