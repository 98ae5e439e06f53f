#include "definition/shell.h"

#include <gtest/gtest.h>

#include <string>

namespace nacre::definition {
namespace {

TEST(Shell, ReadsWhatShellsRead) {
  for (const char* text : {"",
                           "# only\n",
                           "a; b & c\n",
                           "a &&\n # why\n b || c",
                           "if a; then b; elif c; then d; else e; fi >f 2>&1",
                           "for a in b c; do d; done; for a; do b; done; for ((i=0;i<3;i++)); do c; done",
                           "while a; do b; done | c",
                           "case $a in (b|c) d;; *) e\nesac",
                           "case a in esac",
                           "f() { a; }\nfunction g { b; }\nh() ( c )",
                           "{ a; }; (b; (c))",
                           "cat <<E\n$( \" `\nE\n",
                           "cat <<-'E F'\n\ta\n\tE F\n",
                           "cat <<A <<B\n1\nA\n2\nB\n",
                           "x=$(cat <<E\na)\nE\n)",
                           "echo \"$(echo \"$(echo ')')\")\" `a \\`b\\`` ${a:-\"}\"} \"${b%%'}'*}\" \"${c:-it's}\"",
                           "a=(b # x\n c)\nd+=(e)",
                           "((a=1)); echo $((1+(2*3)))",
                           "[[ a =~ ^(x|y)$ && ( -f b ) ]]",
                           "diff <(a) >(b)",
                           "rm !(a|b)",
                           "echo if then a#b $# '#'",
                           "! a | b",
                           "time a",
                           "coproc a { b; }",
                           "a \\\n b",
                           "echo $'it\\'s'",
                           "a >b 2>&1 <c >>d &>e <<<f >&-"})
    EXPECT_FALSE(check_shell(text)) << text << "\n" << check_shell(text)->text;
}

TEST(Shell, RefusesWithThePlace) {
  const struct {
    const char* text;
    const char* fault;
    std::size_t at;
  } kRows[] = {{"if a; then b", "'if' without 'fi'", 0},
               {"if a; b; fi", "'fi' without 'if', or before what is inside ended", 9},
               {"a\nfi", "'fi' without 'if', or before what is inside ended", 2},
               {"if a; then\nfi", "nothing before 'fi'", 11},
               {"for a in b; do c", "'for' without 'done'", 0},
               {"for a in b; c; done", "'for' without 'do'", 0},
               {"done", "'done' without 'do', or before what is inside ended", 0},
               {"case a in b) c", "'case' without 'esac'", 0},
               {"case a in b c;; esac", "a pattern of 'case' without its ')'", 12},
               {"a ;; b", "';;' outside of 'case'", 2},
               {"a 'b", "a single quote (') without its partner", 2},
               {"a \"b", "a double quote (\") without its partner", 2},
               {"a `b", "a backquote (`) without its partner", 2},
               {"a $(b", "'$(' without ')'", 2},
               {"a ${b", "'${' without '}'", 2},
               {"a )", "')' without '('", 2},
               {"(a", "'(' without ')'", 0},
               {"()", "nothing before ')'", 1},
               {"{ a", "'{' without '}'", 0},
               {"a; }", "'}' without '{', or before what is inside ended", 3},
               {"a (b)", "'(' behind a word, and no ')' for a function", 2},
               {"a &&", "the script ends where a command is expected", 4},
               {"&& a", "'&&' where none is expected", 0},
               {"a | | b", "'|' where none is expected", 4},
               {"a >", "a redirection that does not say where", 2},
               {"cat <<E\na\n", "the here-document that ends with 'E' does not end", 4},
               {"a=(b", "'=(' without ')'", 2},
               {"[[ a", "'[[' without ']]'", 0}};
  for (const auto& row : kRows) {
    const auto fault = check_shell(row.text);
    ASSERT_TRUE(fault) << row.text;
    EXPECT_EQ(fault->text, row.fault) << row.text;
    EXPECT_EQ(fault->at, row.at) << row.text;
  }
}

TEST(Shell, IsBounded) {
  for (const char* unit : {"(", "$(", "{ ", "if ", "\"$(", "$((", "<("}) {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += unit;
    EXPECT_TRUE(check_shell(text)) << unit;
  }
}

}  // namespace
}  // namespace nacre::definition
