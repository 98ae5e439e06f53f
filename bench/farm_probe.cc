// Transitions a second of the farm's ledger: changes that go through all their stages, one transaction a transition.
//   farm_probe URL [CHANGES]
#include "farm/ledger.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace nacre::farm {
namespace {

Result<> measure(const std::string& url, int changes) {
  os::SystemClock clock;
  std::unique_ptr<Ledger> ledger = TRY(Ledger::open(url, clock));
  for (int i = 0; i < changes; ++i) {
    Change change;
    change.package = fmt::format("p{}", i);
    change.to = "1";
    TRY(ledger->add(change));
  }
  int transitions = 0, claims = 0;
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    const std::optional<Change> change = TRY(ledger->claim("probe:1:1"));
    if (!change) break;
    ++claims;
    TRY(ledger->complete(*change, next_of(change->stage), "went well", 0.1));
    ++transitions;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%d stages reached, each claimed before, in %.2f s: %.0f transitions/s (claims count, too)\n", transitions,
              seconds, (transitions + claims) / seconds);
  return {};
}

}  // namespace
}  // namespace nacre::farm

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto done = nacre::farm::measure(argv[1], argc > 2 ? std::atoi(argv[2]) : 1000);
  if (!done) std::fprintf(stderr, "%s\n", done.error().render().c_str());
  return done ? 0 : 1;
}
