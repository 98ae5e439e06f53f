#include "net/http.h"

#include "net/server.h"
#include "net/test_peers.h"

#include <chrono>
#include <mutex>

namespace nacre::net {
namespace {

using Clock = std::chrono::steady_clock;

template <class T>
std::string message_of(const Result<T>& result) {
  return result ? "no error" : result.error().render();
}

/// Answers "/to/TARGET" with a redirect, else with the request's own headers, one a line.
ServerResponse echo(const ServerRequest& request) {
  if (const auto to = request.params.find("to"); to != request.params.end())
    return {.status = 302, .headers = {{"Location", to->second}}};
  std::string out = request.method + " " + request.path + "\n";
  for (const auto& [name, value] : request.headers) out += name + ": " + value + "\n";
  return {.headers = {{"X-Twice", "a"}}, .body = out, .content_type = "text/plain"};
}

TEST(CurlHttp, SendsAndReadsHeaders) {
  const Server server = serve(echo);
  CurlHttp http("nacre/1");
  const auto answer = http.send({.url = address(server, "/x#part"), .headers = {{"X-One", "1"}}});
  ASSERT_TRUE(answer) << answer.error().render();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->final_url, address(server, "/x"));
  EXPECT_EQ(answer->header("x-twice"), "a");
  EXPECT_EQ(answer->header("absent"), "");
  EXPECT_NE(answer->body.find("x-one: 1\n"), std::string::npos) << answer->body;
  EXPECT_NE(answer->body.find("user-agent: nacre/1\n"), std::string::npos) << answer->body;
}

TEST(CurlHttp, JoinsWhatMayComeInSeveralHeaders) {
  RawPeer peer("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\nX: 1\r\n"
               "www-authenticate: Bearer realm=\"b\"\r\nX: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  CurlHttp http("test");
  const auto answer = http.send({.url = peer.address("/")});
  ASSERT_TRUE(answer) << answer.error().render();
  EXPECT_EQ(answer->header("www-authenticate"), "Basic realm=\"a\", Bearer realm=\"b\"");
  EXPECT_EQ(answer->header("x"), "2");
}

TEST(CurlHttp, FollowsRedirectsAndKeepsCredentialsAtHome) {
  const Server here = serve(echo), there = serve(echo);
  CurlHttp http("test");
  const std::vector<std::pair<std::string, std::string>> secret = {
      {"Authorization", "Bearer secret"}, {"Cookie", "secret=1"}};
  const auto at_home = http.send({.url = address(here, "/?to=/next"), .headers = secret});
  ASSERT_TRUE(at_home) << at_home.error().render();
  EXPECT_EQ(at_home->final_url, address(here, "/next"));
  EXPECT_NE(at_home->body.find("authorization: Bearer secret"), std::string::npos);

  const std::string elsewhere = fmt::format("http://localhost:{}/next", there.port());
  const auto abroad = http.send({.url = address(here, "/?to=" + elsewhere), .headers = secret});
  ASSERT_TRUE(abroad) << abroad.error().render();
  EXPECT_EQ(abroad->final_url, elsewhere);
  EXPECT_TRUE(abroad->body.starts_with("GET /next\n")) << abroad->body;
  EXPECT_EQ(abroad->body.find("secret"), std::string::npos) << abroad->body;

  const std::string with_account =
      fmt::format("http://me:secret@127.0.0.1:{}/?to={}", here.port(), elsewhere);
  const auto account = http.send({.url = with_account});
  ASSERT_TRUE(account) << account.error().render();
  EXPECT_EQ(account->body.find("authorization"), std::string::npos) << account->body;
}

TEST(CurlHttp, FollowsRedirectsOnlyToHttpAndNotForEver) {
  const Server server = serve(echo);
  const Server loop = serve([](const ServerRequest&) {
    return ServerResponse{.status = 302, .headers = {{"Location", "/again"}}};
  });
  CurlHttp http("test");
  for (const char* target : {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"}) {
    const auto answer = http.send({.url = address(server, std::string("/?to=") + target)});
    ASSERT_FALSE(answer) << target;
    EXPECT_EQ(answer.error().kind(), ErrorKind::kInvalid) << answer.error().render();
  }
  const auto answer = http.send({.url = address(loop, "/"), .max_redirects = 3});
  EXPECT_EQ(message_of(answer),
            "more than 3 redirects\n  while asking 'GET " + address(loop, "/") + "'");
  const auto first = http.send({.url = address(loop, "/"), .max_redirects = 0});
  ASSERT_TRUE(first) << first.error().render();
  EXPECT_EQ(first->status, 302);
}

TEST(CurlHttp, BoundsTheAnswer) {
  const Server server = serve([](const ServerRequest&) {
    return ServerResponse{.body = std::string(100'000, 'x')};
  });
  CurlHttp http("test");
  EXPECT_EQ(message_of(http.send({.url = address(server, "/"), .max_bytes = 99'999})),
            "the answer is longer than 99999 bytes\n  while asking 'GET " + address(server, "/") +
                "'");
  EXPECT_TRUE(http.send({.url = address(server, "/"), .max_bytes = 100'000}));
  // Without a length, the bytes are counted.
  const RawPeer peer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(2000, 'x'));
  EXPECT_EQ(http.send({.url = peer.address("/"), .max_bytes = 1000}).error().kind(),
            ErrorKind::kInvalid);
  std::string headers = "HTTP/1.1 200 OK\r\n";
  while (headers.size() < 280'000) headers += "X-A: " + std::string(1000, 'x') + "\r\n";
  const RawPeer wordy(headers + "\r\n");
  EXPECT_EQ(message_of(http.send({.url = wordy.address("/")})),
            "the headers are longer than 262144 bytes\n  while asking 'GET " + wordy.address("/") +
                "'");
}

TEST(CurlHttp, GivesTheBytesOfSuccessToTheSink) {
  const std::string content(700'000, 'x');
  const Server server = serve([&](const ServerRequest& request) {
    if (request.path == "/none") return ServerResponse{.status = 404, .body = "no"};
    return ServerResponse{.body = content};
  });
  CurlHttp http("test");
  std::string got;
  std::uint64_t done = 0, total = 0;
  Request request{.url = address(server, "/")};
  request.sink = [&](std::string_view bytes) -> Result<> {
    got += bytes;
    return {};
  };
  request.on_progress = [&](std::uint64_t d, std::uint64_t t) { done = d, total = t; };
  const auto answer = http.send(request);
  ASSERT_TRUE(answer) << answer.error().render();
  EXPECT_EQ(got, content);
  EXPECT_EQ(answer->body, "");
  EXPECT_EQ(done, content.size());
  EXPECT_EQ(total, content.size());

  got.clear();
  request.url = address(server, "/none");
  EXPECT_EQ(http.send(request)->body, "no");
  EXPECT_EQ(got, "");

  request.url = address(server, "/");
  request.sink = [](std::string_view) -> Result<> {
    return Error::make(ErrorKind::kDenied, "not this");
  };
  const auto refused = http.send(request);
  EXPECT_EQ(message_of(refused), "not this\n  while asking 'GET " + address(server, "/") + "'");
  EXPECT_EQ(refused.error().kind(), ErrorKind::kDenied);
}

TEST(CurlHttp, StreamsAPartOfAFile) {
  const os::TempDir dir = scratch();
  ASSERT_TRUE(os::write_file(dir.path() / "f", "0123456789"));
  RawPeer peer("HTTP/1.1 201 Created\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 4);
  CurlHttp http("test");
  Request request{.method = "PATCH", .url = peer.address("/up"), .body_file = dir.path() / "f",
                  .body_offset = 3, .body_size = 4};
  const auto answer = http.send(request);
  ASSERT_TRUE(answer) << answer.error().render();
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->header("location"), "/x");
  EXPECT_TRUE(peer.heard().starts_with("PATCH /up HTTP/1.1\r\n")) << peer.heard();
  EXPECT_NE(peer.heard().find("Content-Length: 4\r\n"), std::string::npos) << peer.heard();
  EXPECT_TRUE(peer.heard().ends_with("\r\n\r\n3456")) << peer.heard();

  request.body_size = 8;
  EXPECT_EQ(message_of(http.send(request)),
            fmt::format("'{}' has 10 bytes; asked to send 8 from 3 on\n  while asking 'PATCH {}'",
                        (dir.path() / "f").string(), peer.address("/up")));
}

TEST(CurlHttp, SendsABodyAndAnEmptyOne) {
  CurlHttp http("test");
  RawPeer full("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 5);
  ASSERT_TRUE(http.send({.method = "PUT", .url = full.address("/"), .body = "hello"}));
  EXPECT_TRUE(full.heard().starts_with("PUT / HTTP/1.1\r\n") &&
              full.heard().ends_with("\r\n\r\nhello"))
      << full.heard();
  EXPECT_EQ(full.heard().find("Expect"), std::string::npos);
  RawPeer empty("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(http.send({.method = "POST", .url = empty.address("/"), .headers = {{"X-A", ""}}}));
  EXPECT_NE(empty.heard().find("X-A:\r\n"), std::string::npos) << empty.heard();
  EXPECT_NE(empty.heard().find("Content-Length: 0\r\n"), std::string::npos) << empty.heard();
}

TEST(CurlHttp, SaysWhatBroke) {
  CurlHttp http("test");
  const RawPeer cut("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(http.send({.url = cut.address("/")}).error().kind(), ErrorKind::kUnavailable);
  EXPECT_EQ(http.send({.url = "http://127.0.0.1:1/"}).error().kind(), ErrorKind::kUnavailable);
  EXPECT_EQ(message_of(http.send({.url = "file:///etc/passwd"})),
            "expected http:// or https://, got 'file:///etc/passwd'");
  const auto split = http.send({.url = "http://127.0.0.1:1/", .headers = {{"A", "b\r\nC: d"}}});
  EXPECT_EQ(message_of(split), "the header 'A' cannot be sent\n"
                               "  while asking 'GET http://127.0.0.1:1/'");
}

TEST(CurlHttp, GivesUpOnASilentPeer) {
  const RawPeer silent("");
  CurlHttp http("test");
  const auto before = Clock::now();
  EXPECT_EQ(message_of(http.send({.url = silent.address("/"), .timeout_seconds = 0.3})),
            "nothing came for 300 ms\n  while asking 'GET " + silent.address("/") + "'");
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(5));
}

TEST(CurlHttp, StopsAtOnceWhenAsked) {
  const RawPeer silent("");
  CurlHttp http("test");
  std::stop_source source;
  const std::jthread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    source.request_stop();
  });
  const auto before = Clock::now();
  EXPECT_EQ(message_of(http.send({.url = silent.address("/")}, source.get_token())),
            "interrupted\n  while asking 'GET " + silent.address("/") + "'");
  EXPECT_LT(Clock::now() - before, std::chrono::milliseconds(800));
}

TEST(CurlHttp, KeepsConnectionsAndServesThreads) {
  const Server server = serve(echo);
  CurlHttp http("test");
  std::atomic<int> good = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 10; ++k) {
        const auto answer = http.send({.url = address(server, "/x")});
        if (answer && answer->status == 200) ++good;
      }
    });
  threads.clear();
  EXPECT_EQ(good, 80);
}

TEST(RecordedHttp, AnswersWhatItKnows) {
  RecordedHttp http;
  http.add("GET", "http://a/", {.status = 200, .body = "text"});
  const auto answer = http.send({.url = "http://a/"});
  ASSERT_TRUE(answer) << answer.error().render();
  EXPECT_EQ(answer->body, "text");
  EXPECT_EQ(answer->final_url, "http://a/");
  EXPECT_EQ(message_of(http.send({.method = "PUT", .url = "http://a/"})),
            "no answer was recorded for 'PUT http://a/'");
  EXPECT_EQ(http.send({.url = "http://a/", .max_bytes = 3}).error().kind(), ErrorKind::kInvalid);
  EXPECT_EQ(http.sent().size(), 3u);
}

/// Answers with the statuses given, in turn; 0 is an Error. The last goes on for ever.
class Moody final : public Http {
 public:
  explicit Moody(std::vector<int> statuses) : statuses_(std::move(statuses)) {}
  Result<Response> send(const Request& request, std::stop_token) override {
    const int status = statuses_[std::min(count_++, statuses_.size() - 1)];
    if (request.sink) TRY(request.sink("part"));
    if (status == 0) return Error::make(ErrorKind::kUnavailable, "the line is dead");
    if (status < 0) return Error::make(ErrorKind::kInvalid, "a bad address");
    return Response{.status = status};
  }
  std::size_t count() const { return count_; }

 private:
  std::vector<int> statuses_;
  std::size_t count_ = 0;
};

TEST(Retry, TriesAgainWhatMayPass) {
  Moody passing({0, 503, 200});
  EXPECT_EQ(send_with_retry(passing, {})->status, 200);
  EXPECT_EQ(passing.count(), 3u);
  Moody missing({404});
  EXPECT_EQ(send_with_retry(missing, {})->status, 404);
  EXPECT_EQ(missing.count(), 1u);
  Moody invalid({-1});
  EXPECT_EQ(message_of(send_with_retry(invalid, {})), "a bad address");
  EXPECT_EQ(invalid.count(), 1u);
}

TEST(Retry, EndsAfterFourMore) {
  Moody dead({0});
  const auto before = Clock::now();
  EXPECT_EQ(message_of(send_with_retry(dead, {})), "the line is dead");
  EXPECT_EQ(dead.count(), 5u);
  EXPECT_GE(Clock::now() - before, std::chrono::milliseconds(2900));
}

TEST(Retry, DeliversNothingTwiceAndStopsWhenAsked) {
  Moody dead({0});
  std::string got;
  Request request;
  request.sink = [&](std::string_view bytes) -> Result<> {
    got += bytes;
    return {};
  };
  EXPECT_EQ(message_of(send_with_retry(dead, request)), "the line is dead");
  EXPECT_EQ(got, "part");

  std::stop_source source;
  const std::jthread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    source.request_stop();
  });
  EXPECT_EQ(message_of(send_with_retry(dead, {}, source.get_token())), "interrupted");
}

struct Status {
  int status;
  ErrorKind kind;
  std::string_view message;
};

TEST(ExpectSuccess, SortsStatuses) {
  EXPECT_TRUE(expect_success({.status = 204}, "http://a/"));
  for (const Status& row : {
           Status{404, ErrorKind::kNotFound, "nothing is at 'http://a/x' (status 404): why"},
           Status{410, ErrorKind::kNotFound, "nothing is at 'http://a/x' (status 410): why"},
           Status{401, ErrorKind::kDenied, "access to 'http://a/x' was refused (status 401): why"},
           Status{429, ErrorKind::kUnavailable,
                  "expected success from 'http://a/x', got status 429: why"},
           Status{500, ErrorKind::kUnavailable,
                  "expected success from 'http://a/x', got status 500: why"},
           Status{304, ErrorKind::kInvalid,
                  "expected success from 'http://a/x', got status 304: why"},
       }) {
    const auto verdict =
        expect_success({.status = row.status, .body = "why\n"}, "http://me:secret@a/x");
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().kind(), row.kind);
    EXPECT_EQ(verdict.error().render(), row.message);
  }
  EXPECT_EQ(message_of(expect_success({.status = 500, .body = "<html>"}, "http://a/")),
            "expected success from 'http://a/', got status 500");
}

}  // namespace
}  // namespace nacre::net
