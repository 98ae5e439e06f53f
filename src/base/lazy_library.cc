#include "base/lazy_library.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

namespace nacre {

void* find_function(const char* soname, const char* name) {
  void* const library = ::dlopen(soname, RTLD_LAZY | RTLD_LOCAL);
  void* const found = library == nullptr ? nullptr : ::dlsym(library, name);
  if (found != nullptr) return found;
  const char* why = ::dlerror();
  const std::string text = fmt::format("nacre: {}\n", why == nullptr ? soname : why);
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(127);
}

}  // namespace nacre
