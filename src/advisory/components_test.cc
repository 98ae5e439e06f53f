#include "advisory/components.h"

#include <gtest/gtest.h>

#include <zlib.h>

namespace nacre::advisory {
namespace {

std::string text_of(const std::vector<Component>& components) {
  std::string out;
  for (const Component& each : components)
    out += each.ecosystem + " " + each.name + " " + each.version + (each.path.empty() ? "" : " " + each.path) + "\n";
  return out;
}
std::string text_of(const std::optional<Component>& component) {
  return component ? text_of(std::vector<Component>{*component}) : "nothing\n";
}

/// As the Go tool lays it out, with texts inline.
std::string build_info(const std::string& version, const std::string& modules) {
  std::string out("\xff Go buildinf:\x08\x02", 16);
  out += std::string(16, '\0');
  const auto text = [&](const std::string& each) {
    std::size_t size = each.size();
    while (size >= 0x80) {
      out += static_cast<char>(size | 0x80);
      size >>= 7;
    }
    out += static_cast<char>(size);
    out += each;
  };
  text(version);
  text(std::string(16, 'a') + modules + std::string(16, 'b'));
  return out;
}

TEST(Components, OfGoAreItsModulesAndItsRelease) {
  const std::string info = build_info("go1.22.5",
                                      "path\tcmd/x\nmod\texample.org/x\t(devel)\t\n"
                                      "dep\tgolang.org/x/net\tv0.17.0\th1:abc=\n"
                                      "dep\texample.org/old\tv1.0.0\n=>\texample.org/new\tv1.0.1\th1:x=\n"
                                      "dep\texample.org/local\tv1.0.0\n=>\t./local\t(devel)\t\n"
                                      "dep\tgithub.com/docker/docker\tv24.0.7+incompatible\th1:y=\n"
                                      "build\t-compiler=gc\n");
  EXPECT_EQ(text_of(go_components(info)),
            "Go stdlib 1.22.5\nGo golang.org/x/net 0.17.0\nGo example.org/new 1.0.1\n"
            "Go github.com/docker/docker 24.0.7+incompatible\n");
  for (std::size_t size = 0; size < info.size(); ++size) (void)go_components(info.substr(0, size));
  EXPECT_TRUE(go_components("").empty());
}

TEST(Components, GoReleasesAreWrittenAsItsRecordsWriteThem) {
  const std::vector<std::pair<const char*, const char*>> rows = {{"go1.22.5", "1.22.5"},
                                                                 {"go1.20", "1.20.0"},
                                                                 {"go1.22rc1", "1.22.0-rc.1"},
                                                                 {"go1.18beta2", "1.18.0-beta.2"},
                                                                 {"go1.22.5 X:x", "1.22.5"},
                                                                 {"go1.22.5-fips", "1.22.5"},
                                                                 {"devel go1.23-abc", ""},
                                                                 {"go1.x", ""},
                                                                 {"", ""},
                                                                 {"go1..2", ""}};
  for (const auto& [given, expected] : rows) EXPECT_EQ(go_release(given), expected) << given;
}

TEST(Components, OfRustAreTheCratesInTheProgram) {
  const std::string json = R"({"packages":[
    {"name":"demo","version":"0.1.0","source":"local","root":true},
    {"name":"libc","version":"0.2.150","source":"registry"},
    {"name":"cc","version":"1.0.0","source":"registry","kind":"build"},
    {"name":"inner","version":"0.1.0","source":"local"}]})";
  std::string packed(1024, '\0');
  uLongf size = packed.size();
  ASSERT_EQ(::compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(json.data()),
                       json.size()),
            Z_OK);
  packed.resize(size);
  const auto found = cargo_components(packed);
  ASSERT_TRUE(found) << found.error().render();
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[1].name + (*found)[1].version, "libc0.2.150");
  EXPECT_EQ(component_type((*found)[0].ecosystem), "rust-crate");
  EXPECT_EQ(cargo_components(packed.substr(0, 20)).error().render(), "zlib stream is malformed or stops early");
}

TEST(Components, OfMetadataFiles) {
  EXPECT_EQ(text_of(python_component("Metadata-Version: 2.1\nName: Zope.Thing\nVersion: 1.0\n\nName: other\n")),
            "PyPI zope-thing 1.0\n");
  EXPECT_EQ(text_of(python_component("Metadata-Version: 2.1\n\nName: x\nVersion: 1\n")), "nothing\n");
  EXPECT_EQ(text_of(npm_component(R"({"name":"@a/b","version":"1.2.3"})")), "npm @a/b 1.2.3\n");
  EXPECT_EQ(text_of(npm_component(R"({"name":"a"})")), "nothing\n");
  EXPECT_EQ(text_of(npm_component("{")), "nothing\n");
  EXPECT_EQ(text_of(maven_component("#comment\nversion=2.0\ngroupId=org.x\nartifactId=y\n")), "Maven org.x:y 2.0\n");
  EXPECT_EQ(text_of(gem_component("/usr/lib/ruby/gems/3.3.0/specifications/rack-test-2.1.0.gemspec")),
            "RubyGems rack-test 2.1.0\n");
  EXPECT_EQ(text_of(gem_component("/x/specifications/nokogiri-1.16.0-x86_64-linux.gemspec")),
            "RubyGems nokogiri 1.16.0\n");
  EXPECT_EQ(text_of(gem_component("/x/specifications/nothing.gemspec")), "nothing\n");
}

TEST(Components, OfPackageUrls) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"pkg:github/madler/zlib@v1.3.2", "GIT github.com/madler/zlib v1.3.2\n"},
      {"pkg:generic/x@1.0?vcs_url=git%2Bhttps%3A%2F%2Fgit.example.org%2FX.git%40abc", "GIT git.example.org/x 1.0\n"},
      {"pkg:generic/x@1.0?checksum=sha256:0&download_url=https%3A%2F%2Fx", "nothing\n"},
      {"pkg:pypi/Zope.Thing@1.0", "PyPI zope-thing 1.0\n"},
      {"pkg:npm/%40a/b@1.0", "npm @a/b 1.0\n"},
      {"pkg:golang/golang.org/x/net@v0.1.0", "Go golang.org/x/net 0.1.0\n"},
      {"pkg:maven/org.x/y@2", "Maven org.x:y 2\n"},
      {"pkg:apk/wolfi/zlib@1", "nothing\n"},
      {"zlib", "nothing\n"},
      {"pkg:github", "nothing\n"}};
  for (const auto& [purl, expected] : rows) EXPECT_EQ(text_of(component_of_purl(purl)), expected) << purl;
}

TEST(Components, SurviveBeingKept) {
  PackageComponents package;
  package.name = "a";
  package.origin = "b";
  package.version = "1-r0";
  package.components = {{"Go", "x", "1", "usr/bin/x"}, {"GIT", "github.com/a/b", "v1", ""}};
  package.not_read = {"usr/x.jar: bad"};
  const auto again = components_from_json(to_json(package));
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(again->components, package.components);
  EXPECT_EQ(again->not_read, package.not_read);
  EXPECT_EQ(again->origin, "b");
}

}  // namespace
}  // namespace nacre::advisory
