// Runs one part of the room on a tree or on packages, for bench/package.sh, bench/scan.sh and
// tests/conformance/scan.sh. Not installed.

#include "apk/package_file.h"
#include "base/events.h"
#include "package/package.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace nacre {
namespace {

int fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.render().c_str());
  return 1;
}

void print(const apk::PackageInfo& info) {
  std::printf("pkgname = %s\n", info.name.c_str());
  for (const std::string& name : info.depends) std::printf("depend = %s\n", name.c_str());
  for (const std::string& name : info.provides) std::printf("provides = %s\n", name.c_str());
  for (const std::string& name : info.vendored) std::printf("# vendored = %s\n", name.c_str());
}

Result<> scan(const std::vector<os::Path>& trees, const std::vector<apk::PackageInfo>& infos) {
  std::vector<package::PackageTree> walked;
  for (const os::Path& tree : trees) walked.push_back(TRY(package::PackageTree::walk(tree)));
  for (std::size_t i = 0; i < walked.size(); ++i) {
    definition::Definition definition;
    definition.name = infos[i].name;
    const std::size_t cut = infos[i].version.rfind("-r");
    definition.version = infos[i].version.substr(0, cut);
    definition.epoch = std::strtoull(infos[i].version.c_str() + cut + 2, nullptr, 10);
    package::ScanRequest request;
    request.tree = &walked[i];
    for (std::size_t j = 0; j < walked.size(); ++j)
      if (j != i) request.siblings.push_back(&walked[j]);
    request.definition = &definition;
    request.package = infos[i].name;
    const package::Scan found = TRY(package::scan_package(request));
    apk::PackageInfo info;
    info.name = infos[i].name;
    package::merge_dependencies(info, {}, found);
    print(info);
  }
  return {};
}

Result<> scan_apks(const std::vector<std::string>& files) {
  const os::TempDir dir = TRY(os::TempDir::create(std::filesystem::temp_directory_path()));
  std::vector<os::Path> trees;
  std::vector<apk::PackageInfo> infos;
  for (const std::string& file : files) {
    apk::PackageFile read = TRY(apk::read_package_header(file));
    trees.push_back(dir.path() / std::to_string(trees.size()));
    TRY(os::make_dirs(trees.back()));
    TRY(apk::unpack_package(file, trees.back(), apk::Owners::kIgnore));
    infos.push_back(std::move(read.info));
  }
  return scan(trees, infos);
}

/// `folder`/NAME is the tree, as a build leaves it.
Result<> pack(const std::string& name, const std::string& version, const os::Path& folder, const os::Path& out) {
  NoEvents silent;
  definition::Definition definition;
  definition.name = name;
  definition.version = version;
  build::BuiltTree built;
  built.output = folder;
  built.packages = {name};
  package::PackageRequest request;
  request.definition = &definition;
  request.built = &built;
  request.gates = package::Gates::kWarn;
  request.lint.require.clear();
  request.source_date_epoch = 1'700'000'000;
  request.out_dir = out;
  TRY(package::make_packages(request, silent, {}));
  return {};
}

Result<> run(const std::vector<std::string>& words) {
  if (words.size() == 5 && words[0] == "pack") return pack(words[1], words[2], words[3], words[4]);
  if (words.size() >= 2 && words[0] == "scan-apks") return scan_apks({words.begin() + 1, words.end()});
  if (words.size() == 4 && words[0] == "scan") {
    apk::PackageInfo info;
    info.name = words[1];
    info.version = words[2];
    return scan({words[3]}, {info});
  }
  return Error::make(ErrorKind::kInvalid, "package_probe scan NAME VERSION TREE | scan-apks FILE… | "
                                              "pack NAME VERSION FOLDER OUT");
}

}  // namespace

int probe(const std::vector<std::string>& words) {
  const Result<> done = run(words);
  return done ? 0 : fail(done.error());
}

}  // namespace nacre

int main(int count, char** words) { return nacre::probe({words + 1, words + count}); }
