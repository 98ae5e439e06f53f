#include "build/guest.h"

namespace nacre::build {
namespace {

/// A "F:" line for each directory, then a "R:" line for each file in it, as apk writes them. Modes, owners and sums are
/// left out: nothing installs into such a root.
Result<std::string> file_lines(const os::Path& tree) {
  std::map<std::string, std::vector<std::string>> folders;
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(tree));
  for (const os::TreeEntry& entry : entries) {
    if (entry.type == os::FileType::kDirectory)
      folders[entry.path.str()];
    else
      folders[entry.path.parent().str()].emplace_back(entry.path.name());
  }
  std::string out;
  for (const auto& [folder, files] : folders) {
    out += "F:" + folder + "\n";
    for (const std::string& file : files) out += "R:" + file + "\n";
  }
  return out;
}

}  // namespace

Result<> add_database(const std::vector<RootPackage>& root, const os::Path& upper) {
  std::string text;
  for (const RootPackage& package : root) {
    if (package.record.empty()) continue;
    std::string_view record = package.record;
    while (record.ends_with('\n')) record.remove_suffix(1);
    text += record;
    text += '\n';
    text += TRY(file_lines(package.tree));
    text += '\n';
  }
  if (text.empty()) return {};
  const os::Path file = upper / "usr/lib/apk/db/installed";
  TRY(os::make_dirs(file.parent_path()));
  return os::write_file(file, text);
}

}  // namespace nacre::build
