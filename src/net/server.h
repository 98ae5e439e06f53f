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
  std::map<std::string, std::string> headers;  ///< Lower-case names; of several with one name, the last.
  std::map<std::string, std::string> params;   ///< Of the query.
  std::string remote;                          ///< The client's numeric address, without its port.
};

/// What a handler answers. A file goes out by sendfile (through TLS: copied) and answers one range (several: the whole
/// file), If-Range and If-None-Match by itself; its ETag is the handler's, or one of size, time and inode. No such
/// file: 404.
struct ServerResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string content_type = "application/octet-stream";
  std::filesystem::path file;
};

/// Called in several threads at once; it must not wait long, since other connections share its thread.
using Handler = std::function<ServerResponse(const ServerRequest&)>;

/// One answered request.
struct Access {
  const ServerRequest& request;
  int status = 0;              ///< As sent.
  std::uint64_t bytes = 0;     ///< Of the body, as announced; 0 for HEAD.
  double seconds = 0;          ///< From the request's first line to the last byte of the answer.
  bool complete = false;       ///< Whether the answer went out whole.
};

/// An HTTP/1.1 server over GNU libmicrohttpd: a few threads, each waiting on many connections, so that a slow client
/// holds none of them. One handler answers every path.
class Server {
 public:
  struct Options {
    std::string address = "127.0.0.1";   ///< Numeric, IPv4 or IPv6.
    int port = 0;                        ///< 0: any free one.
    unsigned threads = 4;
    unsigned max_connections = 4096;     ///< In all; one more waits to be accepted.
    unsigned max_per_client = 0;         ///< Connections of one address; more are closed. 0: no limit.
    unsigned idle_seconds = 30;          ///< Without a byte in either direction: the connection is closed.
    double requests_per_second = 0;      ///< Of one address, in the long run; more are told 429. 0: no limit.
    unsigned burst = 100;                ///< Requests that an address may make at once before that.
    std::string tls_certificate, tls_key;  ///< PEM texts (chain, private key); both empty: no TLS.
    std::function<void(const Access&)> on_access;  ///< From several threads at once.
  };
  /// kConflict when the port is taken; kInvalid for an address that is none and for a certificate that does not fit
  /// its key.
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
