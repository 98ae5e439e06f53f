#include "index/repositories.h"

#include "apk/index_file.h"
#include "apk/package_file.h"
#include "base/events.h"
#include "codec/digest.h"
#include "codec/gzip.h"
#include "codec/tar.h"
#include "crypto/key.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

namespace nacre::index {
namespace {

std::string lines_of(std::string_view text) {
  const auto parsed = parse_repositories(text, "list");
  if (!parsed) return parsed.error().render();
  std::string out;
  for (const RepositoryLine& line : *parsed) out += fmt::format("[{}] {}\n", line.tag, line.base);
  return out;
}

TEST(RepositoryLines, AreReadInEveryForm) {
  EXPECT_EQ(lines_of("# mine\n\nhttps://host/os/\n@edge  https://host/edge\n  ./packages\nfile:///srv/os\n"
                     "https://host/os/x86_64/APKINDEX.tar.gz\n/srv/x/aarch64/APKINDEX.tar.gz\nv2 http://h/o\n"),
            "[] https://host/os\n[edge] https://host/edge\n[] ./packages\n[] /srv/os\n[] https://host/os\n[] /srv/x\n"
            "[] http://h/o\n");
}

TEST(RepositoryLines, FaultsHavePlaces) {
  const std::string hint = "\n  hint: write an address, a directory, or '@tag ADDRESS'";
  EXPECT_EQ(lines_of("a\n@edge\n"), "list:2: expected '@TAG ADDRESS', got the repository '@edge'");
  EXPECT_EQ(lines_of("@e/ x"), "list:1: '@e/ x' is no repository: 'e/' is no tag" + hint);
  EXPECT_EQ(lines_of("ftp://host/x"),
            "list:1: 'ftp://host/x' is no repository: addresses with 'ftp' are not read" + hint);
  EXPECT_EQ(lines_of("http://host/x?y=1"),
            "list:1: 'http://host/x?y=1' is no repository: an address with a query cannot be continued" + hint);
  EXPECT_EQ(lines_of("v3 https://host/x"),
            "list:1: 'v3 https://host/x' is no repository: it is of apk v3, whose indexes nacre does not read"
            "\n  hint: name the repository in its apk v2 form, with ARCH/APKINDEX.tar.gz");
  EXPECT_NE(lines_of("https://host/x86_64/Packages.adb").find("it is of apk v3"), std::string::npos);
}

/// Making one costs a tenth of a second.
const crypto::PrivateKey& test_key() {
  static const crypto::PrivateKey kKey = *crypto::PrivateKey::generate_rsa(2048);
  return kKey;
}

/// A store, a repository of one signed package, and no network but what a test gives.
struct RepositoriesTest : testing::Test {
  os::TempDir folder = *os::TempDir::create(std::filesystem::temp_directory_path());
  std::unique_ptr<store::Store> store = *store::Store::open(folder.path() / "home");
  os::SystemProcesses processes;
  os::SystemClock clock;
  net::RecordedHttp http;
  NoEvents events;
  Env env{processes, clock, http, *store, events, {}};
  const crypto::PrivateKey& key = test_key();
  os::Path repo = folder.path() / "repo";
  std::string apk_file;

  void SetUp() override {
    ::unsetenv("HTTP_AUTH");
    ::setenv("HOME", folder.path().c_str(), 1);
    ASSERT_TRUE(os::make_dirs(repo / "x86_64"));
    ASSERT_TRUE(os::write_file(repo / "mine.rsa.pub", key.public_key().pem()));
    apk_file = (repo / "x86_64/hello-1-r0.apk").string();
    write_package("hello", "content");
    write_index({*apk::read_package(apk_file)});
  }

  apk::SegmentSigner signer(const crypto::PrivateKey& with, const std::string& name = "mine.rsa.pub") {
    return [&with, name](std::string_view bytes) -> Result<apk::SegmentSignature> {
      return apk::SegmentSignature{name, TRY(with.sign(bytes))};
    };
  }
  void write_package(const std::string& name, const std::string& content) {
    apk::PackageInfo info;
    info.name = name;
    info.version = "1-r0";
    info.arch = "x86_64";
    apk::DataEntry entry;
    entry.header.path = "hello";
    entry.content = content;
    const auto written = apk::write_package(apk_file, info, {entry}, {});
    ASSERT_TRUE(written) << written.error().render();
  }
  void write_index(const std::vector<apk::PackageFile>& packages) {
    std::vector<apk::IndexRecord> records;
    for (const apk::PackageFile& package : packages) records.push_back(package.record());
    put_index(*apk::pack_index(records, "test", signer(key)));
  }
  void put_index(std::string_view bytes) { ASSERT_TRUE(os::write_file(repo / "x86_64/APKINDEX.tar.gz", bytes)); }
  std::string index_bytes() { return *os::read_file(repo / "x86_64/APKINDEX.tar.gz"); }

  RepositorySource source(std::vector<std::string> lines = {}) {
    RepositorySource out;
    out.arch = *find_arch("x86_64");
    out.repositories = lines.empty() ? std::vector<std::string>{repo.string()} : std::move(lines);
    out.keyring = {(repo / "mine.rsa.pub").string()};
    return out;
  }
  std::string opened(const RepositorySource& from) {
    const auto repositories = Repositories::open(from, env);
    return repositories ? "opened" : repositories.error().render();
  }
  std::string fetched(const RepositorySource& from) {
    const auto repositories = Repositories::open(from, env);
    if (!repositories) return repositories.error().render();
    const auto& all = repositories->all();
    const auto digest = repositories->fetch({&all.front(), all.front().index->record(0)});
    return digest ? digest->hex() : digest.error().render();
  }
  std::string file_digest() { return codec::sha256(*os::read_file(apk_file)).hex(); }
};

TEST_F(RepositoriesTest, GivesPackagesAsBlobs) {
  const std::string digest = file_digest();
  EXPECT_EQ(fetched(source()), digest);
  // The second time the file is not read: it may be gone, as long as the index is the same.
  ASSERT_TRUE(os::remove_tree(apk_file));
  EXPECT_EQ(fetched(source()), digest);
  EXPECT_EQ(fetched(source({"file://" + repo.string()})), digest);
}

TEST_F(RepositoriesTest, ManyKeysAndSignatures) {
  // Two signatures, the first of a stranger, the second with SHA-256; the keyring is a directory.
  const auto stranger = *crypto::PrivateKey::generate_rsa(2048);
  const std::string signed_twice = index_bytes();
  const auto parts = apk::unpack_index(signed_twice, "x");
  const std::string body = signed_twice.substr(parts->signed_from);
  std::string tar;
  for (const auto& [name, bytes] : {std::pair{std::string(".SIGN.RSA256.other.rsa.pub"), *stranger.sign(body)},
                                    {std::string(".SIGN.RSA512.mine.rsa.pub"), std::string("unknown")},
                                    {std::string(".SIGN.RSA256.mine.rsa.pub"), *key.sign(body)}}) {
    codec::TarHeader header;
    header.path = name;
    header.size = bytes.size();
    tar += *codec::tar_header(header) + bytes + std::string(codec::tar_padding(bytes.size()), '\0');
  }
  put_index(*codec::gzip(tar) + body);
  RepositorySource from = source();
  from.keyring = {repo.string()};
  EXPECT_EQ(opened(from), "opened");
  ASSERT_TRUE(os::write_file(repo / "mine.rsa.pub", stranger.public_key().pem()));
  EXPECT_EQ(opened(from), "the signature of the index of '" + repo.string() +
                              "' does not fit the key 'mine.rsa.pub'\n  hint: the index was changed after it was "
                              "signed, or another key of that name signed it");
  ASSERT_TRUE(os::remove_tree(repo / "mine.rsa.pub"));
  EXPECT_EQ(opened(from), "the index of '" + repo.string() +
                              "' is signed by 'other.rsa.pub', 'mine.rsa.pub', 'mine.rsa.pub', which is not in the "
                              "keyring\n  hint: name the public key that signed it: --key, or --keyring-append for "
                              "those who come from melange and apko");
}

TEST_F(RepositoriesTest, TrustIsAskedAnewForOtherKeys) {
  EXPECT_EQ(opened(source()), "opened");
  RepositorySource nobody = source();
  nobody.keyring.clear();
  EXPECT_NE(opened(nobody).find("which is not in the keyring"), std::string::npos);
  nobody.signatures = RepositorySource::Signatures::kIgnore;
  EXPECT_EQ(opened(nobody), "opened");
}

TEST_F(RepositoriesTest, WhatTheIndexDoesNotNameIsRefused) {
  struct Case {
    const char* name;
    std::function<void()> harm;
    const char* message;
  };
  const std::string good = *os::read_file(apk_file);
  const std::vector<Case> cases = {
      {"another package", [&] { write_package("hello", "evil"); }, "the control segment has the checksum Q1"},
      {"data changed",
       [&] {
         std::string bytes = good;
         bytes[bytes.size() - 12] ^= 1;
         (void)os::write_file(apk_file, bytes);
       },
       "the data segment has the SHA-256 "},
      {"appended", [&] { (void)os::write_file(apk_file, good + std::string(10, 'x')); },
       "gzip member 2 is broken"},
      {"cut", [&] { (void)os::write_file(apk_file, good.substr(0, good.size() - 5)); },
       "the data segment has the SHA-256 "},
      {"not a package", [&] { (void)os::write_file(apk_file, "<html>"); }, "reading the package"},
      {"v3", [&] { (void)os::write_file(apk_file, "ADB.pckg"); }, "apk v3 packages are not supported"},
      {"gone", [&] { (void)os::remove_tree(apk_file); }, "no such file"},
  };
  for (const Case& row : cases) {
    row.harm();
    EXPECT_NE(fetched(source()).find(row.message), std::string::npos) << row.name << ": " << fetched(source());
  }
  // An index that gives one package another's name.
  ASSERT_TRUE(os::write_file(apk_file, good));
  apk::IndexRecord record = apk::read_package(apk_file)->record();
  record.name = "other";
  put_index(*apk::pack_index({record}, "test", signer(key)));
  ASSERT_TRUE(os::rename(apk_file, repo / "x86_64/other-1-r0.apk"));
  EXPECT_NE(fetched(source()).find("the package is 'hello-1-r0', the index says 'other-1-r0'"), std::string::npos);
  record.name = "../x86_64/other";
  put_index(*apk::pack_index({record}, "test", signer(key)));
  EXPECT_NE(fetched(source()).find("which is no file name"), std::string::npos) << fetched(source());
}

TEST_F(RepositoriesTest, HostileIndexesAreRefusedInFewBytes) {
  const auto archive = [&](std::string_view text) {
    std::string tar;
    codec::TarHeader header;
    header.path = "APKINDEX";
    header.size = text.size();
    tar = *codec::tar_header(header) + std::string(text) + std::string(codec::tar_padding(text.size()), '\0');
    return *codec::gzip(tar + std::string(codec::tar_end()), 1);
  };
  RepositorySource from = source();
  from.signatures = RepositorySource::Signatures::kIgnore;
  put_index("ADBd....");
  EXPECT_NE(opened(from).find("it is an index of apk v3 (ADB), which nacre does not read"), std::string::npos);
  put_index("<!DOCTYPE html>");
  EXPECT_NE(opened(from).find("reading the index"), std::string::npos);
  put_index(archive("C:Q1x\nP:a\nV:1\nA:x\nT:" + std::string(5u << 20, 'y')));
  EXPECT_NE(opened(from).find("a line of 5242882 bytes is longer than 1048576"), std::string::npos);
  const std::string cut = index_bytes();
  put_index(cut.substr(0, cut.size() / 2));
  EXPECT_NE(opened(from).find("reading the index"), std::string::npos);
  std::string bomb(310u << 20, '\0');
  put_index(*codec::gzip(bomb, 1));
  bomb = {};
  EXPECT_NE(opened(from).find("more than 314572800 bytes"), std::string::npos) << opened(from);
}

TEST_F(RepositoriesTest, OfflineLivesOnWhatWasKept) {
  const std::string base = "https://host/os";
  net::Response answer{.status = 200, .headers = {{"etag", "\"7\""}}, .body = index_bytes()};
  http.add("GET", base + "/x86_64/APKINDEX.tar.gz", answer);
  http.add("GET", base + "/x86_64/hello-1-r0.apk", {.status = 200, .body = *os::read_file(apk_file)});
  RepositorySource from = source({base});
  from.reach = Reach::kOffline;
  EXPECT_NE(opened(from).find("is not in the store, and this call is offline"), std::string::npos);
  from.reach = Reach::kOnline;
  EXPECT_EQ(fetched(from), file_digest());
  const std::size_t sent = http.sent().size();
  from.reach = Reach::kOffline;
  EXPECT_EQ(fetched(from), file_digest());
  EXPECT_EQ(http.sent().size(), sent);
  // Online again: the ETag is asked for, and a 304 is enough.
  http.add("GET", base + "/x86_64/APKINDEX.tar.gz", {.status = 304});
  from.reach = Reach::kOnline;
  EXPECT_EQ(fetched(from), file_digest());
  ASSERT_EQ(http.sent().size(), sent + 1);
  EXPECT_EQ(http.sent().back().headers.back(), (std::pair<std::string, std::string>{"If-None-Match", "\"7\""}));
}

TEST_F(RepositoriesTest, SaysWhoWeAre) {
  ::setenv("HTTP_AUTH", "basic:host:me:secret", 1);
  http.add("GET", "https://host/os/x86_64/APKINDEX.tar.gz", {.status = 200, .body = index_bytes()});
  EXPECT_EQ(opened(source({"https://host/os"})), "opened");
  EXPECT_EQ(http.sent().back().headers.back(),
            (std::pair<std::string, std::string>{"Authorization", "Basic bWU6c2VjcmV0"}));
  ::unsetenv("HTTP_AUTH");
}

}  // namespace
}  // namespace nacre::index
