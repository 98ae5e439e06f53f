#include "package/touch.h"

#include "package/pasting.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace nacre::package {
namespace {

using Files = std::map<std::string, std::string>;

/// A tree that has these files below it, read as a package of that version.
Offer offer_of(const Files& files, const char* version = "1.0") {
  const os::TempDir dir = *os::TempDir::create(testing::TempDir());
  for (const auto& [path, text] : files) {
    std::filesystem::create_directories((dir.path() / path).parent_path());
    std::ofstream(dir.path() / path) << text;
  }
  return *read_offer(*PackageTree::walk(dir.path()), version);
}

Use use_of(const Files& files) {
  UseReader reader;
  for (const auto& [name, text] : files) reader.add(name, text);
  return *reader.finish();
}

std::optional<Touch> touch(const Offer& before, const Offer& after, const Use& use, const Offer& others = {}) {
  const Offer* was[] = {&before};
  const Offer* is[] = {&after};
  const Offer* rest[] = {&others};
  return OfferChanges(was, is, rest).touches(use);
}

std::string why(const Offer& before, const Offer& after, const Use& use, const Offer& others = {}) {
  const std::optional<Touch> found = touch(before, after, use, others);
  return found ? found->why : "";
}

/// Of one header, usr/include/z.h, which the user includes when it says nothing of #includes.
std::string why(const std::string& before, const std::string& after, const std::string& user,
                const std::string& other_header = {}) {
  Offer one, other, rest;
  one.headers["usr/include/z.h"] = cut_header(before);
  other.headers["usr/include/z.h"] = cut_header(after);
  rest.headers["usr/include/o.h"] = cut_header(other_header);
  const std::string text = user.find("#include") == std::string::npos ? "#include <z.h>\n" + user : user;
  return why(one, other, use_of({{"u.c", text}}), rest);
}

TEST(Touch, LeavesWhoNamesNothingThatChanged) {
  const std::string base = "#ifndef Z_H\n#define Z_H\n#define Z_VERSION \"1.0\"\nint zf(int);\n#endif\n";
  const std::string more =
      "#ifndef Z_H\n#define Z_H\n/* new */\n#define Z_VERSION \"1.1\"\nint zf(int);\nint zg(int);\n#endif\n";
  EXPECT_EQ(why(base, more, "#include <z.h>\nint main() { return zf(1); }"), "");
  EXPECT_EQ(why(base, base, "Z_VERSION"), "");
  EXPECT_EQ(why(base, more, "#include <z.h>\nputs(Z_VERSION);"), "it names Z_VERSION of z.h, which changed");
  EXPECT_EQ(why(base, more, "#include <z.h>\nstatic int zg(int x);"), "it names zg of z.h, which is new");
  EXPECT_EQ(why(more, base, "#ifdef x\nzg(1)"), "it names zg of z.h, which is gone");
}

/// What cannot wait is what put code or data of the library into its user, and what the user no longer finds.
TEST(Touch, TellsWhatCanWait) {
  enum When { kAtOnce, kAfterAFix, kLater };  // at once always; only when the same release was mended; never
  struct Row {
    const char *what, *before, *after, *user;
    When when;
  };
  const Row rows[] = {
      {"a number", "#define V 1", "#define V 2", "V", kAfterAFix},
      {"a macro with parameters by way of a number", "#define V 1\n#define I(x) i(x, V)",
       "#define V 2\n#define I(x) i(x, V)", "I(a)", kAfterAFix},
      {"a macro with parameters", "#define I(x) (x)", "#define I(x) (-(x))", "I(1)", kAtOnce},
      {"an initial value", "#define I {1, 2}", "#define I {1, 3}", "struct s x = I;", kAtOnce},
      {"an inline function", "static inline int f(int x) { return x; }", "static inline int f(int x) { return -x; }",
       "f(1)", kAtOnce},
      {"an inline function by way of a number", "#define V 1\nstatic inline int f(void) { return V; }",
       "#define V 2\nstatic inline int f(void) { return V; }", "f()", kAtOnce},
      {"an inline function of a class", "class c { int f() const { return 1; } };",
       "class c { int f() const { return 2; } };", "c x;", kAtOnce},
      {"a class with a value", "struct c { int x = 1; };", "struct c { int x = 2; };", "c x;", kAtOnce},
      {"a type that the soname stands for", "struct s { int a; };", "struct s { int a, b; };", "struct s x;",
       kAfterAFix},
      {"a type of a base", "struct b {}; struct s : public b { int a; };",
       "struct b {}; struct s : public b { int z; };", "s x;", kAfterAFix},
      {"a function that is called", "int f(int);", "int f(long);", "f(1)", kAfterAFix},
      {"a function by a macro with a body", "#define D(n) int n(void) { return 1; }\nD(f)",
       "#define D(n) int n(void) { return 1; }\nD(f) int g;", "f()", kAtOnce},
      {"an argument by default", "int f(int x = 1);", "int f(int x = 2);", "f()", kAtOnce},
      {"an enumerator", "enum e { A = 1 };", "enum e { A = 2 };", "A", kAfterAFix},
      {"a condition around a function", "#define V 1\n#if V > 1\nint f(int);\n#endif",
       "#define V 2\n#if V > 1\nint f(int);\n#endif", "f(1)", kAfterAFix},
      {"a condition around a body", "#define V 1\n#if V > 1\nstatic inline int f(int x) { return x; }\n#endif",
       "#define V 2\n#if V > 1\nstatic inline int f(int x) { return x; }\n#endif", "f(1)", kAtOnce},
      {"an inline function by way of an enumerator", "enum e { A = 1 };\nstatic inline int f(void) { return A; }",
       "enum e { A = 2 };\nstatic inline int f(void) { return A; }", "f()", kAtOnce},
      {"an inline function by way of a function", "int g(int);\nstatic inline int f(void) { return g(1); }",
       "int g(int x);\nstatic inline int f(void) { return g(1); }", "f()", kAfterAFix},
      {"enumerators that a macro lists", "#define L(X) X(A, 1)\n#define E(n, v) K_##n = v,\nenum k { L(E) };",
       "#define L(X) X(A, 2)\n#define E(n, v) K_##n = v,\nenum k { L(E) };", "#include <z.h>\nint x;", kAfterAFix},
      {"a layout", "#pragma pack(1)\nstruct s { int a; };", "#pragma pack(2)\nstruct s { int a; };", "struct s x;",
       kAfterAFix},
      {"a condition that other systems' compilers alone give another value",
       "#if A || defined(_MSC_VER)\n#define V 1\n#endif\nint f(void);", "#if A\n#define V 2\n#endif\nint f(void);", "V",
       kAfterAFix},
      {"a macro with parameters in a declaration", "#define A(x) __attribute__((x))\nint f(int) A(pure);",
       "#define A(x)\nint f(int) A(pure);", "f(1)", kAfterAFix},
      {"an argument by default by a macro with parameters", "#define D(x) = x\nint f(int D(1));",
       "#define D(x) = x + 1\nint f(int D(1));", "f()", kAtOnce},
      {"a macro that lists types", "#define T struct s { int a; };\nT", "#define T struct s { int a, b; };\nT",
       "struct s x;", kAfterAFix},
      {"a macro that lists a body", "#define T struct s { int f() { return 1; } };\nT",
       "#define T struct s { int f() { return 2; } };\nT", "struct s x;", kAtOnce},
      {"a comparison", "#define V 1\n#define C (V >= 1)\nint f(int);", "#define V 2\n#define C (V >= 1)\nint f(int);",
       "C", kAfterAFix},
      {"what is new", "int f(int);", "int f(int);\nint g(int);", "static int g(int x);", kLater},
      {"what is gone", "int f(int);\nint g(int);", "int f(int);", "g(1)", kLater},
      {"what came into sight", "int f(int);", "#include <o.h>\nint f(int);", "#include <z.h>\no(1)", kLater},
      {"a pragma", "struct s { int a; };", "#pragma GCC optimize(\"O1\")\nstruct s { int a; };",
       "#include <z.h>\nint x;", kAtOnce},
      {"the end of a language", "extern \"C\" {\nint f(int);\n}", "extern \"C\" {\nint f(int);\n}\nint h;",
       "#include <z.h>\nh", kAfterAFix},
  };
  for (const Row& row : rows) {
    Offer before, after, rest;
    before.headers["usr/include/z.h"] = cut_header(row.before);
    after.headers["usr/include/z.h"] = cut_header(row.after);
    rest.headers["usr/include/o.h"] = cut_header("static inline int o(int x) { return x; }");
    const std::string user = row.user;
    const std::string text = user.starts_with("#") ? user : "#include <z.h>\n" + user;
    const std::optional<Touch> found = touch(before, after, use_of({{"u.cc", text}}), rest);
    ASSERT_TRUE(found) << row.what;
    EXPECT_EQ(!found->urgent.empty(), row.when == kAtOnce) << row.what << ": " << found->why;
    EXPECT_EQ(!found->in_fix.empty(), row.when != kLater) << row.what << ": " << found->why;
  }
}

/// A soname or a symbol that is gone is missed at once; what is new in its place is not.
TEST(Touch, TellsWhoNoLongerFindsWhatItLinksWith) {
  const auto library = [](std::map<std::string, std::set<std::string>> exports) {
    Offer out;
    out.libraries["libz.so.1"].exports = std::move(exports);
    return out;
  };
  const Offer before = library({{"f", {"1"}}, {"g", {"1"}}}), without = library({{"f", {"1"}}});
  const Offer larger = library({{"f", {"1"}}, {"g", {"2"}}});
  const Offer more = library({{"f", {"1"}}, {"g", {"1"}}, {"h", {"1"}}});
  const auto urgent = [&](const Offer& after, const char* import) {
    Use use = use_of({{"u.c", "h g libz"}});
    use.imports.insert(import);
    use.needed.insert("libz.so.1");
    const std::optional<Touch> found = touch(before, after, use);
    return found ? found->urgent : "";
  };
  EXPECT_EQ(urgent(without, "g"), "it is linked with g, which is gone or another");
  EXPECT_EQ(urgent(larger, "g"), "it is linked with g, which is gone or another");
  EXPECT_EQ(urgent(without, "f"), "") << "named, but not imported";
  EXPECT_EQ(urgent(more, "g"), "");
  EXPECT_EQ(urgent(Offer(), "x"), "it is linked with libz.so.1, which is gone or another");
}

/// One row for each way in which a header can change for who names `use` and not for who names `other`.
TEST(Touch, ReachesWhoTakesIt) {
  struct Row {
    const char *what, *before, *after, *user;
    bool touched;
  };
  const Row rows[] = {
      {"inline function", "static inline int f(int x) { return x; }", "static inline int f(int x) { return x + 1; }",
       "f(1)", true},
      {"inline by way of a function",
       "static inline int f(void) { return 1; } static inline int g(void) { return f(); }",
       "static inline int f(void) { return 2; } static inline int g(void) { return f(); }", "g()", true},
      {"inline of others", "static inline int f(void) { return 1; } int g(void);",
       "static inline int f(void) { return 2; } int g(void);", "g()", false},
      {"macro by way of a macro", "#define V 1\n#define INIT(x) init(x, V)", "#define V 2\n#define INIT(x) init(x, V)",
       "INIT(a)", true},
      {"struct grows in a typedef", "typedef struct { int a; } s; void f(s *p); void h(int);",
       "typedef struct { int a, b; } s; void f(s *p); void h(int);", "f(p)", true},
      {"struct grows, other function", "typedef struct { int a; } s; void f(s *p); void h(int);",
       "typedef struct { int a, b; } s; void f(s *p); void h(int);", "h(1)", false},
      {"struct grows in a struct", "struct a { int x; }; struct b { struct a in; }; struct b *make(void);",
       "struct a { int x, y; }; struct b { struct a in; }; struct b *make(void);", "make()->z", true},
      {"enumerators shift", "enum e { A, B, C };", "enum e { A, N, B, C };", "C", true},
      {"enumerators before stand", "enum e { A, B, C };", "enum e { A, N, B, C };", "A", false},
      {"one more at the end", "enum e { A, B }; void f(enum e x);", "enum e { A, B, N }; void f(enum e x);", "f(B)",
       false},
      {"one more that makes it signed", "enum e { A, B }; void f(enum e x);",
       "enum e { A, B, N = -1 }; void f(enum e x);", "f(B)", true},
      {"explicit numbers do not shift", "enum e { A = 1, B = 2 };", "enum e { A = 1, N = 9, B = 2 };", "B", false},
      {"X-macro", "#define LIST(X) X(a) X(b)\n#define E(n) K_##n,\nenum k { LIST(E) };",
       "#define LIST(X) X(a) X(c) X(b)\n#define E(n) K_##n,\nenum k { LIST(E) };",
       "#include <z.h>\nswitch (x) { case K_b: ; }", true},
      {"condition", "#ifdef A\nint f(int);\n#endif", "#ifdef B\nint f(int);\n#endif", "f(1)", true},
      {"other branch", "#if V > 1\nint f(int);\n#else\nint f(long);\n#endif",
       "#if V > 2\nint f(int);\n#else\nint f(long);\n#endif", "f(1)", true},
      {"condition by way of a macro", "#define V 1\n#if V > 1\nint f(int);\n#endif\nint g(int);",
       "#define V 2\n#if V > 1\nint f(int);\n#endif\nint g(int);", "f(1)", true},
      {"condition of others", "#define V 1\n#if V > 1\nint f(int);\n#endif\nint g(int);",
       "#define V 2\n#if V > 1\nint f(int);\n#endif\nint g(int);", "g(1)", false},
      {"pragma", "struct s { int a; };", "#pragma pack(1)\nstruct s { int a; };", "#include <z.h>\nint x;", true},
      {"pragma of who does not include it", "struct s { int a; };", "#pragma pack(1)\nstruct s { int a; };",
       "#include <y.h>\nint x;", false},
      {"diagnostic pragma", "int f(int);", "#pragma GCC diagnostic ignored \"-Wx\"\nint f(int);",
       "#include <z.h>\nf(1)", false},
      {"attribute", "int f(int);", "int f(int) __attribute__((pure));", "f(1)", true},
      {"attribute behind a macro", "#define ATTR\nint f(int) ATTR;",
       "#define ATTR __attribute__((pure))\nint f(int) ATTR;", "f(1)", true},
      {"K&R body", "int f(a) int a; { return a; }", "int f(a) int a; { return a + 1; }", "#include <z.h>\nf(1)", true},
      {"class, private part", "class C { public: int g(); private: int a_; }; C *make();",
       "class C { public: int g(); private: int a_, b_; }; C *make();", "auto x = make();", true},
      {"raw string", "static const char *t() { return R\"(a)\"; }", "static const char *t() { return R\"(b)\"; }",
       "t()", true},
      {"code that is not inline", "int f(void) { return 1; }", "int f(void) { return 2; }", "#include <z.h>", true},
      {"variable", "int f(void);", "static struct s once = { 1 }; int f(void);", "#include <z.h>", true},
      {"declared variable", "int f(void);", "extern int v; int f(void);", "#include <z.h>\nf()", false},
      {"template", "template <class T> T f(T x) { return x; }", "template <class T> T f(T x) { return -x; }", "f(1)",
       true},
      {"specialisation", "template <class T> struct h {}; struct A; struct B;",
       "template <class T> struct h {}; struct A; struct B; template <> struct h<A> { int x; };", "A a;", true},
      {"operator", "struct A { int x; };", "struct A { int x; }; A operator+(A, A);", "#include <z.h>\na + b", true},
      {"member outside of its class", "struct A { virtual int v(); }; inline int A::v() { return 1; }",
       "struct A { virtual int v(); }; inline int A::v() { return 2; }", "struct B : A {};", true},
      {"line of an assert", "static inline void f(int x) { assert(x); }",
       "\n\nstatic inline void f(int x) { assert(x); }", "f(1)", true},
      {"line by way of a macro", "#define CHECK(x) fail(#x, __LINE__)\nstatic inline void f(int x) { CHECK(x); }",
       "#define CHECK(x) fail(#x, __LINE__)\n\nstatic inline void f(int x) { CHECK(x); }", "f(1)", true},
      {"line of other code", "static inline void f(int x) { g(x); }", "\n\nstatic inline void f(int x) { g(x); }",
       "f(1)", false},
      {"macro passes an include", "#define IMPL\n#include <o.h>\n", "#include <o.h>\n#define IMPL\n", "IMPL", true},
      {"condition without other systems", "#if A || defined(_MSC_VER)\nint f(int);\n#endif",
       "#if A\nint f(int);\n#endif", "f(1)", false},
      {"condition with more of other systems", "#if !defined(A)\nint f(int);\n#endif",
       "#if !defined( A ) && !(defined(__sun) || __APPLE__ > 3) || defined _WIN32\nint f(int);\n#endif", "f(1)", false},
      {"condition with a name that anybody may define", "#if A\nint f(int);\n#endif",
       "#if A || defined(WIN32)\nint f(int);\n#endif", "f(1)", true},
      {"declared by a macro that is defined behind it", "T\n#define T struct s { int a; };\n",
       "#define T struct s { int a; };\nT\n", "struct s x;", true},
      {"declaration in front of a macro that it names", "struct s { int a; } A\n#define A\n;",
       "#define A\nstruct s { int a; } A;\n", "struct s x;", true},
      {"function that a macro has the name of", "#define f(a, b) (f)((a), (b))\nint f(int s, int end);",
       "#define f(a, b) (f)((a), (b))\nint f(int s, long end);", "f(1, 2)", true},
      {"its parameters", "#define f(a, b) (f)((a), (b))\nint f(int s, int end);",
       "#define f(a, b) (f)((a), (b))\nint f(int s, long end);", "s = end", false},
      {"declaration with a macro passes an include", "#define A\n#include <o.h>\nint f(int) A;",
       "#define A\nint f(int) A;\n#include <o.h>\n", "f(1)", true},
      {"declaration in a condition passes an include", "#define A\n#include <o.h>\n#ifdef A\nint f(int);\n#endif",
       "#define A\n#ifdef A\nint f(int);\n#endif\n#include <o.h>\n", "f(1)", true},
      {"declaration passes an include", "#include <o.h>\nint f(int);", "int f(int);\n#include <o.h>\n", "f(1)", false},
      {"declared by a macro alone", "#define T struct s { int a; };\nT", "#define T struct s { int a, b; };\nT",
       "struct s x;", true},
      {"declared by a macro that leads to one", "#define T extern int v;\n#define U T\nU;\nint g;",
       "#define T extern long v;\n#define U T\nU;\nint g;", "v = 1", true},
      {"declared by a call without a name", "#define T(x) int f(int);\nT(1)", "#define T(x) int f(long);\nT(1)", "f(1)",
       true},
      {"order of includes", "#include <o.h>\n#include <p.h>\n", "#include <p.h>\n#include <o.h>\n", "#include <z.h>",
       true},
      {"definition that holds elsewhere", "#define T int\nT f(void);\n#undef T\n#define T long\n",
       "#define T int\n#undef T\n#define T long\nT f(void);\n", "f()", true},
      {"comment", "int f(void); /* a */", "/* b */\n\nint   f( void );", "f()", false},
      {"cannot be cut", "int f(void) { return 1;", "int f(void) { return 2;", "f()", true},
      {"cannot be cut, included", "int f(void) { return 1;", "int f(void) { return 2;", "#include <z.h>", true},
      {"declared with macros", "#define API(t) t\n#define OF(x) x\nAPI(int) f OF((int a)); API(int) g OF((int a));",
       "#define API(t) t\n#define OF(x) x\nAPI(int) f OF((long a)); API(int) g OF((int a));", "f(1)", true},
      {"declared with macros, another",
       "#define API(t) t\n#define OF(x) x\nAPI(int) f OF((int a)); API(int) g OF((int a));",
       "#define API(t) t\n#define OF(x) x\nAPI(int) f OF((long a)); API(int) g OF((int a));", "g(1)", false},
      {"pasted by the user", "int lib_go(int);", "int lib_go(long);", "#define L(x) lib_##x\nL(go)(1)", true},
      {"pasted by the header", "#define L(x) lib_##x\nint lib_go(int);", "#define L(x) lib_##x\nint lib_go(long);",
       "L(go)(1)", true},
      {"pasted with another beginning", "int lib_go(int);", "int lib_go(long);", "#define L(x) my_##x\nL(go)(1); lib;",
       false},
      {"pasted with any beginning", "int lib_go(int);", "int lib_go(long);", "#define L(a, b) a##_##b\nL(lib, go)(1)",
       true},
      {"pasted in two steps", "int lib_go_now(int);", "int lib_go_now(long);",
       "#define L(x) lib_##x\n#define M(x) L(x##_now)\nM(go)(1)", true},
      {"pasted with one argument left out", "int lib_(int);", "int lib_(long);", "#define L(x) lib_##x\nL()(1)", true},
      {"not pasted", "int lib_go(int);", "int lib_go(long);", "lib_stop(1); go();", false},
      {"#error", "int f(void);", "#error no\nint f(void);", "#include <z.h>", true},
      {"using namespace", "int f(void);", "using namespace x; int f(void);", "#include <z.h>", true},
  };
  for (const Row& row : rows) {
    const std::string reason = why(row.before, row.after, row.user);
    EXPECT_EQ(!reason.empty(), row.touched) << row.what << ": " << reason;
    EXPECT_EQ(why(row.after, row.before, row.user).empty(), reason.empty()) << row.what << ", backwards";
    EXPECT_EQ(why(row.before, row.before, row.user), "") << row.what;
  }
}

TEST(Touch, GoesThroughTheHeadersOfOthers) {
  const char* other =
      "#include <z.h>\nstatic inline int o_f(void) { return zf(); }\n#ifdef Z_NEW\nint o_g(int);\n#endif\nint "
      "o_h(int);\n";
  EXPECT_EQ(why("static inline int zf(void) { return 1; }", "static inline int zf(void) { return 2; }",
                "#include <o.h>\no_f()", other),
            "it names o_f of o.h, by way of zf");
  EXPECT_EQ(why("int zf(void);", "int zf(void);\n#define Z_NEW", "#include <o.h>\no_g()", other),
            "it names o_g of o.h, by way of Z_NEW");
  EXPECT_EQ(why("int zf(void);", "int zf(void);\n#define Z_NEW", "#include <o.h>\no_h()", other), "");
  EXPECT_EQ(why("int zf(void);", "#pragma pack(1)\nint zf(void);", "#include <o.h>", other),
            "it may include z.h, which changed");
}

/// A change of zf in z.h, for a user of several files.
/// What a standard header declares was made without any other; but templates call what others define by those names.
TEST(Touch, LeavesStandardHeadersThatNameTheSame) {
  const Offer rest = offer_of(
      {{"usr/include/c++/12/algo",
        "#pragma once\nnamespace std {\n"
        "template <class T> void sort(T a) { int buf = 0; swap(a, a); lib_mode(buf); }\n}\n"},
       {"usr/include/o.h", "#pragma once\nstatic inline int o(void) { int buf = 0; return buf; }"}});
  const auto sorts = [&](const char* before, const char* after, const char* user) {
    return why(offer_of({{"usr/include/z.h", before}}), offer_of({{"usr/include/z.h", after}}),
               use_of({{"u.cc", std::string("#include <z.h>\n#include <algo>\n#include <o.h>\n") + user}}), rest);
  };
  EXPECT_EQ(sorts("int buf(int);", "int buf(long);", "sort(x);"), "");
  EXPECT_EQ(sorts("int buf(int);", "int buf(long);", "o();"), "it names o of o.h, by way of buf") << "no standard one";
  EXPECT_NE(sorts("#define lib_mode(x) x", "#define lib_mode(x) -x", "sort(x);"), "") << "a macro";
  EXPECT_NE(sorts("inline void swap(s a, s b) { a = b; }", "inline void swap(s a, s b) { b = a; }", "sort(x);"), "");
  // Of each other they know.
  const Offer cxx =
      offer_of({{"usr/include/c++/12/mutex",
                 "#pragma once\n#include <pthread.h>\nnamespace std { class mutex { pthread_mutex_t m; }; }"}});
  EXPECT_EQ(why(offer_of({{"usr/include/pthread.h", "typedef struct { int a; } pthread_mutex_t;"}}),
                offer_of({{"usr/include/pthread.h", "typedef struct { int a, b; } pthread_mutex_t;"}}),
                use_of({{"u.cc", "#include <mutex>\nstd::mutex m;"}}), cxx),
            "it names mutex of mutex, by way of pthread_mutex_t");
}

TEST(Touch, CountsANameWhereItsHeaderIsSeen) {
  const Offer one = offer_of({{"usr/include/z.h", "int zf(int);"}}),
              other = offer_of({{"usr/include/z.h", "int zf(long);"}});
  struct Row {
    const char* what;
    Files files;
    bool touched;
  };
  const Row rows[] = {
      {"the same file", {{"a.c", "#include <z.h>\nzf(1);"}}, true},
      {"another file", {{"a.c", "#include <z.h>\n"}, {"b.c", "zf(1);"}}, false},
      {"in a comment", {{"a.c", "#include <z.h>\n/* zf */ // zf \\\n zf"}}, false},
      {"a comment that is none", {{"a.c", "#include <z.h>\nconst char *t = \"/*\"; zf(1); // */"}}, true},
      {"a comment in a raw string", {{"a.cc", "#include <z.h>\nauto t = R\"(\" /* )\"; zf(1); // */"}}, true},
      {"a number with separators", {{"a.cc", "#include <z.h>\nint i = 1'000 + '\"' + 1'0; zf(1); // \"/*"}}, true},
      {"in a text", {{"a.c", "#include <z.h>\nputs(\"zf\");"}}, true},
      {"by a header of its own", {{"a.c", "#include \"own.h\"\nzf(1);"}, {"own.h", "#include <z.h>"}}, true},
      {"in a header that is read with it", {{"a.c", "#include <z.h>\n#include \"own.h\""}, {"own.h", "zf(1);"}}, true},
      {"in a header that is read elsewhere",
       {{"a.c", "#include <z.h>"}, {"b.c", "#include \"own.h\""}, {"own.h", "zf(1);"}},
       false},
      {"by a folder of headers",
       {{"src/a.c", "#include <own/b.h>\nzf(1);"}, {"include/own/b.h", "#include <z.h>"}},
       true},
      {"by a folder above", {{"src/a.c", "#include \"../lib/b.h\"\nzf(1);"}, {"lib/b.h", "#include <z.h>"}}, true},
      {"a header of that name beside it", {{"a.c", "#include \"z.h\"\nzf(1);"}, {"z.h", "int zf(int);"}}, false},
      {"one of that name elsewhere", {{"a.c", "#include \"z.h\"\nzf(1);"}, {"b/z.h", "int zf(int);"}}, true},
      {"one of that name, not looked for beside it",
       {{"a.c", "#include <z.h>\nzf(1);"}, {"z.h", "int zf(int);"}},
       true},
      {"what a macro names", {{"a.c", "#include Z_H\nzf(1);"}}, true},
      {"what a macro of another file names", {{"a.c", "#include Z_H\n"}, {"b.c", "zf(1);"}}, false},
      {"a name that is no plain one", {{"a.c", "#include \"\xc3\xa4.h\"\nzf(1);"}}, true},
      {"a source by an unknown name", {{"a.cppm", "#include <z.h>\nzf(1);"}}, true},
      {"in a condition", {{"a.c", "#if A\n# include <z.h>\n#endif\nzf(1);"}}, true},
      {"a source that is included", {{"a.c", "#include <z.h>\n#include \"b.c\""}, {"b.c", "zf(1);"}}, true},
      {"a text that is included", {{"a.c", "#include <z.h>\n#include \"t.txt\""}, {"t.txt", "zf"}}, true},
      {"a document that is included", {{"a.c", "#include <z.h>\n#include \"t.md\""}, {"t.md", "zf"}}, true},
      {"a document", {{"a.c", "#include <z.h>"}, {"README", "zf"}, {"t.md", "zf"}, {"po/de.po", "zf"}}, false},
      {"configure", {{"configure", "for f in zf; do"}}, false},
      {"configure, with the header", {{"configure", "for f in zf; do\nfor h in z.h; do"}}, true},
      {"configure of autoconf",
       {{"configure", "#!/bin/sh\n# Generated by GNU Autoconf 2.71\nzf=1\nfor h in z.h; do\ndone\n"}},
       false},
      {"configure of autoconf, a program",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\ncat >conftest.c <<_ACEOF\n#include <z.h>\nzf();\n_ACEOF\n"}},
       true},
      {"configure of autoconf, another program",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\ncat >conftest.c <<_ACEOF\n#include <z.h>\n_ACEOF\ncat "
         ">conftest.c "
         "<<_ACEOF\nzf();\n_ACEOF\n"}},
       false},
      {"configure of autoconf, an argument",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\nac_fn_c_check_decl \"$LINENO\" \"zf\" \"ac_x\" \"#include "
         "<stdio.h>\n"
         "#include <z.h>\n\"\n"}},
       true},
      {"configure of autoconf, by a variable",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\nours=zf\ntheirs=$ours\ncat >conftest.c <<_ACEOF\n#include "
         "<z.h>\n$theirs();\n_ACEOF\n"}},
       true},
      {"configure of autoconf, headers by a variable",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\nincludes='\n#include <a.h>\n#include <z.h>'\ncat >conftest.c "
         "<<_ACEOF\n$includes\nzf();\n_ACEOF\n"}},
       true},
      {"configure of autoconf, lines in a variable, without the header",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\nlines='\n#define A\nint zf();'\nfor h in z.h; do :\ndone\ncat "
         ">conftest.c <<_ACEOF\n$lines\n_ACEOF\n"}},
       false},
      {"configure of autoconf, lines in a variable, with the header",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\nlines='\n#define A\nint zf();'\ncat "
         ">conftest.c <<_ACEOF\n#include <z.h>\n$lines\n_ACEOF\n"}},
       true},
      {"configure of autoconf, lines in a variable in a variable",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\nlines='\n#define A\nint zf();'\n"
         "more=\"\n#include <z.h>\n$lines\"\ncat >conftest.c <<_ACEOF\n$more\n_ACEOF\n"}},
       true},
      {"configure of autoconf, lines in a variable, by an argument",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\nlines='\n#define A\nint zf();'\nac_fn_c_try z.h \"$lines\"\ncat "
         ">conftest.c <<_ACEOF\n#include <$1>\n$2\n_ACEOF\n"}},
       true},
      {"configure of autoconf, lines in a variable that is set elsewhere, too",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\nlines='\n#define A\nint a();'\nlines=zf\ncat "
         ">conftest.c <<_ACEOF\n#include <z.h>\n$lines\n_ACEOF\n"}},
       true},
      {"configure of autoconf, lines in a variable that nobody names",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\nlines='\n#define A\nint zf();'\neval \"x=\\$li$nes\"\ncat "
         ">conftest.c <<_ACEOF\n#include <z.h>\n$x\n_ACEOF\n"}},
       true},
      {"configure of autoconf, a quote that is none",
       {{"configure",
         "#!/bin/sh\n# Generated by GNU Autoconf 2.71\nx=1 # that's\n# include it\nac_fn_c_check_decl \"zf\" z.h\n"
         "y=2 # that's\ncat >conftest.c <<_ACEOF\n#include <$2>\n$1();\n_ACEOF\n"}},
       true},
      {"a log of meson", {{"b/meson-private/cmake_trace.txt", "#include <z.h>\nzf(1);"}}, false},
      {"a log of CMake", {{"b/CMakeFiles/CMakeConfigureLog.yaml", "#include <z.h>\nzf(1);"}}, false},
      {"configure.ac", {{"configure.ac", "AC_CHECK_DECL([zf],,,[#include <z.h>])"}}, true},
      {"configure.ac with a configure",
       {{"configure.ac", "AC_CHECK_DECL([zf],,,[#include <z.h>])"},
        {"configure", "#!/bin/sh\n# Generated by GNU Autoconf 2.71\n"}},
       false},
      {"configure.ac with the configure of another",
       {{"configure.ac", "AC_CHECK_DECL([zf],,,[#include <z.h>])"},
        {"b/configure", "#!/bin/sh\n# Generated by GNU Autoconf 2.71\n"}},
       true},
      {"data", {{"a.json", "zf z.h"}}, false},
      {"cgo", {{"a.go", "/*\n#include <z.h>\n*/\nimport \"C\"\nfunc f() { C.zf(1) }"}}, true},
      {"Cython", {{"a.pyx", "cdef extern from \"z.h\":\n    int zf(int)\n"}}, true},
      {"a script of no name", {{"check", "#!/bin/sh\necho '#include <z.h>' >t.c; echo zf >>t.c"}}, true},
      {"two scripts", {{"CMakeLists.txt", "set(H z.h)"}, {"cmake/x.cmake", "check_symbol_exists(zf ${H} HAVE)"}}, true},
      {"what is nowhere, and a script makes",
       {{"a.c", "#include <z.h>\n#include \"gen.h\""}, {"Makefile", "gen.h:\n\techo zf >gen.h"}},
       true},
      {"what is nowhere", {{"a.c", "#include <z.h>\n#include \"gen.h\""}, {"Makefile", "x:\n\techo zf"}}, false},
      {"by a flag", {{"a.c", "zf(1);"}, {"Makefile", "CFLAGS = -include z.h"}}, true},
      {"by a flag, own header",
       {{"a.c", "zf(1);"}, {"b/c.h", "#include <z.h>"}, {"Makefile", "C = -include b/c.h"}},
       true},
      {"by a flag that is not known", {{"a.c", "zf(1);"}, {"Makefile", "CFLAGS = -O2 -include $(H)"}}, true},
      {"what make includes", {{"a.c", "zf(1);"}, {"Makefile", "-include $(H)\n"}}, false},
      {"a prefix header", {{"a.c", "zf(1);"}, {"CMakeLists.txt", "target_precompile_headers(a PRIVATE b.h)"}}, true},
      {"assembly", {{"a.S", "#include <z.h>\ncall zf"}}, true},
      {"one that prints a source", {{"a.c", "puts(\"#include <z.h>\\nint main() { zf(1); }\");"}}, true},
  };
  for (const Row& row : rows) {
    UseReader reader;
    for (const auto& [name, text] : row.files) reader.add(name, text);
    for (const std::string& path : reader.included()) reader.add_included(path, row.files.at(path));
    const Use use = *reader.finish();
    const std::string reason = why(one, other, use);
    EXPECT_EQ(!reason.empty(), row.touched) << row.what << ": " << reason;
    EXPECT_EQ(why(other, one, use).empty(), reason.empty()) << row.what << ", backwards";
    const Result<Use> again = use_from_bytes(use_to_bytes(use));
    ASSERT_TRUE(again) << row.what << ": " << again.error().render();
    EXPECT_EQ(why(one, other, *again), reason) << row.what << ", kept";
  }
}

TEST(Touch, FollowsLinksOfSources) {
  const Offer one = offer_of({{"usr/include/z.h", "int zf(int);"}}),
              other = offer_of({{"usr/include/z.h", "int zf(long);"}});
  UseReader file, folder;
  file.add("a.c", "#include <public.h>\nzf(1);");
  file.add("lib/own.h", "#include <z.h>");
  file.add_link("include/public.h", "../lib/own.h", false);
  EXPECT_NE(why(one, other, *file.finish()), "");
  folder.add("a.c", "#include <public/own.h>\nzf(1);");
  folder.add("lib/own.h", "#include <z.h>");
  folder.add_link("include/public", "../lib", true);
  EXPECT_NE(why(one, other, *folder.finish()), "");
}

/// z.h brought o.h, which has o and, by way of o, p.
TEST(Touch, LeavesWhoHasReadWhatAnIncludeBringsBefore) {
  const char* guarded = "#ifndef O\n#define O\n#include <q.h>\ntypedef int o;\ntypedef o p;\n#endif\n";
  const auto rest = [](const char* text) {
    return offer_of({{"usr/include/o.h", text}, {"usr/include/q.h", "#pragma once\nint q(void);"}});
  };
  const Offer one = offer_of({{"usr/include/z.h", "#include <o.h>\nint f(void);"}});
  const Offer other = offer_of({{"usr/include/z.h", "int f(void);"}});
  struct Row {
    const char* what;
    Files files;
    bool touched;
  };
  const Row rows[] = {
      {"before", {{"a.c", "#include <o.h>\n#include <z.h>\no x; p y; q();"}}, false},
      {"not at all", {{"a.c", "#include <z.h>\no x;"}}, true},
      {"not at all, by way of it", {{"a.c", "#include <z.h>\np x;"}}, true},
      {"not at all, what it brings", {{"a.c", "#include <z.h>\nq();"}}, true},
      {"what it brings alone", {{"a.c", "#include <q.h>\n#include <z.h>\nq();"}}, false},
      {"what it brings, not it", {{"a.c", "#include <q.h>\n#include <z.h>\no x;"}}, true},
      {"behind", {{"a.c", "#include <z.h>\n#include <o.h>\no x;"}}, true},
      {"in a condition", {{"a.c", "#ifdef A\n#include <o.h>\n#endif\n#include <z.h>\no x;"}}, true},
      {"own header first", {{"a.c", "#include \"b.h\"\n#include <z.h>\no x;"}, {"b.h", "#include <o.h>"}}, false},
      {"own header that reads it",
       {{"a.c", "#include \"b.h\"\n#include <o.h>\no x;"}, {"b.h", "#include <z.h>"}},
       true},
      {"what a macro names first", {{"a.c", "#include A\n#include <o.h>\n#include <z.h>\no x;"}}, true},
      {"own header of two sources, one with it",
       {{"a.c", "#include <o.h>\n#include \"b.h\""}, {"c.c", "#include \"b.h\""}, {"b.h", "#include <z.h>\no x;"}},
       true},
      {"own header of one source",
       {{"a.c", "#include <o.h>\n#include \"b.h\""}, {"b.h", "#include <z.h>\no x;"}},
       false},
      {"two headers of that name",
       {{"a.c", "#include <o.h>\n#include <z.h>\no x;"}, {"c/o.h", "typedef long o;"}},
       true},
  };
  for (const Row& row : rows) {
    const std::string reason = why(one, other, use_of(row.files), rest(guarded));
    EXPECT_EQ(!reason.empty(), row.touched) << row.what << ": " << reason;
    EXPECT_EQ(why(other, one, use_of(row.files), rest(guarded)).empty(), reason.empty()) << row.what << ", backwards";
  }
  EXPECT_NE(why(one, other, use_of({{"a.c", "#include <o.h>\n#include <z.h>\no x;"}}), rest("typedef int o;")), "")
      << "read again, it says more";
}

/// Headers that were read before the one that changed.
TEST(Touch, KnowsWhatWasReadBefore) {
  const Offer rest =
      offer_of({{"usr/include/o.h",
                 "#pragma once\nvoid of(int) A;\nstruct s *make(void);\n#define M A\n#ifdef A\nint more;\n"
                 "#endif\n"}});
  const auto z = [](const char* text) { return offer_of({{"usr/include/z.h", text}}); };
  const Offer one = z("#define A 1\n"), other = z("#define A 2\n");
  const auto use = [](const char* text) { return use_of({{"a.c", text}}); };
  const std::string before = "#include <o.h>\n#include <z.h>\n", behind = "#include <z.h>\n#include <o.h>\n";
  EXPECT_EQ(why(one, other, use((before + "of(1);").c_str()), rest), "");
  EXPECT_NE(why(one, other, use((behind + "of(1);").c_str()), rest), "");
  EXPECT_EQ(why(one, other, use((before + "more;").c_str()), rest), "");
  EXPECT_NE(why(one, other, use((behind + "more;").c_str()), rest), "");
  EXPECT_NE(why(one, other, use((before + "M;").c_str()), rest), "") << "a macro is read where it is used";
  const Offer small = z("struct s { int a; };"), large = z("struct s { int a, b; };");
  EXPECT_NE(why(small, large, use((before + "make()->a;").c_str()), rest), "") << "a type means what it is in the end";
}

/// A root with standard headers, and two others.
Offer standard_root() {
  return offer_of(
      {{"usr/include/stdio.h",
        "#ifndef _STDIO_H\n#define _STDIO_H\n#include <features.h>\n#define EOF (-1)\ntypedef struct f FILE;\n"
        "#ifdef _X_SOURCE\nint extra(FILE *);\n#endif\n#endif\n"},
       {"usr/include/string.h",
        "#ifndef _STRING_H\n#define _STRING_H\n#include <features.h>\n#define __need_size_t\n#define __need_NULL\n"
        "#include <stddef.h>\n#ifdef __USE_MISC\nint index(void);\n#endif\n#endif\n"},
       {"usr/include/features.h", "#ifndef _FEATURES_H\n#define _FEATURES_H\n#define __USE_MISC 1\n#endif\n"},
       {"usr/include/stdlib.h", "#ifndef _STDLIB_H\n#define _STDLIB_H\nint abs(int);\n#endif\n"},
       {"usr/include/assert.h",
        "#undef assert\n#ifdef NDEBUG\n#define assert(x)\n#else\n#define assert(x) x\n#endif\n"},
       {"usr/lib/gcc/x86_64-linux-gnu/14/include/stddef.h",
        "#if defined __need_size_t || !defined _STDDEF_H\ntypedef unsigned long size_t;\n#undef __need_size_t\n#endif\n"
        "#if defined __need_NULL || !defined _STDDEF_H\n#define NULL 0\n#undef __need_NULL\n#endif\n"
        "#ifndef _STDDEF_H\ntypedef long ptrdiff_t;\n#endif\n"},
       {"usr/include/c++/14/stdlib.h", "#ifdef __cplusplus\n#include <cstdlib>\nusing std::abs;\n#endif\n"},
       {"usr/include/c++/14/cstdlib",
        "#pragma once\n#include <stdlib.h>\nnamespace std { using ::abs; double abs(double); }\n"},
       {"usr/include/other.h", "#ifndef OTHER\n#define OTHER\n#ifdef EOF\nint with_eof(void);\n#endif\n#endif\n"},
       {"usr/include/defines.h", "#pragma once\n#define _X_SOURCE 1\n"}});
}

/// z.h includes a standard header, or no longer does, before its users read that themselves.
TEST(Touch, LeavesWhoReadsAStandardHeaderAnyway) {
  const Offer rest = standard_root();
  const Offer one = offer_of({{"usr/include/z.h", "#pragma once\n#include <stdio.h>\nint f(void);"}});
  const Offer other = offer_of({{"usr/include/z.h", "#pragma once\nint f(void);"}});
  struct Row {
    const char* what;
    Files files;
    bool touched;
  };
  const std::string z = "#include <z.h>\n", stdio = "#include <stdio.h>\n", use = "FILE *x = EOF;\n";
  const Row rows[] = {
      {"directly behind", {{"a.c", z + stdio + use}}, false},
      {"before", {{"a.c", stdio + z + use}}, false},
      {"not at all", {{"a.c", z + use}}, true},
      {"not by all sources", {{"a.c", z + stdio + use}, {"b.c", z + use}}, true},
      {"behind other standard headers", {{"a.c", z + "#include <string.h>\n" + stdio + use}}, false},
      {"behind code that names nothing", {{"a.c", z + "int y;\n#define MINE 1\n" + stdio + use}}, false},
      {"behind code that names it", {{"a.c", z + "FILE *y;\n" + stdio + use}}, true},
      {"behind a condition that names it", {{"a.c", z + "#ifdef EOF\nint y;\n#endif\n" + stdio}}, true},
      {"in a condition", {{"a.c", z + "#ifdef A\n" + stdio + "#endif\n" + use}}, true},
      {"in a text", {{"a.c", z + "const char *t = \"#include <stdio.h>\\n\";\n" + use}}, true},
      {"before other code, with #includes behind it", {{"a.c", z + stdio + use + "#include \"b.h\"\n"}}, true},
      {"a macro that it asks for", {{"a.c", z + "#define _X_SOURCE\n" + stdio + use}}, true},
      {"a macro that it asks for, earlier", {{"a.c", "#define _X_SOURCE\n" + z + stdio + use}}, false},
      {"a macro that it asks for, later", {{"a.c", z + stdio + "#define _X_SOURCE\n" + use}}, false},
      {"a macro made undefined", {{"a.c", z + "#undef _X_SOURCE\n" + stdio + use}}, true},
      {"a name of it as a macro", {{"a.c", z + "#define extra mine\n" + stdio + use}}, true},
      {"a pragma", {{"a.c", z + "#pragma pack(1)\n" + stdio + use}}, true},
      {"a pragma in a line", {{"a.c", z + "_Pragma(\"pack(1)\")\n" + stdio + use}}, true},
      {"a pragma about warnings", {{"a.c", z + "#pragma GCC diagnostic push\n" + stdio + use}}, false},
      {"own header between", {{"a.c", z + "#include \"b.h\"\n" + stdio + use}, {"b.h", "int y;"}}, false},
      {"own header that names it", {{"a.c", z + "#include \"b.h\"\n" + stdio}, {"b.h", "FILE *y;"}}, true},
      {"own header that may be meant",
       {{"a.c", z + "#include <b.h>\n" + stdio}, {"c/b.h", "int y;"}, {"d/b.h", "FILE *y;"}},
       true},
      {"own header that defines what it asks for",
       {{"a.c", z + "#include \"b.h\"\n" + stdio + use}, {"b.h", "#define _X_SOURCE"}},
       true},
      {"own header of an own header",
       {{"a.c", z + "#include \"b.h\"\n" + stdio + use}, {"b.h", "#include \"c.h\""}, {"c.h", "#define _X_SOURCE"}},
       true},
      {"own header that brings z.h", {{"a.c", "#include \"b.h\"\n" + stdio + use}, {"b.h", z + "int y;"}}, false},
      {"own header that brings z.h and names it",
       {{"a.c", "#include \"b.h\"\n" + stdio + use}, {"b.h", z + "FILE *y;"}},
       true},
      {"own header that brings z.h and defines what it asks for",
       {{"a.c", "#include \"b.h\"\n" + stdio + use}, {"b.h", z + "#define _X_SOURCE"}},
       true},
      {"own header that reads it", {{"a.c", z + "#include \"b.h\"\n" + use}, {"b.h", stdio}}, false},
      {"own header that reads it above what it names",
       {{"a.c", z + "#include \"b.h\"\n"}, {"b.h", stdio + use}},
       false},
      {"own header that reads it below a macro that it asks for",
       {{"a.c", z + "#include \"b.h\"\n" + use}, {"b.h", "#define _X_SOURCE\n" + stdio}},
       true},
      {"own header that reads it below what it names", {{"a.c", z + "#include \"b.h\"\n"}, {"b.h", use + stdio}}, true},
      {"another header of the root that defines what it asks for",
       {{"a.c", z + "#include <defines.h>\n" + stdio + use}},
       true},
      {"that one behind it", {{"a.c", z + stdio + "#include <defines.h>\n" + use}}, false},
      {"another header of the root that asks for it",
       {{"a.c", z + "#include <other.h>\n" + stdio + "with_eof();"}},
       true},
      {"what a macro names", {{"a.c", z + "#include A\n" + stdio + use}}, true},
      {"what scripts make", {{"a.c", z + "#include \"made.h\"\n" + stdio + use}, {"Makefile", "echo > made.h"}}, true},
      {"in a comment", {{"a.c", z + "/* FILE */ // EOF"}}, false},
      {"in a text of a source", {{"a.c", z + "const char *t = \"EOF\";"}}, true},
      {"#include in a comment, where these are not known", {{"a.y", z + "/*\n" + stdio + "*/\n" + use}}, true},
      {"a script that sees z.h", {{"make.sh", "cc z.h <<EOF"}}, true},
      {"a script that does not", {{"make.sh", "cc <<EOF"}, {"a.c", z}}, false},
      {"put before each source", {{"Makefile", "CC = cc -include z.h"}, {"a.c", "FILE *y;\n" + stdio}}, true},
      {"a standard header by way of it", {{"a.c", z + "#include <string.h>\nindex();"}}, false},
      {"that, with a macro of it between", {{"a.c", z + "#define _X_SOURCE\n#include <string.h>\nindex();"}}, true},
  };
  for (const Row& row : rows) {
    const std::string reason = why(one, other, use_of(row.files), rest);
    EXPECT_EQ(!reason.empty(), row.touched) << row.what << ": " << reason;
    EXPECT_EQ(why(other, one, use_of(row.files), rest).empty(), reason.empty()) << row.what << ", backwards";
  }
  Use old = use_of({{"a.c", z + stdio + use}});
  for (UseFile& file : old.files) file.told = false;
  EXPECT_NE(why(one, other, old, rest), "") << "of lists that do not tell";
  // The library itself may meddle, or change what it defines for the standard header.
  const auto with = [](const char* include, const char* more) {
    return offer_of({{"usr/include/z.h", fmt::format("#pragma once\n{}{}int f(void);", include, more)}});
  };
  const Use user = use_of({{"a.c", z + stdio + use}});
  EXPECT_NE(why(with("", "#define _X_SOURCE\n"), with("#include <stdio.h>\n", "#define _X_SOURCE\n"), user, rest), "");
  EXPECT_NE(why(with("", ""), with("#define _X_SOURCE\n", ""), use_of({{"a.c", z + stdio + "extra(x);"}}), rest), "");
}

TEST(Touch, KnowsStandardHeadersThatStandInEachOther) {
  const Offer rest = standard_root();
  const auto z = [](const char* include) {
    return offer_of({{"usr/include/z.h", fmt::format("#pragma once\n{}int f(void);", include)}});
  };
  const auto use = [](const char* path, const char* text) { return use_of({{path, text}}); };
  const Offer none = z(""), stddef = z("#include <stddef.h>\n"), stdlib = z("#include <stdlib.h>\n");
  EXPECT_EQ(why(none, stddef, use("a.c", "#include <z.h>\n#include <string.h>\nsize_t x = NULL;"), rest), "");
  EXPECT_EQ(why(none, stddef, use("a.c", "#include <string.h>\n#include <z.h>\nsize_t x = NULL;"), rest), "");
  EXPECT_NE(why(none, stddef, use("a.c", "#include <z.h>\nsize_t x = NULL;"), rest), "");
  EXPECT_NE(why(none, stddef, use("a.c", "#include <z.h>\n#include <string.h>\nptrdiff_t x;"), rest), "")
      << "string.h asks for a part";
  EXPECT_EQ(why(none, stddef, use("a.c", "#include <z.h>\n#include <stddef.h>\nptrdiff_t x;"), rest), "");
  EXPECT_EQ(why(none, stdlib, use("a.c", "#include <z.h>\n#include <stdlib.h>\nabs(1);"), rest), "");
  EXPECT_EQ(why(none, stdlib, use("a.cc", "#include <z.h>\n#include <stdlib.h>\nabs(1);"), rest), "");
  EXPECT_NE(why(none, stdlib, use("a.cc", "#include <z.h>\n#include <cstdlib>\nabs(1);"), rest), "")
      << "without std:: it may be another";
  EXPECT_NE(why(none, z("#include <assert.h>\n"), use("a.c", "#include <z.h>\n#include <assert.h>\nassert(1);"), rest),
            "")
      << "that one says something else each time";
  // In another order.
  const Offer in_order = z("#include <stdio.h>\n#include <string.h>\n");
  const Offer other_order = z("#include <string.h>\n#include <stdio.h>\n");
  EXPECT_EQ(why(in_order, other_order, use("a.c", "#include <z.h>\nFILE *x;"), rest), "");
  EXPECT_NE(why(z("#include <stdio.h>\n#define A 1\n#include <string.h>\n"),
                z("#include <string.h>\n#define A 1\n#include <stdio.h>\n"), use("a.c", "#include <z.h>"), rest),
            "");
  EXPECT_NE(why(z("#include <stdio.h>\n#include <other.h>\n"), z("#include <other.h>\n#include <stdio.h>\n"),
                use("a.c", "#include <z.h>"), rest),
            "");
  // The C library itself changed.
  Offer mine = standard_root(), its = standard_root();
  mine.headers["usr/include/z.h"] = none.headers.at("usr/include/z.h");
  its.headers["usr/include/z.h"] = stdlib.headers.at("usr/include/z.h");
  EXPECT_NE(why(mine, its, use("a.c", "#include <z.h>\n#include <stdlib.h>\nabs(1);")), "");
}

TEST(Touch, ReachesOnlyReadersOfNamesThatAreNone) {
  const Offer rest = offer_of({{"usr/include/odd.h", "int decc$f(int ZM);\n"}});
  const auto z = [](const char* text) { return offer_of({{"usr/include/z.h", text}}); };
  const Offer one = z("#define ZM 1\n"), other = z("#define ZM 2\n");
  EXPECT_EQ(why(one, other, use_of({{"a.c", "#include <z.h>\nf(1);"}}), rest), "");
  EXPECT_NE(why(one, other, use_of({{"a.c", "#include <z.h>\n#include <odd.h>\nf(1);"}}), rest), "");
  EXPECT_EQ(why(one, other, use_of({{"a.c", "#include <z.h>\nf(1);"}, {"b.c", "#include <odd.h>"}}), rest), "");
}

TEST(Touch, KnowsWhatCompilersDefineThemselves) {
  const Offer rest = offer_of({{"usr/lib/gcc/x86_64-linux-gnu/14/include/stddef.h",
                                "#ifndef _STDDEF_H\n#define _STDDEF_H\n#ifndef __SIZE_TYPE__\n#define __SIZE_TYPE__ "
                                "long unsigned\n#endif\ntypedef __SIZE_TYPE__ size_t;\n#endif\n"},
                               {"usr/include/o.h", "#ifdef __SIZE_TYPE__\nint o(void);\n#endif\n"},
                               {"usr/include/q.h", "#ifdef Z_SIZE\nint o(void);\n#endif\n"}});
  const auto z = [](const char* text) { return offer_of({{"usr/include/z.h", text}}); };
  const Offer none = z("int f(void);"), some = z("#include <stddef.h>\nint f(void);");
  EXPECT_EQ(why(none, some, use_of({{"a.c", "#include <z.h>\n#include <o.h>\no();"}}), rest), "");
  const Offer sized = z("#include <stddef.h>\n#define Z_SIZE 1\nint f(void);");
  EXPECT_NE(why(none, sized, use_of({{"a.c", "#include <z.h>\n#include <q.h>\no();"}}), rest), "");
}

TEST(Touch, FindsHeadersByTheirWholePath) {
  const auto z = [](const char* include) { return offer_of({{"usr/include/z.h", include}}); };
  const Offer rest = offer_of({{"usr/include/q.h", "#pragma once\n#include <bits/types.h>\n#include <stat.h>\n"},
                               {"usr/include/x86_64-linux-gnu/bits/types.h", "int inner(void);"},
                               {"usr/include/linux/types.h", "int outer(void);"},
                               {"usr/include/stat.h", "int usual(void);"},
                               {"usr/include/linux/stat.h", "int unusual(void);"}});
  const auto use = [](const char* name) { return use_of({{"a.c", fmt::format("#include <z.h>\n{};", name)}}); };
  const Offer none = z("int f(void);"), some = z("#include <q.h>\nint f(void);");
  EXPECT_NE(why(none, some, use("inner"), rest), "");
  EXPECT_NE(why(none, some, use("usual"), rest), "");
  EXPECT_EQ(why(none, some, use("outer"), rest), "");
  EXPECT_EQ(why(none, some, use("unusual"), rest), "") << "nobody has linux/ in an -I";
}

TEST(Touch, TakesLinksForTheHeadersThatTheyLeadTo) {
  const auto tree = [](const char* text) {
    const os::TempDir dir = *os::TempDir::create(testing::TempDir());
    std::filesystem::create_directories(dir.path() / "usr/include/z2");
    std::ofstream(dir.path() / "usr/include/z2/z.h") << text;
    std::filesystem::create_symlink("z2/z.h", dir.path() / "usr/include/z.h");
    std::filesystem::create_symlink("nowhere.h", dir.path() / "usr/include/y.h");
    std::filesystem::create_directory_symlink("z2", dir.path() / "usr/include/z3");
    std::filesystem::create_directory_symlink("../include", dir.path() / "usr/include/self");
    return *read_offer(*PackageTree::walk(dir.path()), "1.0");
  };
  const Offer one = tree("int f(int);"), other = tree("int f(long);");
  EXPECT_TRUE(one.headers.contains("usr/include/z.h"));
  EXPECT_FALSE(one.files.contains("usr/include/z.h"));
  EXPECT_TRUE(one.files.contains("usr/include/y.h"));
  EXPECT_TRUE(one.headers.contains("usr/include/z3/z.h"));
  EXPECT_FALSE(one.files.contains("usr/include/z3"));
  EXPECT_TRUE(one.files.contains("usr/include/self")) << "without end";
  EXPECT_NE(why(one, other, use_of({{"a.c", "#include <z3/z.h>\nf(1);"}})), "");
  EXPECT_EQ(why(one, other, use_of({{"a.c", "#include <z3/z.h>\ng(1);"}})), "");
  EXPECT_NE(why(one, other, use_of({{"a.c", "#include <z.h>\nf(1);"}})), "");
  EXPECT_EQ(why(one, other, use_of({{"a.c", "#include <z.h>\ng(1);"}})), "");
}

TEST(Touch, TakesWordsOfListsWithoutFilesFromAnywhere) {
  const Offer one = offer_of({{"usr/include/z.h", "int zf(int);"}}),
              other = offer_of({{"usr/include/z.h", "int zf(long);"}});
  const Use use = use_of({{"a.c", "#include <z.h>\n"}, {"b.c", "zf(1);"}});
  EXPECT_EQ(why(one, other, use), "");
  std::string old = "{\"use\": 1, \"words\": 1}\n";
  for (unsigned i = 0; i < 8; ++i) old += static_cast<char>(word_hash("zf") >> (8 * i) & 255);
  const Result<Use> kept = use_from_bytes(old);
  ASSERT_TRUE(kept) << kept.error().render();
  EXPECT_EQ(why(one, other, *kept), "it names zf of z.h, which changed");
}

TEST(Touch, MindsHeadersThatComeAndGo) {
  const Offer one = offer_of({{"usr/include/z.h", "int f(void);"}});
  const Offer two = offer_of({{"usr/include/z.h", "int f(void);"}, {"usr/include/z/more.h", "int g(void);"}});
  EXPECT_EQ(why(one, two, use_of({{"u.c", "#include <z.h>\nf();"}})), "");
  EXPECT_EQ(why(one, two, use_of({{"u.c", "#include <z/more.h>\ng();"}})), "it names g of more.h, which is new");
  EXPECT_EQ(why(two, one, use_of({{"u.c", "#include <z/more.h>"}})), "it names more.h, which is gone");
  EXPECT_EQ(why(one, two, use_of({{"configure", "for h in z/more.h; do test $h; done"}})),
            "it names more.h, which is new");
  // An #include more: who names what it brings.
  const Offer with = offer_of({{"usr/include/z.h", "#include <o.h>\nint f(void);"}});
  const Offer other = offer_of({{"usr/include/o.h", "int o(void);"}});
  EXPECT_EQ(why(one, with, use_of({{"u.c", "#include <z.h>\no();"}}), other), "it names o of z.h, which changed");
  EXPECT_EQ(why(one, with, use_of({{"u.c", "#include <z.h>\nf();"}}), other), "");
  EXPECT_EQ(why(one, with, use_of({{"u.c", "#include <z.h>\nf();"}})), "it may include z.h, which changed")
      << "nobody knows what o.h says";
}

TEST(Touch, CountsOnlyWhatAnIncludeBringsAnew) {
  const Offer other =
      offer_of({{"usr/include/o.h", "#include <p.h>\nint o(void);"}, {"usr/include/p.h", "int p(void);"}});
  const auto z = [](const char* text) { return offer_of({{"usr/include/z.h", text}}); };
  const Use user = use_of({{"u.c", "#include <z.h>\np();"}});
  EXPECT_EQ(why(z("#include <p.h>\n"), z("#include <p.h>\n#include <o.h>\n"), user, other), "") << "it had p.h before";
  EXPECT_NE(why(z(""), z("#include <o.h>\n"), user, other), "");
  EXPECT_NE(why(z("#ifdef X\n#include <p.h>\n#endif\n"), z("#ifdef X\n#include <p.h>\n#endif\n#include <o.h>\n"), user,
                other),
            "")
      << "where X is not, p.h is new";
  EXPECT_EQ(why(z("#ifndef Z\n#define Z\n#include <p.h>\n#endif\n"),
                z("#ifndef Z\n#define Z\n#include <p.h>\n#include <o.h>\n#endif\n"), user, other),
            "");
  EXPECT_NE(why(z("#include <p.h>\n"), z("#include <o.h>\n"), user, other), "") << "conservative: p.h by another way";
}

TEST(Touch, ComparesLibraries) {
  const auto with = [](std::map<std::string, std::set<std::string>> exports, std::set<std::string> imports = {}) {
    Offer out;
    out.libraries["libz.so.1"] = {std::move(exports), std::move(imports), {"libc.so.6"}};
    return out;
  };
  Use linked = use_of({{"u.c", "nothing"}});
  linked.imports = {"f"};
  const Offer base = with({{"f", {"F f"}}, {"v", {"O8 v"}}});
  EXPECT_EQ(why(base, with({{"f", {"F f"}}, {"v", {"O8 v"}}, {"g", {"F g"}}}), linked), "");
  EXPECT_EQ(why(base, with({{"v", {"O8 v"}}}), linked), "it is linked with f of libz.so.1, which is gone");
  EXPECT_EQ(why(base, with({{"f", {"F f"}}, {"v", {"O16 v"}}}), linked), "");
  EXPECT_EQ(why(base, with({{"f", {"F f@@V2"}}, {"v", {"O8 v"}}}), linked),
            "it is linked with f of libz.so.1, which changed");
  linked.imports = {"v"};
  EXPECT_EQ(why(base, with({{"f", {"F f"}}, {"v", {"O16 v"}}}), linked),
            "it is linked with v of libz.so.1, which changed");
  // What it may define itself, and the library now has, or asks for.
  EXPECT_EQ(why(base, with({{"f", {"F f"}}, {"v", {"O8 v"}}, {"nothing", {"F nothing"}}}), linked),
            "it names nothing of libz.so.1, which is new");
  EXPECT_EQ(why(base, with({{"f", {"F f"}}, {"v", {"O8 v"}}}, {"nothing"}), linked),
            "it names nothing which libz.so.1 asks for, or no longer does");
  Offer renamed;
  renamed.libraries["libz.so.2"] = base.libraries.at("libz.so.1");
  linked.imports.clear();
  EXPECT_EQ(why(base, renamed, linked), "");
  linked.needed = {"libz.so.1"};
  EXPECT_EQ(why(base, renamed, linked), "it is linked with libz.so.1, which is gone");
  EXPECT_EQ(why(base, renamed, use_of({{"configure", "LIBS=-lz"}})), "it may link with libz.so.1, which is gone");
  EXPECT_EQ(why(base, renamed, use_of({{"configure.ac", "AC_CHECK_LIB([z], [x])"}})),
            "it may link with libz.so.1, which is gone");
  // C++: an instance of a template that both may have.
  const Offer cxx = with({{"f", {"F f"}}, {"v", {"O8 v"}}, {"_ZN3foo3barEv", {"F _ZN3foo3barEv"}}});
  EXPECT_EQ(why(base, cxx, use_of({{"u.cc", "foo::bar()"}})), "it may hold _ZN3foo3barEv of libz.so.1, which is new");
  EXPECT_EQ(why(base, cxx, use_of({{"u.cc", "foo::baz()"}})), "");
}

std::string pc(const std::string& version, const std::string& flags = "-lz") {
  return "Name: z\nVersion: " + version + "\nLibs: " + flags + "\n";
}

TEST(Touch, ComparesWhatBuildsAsk) {
  const auto module = [](const std::string& text) { return offer_of({{"usr/lib/pkgconfig/z.pc", text}}); };
  const auto meson = [](const char* text) { return use_of({{"meson.build", text}}); };
  const Use asks = meson("dependency('z')");
  EXPECT_EQ(why(module(pc("1.1")), module(pc("1.2")), asks), "");
  EXPECT_EQ(why(module(pc("1.1")), module(pc("2.0")), asks),
            "it may ask for the version of z, which went from 1.1 to 2.0");
  EXPECT_EQ(why(module(pc("1.1")), module(pc("1.1", "-lz -lm")), asks),
            "it asks pkg-config for z, which says other flags");
  EXPECT_EQ(why(module(pc("1.1")), module(pc("1.1", "-lz -lm")), meson("dependency('y')")), "");
  EXPECT_EQ(why(module(pc("1.1")), module(pc("1.1") + "Libs.private: -lm\n"), asks), "");
  EXPECT_NE(why(module(pc("1.1")), module(pc("1.1") + "Libs.private: -lm\n"), meson("dependency('z', static: true)")),
            "");
  EXPECT_EQ(why(module(pc("1.1")), module(pc("1.1", "-lm")), meson("dependency('y')"),
                offer_of({{"usr/lib/pkgconfig/y.pc", "Name: y\nVersion: 1\nRequires: z >= 1\n"}})),
            "it asks pkg-config for y, which requires z, which changed");
  EXPECT_NE(why(module(pc("1.1")), module(pc("1.3")), meson("dependency('z', version: '>=1.2')")), "");
  EXPECT_EQ(why(module(pc("1.1")), module(pc("1.3")), meson("dependency('z', version: '>=1.0')")), "");
  EXPECT_NE(why(module(pc("1.1")), module(pc("1.3.0")), meson("dependency('z', version: '!=1.3')")), "");
  EXPECT_NE(why(module(pc("1.1")), module(pc("1.2")), meson("zdep = dependency('z')\nzdep.version()")), "");
  EXPECT_EQ(why(module(pc("1.1")), module(pc("1.2")), meson("dependency('z')\nx = dependency('x')\nx.version()")), "");
  // What a number is a version of.
  const auto lib = [](const char* version) {
    return offer_of({{"usr/lib/pkgconfig/libqrs.pc", "Name: q\nVersion: " + std::string(version) + "\nLibs: -lqrs\n"}});
  };
  struct Row {
    const char *file, *text;
    bool touched;
  };
  const std::string far_away(3000, '\n');
  const std::string apart = "dependency('libqrs')\n" + far_away + "dependency('x', version: '>=1.2')";
  const std::string by_variable = "w = '1.2'\n" + far_away + "dependency('libqrs', version: w)";
  const std::string by_shell = "WANTED=1.2\n" + far_away + "pkg-config --exists \"libqrs >= $WANTED\"";
  const std::string by_cmake = "set(WANTED 1.2)\n" + far_away + "find_package(QRS ${WANTED})";
  const std::string by_name = "QRS_WANTED=1.2\n" + far_away + "pkg-config --exists libqrs";
  const Row rows[] = {
      {"meson.build", "dependency('libqrs', version: '>=1.2')", true},
      {"meson.build", "dependency(\n  'libqrs',\n  required: true,\n  version: '>=1.2')", true},
      {"meson.build", apart.c_str(), false},
      {"meson.build", by_variable.c_str(), true},
      {"configure", by_shell.c_str(), true},
      {"configure", by_name.c_str(), true},
      {"CMakeLists.txt", by_cmake.c_str(), true},
      {"setup.py", "need('libqrs', '1.2')", true},
      {"Cargo.toml", "[libqrs]\nversion = \"1.2\"", true},
      {"README", "libqrs 1.2", false},
  };
  for (const Row& row : rows)
    EXPECT_EQ(why(lib("1.1"), lib("1.3"), use_of({{row.file, row.text}})) != "", row.touched) << row.text;
  EXPECT_NE(why(module(pc("1.1")), module(pc("1.2")), use_of({{"configure", "$PKG_CONFIG --modversion z"}})), "");
  EXPECT_NE(why(module(pc("1.1")), module(pc("1.2")), use_of({{"CMakeLists.txt", "${Z_VERSION_STRING}"}})), "");

  const auto files = [](const char* path, const std::string& text, const char* version) {
    return offer_of({{path, text}, {"usr/include/z.h", ""}}, version);
  };
  const Use finds = use_of({{"CMakeLists.txt", "find_package(Z)"}});
  const char* config = "usr/lib/cmake/Z/ZConfig.cmake";
  EXPECT_EQ(why(files(config, "set(x libz.so.1.1)", "1.1"), files(config, "set(x libz.so.1.2)", "1.2"), finds), "");
  EXPECT_NE(why(files(config, "set(x 1)", "1.1"), files(config, "set(x 2)", "1.2"), finds), "");
  EXPECT_EQ(why(files(config, "set(x 1)", "1.1"), files(config, "set(x 2)", "1.2"), asks), "");
  const char* command = "usr/bin/z-config";
  EXPECT_NE(why(files(command, "a", "1"), files(command, "b", "1"), use_of({{"configure", "z-config --libs"}})), "");
  EXPECT_EQ(why(files(command, "a", "1"), files(command, "b", "1"), use_of({{"configure", "y-config --libs"}})), "");
  const char* m4 = "usr/share/aclocal/z.m4";
  EXPECT_NE(why(files(m4, "AC_DEFUN([AM_Z], [1])", "1"), files(m4, "AC_DEFUN([AM_Z], [2])", "1"),
                use_of({{"configure.ac", "AM_Z"}})),
            "");
  EXPECT_EQ(why(files(m4, "AC_DEFUN([AM_Z], [1])", "1"), files(m4, "AC_DEFUN([AM_Z], [2])", "1"), asks), "");
  EXPECT_NE(why(files("usr/lib/libz.a", "a", "1"), files("usr/lib/libz.a", "b", "1"), asks), "")
      << "who knows how it is linked";
}

TEST(Touch, AssumesTheWorstOfWhoReadsAllOrKeepsLines) {
  const char *before = "int f(void);", *after = "int f(void); int g(void);";
  EXPECT_EQ(why(offer_of({{"usr/include/z.h", before}}), offer_of({{"usr/include/z.h", after}}),
                use_of({{"build.rs", "bindgen(\"wrap.h\")"}, {"wrap.h", "#include <z.h>"}})),
            "it names bindgen, which reads headers as a whole");
  const Offer one = offer_of({{"usr/include/z.h", before}}), other = offer_of({{"usr/include/z.h", after}});
  EXPECT_NE(why(one, other, use_of({{"build.rs", "bindgen(\"/usr/include/z.h\")"}})), "");
  EXPECT_NE(why(one, other, use_of({{"meson.build", "g-ir-scanner"}, {"a.c", "#include <z.h>"}})), "");
  EXPECT_EQ(why(one, other, use_of({{"build.rs", "bindgen(\"wrap.h\")"}, {"wrap.h", ""}, {"a.c", "#include <z.h>"}})),
            "")
      << "what it reads does not see z.h";
  Use lines = use_of({{"u.c", "f()"}});
  lines.lines = true;
  EXPECT_NE(why(offer_of({{"usr/include/z.h", before}}), offer_of({{"usr/include/z.h", after}}), lines), "");
}

TEST(Touch, NamesWhatChanged) {
  const Offer before = offer_of({{"usr/include/z.h", "int f(void); int g(void);"}});
  const Offer after = offer_of({{"usr/include/z.h", "int f(void); int h(void);"}});
  const Offer* was[] = {&before};
  const Offer* is[] = {&after};
  const OfferChanges changes(was, is, {});
  EXPECT_EQ(changes.some_names(5), (std::vector<std::string>{"g", "h"}));
  EXPECT_EQ(changes.size(), 2U);
}

/// A new symbol is found by the function's own name, whatever stands beside it. What users of templates say is unknown.
TEST(Touch, KnowsFunctionsByTheirOwnNames) {
  const auto touched = [](const char* symbol, const char* user) {
    Offer before, after;
    before.libraries["libz.so.1"].exports = {};
    after.libraries["libz.so.1"].exports = {{symbol, {"1"}}};
    return why(before, after, use_of({{"u.cc", user}})) != "";
  };
  const std::tuple<const char*, const char*, bool> rows[] = {
      {"_ZN3foo3barEv", "foo::bar();", true},
      {"_ZN3foo3barEv", "foo::other();", false},
      {"_Z3bari", "bar(1);", true},
      {"_Z3bari", "baz(1);", false},
      {"_ZN3foo3barILi2EEEvv", "foo::bar<2>(); std::x();", true},
      {"_ZN3foo3barESt5arrayIiLm4EE", "foo::bar(a);", true},
      {"_ZNK3foo3barERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", "f.bar(std::string());", true},
      {"_ZN3foo3getB5cxx11Ev", "foo::get(); std::x();", true},
      {"_ZN3fooC1Ev", "std::x();", true},
      {"_ZN3foo3barEv", "", false},
      {"_Z", "std::x();", true},
      {"_ZN99999999999999999999foo", "std::x();", true},
  };
  for (const auto& [symbol, user, expected] : rows) EXPECT_EQ(touched(symbol, user), expected) << symbol << ' ' << user;
}

/// Patterns come with sources: time must not grow with the power of their stars.
TEST(Touch, TakesPatternsWithManyStars) {
  const std::string name = std::string(60, 'a') + "b";
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "a*";
  const auto words = [](std::uint64_t hash) { return hash == word_hash("a") || hash == word_hash("b"); };
  EXPECT_TRUE(fits_any(name, {pattern}));
  EXPECT_FALSE(fits_any(name, {pattern + "c"}));
  EXPECT_FALSE(can_paste(name, {pattern + "c"}, words));
  EXPECT_TRUE(fits_any("z_init", {"z_*"}));
  EXPECT_FALSE(fits_any("y_init", {"z_*"}));
  EXPECT_TRUE(fits_any("z", {"z"}));
  EXPECT_FALSE(fits_any("zz", {"z"}));
}

}  // namespace
}  // namespace nacre::package
