#include "net/server.h"

#include "net/ranges.h"
#include "os/file.h"

#include <fcntl.h>
#include <httplib.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <thread>

namespace nacre::net {
namespace {

constexpr std::size_t kMaxBodyBytes = 64u << 10;  ///< Of requests; we answer none that carries one.
constexpr std::size_t kPieceBytes = 256u << 10;
constexpr int kBacklog = 512;
constexpr time_t kKeepAliveSeconds = 2, kReadSeconds = 10, kWriteSeconds = 60;
/// A thread serves one connection at a time: after so many requests another gets its turn.
constexpr std::size_t kRequestsPerConnection = 200;

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}

ServerRequest request_of(const httplib::Request& from) {
  ServerRequest out{from.method, from.path, {}, {}, {}, from.remote_addr};
  if (const std::size_t mark = from.target.find('?'); mark != from.target.npos)
    out.query = from.target.substr(mark + 1, from.target.find('#', mark) - mark - 1);
  for (const auto& [name, value] : from.headers) {
    // httplib adds these four itself, and a client must not be able to play them.
    if (name == "REMOTE_ADDR" || name == "REMOTE_PORT" || name == "LOCAL_ADDR" ||
        name == "LOCAL_PORT")
      continue;
    out.headers[lower(name)] = value;
  }
  for (const auto& [name, value] : from.params) out.params[name] = value;
  return out;
}

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
                  fmt::format("\"{:x}-{:x}-{:x}-{:x}\"", status.st_size, status.st_mtim.tv_sec,
                              status.st_mtim.tv_nsec, status.st_ino)};
}

void send_text(httplib::Response& out, int status, const std::string& text) {
  out.status = status;
  out.set_content(text, "text/plain");
}

void send_part(std::shared_ptr<const OpenFile> file, const ByteRange& part,
               const std::string& content_type, httplib::Response& out) {
  const std::uint64_t start = part.offset;
  out.set_content_provider(
      static_cast<std::size_t>(part.size), content_type,
      [file, start](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
        std::string piece(std::min(length, kPieceBytes), '\0');
        const ssize_t got = ::pread(file->fd.get(), piece.data(), piece.size(),
                                    static_cast<off_t>(start + offset));
        if (got <= 0) return false;  // it became shorter: the connection ends early, and shows it
        return sink.write(piece.data(), static_cast<std::size_t>(got));
      });
}

void send_file(const ServerRequest& request, const ServerResponse& answer, httplib::Response& out) {
  const auto header = [&](const char* name) {
    const auto found = request.headers.find(name);
    return found == request.headers.end() ? std::string() : found->second;
  };
  auto opened = open_file(answer.file);
  if (!opened) return send_text(out, 404, "no such file\n");
  const auto file = std::make_shared<const OpenFile>(*std::move(opened));
  if (!out.has_header("ETag")) out.set_header("ETag", file->etag);
  const std::string etag = out.get_header_value("ETag");
  if (etag_matches(header("if-none-match"), etag)) {
    out.status = 304;
    return;
  }
  out.set_header("Accept-Ranges", "bytes");
  ByteRange part = parse_range(header("range"), file->size);
  if (!range_applies(header("if-range"), etag)) part = {};
  if (part.kind == RangeKind::kUnsatisfiable) {
    out.set_header("Content-Range", fmt::format("bytes */{}", file->size));
    return send_text(out, 416, "the range is past the end\n");
  }
  out.status = answer.status;
  if (part.kind == RangeKind::kWhole) {
    part = {RangeKind::kWhole, 0, file->size};
  } else {
    out.status = 206;
    out.set_header("Content-Range", fmt::format("bytes {}-{}/{}", part.offset,
                                                part.offset + part.size - 1, file->size));
  }
  if (part.size == 0) out.set_content("", answer.content_type);
  else send_part(file, part, answer.content_type, out);
}

/// Header values come from handlers, which may have built them from what a client sent.
bool can_be_sent(const std::string& text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos;
}

void send_answer(const ServerRequest& request, const ServerResponse& answer,
                 httplib::Response& out) {
  for (const auto& [name, value] : answer.headers)
    if (can_be_sent(name) && can_be_sent(value)) out.set_header(name, value);
  if (!answer.file.empty()) return send_file(request, answer, out);
  out.status = answer.status;
  out.set_content(answer.body, answer.content_type);
}

}  // namespace

struct Server::State {
  Handler handler;
  Options options;
  httplib::Server server;
  int port = 0;
  int listener = -1;  ///< httplib's; not ours to close.
  std::thread thread;
  std::atomic<bool> ended = false;

  void set_up();
};

void Server::State::set_up() {
  const int threads = std::max(options.threads, 1);
  server.new_task_queue = [threads] {
    return new httplib::ThreadPool(static_cast<std::size_t>(threads));
  };
  // Not httplib's own options: they share the port with whoever else listens on it.
  server.set_socket_options([this](int fd) {
    listener = fd;
    const int yes = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server.set_tcp_nodelay(true);
  server.set_payload_max_length(kMaxBodyBytes);
  server.set_keep_alive_timeout(kKeepAliveSeconds);
  server.set_keep_alive_max_count(kRequestsPerConnection);
  server.set_read_timeout(kReadSeconds);
  server.set_write_timeout(kWriteSeconds);
  // Before httplib's routes, which match paths with std::regex.
  server.set_pre_routing_handler([this](const httplib::Request& from, httplib::Response& out) {
    using Handled = httplib::Server::HandlerResponse;
    if (from.method != "GET" && from.method != "HEAD") return Handled::Unhandled;
    // httplib would cut ranges itself, also out of texts; its request object is not const.
    const_cast<httplib::Request&>(from).ranges.clear();
    const ServerRequest request = request_of(from);
    send_answer(request, handler(request), out);
    return Handled::Handled;
  });
  // Other methods reach this once their body was read and dropped.
  server.set_error_handler([](const httplib::Request& from, httplib::Response& out) {
    const bool reading = from.method == "GET" || from.method == "HEAD";
    if (reading || out.status != 404) return;
    out.set_header("Allow", "GET, HEAD");
    out.set_header("Connection", "close");  // the body was not read: its rest must not be taken for the next request
    send_text(out, 405, "only GET and HEAD are answered here\n");
  });
  if (options.on_access)
    server.set_logger([this](const httplib::Request& from, const httplib::Response& out) {
      options.on_access(request_of(from), out.status);
    });
}

Result<Server> Server::start(Handler handler, Options options) {
  auto state = std::make_unique<State>();
  state->handler = std::move(handler);
  state->options = std::move(options);
  state->set_up();
  const Options& wanted = state->options;
  errno = 0;
  const bool bound = wanted.port != 0 ? state->server.bind_to_port(wanted.address, wanted.port)
                                      : (state->port = state->server.bind_to_any_port(
                                             wanted.address)) > 0;
  if (!bound)
    return Error::make(ErrorKind::kConflict, "cannot listen on {}:{}", wanted.address, wanted.port)
        .hint("another program may use the port; 0 takes any free one");
  if (wanted.port != 0) state->port = wanted.port;
  // httplib queues 5 connections: a sixth client at once would wait a second for its next SYN.
  ::listen(state->listener, kBacklog);
  State* const shared = state.get();
  state->thread = std::thread([shared] {
    shared->server.listen_after_bind();
    shared->ended = true;
    shared->ended.notify_all();
  });
  // stop() has no effect before the loop runs.
  while (!shared->server.is_running() && !shared->ended) std::this_thread::yield();
  return Server(std::move(state));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::Server(Server&&) noexcept = default;

Server::~Server() {
  if (!state_) return;
  state_->server.stop();
  if (state_->thread.joinable()) state_->thread.join();
}

int Server::port() const { return state_->port; }
void Server::wait() { state_->ended.wait(false); }
void Server::stop() { state_->server.stop(); }

}  // namespace nacre::net
