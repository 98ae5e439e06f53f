#include "index/freshness.h"

#include "apk/index_file.h"
#include "base/encoding.h"
#include "base/events.h"
#include "codec/digest.h"
#include "index/repositories.h"
#include "net/http.h"
#include "os/process.h"
#include "store/store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

namespace nacre::index {
namespace {

constexpr std::int64_t kDay = 24 * 3600;

TEST(CanonicalJson, IsWhatTufSigns) {
  const auto json = codec::parse_json("{\"b\": [1, true, null, \"a\\n\\\"\\\\\\u00e9\"], \"a\": {}}", "x");
  EXPECT_EQ(*canonical_json(*json), "{\"a\":{},\"b\":[1,true,null,\"a\n\\\"\\\\\u00e9\"]}");
  EXPECT_FALSE(canonical_json(*codec::parse_json("[1.5]", "x")));
}

/// A publisher, a directory that it writes, and a client with a store. What happens between is each test's matter.
struct FreshnessTest : testing::Test {
  os::TempDir folder = *os::TempDir::create(std::filesystem::temp_directory_path());
  std::unique_ptr<store::Store> store = *store::Store::open(folder.path() / "home");
  os::SystemProcesses processes;
  os::FakeClock clock;
  net::RecordedHttp http;
  NoEvents events;
  Env env{processes, clock, http, *store, events, {}};
  crypto::FileSigner signer{folder.path() / "keys"};
  os::Path repo = folder.path() / "repo";
  FreshnessOptions options;

  void SetUp() override {
    publish("one");
    trust();
  }
  /// An index that describes itself as `what`, and metadata for it.
  void publish(const std::string& what) {
    ASSERT_TRUE(os::make_dirs(repo / "x86_64"));
    ASSERT_TRUE(os::write_file(repo / "x86_64/APKINDEX.tar.gz", *apk::pack_index({}, what, {})));
    refresh();
  }
  void refresh() {
    const auto report = write_freshness(repo, signer, clock, options);
    ASSERT_TRUE(report) << report.error().render();
  }
  void trust() {
    const auto done = trust_root(env, repo.string(), read("root.json"));
    ASSERT_TRUE(done) << done.error().render();
  }
  std::string read(const std::string& name) { return *os::read_file(repo / "tuf" / name); }
  void write(const std::string& name, std::string_view bytes) {
    ASSERT_TRUE(os::write_file(repo / "tuf" / name, bytes));
  }
  /// What a client says: the description of the index that it took, or why it took none.
  std::string client() {
    RepositorySource source;
    source.arch = *find_arch("x86_64");
    source.repositories = {repo.string()};
    source.signatures = RepositorySource::Signatures::kIgnore;
    const auto opened = Repositories::open(source, env);
    if (!opened) return opened.error().render();
    return (opened->all().front().fresh ? "fresh " : "") + opened->all().front().description;
  }
  void copy(const os::Path& from, const os::Path& to) {
    ASSERT_TRUE(os::remove_tree(to));
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }
};

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(FreshnessTest, AChannelIsNotAnother) {
  EXPECT_EQ(client(), "fresh one");
  const os::Path other = folder.path() / "other";
  copy(repo, other);
  ASSERT_TRUE(os::remove_tree(other / "tuf"));
  options.channel = "edge";
  ASSERT_TRUE(write_freshness(other, signer, clock, options));
  copy(other / "tuf", repo / "tuf");
  const std::string said = client();
  EXPECT_NE(said.find("timestamp 1 is of channel 'edge', and what is trusted is of no channel"), std::string::npos)
      << said;
  trust();
  EXPECT_EQ(client(), "fresh one");
}

TEST_F(FreshnessTest, AClientTakesWhatIsNew) {
  EXPECT_EQ(client(), "fresh one");
  publish("two");
  EXPECT_EQ(client(), "fresh two");
  // Nothing changed: only the timestamp is new.
  const std::string snapshot = read("2.snapshot.json"), before = read("timestamp.json");
  refresh();
  EXPECT_EQ(client(), "fresh two");
  EXPECT_EQ(read("2.snapshot.json"), snapshot);
  EXPECT_NE(read("timestamp.json"), before);
  const auto known = trusted_repositories(env);
  ASSERT_TRUE(known);
  ASSERT_EQ(known->size(), 1u);
  EXPECT_EQ(known->front().timestamp, 3u);
  EXPECT_EQ(known->front().targets, 2u);
}

TEST_F(FreshnessTest, WithoutATrustedRootItIsUsedAsBefore) {
  ASSERT_TRUE(*forget_root(env, repo.string()));
  EXPECT_FALSE(*forget_root(env, repo.string()));
  EXPECT_EQ(client(), "one");
}

TEST_F(FreshnessTest, RollbackIsRefused) {
  copy(repo, folder.path() / "old");
  publish("two");
  EXPECT_EQ(client(), "fresh two");
  copy(folder.path() / "old", repo);
  EXPECT_SAYS(client(), "timestamp 1 is older than 2, which was seen before");
}

TEST_F(FreshnessTest, FreezeIsRefused) {
  EXPECT_EQ(client(), "fresh one");
  clock.sleep(8 * kDay);
  EXPECT_SAYS(client(), "timestamp 1 expired at ");
  refresh();
  EXPECT_EQ(client(), "fresh one");
  clock.sleep(400 * kDay);
  EXPECT_SAYS(client(), "root 1 expired at ");
  refresh();  // the root comes to its end: the next one is written
  EXPECT_EQ(client(), "fresh one");
}

TEST_F(FreshnessTest, MixAndMatchIsRefused) {
  const std::string targets = read("1.targets.json"), snapshot = read("1.snapshot.json");
  publish("two");
  const std::string second = read("2.targets.json");
  write("2.targets.json", targets);
  EXPECT_SAYS(client(), "2.targets.json' ");
  write("2.targets.json", second);
  write("2.snapshot.json", snapshot);
  EXPECT_SAYS(client(), "2.snapshot.json' ");
}

TEST_F(FreshnessTest, EndlessDataIsRefused) {
  const std::string good = read("timestamp.json");
  write("timestamp.json", good + std::string(1u << 20, ' '));
  EXPECT_SAYS(client(), "more than the limit of");
  write("timestamp.json", good);
  write("1.snapshot.json", read("1.snapshot.json") + " ");
  EXPECT_SAYS(client(), "more than the limit of");
  publish("two");
  const os::Path index = repo / "x86_64/APKINDEX.tar.gz";
  const std::string bytes = *os::read_file(index);
  ASSERT_TRUE(os::write_file(repo / "x86_64" / (codec::sha256(bytes).hex() + ".APKINDEX.tar.gz"),
                             bytes + std::string(1000, '\0')));
  EXPECT_SAYS(client(), "more than the limit of");
}

TEST_F(FreshnessTest, AnotherKeyIsRefused) {
  crypto::FileSigner thief(folder.path() / "thief");
  ASSERT_TRUE(os::remove_tree(repo / "tuf"));
  ASSERT_TRUE(write_freshness(repo, thief, clock, options));
  EXPECT_SAYS(client(), "tuf/timestamp.json' has 0 good signatures of the 1 that root 1 asks for");
  options.new_root = true;  // and a root of its own after ours
  ASSERT_TRUE(write_freshness(repo, thief, clock, options));
  EXPECT_SAYS(client(), "2.root.json' has 0 good signatures");
}

TEST_F(FreshnessTest, ATamperedMirrorIsRefused) {
  const std::string digest = codec::sha256(*os::read_file(repo / "x86_64/APKINDEX.tar.gz")).hex();
  const std::string evil = *apk::pack_index({}, "on3", {});
  ASSERT_TRUE(os::write_file(repo / "x86_64/APKINDEX.tar.gz", evil));
  EXPECT_EQ(client(), "fresh one");  // it lies under its own name, too
  ASSERT_TRUE(os::write_file(repo / "x86_64" / (digest + ".APKINDEX.tar.gz"), evil));
  EXPECT_SAYS(client(), "its metadata names sha256:" + digest);
  const std::string good = read("timestamp.json");
  std::string changed = good;
  changed.replace(changed.find("\"version\": 1"), 12, "\"version\": 9");
  write("timestamp.json", changed);
  EXPECT_SAYS(client(), "has 0 good signatures");
  ASSERT_TRUE(os::remove_tree(repo / "tuf"));
  EXPECT_SAYS(client(), "timestamp.json' is not there");
  ASSERT_TRUE(os::make_dirs(repo / "tuf"));
  for (const char* text : {"", "{", "[]", "{\"signed\":{}}", "<html>",
                           "{\"signed\":{\"_type\":\"root\"},\"signatures\":[]}"}) {
    write("timestamp.json", text);
    EXPECT_SAYS(client(), "timestamp.json");
  }
}

TEST_F(FreshnessTest, RootsFollowEachOtherByTheKeysOfBoth) {
  // Two keys more, two of three must sign; then the online key changes.
  const auto a = *crypto::PrivateKey::generate(crypto::KeyKind::kEcdsaP256);
  const auto b = *crypto::PrivateKey::generate(crypto::KeyKind::kEcdsaP256);
  options.root_keys = {a.public_key(), b.public_key()};
  options.root_threshold = 2;
  options.new_root = true;
  auto refused = write_freshness(repo, signer, clock, options);
  ASSERT_FALSE(refused);
  EXPECT_SAYS(refused.error().render(), "root 2 needs 2 signatures of root 2's keys, and fewer can be given here");
  options.root_signers = {a};
  refresh();
  EXPECT_EQ(client(), "fresh one");
  ASSERT_TRUE(os::remove_tree(folder.path() / "keys/community-freshness.pem"));
  options.root_keys.clear();
  options.root_threshold = 0;
  options.new_root = false;
  refresh();  // root 3: the old online key is named no more
  const std::string third = read("3.root.json");
  EXPECT_EQ(client(), "fresh one");

  // A client that only has root 1 walks the whole chain, and none of it can be left out or thinned.
  ASSERT_TRUE(trust_root(env, repo.string(), read("1.root.json")));
  EXPECT_EQ(client(), "fresh one");
  ASSERT_TRUE(trust_root(env, repo.string(), read("1.root.json")));
  const std::string second = read("2.root.json");
  ASSERT_TRUE(os::remove_tree(repo / "tuf/2.root.json"));
  EXPECT_SAYS(client(), "has 0 good signatures of the 1 that root 1 asks for");
  write("2.root.json", third);
  EXPECT_SAYS(client(), "says that it is root 3");
  auto thin = codec::parse_json(second, "x");
  codec::Json one = codec::Json::array({(*thin)["signatures"].items().front()});
  write("2.root.json", codec::to_json(thin->set("signatures", one)));
  EXPECT_SAYS(client(), "has 1 good signatures of the 2 that root 2 asks for");
  one = codec::Json::array({one.items().front(), one.items().front()});
  write("2.root.json", codec::to_json(thin->set("signatures", one)));
  EXPECT_SAYS(client(), "has 1 good signatures of the 2 that root 2 asks for");
}

TEST_F(FreshnessTest, OneKeyUnderTwoIdsSignsOnce) {
  auto json = codec::parse_json(read("1.root.json"), "x");
  codec::Json body = (*json)["signed"];
  const std::string id = body["roles"]["root"]["keyids"].items().front().as_string();
  codec::Json keys = body["keys"];
  keys.set("twin", keys[id]);
  codec::Json roles = body["roles"], rule;
  rule.set("keyids", codec::Json::strings({id, "twin"})).set("threshold", 2);
  roles.set("root", rule);
  body.set("keys", keys).set("roles", roles);
  const std::string bytes = *canonical_json(body);
  codec::Json rows = codec::Json::array();
  for (const std::string& key : {id, std::string("twin")}) {
    codec::Json row;
    const std::string signature = *signer.sign(Edition::kCommunity, crypto::Purpose::kRoot, bytes);
    rows.push(row.set("keyid", key).set("sig", to_hex(signature)));
  }
  json->set("signed", body).set("signatures", rows);
  const auto trusted = trust_root(env, repo.string(), codec::to_json(*json));
  ASSERT_FALSE(trusted);
  EXPECT_SAYS(trusted.error().render(), "'the root' has 1 good signatures of the 2 that root 1 asks for");
}

/// An edition that publishes serials without packages.
struct EditionFreshnessTest : FreshnessTest {
  Serial publish_next() {
    const auto before = *head(env, Edition::kCommunity);
    Serial next;
    next.index = *store->put_bytes(*make_index({}, Edition::kCommunity, before ? before->number + 1 : 1,
                                               segment_signer(signer, Edition::kCommunity)));
    auto published = publish_serial(env, next);
    EXPECT_TRUE(published) << published.error().render();
    return *published;
  }
  FreshnessReport renew(Renew when = Renew::kAlways) {
    options.renew = when;
    auto report = refresh_edition(env, signer, options);
    EXPECT_TRUE(report && *report) << (report ? "nothing is published" : report.error().render());
    return **report;
  }
  MetadataFiles files() { return *edition_metadata(env, Edition::kCommunity); }
};

TEST_F(EditionFreshnessTest, NamesTheNewestSerial) {
  EXPECT_FALSE(*refresh_edition(env, signer, options)) << "nothing is published yet";
  const Serial first = publish_next();
  renew();
  EXPECT_TRUE(*metadata_names(files(), first.index));
  const Serial second = publish_next();
  EXPECT_FALSE(*metadata_names(files(), second.index)) << "as after a crash";
  EXPECT_TRUE(renew(Renew::kWhenDue).changed);
  EXPECT_TRUE(*metadata_names(files(), second.index));
  EXPECT_FALSE(*metadata_names(files(), first.index));
}

TEST_F(EditionFreshnessTest, RenewsWhatIsDue) {
  publish_next();
  EXPECT_EQ(renew().timestamp, 1u);
  EXPECT_FALSE(renew(Renew::kWhenDue).changed);
  clock.sleep(2 * kDay);
  const FreshnessReport later = renew(Renew::kWhenDue);
  EXPECT_EQ(later.timestamp, 2u);
  EXPECT_EQ(later.snapshot, 1u);
  EXPECT_EQ(later.timestamp_expires, os::rfc3339(clock.now_seconds() + 7 * kDay));
  const auto due = freshness_due(files(), options);
  ASSERT_TRUE(due) << due.error().render();
  ASSERT_EQ(due->size(), 4u);
  EXPECT_EQ(due->back().due, os::rfc3339(clock.now_seconds() + kDay));
  EXPECT_EQ(due->back().expires, later.timestamp_expires);
  EXPECT_EQ(due->at(2).due, os::rfc3339(clock.now_seconds() - 2 * kDay + 30 * kDay - 30 * kDay / 4));
  clock.sleep(26 * kDay);
  EXPECT_EQ(renew(Renew::kWhenDue).snapshot, 2u);
  EXPECT_EQ(renew().targets, 1u);
}

TEST_F(EditionFreshnessTest, IsWhatAClientChecks) {
  publish_next();
  renew();
  const auto write_out = [&] {
    const Serial newest = **head(env, Edition::kCommunity);
    ASSERT_TRUE(os::remove_tree(repo));
    ASSERT_TRUE(os::make_dirs(repo / "tuf"));
    ASSERT_TRUE(os::make_dirs(repo / "x86_64"));
    ASSERT_TRUE(os::write_file(repo / "x86_64/APKINDEX.tar.gz", *store->read(newest.index)));
    for (const auto& [name, bytes] : files()) write(name, bytes);
  };
  write_out();
  ASSERT_TRUE(*forget_root(env, repo.string()));
  trust();
  EXPECT_EQ(client(), "fresh nacre community serial 1");
  copy(repo, folder.path() / "old");
  publish_next();
  renew();
  write_out();
  EXPECT_EQ(client(), "fresh nacre community serial 2");
  copy(folder.path() / "old", repo);
  EXPECT_SAYS(client(), "which was seen before");
}

TEST_F(EditionFreshnessTest, KeepsAllRootsAndFewOfTheRest) {
  for (int i = 0; i < 12; ++i) {
    publish_next();
    renew();
  }
  options.new_root = true;
  EXPECT_EQ(renew().root, 2u);
  std::size_t roots = 0, targets = 0;
  for (const auto& [name, bytes] : files()) {
    roots += name.ends_with(".root.json");
    targets += name.ends_with(".targets.json");
  }
  EXPECT_EQ(roots, 2u);
  EXPECT_EQ(targets, 8u);
  EXPECT_TRUE(files().contains("12.targets.json"));
  EXPECT_EQ(files().at("root.json"), files().at("2.root.json"));
}

}  // namespace
}  // namespace nacre::index
