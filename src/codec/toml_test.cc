#include "codec/toml.h"

#include <gmock/gmock.h>

namespace nacre::codec {
namespace {

TEST(Toml, ReadsWhatTheFormatHas) {
  const struct {
    const char* text;
    const char* json;
  } kRows[] = {
      {"", "{}"},
      {"a = 1\nb = \"x\"  # remark\n", R"({"a":1,"b":"x"})"},
      {"[t]\nx.y = true\n'q r' = 'no \\ escape'\n", R"({"t":{"q r":"no \\ escape","x":{"y":true}}})"},
      {"a = [1, 2,\n  # remark\n  3,\n]\n", R"({"a":[1,2,3]})"},
      {"a = { b = 1, c.d = 'x' }\n", R"({"a":{"b":1,"c":{"d":"x"}}})"},
      {"[[bin]]\nname = 'a'\n[[bin]]\nname = 'b'\n[bin.more]\nz = 0x1\n",
       R"({"bin":[{"name":"a"},{"more":{"z":"0x1"},"name":"b"}]})"},
      {"t = \"\"\"\nfirst\\\n   on\nend\"\"\"\n", R"({"t":"firston\nend"})"},
      {"t = '''x''y'''\n", R"({"t":"x''y"})"},
      {"u = \"\\u00e9\\U0001F600\\t\"\n", "{\"u\":\"\u00e9\U0001F600\\t\"}"},
      {"d = 1979-05-27T07:32:00Z\nf = 1.5\nn = -1_000\n", R"({"d":"1979-05-27T07:32:00Z","f":"1.5","n":-1000})"},
      {"[a.b]\nx = 1\n[a]\ny = 2\n", R"({"a":{"b":{"x":1},"y":2}})"},
      {"\xEF\xBB\xBFk = 1\r\n", R"({"k":1})"}};
  for (const auto& row : kRows) {
    const auto json = parse_toml(row.text, "t.toml");
    ASSERT_TRUE(json) << row.text << json.error().render();
    EXPECT_EQ(to_json(*json), row.json) << row.text;
  }
}

TEST(Toml, RefusesWithThePlace) {
  const struct {
    const char* text;
    const char* error;
  } kRows[] = {{"a = \n", "t.toml:1:5: expected a value"},
               {"a = x\n", "t.toml:1:6: 'x' is no value"},
               {"a = 1\na = 2\n", "t.toml:2:4: 'a' is there twice"},
               {"[t]\n[t]\n", "t.toml:2:4: table 't' is there twice"},
               {"a = 'x\n", "t.toml:1:7: a text without its end"},
               {"a = \"\"\"x", "t.toml:1:9: a text without its end"},
               {"a = \"\\q\"\n", "'\\q' means nothing"},
               {"a = [1 2]\n", "t.toml:1:9: '1 2' is no value"},
               {"a = {b = 1\n", "expected ',' or '}'"},
               {"= 1\n", "t.toml:1:1: expected a key"},
               {"a = 1\n[a.b]\n", "'a' is no table that can grow"},
               {"a = {b = 1}\na.c = 2\n", "'a' is no table that can grow"},
               {"a = [1]\n[[a]]\n", "'a' is no list of tables"},
               {"a = 1 b = 2\n", "'1 b = 2' is no value"},
               {"a = \"\\U00110000\"\n", "no such character"}};
  for (const auto& row : kRows) {
    const auto json = parse_toml(row.text, "t.toml");
    ASSERT_FALSE(json) << row.text;
    EXPECT_THAT(json.error().render(), testing::HasSubstr(row.error)) << row.text;
  }
}

TEST(Toml, IsUtf8) {
  for (const char* bad :
       {"a = \"\x9d\"", "# \xc0\x80", "a = '\xed\xa0\x80'", "a = '\xf4\x90\x80\x80'", "a = '\xe2\x82'"})
    EXPECT_FALSE(parse_toml(bad, "t.toml")) << bad;
  EXPECT_TRUE(parse_toml("a = '\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x9a'", "t.toml"));
}

TEST(Toml, IsBounded) {
  std::string deep = "a = ";
  for (int i = 0; i < 1000; ++i) deep += '[';
  EXPECT_FALSE(parse_toml(deep, "deep"));
  std::string many;
  for (int i = 0; i < 30'000; ++i) many += fmt::format("k{} = 1\n", i);
  EXPECT_FALSE(parse_toml(many, "many"));
}

}  // namespace
}  // namespace nacre::codec
