// How long until the first program of a root runs: from the call of LinuxSandbox::run to the program's first
// instruction, which says the time. `root_probe PROGRAM UPPER ROUNDS TREE…`: the program is a path in the root, the
// trees its layers. One line: least, median and most of all rounds in milliseconds, then the median of whole runs.
#include "base/result.h"
#include "sandbox/sandbox.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

double now_milliseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

}  // namespace

int main(int count, char** words) {
  if (count < 5) return 2;
  nacre::sandbox::SandboxCommand command;
  command.argv = {words[1]};
  command.root.upper = words[2];
  for (int i = 4; i < count; ++i) command.root.lower.emplace_back(words[i]);
  nacre::sandbox::LinuxSandbox sandbox;
  std::vector<double> ready, whole;
  const int rounds = std::atoi(words[3]);
  for (int i = 0; i < rounds + 1; ++i) {
    const double begin = now_milliseconds();
    const auto exit = sandbox.run(command);
    const double end = now_milliseconds();
    if (!exit || !exit->ok()) {
      std::fprintf(stderr, "%s\n", exit ? exit->out.c_str() : exit.error().render().c_str());
      return 1;
    }
    if (i == 0) continue;  // to warm up
    ready.push_back(std::atof(exit->out.c_str()) - begin);
    whole.push_back(end - begin);
  }
  std::sort(ready.begin(), ready.end());
  std::sort(whole.begin(), whole.end());
  const std::size_t middle = ready.size() / 2;
  std::printf("%zu layers: ready in %.2f min %.2f median %.2f max ms, run in %.2f\n", command.root.lower.size(),
              ready.front(), ready[middle], ready.back(), whole[middle]);
  return 0;
}
