#include "farm/gate_run.h"

#include "base/text.h"
#include "farm/gate_test.h"

namespace nacre::farm {
namespace {

using Texts = std::vector<std::string>;

constexpr const char* kBoth = "int f(void) { return 1; } int g(void) { return 2; }";
constexpr const char* kOne = "int f(void) { return 3; }";
constexpr const char* kApp = "extern int g(void); int run(void) { return g(); }";
constexpr const char* kNetApp =
    "extern int g(void); int socket(int,int,int); int run(void) { return g() + socket(2,1,0); }";

class GateRun : public Bench {
 protected:
  static std::string flags() { return "-Wl,--unresolved-symbols=ignore-all -Wl,--no-as-needed"; }
  index::SerialPackage lib(const std::string& version, const char* code, const std::string& soname = "libt.so.1") {
    return package("lib", version, {{"usr/lib/" + soname + "." + version, library(code, soname), 0755}});
  }
  /// Linked with a library that gives f and g.
  index::SerialPackage app(const std::string& version, const char* code) {
    const os::Path stub = dir_.path() / "libt.so";
    EXPECT_TRUE(os::write_file(stub, library(kBoth, "libt.so.1")));
    return package("app", version,
                   {{"usr/lib/app/run.so", library(code, "run.so", flags() + " '" + stub.string() + "'"), 0755}});
  }
  index::SerialImage image(const std::string& name, std::uint64_t layer_bytes) {
    const codec::Json manifest =
        codec::Json::object({{"config", codec::Json::object({{"size", 100}})},
                             {"layers", codec::Json::array({codec::Json::object({{"size", layer_bytes}})})}});
    const Sha256 digest = *store_->put_bytes(codec::to_json(manifest));
    const codec::Json list =
        codec::Json::object({{"manifests", codec::Json::array({codec::Json::object({{"digest", digest.oci()}})})}});
    index::SerialImage out;
    out.name = name;
    out.index_digest = *store_->put_bytes(codec::to_json(list));
    return out;
  }
  static GateInput calm() {
    GateInput out;
    for (Heard* heard : {&out.tests, &out.images, &out.vulnerabilities, &out.delta, &out.reproducibility})
      *heard = Heard::nothing_wrong();
    return out;
  }
};

TEST_F(GateRun, NamesTheUserOfALostSymbolAmongPackagesThatDidNotChange) {
  const index::Serial before = serial({app("1-r0", kApp), lib("1-r0", kBoth), package("z", "1-r0", {{"z", "z"}})}, 7);
  index::Serial after = before;
  after.packages[1] = lib("2-r0", kOne);
  const GateReport report = run(&before, after, calm());
  EXPECT_EQ(report.before, 7u);
  EXPECT_TRUE(report.refused());
  EXPECT_EQ(refusals(report),
            Texts{"abi-break: lib 2-r0: libt.so.1 no longer gives g; still needed by app: usr/lib/app/run.so"});

  after.packages[1] = lib("2-r0", kBoth, "libt.so.2");
  EXPECT_EQ(refusals(run(&before, after, calm())),
            Texts{"abi-break: lib 2-r0: libt.so.1 -> libt.so.2; still needed by app: usr/lib/app/run.so"});
}

TEST_F(GateRun, SeesNewImportsSizesAndImages) {
  index::Serial before = serial({app("1-r0", kApp)});
  before.images = {image("web", 100'000'000)};
  index::Serial after = serial({app("2-r0", kNetApp)}, 2);
  after.images = {image("web", 200'000'000)};
  EXPECT_EQ(refusals(run(&before, after, calm())),
            (Texts{"capabilities: app 2-r0: usr/lib/app/run.so: none -> also network (socket)",
                   "size: web: image, to pull: 95.4 MiB -> 190.7 MiB (+95.4 MiB, 100 %); the budget is 10 % or 2.0 "
                   "MiB"}));
}

TEST_F(GateRun, KnowsFilesOfUnchangedPackagesOfTheSameDefinition) {
  const std::string& program = library(kNetApp, "x.so", flags());
  const index::Serial before =
      serial({package("a", "1-r0", {{"usr/bin/x", program, 0755}}), package("a-tools", "1-r0", {{"t", "t"}}, "a")});
  index::Serial after = before;
  // The program may do what it did in the other package of its definition.
  after.packages[1] = package("a-tools", "2-r0", {{"t", "t"}, {"usr/bin/x", program, 0755}}, "a");
  EXPECT_EQ(refusals(run(&before, after, calm())), Texts{});
}

TEST_F(GateRun, PassesWhatEqualsThePublishedAndWhatIsFirst) {
  index::Serial before = serial(
      {app("1-r0", kNetApp), lib("1-r0", kOne), package("su", "1-r0", {{"usr/bin/su", "x", 04755}}, "", {}, "MIT")});
  before.images = {image("web", 1000)};
  for (const index::Serial* published : {static_cast<const index::Serial*>(nullptr), &std::as_const(before)}) {
    const GateReport report = run(published, before, calm());
    EXPECT_EQ(report.count(GateState::kPassed), kGates.size()) << render(report);
  }
}

TEST_F(GateRun, AppliesWaiversOfTheDayAndNamesThoseThatDoNotCount) {
  const crypto::PrivateKey key = *crypto::PrivateKey::generate(crypto::KeyKind::kEcdsaP256);
  const os::Path folder = dir_.path() / "os";
  ASSERT_TRUE(os::make_dirs(folder / "keys/people"));
  ASSERT_TRUE(os::write_file(folder / "keys/people/anna.pub", key.public_key().pem()));
  Waiver waiver;
  waiver.gate = "abi-break";
  waiver.subject = "lib";
  waiver.who = "anna";
  waiver.reason = "app goes with the next change";
  waiver.from = day_of(kNow);
  waiver.until = waiver.from + 3;
  std::string text = *with_waiver("", "waivers.yaml", *sign_waiver(waiver, key));
  waiver.gate = "size";
  text = *with_waiver(text, "waivers.yaml", waiver);
  ASSERT_TRUE(os::write_file(folder / "waivers.yaml", text));

  const index::Serial before = serial({app("1-r0", kApp), lib("1-r0", kBoth)});
  index::Serial after = before;
  after.packages[1] = lib("2-r0", kOne);
  GateInput input = calm();
  input.folder = folder;
  const GateReport report = run(&before, after, input);
  EXPECT_FALSE(report.refused());
  EXPECT_EQ(report.count(GateState::kWaived), 1u);
  const std::string words = render(report);
  EXPECT_TRUE(
      words.starts_with("waived      abi-break: lib 2-r0: libt.so.1 no longer gives g; still needed by app: "
                        "usr/lib/app/run.so\n            anna until 2026-11-21: app goes with the next change\n"))
      << words;
  EXPECT_NE(words.find("the waiver of size for lib counts for nothing: it is not signed (line 9)\n"), std::string::npos)
      << words;
  const codec::Json json = to_json(report);
  EXPECT_FALSE(json["refused"].as_bool(true));
  EXPECT_EQ(json["counts"]["waived"].as_int(), 1);
  EXPECT_EQ(json["voidWaivers"].items().size(), 1u);

  clock_.sleep(4 * 86400);
  EXPECT_TRUE(run(&before, after, input).refused());
  input.people = dir_.path() / "nobody";
  const GateReport without = run(&before, after, input);
  EXPECT_EQ(without.void_waivers.size(), 2u);
  ASSERT_TRUE(os::write_file(folder / "waivers.yaml", "waivers: 3\n"));
  input.before = &before;
  input.candidate = &after;
  EXPECT_FALSE(run_gates(input, env_));
}

TEST_F(GateRun, SaysWhatNobodyJudged) {
  const GateReport report = run(nullptr, serial({}));
  EXPECT_FALSE(report.refused());
  EXPECT_EQ(report.count(GateState::kNotJudged), 5u);
  EXPECT_NE(render(report).find("not-judged  tests: nobody judged it\n"), std::string::npos);
}

}  // namespace
}  // namespace nacre::farm
