#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nacre::net {

/// GET or HEAD; the server itself answers others with 405. `path` is percent-decoded and may hold "..":
/// give it to TreePath::parse before it names a file. `query` is as sent.
struct ServerRequest {
  std::string method, path, query;
  std::map<std::string, std::string> headers;  ///< Lower-case names.
  std::map<std::string, std::string> params;   ///< Of the query.
  std::string remote;
};

/// What a handler answers. A file is streamed and answers one range (several: the whole file), If-Range and
/// If-None-Match by itself; its ETag is the handler's, or one of size, time and inode. No such file: 404.
struct ServerResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string content_type = "application/octet-stream";
  std::filesystem::path file;
};

using Handler = std::function<ServerResponse(const ServerRequest&)>;

/// An HTTP server over cpp-httplib with a fixed pool of threads. One handler answers every path.
class Server {
 public:
  struct Options {
    std::string address = "127.0.0.1";
    int port = 0;       ///< 0: any free one.
    int threads = 16;
    std::function<void(const ServerRequest&, int status)> on_access;
  };
  /// kConflict when the port is taken.
  static Result<Server> start(Handler handler, Options options);
  Server(Server&&) noexcept;
  ~Server();  ///< Stops and joins.
  int port() const;
  void wait();  ///< Until stop() from another thread.
  void stop();

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nacre::net
