#include "base/parallel.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <thread>

namespace nacre {

unsigned worker_count() {
  static const unsigned kCount = [] {
    const char* text = std::getenv("NACRE_THREADS");
    const std::string_view wanted = text != nullptr ? text : "";
    unsigned count = 0;
    const auto [end, status] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), count);
    const bool given = status == std::errc() && end == wanted.data() + wanted.size() && count > 0;
    return given ? std::min(count, 256u) : std::max(1u, std::thread::hardware_concurrency());
  }();
  return kCount;
}

}  // namespace nacre
