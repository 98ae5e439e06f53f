#include "farm/gate.h"

#include "codec/digest.h"
#include "farm/gate_test.h"

namespace nacre::farm {
namespace {

using Texts = std::vector<std::string>;

/// A package of a serial that is judged, without files.
PackageFacts plain(const std::string& name, const std::string& version = "1-r0") {
  PackageFacts out;
  out.name = out.origin = name;
  out.version = version;
  out.license = "MIT";
  out.installed_bytes = 1 << 20;
  out.files = {"usr/share/" + name};
  out.apk = codec::sha256(name + version);
  return out;
}

BinaryFacts shared(const std::string& soname, Texts exports) {
  BinaryFacts out;
  out.path = "usr/lib/" + soname + ".0.1";
  out.soname = soname;
  out.exports = std::move(exports);
  return out;
}

BinaryFacts program(const std::string& path, Texts needed, std::map<std::string, Texts> imports) {
  BinaryFacts out;
  out.path = path;
  out.needed = std::move(needed);
  out.imports = std::move(imports);
  return out;
}

/// Two states that differ as a test wants.
struct World {
  std::vector<PackageFacts> before, after;
  GatePolicy policy;

  explicit World(std::vector<PackageFacts> packages) : before(packages), after(std::move(packages)) {}
  PackageFacts& change(const std::string& name) {
    for (PackageFacts& facts : after)
      if (facts.name == name) {
        facts.version = "2-r0";
        facts.apk = codec::sha256(name + "2");
        return facts;
      }
    ADD_FAILURE() << name;
    return after.front();
  }
  JudgeInput input() const {
    JudgeInput out;
    for (const PackageFacts& facts : before) out.before.push_back(&facts);
    for (const PackageFacts& facts : after) out.after.push_back(&facts);
    for (Heard* heard : {&out.tests, &out.images, &out.vulnerabilities, &out.delta, &out.reproducibility})
      *heard = Heard::nothing_wrong();
    return out;
  }
  /// All but what passed.
  Texts found() const { return found(input()); }
  Texts found(const JudgeInput& of) const {
    std::vector<Verdict> verdicts = judge(of, policy);
    std::erase_if(verdicts, [](const Verdict& verdict) { return verdict.state == GateState::kPassed; });
    return texts(verdicts);
  }
};

PackageFacts zlib() {
  PackageFacts out = plain("zlib");
  out.binaries = {shared("libz.so.1", {"F deflate@@Z_1", "F inflate@@Z_1", "F plain", "O8 z_error"})};
  return out;
}
PackageFacts app(std::map<std::string, Texts> imports, const std::string& name = "app") {
  PackageFacts out = plain(name);
  out.binaries = {program("usr/bin/" + name, {"libz.so.1"}, std::move(imports))};
  return out;
}

TEST(AbiGate, NamesWhoNeedsASonameThatIsGone) {
  World world({zlib(), app({{"libz.so.1", {"deflate@Z_1"}}}), plain("other")});
  world.change("zlib").binaries = {shared("libz.so.2", {"F deflate@@Z_1"})};
  EXPECT_EQ(world.found(), Texts{"refused abi-break zlib: libz.so.1 -> libz.so.2; still needed by app: usr/bin/app"});
  world.change("app").binaries[0].needed = {"libz.so.2"};  // built anew with it
  EXPECT_EQ(world.found(), Texts{});
}

TEST(AbiGate, LooksAtSymbolsAsTheLoaderDoes) {
  const std::vector<std::tuple<std::string, std::map<std::string, Texts>, Texts, Texts>> rows = {
      {"a symbol less that is needed",
       {{"libz.so.1", {"deflate@Z_1"}}},
       {"F inflate@@Z_1"},
       {"refused abi-break zlib: libz.so.1 no longer gives deflate@Z_1; still needed by app: usr/bin/app"}},
      {"a symbol less that nobody needs", {{"libz.so.1", {"inflate@Z_1"}}}, {"F inflate@@Z_1"}, {}},
      {"another version",
       {{"libz.so.1", {"deflate@Z_1"}}},
       {"F deflate@@Z_2"},
       {"refused abi-break zlib: libz.so.1 no longer gives deflate@Z_1; still needed by app: usr/bin/app"}},
      {"the old version too", {{"libz.so.1", {"deflate@Z_1"}}}, {"F deflate@@Z_2", "F deflate@Z_1"}, {}},
      {"no versions at all any more", {{"libz.so.1", {"deflate@Z_1"}}}, {"F deflate"}, {}},
      {"needed without a version",
       {{"", {"plain", "puts"}}},
       {"F deflate@@Z_1"},
       {"refused abi-break zlib: libz.so.1 no longer gives plain; still needed by app: usr/bin/app"}},
      {"without a version, now with one", {{"", {"plain"}}}, {"F plain@@Z_1"}, {}},
  };
  for (const auto& [what, imports, exports, words] : rows) {
    World world({zlib(), app(imports)});
    world.change("zlib").binaries = {shared("libz.so.1", exports)};
    EXPECT_EQ(world.found(), words) << what;
  }
}

TEST(AbiGate, SeesCopiesOfDataThatGrew) {
  PackageFacts user = app({{"", {"deflate"}}});
  user.binaries[0].exports = {"O8 z_error"};
  World world({zlib(), user});
  world.change("zlib").binaries[0].exports[3] = "O16 z_error";
  EXPECT_EQ(world.found(), Texts{"refused abi-break zlib: libz.so.1 no longer gives z_error (8 -> 16 bytes); still "
                                 "needed by app: usr/bin/app"});
}

TEST(AbiGate, IsContentWhenAnotherPackageGivesTheLibrary) {
  World world({zlib(), app({{"libz.so.1", {"deflate@Z_1"}}})});
  world.change("zlib").binaries = {shared("libz.so.2", {"F deflate@@Z_1"})};
  PackageFacts compat = plain("zlib-compat");
  compat.binaries = zlib().binaries;
  world.after.push_back(compat);
  EXPECT_EQ(world.found(), Texts{});
}

TEST(LicenceGate, ReadsExpressions) {
  const std::vector<std::tuple<std::string, bool>> rows = {
      {"MIT", true},
      {"AGPL-3.0-only", false},
      {"AGPL-3.0-only OR MIT", true},
      {"AGPL-3.0-only AND MIT", false},
      {"MIT AND (BSD-3-Clause OR AGPL-3.0-only)", true},
      {"MIT AND BSD-3-Clause OR AGPL-3.0-only", true},
      {"(AGPL-3.0-only WITH x-exception)", false},
      {"GPL-2.0-only WITH Classpath-exception-2.0", true},
      {"PROPRIETARY see file", true},
      {"AGPL-3.0-only AND", true},  // no expression: one licence, of that name
  };
  const auto allowed = [](std::string_view id) { return !id.starts_with("AGPL-3.0-only") || id.ends_with("AND"); };
  for (const auto& [expression, passes] : rows) EXPECT_EQ(licence_passes(expression, allowed), passes) << expression;
  const std::string deep = std::string(5000, '(') + "MIT" + std::string(5000, ')');
  EXPECT_TRUE(licence_passes(deep, allowed));
}

TEST(LicenceGate, RefusesByListsAndTellsOfChanges) {
  World world({plain("a"), plain("b"), plain("c")});
  world.change("a").license = "AGPL-3.0-only";
  world.change("b").license = "MIT OR AGPL-3.0-only";
  world.change("c").license = "";
  world.policy.licences_denied = {"AGPL-3.0-only"};
  EXPECT_EQ(world.found(),
            (Texts{"refused licence a: the policy does not allow 'AGPL-3.0-only'",
                   "warned licence a: 'MIT' -> 'AGPL-3.0-only'", "warned licence b: 'MIT' -> 'MIT OR AGPL-3.0-only'",
                   "refused licence c: states no licence", "warned licence c: 'MIT' -> ''"}));
  world.policy = {};
  world.policy.licences_allowed = {"MIT"};
  world.policy.licence_change = Level::kOn;
  world.policy.rules[Gate::kLicence].exceptions = {{"a", Level::kOff}, {"c", Level::kOff}};
  EXPECT_EQ(world.found(), Texts{"refused licence b: 'MIT' -> 'MIT OR AGPL-3.0-only'"});
}

TEST(SizeGate, AllowsTheGreaterOfPercentAndBytes) {
  const std::vector<std::tuple<std::uint64_t, std::uint64_t, Texts>> rows = {
      {1000, 400'000, {}},
      {10u << 20, 12u << 20, {}},
      {10u << 20,
       13u << 20,
       {"refused size a: installed: 10.0 MiB -> 13.0 MiB (+3.0 MiB, 30 %); the budget is 20 % or 512.0 KiB"}},
      {13u << 20, 10u << 20, {}},
      {0, 1u << 20, {"refused size a: installed: 0 B -> 1.0 MiB (+1.0 MiB); the budget is 20 % or 512.0 KiB"}},
  };
  for (const auto& [before, after, words] : rows) {
    World world({plain("a")});
    world.before[0].installed_bytes = before;
    world.change("a").installed_bytes = after;
    EXPECT_EQ(world.found(), words) << before << " " << after;
    world.policy.growth_of["a"] = {100, 2u << 20};
    EXPECT_EQ(world.found(), Texts{}) << before << " " << after;
  }
  World world({plain("a")});
  JudgeInput input = world.input();
  input.images_before = {{"web", {}, 50u << 20}, {"old", {}, 1}};
  input.images_after = {{"web", {}, 60u << 20}};
  EXPECT_EQ(world.found(input),
            (Texts{"refused size web: image, to pull: 50.0 MiB -> 60.0 MiB (+10.0 MiB, 20 %); the budget is 10 % or "
                   "2.0 MiB",
                   "refused images old: published -> the image is gone"}));
}

TEST(CapabilityGate, ComparesEachProgramWithItself) {
  PackageFacts nginx = plain("nginx");
  nginx.binaries = {program("usr/bin/nginx", {}, {}), program("usr/lib/nginx/3.1/m.so", {}, {})};
  nginx.binaries[0].abilities = {{Ability::kNetwork, {"socket"}}};
  World world({nginx});
  PackageFacts& after = world.change("nginx");
  after.binaries[0].abilities[Ability::kExec] = {"execve", "popen"};
  after.binaries[1].path = "usr/lib/nginx/3.2.1/m.so";
  after.binaries[1].abilities = {{Ability::kLoading, {"dlopen"}}};
  after.binaries.push_back(program("usr/bin/tool", {}, {}));
  after.binaries.back().abilities = {{Ability::kNetwork, {"bind"}}, {Ability::kPrivilege, {"setuid"}}};
  EXPECT_EQ(world.found(),
            (Texts{"refused capabilities nginx: usr/bin/nginx: network -> also exec (execve, popen)",
                   "refused capabilities nginx: usr/lib/nginx/3.2.1/m.so: none -> also loading (dlopen)",
                   "refused capabilities nginx: usr/bin/tool: no such file, in 'nginx' network -> also privilege "
                   "(setuid)"}));
  world.policy.abilities_of["nginx"] = {"exec", "loading", "privilege"};
  EXPECT_EQ(world.found(), Texts{});
}

TEST(CapabilityGate, SeesSpecialFilesEvenInNewPackages) {
  PackageFacts su = plain("su");
  su.special = {{"usr/bin/ping", "capability", "01"}, {"usr/bin/su", "setuid", "mode 4755, owner 0:0"}};
  World world({su});
  world.change("su").special = {{"usr/bin/ping", "capability", "02"},
                                {"usr/bin/su", "setuid", "mode 4755, owner 0:0"},
                                {"usr/bin/sudo", "setuid", "mode 4755, owner 0:0"}};
  PackageFacts fresh = plain("fresh");
  fresh.special = {{"dev/x", "device", "c 1:3"}};
  fresh.binaries = {program("usr/bin/fresh", {}, {})};
  fresh.binaries[0].abilities = {{Ability::kNetwork, {"socket"}}};
  world.after.push_back(fresh);
  EXPECT_EQ(world.found(), (Texts{"refused capabilities fresh: dev/x: not device -> device (c 1:3)",
                                  "refused capabilities su: usr/bin/ping: capability: 01 -> 02",
                                  "refused capabilities su: usr/bin/sudo: not setuid -> setuid (mode 4755, owner "
                                  "0:0)"}));
}

TEST(CapabilityGate, SaysWhenAProgramCanBeSeenNoMore) {
  PackageFacts tool = plain("tool");
  tool.binaries = {program("usr/bin/tool", {"libc.so.6"}, {})};
  World world({tool});
  world.change("tool").binaries[0].kind = BinaryFacts::Kind::kStatic;
  EXPECT_EQ(world.found(),
            Texts{"refused capabilities tool: usr/bin/tool: dynamic -> static; what it calls is seen no more"});
}

TEST(FilesGate, WantsReplacesForMovesBetweenDefinitions) {
  World world({plain("a"), plain("b")});
  world.change("a").files = {"usr/share/a"};
  world.before[0].files = {"usr/share/a", "usr/share/moved", "usr/share/moved2"};
  world.change("b").files = {"usr/share/b", "usr/share/moved", "usr/share/moved2"};
  EXPECT_EQ(world.found(), Texts{"refused files b: usr/share/moved and 1 more: a -> b, without replaces"});
  world.after[1].replaces = {"a<2"};
  EXPECT_EQ(world.found(), Texts{});
  world.after[1].replaces = {};
  world.after[1].origin = "a";
  EXPECT_EQ(world.found(), Texts{});
}

TEST(FilesGate, RefusesPackagesThatLoseAllFilesOrAreGone) {
  World world({plain("a"), plain("b")});
  world.change("a").files.clear();
  world.after.pop_back();
  EXPECT_EQ(world.found(),
            (Texts{"refused files a: 1 files -> none", "refused files b: 1 files -> the package is gone"}));
}

TEST(FilesGate, LetsGoWhatIsPastItsEndOfLife) {
  World world({plain("a"), plain("b")});
  world.after.pop_back();
  JudgeInput input = world.input();
  EXPECT_EQ(judge_files(changed_packages(input), input).size(), 1u);
  input.ended = {"b"};
  EXPECT_TRUE(judge_files(changed_packages(input), input).empty());
}

TEST(HardeningGate, RefusesWhatWasNotWeakBefore) {
  World world({plain("a")});
  world.before[0].weak = {{"usr/lib/liba.so.1.0", "hardening/relro", "has no RELRO"}};
  world.change("a").weak = {{"usr/lib/liba.so.1.1", "hardening/relro", "has no RELRO"},
                            {"usr/lib/liba.so.1.1", "hardening/nx-stack", "asks for an executable stack"},
                            {"usr/lib/libb.so.1.1", "hardening/nx-stack", "asks for an executable stack"}};
  EXPECT_EQ(world.found(), Texts{"refused hardening a: usr/lib/liba.so.1.1 and 1 more: asks for an executable stack "
                                 "[hardening/nx-stack]"});
}

TEST(HeardGates, TakeWordsOfOthersOrSayThatNobodyJudged) {
  World world({plain("a")});
  JudgeInput input = world.input();
  input.vulnerabilities =
      Heard::of({"zlib: CVE-2026-1 is open and 1.3.3 fixes it", "the data is 40 days old: too old"});
  input.reproducibility = Heard::not_judged("no second root");
  input.delta = Heard::of({"a 1-r0 has 3 patches, at most 2", "b 1-r0 has 3 patches, at most 2"});
  input.names = {"a", "zlib"};
  world.policy.rules[Gate::kVulnerabilities].exceptions["zlib"] = Level::kWarn;
  EXPECT_EQ(world.found(input),
            (Texts{"warned vulnerabilities zlib: CVE-2026-1 is open and 1.3.3 fixes it",
                   "refused vulnerabilities : the data is 40 days old: too old",
                   "refused delta a: a 1-r0 has 3 patches, at most 2",
                   "refused delta : b 1-r0 has 3 patches, at most 2", "not-judged reproducibility : no second root"}));
  world.policy.rules[Gate::kReproducibility].level = world.policy.rules[Gate::kDelta].level = Level::kOff;
  world.policy.rules[Gate::kVulnerabilities] = {Level::kOff, {{"zlib", Level::kOn}}};
  EXPECT_EQ(world.found(input), Texts{"refused vulnerabilities zlib: CVE-2026-1 is open and 1.3.3 fixes it"});
}

/// A pseudo-random state of packages full of what gates dislike.
std::vector<PackageFacts> wild_packages(unsigned seed) {
  const auto next = [&seed](unsigned below) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
  };
  std::vector<PackageFacts> out;
  for (unsigned i = 0; i < 2 + next(6); ++i) {
    PackageFacts facts = plain(fmt::format("p{}", i));
    if (next(3) == 0) facts.license = "";
    if (next(3) == 0) facts.files.clear();
    if (next(2) == 0) facts.special = {{"usr/bin/x", "setuid", "mode 4755, owner 0:0"}};
    if (next(2) == 0) facts.weak = {{"usr/bin/x", "hardening/pie", "fixed"}};
    facts.installed_bytes = next(1u << 24);
    BinaryFacts binary = program(fmt::format("usr/bin/{}", next(3)), {fmt::format("lib{}.so", next(4))},
                                 {{"", {"missing"}}, {"libx.so", {"f@V1"}}});
    for (const Ability ability : kAbilities)
      if (next(2) == 0) binary.abilities[ability] = {"f"};
    facts.binaries = {binary, shared(fmt::format("lib{}.so", next(4)), {"F f@@V2", "O8 d"})};
    facts.files.insert(facts.files.begin(), "usr/share/contested");
    out.push_back(std::move(facts));
  }
  return out;
}

TEST(Gates, NeverRefuseWhatEqualsThePublished) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    World world(wild_packages(seed));
    world.policy.licences_allowed = {"none-at-all"};
    world.policy.package_growth = world.policy.image_growth = {0, 0};
    JudgeInput input = world.input();
    input.images_before = input.images_after = {{"web", {}, 5}};
    EXPECT_EQ(world.found(input), Texts{}) << seed;
    // Other bytes with the same facts: only what is judged without the old state may be refused.
    world.policy.licences_allowed = {"MIT", ""};
    for (PackageFacts& facts : world.after) {
      if (facts.license.empty()) facts.license = "MIT";
      world.change(facts.name);
    }
    for (PackageFacts& facts : world.before) facts.license = "MIT";
    EXPECT_EQ(world.found(input), Texts{}) << seed;
  }
}

TEST(Gates, AnswerOnceEachWhenNothingIsFound) {
  World world({plain("a")});
  const std::vector<Verdict> verdicts = judge(world.input(), world.policy);
  ASSERT_EQ(verdicts.size(), kGates.size());
  for (std::size_t i = 0; i < kGates.size(); ++i) {
    EXPECT_EQ(verdicts[i].gate, kGates[i]);
    EXPECT_EQ(verdicts[i].state, GateState::kPassed);
  }
  EXPECT_EQ(verdicts[4].words, "0 packages changed");
}

}  // namespace
}  // namespace nacre::farm
