#include "codec/yaml.h"
#include "image/image.h"
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
  EXPECT_EQ(spec->packages, (std::vector<std::string>{"nginx", "ca-certificates-bundle=1-r0"}));
  EXPECT_EQ(spec->package_places.at(1).line, 4);
  EXPECT_EQ(spec->entrypoint_command, "/usr/sbin/nginx -g \"daemon off;\"");
  EXPECT_EQ(spec->cmd, "--help");
  EXPECT_EQ(spec->stop_signal, "SIGQUIT");
  EXPECT_EQ(spec->work_dir, "/srv");
  EXPECT_EQ(spec->run_as, "web");
  EXPECT_EQ(spec->users.at(0).gid, 1001u) << "the uid, when no gid is given";
  EXPECT_EQ(spec->users.at(0).home, "/home/web");
  EXPECT_EQ(spec->groups.at(0).members, std::vector<std::string>{"web"});
  EXPECT_EQ(spec->archs, std::vector<std::string>{"x86_64"}) << "one architecture under two names";
  EXPECT_EQ(spec->environment, (definition::Pairs{{"LANG", "C.UTF-8"}}));
  EXPECT_EQ(spec->paths.at(0).path, "var/www");
  EXPECT_EQ(spec->paths.at(0).mode, 0755u);
  EXPECT_TRUE(spec->paths.at(0).owner_given);
  EXPECT_EQ(spec->paths.at(1).source, "/usr/bin/hello");
  EXPECT_EQ(spec->layer_budget, 10);
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
        Fault{"NotAMapping", "- a\n",
              "images/web.yaml:1:1: an image definition is a mapping with 'contents', found a list"},
        Fault{"WrongType", "contents:\n  packages: nginx\n",
              "images/web.yaml:2:13: 'packages' should be a list, and is a text"},
        Fault{"NoPackage", "contents:\n  packages: ['a b']\n",
              "images/web.yaml:2:14: 'a b' in contents.packages is no package\n"
              "  hint: write NAME, NAME=VERSION, NAME~VERSION or NAME>VERSION"},
        Fault{"Include", "include: base.yaml\n",
              "images/web.yaml:1:1: nacre does not have 'include' in an image definition yet"},
        Fault{"BaseImage", "contents:\n  baseimage: {image: x}\n",
              "images/web.yaml:2:3: nacre does not have 'baseimage' in contents yet"},
        Fault{"Certificates", "certificates: {}\n",
              "images/web.yaml:1:1: nacre does not have 'certificates' in an image definition yet"},
        Fault{"Erofs", "format: erofs\n",
              "images/web.yaml:1:9: nacre does not have the image format 'erofs' yet; it writes 'tar'"},
        Fault{"ServiceBundle", "entrypoint:\n  type: service-bundle\n",
              "images/web.yaml:2:9: nacre does not have entrypoint.type 'service-bundle' yet"},
        Fault{"RootUser", "accounts:\n  users:\n    - {username: a, uid: 0}\n",
              "images/web.yaml:3:26: user 'a' has uid 0; only root has"},
        Fault{"BadName", "accounts:\n  users:\n    - {username: 'a:b', uid: 1}\n",
              "images/web.yaml:3:18: 'a:b' is no account name"},
        Fault{"DecimalMode", "paths:\n  - {path: /a, type: directory, permissions: 755}\n",
              "images/web.yaml:2:46: permissions should be an octal number, and is '755'\n  hint: write it "
              "as 0o755"},
        Fault{"Escape", "paths:\n  - {path: ../a, type: directory, permissions: 0o755}\n",
              "images/web.yaml:2:12: '../a' is no path inside the image"},
        Fault{"Budget", "layering: {budget: 1000}\n",
              "images/web.yaml:1:20: layering.budget is a number from 1 to 120, not 1000"}),
    [](const auto& fault) { return fault.param.name; });

}  // namespace
}  // namespace nacre::image
