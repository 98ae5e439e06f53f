#include "farm/facts.h"

#include "farm/gate_test.h"

namespace nacre::farm {
namespace {

using Texts = std::vector<std::string>;

/// Declarations in place of headers: the compiler has less to read.
constexpr const char* kNetworkCode =
    "int socket(int,int,int); int connect(int,void*,int); extern int counter[2];"
    "int deflate(int x) { return socket(x,1,0) + connect(x,0,0) + counter[1]; }"
    "__attribute__((weak)) int maybe(void); int f(void) { return maybe ? maybe() : 0; }"
    "int z_error[2];";

class Facts : public Bench {};

TEST(Binary, SaysWhatALibraryGivesNeedsAndMayDo) {
  const std::string& file = library(kNetworkCode, "libz.so.1");
  const auto binary = read_binary("usr/lib/libz.so.1.3", file);
  ASSERT_TRUE(binary);
  EXPECT_EQ(name_of(binary->kind), "dynamic");
  EXPECT_EQ(binary->soname, "libz.so.1");
  EXPECT_EQ(binary->exports, (Texts{"F deflate", "F f", "O8 z_error"}));
  EXPECT_EQ(binary->imports, (std::map<std::string, Texts>{{"", {"connect", "counter", "socket"}}}));
  EXPECT_EQ(binary->abilities, (std::map<Ability, Texts>{{Ability::kNetwork, {"connect", "socket"}}}));
}

TEST(Binary, KnowsScriptsStaticProgramsAndGo) {
  const auto script = read_binary("usr/bin/x", "#! /usr/bin/env  python3 -s \nprint()\n");
  ASSERT_TRUE(script);
  EXPECT_EQ(script->kind, BinaryFacts::Kind::kScript);
  EXPECT_EQ(script->interpreter, "/usr/bin/env  python3 -s");
  EXPECT_FALSE(read_binary("x", "#!\n"));
  EXPECT_FALSE(read_binary("x", "plain"));
  EXPECT_FALSE(read_binary("x", std::string("\177ELF") + "cut short"));

  const auto still = read_binary("usr/bin/s", compiled("void _start(void) { for (;;) {} }", "-static -nostdlib"));
  ASSERT_TRUE(still);
  EXPECT_EQ(still->kind, BinaryFacts::Kind::kStatic);

  const std::string names =
      "__attribute__((section(\".go.buildinfo\"))) const char info[64] = \"\\377 Go buildinf:\";"
      "const char table[] = \"\\0runtime.main\\0net.socket\\0crypto/tls.(*Conn).Read\\0x.plugin.Open\\0\";"
      "void _start(void) { for (;;) {} }";
  const auto go = read_binary("usr/bin/g", compiled(names, "-static -nostdlib"));
  ASSERT_TRUE(go);
  EXPECT_EQ(go->kind, BinaryFacts::Kind::kGo);
  EXPECT_EQ(go->abilities,
            (std::map<Ability, Texts>{{Ability::kNetwork, {"net.socket"}}, {Ability::kCrypto, {"crypto/tls.*"}}}));
}

TEST(Binary, SortsFunctionsIntoAbilities) {
  const std::vector<std::pair<std::string, std::string>> rows = {{"socket", "network"},
                                                                 {"getaddrinfo", "network"},
                                                                 {"gethostbyname_r", "network"},
                                                                 {"posix_spawnp", "exec"},
                                                                 {"system", "exec"},
                                                                 {"EVP_DigestInit_ex", "crypto"},
                                                                 {"gcry_md_open", "crypto"},
                                                                 {"getrandom", "crypto"},
                                                                 {"setresuid", "privilege"},
                                                                 {"ptrace", "privilege"},
                                                                 {"mount", "privilege"},
                                                                 {"dlopen", "loading"},
                                                                 {"syscall", "raw-calls"},
                                                                 {"malloc", ""},
                                                                 {"sockets", ""},
                                                                 {"mounted", ""}};
  for (const auto& [function, ability] : rows) {
    const Ability* found = ability_of(function);
    EXPECT_EQ(found == nullptr ? "" : name_of(*found), ability) << function;
  }
}

TEST_F(Facts, OfAPackageHoldSpecialFilesSizesAndWeakness) {
  const std::string& weak = compiled("int f(void) { return 1; }", "-shared -fPIC -nostdlib -Wl,-z,execstack");
  const index::SerialPackage made = package(
      "su", "1-r0",
      {{"usr", "", 0755, '5'},
       {"usr/bin", "", 0755, '5'},
       {"usr/bin/ping", "#!/bin/sh\n", 0755, '0', {{"SCHILY.xattr.security.capability", "\1\2"}}},
       {"usr/bin/su", "x", 04755},
       {"usr/lib", "", 0755, '5'},
       {"usr/lib/libweak.so", weak, 0755},
       {"var", "", 0777, '5'}},
      "util", {"other<2"}, "MIT",
      R"({"package": {"name": "util"}, "subpackages": [{"name": "su", "checks": {"disabled": ["hardening/cet"]}}]})");
  auto facts = facts_of(made.apk, env_);
  ASSERT_TRUE(facts) << facts.error().render();
  EXPECT_EQ(facts->name, "su");
  EXPECT_EQ(facts->origin, "util");
  EXPECT_EQ(facts->license, "MIT");
  EXPECT_EQ(facts->replaces, Texts{"other<2"});
  EXPECT_EQ(facts->installed_bytes, 11 + weak.size());
  EXPECT_EQ(facts->files, (Texts{"usr/bin/ping", "usr/bin/su", "usr/lib/libweak.so"}));
  EXPECT_EQ(facts->special, (std::vector<SpecialFile>{{"usr/bin/ping", "capability", "0102"},
                                                      {"usr/bin/su", "setuid", "mode 4755, owner 0:0"},
                                                      {"var", "world-writable", "mode 0777, owner 0:0"}}));
  ASSERT_EQ(facts->weak.size(), 1u);
  EXPECT_EQ(facts->weak[0].rule, "hardening/nx-stack");
  EXPECT_EQ(facts->sonames(), Texts{"libweak.so"});
  ASSERT_EQ(facts->binaries.size(), 2u);
  EXPECT_EQ(facts->binaries[0].interpreter, "/bin/sh");

  auto again = facts_from_json(*codec::parse_json(codec::to_json(facts_to_json(*facts)), "facts"));
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(*again, *facts);
}

TEST_F(Facts, AreReadOnce) {
  const index::SerialPackage made = package("a", "1-r0", {{"a", "text"}});
  auto first = facts_of(made.apk, env_);
  ASSERT_TRUE(first) << first.error().render();
  // Without the package the answer is the kept one; a damaged one is read anew, which then cannot be.
  std::filesystem::remove(store_->blob_path(made.apk));
  auto second = facts_of(made.apk, env_);
  ASSERT_TRUE(second) << second.error().render();
  EXPECT_EQ(*second, *first);
  ASSERT_TRUE(store_->state().put("facts", made.apk.hex(), store_->put_bytes("{}")->hex()));
  EXPECT_FALSE(facts_of(made.apk, env_));
}

}  // namespace
}  // namespace nacre::farm
