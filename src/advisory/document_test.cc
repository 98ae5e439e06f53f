#include "advisory/document.h"

#include "advisory/edit.h"
#include "base/text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace nacre::advisory {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

const std::string kText = R"(# What is known of demo.
schema-version: 2.0.2

package:
  name: demo

advisories:
  - id: CGA-2222-3333-4444
    aliases:
      - CVE-2024-0001
      - GHSA-2222-3333-4444
    events:
      - timestamp: 2024-01-02T03:04:05Z
        type: detection
        data:
          type: scan/v1
          data:
            subpackageName: demo-libs
            componentID: e67773bd4d07f9da
            componentName: stdlib
            componentVersion: go1.21.0
            componentType: go-module
            componentLocation: /usr/bin/demo
            scanner: grype   # as it was
      - timestamp: 2024-01-03T00:00:00Z
        type: fixed
        data:
          fixed-version: 1.0-r1 # with Go 1.21.6

  # Looked at by hand.
  - id: CGA-5555-6666-7777
    aliases: [CVE-2024-0002]
    events:
      - timestamp: 2024-02-01T00:00:00Z
        type: false-positive-determination
        data:
          type: vulnerable-code-not-included-in-package
          note: |-
            Only on Windows:
            # not a comment
)";

Document document(std::string text = kText) {
  auto out = read_document(std::move(text), "demo.advisories.yaml");
  EXPECT_TRUE(out) << out.error().render();
  return out ? *std::move(out) : Document{};
}

std::string with(const std::string& from, const std::string& to) {
  EXPECT_NE(kText.find(from), std::string::npos) << from;
  return replace_all(kText, from, to);
}

TEST(Document, IsReadAsTheFieldWritesIt) {
  const Document demo = document();
  EXPECT_EQ(demo.package, "demo");
  ASSERT_EQ(demo.advisories.size(), 2u);
  const Advisory& first = demo.advisories[0];
  EXPECT_EQ(first.aliases, (std::vector<std::string>{"CVE-2024-0001", "GHSA-2222-3333-4444"}));
  EXPECT_EQ(first.events[0].time, 1704164645);
  EXPECT_EQ(first.events[0].component.version, "go1.21.0");
  EXPECT_EQ(first.events[0].component.scanner, "grype");
  EXPECT_EQ(first.latest()->fixed_version, "1.0-r1");
  EXPECT_FALSE(first.open());
  EXPECT_EQ(demo.advisories[1].latest()->note, "Only on Windows:\n# not a comment");
  EXPECT_EQ(demo.find("CVE-2024-0002"), &demo.advisories[1]);
  EXPECT_EQ(demo.find("CVE-2024-0003"), nullptr);
}

TEST(Document, NamesThePlaceOfEachFault) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {with("2.0.2", "3.0.0"), "demo.advisories.yaml:2:17: schema-version 3.0.0 is not known, expected 2 to 2.0.2"},
      {with("type: fixed", "type: fixd"),
       "demo.advisories.yaml:26:15: unknown type of event 'fixd'\n  while reading advisory CGA-2222-3333-4444\n"
       "  hint: did you mean 'fixed'?"},
      {with("fixed-version:", "fixed-versoin:"),
       "demo.advisories.yaml:28:11: unknown field 'fixed-versoin' in the data of a 'fixed' event\n"
       "  while reading advisory CGA-2222-3333-4444\n  hint: did you mean 'fixed-version'?"},
      {with("2024-01-03T00:00:00Z", "yesterday"),
       "demo.advisories.yaml:25:20: 'yesterday' is no time like 2026-11-24T05:03:00Z\n"
       "  while reading advisory CGA-2222-3333-4444"},
      {with("scan/v1", "scan/v9"),
       "demo.advisories.yaml:16:17: unknown detection type 'scan/v9', there are: manual, nvdapi, scan/v1\n"
       "  while reading advisory CGA-2222-3333-4444\n  hint: did you mean 'scan/v1'?"},
      {with("            componentName: stdlib\n", ""),
       "demo.advisories.yaml:18:13: the data of a scan has no 'componentName'\n"
       "  while reading advisory CGA-2222-3333-4444"},
      {"schema-version: 2.0.2\npackage:\n  name: demo\n",
       "demo.advisories.yaml:1:1: the document has no list of 'advisories'"}};
  for (const auto& [text, message] : rows) {
    const auto read = read_document(text, "demo.advisories.yaml");
    ASSERT_FALSE(read) << message;
    EXPECT_EQ(read.error().render(), message);
  }
}

TEST(Document, IsLinted) {
  Document demo = document(with("2024-01-03T00:00:00Z", "2024-01-01T00:00:00Z"));
  std::vector<std::string> said;
  for (const Finding& finding : lint(demo, {"other"}, kNow)) said.push_back(finding.rule + ": " + finding.text);
  EXPECT_EQ(said, (std::vector<std::string>{
                      "package: no definition 'demo'",
                      "event-order: an event of CGA-2222-3333-4444 is earlier than the one before it"}));
  demo = document(replace_all(with("CGA-5555-6666-7777", "CGA-1111-6666-7777"), "CVE-2024-0002", "CVE-2024-0001"));
  said.clear();
  for (const Finding& finding : lint(demo, {}, kNow)) said.push_back(finding.rule + ": " + finding.text);
  EXPECT_EQ(said, (std::vector<std::string>{"id: 'CGA-1111-6666-7777' is no id like NACRE-xxxx-xxxx-xxxx",
                                            "duplicate: CVE-2024-0001 is also named by the advisory of line 8"}));
  EXPECT_TRUE(lint(document(), {"demo"}, kNow).empty());
  EXPECT_EQ(lint(document(), {"demo"}, 1'700'000'000).size(), 3u);
}

Event fixed(std::int64_t time, std::string version) {
  Event out;
  out.time = time;
  out.type = EventType::kFixed;
  out.fixed_version = std::move(version);
  return out;
}

TEST(Edits, AppendAnEventAndKeepEveryOtherByte) {
  const auto text = append_event(document(), "CVE-2024-0002", fixed(kNow, "2.0-r0"));
  ASSERT_TRUE(text) << text.error().render();
  EXPECT_EQ(*text, kText +
                       "      - timestamp: 2027-01-15T08:00:00Z\n        type: fixed\n        data:\n"
                       "          fixed-version: 2.0-r0\n");
  // In the middle: before the blank line and the comment of the next.
  const auto middle = append_event(document(), "CVE-2024-0001", fixed(kNow, "2.0-r0"));
  ASSERT_TRUE(middle) << middle.error().render();
  EXPECT_EQ(*middle, with("# with Go 1.21.6\n",
                          "# with Go 1.21.6\n      - timestamp: 2027-01-15T08:00:00Z\n        type: fixed\n"
                          "        data:\n          fixed-version: 2.0-r0\n"));
}

TEST(Edits, RefuseWhatWouldGoBackInTime) {
  const auto text = append_event(document(), "CVE-2024-0002", fixed(1'000'000'000, "2.0-r0"));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().render(),
            "demo.advisories.yaml:34:9: CGA-5555-6666-7777 has an event of 2024-02-01T00:00:00Z, later than "
            "2001-09-09T01:46:40Z");
  EXPECT_EQ(append_event(document(), "CVE-1999-1", fixed(kNow, "2")).error().render(),
            "demo.advisories.yaml: 'demo' has no advisory on CVE-1999-1");
}

TEST(Edits, AddAnAdvisoryWhereItsIdBelongs) {
  Advisory advisory;
  advisory.id = "CGA-3333-3333-3333";
  advisory.aliases = {"CVE-2025-0001"};
  Event event;
  event.time = kNow;
  event.kind = "scan/v1";
  event.component = {"demo", "0123", "golang.org/x/net", "v0.1.0", "go-module", "/usr/bin/a: b", "nacre"};
  advisory.events = {event};
  const auto text = add_advisory(document(), advisory);
  ASSERT_TRUE(text) << text.error().render();
  const Document demo = document(*text);
  ASSERT_EQ(demo.advisories.size(), 3u);
  EXPECT_EQ(demo.advisories[1].id, "CGA-3333-3333-3333");
  EXPECT_EQ(demo.advisories[1].events[0].component.location, "/usr/bin/a: b");
  EXPECT_NE(text->find("  # Looked at by hand.\n  - id: CGA-5555"), std::string::npos) << *text;
  const auto again = add_advisory(demo, advisory);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind(), ErrorKind::kConflict);
}

TEST(Edits, EveryEventIsReadBackAsItWasWritten) {
  for (const EventType type : kEventTypes) {
    Advisory advisory;
    advisory.id = make_id("demo", "CVE-2025-0001");
    EXPECT_TRUE(is_advisory_id(advisory.id)) << advisory.id;
    Event event;
    event.time = kNow;
    event.type = type;
    if (type == EventType::kDetection) event.kind = "manual";
    if (type == EventType::kFixed) event.fixed_version = "1.0-r1";
    if (type == EventType::kFalsePositive) event.kind = "inline-mitigations-exist";
    if (type != EventType::kDetection && type != EventType::kFixed)
      event.note = "Two lines: 'quoted'\n\n  indented # and more";
    advisory.events = {event};
    const Document demo = document(new_document("demo", advisory));
    const Event& found = demo.advisories[0].events[0];
    EXPECT_EQ(found.time, event.time);
    EXPECT_EQ(found.type, event.type);
    EXPECT_EQ(found.kind, event.kind);
    EXPECT_EQ(found.note, event.note);
    EXPECT_EQ(found.fixed_version, event.fixed_version);
  }
}

TEST(Times, AreReadWithFractionsAndOffsets) {
  EXPECT_EQ(*parse_time("1970-01-01T00:00:01Z"), 1);
  EXPECT_EQ(*parse_time("1970-01-01T01:00:01.123456+01:00"), 1);
  EXPECT_EQ(*parse_time("1969-12-31T19:00:01-05:00"), 1);
  for (const char* bad : {"", "1970-01-01", "1970-01-01T00:00:01", "1970-01-01T00:00:01ZZ", "1970-13-01T00:00:01Z",
                          "1970-01-01T00:00:01+1:00"})
    EXPECT_FALSE(parse_time(bad)) << bad;
}

/// The field's own data: every document is read, and an event appended to each advisory leaves every other byte.
TEST(Field, DocumentsAreReadAndEditedInPlace) {
  const char* folder = std::getenv("NACRE_ADVISORIES");
  if (folder == nullptr) GTEST_SKIP() << "NACRE_ADVISORIES names no directory of real documents";
  const auto documents = read_documents(folder);
  ASSERT_TRUE(documents) << documents.error().render();
  std::size_t advisories = 0, events = 0;
  for (const Document& each : *documents) {
    advisories += each.advisories.size();
    for (const Advisory& advisory : each.advisories) events += advisory.events.size();
    for (const std::size_t i : {std::size_t{0}, each.advisories.size() / 2, each.advisories.size() - 1}) {
      const auto text = append_event(each, each.advisories[i].id, fixed(kNow, "9-r9"));
      ASSERT_TRUE(text) << text.error().render();
      const std::string added = event_text(fixed(kNow, "9-r9"), 6);
      const std::size_t at = text->find(added);
      ASSERT_NE(at, std::string::npos) << each.file;
      EXPECT_EQ(text->substr(0, at) + text->substr(at + added.size()), each.tree.source) << each.file;
    }
  }
  EXPECT_GT(advisories, 0u);
  EXPECT_GT(events, advisories);
  RecordProperty("advisories", static_cast<int>(advisories));
}

}  // namespace
}  // namespace nacre::advisory
