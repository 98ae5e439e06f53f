#include "base/text.h"
#include "cli/container_bundle.h"
#include "cli/records.h"
#include "codec/digest.h"
#include "image/kitchen_test.h"

#include <sched.h>

#include <algorithm>

namespace nacre::cli {
namespace {

using codec::Json;

os::TempDir scratch() { return *os::TempDir::create(std::filesystem::temp_directory_path()); }

// ---- the bundle

struct BundleTest : testing::Test {
  os::TempDir dir = scratch();
  Path root = dir.path() / "root";
  BundleRequest request;

  void SetUp() override {
    for (const char* folder : {"etc", "tmp", "data", "proc", "dev"}) ASSERT_TRUE(os::make_dirs(root / folder));
    ASSERT_TRUE(os::write_file(root / "etc/passwd",
                               "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/:/bin/sh\nodd:x:many:1::/:\nshort\n"));
    ASSERT_TRUE(os::write_file(root / "etc/group", "root:x:0:\nstaff:x:50:web\n"));
    request.root = root;
    request.uid = request.gid = 65532;
    request.image.entrypoint = {"/bin/app"};
    request.image.cmd = {"--default"};
    request.image.env = {"PATH=/usr/bin"};
    request.options.name = "one";
  }
  Json bundle() {
    auto out = make_bundle(request);
    EXPECT_TRUE(out) << out.error().render();
    return out ? *std::move(out) : Json();
  }
  std::string error() {
    const auto out = make_bundle(request);
    return out ? "no error" : out.error().render();
  }
};

TEST_F(BundleTest, IsTheNarrowestThatRuns) {
  const Json json = bundle(), &process = json["process"];
  EXPECT_EQ(json["ociVersion"].as_string(), "1.0.2");
  EXPECT_EQ(codec::to_json(json["root"]), fmt::format(R"({{"path":"{}","readonly":true}})", root.string()));
  EXPECT_EQ(codec::to_json(process["user"]), R"({"uid":65532,"gid":65532})");
  EXPECT_EQ(codec::to_json(process["capabilities"]),
            R"({"bounding":[],"effective":[],"inheritable":[],"permitted":[],"ambient":[]})");
  EXPECT_TRUE(process["noNewPrivileges"].as_bool());
  EXPECT_FALSE(process["terminal"].as_bool(true));
  EXPECT_EQ(process["cwd"].as_string(), "/");
  std::vector<std::string> namespaces, mounts;
  for (const Json& row : json["linux"]["namespaces"].items()) namespaces.push_back(row["type"].as_string());
  EXPECT_EQ(join(namespaces, " "), "pid network ipc uts mount");
  for (const Json& row : json["mounts"].items()) mounts.push_back(row["destination"].as_string());
  EXPECT_EQ(join(mounts, " "), "/proc /dev /dev/shm /sys /tmp");  // the image has no /run
  EXPECT_EQ(codec::to_json(json["linux"]["resources"]["devices"]), R"([{"allow":false,"access":"rwm"}])");
  const Json& rules = json["linux"]["seccomp"]["syscalls"];
  const std::vector<std::string> denied = rules.items()[0]["names"].as_strings();
  for (const char* call : {"mount", "ptrace", "bpf", "keyctl", "unshare", "setns", "io_uring_setup", "userfaultfd"})
    EXPECT_NE(std::find(denied.begin(), denied.end(), call), denied.end()) << call;
  std::int64_t flags = 0;
  for (const Json& rule : rules.items())
    if (rule["names"].as_strings() == std::vector<std::string>{"clone"})
      flags |= rule["args"].items()[0]["value"].as_int();
  EXPECT_EQ(flags,
            CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP);
}

TEST_F(BundleTest, RootlessMapsOneUser) {
  request.rootless = true;
  request.uid = request.gid = 0;
  request.caller_uid = 1000;
  request.caller_gid = 1001;
  const Json linux_part = bundle()["linux"];
  EXPECT_EQ(codec::to_json(linux_part["uidMappings"]), R"([{"containerID":0,"hostID":1000,"size":1}])");
  EXPECT_EQ(codec::to_json(linux_part["gidMappings"]), R"([{"containerID":0,"hostID":1001,"size":1}])");
  EXPECT_EQ(linux_part["namespaces"].items().back()["type"].as_string(), "user");
  EXPECT_TRUE(linux_part["resources"].is_null());
}

TEST_F(BundleTest, ArgumentsAndEntrypointReplaceWhatTheImageSays) {
  struct Row {
    std::string entrypoint;
    std::vector<std::string> arguments;
    std::string wanted;
  };
  const std::vector<Row> rows = {{"", {}, "/bin/app --default"},
                                 {"", {"a", "b"}, "/bin/app a b"},
                                 {"/bin/sh", {}, "/bin/sh"},
                                 {"/bin/sh", {"-c", "x"}, "/bin/sh -c x"}};
  for (const Row& row : rows) {
    request.options.entrypoint = row.entrypoint;
    request.options.arguments = row.arguments;
    EXPECT_EQ(join(bundle()["process"]["args"].as_strings(), " "), row.wanted);
  }
  request.options.env = {"A=b"};
  EXPECT_EQ(join(bundle()["process"]["env"].as_strings(), " "), "PATH=/usr/bin A=b");
  request.options = {};
  request.image.entrypoint = request.image.cmd = {};
  EXPECT_EQ(error(), "the image names no program to run\n  hint: give one: nacre run IMAGE -- PROGRAM ARGUMENT …");
}

TEST_F(BundleTest, MountsNeedAPlaceInTheImage) {
  request.options.tmpfs = {"/data", "/tmp"};
  request.options.volumes = {{dir.path(), "/etc"}};
  std::vector<std::string> mounts;
  const Json found = bundle();
  for (const Json& row : found["mounts"].items())
    mounts.push_back(row["destination"].as_string() + "=" + row["source"].as_string());
  EXPECT_EQ(
      join(mounts, " "),
      fmt::format("/proc=proc /dev=tmpfs /dev/shm=shm /sys=sysfs /tmp=tmpfs /data=tmpfs /etc={}", dir.path().string()));
  const std::string missing = "\n  hint: add it under `paths:` in the image's definition";
  request.options.volumes = {{dir.path(), "/none"}};
  EXPECT_EQ(error(), "the image has no '/none' to mount on, and its root is read-only" + missing);
  request.options.volumes = {{dir.path() / "none", "/data"}};
  EXPECT_EQ(error(), fmt::format("no '{}' on this machine to mount", (dir.path() / "none").string()));
  request.options.volumes = {};
  request.options.tmpfs = {"data"};
  EXPECT_EQ(error(), "expected an absolute path inside the container, got 'data'");
  for (const char* odd : {"/../..", "/data/../../x"}) {
    request.options.tmpfs = {odd};
    EXPECT_FALSE(make_bundle(request)) << odd;
  }
}

TEST_F(BundleTest, UsersAreNumbersOrNamesOfTheImage) {
  struct Row {
    std::string user;
    unsigned uid = 0, gid = 0;
    std::string error;
  };
  const std::vector<Row> rows = {
      {"", 0, 0, ""},
      {"65532", 65532, 0, ""},
      {"65532:65533", 65532, 65533, ""},
      {"101", 101, 102, ""},
      {"web", 101, 102, ""},
      {"web:staff", 101, 50, ""},
      {"web:7", 101, 7, ""},
      {"nobody", 0, 0, "the image's user 'nobody' is not in its etc/passwd"},
      {"short", 0, 0, "the image's user 'short' is not in its etc/passwd"},
      {"odd", 0, 0, "the image's user 'odd' is not in its etc/passwd"},
      {"4294967296", 0, 0, "the image's user '4294967296' is not in its etc/passwd"},
      {"-1", 0, 0, "the image's user '-1' is not in its etc/passwd"},
      {":5", 0, 0, "the image's user '' is not in its etc/passwd"},
      {"web:none", 0, 0, "the image's group 'none' is not in its etc/group"},
      {"web:", 0, 0, "the image's group '' is not in its etc/group"},
  };
  for (const Row& row : rows) {
    const auto found = resolve_user(row.user, root);
    if (!row.error.empty()) {
      EXPECT_EQ(found ? "no error" : found.error().render(), row.error);
      continue;
    }
    ASSERT_TRUE(found) << found.error().render();
    EXPECT_EQ(*found, std::pair(row.uid, row.gid)) << row.user;
  }
  // An image whose etc/passwd leads out of it has no users.
  std::filesystem::remove(root / "etc/passwd");
  std::filesystem::create_symlink("/etc/passwd", root / "etc/passwd");
  EXPECT_FALSE(resolve_user("root", root));
}

// ---- records of builds

struct RecordsTest : image::Kitchen {
  BuildRecord record() {
    BuildRecord out;
    out.definition = "zlib";
    out.version = "1.3.2-r0";
    out.action_key = codec::sha256("action");
    out.definition_digest = codec::sha256("yaml");
    out.log = codec::sha256("log");
    out.from = {codec::sha256("recipe"), {"a", "b"}, {{"gcc", "1"}, {"make", "2"}}};
    index::SerialPackage package;
    package.record.name = "zlib";
    package.record.version = "1.3.2-r0";
    package.record.arch = "x86_64";
    package.record.checksum = "Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    package.apk = *store_->put_bytes("apk");
    package.provenance = *store_->put_bytes("provenance");
    package.sbom = *store_->put_bytes("sbom");
    package.action_key = out.action_key;
    out.packages = {package};
    out.seconds = 1.5;
    out.finished = 1'700'000'000;
    return out;
  }
};

TEST_F(RecordsTest, ComeBackAsTheyWent) {
  const BuildRecord kept = record();
  ASSERT_TRUE(keep_build(env_, kept));
  const auto found = find_build(env_, kept.action_key);
  ASSERT_TRUE(found) << found.error().render();
  ASSERT_TRUE(*found);
  const BuildRecord& same = **found;
  EXPECT_EQ(same.definition, "zlib");
  EXPECT_EQ(same.version, "1.3.2-r0");
  EXPECT_EQ(same.action_key, kept.action_key);
  EXPECT_EQ(same.definition_digest, kept.definition_digest);
  EXPECT_EQ(same.log, kept.log);
  EXPECT_EQ(same.from.recipe, kept.from.recipe);
  EXPECT_EQ(same.from.sources, kept.from.sources);
  EXPECT_EQ(same.from.root, kept.from.root);
  ASSERT_EQ(same.packages.size(), 1u);
  EXPECT_EQ(same.packages[0].record, kept.packages[0].record);
  EXPECT_EQ(same.packages[0].apk, kept.packages[0].apk);
  EXPECT_EQ(same.seconds, 1.5);
  EXPECT_EQ(same.finished, 1'700'000'000);
}

TEST_F(RecordsTest, TheLatestIsTheOneChosen) {
  BuildRecord older = record(), newer = record();
  newer.action_key = codec::sha256("newer");
  newer.version = "1.3.3-r0";
  EXPECT_FALSE(latest_build(env_, "zlib")->has_value());
  ASSERT_TRUE(keep_build(env_, older));
  ASSERT_TRUE(keep_build(env_, newer));
  EXPECT_EQ((*latest_build(env_, "zlib"))->version, "1.3.3-r0");
  ASSERT_TRUE(choose_build(env_, "zlib", older.action_key));
  EXPECT_EQ((*latest_build(env_, "zlib"))->version, "1.3.2-r0");
  EXPECT_FALSE(latest_build(env_, "zlib-dev")->has_value());
}

TEST_F(RecordsTest, ABuildWhoseBlobIsGoneIsUnknown) {
  BuildRecord kept = record();
  kept.packages[0].sbom = codec::sha256("never stored");
  ASSERT_TRUE(keep_build(env_, kept));
  EXPECT_FALSE(find_build(env_, kept.action_key)->has_value());
  ASSERT_TRUE(store_->state().put("build", kept.action_key.hex(), "{\"definition\":1}"));
  const auto broken = find_build(env_, kept.action_key);
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().render().find("while reading the record of build " + kept.action_key.hex()),
            std::string::npos);
}

}  // namespace
}  // namespace nacre::cli
