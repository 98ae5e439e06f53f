#include "apk/package_file.h"
#include "base/events.h"
#include "codec/digest.h"
#include "crypto/signer.h"
#include "index/index.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/gc.h"
#include "store/store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nacre::index {
namespace {

using crypto::Purpose;

/// One key for the whole program: making one takes seconds. Two editions with the same key are told
/// apart by its name, which is what is tested.
const std::string& key_pem() {
  static const std::string kPem =
      crypto::PrivateKey::generate(crypto::KeyKind::kRsa4096).take().pem();
  return kPem;
}

/// A factory of its own: store, keys, clock.
struct Factory {
  os::Path folder;
  std::unique_ptr<store::Store> store = store::Store::open(folder / "home").take();
  crypto::FileSigner signer{folder / "keys"};
  os::FakeProcesses processes;
  os::FakeClock clock;
  NoEvents events;
  // No room of this test reaches for the network: what stands here is never called.
  alignas(8) char no_http[8] = {};
  Env env{processes, clock, reinterpret_cast<net::Http&>(no_http), *store, events, {}};

  explicit Factory(os::Path place) : folder(std::move(place)) {}

  SerialPackage package(std::string name, std::string version, std::string content,
                        Edition edition = Edition::kCommunity) {
    apk::PackageInfo info;
    info.name = name;
    info.version = version;
    info.arch = "x86_64";
    apk::DataEntry entry;
    entry.header.path = "content";
    entry.content = std::move(content);
    apk::WriteOptions options;
    options.signer = segment_signer(signer, edition);
    const os::Path path = folder / fmt::format("{}-{}.{}.apk", name, version, ::getpid());
    const auto file = apk::write_package(path, info, {entry}, options);
    EXPECT_TRUE(file) << file.error().render();
    SerialPackage out;
    out.record = file->record();
    out.apk = store->put_file(path, store::Store::Take::kMove).take();
    out.provenance = store->put_bytes("provenance of " + name).take();
    out.sbom = store->put_bytes("sbom of " + name).take();
    return out;
  }

  /// A serial with its index, as the flow makes them.
  Serial serial(std::vector<SerialPackage> packages, std::uint64_t number,
                Edition edition = Edition::kCommunity) {
    Serial out;
    out.edition = edition;
    out.packages = std::move(packages);
    out.reason = fmt::format("test {}", number);
    const auto bytes = make_index(out.packages, edition, number, segment_signer(signer, edition));
    EXPECT_TRUE(bytes) << bytes.error().render();
    out.index = store->put_bytes(*bytes).take();
    return out;
  }

  std::uint64_t head_number() {
    const auto newest = head(env, Edition::kCommunity);
    EXPECT_TRUE(newest) << newest.error().render();
    return *newest ? (*newest)->number : 0;
  }
};

struct PublishTest : testing::Test {
  os::TempDir folder = os::TempDir::create("/tmp").take();
  Factory factory{prepared(folder.path())};
  Env& env = factory.env;
  SerialPackage zlib = factory.package("zlib", "1.3.1-r0", "zlib");
  SerialPackage curl = factory.package("curl", "8.0-r0", "curl");

  static os::Path prepared(const os::Path& place) {
    for (const char* edition : {"community", "stage0"})
      EXPECT_TRUE(os::make_dirs(place / "keys", 0700) &&
                  os::write_file(place / "keys" / fmt::format("{}-package.pem", edition),
                                 key_pem(), 0600));
    return place;
  }
  std::string error_of(Serial next) {
    const auto published = publish_serial(env, std::move(next));
    return published ? "no error" : published.error().render();
  }
  Serial publish(std::vector<SerialPackage> packages, std::uint64_t number) {
    auto published = publish_serial(env, factory.serial(std::move(packages), number));
    EXPECT_TRUE(published) << published.error().render();
    return std::move(published).take();
  }
};

constexpr std::string_view kFirst = "\n  while publishing serial 1 of edition community";

TEST_F(PublishTest, MakesAChainOfSerials) {
  EXPECT_FALSE(head(env, Edition::kCommunity).take().has_value());
  EXPECT_TRUE(list_serials(env, Edition::kCommunity).take().empty());
  const Serial first = publish({zlib, curl}, 1);
  EXPECT_EQ(first.number, 1u);
  EXPECT_EQ(first.previous, Sha256{});
  EXPECT_EQ(first.published, 1'700'000'000);
  EXPECT_EQ(first.packages[0].record.name, "curl");

  factory.clock.sleep(-60);  // set back: a newer serial never looks older
  const Serial second = publish({zlib}, 2);
  EXPECT_EQ(second.published, 1'700'000'000);
  EXPECT_EQ(second.previous,
            codec::sha256(codec::to_canonical_json(serial_to_json(first))));
  EXPECT_EQ(head(env, Edition::kCommunity).take()->reason, "test 2");
  EXPECT_EQ(load_serial(env, Edition::kCommunity, 1).take().packages.size(), 2u);
  EXPECT_EQ(list_serials(env, Edition::kCommunity).take().size(), 2u);
  EXPECT_FALSE(head(env, Edition::kStage0).take().has_value());
}

TEST_F(PublishTest, TheIndexIsSortedAndSigned) {
  const SerialPackage newer = factory.package("zlib", "1.10-r0", "zlib 1.10");
  const Serial serial = publish({newer, zlib, curl}, 1);
  const std::string bytes = factory.store->read(serial.index).take();
  const apk::IndexFile index = apk::read_index(bytes, "index").take();
  ASSERT_EQ(index.records.size(), 3u);
  EXPECT_EQ(index.records[0].name, "curl");
  EXPECT_EQ(index.records[1].version, "1.3.1-r0");
  EXPECT_EQ(index.records[2].version, "1.10-r0");
  EXPECT_EQ(index.description, "nacre community serial 1");
  EXPECT_EQ(index.key_name, "nacre-community.rsa.pub");
  const auto key = factory.signer.public_key(Edition::kCommunity, Purpose::kPackage);
  EXPECT_TRUE(key->verify(index.signed_bytes, index.signature_bytes));
  EXPECT_EQ(make_index({zlib, zlib}, Edition::kCommunity, 1, {}).error().render(),
            "zlib-1.3.1-r0.x86_64 is twice in the index of edition community");
}

TEST_F(PublishTest, ANameMeansOneContentForEver) {
  publish({zlib}, 1);
  const SerialPackage other = factory.package("zlib", "1.3.1-r0", "other bytes");
  publish({curl}, 2);  // the name stays taken after the package left
  EXPECT_EQ(error_of(factory.serial({other}, 3)),
            "zlib-1.3.1-r0.x86_64 was published in edition community as " + zlib.apk.oci() +
                ", and now is " + other.apk.oci() +
                "\n  while publishing serial 3 of edition community"
                "\n  hint: a name means one content for ever: raise the epoch in its definition "
                "and build again");
  EXPECT_EQ(factory.head_number(), 2u);
  publish({zlib, curl}, 3);
  // Another edition has names of its own.
  const SerialPackage stage0 = factory.package("zlib", "1.3.1-r0", "stage0", Edition::kStage0);
  EXPECT_EQ(error_of(factory.serial({stage0}, 1, Edition::kStage0)), "no error");
}

TEST_F(PublishTest, RefusesPackagesOfAnotherEdition) {
  const SerialPackage foreign = factory.package("gcc", "12-r0", "gcc", Edition::kStage0);
  const auto refused = publish_serial(env, factory.serial({zlib, foreign}, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(refused.error().render(),
            "gcc-12-r0.x86_64 is signed by 'nacre-stage0.rsa.pub': edition community takes only "
            "what 'nacre-community.rsa.pub' signed" + std::string(kFirst) +
            "\n  hint: content of two editions never mixes: build it in this edition");
  Serial mixed = factory.serial({zlib}, 1);
  mixed.index = factory.serial({zlib}, 1, Edition::kStage0).index;
  EXPECT_EQ(publish_serial(env, mixed).error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(factory.head_number(), 0u);
}

TEST_F(PublishTest, ChecksWhatTheSerialSays) {
  Serial absent = factory.serial({zlib}, 1);
  absent.packages[0].sbom = codec::sha256("never stored");
  EXPECT_EQ(error_of(absent), "the serial names blob " + codec::sha256("never stored").oci() +
                                  ", which is not in the store" + std::string(kFirst));
  Serial other_index = factory.serial({zlib}, 1);
  other_index.packages = {zlib, curl};
  EXPECT_EQ(error_of(other_index),
            "the index does not hold the packages of the serial" + std::string(kFirst));
  Serial swapped = factory.serial({zlib}, 1);
  swapped.packages[0].apk = curl.apk;
  EXPECT_EQ(error_of(swapped), "the record says zlib-1.3.1-r0.x86_64 (" + zlib.record.checksum +
                                   "), but its .apk is curl-8.0-r0.x86_64 (" +
                                   curl.record.checksum + ")" + std::string(kFirst));
  Serial no_index = factory.serial({zlib}, 1);
  no_index.index = {};
  EXPECT_EQ(error_of(no_index), "the serial names no index" + std::string(kFirst));
  // Text that JSON cannot hold must not become a manifest that nobody can read.
  Serial unreadable = factory.serial({zlib}, 1);
  unreadable.reason = "\xff";
  EXPECT_NE(error_of(unreadable), "no error");
  EXPECT_EQ(factory.head_number(), 0u);
}

TEST_F(PublishTest, ARollbackIsANewSerialWithOldContent) {
  publish({zlib}, 1);
  publish({zlib, curl}, 2);
  Serial back = load_serial(env, Edition::kCommunity, 1).take();
  back.index = factory.serial({zlib}, 3).index;
  back.rolled_back_to = 1;
  back.reason = "rollback to 1";
  const auto published = publish_serial(env, back);
  ASSERT_TRUE(published) << published.error().render();
  EXPECT_EQ(published->number, 3u);
  EXPECT_EQ(factory.head_number(), 3u);
  Serial wrong = factory.serial({zlib}, 4);
  wrong.rolled_back_to = 2;
  EXPECT_EQ(error_of(wrong), "serial 4 says it is a rollback to serial 2, but holds other content\n"
                             "  while publishing serial 4 of edition community");
}

TEST_F(PublishTest, AnotherPublicationMeanwhileIsAConflict) {
  const Serial late = factory.serial({zlib}, 1);
  publish({curl}, 1);
  const auto refused = publish_serial(env, late);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kConflict);
  EXPECT_EQ(refused.error().render(),
            "the index was made for serial 1 of edition community, but the next one is 2\n"
            "  while publishing serial 2 of edition community\n"
            "  hint: another process published meanwhile: run the same command again");
}

TEST_F(PublishTest, OfManyProcessesOneWins) {
  const Serial next = factory.serial({zlib}, 1);
  std::vector<pid_t> children;
  for (int i = 0; i < 6; ++i) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    Factory mine(folder.path());
    const auto published = publish_serial(mine.env, next);
    ::_exit(published ? 0 : published.error().kind() == ErrorKind::kConflict ? 1 : 2);
  }
  int won = 0;
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) < 2) << status;
    won += WEXITSTATUS(status) == 0;
  }
  EXPECT_EQ(won, 1);
  EXPECT_EQ(factory.head_number(), 1u);
}

TEST_F(PublishTest, ACrashAtAnyPointLeavesTheOldHeadOrTheNew) {
  publish({zlib}, 1);
  std::uint64_t known = 1;
  for (unsigned delay_us = 0; delay_us < 30'000; delay_us += 1'500) {
    const Serial next = factory.serial({zlib, curl}, known + 1);
    const pid_t child = ::fork();
    if (child == 0) {
      Factory mine(folder.path());
      (void)publish_serial(mine.env, next);
      ::_exit(0);
    }
    ::usleep(delay_us);
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    const std::uint64_t now = factory.head_number();
    EXPECT_TRUE(now == known || now == known + 1) << now;
    const auto all = list_serials(env, Edition::kCommunity);
    ASSERT_TRUE(all) << all.error().render();
    EXPECT_EQ(all->size(), now);
    known = now;
  }
  publish({zlib, curl}, known + 1);
}

TEST_F(PublishTest, ADamagedManifestIsNoticed) {
  publish({zlib}, 1);
  const auto records = factory.store->state().list("serial/community").take();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].first, "00000000000000000001");
  const Sha256 manifest = parse_sha256(records[0].second).take();
  ASSERT_TRUE(os::write_file(factory.store->blob_path(manifest), "{}"));
  const auto loaded = load_serial(env, Edition::kCommunity, 1);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(load_serial(env, Edition::kCommunity, 7).error().render(),
            "edition community has no serial 7\n  hint: the newest is 1");
  EXPECT_EQ(load_serial(env, Edition::kProduction, 7).error().render(),
            "edition production has no serial 7\n"
            "  hint: nothing was published in this edition yet");
}

TEST_F(PublishTest, NothingPublishedIsCollected) {
  publish({zlib}, 1);
  publish({curl}, 2);
  const Sha256 loose = factory.store->put_bytes("loose").take();
  ::usleep(20'000);
  const auto roots = published_blobs(env).take();
  ASSERT_TRUE(store::collect_garbage(*factory.store, roots, {}, 0));
  EXPECT_FALSE(factory.store->has(loose));
  for (const Serial& serial : list_serials(env, Edition::kCommunity).take())
    for (const Sha256& blob : blobs_of(serial)) EXPECT_TRUE(factory.store->has(blob));
}

}  // namespace
}  // namespace nacre::index
