#include "package/header_items.h"

#include <gtest/gtest.h>

#include <set>

#include "package/header_lexer.h"

namespace nacre::package {
namespace {

/// "define A; int f", what each piece declares, one after the other; "!" behind what is loose.
std::string pieces(std::string_view text) {
  const HeaderItems cut = cut_header(text);
  KnownNames known;
  for (const HeaderItem& item : cut.items) known.add(item);
  std::string out = cut.understood ? "" : "whole: ";
  for (const HeaderItem& item : cut.items) {
    if (!out.empty() && !out.ends_with(": ")) out += "; ";
    std::string names;
    for (const std::string_view name : declared_names(item, known)) {
      if (!names.empty()) names += ' ';
      names += name;
    }
    if (item.kind == HeaderItem::Kind::kInclude) names = "<" + item.included + ">";
    out += names.empty() ? "-" : names;
    if (item.loose) out += '!';
  }
  return out;
}

TEST(HeaderItems, CutsWhatUsersTakeOneByOne) {
  const std::pair<const char*, const char*> rows[] = {
      {"", ""},
      {"#define A 1\n#define B(x) \\\n  x\n#undef A\n", "A; B; A"},
      {"int f(int a, char *b);\nextern int g(void) __attribute__((const));", "f; g"},
      {"/* int no(void); */ int f(void); // int no2(void);\n", "f"},
      {"typedef struct _A A; typedef int (*cb)(void *ctx, int n); typedef unsigned char byte;", "A; cb; byte"},
      {"struct s; struct s { int a; struct t *b; }; union u { int i; };", "s; s; u"},
      {"typedef struct tag { int a; } name, *pointer;", "tag name pointer"},
      {"struct s *make(int n); const struct s *find(void);", "make; find"},
      {"#define API(t) t\n#define OF(a) a\nAPI(int) f(int); int g OF((int x));", "API; OF; f; g"},
      {"#define API __attribute__((x))\nAPI int h(void);\nint i(void) API;", "API; h; i"},
      {"#define FOO(n, t, name, args) t name args\ntypedef int num;\nFOO(1, num, deflate, (num x));",
       "FOO; num; deflate"},
      {"typedef void *p;\n#define CALL\ntypedef p (CALL *fn)(p one, p two);", "p; CALL; fn"},
      {"extern const char *const version; extern int table[10], *other;", "version; table other"},
      {"static inline int f(int x) { if (x) { return 1; } return x; }\nint g(void);", "f; g"},
      {"int f(int x) { return x; }\nint g(void);", "f!; g"},
      {"int count = 1;\nstatic const char name[] = \"a;b}\";", "count!; name!"},
      {"#ifdef __cplusplus\nextern \"C\" {\n#endif\nint f(void);\n#ifdef __cplusplus\n}\n#endif\n", "f"},
      {"#ifdef __cplusplus\nextern \"C\"\n#endif\nint f(void);\nint g(void);\n", "f; g"},
      {"namespace a { namespace b { int f(); class C { public: int g(); private: int h_; }; } }", "f; C"},
      {"template <class T, int N = (1 > 0)> struct V { T t[N]; };\ntemplate <class T> T least(T a, T b);", "V; least"},
      {"namespace std { template <> struct hash<Foo> { int operator()(Foo) const; }; }", "hash Foo"},
      {"bool operator==(const A &a, const A &b);\nusing namespace std;\nusing X = int;", "-!; std!; X"},
      {"inline int A::value() const { return v_; }\nA::A() : x{1}, y(2) { go(); }\nint z();", "A value; A y!; z"},
      {"#pragma once\n#pragma pack(push, 1)\nstruct s { int a; };\n#pragma pack(pop)\n", "-!; s; -!"},
      {"#include <a/b.h>\n#include \"c.h\"\n#include FT_X\n", "<b.h>; <c.h>; <>!"},
      {"#if A\nint f(int);\n#elif B\nint f(long);\n#else\n#error no\n#endif\n", "f; f; -!"},
      {"int f(int a)\n#ifdef X\n  __attribute__((y))\n#endif\n  ;\nint g(void);", "f; g"},
      {"struct s {\n#ifdef X\n int a;\n#else\n int b;\n#endif\n};\nint g(void);", "s; g"},
      {"#ifdef X\nint f(int a,\n#else\nint f(\n#endif\n int b);\nint g(void);", "f; g"},
      {"enum e { A, B = 3, C }; typedef enum { P, Q } pq;", "e; A; B; C; pq; P; Q"},
      {"BEGIN_DECLS\n#define X 1\nint f(void);\nEND_DECLS\n", "BEGIN_DECLS; X; f; END_DECLS"},
      {"int f(a) int a; { return a; }\nint g(void);", "f a; a!; g"},
      {"const char *t = R\"x(\nint no(void);\n)x\";\nint f(void);", "t!; f"},
      {"#define CAT(a, b) a ## b\nint CAT(x, y)(void);", "CAT; y"},
      {"static_assert(sizeof(int) == 4, \"x\"); asm(\".symver a\"); int f(void);", "-; -!; f"},
      {"int n = 1'000'000; int f(void);", "n!; f"},
  };
  for (const auto& [text, out] : rows) EXPECT_EQ(pieces(text), out) << text;
}

TEST(HeaderItems, TakesWhatItCannotCutAsOnePiece) {
  EXPECT_EQ(pieces("#ifdef X\nstruct s {\n#else\nstruct s { int y;\n};\n#endif\nint f(void);"), "whole: X f s y!");
  EXPECT_EQ(pieces("int f(void); /* open"), "whole: f!");
  EXPECT_EQ(pieces("int f(void) { return 1;"), "whole: f!");
  EXPECT_EQ(pieces("int f(void));"), "whole: f!");
  EXPECT_EQ(pieces("#endif\nint f(void);"), "whole: f!");
  EXPECT_EQ(pieces(std::string(17u << 20, ' ')), "whole: *!");
}

TEST(HeaderItems, CompareWhatACompilerSees) {
  const auto digest = [](std::string_view text) { return cut_header(text).items.back().digest; };
  EXPECT_EQ(digest("int f ( int a );"), digest("/* x */ int f(int\n\n a);"));
  EXPECT_EQ(digest("#define A(x) x + 1"), digest("#define A(x) \\\n x + 1 // one"));
  EXPECT_NE(digest("#define A(x) x"), digest("#define A (x) x"));
  EXPECT_NE(digest("int a = b + +c;"), digest("int a = b ++c;"));
  EXPECT_NE(digest("#ifdef X\nint f(int);\n#endif"), digest("int f(int);"));
  EXPECT_NE(digest("#ifdef X\nint f(int);\n#endif"), digest("#ifdef Y\nint f(int);\n#endif"));
  EXPECT_NE(digest("#if A\n#else\nint f(int);\n#endif"), digest("#if A\nint f(int);\n#endif"));
  EXPECT_NE(digest("namespace a { int f(); }"), digest("namespace b { int f(); }"));
  EXPECT_NE(digest("#pragma pack(1)\nstruct s { int a; };"), digest("#pragma pack(2)\nstruct s { int a; };"));
  // A macro that is defined twice counts with where it holds.
  EXPECT_NE(digest("#define T int\n#undef T\n#define T long\nT f(void);"),
            digest("#define T int\n#undef T\n#define T char\nT f(void);"));
}

TEST(HeaderLexer, JoinsLinesAndKeepsQuotes) {
  const auto words = [](std::string_view text) {
    std::string out;
    for (const HeaderToken& token : lex_header(text).tokens) out += (out.empty() ? "" : "|") + token.text;
    return out;
  };
  EXPECT_EQ(words("ab\\\ncd e"), "abcd|e");
  EXPECT_EQ(words("a /\\\n* no */ b"), "a|b");
  EXPECT_EQ(words("// no \\\n no\nyes"), "yes");
  EXPECT_EQ(words("\"a\\\"b\" 'c' u8R\"(x\"y)\""), "\"a\\\"b\"|'c'|u8R\"(x\"y)\"");
  EXPECT_EQ(words("#error don't"), "#|error|don|'|t");
  EXPECT_EQ(words("1.5e+3 0x1F .5 a.b"), "1.5e+3|0x1F|.5|a|.|b");
  EXPECT_EQ(lex_header("a\nb\\\nc\nd").tokens.back().line, 4U);
}

}  // namespace
}  // namespace nacre::package
