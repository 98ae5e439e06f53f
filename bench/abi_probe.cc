// What linking with a package sees, of trees on disk: for each a line of JSON in the form of docs/formats/abi.md.
// usage: abi_probe TREE…
#include "codec/json.h"
#include "package/abi.h"

#include <cstdio>

using namespace nacre;

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: abi_probe TREE...\n"), 2;
  for (int i = 1; i < argc; ++i) {
    const auto tree = package::PackageTree::walk(argv[i]);
    if (!tree) return std::fprintf(stderr, "%s\n", tree.error().render().c_str()), 1;
    const auto abi = package::read_abi(*tree);
    if (!abi) return std::fprintf(stderr, "%s\n", abi.error().render().c_str()), 1;
    std::printf("%s\n", codec::to_json(package::abi_to_json(*abi)).c_str());
  }
}
