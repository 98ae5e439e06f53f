#include "apk/index_file.h"

#include "apk/segment.h"
#include "base/text.h"
#include "codec/digest.h"
#include "codec/gzip.h"
#include "os/file.h"
#include "os/process.h"

#include <gtest/gtest.h>

namespace nacre::apk {
namespace {

IndexRecord full() {
  IndexRecord out;
  out.name = "hello";
  out.version = "1.0-r0";
  out.arch = "x86_64";
  out.checksum = "Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  out.size_bytes = 100;
  out.installed_bytes = 200;
  out.built_at = 1700000000;
  out.origin = "hello-src";
  out.depends = {"so:libc.so.6", "busybox"};
  out.provides = {"cmd:hello=1.0-r0"};
  out.install_if = {"a", "b=1"};
  out.provider_priority = 7;
  out.description = "Greets: everyone";
  out.url = "https://example.org";
  out.license = "MIT";
  out.maintainer = "nacre";
  out.commit = "c0ffee";
  return out;
}

SegmentSigner fake_signer() {
  return [](std::string_view bytes) -> Result<SegmentSignature> {
    return SegmentSignature{"test.rsa.pub", codec::sha512(bytes)};
  };
}

TEST(IndexFile, WritesFieldsInTheFieldsOrder) {
  IndexRecord bare;
  bare.name = "a";
  bare.version = "1-r0";
  bare.arch = "noarch";
  bare.checksum = "Q1x";
  EXPECT_EQ(write_index({full(), bare}),
            "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:hello\nV:1.0-r0\nA:x86_64\nS:100\nI:200\nT:Greets: everyone\n"
            "U:https://example.org\nL:MIT\no:hello-src\nm:nacre\nt:1700000000\nc:c0ffee\nD:so:libc.so.6 busybox\n"
            "i:a b=1\np:cmd:hello=1.0-r0\nk:7\n\n"
            "C:Q1x\nP:a\nV:1-r0\nA:noarch\nT:\nt:0\n\n");
}

TEST(IndexFile, IsReadAsWritten) {
  const auto packed = pack_index({full()}, "nacre community serial 12", fake_signer());
  ASSERT_TRUE(packed) << packed.error().render();
  const auto read = read_index(*packed, "APKINDEX.tar.gz");
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_EQ(read->records, std::vector<IndexRecord>{full()});
  EXPECT_EQ(read->description, "nacre community serial 12");
  EXPECT_EQ(read->key_name, "test.rsa.pub");
  EXPECT_EQ(read->signature_kind, "RSA256");
  EXPECT_EQ(read->signature_bytes, codec::sha512(read->signed_bytes));
  EXPECT_TRUE(packed->ends_with(read->signed_bytes));

  const auto unsigned_one = read_index(*pack_index({full()}, "", {}), "x");
  ASSERT_TRUE(unsigned_one) << unsigned_one.error().render();
  EXPECT_EQ(unsigned_one->key_name, "");
  EXPECT_EQ(unsigned_one->records.size(), 1u);
}

TEST(IndexFile, PrefersTheStrongerSignature) {
  const std::string head = *pack_files({{".SIGN.RSA.old.rsa.pub", "one"}, {".SIGN.RSA256.new.rsa.pub", "two"}}, 0, "",
                                       Ending::kOpen);
  const auto read = read_index(head + *pack_index({full()}, "", {}), "x");
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_EQ(read->key_name, "new.rsa.pub");
  EXPECT_EQ(read->signature_bytes, "two");
}

TEST(IndexFile, NoValuePosesAsALine) {
  IndexRecord record = full();
  record.description = "two\nP:evil";
  const auto read = parse_index(write_index({record}), "x");
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_EQ(read->front().name, "hello");
  EXPECT_EQ(read->front().description, "two P:evil");
}

TEST(IndexFile, RefusalsSayWhy) {
  const auto message = [](const std::string& bytes) {
    const auto read = read_index(bytes, "APKINDEX.tar.gz");
    return read ? std::string("no error") : split(read.error().render(), '\n')[0];
  };
  const auto archive = [](const std::vector<SmallFile>& files) {
    return *pack_files(files, 0, "", Ending::kZeroBlocks);
  };
  EXPECT_EQ(message(""), "gzip stream stops inside member 0");
  EXPECT_EQ(message("not gzip at all"), "gzip member 0 is broken: incorrect header check");
  EXPECT_EQ(message(archive({{"DESCRIPTION", "x"}})), "the archive holds no APKINDEX");
  EXPECT_EQ(message(archive({{"APKINDEX", ""}, {"extra", ""}})), "'extra' has no place in an index");
  EXPECT_EQ(message(archive({{"APKINDEX", "P:a\nS:x\n"}})), "APKINDEX.tar.gz:2: expected a decimal number, got 'x'");
  EXPECT_EQ(message(*pack_files({{".SIGN.RSA256.", "x"}}, 0, "", Ending::kOpen) + archive({{"APKINDEX", ""}})),
            "expected '.SIGN.KIND.KEY', got '.SIGN.RSA256.'");
  const std::string good = *pack_index({full()}, "", fake_signer());
  EXPECT_EQ(message(good.substr(0, good.size() - 9)), "gzip stream stops inside member 1");
}

// The judge of what we write is a reader that shares no code with us.
TEST(IndexFile, AnIndependentReaderAgrees) {
  os::SystemProcesses processes;
  const os::TempDir dir = *os::TempDir::create(testing::TempDir());
  const os::Path key = dir.path() / "key.pem", keys = dir.path() / "keys";
  ASSERT_TRUE(os::make_dirs(keys));
  const auto run = [&](std::vector<std::string> argv, std::string input = {}) {
    os::Command command;
    command.argv = std::move(argv);
    command.inherit_env = true;
    command.stdin_bytes = std::move(input);
    return os::run_or_fail(processes, command);
  };
  if (!run({"python3", "--version"}) || !run({"openssl", "version"})) GTEST_SKIP() << "no python3 or openssl";
  ASSERT_TRUE(run({"openssl", "genrsa", "-out", key, "2048"}));
  ASSERT_TRUE(run({"openssl", "rsa", "-in", key, "-pubout", "-out", keys / "test.rsa.pub"}));
  const SegmentSigner signer = [&](std::string_view bytes) -> Result<SegmentSignature> {
    const std::string signature = TRY(run({"openssl", "dgst", "-sha256", "-sign", key}, std::string(bytes)));
    return SegmentSignature{"test.rsa.pub", signature};
  };

  WriteOptions options;
  options.signer = signer;
  options.mtime = 1'700'000'000;
  options.control_files = {{".melange.yaml", "package: {}\n"}, {".post-install", "#!/bin/sh\n"}};
  PackageInfo info;
  info.name = "hello";
  info.version = "1.0-r0";
  info.arch = "x86_64";
  info.installed_bytes = 3u << 20;
  info.depends = {"busybox", "so:libc.so.6"};
  std::vector<DataEntry> entries(4);
  entries[0].header = {.path = "usr", .type = '5', .mode = 0755};
  entries[1].header = {.path = "usr/empty"};
  entries[2].header = {.path = "usr/large"};
  entries[2].content = std::string(3u << 20, 'x');
  entries[3].header = {.path = "usr/link-to-\xc3\xa9t\xc3\xa9", .type = '2', .mode = 0777, .link = "large"};
  const auto first = write_package(dir.path() / "hello-1.0-r0.apk", info, entries, options);
  ASSERT_TRUE(first) << first.error().render();
  info.name = "virtual";
  info.installed_bytes = 0;
  const auto second = write_package(dir.path() / "virtual-1.0-r0.apk", info, {}, options);
  ASSERT_TRUE(second) << second.error().render();
  const auto index = pack_index({first->record(), second->record()}, "nacre community serial 1", signer);
  ASSERT_TRUE(index) << index.error().render();
  ASSERT_TRUE(os::write_file(dir.path() / "APKINDEX.tar.gz", *index));

  const auto answer = run({NACRE_SOURCE_DIR "/tests/conformance/apk_reader.py", keys, dir.path() / "APKINDEX.tar.gz",
                           first->path, second->path});
  ASSERT_TRUE(answer) << answer.error().render();
  EXPECT_EQ(*answer, "index: nacre community serial 1\nhello-1.0-r0: 4 entries, 3 control files\n"
                     "virtual-1.0-r0: 0 entries, 3 control files\n");
}

}  // namespace
}  // namespace nacre::apk
