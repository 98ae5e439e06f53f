#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "package/touch.h"

using namespace nacre::package;

namespace {

/// A change of one header that another includes, and of one that brings another.
std::string changes_for(const Use& use) {
  static const char* const kBefore = "#include <stdio.h>\n#define A(x) z_##x\nint zf(int); struct s { int a; };";
  static const char* const kAfter = "#define A(x) z_##x\nint zf(long); struct s { int a, b; }; int z_new(void);";
  Offer before, after, rest;
  before.headers["usr/include/z.h"] = cut_header(kBefore);
  after.headers["usr/include/z.h"] = cut_header(kAfter);
  rest.headers["usr/include/stdio.h"] = cut_header("#ifndef A\n#define A\ntypedef struct f FILE;\n#endif\n");
  rest.headers["usr/include/y/y.h"] = cut_header("#include <z.h>\nstatic inline int y(void) { return zf(1); }");
  const Offer* was[] = {&before};
  const Offer* is[] = {&after};
  const Offer* others[] = {&rest};
  const std::optional<Touch> touch = OfferChanges(was, is, others).touches(use);
  return touch ? touch->why + touch->urgent : "";
}

}  // namespace

/// A byte 0 and a blob; or files, each a line with its path and its text, parted by a byte 1.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.empty()) return 0;
  if (text[0] == 0) {
    const auto use = use_from_bytes(text.substr(1));
    if (!use) return 0;
    const std::string why = changes_for(*use), bytes = use_to_bytes(*use);
    const auto again = use_from_bytes(bytes);
    if (!again || use_to_bytes(*again) != bytes || changes_for(*again) != why) std::abort();
    return 0;
  }
  UseReader reader;
  std::vector<std::pair<std::string_view, std::string_view>> files;
  while (!text.empty()) {
    const std::string_view file = text.substr(0, text.find('\x01'));
    text.remove_prefix(std::min(text.size(), file.size() + 1));
    const std::string_view path = file.substr(0, file.find('\n'));
    files.emplace_back(path, file.substr(std::min(file.size(), path.size() + 1)));
    reader.add(files.back().first, files.back().second);
  }
  for (const std::string& path : reader.included())
    for (const auto& [name, its] : files)
      if (name == path) reader.add_included(path, its);
  const auto use = reader.finish();
  if (!use) return 0;
  const auto again = use_from_bytes(use_to_bytes(*use));
  if (!again || changes_for(*again) != changes_for(*use)) std::abort();
  // All in one is coarser: what touches the parts touches the whole.
  Use whole = *use;
  whole.put_all_together();
  if (!changes_for(*use).empty() && changes_for(whole).empty()) std::abort();
  return 0;
}
