#include "attest/cyclonedx.h"
#include "attest/provenance.h"
#include "attest/sbom.h"
#include "attest/spdx.h"
#include "attest/statement_check.h"
#include "base/encoding.h"
#include "codec/digest.h"
#include "image/kitchen_test.h"

#include <map>
#include <set>

namespace nacre::attest {
namespace {

using codec::Json;
using image::test_signer;

constexpr const char* kBuilderId = "https://nacre.dev/builders/local/v1";

TEST(Spdx, IdsHoldOnlyWhatTheStandardAllows) {
  const std::vector<std::array<std::string_view, 3>> rows = {
      {"Package", "zlib-1.3.2-r0", "SPDXRef-Package-zlib-1.3.2-r0"},
      {"Package", "g++-12", "SPDXRef-Package-gC43C43-12"},
      {"File", "sha256:ab/c d_e", "SPDXRef-File-sha256-ab-cC32dC95e"},
      {"Package", "\xc3\xa9", "SPDXRef-Package-C195C169"},
      {"Package", "", "SPDXRef-Package-"},
  };
  for (const auto& [kind, text, wanted] : rows) EXPECT_EQ(spdx_id(kind, text), wanted);
}

TEST(Spdx, ALicenceIsAnExpressionOrAReferenceWithItsText) {
  const std::vector<std::array<std::string_view, 2>> rows = {
      {"MIT", "MIT"},
      {"GPL-2.0-or-later WITH Classpath-exception-2.0", "GPL-2.0-or-later WITH Classpath-exception-2.0"},
      {"(MIT OR Apache-2.0) AND Zlib", "(MIT OR Apache-2.0) AND Zlib"},
      {"GPL-2.0+", "GPL-2.0+"},
      {"Custom licence, see COPYING", "LicenseRef-Custom-licence-see-COPYING"},
      {"MIT Apache-2.0", "LicenseRef-MIT-Apache-2.0"},
      {"MIT AND", "LicenseRef-MIT-AND"},
      {"AND MIT", "LicenseRef-AND-MIT"},
      {"(MIT", "LicenseRef-MIT"},
      {")MIT(", "LicenseRef-MIT"},
      {"LicenseRef-odd", "LicenseRef-odd"},
      {"", "LicenseRef-unnamed"},
      {"\xff\n<>", "LicenseRef-unnamed"},
  };
  for (const auto& [text, wanted] : rows) {
    const SpdxLicense license = spdx_license(text);
    EXPECT_EQ(license.expression, wanted) << text;
    const bool reference = wanted.starts_with("LicenseRef-");
    EXPECT_EQ(license.reference, reference ? wanted : "") << text;
    EXPECT_EQ(license.text, reference ? text : "") << text;
  }
}

definition::Definition zlib() {
  definition::Definition out;
  out.name = "zlib";
  out.version = "1.3.2";
  out.url = "https://zlib.net";
  out.copyright = {{"Zlib", {}, {}, {}}, {"MIT OR Apache-2.0", {}, {}, {}}, {"odd terms", {}, {}, {}}};
  return out;
}

build::FetchedSource zlib_source() {
  build::FetchedSource out;
  out.sha256 = codec::sha256("tarball");
  out.uri = "https://zlib.net/zlib-1.3.2.tar.gz";
  out.origin = "upstream";
  out.repacked = true;
  return out;
}

/// Rows of a document by what one key says.
std::vector<std::string> column(const Json& rows, std::string_view key) {
  std::vector<std::string> out;
  for (const Json& row : rows.items()) out.push_back(row[key].as_string());
  return out;
}

std::vector<std::string> relations(const Json& document) {
  std::vector<std::string> out;
  for (const Json& row : document["relationships"].items())
    out.push_back(fmt::format("{} {} {}", row["spdxElementId"].as_string(), row["relationshipType"].as_string(),
                              row["relatedSpdxElement"].as_string()));
  return out;
}

TEST(PackageSbom, HasTheShapeOfSpdx23) {
  const Json sbom = package_sbom(zlib(), "zlib-dev", *find_arch("x86_64"), {zlib_source()}, "abc123", 1'700'000'000);
  EXPECT_EQ(sbom["spdxVersion"].as_string(), "SPDX-2.3");
  EXPECT_EQ(sbom["dataLicense"].as_string(), "CC0-1.0");
  EXPECT_EQ(sbom["SPDXID"].as_string(), "SPDXRef-DOCUMENT");
  EXPECT_EQ(sbom["name"].as_string(), "apk-zlib-dev-1.3.2-r0");
  EXPECT_EQ(
      codec::to_json(sbom["creationInfo"]),
      R"({"created":"2023-11-14T22:13:20Z","creators":["Tool: nacre","Organization: nacre"],)"
            R"("licenseListVersion":"3.27"})");
  EXPECT_EQ(sbom["documentDescribes"].as_strings(), std::vector<std::string>{"SPDXRef-Package-zlib-dev-1.3.2-r0"});
  EXPECT_EQ(column(sbom["packages"], "SPDXID"),
            (std::vector<std::string>{"SPDXRef-OperatingSystem-nacre", "SPDXRef-Package-zlib-dev-1.3.2-r0",
                                      "SPDXRef-Source-zlib-1.3.2-0"}));
  EXPECT_EQ(relations(sbom),
            (std::vector<std::string>{
                "SPDXRef-DOCUMENT DESCRIBES SPDXRef-Package-zlib-dev-1.3.2-r0",
                "SPDXRef-OperatingSystem-nacre CONTAINS SPDXRef-Package-zlib-dev-1.3.2-r0",
                "SPDXRef-Package-zlib-dev-1.3.2-r0 GENERATED_FROM SPDXRef-Source-zlib-1.3.2-0",
            }));
  EXPECT_EQ(
      codec::to_json(sbom["packages"].items()[1]),
      R"({"SPDXID":"SPDXRef-Package-zlib-dev-1.3.2-r0","name":"zlib-dev","versionInfo":"1.3.2-r0",)"
      R"("filesAnalyzed":false,)"
      R"("licenseConcluded":"NOASSERTION","licenseDeclared":"Zlib AND (MIT OR Apache-2.0) AND LicenseRef-odd-terms",)"
      R"("copyrightText":"NOASSERTION","downloadLocation":"NOASSERTION","supplier":"Organization: nacre",)"
      R"("originator":"Organization: nacre","primaryPackagePurpose":"INSTALL","homepage":"https://zlib.net",)"
      R"("sourceInfo":"definition at commit abc123","externalRefs":[{"referenceCategory":"PACKAGE-MANAGER",)"
      R"("referenceType":"purl","referenceLocator":"pkg:apk/nacre/zlib-dev@1.3.2-r0?arch=x86_64&distro=nacre"}]})");
  EXPECT_EQ(codec::to_json(sbom["hasExtractedLicensingInfos"]),
            R"([{"licenseId":"LicenseRef-odd-terms","extractedText":"odd terms","name":"odd terms"}])");
  const Json& source = sbom["packages"].items()[2];
  EXPECT_EQ(source["downloadLocation"].as_string(), "https://zlib.net/zlib-1.3.2.tar.gz");
  EXPECT_EQ(codec::to_json(source["checksums"]),
            fmt::format(R"([{{"algorithm":"SHA256","checksumValue":"{}"}}])", codec::sha256("tarball").hex()));
  EXPECT_EQ(source["annotations"].items()[0]["comment"].as_string(),
            "repacked: these are not the bytes that upstream published");
  EXPECT_EQ(package_sbom_path("zlib-dev", "1.3.2-r0").str(), "var/lib/db/sbom/zlib-dev-1.3.2-r0.spdx.json");
}

TEST(PackageSbom, SaysWhatTheDefinitionAndItsPlaceAre) {
  definition::Definition definition = zlib();
  definition.cpe.vendor = "zlib", definition.cpe.product = "zlib";
  definition.copyright.back().license_path = "doc/TERMS";
  build::FetchedSource history;
  history.uri = "https://github.com/madler/zlib.git", history.ref = "refs/tags/v1.3.2";
  history.commit = std::string(40, 'a');
  SbomOptions options;
  options.name_space = "wolfi", options.license_texts = {{"doc/TERMS", "be kind"}};
  options.repository = "https://github.com/o/os", options.path = "zlib.yaml", options.commit = std::string(40, 'b');
  const Json sbom = package_sbom(definition, "zlib", *find_arch("x86_64"), {history}, "", 1, options);
  std::vector<std::string> locators;
  for (const Json& package : sbom["packages"].items())
    for (const Json& row : package["externalRefs"].items()) locators.push_back(row["referenceLocator"].as_string());
  EXPECT_EQ(locators, (std::vector<std::string>{
                          "pkg:apk/wolfi/zlib@1.3.2-r0?arch=x86_64&distro=wolfi",
                          "cpe:2.3:a:zlib:zlib:1.3.2:*:*:*:*:*:*:*",
                          "pkg:github/o/os@" + options.commit + "#zlib.yaml",
                          "pkg:github/madler/zlib@v1.3.2",
                      }));
  EXPECT_EQ(codec::to_json(sbom["hasExtractedLicensingInfos"]),
            R"([{"licenseId":"LicenseRef-odd-terms","extractedText":"be kind","name":"odd terms"}])");
  EXPECT_EQ(sbom["packages"].items().back()["downloadLocation"].as_string(),
            "git+https://github.com/madler/zlib.git@" + history.commit);
  const auto described = relations(sbom);
  EXPECT_EQ(std::count_if(described.begin(), described.end(),
                          [](const std::string& row) { return row.find(" DESCRIBED_BY ") != std::string::npos; }),
            1);
}

TEST(PackageSbom, TakesLicenceTextsFromTheWorkspaceAlone) {
  const os::TempDir place = *os::TempDir::create(std::filesystem::temp_directory_path());
  ASSERT_TRUE(os::make_dirs(place.path() / "work"));
  ASSERT_TRUE(os::write_file(place.path() / "secret", "the host's"));
  ASSERT_TRUE(os::write_file(place.path() / "work/TERMS", "be kind"));
  std::filesystem::create_symlink("../secret", place.path() / "work/link");
  const auto text = [&](const char* path) {
    definition::Definition definition = zlib();
    definition.copyright.back().license_path = path;
    const auto texts = license_texts(definition, place.path() / "work");
    return texts ? texts->at(path) : "refused";
  };
  EXPECT_EQ(text("TERMS"), "be kind");
  for (const char* path : {"../secret", "/etc/shadow", "link", "nothing"}) EXPECT_EQ(text(path), "refused") << path;
}

TEST(PackageSbom, DependsOnItsArgumentsAlone) {
  const auto make = [](const std::string& package, const std::string& tarball) {
    build::FetchedSource source = zlib_source();
    source.sha256 = codec::sha256(tarball);
    return package_sbom(zlib(), package, *find_arch("x86_64"), {source}, "c", 1);
  };
  EXPECT_EQ(make("zlib", "a"), make("zlib", "a"));
  std::set<std::string> names;
  for (const char* package : {"zlib", "zlib-dev"})
    for (const char* tarball : {"a", "b"}) names.insert(make(package, tarball)["documentNamespace"].as_string());
  EXPECT_EQ(names.size(), 4u);  // a namespace is unique to its document
}

image::Image small_image() {
  image::Image out;
  out.name = "web";
  out.arch = *find_arch("x86_64");
  out.created = 1'700'000'000;
  out.manifest = {"application/vnd.oci.image.manifest.v1+json", codec::sha256("manifest"), 10};
  out.index = {"application/vnd.oci.image.index.v1+json", codec::sha256("index"), 10};
  image::Layer layer;
  layer.blob = {"application/vnd.oci.image.layer.v1.tar+gzip", codec::sha256("layer"), 10};
  layer.packages = {"zlib=1.3.2-r0"};
  out.layers = {layer};
  return out;
}

/// Every package can be reached from what the document describes: floating ones are dropped by checkers.
void expect_connected(const Json& document) {
  std::set<std::string> reached;
  for (const std::string& id : document["documentDescribes"].as_strings()) reached.insert(id);
  for (std::size_t before = 0; before != reached.size();) {
    before = reached.size();
    for (const Json& row : document["relationships"].items())
      if (reached.contains(row["spdxElementId"].as_string())) reached.insert(row["relatedSpdxElement"].as_string());
  }
  const std::vector<std::string> ids = column(document["packages"], "SPDXID");
  for (const std::string& id : ids) EXPECT_TRUE(reached.contains(id)) << id;
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
}

TEST(ImageSbom, ContainsLayersPackagesAndSourcesOnce) {
  const Arch arch = *find_arch("x86_64");
  const std::vector<Json> sboms = {package_sbom(zlib(), "zlib", arch, {zlib_source()}, "c", 1),
                                   package_sbom(zlib(), "zlib-dev", arch, {zlib_source()}, "c", 1)};
  const Json sbom = image_sbom(small_image(), sboms);
  EXPECT_EQ(column(sbom["packages"], "SPDXID"),
            (std::vector<std::string>{
                "SPDXRef-Package-Image-" + ("sha256-" + codec::sha256("manifest").hex()),
                "SPDXRef-Package-ImageLayer-" + ("sha256-" + codec::sha256("layer").hex()),
                "SPDXRef-OperatingSystem-nacre", "SPDXRef-Package-zlib-1.3.2-r0", "SPDXRef-Source-zlib-1.3.2-0",
                "SPDXRef-Package-zlib-dev-1.3.2-r0"}));
  EXPECT_EQ(column(sbom["hasExtractedLicensingInfos"], "licenseId"), std::vector<std::string>{"LicenseRef-odd-terms"});
  EXPECT_EQ(sbom["packages"].items()[1]["comment"].as_string(), "holds zlib=1.3.2-r0");
  expect_connected(sbom);
  expect_connected(image_sbom(small_image(), {}));
  const Json index = image_index_sbom({small_image()});
  expect_connected(index);
  EXPECT_TRUE(column(index["relationships"], "relationshipType").at(1) == "VARIANT_OF");
  index::SerialPackage package;
  package.record.name = "zlib";
  package.record.version = "1.3.2-r0";
  package.record.arch = "x86_64";
  expect_connected(repository_sbom({package, package}, Edition::kCommunity, 3, 1));
}

TEST(CycloneDx, SaysWhatTheSpdxDocumentSaysAndWhoNeedsWhom) {
  const Arch arch = *find_arch("x86_64");
  definition::Definition app = zlib();
  app.name = "app";
  app.copyright = {{"odd terms", {}, {}, {}}};
  const Json spdx = image_sbom(small_image(), {package_sbom(zlib(), "zlib", arch, {zlib_source()}, "c", 1),
                                               package_sbom(app, "app", arch, {zlib_source()}, "c", 1)});
  apk::IndexRecord needs, gives;
  needs.name = "app", needs.version = "1.3.2-r0", needs.depends = {"so:libz.so.1>=1", "!busybox", "absent", "app"};
  gives.name = "zlib", gives.version = "1.3.2-r0", gives.provides = {"so:libz.so.1=1.3"};
  const Json bom = cyclonedx_of(spdx, package_graph({needs, gives}));
  EXPECT_EQ(bom["specVersion"].as_string(), "1.6");
  EXPECT_EQ(bom["metadata"]["component"]["bom-ref"].as_string(),
            "SPDXRef-Package-Image-sha256-" + codec::sha256("manifest").hex());
  EXPECT_EQ(bom["metadata"]["timestamp"].as_string(), "2023-11-14T22:13:20Z");
  std::map<std::string, Json> components, dependencies;
  for (const Json& row : bom["components"].items()) components[row["bom-ref"].as_string()] = row;
  for (const Json& row : bom["dependencies"].items()) dependencies[row["ref"].as_string()] = row["dependsOn"];
  ASSERT_EQ(components.size(), 4u) << "layer, operating system, two packages; sources are references";
  const Json& library = components["SPDXRef-Package-zlib-1.3.2-r0"];
  EXPECT_EQ(library["purl"].as_string(), "pkg:apk/nacre/zlib@1.3.2-r0?arch=x86_64&distro=nacre");
  EXPECT_EQ(library["licenses"].items()[0]["expression"].as_string(),
            "Zlib AND (MIT OR Apache-2.0) AND LicenseRef-odd-terms");
  EXPECT_EQ(library["properties"].items()[0]["value"].as_string(), "odd terms");
  EXPECT_EQ(codec::to_json(library["externalReferences"]),
            fmt::format(R"([{{"type":"website","url":"https://zlib.net"}},{{"type":"source-distribution",)"
                        R"("url":"https://zlib.net/zlib-1.3.2.tar.gz","comment":"zlib 1.3.2; repacked: these are )"
                        R"(not the bytes that upstream published","hashes":[{{"alg":"SHA-256","content":"{}"}}]}}])",
                        codec::sha256("tarball").hex()));
  EXPECT_EQ(components["SPDXRef-Package-app-1.3.2-r0"]["licenses"].items()[0]["license"]["text"]["content"].as_string(),
            "odd terms");
  EXPECT_EQ(dependencies["SPDXRef-Package-app-1.3.2-r0"].as_strings(),
            std::vector<std::string>{"SPDXRef-Package-zlib-1.3.2-r0"});
  EXPECT_TRUE(dependencies["SPDXRef-Package-zlib-1.3.2-r0"].as_strings().empty());
  EXPECT_EQ(dependencies["SPDXRef-OperatingSystem-nacre"].as_strings(),
            (std::vector<std::string>{"SPDXRef-Package-app-1.3.2-r0", "SPDXRef-Package-zlib-1.3.2-r0"}));
  EXPECT_EQ(bom, cyclonedx_of(spdx, package_graph({needs, gives})));
  EXPECT_NE(bom["serialNumber"], cyclonedx_of(image_index_sbom({small_image()}))["serialNumber"]);
}

TEST(CycloneDx, BearsAnyDocument) {
  for (const char* text : {"{}", R"({"packages":[{}]})", R"({"packages":[{"SPDXID":"a"},{"SPDXID":"a"}]})",
                           R"({"packages":3,"relationships":[{}],"documentDescribes":["nothing"]})",
                           R"({"packages":[{"SPDXID":"a","checksums":[{"algorithm":"SHA256","checksumValue":"x"}],)"
                           R"("downloadLocation":"a b",)"
                           R"("externalRefs":[{"referenceType":"cpe23Type","referenceLocator":"cpe"}]}]})"}) {
    const Json bom = cyclonedx_of(*codec::parse_json(text, "test"));
    EXPECT_EQ(bom["bomFormat"].as_string(), "CycloneDX") << text;
    for (const Json& row : bom["components"].items())
      for (const char* key : {"hashes", "cpe", "externalReferences"}) EXPECT_EQ(row.find(key), nullptr) << text;
  }
  const std::vector<apk::IndexRecord> records = installed_records("F:x\nP:a\nV:1\nD:b c\n\nP:\nV:\n\nP:b\nV:2\np:c");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].depends, (std::vector<std::string>{"b", "c"}));
}

TEST(Statement, IsInTotoV1) {
  const Sha256 digest = codec::sha256("x");
  Json predicate;
  predicate.set("a", 1);
  EXPECT_EQ(
      codec::to_json(statement({{"x.apk", digest}, {"", digest}}, "https://example.org/t", predicate)),
      fmt::format(
          R"({{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"x.apk","digest":{{"sha256":"{0}"}}}},)"
          R"({{"digest":{{"sha256":"{0}"}}}}],"predicateType":"https://example.org/t","predicate":{{"a":1}}}})",
          digest.hex()));
}

TEST(Provenance, NamesEverythingThatWentIn) {
  const definition::Definition definition = zlib();
  build::BuildRequest request;
  request.definition = &definition;
  request.arch = *find_arch("x86_64");
  request.sources = {zlib_source()};
  request.root = {{"gcc", "12.2.0-r0", "stage0", codec::sha256("gcc"), {}},
                  {"g++", "12-r0", "community", codec::sha256("g++"), {}}};
  build::BuiltTree built;
  built.log = codec::sha256("log");
  built.started = 1'700'000'000;
  built.finished = 1'700'000'060;
  const Json json = build_provenance(request, built, "os/packages/zlib.yaml", codec::sha256("yaml"), "abc", {});
  const Json& build = json["buildDefinition"];
  EXPECT_EQ(
      codec::to_json(build["externalParameters"]),
      R"({"definition":"os/packages/zlib.yaml","package":"zlib","version":"1.3.2-r0",)"
            R"("architecture":"x86_64","edition":"community"})");
  EXPECT_EQ(column(build["resolvedDependencies"], "uri"),
            (std::vector<std::string>{"os/packages/zlib.yaml", "https://zlib.net/zlib-1.3.2.tar.gz",
                                      "pkg:apk/nacre-stage0/gcc@12.2.0-r0", "pkg:apk/nacre-community/g%2B%2B@12-r0"}));
  EXPECT_EQ(codec::to_json(build["resolvedDependencies"].items()[1]["annotations"]),
            R"({"kind":"source","from":"upstream","repacked":true})");
  const Json& run = json["runDetails"];
  EXPECT_EQ(run["builder"]["id"].as_string(), kBuilderId);
  EXPECT_EQ(run["metadata"]["startedOn"].as_string(), "2023-11-14T22:13:20Z");
  EXPECT_EQ(run["metadata"]["finishedOn"].as_string(), "2023-11-14T22:14:20Z");
  EXPECT_EQ(run["byproducts"].items()[0]["digest"]["sha256"].as_string(), codec::sha256("log").hex());
}

TrustedKeys trusted(Edition edition = Edition::kCommunity) {
  return {edition, *test_signer().public_key(Edition::kCommunity, crypto::Purpose::kPackage),
          *test_signer().public_key(edition, crypto::Purpose::kAttestation), {kBuilderId}};
}

const Sha256 kSubject = codec::sha256("subject");

Json good_provenance() { return stage0_provenance({{"zlib1g_1.2_amd64.deb", codec::sha256("deb")}}, {}); }

struct StatementCheck : image::Kitchen {
  std::string bundle(const Json& what, Edition edition = Edition::kCommunity) {
    const auto digest = sign_statement(what, edition, test_signer(), *store_);
    EXPECT_TRUE(digest) << digest.error().render();
    return *store_->read(*digest);
  }
  static std::string verdict(const std::string& bundle, const TrustedKeys& keys = trusted()) {
    const auto found = check_statement(bundle, {kSubject, kProvenanceType, kStage0BuildType}, keys);
    return found ? "holds: " + found->summary : found.error().render();
  }
};

TEST_F(StatementCheck, HoldsForWhatWasSigned) {
  EXPECT_EQ(verdict(bundle(statement({{"x", kSubject}}, kProvenanceType, good_provenance()))),
            "holds: https://nacre.dev/builders/local/v1, edition community");
  EXPECT_EQ(
      verdict(bundle(statement({{"", codec::sha256("other")}, {"", kSubject}}, kProvenanceType, good_provenance()))),
      "holds: https://nacre.dev/builders/local/v1, edition community");
}

TEST_F(StatementCheck, RefusesEachThingThatDoesNotHold) {
  const auto with = [](const char* part, const char* key, Json value) {
    Json out = good_provenance(), inner = out[part];
    out.set(part, inner.set(key, std::move(value)));
    return out;
  };
  Json external = good_provenance()["buildDefinition"]["externalParameters"], foreign = external;
  external.set("colour", "red");
  foreign.set("edition", "production");
  struct Row {
    Json statement;
    std::string wanted;
  };
  const std::vector<Row> rows = {
      {statement({{"", codec::sha256("other")}}, kProvenanceType, good_provenance()),
       fmt::format("the statement is about {}, expected {}", codec::sha256("other").oci(), kSubject.oci())},
      {statement({}, kProvenanceType, good_provenance()),
       fmt::format("the statement is about nothing, expected {}", kSubject.oci())},
      {statement({{"", kSubject}}, kSpdxType, good_provenance()),
       "the statement has type 'https://spdx.dev/Document', expected 'https://slsa.dev/provenance/v1'"},
      {statement({{"", kSubject}}, kProvenanceType, with("buildDefinition", "buildType", kPackageBuildType)),
       "provenance has build type 'https://nacre.dev/buildtypes/package/v1', expected "
       "'https://nacre.dev/buildtypes/stage0/v1'"},
      {statement({{"", kSubject}}, kProvenanceType,
                 with("runDetails", "builder", Json::object({{"id", "https://evil.example"}}))),
       "provenance names builder 'https://evil.example', trusted are: https://nacre.dev/builders/local/v1\n"
       "  hint: --builder ID trusts one more"},
      {statement({{"", kSubject}}, kProvenanceType, with("buildDefinition", "externalParameters", external)),
       "provenance has the unknown parameter 'colour'"},
      {statement({{"", kSubject}}, kProvenanceType, with("buildDefinition", "externalParameters", foreign)),
       "provenance says edition 'production', expected 'community'"},
      {statement({{"", kSubject}}, kProvenanceType, with("buildDefinition", "externalParameters", Json::array())),
       "provenance says edition '', expected 'community'"},
      {Json::object({{"_type", "https://in-toto.io/Statement/v0.1"}}),
       "expected an in-toto statement v1, found 'https://in-toto.io/Statement/v0.1'"},
  };
  for (const Row& row : rows) EXPECT_EQ(verdict(bundle(row.statement)), row.wanted);
}

TEST_F(StatementCheck, RefusesOtherKeysAndEveryFlippedByte) {
  const Json good = statement({{"", kSubject}}, kProvenanceType, good_provenance());
  const std::string denied = fmt::format(
      "no signature of the envelope fits the key {}\n  while checking the signature of a "
      "statement for {}",
      trusted().attestation.fingerprint(), kSubject.oci());
  EXPECT_EQ(verdict(bundle(good, Edition::kProduction)), denied);
  const std::string text = bundle(good);
  const std::size_t envelope = text.find("dsseEnvelope");
  ASSERT_NE(envelope, std::string::npos);
  for (std::size_t at = envelope; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(verdict(changed).starts_with("holds")) << at << " " << changed.substr(at, 20);
  }
  for (const char* odd : {"", "{}", "[]", "null", "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\"}"})
    EXPECT_FALSE(verdict(odd).starts_with("holds")) << odd;
}

/// cosign's forms: what each descriptor says is what its blob is.
struct Evidence : StatementCheck {
  Json read(const Json& descriptor) {
    const auto digest = parse_sha256(descriptor["digest"].as_string());
    EXPECT_TRUE(digest) << codec::to_json(descriptor);
    const auto text = store_->read(*digest);
    EXPECT_TRUE(text) << text.error().render();
    EXPECT_EQ(descriptor["size"].as_int(), static_cast<std::int64_t>(text->size()));
    return *codec::parse_json(*text, "blob");
  }
  image::Descriptor subject{"application/vnd.oci.image.manifest.v1+json", kSubject, 7};
  ImageEvidence attach() {
    auto out = attach_evidence({{subject, {{std::string(kProvenanceType), good_provenance()}}}}, "nacre/web",
                               1'700'000'000, Edition::kCommunity, test_signer(), *store_);
    EXPECT_TRUE(out) << out.error().render();
    return *std::move(out);
  }
};

TEST_F(Evidence, ReferrersCarryBundles) {
  const ImageEvidence evidence = attach();
  const Json rows = evidence.referrers[kSubject.oci()];
  ASSERT_EQ(rows.items().size(), 2u);
  const std::string_view types[] = {kCosignSignatureType, kProvenanceType};
  for (std::size_t i = 0; i < 2; ++i) {
    const Json& row = rows.items()[i];
    EXPECT_EQ(row["mediaType"].as_string(), "application/vnd.oci.image.manifest.v1+json");
    EXPECT_EQ(row["artifactType"].as_string(), "application/vnd.dev.sigstore.bundle.v0.3+json");
    const Json manifest = read(row);
    EXPECT_EQ(manifest["schemaVersion"].as_int(), 2);
    EXPECT_EQ(manifest["artifactType"], row["artifactType"]);
    EXPECT_EQ(manifest["annotations"], row["annotations"]);
    EXPECT_EQ(codec::to_json(manifest["annotations"]),
              fmt::format(R"({{"dev.sigstore.bundle.content":"dsse-envelope","dev.sigstore.bundle.predicateType":"{}",)"
                          R"("org.opencontainers.image.created":"2023-11-14T22:13:20Z"}})", types[i]));
    EXPECT_EQ(codec::to_json(manifest["subject"]), codec::to_json(image::to_json(subject)));
    EXPECT_EQ(codec::to_json(manifest["config"]),
              R"({"mediaType":"application/vnd.oci.empty.v1+json",)"
              R"("digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2})");
    EXPECT_EQ(codec::to_json(read(manifest["config"])), "{}");
    const Json& layer = manifest["layers"].items().at(0);
    EXPECT_EQ(layer["mediaType"], row["artifactType"]);
    const Json bundle = read(layer);
    EXPECT_EQ(bundle["verificationMaterial"]["publicKey"]["hint"].as_string(), trusted().attestation.fingerprint());
    const auto found = check_statement(codec::to_json(bundle), {kSubject, types[i], kStage0BuildType}, trusted());
    EXPECT_TRUE(found) << found.error().render();
    EXPECT_EQ(codec::to_json(found->predicate) == "{}", i == 0);
  }
}

TEST_F(Evidence, TagsCarryTheLegacyForm) {
  const ImageEvidence evidence = attach();
  ASSERT_EQ(evidence.tags.size(), 2u);
  EXPECT_EQ(evidence.tags[0].first, "sha256-" + kSubject.hex() + ".sig");
  EXPECT_EQ(evidence.tags[1].first, "sha256-" + kSubject.hex() + ".att");
  const Json sig = *codec::parse_json(*store_->read(evidence.tags[0].second), "sig");
  const Json& layer = sig["layers"].items().at(0);
  EXPECT_EQ(layer["mediaType"].as_string(), "application/vnd.dev.cosign.simplesigning.v1+json");
  const std::string payload = *store_->read(*parse_sha256(layer["digest"].as_string()));
  EXPECT_EQ(
      payload,
      fmt::format(
          R"({{"critical":{{"identity":{{"docker-reference":"nacre/web"}},"image":{{"docker-manifest-digest":"{}"}},)"
          R"("type":"cosign container image signature"}},"optional":{{}}}})",
          kSubject.oci()));
  const auto signature = from_base64(layer["annotations"]["dev.cosignproject.cosign/signature"].as_string());
  ASSERT_TRUE(signature);
  EXPECT_TRUE(trusted().attestation.verify(payload, *signature));
  EXPECT_EQ(sig["artifactType"], layer["mediaType"]);  // the config is empty
  EXPECT_EQ(codec::to_json(read(sig["config"])), "{}");
  const Json att = *codec::parse_json(*store_->read(evidence.tags[1].second), "att");
  ASSERT_EQ(att["layers"].items().size(), 1u);  // the signature has its own tag
  const Json& envelope = att["layers"].items()[0];
  EXPECT_EQ(envelope["mediaType"].as_string(), "application/vnd.dsse.envelope.v1+json");
  EXPECT_EQ(codec::to_json(envelope["annotations"]),
            fmt::format(R"({{"dev.cosignproject.cosign/signature":"","predicateType":"{}"}})", kProvenanceType));
  EXPECT_TRUE(check_envelope(read(envelope), {kSubject, kProvenanceType, kStage0BuildType}, trusted()));
  for (const auto& [tag, manifest] : evidence.tags)
    EXPECT_NE(std::find(evidence.blobs.begin(), evidence.blobs.end(), manifest), evidence.blobs.end()) << tag;
}

TEST_F(Evidence, WhatIsSaidOfSeveralIsSignedOnce) {
  const image::Descriptor index{"application/vnd.oci.image.index.v1+json", codec::sha256("index"), 5};
  const auto claims = [&](const image::Descriptor& of, const char* sbom) {
    return Claims{of, {{std::string(kProvenanceType), good_provenance()}, {std::string(kSpdxType), Json(sbom)}}};
  };
  const auto evidence =
      attach_evidence({claims(subject, "of the manifest"), claims(index, "of the index")}, "nacre/web", 1'700'000'000,
                      Edition::kCommunity, test_signer(), *store_);
  ASSERT_TRUE(evidence) << evidence.error().render();
  std::map<std::string, std::set<std::string>> bundles;  // by type
  for (const image::Descriptor& of : {subject, index}) {
    const Json rows = evidence->referrers[of.digest.oci()];
    ASSERT_EQ(rows.items().size(), 3u);
    for (const Json& row : rows.items()) {
      const Json manifest = read(row);
      EXPECT_EQ(manifest["subject"]["digest"].as_string(), of.digest.oci());
      const std::string type = row["annotations"]["dev.sigstore.bundle.predicateType"].as_string();
      const std::string bundle = codec::to_json(read(manifest["layers"].items().at(0)));
      bundles[type].insert(bundle);
      const auto found = check_statement(bundle, {of.digest, type, kStage0BuildType}, trusted());
      EXPECT_TRUE(found) << found.error().render();
    }
  }
  EXPECT_EQ(bundles[std::string(kCosignSignatureType)].size(), 1u);
  EXPECT_EQ(bundles[std::string(kProvenanceType)].size(), 1u);
  EXPECT_EQ(bundles[std::string(kSpdxType)].size(), 2u);
  // What only one of them claims does not hold for the other.
  for (const std::string& bundle : bundles[std::string(kSpdxType)])
    EXPECT_NE(bool(check_statement(bundle, {subject.digest, kSpdxType, kStage0BuildType}, trusted())),
              bool(check_statement(bundle, {index.digest, kSpdxType, kStage0BuildType}, trusted())));
}

}  // namespace
}  // namespace nacre::attest
