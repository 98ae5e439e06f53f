#include "engine/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "engine/wire.h"

namespace nacre::engine {
namespace {

// What protobuf's own serializer gives for the same values.
constexpr std::string_view kCommand =
    "0a0662696e2f73680a022d630a0012060a014112013112030a01422a220a0d0a0349534112067838362d36340a110a084f53"
    "46616d696c7912056c696e75783a036c6f673a076f75742e746172";
constexpr std::string_view kDirectory =
    "0a4b0a016112440a403865643366366164363835623935396561643730323235313865316166373663643831366638653865"
    "6337636364646131656434303138653866323232336638100520010a470a016212420a406533623063343432393866633163"
    "3134396166626634633839393666623932343237616534316534363439623933346361343935393931623738353262383535"
    "124a0a016412450a406161323063323365333230313833343035303637396531643838393431623961366665643035353763"
    "396137303563623263333135653265363366643438366410c8011a090a016c12042e2e2f61";
constexpr std::string_view kAction =
    "0a440a4065303564343364636435373135303835336132663564653165666264396338373664306636356362633531643364"
    "353636653032313639333365356234396535104d12450a406536353034633762363731323137303235346435613063373230"
    "666266303565313766393039613539616235393566653736616463363165396136366364663010ed01320308c07038015222"
    "0a0d0a0349534112067838362d36340a110a084f5346616d696c7912056c696e7578";
constexpr std::string_view kResult =
    "124f0a076f75742e74617212440a403865643366366164363835623935396561643730323235313865316166373663643831"
    "3666386538656337636364646131656434303138653866323232336638100520fdffffffffffffffff012a0368690a42440a"
    "4038656433663661643638356239353965616437303232353138653161663736636438313666386538656337636364646131"
    "65643430313865386632323233663810054a040a027731";
constexpr std::string_view kOperation =
    "0a046f702f3112520a4c747970652e676f6f676c65617069732e636f6d2f6275696c642e62617a656c2e72656d6f74652e65"
    "7865637574696f6e2e76322e457865637574654f7065726174696f6e4d657461646174611202080418012afd010a43747970"
    "652e676f6f676c65617069732e636f6d2f6275696c642e62617a656c2e72656d6f74652e657865637574696f6e2e76322e45"
    "786563757465526573706f6e736512b5010aad01124f0a076f75742e74617212440a40386564336636616436383562393539"
    "6561643730323235313865316166373663643831366638653865633763636464613165643430313865386632323233663810"
    "0520fdffffffffffffffff012a0368690a42440a403865643366366164363835623935396561643730323235313865316166"
    "373663643831366638653865633763636464613165643430313865386632323233663810054a040a02773110012a016d";
constexpr std::string_view kFailed = "0a046f702f321801220808091204676f6e65";
constexpr std::string_view kCapabilities =
    "0a090a01011202080128021207080110012a01012204080210012a040802100c";  // as buildbox-casd 1.4 says them

std::string raw(std::string_view hex) { return *from_hex(hex); }

template <class T>
std::string message_of(const Result<T>& result) {
  return result ? "no error" : result.error().render();
}

const Properties kPlatform = {{"OSFamily", "linux"}, {"ISA", "x86-64"}};  // written in order of names

TEST(Messages, CommandHasTheBytesOfProtobuf) {
  const Command command{{"bin/sh", "-c", ""}, {{"B", ""}, {"A", "1"}}, {"log", "out.tar"}, kPlatform};
  EXPECT_EQ(to_hex(to_wire(command)), kCommand);
  const auto read = command_from_wire(raw(kCommand));
  ASSERT_TRUE(read) << message_of(read);
  EXPECT_EQ(read->arguments, command.arguments);
  EXPECT_EQ(read->output_paths, command.output_paths);
  EXPECT_EQ(read->environment, (Properties{{"A", "1"}, {"B", ""}}));
  EXPECT_EQ(to_wire(*read), raw(kCommand));
}

TEST(Messages, DirectoryHasTheBytesOfProtobuf) {
  Directory directory;
  directory.files = {{"b", digest_of(""), false}, {"a", digest_of("alpha"), true}};
  directory.folders = {{"d", digest_of(std::string(200, 'x'))}};
  directory.links = {{"l", "../a"}};
  EXPECT_EQ(to_hex(to_wire(directory)), kDirectory);
  const auto read = directory_from_wire(raw(kDirectory));
  ASSERT_TRUE(read) << message_of(read);
  EXPECT_EQ(to_wire(*read), raw(kDirectory));
  EXPECT_TRUE(read->files[0].executable);
  EXPECT_EQ(read->folders[0].digest.size, 200u);
}

TEST(Messages, ActionHasTheBytesOfProtobuf) {
  const Action action{digest_of(raw(kCommand)), digest_of(raw(kDirectory)), 14400, true, kPlatform};
  EXPECT_EQ(to_hex(to_wire(action)), kAction);
  const auto read = action_from_wire(raw(kAction));
  ASSERT_TRUE(read) << message_of(read);
  EXPECT_EQ(to_wire(*read), raw(kAction));
  EXPECT_EQ(read->timeout_seconds, 14400);
}

TEST(Messages, ReadsResultsAndOperations) {
  const auto result = action_result_from_wire(raw(kResult));
  ASSERT_TRUE(result) << message_of(result);
  EXPECT_EQ(result->exit_code, -3);
  EXPECT_EQ(result->out, "hi\n");
  EXPECT_EQ(result->worker, "w1");
  ASSERT_NE(result->find("out.tar"), nullptr);
  EXPECT_EQ(result->find("out.tar")->digest, digest_of("alpha"));
  EXPECT_EQ(result->err_blob, digest_of("alpha"));
  EXPECT_EQ(to_wire(*result), raw(kResult));

  const auto operation = operation_from_wire(raw(kOperation));
  ASSERT_TRUE(operation) << message_of(operation);
  EXPECT_EQ(operation->name, "op/1");
  EXPECT_TRUE(operation->done);
  EXPECT_TRUE(operation->cached);
  EXPECT_EQ(operation->stage, Stage::kCompleted);
  EXPECT_EQ(to_wire(*operation->result), raw(kResult));

  const auto failed = operation_from_wire(raw(kFailed));
  ASSERT_TRUE(failed) << message_of(failed);
  EXPECT_EQ(failed->status.code, 9);
  EXPECT_EQ(failed->status.message, "gone");
  const std::string odd = WireWriter().number(1, 65536).text(2, "a\tb\033c" + std::string(3000, 'x')).take();
  EXPECT_EQ(rpc_status_from_wire(odd)->code, 2);
  EXPECT_EQ(rpc_status_from_wire(odd)->message, "a\tb c" + std::string(1995, 'x'));
  const std::string printed = "first" + std::string(1u << 20, 'x');
  EXPECT_EQ(action_result_from_wire(WireWriter().text(5, printed).take())->out, printed.substr(5));

  const auto can = capabilities_from_wire(raw(kCapabilities));
  ASSERT_TRUE(can) << message_of(can);
  EXPECT_TRUE(can->sha256);
  EXPECT_TRUE(can->executes);
  EXPECT_EQ(can->max_batch_bytes, 0u);
  EXPECT_EQ(can->high_major, 2);
}

TEST(Messages, RefusesWhatIsMalformed) {
  struct Case {
    std::string bytes, message;
  };
  const Case cases[] = {
      {"\xff", "no protobuf message: it stops inside a number"},
      {std::string(10, '\xff') + "\x01", "no protobuf message: a number has more than 64 bits"},
      {raw("0a05"), "no protobuf message: it stops inside a field"},
      {raw("0affffffffffffffffff01"), "no protobuf message: it stops inside a field"},
      {std::string("\0\0", 2), "no protobuf message: a field has no number"},
      {raw("0b"), "no protobuf message: a field of type 3"},
      {WireWriter().message(1, WireWriter().text(1, "..").take()).take(),
       "path '..' has the component '..'\n  while reading the name of an entry"},
      {WireWriter().message(1, WireWriter().text(1, "a/b").take()).take(), "'a/b' is no name of an entry"},
      {WireWriter().message(1, WireWriter().text(1, "/a").take()).take(), "'/a' is no name of an entry"},
      {WireWriter().message(1, WireWriter().text(1, "a").take()).take(), "an entry of a Directory is not whole"},
      {WireWriter()
           .message(3, WireWriter().text(1, "a").text(2, "x").take())
           .message(1, WireWriter().text(1, "a").message(2, to_wire(digest_of(""))).take())
           .take(),
       "a Directory has two entries 'a'"},
      {WireWriter().message(1, WireWriter().text(1, "a").message(2, "").take()).take(), "a digest is not whole"},
  };
  for (const Case& item : cases) EXPECT_EQ(message_of(directory_from_wire(item.bytes)), item.message);
  EXPECT_EQ(message_of(operation_from_wire(WireWriter().flag(3, true).take())),
            "an operation ended with neither a result nor an error");
}

}  // namespace
}  // namespace nacre::engine
