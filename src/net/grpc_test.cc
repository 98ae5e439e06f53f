#include "net/grpc.h"

#include "net/test_peers.h"

namespace nacre::net {
namespace {

template <class T>
std::string message_of(const Result<T>& result) {
  return result ? "no error" : result.error().render();
}

TEST(GrpcFrames, AreCutHoweverTheyArrive) {
  std::string body = grpc_frame("one") + grpc_frame("") + grpc_frame(std::string(300, 'x'));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{4}, std::size_t{7}, body.size()}) {
    std::vector<std::string> got;
    GrpcFrames frames(300, body.size(), [&](std::string_view message) -> Result<> {
      got.emplace_back(message);
      return {};
    });
    for (std::size_t at = 0; at < body.size(); at += piece) ASSERT_TRUE(frames.push(body.substr(at, piece)));
    EXPECT_TRUE(frames.finish());
    EXPECT_EQ(got, (std::vector<std::string>{"one", "", std::string(300, 'x')}));
  }
}

TEST(GrpcFrames, AreRefusedWhenTheyAreNone) {
  const std::pair<std::string, std::string> cases[] = {
      {std::string("\1\0\0\0\0", 5), "a message of the answer is marked 1, where 0 (not compressed) was asked"},
      {grpc_frame(std::string(11, 'x')).substr(0, 5), "a message of the answer has 11 bytes, at most 10 were expected"},
      {grpc_frame("ten bytes!").substr(0, 9), "the answer stopped inside a message"},
      {grpc_frame("x") + grpc_frame("y") + grpc_frame("zzzzz"), "the answer is longer than it may be"},
  };
  for (const auto& [body, message] : cases) {
    GrpcFrames frames(10, 20, [](std::string_view) -> Result<> { return {}; });
    auto pushed = frames.push(body);
    EXPECT_EQ(pushed ? message_of(frames.finish()) : message_of(pushed), message);
  }
}

TEST(GrpcChannel, SaysWhatIsWrongWithTheServer) {
  ::signal(SIGPIPE, SIG_IGN);
  const Server server = serve([](const ServerRequest&) { return ServerResponse{.body = "a web page"}; });
  const auto web = open_channel({fmt::format("grpc://127.0.0.1:{}", server.port()), "", ""}, "test");
  ASSERT_TRUE(web) << message_of(web);
  const auto answer = (*web)->ask("a.Service/Method", "", {});
  ASSERT_TRUE(answer) << message_of(answer);
  EXPECT_EQ(answer->status.code, GrpcCode::kUnavailable);
  EXPECT_NE(answer->status.message, "");
  const auto nobody = open_channel({"grpc://127.0.0.1:1", "", ""}, "test");
  const auto refused = (*nobody)->ask("a.Service/Method", "", {});
  ASSERT_TRUE(refused) << message_of(refused);
  EXPECT_EQ(refused->status.error().kind(), ErrorKind::kUnavailable);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(message_of((*nobody)->ask("a.Service/Method", "", stop.get_token())),
            "interrupted\n  while calling a.Service/Method of 'grpc://127.0.0.1:1'");
  for (const char* address : {"http://x:1", "grpc://", "grpc://host", "grpc://ho st:1", "grpc://h:1/path", "x:1"})
    EXPECT_EQ(message_of(open_channel({address, "", ""}, "test")),
              fmt::format("expected grpc://HOST:PORT or grpcs://HOST:PORT, got '{}'", address));
}

TEST(GrpcStatus, BecomesAnErrorOfItsKind) {
  EXPECT_EQ(GrpcStatus({GrpcCode::kNotFound, "x"}).error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(GrpcStatus({GrpcCode::kUnauthenticated, ""}).error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(GrpcStatus({GrpcCode::kInvalidArgument, ""}).error().render(), "the server says INVALID_ARGUMENT");
  EXPECT_EQ(GrpcStatus({static_cast<GrpcCode>(99), "x"}).error().render(), "the server says UNKNOWN: x");
  EXPECT_EQ(grpc_code(5), GrpcCode::kNotFound);
  EXPECT_EQ(grpc_code(17), GrpcCode::kUnknown);
  EXPECT_EQ(grpc_code(std::uint64_t{1} << 32), GrpcCode::kUnknown);
  EXPECT_EQ(printable("a\033[1mb\r\n\tc", 100), "a [1mb  \tc");
  EXPECT_EQ(printable("abc", 2), "ab");
}

}  // namespace
}  // namespace nacre::net
