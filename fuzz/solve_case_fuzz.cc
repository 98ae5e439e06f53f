#include "solve/case.h"

#include <cstddef>
#include <cstdint>
#include <string>

// The bytes are a case, and after a line of '%' the text of the one repository that every file of it is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find("\n%\n");
  const std::string_view head = text.substr(0, cut);
  const std::string repository(cut == std::string_view::npos ? std::string_view() : text.substr(cut + 3));
  const auto given = nacre::solve::read_case(head, "fuzz");
  if (!given) return 0;
  const auto answer =
      nacre::solve::run_case(*given, [&](const std::string&) -> nacre::Result<std::string> { return repository; });
  if (answer) (void)nacre::solve::difference(given->expected, answer->output);
  return 0;
}
