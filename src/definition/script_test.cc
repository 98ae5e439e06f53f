#include "definition/script.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace nacre::definition {
namespace {

std::string shown(std::string_view script) {
  std::string out;
  for (const ScriptCommand& command : script_commands(script)) {
    out += std::to_string(command.line) + ":" + join(command.words, "|");
    for (const std::string& file : command.reads) out += " <" + file;
    for (const std::string& file : command.writes) out += (command.appends ? " >>" : " >") + file;
    out += command.here_document ? " (here)\n" : "\n";
  }
  return out;
}

TEST(Script, PartsCommands) {
  const struct {
    const char *script, *expected;
  } rows[] = {
      {"sed -i 's/a b/c/' \"x y\" z", "0:sed|-i|s/a b/c/|x y|z\n"},
      {"a; b && c | d & e", "0:a\n0:b\n0:c\n0:d\n0:e\n"},
      {"if [ -f x ]; then\n  mv x y\nfi", "0:[|-f|x|]\n1:mv|x|y\n"},
      {"CFLAGS=-O2 make all", "0:make|all\n"},
      {"a \\\n  b", "0:a|b\n"},
      {"echo hi >out 2>&1", "0:echo|hi >out\n"},
      {"echo hi >> out", "0:echo|hi >>out\n"},
      {"cat > f <<'EOF'\nsed -i no\nEOF\nls", "0:cat >f (here)\n3:ls\n"},
      {"cat <<-E >f\n\tx\n\tE\nb", "0:cat >f (here)\n3:b\n"},
      {"cat <<A <<B\n1\nA\n2\nB\nb", "0:cat (here)\n5:b\n"},
      {"patch -p1 < a.patch", "0:patch|-p1 <a.patch\n"},
      {"x=$(sed -i no f) y", "0:y\n"},
      {"a \"$(b \")\" c)\" d", "0:a|$(b \")\" c)|d\n"},
      {"a # b; c\nd", "0:a\n1:d\n"},
      {"find . -exec sed -i s/a/b/ {} +", "0:find|.|-exec|sed|-i|s/a/b/|{}|+\n"},
      {"for f in a b; do sed -i x $f; done", "0:for|f|in|a|b\n0:sed|-i|x|$f\n"},
      {"diff <(a b) c", "0:diff|<(a b)|c\n"},
      {"a 'unfinished", "0:a|unfinished\n"},
      {"", ""},
      {"\\", ""},
  };
  for (const auto& row : rows) EXPECT_EQ(shown(row.script), row.expected) << row.script;
}

TEST(Script, PartsSwitches) {
  EXPECT_EQ(join(shell_words("--a --b='c d'\n  CC=gcc -DX=\"1\""), "|"), "--a|--b=c d|CC=gcc|-DX=1");
  EXPECT_TRUE(shell_words("").empty());
  EXPECT_EQ(base_name("/usr/bin/sed"), "sed");
  EXPECT_EQ(base_name("./configure"), "configure");
}

}  // namespace
}  // namespace nacre::definition
