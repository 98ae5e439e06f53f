#include "attest/verify.h"

#include "attest/cyclonedx.h"
#include "attest/sbom.h"
#include "codec/digest.h"
#include "image/kitchen_test.h"

#include <algorithm>

namespace nacre::attest {
namespace {

using codec::Json;
using image::Signed;
using image::test_signer;

constexpr const char* kBuilderId = "https://nacre.dev/builders/local/v1";
constexpr Edition kCommunity = Edition::kCommunity;

template <class T>
std::string verdict(const Result<T>& result) {
  return result ? "holds" : result.error().render();
}

TrustedKeys trusted(Edition edition = kCommunity) {
  return {edition, *test_signer().public_key(kCommunity, crypto::Purpose::kPackage),
          *test_signer().public_key(edition, crypto::Purpose::kAttestation), {kBuilderId}};
}

struct VerifyTest : image::Kitchen {
  definition::Definition definition;
  enum class Sbom { kGood, kNone, kOfAnother, kBroken };

  index::SerialPackage app(Sbom sbom = Sbom::kGood, Signed sign = Signed::kYes, Edition edition = kCommunity) {
    definition.name = sbom == Sbom::kOfAnother ? "other" : "app";
    definition.version = "1";
    std::vector<apk::DataEntry> entries = {image::folder("usr"), image::folder("usr/bin"),
                                           image::file("usr/bin/app", std::string(5000, 'a'), 0755)};
    std::string text = codec::to_json(package_sbom(definition, definition.name, host_arch(), {}, "c", image::kTime));
    if (sbom == Sbom::kBroken) text = "{";
    for (const char* up : {"var", "var/lib", "var/lib/db", "var/lib/db/sbom"}) entries.push_back(image::folder(up));
    if (sbom != Sbom::kNone) entries.push_back(image::file(package_sbom_path("app", "1-r0").str(), text));
    definition.name = "app";
    index::SerialPackage out = package(info("app"), entries, edition, sign);
    out.sbom = *store_->put_bytes(text);
    return out;
  }

  std::string provenance_of(const Sha256& subject, Edition edition = kCommunity) {
    build::BuildRequest request;
    request.definition = &definition;
    Builder builder;
    builder.edition = edition;
    const Json predicate = build_provenance(request, {}, "os/packages/app.yaml", codec::sha256("yaml"), "c", builder);
    const auto bundle = sign_statement(statement({{"app-1-r0.apk", subject}}, kProvenanceType, predicate), edition,
                                       test_signer(), *store_);
    EXPECT_TRUE(bundle) << bundle.error().render();
    return *store_->read(*bundle);
  }

  std::string index_of(std::vector<index::SerialPackage> packages, Edition edition = kCommunity) {
    const apk::SegmentSigner signer = [edition](std::string_view bytes) -> Result<apk::SegmentSignature> {
      std::string signature = TRY(test_signer().sign(kCommunity, crypto::Purpose::kPackage, bytes));
      return apk::SegmentSignature{crypto::public_key_name(edition, crypto::Purpose::kPackage), std::move(signature)};
    };
    auto out = index::make_index(packages, edition, 7, signer);
    EXPECT_TRUE(out) << out.error().render();
    return *out;
  }

  std::string check(const index::SerialPackage& what, const PackageEvidence& evidence, Edition edition = kCommunity) {
    return verdict(verify_package(store_->blob_path(what.apk), evidence, trusted(edition)));
  }
};

TEST_F(VerifyTest, APackageHolds) {
  const index::SerialPackage package = app();
  const auto checks = verify_package(store_->blob_path(package.apk),
                                     {provenance_of(package.apk), index_of({package})}, trusted());
  ASSERT_TRUE(checks) << checks.error().render();
  std::vector<std::string> names;
  for (const Check& check : *checks) names.push_back(check.what + ": " + check.detail);
  names[1] = names[1].substr(0, 46);
  EXPECT_EQ(names, (std::vector<std::string>{
                       "signature of control segment: nacre-community.rsa.pub",
                       "data segment and checksums of its files: sha25",
                       "SBOM: var/lib/db/sbom/app-1-r0.spdx.json, 2 elements",
                       "provenance: https://nacre.dev/builders/local/v1, edition community",
                       "named by the signed index: nacre community serial 7"}));
}

TEST_F(VerifyTest, APackageWithoutOnePieceIsRefused) {
  const index::SerialPackage good = app();
  const std::string provenance = provenance_of(good.apk), file = store_->blob_path(good.apk).filename();
  EXPECT_EQ(check(good, {}),
            "there is no provenance for '" + file + "'\n  hint: put FILE.apk.intoto.sigstore.json beside the file");
  EXPECT_EQ(check(good, {provenance_of(codec::sha256("other")), {}}),
            fmt::format("the statement is about {}, expected {}", codec::sha256("other").oci(), good.apk.oci()));
  index::SerialPackage other = good;
  other.record.checksum = "Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  EXPECT_EQ(check(good, {provenance, index_of({other})}),
            "the signed index says Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA= for app-1-r0, the file has " + good.record.checksum);
  EXPECT_EQ(check(good, {provenance, index_of({layout()})}),
            "the signed index (nacre community serial 7) does not name app-1-r0");
  EXPECT_EQ(
      check(good, {provenance, index_of({good}, Edition::kStage0)}),
      "'APKINDEX.tar.gz' is signed by 'nacre-stage0.rsa.pub', expected 'nacre-community.rsa.pub' of edition community");
  EXPECT_EQ(
      check(good, {provenance, {}}, Edition::kProduction),
      "the package is signed by 'nacre-community.rsa.pub', expected 'nacre-production.rsa.pub' of edition production\n"
      "  hint: content of two editions never mixes; name the other edition with --edition");
  const index::SerialPackage stage0 = app(Sbom::kGood, Signed::kYes, Edition::kStage0);
  EXPECT_EQ(check(stage0, {provenance_of(stage0.apk), {}}),
            "the package is signed by 'nacre-stage0.rsa.pub', expected 'nacre-community.rsa.pub' of edition community\n"
            "  hint: content of two editions never mixes; name the other edition with --edition");

  const std::vector<std::tuple<Sbom, Signed, std::string>> rows = {
      {Sbom::kNone, Signed::kYes, "the package has no SBOM at 'var/lib/db/sbom/app-1-r0.spdx.json'"},
      {Sbom::kOfAnother, Signed::kYes, "the SBOM at 'var/lib/db/sbom/app-1-r0.spdx.json' does not describe app-1-r0"},
      {Sbom::kBroken, Signed::kYes, "var/lib/db/sbom/app-1-r0.spdx.json:1:1: "},
      {Sbom::kGood, Signed::kNo, "the package is not signed, expected a signature by 'nacre-community.rsa.pub'"}};
  for (const auto& [sbom, sign, wanted] : rows) {
    const index::SerialPackage bad = app(sbom, sign);
    EXPECT_TRUE(check(bad, {provenance_of(bad.apk), {}}).starts_with(wanted))
        << check(bad, {provenance_of(bad.apk), {}});
  }
}

/// Wherever a bit of the file changes, it is refused, also when its provenance would fit the changed file.
TEST_F(VerifyTest, EveryFlippedBitOfAPackageIsRefused) {
  const index::SerialPackage good = app();
  const std::string bytes = *store_->read(good.apk), provenance = provenance_of(good.apk);
  const os::Path file = dir_.path() / "flipped.apk";
  ASSERT_EQ(verdict(verify_package(store_->blob_path(good.apk), {provenance, {}}, trusted())), "holds");
  for (std::size_t at = 0; at < bytes.size(); at += 7) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ (1 << at % 8));
    ASSERT_TRUE(os::write_file(file, changed));
    EXPECT_NE(verdict(verify_package(file, {provenance, {}}, trusted())), "holds") << "byte " << at;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, bytes.size() / 2, bytes.size() - 1}) {
    ASSERT_TRUE(os::write_file(file, bytes.substr(0, size)));
    EXPECT_NE(verdict(verify_package(file, {provenance, {}}, trusted())), "holds") << "cut at " << size;
  }
  ASSERT_TRUE(os::write_file(file, bytes + "x"));
  EXPECT_NE(verdict(verify_package(file, {provenance, {}}, trusted())), "holds");
}

TEST_F(VerifyTest, AnIndexHoldsWithItsOwnProvenanceOnly) {
  const std::string bytes = index_of({app()});
  const auto provenance = [&](std::string_view subject) {
    const Json predicate = index_provenance({}, 7, image::kTime, {});
    const auto bundle =
        sign_statement(statement({{"APKINDEX.tar.gz", codec::sha256(subject)}}, kProvenanceType, predicate), kCommunity,
                       test_signer(), *store_);
    return *store_->read(*bundle);
  };
  EXPECT_EQ(verdict(verify_index(bytes, "X", provenance(bytes), trusted())), "holds");
  EXPECT_EQ(verdict(verify_index(bytes, "X", {}, trusted())),
            "there is no provenance for 'X'\n  hint: put APKINDEX.tar.gz.intoto.sigstore.json beside the file");
  EXPECT_EQ(
      verdict(verify_index(bytes, "X", provenance("y"), trusted())),
      fmt::format("the statement is about {}, expected {}", codec::sha256("y").oci(), codec::sha256(bytes).oci()));
  EXPECT_EQ(verdict(verify_index(*apk::pack_index({}, "nacre community serial 7", {}), "X", {}, trusted())),
            "'X' is not signed, expected a signature by 'nacre-community.rsa.pub'");
  for (std::size_t at = 0; at < bytes.size(); at += 5) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    EXPECT_NE(verdict(verify_index(changed, "X", provenance(bytes), trusted())), "holds") << "byte " << at;
  }
}

/// A composed image with evidence, and a source that a test can bend.
struct VerifyImageTest : VerifyTest {
  image::ImageSpec web = spec("contents: {packages: [app]}\n");
  std::vector<index::SerialPackage> packages = {layout(), app()};
  image::Image image;
  Json referrers = Json::object();
  std::map<Sha256, std::string> changed;

  void SetUp() override {
    image = compose(web, packages);
    attach(packages);
  }
  void attach(const std::vector<index::SerialPackage>& named) {
    image::ComposeRequest asked = request(web, named);
    const Json provenance = image_provenance(asked, image, codec::sha256("yaml"), 1, 2, {});
    for (const image::Descriptor& what : {image.manifest, image.index}) {
      const auto evidence =
          attach_evidence({{what,
                            {{std::string(kProvenanceType), provenance},
                             {std::string(kSpdxType), image_sbom(image, {})}}}},
                          "nacre/web", image::kTime, kCommunity, test_signer(), *store_);
      ASSERT_TRUE(evidence) << evidence.error().render();
      referrers.set(what.digest.oci(), evidence->referrers[what.digest.oci()]);
    }
  }
  std::string check(std::string_view index, Edition edition = kCommunity) {
    ImageSource source;
    source.blob = [&](const Sha256& digest) -> Result<std::string> {
      const auto other = changed.find(digest);
      if (other != changed.end()) return other->second;
      return store_->read(digest);
    };
    source.referrers = [&](const Sha256& subject) -> Result<Json> { return Json(referrers[subject.oci()]); };
    return verdict(verify_image(image.index.digest, source, index, trusted(edition)));
  }
};

TEST_F(VerifyImageTest, HoldsAsComposed) { EXPECT_EQ(check(index_of(packages)), "holds"); }

TEST_F(VerifyImageTest, EveryBlobIsCheckedByDigest) {
  const std::string index = index_of(packages);
  std::vector<Sha256> blobs = {image.index.digest, image.manifest.digest, image.config.digest};
  for (const image::Layer& layer : image.layers) blobs.push_back(layer.blob.digest);
  for (const Sha256& blob : blobs) {
    std::string bytes = *store_->read(blob);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 16);
    changed = {{blob, bytes}};
    const std::string said = check(index);
    EXPECT_TRUE(
        said.ends_with(fmt::format("{} has other bytes: their digest is {}", blob.oci(), codec::sha256(bytes).oci())))
        << said;
  }
}

TEST_F(VerifyImageTest, PackagesAreThoseOfTheSignedIndexAndOfProvenance) {
  const index::SerialPackage base = packages[0], application = packages[1];
  EXPECT_EQ(check(index_of({base})),
            "package 'app@1-r0' of the image is not in the signed index (nacre community serial 7)\n"
            "  hint: an older image needs the index of its serial: --index FILE");
  index::SerialPackage other = application;
  other.record.checksum = "Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  EXPECT_EQ(check(index_of({base, other})),
            fmt::format("package 'app@1-r0' of the image is {}, the signed index (nacre community serial 7) says "
                        "Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=", application.record.checksum));
  attach({base});
  EXPECT_EQ(check(index_of(packages)), "package 'app@1-r0' is in the image, and provenance does not name it");
  other = application;
  other.record.name = "ghost";
  attach({base, application, other});
  EXPECT_EQ(check(index_of(packages)), "provenance names package 'ghost@1-r0', which is not in the image");
}

TEST_F(VerifyImageTest, EachAttestationMustBeThereAndForeignOnesDoNotMatter) {
  const std::string index = index_of(packages), subject = image.index.digest.oci();
  const Json all = referrers[subject];
  ASSERT_EQ(all.items().size(), 3u);
  const std::string_view types[] = {kCosignSignatureType, kProvenanceType, kSpdxType};
  for (std::size_t left_out = 0; left_out < 3; ++left_out) {
    Json rest = Json::array();
    for (std::size_t i = 0; i < 3; ++i)
      if (i != left_out) rest.push(all.items()[i]);
    referrers.set(subject, rest);
    EXPECT_EQ(check(index), fmt::format("the index {} has no attestation of type '{}'", subject, types[left_out]));
  }
  // An attestation by another key, before and after ours, and one of a type of which we know nothing.
  const auto foreign =
      attach_evidence({{image.index, {}}}, "nacre/web", image::kTime, Edition::kProduction, test_signer(), *store_);
  ASSERT_TRUE(foreign);
  const Json by_other = foreign->referrers[subject].items()[0];
  Json odd = by_other, notes;
  odd.set("annotations", notes.set("dev.sigstore.bundle.predicateType", "https://example.org/odd"))
      .set("digest", "no digest");
  Json mixed = Json::array({odd, by_other});
  for (const Json& row : all.items()) mixed.push(row);
  referrers.set(subject, mixed);
  EXPECT_EQ(check(index), "holds");
  referrers.set(subject, Json::array({by_other, all.items()[1], all.items()[2]}));
  EXPECT_EQ(
      check(index),
      fmt::format("no signature of the envelope fits the key {}\n  while checking the signature of a statement for {}\n"
                  "  while checking 'https://sigstore.dev/cosign/sign/v1' of the index",
                  trusted().attestation.fingerprint(), subject));
}

TEST_F(VerifyImageTest, CycloneDxMustHoldWhereItIs) {
  const std::string index = index_of(packages), subject = image.index.digest.oci();
  const Json bom = cyclonedx_of(image_index_sbom({image})), all = referrers[subject];
  for (const Edition edition : {kCommunity, Edition::kProduction}) {
    const auto more = attach_evidence({{image.index, {{std::string(kCycloneDxType), bom}}}}, "nacre/web", image::kTime,
                                      edition, test_signer(), *store_);
    ASSERT_TRUE(more);
    Json list = all;
    list.push(more->referrers[subject].items()[1]);
    referrers.set(subject, list);
    EXPECT_EQ(check(index) == "holds", edition == kCommunity) << check(index);
    ImageSource source;
    source.blob = [&](const Sha256& digest) { return store_->read(digest); };
    source.referrers = [&](const Sha256& of) -> Result<Json> { return Json(referrers[of.oci()]); };
    const auto found = find_predicate(image.index.digest, kCycloneDxType, source);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ(**found, bom);
    const auto absent = find_predicate(image.manifest.digest, kCycloneDxType, source);
    EXPECT_TRUE(absent && !*absent);
  }
}

TEST_F(VerifyImageTest, AnotherEditionIsRefused) {
  EXPECT_EQ(
      check(index_of(packages, Edition::kProduction), Edition::kProduction),
      fmt::format("no signature of the envelope fits the key {}\n  while checking the signature of a statement for {}\n"
                  "  while checking 'https://sigstore.dev/cosign/sign/v1' of the index",
                  trusted(Edition::kProduction).attestation.fingerprint(), image.index.digest.oci()));
}

}  // namespace
}  // namespace nacre::attest
