#include "build/order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/digest.h"

namespace nacre::build {
namespace {

using definition::Definition;
using definition::Step;

template <class T>
std::string message_of(const Result<T>& result) {
  return result ? "no error" : result.error().render();
}

Step step(std::string runs, int line, std::string uses = {}) {
  Step out;
  out.runs = std::move(runs);
  out.uses = std::move(uses);
  out.place = {"os/packages/x.yaml", line, 5};
  return out;
}

/// A build with one of everything that an order carries.
struct Example {
  os::TempDir folder = *os::TempDir::create(std::filesystem::temp_directory_path());
  Definition definition;
  BuildRequest request;

  Example() {
    definition.name = "x";
    definition.version = "1.0";
    definition.epoch = 3;
    definition.cpe = {.vendor = "v", .product = "p"};
    definition.resources = {"2", "1Gi", "3Gi", ""};
    definition.timeout_nanoseconds = 90'000'000'000;
    definition.capabilities_add = {"CAP_NET_RAW"};
    definition.environment.variables = {{"B", "2"}, {"A", "1"}};
    definition.environment.users = {{"user", 70, 71, "/bin/sh", "/home/user"}};
    definition.environment.groups = {{"group", 71, {"user"}}};
    definition.environment.run_as = "user";
    Step outer = step("", 10, "some/pipeline");
    outer.pipeline = {step("echo one", 11), step("echo two", 12)};
    outer.pipeline[1].environment = {{"C", "3"}};
    outer.pipeline[1].working_directory = "deep";
    Step left_out = step("echo never", 13);
    left_out.enabled = false;
    definition.pipeline = {left_out, outer};
    definition.subpackages.emplace_back().name = "x-doc";
    definition.subpackages[0].pipeline = {step("echo doc", 20)};
    request.definition = &definition;
    request.source_date_epoch = 1234;
    request.root = {{"gcc", "12", "stage0", codec::sha256("gcc"), "/nowhere"}};
    FetchedSource source;
    source.expected = "sha512:abc";
    source.sha256 = codec::sha256("source");
    request.sources = {source};
    request.source_dir = folder.path() / "side";
    EXPECT_TRUE(os::make_dirs(request.source_dir / "sub"));
    EXPECT_TRUE(os::write_file(request.source_dir / "sub/run", "x", 0755));
  }
};

std::string text_of(const BuildRequest& request) { return codec::to_json(*write_order(request, {"COPYING"})); }

TEST(Order, ComesBackAsTheSameBuild) {
  Example example;
  const auto order = read_order(text_of(example.request));
  ASSERT_TRUE(order) << message_of(order);
  const Definition& read = *order->definition;
  EXPECT_EQ(order->key, *action_key(example.request));
  EXPECT_EQ(read.full_version(), "1.0-r3");
  EXPECT_EQ(read.resources.memory, "1Gi");
  EXPECT_EQ(read.timeout_nanoseconds, 90'000'000'000);
  EXPECT_EQ(read.environment.variables, example.definition.environment.variables);
  EXPECT_EQ(read.environment.users[0].home, "/home/user");
  EXPECT_EQ(read.environment.groups[0].members, std::vector<std::string>{"user"});
  EXPECT_EQ(read.environment.run_as, "user");
  ASSERT_EQ(read.pipeline.size(), 1u);
  ASSERT_EQ(read.pipeline[0].pipeline.size(), 2u);
  EXPECT_EQ(read.pipeline[0].uses, "some/pipeline");
  EXPECT_EQ(read.pipeline[0].pipeline[1].working_directory, "deep");
  EXPECT_EQ(read.pipeline[0].pipeline[1].environment, (definition::Pairs{{"C", "3"}}));
  EXPECT_EQ(read.subpackages[0].pipeline[0].place.line, 4);
  EXPECT_EQ(order->request.root[0].content, codec::sha256("gcc"));
  EXPECT_EQ(order->request.sources[0].expected, "sha512:abc");
  ASSERT_EQ(order->side_files.size(), 1u);
  EXPECT_EQ(order->side_files[0].first.str(), "sub/run");
  EXPECT_EQ(order->side_files[0].second, 0755u);
  EXPECT_EQ(order->keep[0].str(), "COPYING");
}

TEST(Order, KnowsNoPlaces) {
  Example one, two;
  two.definition.pipeline[1].pipeline[0].place = {"elsewhere.yaml", 99, 1};
  two.definition.file = "elsewhere.yaml";
  EXPECT_EQ(text_of(one.request), text_of(two.request));
  two.definition.pipeline[1].pipeline[0].runs = "echo other";
  EXPECT_NE(text_of(one.request), text_of(two.request));
}

TEST(Order, KeepsNetworkAndSecretsHere) {
  Example example;
  example.request.network = true;
  EXPECT_EQ(message_of(write_order(example.request, {})), "a build with network runs on this machine alone");
  example.request.network = false;
  example.definition.pipeline[1].pipeline[0].runs = "cat /run/secrets/key";
  EXPECT_EQ(message_of(write_order(example.request, {})), "a build with secrets runs on this machine alone");
}

TEST(Order, RefusesWhatIsNone) {
  Example example;
  const std::string good = text_of(example.request);
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string out = good;
    const std::size_t at = out.find(from);
    EXPECT_NE(at, out.npos) << from;
    return out.replace(at, from.size(), to);
  };
  const std::pair<std::string, std::string> cases[] = {
      {with("\"format\":1", "\"format\":2"), "the order is for another worker than this one, 1 of form 1"},
      {with("sub/run", "../run"),
       "path '../run' has the component '..'\n  while reading the side files\n  while reading the order"},
      {with("COPYING", "a/../b"),
       "path 'a/../b' has the component '..'\n  while reading what is kept\n  while reading the order"},
      {with("[\"B\",\"2\"]", "[\"B\"]"), "expected a name and a value\n  while reading the order"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(message_of(read_order(text)), message);
}

TEST(Report, CarriesAnErrorToItsPlace) {
  Example example;
  BuildReport report;
  report.key = codec::sha256("key");
  report.packages = {"x", "x-doc"};
  report.steps = {{"x: echo", 1.5, 0}};
  report.sole_owner = BuiltTree::Owner{0, 0};
  report.error = Error::make(ErrorKind::kInvalid, "step 'echo two' of 'x' stopped: exit code 1\n    wrong")
                     .at({"order", 3, 0})
                     .while_doing("step 1 (order:1) uses some/pipeline")
                     .hint("a hint of that machine");
  const auto read = read_report(write_report(report));
  ASSERT_TRUE(read) << message_of(read);
  EXPECT_EQ(read->packages, report.packages);
  EXPECT_EQ(read->steps[0].name, "x: echo");
  EXPECT_EQ(read->sole_owner->uid, 0u);
  ASSERT_TRUE(read->error);
  EXPECT_EQ(localized(*read->error, example.definition).render(),
            "os/packages/x.yaml:12:5: step 'echo two' of 'x' stopped: exit code 1\n    wrong\n"
            "  while step 2 (os/packages/x.yaml:10:5) uses some/pipeline");
  EXPECT_EQ(message_of(read_report("{\"format\":1,\"key\":\"" + std::string(64, '0') + "\",\"error\":{\"kind\":9}}")),
            "the worker's report has an error of an unknown kind");
  EXPECT_THAT(message_of(read_report("{}")), testing::HasSubstr("unknown form"));
}

}  // namespace
}  // namespace nacre::build
