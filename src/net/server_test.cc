#include "net/server.h"

#include <atomic>
#include <mutex>

#include "net/http.h"
#include "net/test_peers.h"
#include "os/file.h"

namespace nacre::net {
namespace {

/// A server of one file, "/file", and of the requests that it got, as text.
class FileServer : public testing::Test {
 protected:
  FileServer() {
    EXPECT_TRUE(os::write_file(dir_.path() / "file", content_));
    server_.emplace(serve([this](const ServerRequest& request) {
      ServerResponse answer;
      if (request.path == "/file") answer.file = dir_.path() / "file";
      else if (request.path == "/folder") answer.file = dir_.path();
      else if (request.path == "/tag") answer = {.headers = {{"ETag", R"("mine")"}}, .file = dir_.path() / "file"};
      else if (request.path == "/empty") answer.file = dir_.path() / "empty";
      else if (request.path == "/split") answer.headers = {{"X-A", "1\r\nX-B: 2"}};
      else answer.body = describe(request);
      return answer;
    }));
    EXPECT_TRUE(os::write_file(dir_.path() / "empty", ""));
  }

  static std::string describe(const ServerRequest& request) {
    std::string out = fmt::format("{} {} ? {}", request.method, request.path, request.query);
    for (const auto& [name, value] : request.params) out += fmt::format(" {}={}", name, value);
    return out + " from " + request.remote;
  }

  Response get(std::string path, std::vector<std::pair<std::string, std::string>> headers = {},
               std::string method = "GET") {
    auto answer =
        http_.send({.method = std::move(method), .url = address(*server_, path), .headers = std::move(headers)});
    EXPECT_TRUE(answer) << answer.error().render();
    return answer ? *std::move(answer) : Response{};
  }

  os::TempDir dir_ = scratch();
  std::string content_ = std::string(300'000, 'a') + std::string(400'000, 'b') + "end";
  std::optional<Server> server_;
  CurlHttp http_{"test"};
};

TEST_F(FileServer, StreamsAFile) {
  const Response answer = get("/file");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, content_);
  EXPECT_EQ(answer.header("content-type"), "application/octet-stream");
  EXPECT_EQ(answer.header("accept-ranges"), "bytes");
}

TEST_F(FileServer, AnswersHeadWithTheLengthAlone) {
  const Response answer = get("/file", {}, "HEAD");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("content-length"), std::to_string(content_.size()));
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(get("/x", {}, "HEAD").header("content-length"),
            std::to_string(describe({"HEAD", "/x", "", {}, {}, "127.0.0.1"}).size()));
}

TEST_F(FileServer, AnswersRanges) {
  Response answer = get("/file", {{"Range", "bytes=299999-300000"}});
  EXPECT_EQ(answer.status, 206);
  EXPECT_EQ(answer.body, "ab");
  EXPECT_EQ(answer.header("content-range"), "bytes 299999-300000/700003");
  EXPECT_EQ(answer.header("content-length"), "2");
  answer = get("/file", {{"Range", "bytes=-3"}});
  EXPECT_EQ(answer.body, "end");
  answer = get("/file", {{"Range", "bytes=100-"}});
  EXPECT_EQ(answer.body, content_.substr(100));
  answer = get("/file", {{"Range", "bytes=700003-"}});
  EXPECT_EQ(answer.status, 416);
  EXPECT_EQ(answer.header("content-range"), "bytes */700003");
  answer = get("/file", {{"Range", "bytes=0-1,5-6"}});
  EXPECT_EQ(answer.status, 200) << "several ranges: the whole";
  EXPECT_EQ(answer.body.size(), content_.size());
  EXPECT_EQ(get("/file", {{"Range", "bytes=0-1"}, {"If-Range", R"("other")"}}).status, 200);
  EXPECT_EQ(get("/tag", {{"Range", "bytes=0-1"}, {"If-Range", R"("mine")"}}).status, 206);
}

TEST_F(FileServer, AnswersTextsWholeWhateverTheRange) {
  const Response answer = get("/x", {{"Range", "bytes=0-1"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "GET /x ?  from 127.0.0.1");
}

TEST_F(FileServer, SurvivesEndlessRanges) {
  std::string ranges = "bytes=0-1";
  while (ranges.size() < 7000) ranges += ",1-1";
  const Response answer = get("/file", {{"Range", ranges}});
  EXPECT_TRUE(answer.status == 200 || answer.status == 416) << answer.status;
  EXPECT_EQ(get("/file").status, 200);
}

TEST_F(FileServer, AnswersConditionalRequests) {
  const std::string etag = get("/file").header("etag");
  const Response same = get("/file", {{"If-None-Match", etag}});
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(same.header("etag"), etag);
  ASSERT_TRUE(os::write_file(dir_.path() / "file", "new"));
  const Response changed = get("/file", {{"If-None-Match", etag}});
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(changed.body, "new");
  EXPECT_EQ(get("/tag", {{"If-None-Match", R"(W/"mine")"}}).status, 304);
}

TEST_F(FileServer, AnswersWhatIsNoFile) {
  EXPECT_EQ(get("/folder").status, 404);
  EXPECT_EQ(get("/empty").status, 200);
  EXPECT_EQ(get("/empty").body, "");
  std::filesystem::remove(dir_.path() / "file");
  EXPECT_EQ(get("/file").status, 404);
}

TEST_F(FileServer, TellsTheHandlerWhatWasAsked) {
  EXPECT_EQ(get("/a%20b/%2e%2e/c?q=x%26y&n=1").body, "GET /a b/../c ? q=x%26y&n=1 n=1 q=x&y from 127.0.0.1");
}

TEST_F(FileServer, RefusesOtherMethodsAndServesTheNextRequest) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    auto answer = http_.send({.method = method, .url = address(*server_, "/x"), .body = "text"});
    ASSERT_TRUE(answer) << answer.error().render();
    EXPECT_EQ(answer->status, 405) << method;
    EXPECT_EQ(answer->header("allow"), "GET, HEAD") << method;
    EXPECT_EQ(answer->body, "only GET and HEAD are answered here\n");
  }
  EXPECT_EQ(get("/x").status, 200);
}

TEST_F(FileServer, SendsNoHeaderThatWouldSplitTheAnswer) {
  const Response answer = get("/split");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("x-a"), "");
  EXPECT_EQ(answer.header("x-b"), "");
}

TEST(Server, TakesAPortAloneAndFreesIt) {
  const Handler handler = [](const ServerRequest&) { return ServerResponse{}; };
  int port = 0;
  {
    const Server first = serve(handler);
    port = first.port();
    const auto second = Server::start(handler, {.port = port});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().render(), fmt::format("cannot listen on 127.0.0.1:{}\n"
                                                   "  hint: another program may use the port; 0 takes any free one",
                                                   port));
    EXPECT_EQ(second.error().kind(), ErrorKind::kConflict);
  }
  const auto again = Server::start(handler, {.port = port});
  EXPECT_TRUE(again) << again.error().render();
}

TEST(Server, WaitsUntilItIsStopped) {
  Server server = serve([](const ServerRequest&) { return ServerResponse{}; });
  std::atomic<bool> stopped = false;
  std::jthread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    stopped = true;
    server.stop();
  });
  server.wait();
  EXPECT_TRUE(stopped);
}

TEST(Server, ReportsEachAccess) {
  std::mutex mutex;
  std::vector<std::string> seen;
  Server::Options options;
  options.on_access = [&](const Access& access) {
    const std::lock_guard lock(mutex);
    seen.push_back(fmt::format("{} {} {} {} {}", access.request.method, access.request.path, access.status,
                               access.bytes, access.complete));
    EXPECT_LT(access.seconds, 10);
  };
  {
    auto server =
        Server::start([](const ServerRequest&) { return ServerResponse{.status = 418, .body = "short"}; }, options);
    ASSERT_TRUE(server) << server.error().render();
    CurlHttp http("test");
    ASSERT_TRUE(http.send({.url = address(*server, "/tea")}));
    ASSERT_TRUE(http.send({.method = "HEAD", .url = address(*server, "/tea")}));
    ASSERT_TRUE(http.send({.method = "DELETE", .url = address(*server, "/tea")}));
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"GET /tea 418 5 true", "HEAD /tea 418 0 true", "DELETE /tea 405 36 true"}));
}

TEST(Server, TellsAClientThatAsksTooOften) {
  auto server =
      Server::start([](const ServerRequest&) { return ServerResponse{}; }, {.requests_per_second = 0.01, .burst = 2});
  ASSERT_TRUE(server) << server.error().render();
  ::setenv("no_proxy", "*", 1);
  CurlHttp http("test");
  for (const int expected : {200, 200, 429}) {
    const auto answer = http.send({.url = address(*server, "/x")});
    ASSERT_TRUE(answer) << answer.error().render();
    EXPECT_EQ(answer->status, expected);
    EXPECT_EQ(answer->header("retry-after"), expected == 429 ? "100" : "");
  }
}

/// A connection that says `text` and then reads whatever comes until the end.
std::string talk(int port, const std::string& text) {
  const os::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<std::uint16_t>(port));
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  (void)::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
  std::string out;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0) out.append(buffer, static_cast<std::size_t>(got));
  return out;
}

TEST(Server, AnswersOthersWhileSlowClientsSayNothing) {
  auto server = Server::start([](const ServerRequest&) { return ServerResponse{.body = "here"}; },
                              {.threads = 2, .idle_seconds = 1});
  ASSERT_TRUE(server) << server.error().render();
  std::vector<std::jthread> slow;
  std::atomic<int> closed = 0;
  for (int i = 0; i < 64; ++i)
    slow.emplace_back([&] {
      if (talk(server->port(), "GET /slow HTTP/1.1\r\nHost:").find("200 OK") == std::string::npos) ++closed;
    });
  ::setenv("no_proxy", "*", 1);
  CurlHttp http("test");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(http.send({.url = address(*server, "/x")})->body, "here");
  slow.clear();
  EXPECT_EQ(closed, 64) << "each was closed after its idle second";
}

TEST(Server, RefusesWhatIsNoRequest) {
  auto started =
      Server::start([](const ServerRequest&) { return ServerResponse{.body = "here"}; }, {.idle_seconds = 1});
  ASSERT_TRUE(started) << started.error().render();
  const Server server = *std::move(started);
  const std::string cases[] = {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                               "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n",
                               "GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(100'000, 'a') + "\r\n\r\n",
                               "\x16\x03\x01 not HTTP at all\r\n\r\n"};
  for (const std::string& text : cases)
    EXPECT_EQ(talk(server.port(), text).find("here"), std::string::npos) << text.substr(0, 40);
  EXPECT_NE(talk(server.port(), "GET / HTTP/1.0\r\n\r\n").find("here"), std::string::npos);
}

TEST(Server, SpeaksTlsWithItsCertificate) {
  const os::TempDir folder = scratch();
  const std::string key = folder.path() / "key.pem", certificate = folder.path() / "cert.pem";
  const std::string make = fmt::format(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {} -out {} -days 2 "
      "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null",
      key, certificate);
  if (std::system(make.c_str()) != 0) GTEST_SKIP() << "no openssl";
  Server::Options options;
  options.tls_certificate = *os::read_file(certificate);
  options.tls_key = *os::read_file(key);
  const std::string large(3u << 20, 'x');
  EXPECT_TRUE(os::write_file(folder.path() / "large", large));
  auto server =
      Server::start([&](const ServerRequest&) { return ServerResponse{.file = folder.path() / "large"}; }, options);
  ASSERT_TRUE(server) << server.error().render();
  const std::string command = fmt::format("curl -s --noproxy '*' --cacert {} https://127.0.0.1:{}/ | cmp - {}",
                                          certificate, server->port(), (folder.path() / "large").string());
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(talk(server->port(), "GET / HTTP/1.0\r\n\r\n").find("200 OK"), std::string::npos) << "no plain HTTP there";
  options.tls_key = *os::read_file(certificate);
  const auto wrong = Server::start([](const ServerRequest&) { return ServerResponse{}; }, options);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind(), ErrorKind::kInvalid);
}

TEST(Server, WantsANumericAddress) {
  const auto named = Server::start([](const ServerRequest&) { return ServerResponse{}; }, {.address = "localhost"});
  ASSERT_FALSE(named);
  EXPECT_EQ(named.error().render(),
            "cannot listen on 'localhost': expected a numeric address\n"
            "  hint: 127.0.0.1 for this machine alone, 0.0.0.0 or :: for all");
}

}  // namespace
}  // namespace nacre::net
