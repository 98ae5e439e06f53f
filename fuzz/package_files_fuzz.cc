#include "package/kernel.h"
#include "package/scan_files.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

// Files that a package brings and that are looked into for dependencies: what is taken from them can be one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::string& name : package::pkg_config_requires(bytes))
    if (!package::is_dependency_name(name)) std::abort();
  if (const std::string program = package::shebang_program(bytes);
      !program.empty() && !package::is_dependency_name(program))
    std::abort();
  (void)package::soname_version(bytes);
  for (const std::string& version : {package::kernel_version(bytes), package::module_kernel(bytes)})
    if (!version.empty() && !package::is_dependency_name(version)) std::abort();
  return 0;
}
