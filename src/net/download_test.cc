#include "net/http.h"
#include "net/test_peers.h"

#include <optional>

namespace nacre::net {
namespace {

/// A server of one file that breaks off after each `step` bytes, and may forget what it had.
class BreakingHttp final : public Http {
 public:
  std::string content, etag = "\"1\"";
  std::size_t step = 10;
  bool ranges = true;
  std::vector<std::string> asked;

  Result<Response> send(const Request& request, std::stop_token) override {
    std::size_t from = 0;
    std::string range;
    bool same = true;
    for (const auto& [name, value] : request.headers) {
      if (name == "Range") range = value;
      if (name == "If-Range") same = value == etag;
    }
    asked.push_back(range);
    Response answer;
    answer.status = 200;
    answer.headers["etag"] = etag;
    if (ranges && same && range.starts_with("bytes=")) {
      from = std::stoul(range.substr(6));
      if (from >= content.size()) {
        answer.status = 416;
        answer.headers["content-range"] = fmt::format("bytes */{}", content.size());
        return answer;
      }
      answer.status = 206;
      answer.headers["content-range"] = fmt::format("bytes {}-{}/{}", from, content.size() - 1, content.size());
    }
    TRY(request.on_head(answer));
    TRY(request.sink(content.substr(from, step)));
    if (from + step < content.size()) return Error::make(ErrorKind::kUnavailable, "broke off");
    return answer;
  }
};

struct DownloadTest : testing::Test {
  os::TempDir folder = scratch();
  os::Path file = folder.path() / "partial";
  BreakingHttp http;
  Result<Response> get() {
    Request request;
    request.url = "http://x/";
    return download(http, request, file);
  }
  std::string got() { return *os::read_file(file); }
};

TEST_F(DownloadTest, TakesUpWhereItStopped) {
  http.content = "0123456789abcdefghijABCDE";
  const auto answer = get();
  ASSERT_TRUE(answer) << answer.error().render();
  EXPECT_EQ(got(), http.content);
  EXPECT_EQ(http.asked, (std::vector<std::string>{"", "bytes=10-", "bytes=20-"}));
}

TEST_F(DownloadTest, TakesUpWhatAnotherProcessLeft) {
  http.content = "0123456789abcdef";
  ASSERT_TRUE(os::write_file(file, "0123456789ab"));
  ASSERT_TRUE(get());
  EXPECT_EQ(got(), http.content);
  // All of it: nothing is sent again.
  ASSERT_TRUE(get());
  EXPECT_EQ(got(), http.content);
  EXPECT_EQ(http.asked, (std::vector<std::string>{"bytes=12-", "bytes=16-"}));
}

TEST_F(DownloadTest, BeginsAgainWhereItMust) {
  http.content = "0123456789";
  ASSERT_TRUE(os::write_file(file, "something that is longer"));
  ASSERT_TRUE(get());  // 416: of another time
  EXPECT_EQ(got(), http.content);
  http.ranges = false;
  ASSERT_TRUE(os::write_file(file, "01234"));
  ASSERT_TRUE(get());  // 200: the server knows no ranges
  EXPECT_EQ(got(), http.content);
}

TEST_F(DownloadTest, KeepsTheLimitOverAllParts) {
  http.content = std::string(100, 'x');
  Request request;
  request.url = "http://x/";
  request.max_bytes = 55;
  const auto answer = download(http, request, file);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().render(), "the answer is longer than 55 bytes");
}

TEST_F(DownloadTest, ReadsFromARealServer) {
  const Server server = serve([](const ServerRequest&) { return ServerResponse{.body = "all of it"}; });
  CurlHttp curl("test");
  Request request;
  request.url = address(server, "/file");
  ASSERT_TRUE(os::write_file(file, "old"));
  const auto answer = download(curl, request, file);
  ASSERT_TRUE(answer) << answer.error().render();
  EXPECT_EQ(got(), "all of it");
}

TEST(NoHttp, OpensNoSocket) {
  NoHttp none;
  Request request;
  request.url = "https://user:secret@host/x";
  const auto answer = none.send(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().render(),
            "'https://host/x' is not in the store, and this call is offline\n  hint: run it once without --offline");
}

}  // namespace
}  // namespace nacre::net
