#include "codec/yaml.h"

#include "codec/yaml_aliases.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace nacre::codec {
namespace {

std::string error_of(const std::string& text, const YamlLimits& limits = {}) {
  const auto tree = parse_yaml(text, "a.yaml", limits);
  return tree ? "no error" : tree.error().render();
}

YamlTree tree_of(const std::string& text) {
  auto tree = parse_yaml(text, "a.yaml");
  EXPECT_TRUE(tree) << tree.error().render();
  return tree ? *std::move(tree) : YamlTree{};
}

std::string shown(const YamlTree& tree, const YamlNode& node) {
  return tree.source.substr(node.span.begin, node.span.end - node.span.begin);
}

TEST(Yaml, ScalarsKeepTheirText) {
  const YamlTree tree = tree_of(
      "version: 1.10\nmode: 0755\nyes: no\nquoted: 'it''s'\nempty:\ntilde: ~\nword: null\nstring: "
      "\"null\"\n"
      "block: |\n  one\n   two\nlist: [a, 1.0]\n");
  EXPECT_EQ(tree.root.find("version")->text, "1.10");
  EXPECT_EQ(tree.root.find("mode")->text, "0755");
  EXPECT_EQ(tree.root.find("yes")->text, "no");
  EXPECT_EQ(tree.root.find("quoted")->text, "it's");
  for (const char* key : {"empty", "tilde", "word"})
    EXPECT_EQ(tree.root.find(key)->kind, YamlKind::kNull) << key;
  EXPECT_EQ(tree.root.find("string")->kind, YamlKind::kScalar);
  EXPECT_EQ(tree.root.find("block")->text, "one\n two\n");
  EXPECT_EQ(tree.root.find("block")->style, ScalarStyle::kLiteral);
  EXPECT_EQ(tree.root.find("list")->items[1].text, "1.0");
  EXPECT_EQ(tree.root.find("absent"), nullptr);
  EXPECT_EQ(tree_of("# nothing\n").root.kind, YamlKind::kNull);
}

TEST(Yaml, SpansCountBytesAlsoBehindOtherLetters) {
  const YamlTree tree = tree_of(
      "\xEF\xBB\xBFname: é ü\r\nä: [ 'ö', x ]\nlist:\n  - one # first\n  - two\n\n# end\nlast: "
      "1\n");
  EXPECT_EQ(shown(tree, *tree.root.find("name")), "é ü");
  const YamlNode& flow = *tree.root.find("ä");
  EXPECT_EQ(shown(tree, flow), "[ 'ö', x ]");
  EXPECT_EQ(shown(tree, flow.items[1]), "x");
  EXPECT_EQ(flow.items[1].span.line, 2);
  EXPECT_EQ(flow.items[1].span.column, 13);
  EXPECT_EQ(shown(tree, *tree.root.find("list")), "- one # first\n  - two");
  EXPECT_EQ(tree.root.entries[3].key_span.line, 8);
}

TEST(Yaml, SaysWhatItRefuses) {
  const struct {
    const char *text, *error;
  } cases[] = {
      {"a: 1\nb:\n  c: 2\na: 3\n",
       "a.yaml:4:1: 'a' is given twice\n  hint: the first is in line 1"},
      {"a: &x 1\nb: *x\n",
       "a.yaml:2:4: aliases are not read: '*x'\n  hint: write the value out in each place"},
      {"a:\n  <<: {b: 1}\n",
       "a.yaml:2:3: merge keys ('<<') are not read\n  hint: write the fields out in each place"},
      {"a: 1\n---\nb: 2\n",
       "a.yaml:2:1: expected one document, found a second\n  hint: put it into a file of its own"},
      {"? [a]\n: 1\n", "a.yaml:1:3: expected a plain key"},
      {"a: !thing 1\n", "a.yaml:1:4: unknown tag '!thing'\n  hint: leave the tag out"},
      {"a:\n\tb: 1\n",
       "a.yaml:2:1: found character that cannot start any token (while scanning for the next "
       "token)\n"
       "  hint: indent with blanks; YAML does not take tabs there"},
      {"a: @b\n",
       "a.yaml:1:4: found character that cannot start any token (while scanning for the next "
       "token)\n"
       "  hint: put the value in quotes"},
      {"a: [1, 2\n",
       "a.yaml:2:1: did not find expected ',' or ']' (while parsing a flow sequence)"},
      {"a: b: c\n", "a.yaml:1:5: mapping values are not allowed in this context"},
      {"a: \xff\n", "a.yaml:1:4: invalid leading UTF-8 octet"},
  };
  for (const auto& c : cases) EXPECT_EQ(error_of(c.text), c.error) << c.text;
}

TEST(Yaml, FollowsAliasesWhereAsked) {
  const auto fault_of = [](const std::string& text, const YamlLimits& limits = {}) {
    const auto read = parse_yaml_with_aliases(text, "a.yaml", limits);
    return read ? std::string("no error") : read.error().render();
  };
  const auto tree = parse_yaml_with_aliases(
      "base: &base {a: 1, b: [x, y]}\nmore: &more\n  c: 3\n  a: 9\nlist: &l [1, 2]\nagain: *l\n"
      "one:\n  <<: *base\n  a: 2\ntwo:\n  a: 0\n  <<: [*base, *more]\nlast: *l\n\"<<\": plain\n",
      "a.yaml");
  ASSERT_TRUE(tree) << tree.error().render();
  const YamlNode& root = tree->root;
  EXPECT_EQ(root.find("again")->items.size(), 2u);
  EXPECT_EQ(root.find("again")->span.line, 6);
  EXPECT_EQ(root.find("one")->find("a")->text, "2");
  EXPECT_EQ(root.find("one")->find("b")->items[1].text, "y");
  EXPECT_EQ(root.find("two")->find("a")->text, "0");
  EXPECT_EQ(root.find("two")->find("c")->text, "3");
  EXPECT_EQ(root.find("two")->entries.size(), 3u);
  EXPECT_EQ(root.find("<<")->text, "plain");
  EXPECT_EQ(fault_of("a: *x\n"),
            "a.yaml:1:4: '*x' stands for nothing\n  hint: '&x' before a value gives it that name; it must come first");
  EXPECT_EQ(fault_of("a: &x [*x]\n"),
            "a.yaml:1:8: '*x' stands for nothing\n  hint: '&x' before a value gives it that name; it must come first");
  EXPECT_EQ(fault_of("a:\n  <<: 1\n"), "a.yaml:2:3: '<<' takes a mapping, or a list of mappings");
  EXPECT_EQ(fault_of("a:\n  <<: [1]\n"), "a.yaml:2:3: '<<' takes mappings");
  // A billion laughs: what is copied counts.
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i)
    bomb += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i,
                        i - 1);
  EXPECT_EQ(fault_of(bomb).find("a.yaml:6:"), 0u);
  EXPECT_NE(fault_of(bomb).find("more than 200000 values"), std::string::npos);
  EXPECT_EQ(fault_of("a: &a [[[1]]]\nb: [[*a]]\n", {.max_depth = 4}),
            "a.yaml:2:6: nested deeper than 4 levels");
}

TEST(Yaml, KeepsToItsLimits) {
  EXPECT_EQ(error_of("[[[[1]]]]", {.max_depth = 3}), "a.yaml:1:5: nested deeper than 3 levels");
  EXPECT_EQ(error_of("[1,2,3]", {.max_nodes = 3}), "a.yaml:1:6: more than 3 values");
  EXPECT_EQ(error_of("abcdef", {.max_bytes = 5}),
            "a.yaml: 6 bytes of YAML, more than the limit of 5");
  EXPECT_EQ(error_of(std::string(100'000, '[')), "a.yaml:1:66: nested deeper than 64 levels");
}

TEST(Yaml, ShowsTheLineOfAnError) {
  const std::string source = "package:\n  name: zlib\n  enviroment:\n";
  const auto error = [] {
    return Error::make(ErrorKind::kInvalid, "unknown field 'enviroment'")
        .hint("did you mean 'environment'?");
  };
  EXPECT_EQ(render_with_source(error().at({"os/zlib.yaml", 3, 3}), source),
            "os/zlib.yaml:3:3: unknown field 'enviroment'\n"
            "  3 |   enviroment:\n"
            "    |   ^~~~~~~~~~\n"
            "  hint: did you mean 'environment'?");
  EXPECT_EQ(render_with_source(error(), source), error().render());
  EXPECT_EQ(render_with_source(error().at({"a", 9, 1}), source), error().at({"a", 9, 1}).render());
  EXPECT_EQ(
      render_with_source(Error::make(ErrorKind::kInvalid, "bad").at({"a", 1, 6}), "é: 'ü x' # y"),
      "a:1:6: bad\n  1 | é: 'ü x' # y\n    |     ^");
}

TEST(Yaml, ShowsOfALongLineWhatStandsAroundTheFault) {
  const auto shown = [](const std::string& line, int column) {
    const std::string text =
        render_with_source(Error::make(ErrorKind::kInvalid, "bad").at({"a", 1, column}), line);
    return text.substr(text.find('\n') + 1);
  };
  const std::string long_line = std::string(5000, 'a') + " here " + std::string(5000, 'b');
  EXPECT_EQ(shown(long_line, 5002), "  1 | …" + std::string(79, 'a') + " here " + std::string(75, 'b') + "…\n    |  " +
                                        std::string(80, ' ') + "^~~~");
  EXPECT_EQ(shown(long_line, 1), "  1 | " + std::string(160, 'a') + "…\n    | ^" + std::string(160, '~'));
  EXPECT_EQ(shown(long_line, 10006),
            "  1 | …" + std::string(160, 'b') + "\n    |  " + std::string(159, ' ') + "^");
  // No character is cut in two.
  std::string wide;
  for (int i = 0; i < 300; ++i) wide += "ü";
  EXPECT_EQ(shown(wide, 301).find("…" + wide.substr(0, 100)), 6u);
}

TEST(Yaml, ReplacesOneScalarAndNothingElse) {
  const struct {
    const char *before, *text, *after;
  } cases[] = {
      {"# top\nk:   1.2 # why\nz: 1\n", "1.10", "# top\nk:   1.10 # why\nz: 1\n"},
      {"k: \"1.2\"\n", "a\"b", "k: \"a\\\"b\"\n"},
      {"k: '1.2' # c\n", "it's", "k: 'it''s' # c\n"},
      {"k: '1.2'\n", "a\nb", "k: \"a\\nb\"\n"},
      {"k: x\n", "a: b", "k: \"a: b\"\n"},
      {"k: x\n", "", "k: \"\"\n"},
      {"k: x\n", "null", "k: \"null\"\n"},
      {"k: # c\n", "new", "k: new # c\n"},
      {"k: ~\n", "new", "k: new\n"},
      {"k: |\n  one\n  two\n\n# c\nz: 1\n", "three\n\nfour\n",
       "k: |\n  three\n\n  four\n\n# c\nz: 1\n"},
      {"k: |\n  one\nz: 1\n", "two", "k: |-\n  two\nz: 1\n"},
      {"k: >\n  one\n  two\nz: 1\n", "three", "k: \"three\"\nz: 1\n"},
      {"k: |\n  one", "two\n", "k: |\n  two"},
  };
  for (const auto& c : cases) {
    const YamlTree tree = tree_of(c.before);
    const std::string after = replace_scalar(tree, *tree.root.find("k"), c.text);
    EXPECT_EQ(after, c.after);
  }
  const YamlTree flow = tree_of("k: {a: x, b: y}\n");
  EXPECT_EQ(replace_scalar(flow, *flow.root.find("k")->find("a"), "1, 2"),
            "k: {a: \"1, 2\", b: y}\n");
}

TEST(Yaml, WhatWasReplacedReadsBack) {
  for (const char* style :
       {"k: x", "k: 'x'", "k: \"x\"", "k: |\n  x", "k: >\n  x", "k:", "k: null"})
    for (const char* text : {"1.10", "",     "- a",  "a #b", "#",    " lead",   "trail ", "a\nb\n",
                             "\n",   "null", "it's", "\"",   "a\tb", "[x]",     "é",      "\x01",
                             "a\\n", "? x",  "%a",   "x:",   "---",  "a\n\n\nb"}) {
      const YamlTree before = tree_of(std::string(style) + "\nz: 1\n");
      const YamlTree after = tree_of(replace_scalar(before, *before.root.find("k"), text));
      EXPECT_EQ(after.root.find("k")->text, text) << after.source;
      EXPECT_EQ(after.root.find("k")->kind, YamlKind::kScalar) << after.source;
      EXPECT_EQ(after.root.find("z")->text, "1") << after.source;
    }
}

}  // namespace
}  // namespace nacre::codec
