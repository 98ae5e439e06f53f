#include "solve/solve.h"

#include "base/text.h"
#include "os/file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <set>

namespace nacre::solve {
namespace {

/// One block of a tests/solver/*.case file; the words are explained in tests/solver/README.md.
struct Case {
  std::string name;
  std::deque<apk::IndexRecord> records;  // stays where it is: candidates point into it
  std::vector<Candidate> candidates;
  World world;
  Options options;
  std::string expected;
};

std::string_view kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid: return "invalid";
    case ErrorKind::kNotFound: return "not-found";
    case ErrorKind::kConflict: return "conflict";
    case ErrorKind::kDenied: return "denied";
    default: return "other";
  }
}

void add_package(Case& into, const std::string& text) {
  const std::size_t revision = text.rfind('-'), cut = text.rfind('-', revision - 1);
  apk::IndexRecord record;
  record.name = text.substr(0, cut);
  record.version = text.substr(cut + 1);
  record.arch = "x86_64";
  record.checksum = "Q1" + text;
  into.records.push_back(std::move(record));
  into.candidates.push_back({&into.records.back(), "community", Edition::kCommunity, 0});
}

/// False for a word that the format does not have.
bool add_line(Case& into, const std::string& word, const std::vector<std::string>& values) {
  const std::string first = values.empty() ? "" : values.front();
  if (word == "package") add_package(into, first);
  else if (word == "depends") into.records.back().depends = values;
  else if (word == "provides") into.records.back().provides = values;
  else if (word == "install_if") into.records.back().install_if = values;
  else if (word == "priority") into.records.back().provider_priority = std::stoul(first);
  else if (word == "origin") into.records.back().origin = first;
  else if (word == "repository") into.candidates.back().repository = first;
  else if (word == "preference") into.candidates.back().preference = std::stoi(first);
  else if (word == "edition") into.candidates.back().edition = *parse_edition(first);
  else if (word == "mixing") into.options.mixing = Options::Mixing::kBuildRoot;
  else if (word == "world") into.world.atoms.insert(into.world.atoms.end(), values.begin(), values.end());
  else if (word == "expect") into.expected += "expect" + (values.empty() ? "" : " " + join(values, " ")) + "\n";
  else if (word == "error") into.expected += "error " + first + "\n";
  else return false;
  return true;
}

std::deque<Case> read_cases(const os::Path& path) {
  std::deque<Case> out;
  const auto text = os::read_file(path);
  if (!text) {
    ADD_FAILURE() << text.error().render();
    return out;
  }
  for (const std::string& line : split(*text, '\n')) {
    std::vector<std::string> words = split_words(line);
    if (line.starts_with("case ")) {
      out.emplace_back().name = path.stem().string() + ": " + line.substr(5);
    } else if (line.starts_with("| ") && !out.empty()) {
      out.back().expected += line + "\n";
    } else if (!words.empty() && !words.front().starts_with('#')) {
      const std::string word = words.front();
      words.erase(words.begin());
      EXPECT_TRUE(!out.empty() && add_line(out.back(), word, words)) << path << ": " << line;
    }
  }
  return out;
}

std::string answer(const Case& given) {
  World world = given.world;
  for (std::size_t i = 0; i < world.atoms.size(); ++i) world.places.push_back({"world", static_cast<int>(i) + 1, 0});
  const auto solved = solve(world, given.candidates, given.options);
  if (!solved) {
    std::string out = fmt::format("error {}\n", kind_name(solved.error().kind()));
    for (const std::string& line : split(solved.error().render(), '\n')) out += "| " + line + "\n";
    return out;
  }
  std::string out = "expect";
  for (const Candidate& candidate : *solved) out += " " + candidate.record->name + "-" + candidate.record->version;
  return out + "\n";
}

TEST(Solver, AnswersEveryCase) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(NACRE_SOURCE_DIR "/tests/solver"))
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::size_t count = 0;
  for (const auto& file : files)
    for (const Case& given : read_cases(file)) {
      EXPECT_EQ(answer(given), given.expected) << given.name;
      ++count;
    }
  EXPECT_GE(count, 40u);
}

// ---- properties ----

class Random {
 public:
  explicit Random(std::uint32_t seed) : state_(seed) {}
  std::uint32_t below(std::uint32_t bound) {
    state_ = state_ * 1664525 + 1013904223;
    return (state_ >> 8) % bound;
  }

 private:
  std::uint32_t state_;
};

Case random_case(std::uint32_t seed) {
  Random random(seed);
  Case out;
  const std::uint32_t names = 4 + random.below(12);
  const auto name = [&] { return fmt::format("p{}", random.below(names)); };
  for (std::uint32_t i = 0; i < names; ++i)
    for (std::uint32_t version = 1 + random.below(3); version > 0; --version) {
      add_package(out, fmt::format("p{}-{}-r0", i, version));
      apk::IndexRecord& record = out.records.back();
      for (std::uint32_t k = random.below(4); k > 0; --k) {
        static constexpr const char* kForms[] = {"{}", "{}", "{}>1", "{}~2", "{}<3", "!{}", "v{}"};
        std::string atom = replace_all(kForms[random.below(7)], "{}", name());
        if (atom.starts_with('v')) atom = fmt::format("v{}", random.below(3));
        record.depends.push_back(std::move(atom));
      }
      if (random.below(3) == 0) record.provides.push_back(fmt::format("v{}", random.below(3)));
      if (random.below(5) == 0) record.provides.push_back(fmt::format("v{}={}", random.below(3), 1 + random.below(3)));
      if (random.below(8) == 0) record.install_if = {name(), name()};
    }
  for (std::uint32_t i = 1 + random.below(4); i > 0; --i) out.world.atoms.push_back(name());
  return out;
}

bool offers(const apk::IndexRecord& record, const apk::Dependency& atom) {
  if (record.name == atom.name && atom.accepts(record.version)) return true;
  return std::any_of(record.provides.begin(), record.provides.end(), [&](const std::string& text) {
    const apk::Provide provide = apk::parse_provide(text);
    return provide.name == atom.name && atom.accepts(provide.version);
  });
}

/// What must hold of any answer, found without the solver's own means. Empty when all is well.
std::string fault_in(const Case& given, const std::vector<Candidate>& chosen) {
  std::map<std::string, std::set<const apk::IndexRecord*>> owners, sharers;
  for (const Candidate& candidate : chosen) {
    const apk::IndexRecord& record = *candidate.record;
    owners[record.name].insert(&record);
    for (const std::string& text : record.provides) {
      const apk::Provide provide = apk::parse_provide(text);
      (provide.version.empty() ? sharers : owners)[provide.name].insert(&record);
    }
  }
  for (auto& [name, who] : owners) {
    who.insert(sharers[name].begin(), sharers[name].end());
    if (who.size() > 1) return name + " has two owners";
  }
  const auto check = [&](const std::string& text, const apk::IndexRecord* asker) -> std::string {
    const auto atom = apk::parse_dependency(text);
    const bool met = std::any_of(chosen.begin(), chosen.end(), [&](const Candidate& candidate) {
      return (!atom->conflict || candidate.record != asker) && offers(*candidate.record, *atom);
    });
    return met != atom->conflict ? "" : text + " is not met";
  };
  for (const std::string& atom : given.world.atoms)
    if (const std::string fault = check(atom, nullptr); !fault.empty()) return fault;
  for (const Candidate& candidate : chosen)
    for (const std::string& atom : candidate.record->depends)
      if (const std::string fault = check(atom, candidate.record); !fault.empty())
        return candidate.record->name + ": " + fault;
  return {};
}

TEST(Solver, AnswersAreTrueAndDoNotDependOnTheOrderOfTheWorld) {
  int solved = 0;
  for (std::uint32_t seed = 1; seed <= 4000; ++seed) {
    Case given = random_case(seed);
    const auto chosen = solve(given.world, given.candidates);
    const std::string text = answer(given);
    if (chosen) {
      ++solved;
      EXPECT_EQ(fault_in(given, *chosen), "") << "seed " << seed << ": " << text;
    }
    std::reverse(given.world.atoms.begin(), given.world.atoms.end());
    const auto again = solve(given.world, given.candidates);
    ASSERT_EQ(chosen.has_value(), again.has_value()) << "seed " << seed;
    if (chosen) {
      EXPECT_EQ(answer(given), text);
    }
  }
  EXPECT_GT(solved, 1000);
}

Case chain(int length) {
  Case out;
  for (int i = 0; i < length; ++i) {
    add_package(out, fmt::format("p{}-1-r0", i));
    out.records.back().depends = {fmt::format("p{}", i + 1)};
  }
  out.world.atoms = {"p0"};
  return out;
}

TEST(Solver, FollowsNeedsToAnyDepth) {
  for (const Options::Choice choice : {Options::Choice::kApko, Options::Choice::kApk}) {
    Case given = chain(30000);
    given.options.choice = choice;
    const auto refused = solve(given.world, given.candidates, given.options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), ErrorKind::kNotFound);
    EXPECT_LT(refused.error().render().size(), 5000u);
    add_package(given, "p30000-1-r0");
    const auto solved = solve(given.world, given.candidates, given.options);
    ASSERT_TRUE(solved) << solved.error().render().substr(0, 500);
    ASSERT_EQ(solved->size(), 30001u);
    EXPECT_EQ(solved->front().record->name, "p30000");
    EXPECT_EQ(solved->back().record->name, "p0");
  }
}

TEST(Solver, TakesOnlyWhatEveryArchitectureHas) {
  Case x86, arm;
  add_package(x86, "a-1-r0");
  add_package(x86, "a-2-r0");
  add_package(arm, "a-1-r0");
  arm.records.back().arch = "aarch64";
  std::vector<std::vector<Candidate>> both = {x86.candidates, arm.candidates};
  keep_in_step(both);
  const auto chosen = solve({{"a"}, {}}, both[0]);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->front().record->version, "1-r0");
  const auto refused = solve({{"a>1-r0"}, {}}, both[0]);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().render(),
            "'a>1-r0' cannot be installed\n  you asked for a>1-r0\n"
            "  a-2-r0 cannot be chosen: there is no a-2-r0 for aarch64\n"
            "  hint: write 'a' in place of 'a>1-r0'");
}

}  // namespace
}  // namespace nacre::solve
