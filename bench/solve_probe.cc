// Times the solver alone: solve_probe APKINDEX WORLD. Milliseconds of processor time, best of ten.
#include "apk/index_record.h"
#include "base/text.h"
#include "os/file.h"
#include "solve/solve.h"

#include <cstdio>
#include <cstring>
#include <ctime>

namespace {

/// Of this thread: what others do on the machine plays no part.
double now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

double best(const auto& act) {
  double out = 1e9;
  for (int i = 0; i < 10; ++i) {
    const double start = now();
    act();
    out = std::min(out, now() - start);
  }
  return out;
}

}  // namespace

int main(int count, char** words) {
  using namespace nacre;
  if (count != 3) return 2;
  const auto text = os::read_file(words[1]), world_text = os::read_file(words[2]);
  if (!text || !world_text) return 1;
  const double start = now();
  const auto records = apk::parse_index(*text, words[1]);
  if (!records) return 1;
  const double parsed = now();
  solve::Pool made;
  for (const apk::IndexRecord& record : *records) made.add(record, 0);
  made.finish();
  const double pooled = now();
  const std::string bytes = made.to_bytes();
  std::vector<std::uint64_t> aligned(bytes.size() / 8 + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  const std::string_view mapped(reinterpret_cast<const char*>(aligned.data()), bytes.size());

  solve::World world;
  world.atoms = split_words(*world_text);
  const double opening = best([&] { (void)solve::Pool::from_bytes(mapped); });
  const auto pool = solve::Pool::from_bytes(mapped);
  if (!pool) return 1;
  std::printf("%zu packages, %zu atoms; pool of %.1f MiB\n", records->size(), world.atoms.size(),
              static_cast<double>(bytes.size()) / 1048576);
  std::printf("records from text       %8.2f ms\npool from records       %8.2f ms\npool from mapped bytes  %8.2f ms\n",
              parsed - start, pooled - parsed, opening);
  for (const auto choice : {solve::Options::Choice::kApk, solve::Options::Choice::kApko}) {
    solve::Options options;
    options.choice = choice;
    std::size_t chosen = 0;
    bool searched = false;
    const double took = best([&] {
      const auto answer = solve::answer(world, *pool, {{"bench", 0}}, options);
      const auto* solution = answer ? std::get_if<solve::Solution>(&*answer) : nullptr;
      chosen = solution != nullptr ? solution->records.size() : 0;
      searched = solution != nullptr && solution->searched;
    });
    std::printf("solved by %-4s's rules   %8.2f ms  %zu packages%s\n",
                choice == solve::Options::Choice::kApk ? "apk" : "apko", took, chosen, searched ? " (searched)" : "");
  }
  return 0;
}
