#include "engine/cas.h"

#include "engine/test_server.h"
#include "store/store.h"

namespace nacre::engine {
namespace {

using net::GrpcCode;
using net::GrpcStatus;

struct Client {
  TestServer server;
  std::stop_source stop;
  ReapiCas cas{server, "", stop.get_token(), hasty()};
};

std::string read_reply(std::string_view data) { return WireWriter().text(10, data).take(); }

TEST(ReapiCas, SendsWhatIsMissingInBatchesAndStreams) {
  Client client;
  const std::string large(5u << 20, 'l');
  const os::TempDir folder = *os::TempDir::create(std::filesystem::temp_directory_path());
  ASSERT_TRUE(os::write_file(folder.path() / "large", large));
  const std::vector<Blob> blobs = {
      blob_of("one"), blob_of("two"), blob_of("one"), blob_of(""), {digest_of(large), "", folder.path() / "large"}};
  const auto sent = client.cas.upload(blobs);
  ASSERT_TRUE(sent) << message_of(sent);
  EXPECT_EQ(*sent, 6 + large.size());
  EXPECT_EQ(client.server.blobs.size(), 4u);
  EXPECT_THAT(client.server.calls, testing::UnorderedElementsAre("FindMissingBlobs", "Write", "BatchUpdateBlobs"));
  const auto again = client.cas.upload(blobs);
  EXPECT_EQ(*again, 0u);
  EXPECT_EQ(client.server.calls.size(), 4u);
  EXPECT_EQ(*client.cas.get(digest_of(large), 8u << 20), large);
  EXPECT_EQ(message_of(client.cas.get(digest_of(large), 100)),
            fmt::format("{} has 5242880 bytes, at most 100 were expected", digest_of(large).hash.oci()));
}

TEST(ReapiCas, KeepsBatchesBelowWhatTheServerTakes) {
  Client client;
  client.cas.limit_batches(100u << 10);
  std::vector<Blob> blobs;
  for (char c = 'a'; c < 'e'; ++c) blobs.push_back(blob_of(std::string(60u << 10, c)));
  ASSERT_TRUE(client.cas.upload(blobs));
  EXPECT_EQ(std::count(client.server.calls.begin(), client.server.calls.end(), "BatchUpdateBlobs"), 4);
}

TEST(ReapiCas, GoesOnAfterTrouble) {
  Client client;
  int failures = 2;
  const std::string content(5000, 'x');
  client.server.blobs[digest_of(content).str()] = content;
  client.server.methods["FindMissingBlobs"] = [&](const auto&, const auto&) -> Result<GrpcStatus> {
    if (failures-- == 1) client.server.methods.erase("FindMissingBlobs");
    return GrpcStatus{GrpcCode::kUnavailable, "restarting"};
  };
  const std::vector<Digest> asked = {digest_of(content)};
  EXPECT_THAT(*client.cas.missing(asked), testing::IsEmpty());
  // A stream that breaks is taken up where it broke.
  client.server.methods["Read"] = [&](const auto&, const auto& emit) -> Result<GrpcStatus> {
    client.server.methods.erase("Read");
    TRY(emit(read_reply(content.substr(0, 1234))));
    return GrpcStatus{GrpcCode::kUnavailable, "broken"};
  };
  EXPECT_EQ(*client.cas.get(digest_of(content), 1u << 20), content);
  EXPECT_THAT(client.server.calls,
              testing::ElementsAre("FindMissingBlobs", "FindMissingBlobs", "FindMissingBlobs", "Read", "Read"));
}

TEST(ReapiCas, AsksWhenAnUploadEndsOddly) {
  Client client;
  const std::string large(5u << 20, 'l');
  int writes = 0;
  bool comes = true;  // by another client, meanwhile
  client.server.methods["Write"] = [&](const auto&, const auto& emit) -> Result<GrpcStatus> {
    ++writes;
    if (comes) client.server.blobs[digest_of(large).str()] = large;
    TRY(emit(""));
    return GrpcStatus{};
  };
  EXPECT_EQ(message_of(client.cas.put(std::vector<Blob>{blob_of(large)})), "no error");
  EXPECT_EQ(writes, 1);
  comes = false;
  client.server.blobs.clear();
  EXPECT_THAT(message_of(client.cas.put(std::vector<Blob>{blob_of(large)})),
              testing::StartsWith("the engine took 0 of 5242880 bytes"));
  EXPECT_EQ(writes, 5);
}

TEST(ReapiCas, RefusesLies) {
  const std::string content(3000, 'x');
  const Digest digest = digest_of(content);
  const std::string name = digest.hash.oci();
  struct Case {
    const char* what;
    std::function<Result<GrpcStatus>(const TestServer::Emit&)> read;
    std::string message;
  };
  const std::string other = std::string(2999, 'x') + "y";
  bool short_of_one = true;
  const Case cases[] = {
      {"other bytes",
       [&](const auto& emit) -> Result<GrpcStatus> {
         TRY(emit(read_reply(other)));
         return GrpcStatus{};
       },
       fmt::format("the engine sent other bytes: expected {}, found {}", name, digest_of(other).hash.oci())},
      {"too few bytes",
       [&](const auto& emit) -> Result<GrpcStatus> {
         if (std::exchange(short_of_one, false)) TRY(emit(read_reply(content.substr(1))));
         return GrpcStatus{};
       },
       fmt::format("the engine sent 2999 bytes of {}, which has 3000", name)},
      {"a stream without end",
       [&](const auto& emit) -> Result<GrpcStatus> {
         while (true) TRY(emit(read_reply(content)));
       },
       fmt::format("the engine sends more than the 3000 bytes of {}\n  while fetching {}", name, name)},
      {"empty messages without end",
       [&](const auto& emit) -> Result<GrpcStatus> {
         while (true) TRY(emit(read_reply("")));
       },
       fmt::format("the answer is longer than it may be\n  while fetching {}", name)},
      {"a message that is none",
       [&](const auto& emit) -> Result<GrpcStatus> {
         TRY(emit("\xff"));
         return GrpcStatus{};
       },
       fmt::format("no protobuf message: it stops inside a number\n  while fetching {}", name)},
      {"no such blob",
       [&](const auto&) -> Result<GrpcStatus> {
         return GrpcStatus{GrpcCode::kNotFound, "no"};
       },
       fmt::format("the server says NOT_FOUND: no\n  while fetching {}", name)},
  };
  for (const Case& item : cases) {
    Client client;
    client.server.methods["Read"] = [&](const auto&, const auto& emit) { return item.read(emit); };
    EXPECT_EQ(message_of(client.cas.get(digest, 1u << 20)), item.message) << item.what;
  }
  Client client;
  client.server.methods["FindMissingBlobs"] = [&](const auto&, const auto& emit) -> Result<GrpcStatus> {
    TRY(emit(WireWriter().message(2, to_wire(digest_of("never asked"))).take()));
    return GrpcStatus{};
  };
  EXPECT_EQ(message_of(client.cas.missing(std::vector<Digest>{digest})),
            fmt::format("the engine misses {}, which it was not asked for", digest_of("never asked").hash.oci()));
  client.server.methods["BatchUpdateBlobs"] = [&](const auto&, const auto& emit) -> Result<GrpcStatus> {
    TRY(emit(""));
    return GrpcStatus{};
  };
  EXPECT_EQ(message_of(client.cas.put(std::vector<Blob>{blob_of("x")})),
            "the engine does not say whether it took 1 blobs");
}

TEST(LocalCas, RefusesAFileThatIsNoLongerWhatItWas) {
  const os::TempDir folder = *os::TempDir::create(std::filesystem::temp_directory_path());
  const auto store = *store::Store::open(folder.path() / "home");
  LocalCas cas(*store);
  ASSERT_TRUE(os::write_file(folder.path() / "f", "new"));
  EXPECT_EQ(message_of(cas.put(std::vector<Blob>{{digest_of("old"), "", folder.path() / "f"}})),
            fmt::format("'{}/f' is no longer what it was: expected {}, found {}", folder.path().string(),
                        digest_of("old").hash.oci(), digest_of("new").hash.oci()));
}

TEST(InputTree, IsReadBackFromTheStore) {
  const os::TempDir folder = *os::TempDir::create(std::filesystem::temp_directory_path());
  const auto store = *store::Store::open(folder.path() / "home");
  LocalCas cas(*store);
  InputTree input;
  ASSERT_TRUE(input.add(TreePath::literal("bin/tool"), blob_of("t"), InputTree::Mode::kExecutable));
  ASSERT_TRUE(input.add(TreePath::literal("bin/deep/er"), blob_of("e")));
  ASSERT_TRUE(input.add(TreePath::literal("top"), blob_of("")));
  EXPECT_EQ(message_of(input.add(TreePath::literal("top"), blob_of("x"))), "the input root has 'top' already");
  EXPECT_EQ(message_of(input.add(TreePath::literal("top/x"), blob_of("x"))),
            "'top' is a file, so 'top/x' cannot be beneath it");
  EXPECT_EQ(message_of(input.add(TreePath::literal("bin"), blob_of("x"))), "the input root has 'bin' already");
  std::vector<Blob> blobs;
  const Digest root = input.finish(blobs);
  EXPECT_EQ(blobs.size(), 6u);
  ASSERT_TRUE(cas.upload(blobs));
  const auto staged = tree(cas, root);
  ASSERT_TRUE(staged) << message_of(staged);
  std::vector<std::string> files;
  for (const StagedFile& file : staged->files) files.push_back(file.path.str() + (file.executable ? "*" : ""));
  EXPECT_THAT(files, testing::UnorderedElementsAre("top", "bin/tool*", "bin/deep/er"));
  EXPECT_EQ(message_of(tree(cas, root, {.max_entries = 3})), "a tree has more than 3 entries");
  EXPECT_EQ(message_of(tree(cas, root, {.max_depth = 1})), "a tree has more than 1 levels");
}

}  // namespace
}  // namespace nacre::engine
