#include "base/events.h"
#include "farm/gate_run.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

#include <cstdio>
#include <memory>

// gate_probe HOME BEFORE AFTER: runs the gates over two directories of .apk files, as if they were serials, with a
// store at HOME. Prints the report, and on stderr how long it took; a second call finds all facts kept.
namespace nacre {
namespace {

Result<index::Serial> serial_of(const os::Path& folder, store::Store& store) {
  index::Serial out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".apk") continue;
    index::SerialPackage package;
    const apk::PackageFile file = TRY(apk::read_package_header(entry.path()), "reading '{}'", entry.path().string());
    package.record = file.record();
    package.apk = TRY(store.put_file(entry.path(), store::Store::Take::kCopy));
    out.packages.push_back(std::move(package));
  }
  return out;
}

Result<> run(char** words) {
  const std::unique_ptr<store::Store> store = TRY(store::Store::open(words[1]));
  os::SystemProcesses processes;
  os::SystemClock clock;
  NoEvents events;
  alignas(8) char no_http[8] = {};  // no gate reaches for the network
  Env env{processes, clock, reinterpret_cast<net::Http&>(no_http), *store, events, {}};
  const index::Serial before = TRY(serial_of(words[2], *store));
  const index::Serial after = TRY(serial_of(words[3], *store));
  farm::GateInput input;
  input.before = &before;
  input.candidate = &after;
  const double start = clock.monotonic_seconds();
  const farm::GateReport report = TRY(farm::run_gates(input, env));
  const double seconds = clock.monotonic_seconds() - start;
  std::fputs(farm::render(report).c_str(), stdout);
  std::fprintf(stderr, "%zu -> %zu packages, %.3f s\n", before.packages.size(), after.packages.size(), seconds);
  return {};
}

}  // namespace
}  // namespace nacre

int main(int count, char** words) {
  if (count != 4) return std::fprintf(stderr, "usage: gate_probe HOME BEFORE AFTER\n"), 2;
  const auto done = nacre::run(words);
  if (!done) std::fprintf(stderr, "%s\n", done.error().render().c_str());
  return done ? 0 : 1;
}
