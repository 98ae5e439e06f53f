#include "base/text.h"
#include "codec/digest.h"
#include "index/index.h"

#include <gtest/gtest.h>

namespace nacre::index {
namespace {

using codec::Json;

SerialPackage package(std::string name, std::string version) {
  SerialPackage out;
  out.record.name = std::move(name);
  out.record.version = std::move(version);
  out.record.arch = "x86_64";
  out.record.checksum = "Q1" + std::string(27, 'A') + "=";
  out.record.size_bytes = 33104;
  out.record.installed_bytes = 121856;
  out.record.built_at = 1'700'000'000;
  out.record.origin = "zlib";
  out.record.depends = {"so:libc.so.6", "!zlib-ng"};
  out.record.provides = {"so:libz.so.1=1.3.1"};
  out.record.install_if = {"docs", "zlib=1.3.1-r0"};
  out.record.provider_priority = 7;
  out.record.description = "Compression \"deflate\", \xc3\xa9t\xc3\xa9";
  out.record.url = "https://example.org";
  out.record.license = "Zlib AND MIT";
  out.record.maintainer = "A <a@example.org>";
  out.record.commit = "c0ffee";
  out.apk = codec::sha256("apk" + out.record.name + out.record.version);
  out.provenance = codec::sha256("provenance");
  out.sbom = codec::sha256("sbom");
  out.action_key = codec::sha256("key");
  return out;
}

Serial example() {
  Serial out;
  out.edition = Edition::kProduction;
  out.number = 12;
  out.published = 1'700'000'123;
  out.reason = "update zlib 1.3.1 -> 1.3.2";
  out.rolled_back_to = 3;
  out.previous = codec::sha256("previous");
  out.index = codec::sha256("index");
  out.index_provenance = codec::sha256("index provenance");
  out.packages = {package("musl", "1.2.5-r0"), package("zlib", "1.9.0-r0"),
                  package("zlib", "1.10.0-r0")};
  SerialImage image;
  image.name = "tools/nginx";
  image.index_digest = codec::sha256("image");
  image.tags = {"1.26", "latest"};
  image.blobs = {codec::sha256("layer"), codec::sha256("config")};
  image.packages = {"zlib=1.10.0-r0"};
  image.inputs = codec::sha256("inputs");
  Json descriptor;
  descriptor.set("mediaType", "application/vnd.oci.image.manifest.v1+json").set("size", 12);
  image.referrers.set(image.index_digest.oci(), Json::array({descriptor}));
  image.referrers.set("tags", Json().set("sha256-x.sig", codec::sha256("sig").oci()));
  out.images = {image};
  return out;
}

std::string canonical(const Serial& serial) {
  return codec::to_canonical_json(serial_to_json(serial));
}

std::string error_of(const std::string& text) {
  const auto json = codec::parse_json(text, "serial");
  if (!json) return json.error().render();
  const auto serial = serial_from_json(*json);
  return serial ? "no error" : serial.error().render();
}

TEST(SerialJson, ReadsBackWhatWasWritten) {
  const std::string text = canonical(example());
  const Json json = codec::parse_json(text, "serial").take();
  const auto read = serial_from_json(json);
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_EQ(canonical(*read), text);
  EXPECT_EQ(read->edition, Edition::kProduction);
  EXPECT_EQ(read->number, 12u);
  EXPECT_EQ(read->published, 1'700'000'123);
  EXPECT_EQ(read->reason, "update zlib 1.3.1 -> 1.3.2");
  EXPECT_EQ(read->rolled_back_to, 3u);
  EXPECT_EQ(read->previous, codec::sha256("previous"));
  EXPECT_EQ(read->arch, "x86_64");
  EXPECT_EQ(read->index, codec::sha256("index"));
  EXPECT_EQ(read->index_provenance, codec::sha256("index provenance"));
  EXPECT_EQ(read->index_sbom, Sha256{});
  ASSERT_EQ(read->packages.size(), 3u);
  EXPECT_EQ(read->packages[2].record, example().packages[2].record);
  EXPECT_EQ(read->packages[2].apk, example().packages[2].apk);
  EXPECT_EQ(read->packages[2].action_key, codec::sha256("key"));
  ASSERT_EQ(read->images.size(), 1u);
  EXPECT_EQ(read->images[0].blobs, example().images[0].blobs);
  EXPECT_EQ(codec::to_canonical_json(read->images[0].referrers),
            codec::to_canonical_json(example().images[0].referrers));
}

TEST(SerialJson, AnEmptySerialIsOne) {
  EXPECT_EQ(error_of(canonical(Serial{})), "no error");
  Serial serial;
  serial.images.emplace_back().name = "empty";
  EXPECT_EQ(error_of(canonical(serial)), "no error");  // null referrers are written as none
}

/// `from` in the example's text is replaced by `to`, once; the whole message is compared.
struct Fault {
  const char* name;
  std::string from, to, message;
};

class SerialJsonFault : public testing::TestWithParam<Fault> {};

TEST_P(SerialJsonFault, SaysWhichField) {
  std::string text = canonical(example());
  const std::size_t at = text.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, GetParam().from.size(), GetParam().to);
  EXPECT_EQ(error_of(text), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    , SerialJsonFault,
    testing::Values(
        Fault{"Unknown", "\"number\":12", "\"number\":12,\"nummer\":1",
              "nummer: unknown field\n  hint: did you mean 'number'?"},
        Fault{"UnknownInPackage", "\"origin\":", "\"colour\":1,\"origin\":",
              "packages[0].colour: unknown field"},
        Fault{"Missing", "\"number\":12,", "", "number: missing, expected a whole number"},
        Fault{"MissingInPackage", "\"checksum\":", "\"check\":",
              "packages[0].checksum: missing, expected a string"},
        Fault{"Mistyped", "\"number\":12", "\"number\":\"12\"",
              "number: expected a whole number, found a string"},
        Fault{"Fraction", "\"number\":12", "\"number\":12.5",
              "number: expected a whole number, found a fraction"},
        Fault{"Negative", "\"size\":33104", "\"size\":-1",
              "packages[0].size: expected at least 0, found -1"},
        Fault{"TooLarge", "\"size\":33104", "\"size\":18446744073709551615",
              "packages[0].size: expected a whole number, found a fraction"},
        Fault{"ListOfNumbers", "[\"so:libc.so.6\"", "[1",
              "packages[0].depends[0]: expected a string, found a whole number"},
        Fault{"TwoWords", "\"so:libc.so.6\"", "\"a b\"",
              "packages[0].depends[0]: expected text without blanks or control characters, "
              "found 'a b'"},
        Fault{"LineBreakInName", "\"name\":\"musl\"", "\"name\":\"a\\nb\"",
              "packages[0].name: expected text without blanks or control characters, found 'a\nb'"},
        Fault{"Edition", "\"production\"", "\"prod\"",
              "unknown edition 'prod'\n  while reading edition\n"
              "  hint: known: stage0, community, production"},
        Fault{"Format", "\"format\":1", "\"format\":2",
              "format: expected 1, found 2\n  hint: a newer nacre wrote this serial"},
        Fault{"ArchAlias", "\"arch\":\"x86_64\",\"edition\"", "\"arch\":\"amd64\",\"edition\"",
              "arch: expected 'x86_64', found 'amd64'"},
        Fault{"Digest", codec::sha256("index").oci(), "sha256:12",
              "index: expected 'sha256:' and 64 lower-case hexadecimal digits, found 'sha256:12'"},
        Fault{"BareDigest", codec::sha256("index").oci(), codec::sha256("index").hex(),
              "index: expected 'sha256:' and 64 lower-case hexadecimal digits, found '" +
                  codec::sha256("index").hex() + "'"},
        Fault{"Checksum", "Q1AAAA", "Q2AAAA",
              "expected the checksum 'Q1' and 20 bytes in base64, found 'Q2" +
                  std::string(27, 'A') + "='\n  while reading packages[0]"},
        Fault{"Version", "\"1.2.5-r0\"", "\"new\"",
              "'new' is no version\n  while reading packages[0]"},
        Fault{"ImageName", "\"tools/nginx\"", "\"../nginx\"",
              "images[0]: '../nginx' cannot name an image"},
        Fault{"Tag", "\"latest\"", "\"a/b\"", "images[0]: 'a/b' is no tag"},
        Fault{"Referrers", "\"tags\":{\"sha256-x.sig\"", "\"tags\":7,\"x\":{\"sha256-x.sig\"",
              "images[0].referrers.tags: expected an object, found a whole number"},
        Fault{"Packages", "\"packages\":[{", "\"packages\":[7,{",
              "packages[0]: expected an object, found a whole number"}),
    [](const auto& fault) { return fault.param.name; });

TEST(SerialJson, WantsOrderAndNoDoubles) {
  Serial serial = example();
  std::swap(serial.packages[1], serial.packages[2]);
  const std::string hint = "\n  hint: packages stand in order of name and version, each once";
  EXPECT_EQ(error_of(canonical(serial)),
            "packages[2]: expected after zlib-1.10.0-r0.x86_64, found zlib-1.9.0-r0.x86_64" + hint);
  serial.packages[2] = serial.packages[1];
  EXPECT_EQ(error_of(canonical(serial)),
            "packages[2]: expected after zlib-1.10.0-r0.x86_64, found zlib-1.10.0-r0.x86_64" +
                hint);
  serial = example();
  serial.images.push_back(serial.images[0]);
  EXPECT_EQ(error_of(canonical(serial)),
            "images[1]: expected after 'tools/nginx', found 'tools/nginx'\n"
            "  hint: images stand in order of name, each once");
}

TEST(SerialJson, IsAnObject) {
  EXPECT_EQ(error_of("[]"), "the serial: expected an object, found a list");
}

TEST(IndexDescription, IsReadBack) {
  EXPECT_EQ(index_description(Edition::kCommunity, 12), "nacre community serial 12");
  const auto read = parse_index_description("nacre stage0 serial 18446744073709551615");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->edition, Edition::kStage0);
  EXPECT_EQ(read->serial, UINT64_MAX);
  for (const char* bad : {"", "nacre", "nacre community serial", "nacre community serial x",
                          "nacre community serial 012", "nacre community serial -1",
                          "nacre prod serial 1", "Nacre community serial 1",
                          "nacre community serial 1 ",
                          "nacre community serial 18446744073709551616", "v20240101-12-gabc"}) {
    const auto refused = parse_index_description(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().render(),
              "expected the description 'nacre EDITION serial NUMBER', found '" + std::string(bad) +
                  "'\n  hint: this index was not written by nacre");
  }
}

TEST(BlobsOf, AreAllThatTheSerialNeeds) {
  const std::vector<Sha256> blobs = blobs_of(example());
  EXPECT_TRUE(std::is_sorted(blobs.begin(), blobs.end()));
  // index, its provenance; three .apk, one provenance and SBOM in common; image, layer, config
  EXPECT_EQ(blobs.size(), 2u + 3u + 2u + 3u);
  EXPECT_FALSE(std::binary_search(blobs.begin(), blobs.end(), Sha256{}));
}

}  // namespace
}  // namespace nacre::index
