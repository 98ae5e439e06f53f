#include "codec/yaml.h"
#include "image/spec.h"
#include "os/file.h"

#include <gtest/gtest.h>

namespace nacre::image {
namespace {

constexpr std::string_view kWeb = R"(contents:
  packages:
    - nginx
    - ca-certificates-bundle=1-r0
entrypoint:
  command: /usr/sbin/nginx -g "daemon off;"
cmd: --help
stop-signal: SIGQUIT
work-dir: /srv
accounts:
  run-as: web
  groups:
    - groupname: web
      gid: 1001
      members: [web]
  users:
    - username: web
      uid: 1001
archs: [amd64, x86_64]
environment:
  LANG: C.UTF-8
paths:
  - path: /var/www/
    type: directory
    uid: 1001
    permissions: 0o755
  - path: /usr/bin/hi
    type: symlink
    source: /usr/bin/hello
annotations:
  org.example.team: web
volumes: [/data]
layering:
  strategy: origin
  budget: 10
format: tar
vcs-url: https://example.org/web@c0ffee
)";

Result<ImageSpec> read(std::string_view text) {
  auto yaml = codec::parse_yaml(std::string(text), "images/web.yaml");
  if (!yaml) return std::move(yaml).error();
  return read_image_spec(*yaml);
}

TEST(ImageSpec, ReadsEveryField) {
  const auto spec = read(kWeb);
  ASSERT_TRUE(spec) << spec.error().render();
  EXPECT_EQ(spec->name, "web");
  EXPECT_EQ(spec->contents.packages, (std::vector<std::string>{"nginx", "ca-certificates-bundle=1-r0"}));
  EXPECT_EQ(spec->contents.package_places.at(1).line, 4);
  EXPECT_EQ(spec->entrypoint.command, "/usr/sbin/nginx -g \"daemon off;\"");
  EXPECT_EQ(spec->cmd, "--help");
  EXPECT_EQ(spec->stop_signal, "SIGQUIT");
  EXPECT_EQ(spec->work_dir, "/srv");
  EXPECT_EQ(spec->accounts.run_as, "web");
  EXPECT_EQ(spec->accounts.users.at(0).gid, 1001u) << "the uid, when no gid is given";
  EXPECT_EQ(spec->accounts.users.at(0).home, "/home/web");
  EXPECT_EQ(spec->accounts.groups.at(0).members, std::vector<std::string>{"web"});
  EXPECT_EQ(spec->archs, std::vector<std::string>{"x86_64"}) << "one architecture under two names";
  EXPECT_EQ(spec->environment, (definition::Pairs{{"LANG", "C.UTF-8"}}));
  EXPECT_EQ(spec->paths.at(0).path, "var/www");
  EXPECT_EQ(spec->paths.at(0).mode, 0755u);
  EXPECT_EQ(spec->paths.at(0).uid, 1001u);
  EXPECT_FALSE(spec->paths.at(0).gid);
  EXPECT_EQ(spec->paths.at(1).source, "/usr/bin/hello");
  EXPECT_EQ(spec->layering->budget, 10);
  EXPECT_EQ(spec->volumes, std::vector<std::string>{"/data"});
}

TEST(ImageSpec, ReadsTheDistributionsOwn) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(os::Path(NACRE_SOURCE_DIR) / "os/images")) {
    if (entry.path().extension() != ".yaml") continue;
    ++count;
    const auto spec = read(*os::read_file(entry.path()));
    EXPECT_TRUE(spec) << entry.path() << ": " << spec.error().render();
  }
  EXPECT_GT(count, 0);
}

struct Fault {
  const char* name;
  std::string_view text, message;
};
class SpecFault : public testing::TestWithParam<Fault> {};
TEST_P(SpecFault, SaysWhereAndWhat) {
  const auto spec = read(GetParam().text);
  EXPECT_EQ(spec ? "no error" : spec.error().render(), GetParam().message);
}
INSTANTIATE_TEST_SUITE_P(
    , SpecFault,
    testing::Values(
        Fault{"Unknown", "contents:\n  package: [a]\n",
              "images/web.yaml:2:3: unknown field 'package' in contents\n  hint: did you mean 'packages'?"},
        Fault{"NotAMapping", "- a\n", "images/web.yaml:1:1: expected a mapping for an image definition, found a list"},
        Fault{"WrongType", "contents:\n  packages: nginx\n",
              "images/web.yaml:2:13: expected a list, found a single value\n"
              "  while reading 'packages' of contents\n  hint: write one '- item' per line"},
        Fault{"NoPackage", "contents:\n  packages: ['a b']\n",
              "images/web.yaml:2:14: 'a b' in contents.packages is no package\n"
              "  while reading 'packages' of contents\n"
              "  hint: write NAME, NAME=VERSION, NAME~VERSION or NAME>VERSION"},
        Fault{"BaseImage", "contents:\n  baseimage: {image: x}\n",
              "images/web.yaml:2:14: a base image needs both 'image' and 'apkindex'"},
        Fault{"OverBase", "contents:\n  baseimage: {image: x, apkindex: y}\ncmd: hi\n",
              "images/web.yaml:2:14: an image over a base image has 'cmd', which the base decides\n"
              "  hint: beside contents.baseimage only contents, archs and include may be set"},
        Fault{"CertificateName", "certificates: {additional: [{name: ../a, content: x}]}\n",
              "images/web.yaml:1:36: '../a' is no name of a file\n"
              "  hint: letters, digits, '_', '-' and '.', no '.' first"},
        Fault{"Erofs", "format: erofs\n",
              "images/web.yaml:1:9: layers are written as 'tar', not 'erofs'\n"
              "  hint: `nacre image export --format erofs` makes an EROFS of an image"},
        Fault{"EntrypointType", "entrypoint:\n  type: service\n",
              "images/web.yaml:2:9: entrypoint.type is 'service-bundle' or nothing, not 'service'"},
        Fault{"RootUser", "accounts:\n  users:\n    - {username: a, uid: 0}\n",
              "images/web.yaml:3:26: user 'a' has uid 0; only root has\n"
              "  hint: to run as root, write `run-as: 0`"},
        Fault{"BadName", "accounts:\n  users:\n    - {username: 'a:b', uid: 1}\n",
              "images/web.yaml:3:18: 'a:b' is no account name"},
        Fault{"DecimalMode", "paths:\n  - {path: /a, type: directory, permissions: 755}\n",
              "images/web.yaml:2:46: permissions should be an octal number, and is '755'\n"
              "  while reading 'permissions' of paths\n  hint: write it as 0o755"},
        Fault{"Escape", "paths:\n  - {path: ../a, type: directory, permissions: 0o755}\n",
              "images/web.yaml:2:12: '../a' is no path inside the image"},
        Fault{"RootLink", "paths:\n  - {path: /, type: symlink, source: /a}\n",
              "images/web.yaml:2:12: '/' is no path inside the image"},
        Fault{"PathType", "paths:\n  - {path: a, type: directry, permissions: 0o755}\n",
              "images/web.yaml:2:21: type is one of directory, empty-file, hardlink, symlink, permissions, not "
              "'directry'\n  hint: did you mean 'directory'?"},
        Fault{"Arch", "archs: [x86_46]\n",
              "images/web.yaml:1:9: unknown architecture 'x86_46'\n  while reading 'archs' of an image definition\n"
              "  hint: known: x86 (386), x86_64 (amd64), armhf (arm/v6), armv7 (arm/v7), aarch64 (arm64), loongarch64 "
              "(loong64), ppc64le (ppc64le), riscv64 (riscv64), s390x (s390x), host, all"},
        Fault{"TwiceAKey",
              "contents:\n  runtime_keyring: [{name: a, content: x}, {name: a, content: y}]\n",
              "images/web.yaml:2:44: runtime_keyring has 'a' twice"},
        Fault{"Budget", "layering: {budget: 1000}\n",
              "images/web.yaml:1:20: layering.budget is a number from 1 to 120, or 0 for the usual one, not 1000"}),
    [](const auto& fault) { return fault.param.name; });

TEST(ImageSpec, ReadsModesAsPeopleWriteThem) {
  EXPECT_EQ(*parse_mode("0o755"), 0755u);
  EXPECT_EQ(*parse_mode("04755"), 04755u);
  EXPECT_EQ(*parse_mode("0"), 0u);
  EXPECT_EQ(*parse_mode("493"), 0755u) << "JSON has no octal numbers";
  EXPECT_EQ(*parse_mode("0x1ed"), 0755u);
  for (const char* bad : {"", "755", "0o789", "010000", "-1", "0o", "0x", "rwx"}) EXPECT_FALSE(parse_mode(bad)) << bad;
}

TEST(ImageSpec, WritesApkosJson) {
  const auto spec = read("contents: {packages: [a], repositories: ['./p/']}\nentrypoint: {command: /bin/sh -l}\n"
                         "archs: [armv7, amd64]\npaths: [{path: /a/, type: directory, uid: 0, permissions: 0o755}]\n"
                         "annotations: {b: '<&>', a: x}\n");
  ASSERT_TRUE(spec) << spec.error().render();
  EXPECT_EQ(go_json(spec_to_json(*spec)),
            R"({"contents":{"repositories":["./p"],"packages":["a"]},"entrypoint":{"command":"/bin/sh -l"},)"
            R"("accounts":{},"archs":["amd64","arm/v7"],"paths":[{"path":"/a/","type":"directory","uid":0,)"
            R"("permissions":493}],"annotations":{"a":"x","b":"\u003c\u0026\u003e"}})");
}

/// A definition and what it includes, in files.
struct Included : testing::Test {
  void write(const std::string& name, std::string_view text) { ASSERT_TRUE(os::write_file(dir_.path() / name, text)); }
  Result<LoadedSpec> load(const std::string& name) {
    return load_image_spec((dir_.path() / name).string(), {dir_.path().string()});
  }
  os::TempDir dir_ = *os::TempDir::create(std::filesystem::temp_directory_path());
};

TEST_F(Included, IsLaidUnderTheDefinition) {
  write("base.yaml", "contents: {packages: [base], keyring: [k]}\ncmd: below\nwork-dir: /below\n"
                     "environment: {A: below, B: below}\npaths: [{path: /b, type: directory, permissions: 0o755}]\n");
  write("web.yaml", "include: base.yaml\ncontents: {packages: [web]}\ncmd: above\nenvironment: {A: above}\n"
                    "paths: [{path: /w, type: directory, permissions: 0o755}]\n");
  const auto loaded = load("web.yaml");
  ASSERT_TRUE(loaded) << loaded.error().render();
  const ImageSpec& spec = loaded->spec;
  EXPECT_EQ(spec.contents.packages, (std::vector<std::string>{"base", "web"})) << "included first";
  EXPECT_EQ(spec.contents.keyring, std::vector<std::string>{"k"});
  EXPECT_EQ(spec.cmd, "above");
  EXPECT_EQ(spec.work_dir, "/below");
  EXPECT_EQ(spec.environment, (definition::Pairs{{"A", "above"}, {"B", "below"}}));
  EXPECT_EQ(spec.paths.at(0).path, "b");
  const auto alone = load("base.yaml");
  EXPECT_NE(alone->checksum, loaded->checksum) << "the included text counts too";
}

TEST_F(Included, ACircleIsRefused) {
  write("a.yaml", "include: b.yaml\n");
  write("b.yaml", "include: a.yaml\n");
  const auto loaded = load((dir_.path() / "a.yaml").string());
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().render().find("includes itself"), std::string::npos) << loaded.error().render();
}

}  // namespace
}  // namespace nacre::image
