#include "farm/waiver.h"

#include "farm/gate_run.h"

#include <gtest/gtest.h>

namespace nacre::farm {
namespace {

const crypto::PrivateKey& anna() {
  static const crypto::PrivateKey kKey = *crypto::PrivateKey::generate(crypto::KeyKind::kEcdsaP256);
  return kKey;
}

Waiver growth() {
  Waiver out;
  out.gate = "size";
  out.subject = "nginx";
  out.who = "anna";
  out.reason = "the new module was asked for: see #12";
  out.from = *parse_day("2026-11-28");
  out.until = *parse_day("2026-12-12");
  return out;
}

Waiver signed_growth() {
  auto out = sign_waiver(growth(), anna());
  EXPECT_TRUE(out) << out.error().render();
  return *std::move(out);
}

const Day kToday = *parse_day("2026-11-30");

TEST(Waiver, SignsTheseLines) {
  EXPECT_EQ(waiver_text(growth()),
            "nacre waiver 1\ngate: size\nsubject: nginx\nversion: *\nwho: anna\n"
            "reason: the new module was asked for: see #12\nfrom: 2026-11-28\nuntil: 2026-12-12\n");
}

TEST(Waiver, CountsWhileItsDaysLastAndTheKeyIsListed) {
  const People people = {{"anna", anna().public_key()},
                         {"bob", crypto::PrivateKey::generate(crypto::KeyKind::kEcdsaP256)->public_key()}};
  const auto changed = [](auto change) {
    Waiver out = signed_growth();
    change(out);
    return out;
  };
  const std::vector<std::tuple<Waiver, std::string_view, std::string>> rows = {
      {signed_growth(), "2026-11-28", ""},
      {signed_growth(), "2026-12-12", ""},
      {signed_growth(), "2026-11-27", "it begins on 2026-11-28"},
      {signed_growth(), "2026-12-13", "it ended on 2026-12-12"},
      {growth(), "2026-11-30", "it is not signed"},
      {changed([](Waiver& w) { w.subject = "glibc"; }), "2026-11-30", "its signature is not anna's over this text"},
      {changed([](Waiver& w) { w.version = "1"; }), "2026-11-30", "its signature is not anna's over this text"},
      {changed([](Waiver& w) { w.reason += "!"; }), "2026-11-30", "its signature is not anna's over this text"},
      {changed([](Waiver& w) { w.until += 1; }), "2026-11-30", "its signature is not anna's over this text"},
      {changed([](Waiver& w) { w.until += 80; }), "2026-11-30", "it is for 94 days, the policy allows 90"},
      {changed([](Waiver& w) { w.who = "bob"; }), "2026-11-30", "its signature is not bob's over this text"},
      {changed([](Waiver& w) { w.who = "eve"; }), "2026-11-30", "'eve' has no key in keys/people"},
      {changed([](Waiver& w) { w.signature = "%"; }), "2026-11-30", "its signature is no base64"},
  };
  for (const auto& [waiver, today, why] : rows)
    EXPECT_EQ(why_void(waiver, people, *parse_day(today), 90), why) << waiver_text(waiver) << today;
}

TEST(Waiver, IsForNoLongerThanThePolicySays) {
  const People people = {{"anna", anna().public_key()}};
  const std::vector<std::pair<int, std::string>> rows = {
      {14, ""}, {13, "it is for 14 days, the policy allows 13"}, {0, "the policy allows none"}};
  for (const auto& [max_days, why] : rows) EXPECT_EQ(why_void(signed_growth(), people, kToday, max_days), why);
}

TEST(Waiver, IsAddedToAFileAndReadBack) {
  const Waiver waiver = signed_growth();
  Waiver exact = growth();
  exact.version = "1.26.3-r1";
  exact.reason = "- 'quotes' and \"more\": #1";
  exact = *sign_waiver(exact, anna());
  std::string text;
  for (const std::string& start :
       {std::string(), std::string("# who may ship what\nwaivers:\n"), std::string("waivers: \n")}) {
    auto one = with_waiver(start, "waivers.yaml", waiver);
    ASSERT_TRUE(one) << one.error().render();
    auto two = with_waiver(*one, "waivers.yaml", exact);
    ASSERT_TRUE(two) << two.error().render();
    EXPECT_TRUE(two->starts_with(start));
    const auto read = parse_waivers(*two, "waivers.yaml");
    ASSERT_TRUE(read) << read.error().render();
    ASSERT_EQ(read->size(), 2u);
    EXPECT_EQ(waiver_text((*read)[0]), waiver_text(waiver));
    EXPECT_EQ(waiver_text((*read)[1]), waiver_text(exact));
    EXPECT_EQ((*read)[1].signature, exact.signature);
  }
  EXPECT_FALSE(with_waiver("waivers: []\n", "waivers.yaml", waiver));
  EXPECT_FALSE(with_waiver("other: 1\n", "waivers.yaml", waiver));
}

TEST(Waiver, NamesThePlaceOfAFault) {
  const std::string good =
      "waivers:\n  - gate: size\n    subject: nginx\n    who: anna\n    reason: asked for\n    from: 2026-11-28\n"
      "    until: 2026-12-12\n";
  ASSERT_TRUE(parse_waivers(good, "w"));
  EXPECT_TRUE(parse_waivers("", "w")->empty());
  EXPECT_TRUE(parse_waivers("waivers:\n", "w")->empty());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string out = good;
    out.replace(out.find(from), from.size(), to);
    return out;
  };
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"- a\n", "w:1:1: expected one key, 'waivers', and a list"},
      {"waivers: 1\n", "w:1:1: expected one key, 'waivers', and a list"},
      {"waivers:\n  - a\n",
       "w:2:5: a waiver is a mapping of gate, subject, version, who, reason, from, until, signature"},
      {with("gate: size", "gate: siez"),
       "w:2:5: there is no gate 'siez'; there are tests, hardening, abi-break, files, capabilities, licence, size, "
       "vulnerabilities, delta, images, reproducibility\n  hint: did you mean 'size'?"},
      {with("reason:", "raeson:"),
       "w:5:5: a waiver has no key 'raeson'; there are gate, subject, version, who, reason, from, until, signature\n"
       "  hint: did you mean 'reason'?"},
      {with("    who: anna\n", ""), "w:2:5: the waiver has no 'who'"},
      {with("who: anna", "who: ../anna"), "w:2:5: 'who' is letters, digits, '-', '_' and '.', not '../anna'"},
      {with("asked for", "\"a\\nuntil: 2030-01-01\""), "w:2:5: 'reason' holds control characters"},
      {with("2026-11-28", "2026-13-01"), "w:6:11: expected a day as 2026-11-28, found '2026-13-01'"},
      {with("2026-12-12", "2026-11-27"), "w:2:5: 'until' 2026-11-27 is before 'from' 2026-11-28"},
      {with("subject: nginx", "subject: [nginx]"), "w:3:14: 'subject' is a text"},
  };
  for (const auto& [text, message] : rows) {
    const auto read = parse_waivers(text, "w");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().render(), message) << text;
  }
}

TEST(Waiver, KnowsDays) {
  EXPECT_EQ(day_text(0), "1970-01-01");
  EXPECT_EQ(day_of(1'795'000'000), *parse_day("2026-11-18"));
  for (const char* text : {"1970-01-01", "2000-02-29", "2026-12-31", "9999-12-31"})
    EXPECT_EQ(day_text(*parse_day(text)), text);
  for (const char* text : {"", "2026-1-01", "2026-02-29", "1969-12-31", "2026-11-28 ", "+026-11-28", "2026/11/28"})
    EXPECT_FALSE(parse_day(text)) << text;
}

TEST(Waivers, ApplyToWhatTheyName) {
  const auto refused = [](Gate gate, std::string subject, std::string version) {
    return Verdict{gate, std::move(subject), std::move(version), GateState::kRefused, "words", "", ""};
  };
  Waiver exact = growth(), whole = growth();
  exact.subject = "jq";
  exact.version = "2-r0";
  whole.gate = "vulnerabilities";
  whole.subject = "serial";
  exact = *sign_waiver(exact, anna());
  whole = *sign_waiver(whole, anna());
  std::vector<Verdict> verdicts = {refused(Gate::kSize, "nginx", "1-r0"),   refused(Gate::kFiles, "nginx", "1-r0"),
                                   refused(Gate::kSize, "jq", "1-r0"),      refused(Gate::kSize, "jq", "2-r0"),
                                   refused(Gate::kVulnerabilities, "", ""), refused(Gate::kVulnerabilities, "jq", "")};
  const std::vector<VoidWaiver> left = apply_waivers(verdicts, {signed_growth(), exact, whole, growth()},
                                                     {{"anna", anna().public_key()}}, kToday, 90, {"nginx", "jq"});
  std::vector<std::string> states;
  for (const Verdict& verdict : verdicts) states.emplace_back(name_of(verdict.state));
  EXPECT_EQ(states, (std::vector<std::string>{"waived", "refused", "refused", "waived", "waived", "refused"}));
  EXPECT_EQ(verdicts[0].waiver, "anna until 2026-12-12: the new module was asked for: see #12");
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].why, "it is not signed");
}

TEST(Waivers, ThatLetNothingPassAreNamed) {
  Waiver typo = growth(), older = growth(), calm = growth();
  typo.subject = "ngnix";
  older.version = "1-r0";
  calm.subject = "jq";
  std::vector<Waiver> waivers;
  for (Waiver* waiver : {&typo, &older, &calm}) waivers.push_back(*sign_waiver(*waiver, anna()));
  std::vector<Verdict> verdicts = {{Gate::kSize, "nginx", "1-r1", GateState::kRefused, "words", "", ""}};
  const std::vector<VoidWaiver> left =
      apply_waivers(verdicts, waivers, {{"anna", anna().public_key()}}, kToday, 90, {"nginx", "jq"});
  EXPECT_EQ(verdicts[0].state, GateState::kRefused);
  ASSERT_EQ(left.size(), 2u) << "one that is not needed is no fault";
  EXPECT_EQ(left[0].why, "there is no package or image 'ngnix'; did you mean 'nginx'?");
  EXPECT_EQ(left[1].why, "it is for version 1-r0, not 1-r1");
}

TEST(Waivers, AreAddedBelowACommentThatSpeaksOfThem) {
  const Waiver waiver = signed_growth();
  const auto text = with_waiver("# waivers: none yet\n", "w", waiver);
  ASSERT_TRUE(text) << text.error().render();
  EXPECT_TRUE(text->starts_with("# waivers: none yet\nwaivers:\n  - gate: size\n")) << *text;
  EXPECT_EQ(parse_waivers(*with_waiver(*text, "w", waiver), "w")->size(), 2u);
}

TEST(Waivers, ReadKeysOfPeople) {
  const os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  EXPECT_TRUE(read_people(dir.path() / "none")->empty());
  ASSERT_TRUE(os::write_file(dir.path() / "anna.pub", anna().public_key().pem()));
  ASSERT_TRUE(os::write_file(dir.path() / "README", "no key"));
  const auto people = read_people(dir.path());
  ASSERT_TRUE(people) << people.error().render();
  ASSERT_EQ(people->size(), 1u);
  EXPECT_EQ(people->at("anna").fingerprint(), anna().public_key().fingerprint());
  ASSERT_TRUE(os::write_file(dir.path() / "bob.pub", "no key"));
  const auto bad = read_people(dir.path());
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().render(),
            (dir.path() / "bob.pub").string() + ": expected a PEM block 'PUBLIC KEY', found no PEM block");
}

}  // namespace
}  // namespace nacre::farm
