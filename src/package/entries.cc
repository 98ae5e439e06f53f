#include "package/entries.h"

#include "base/little_endian.h"
#include "base/text.h"

#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <set>

namespace nacre::package {
namespace {

using os::FileType;
using os::TreeEntry;

constexpr std::string_view kXattr = "SCHILY.xattr.";
constexpr std::string_view kCapability = "security.capability";

/// Attributes of the building machine's security and file systems, which say nothing of the package.
bool is_ignored_attribute(std::string_view name) {
  static constexpr std::array<std::string_view, 4> kIgnored = {"com.apple.provenance", "security.csm",
                                                               "security.selinux", "com.docker.grpcfuse.ownership"};
  return name.starts_with("trusted.") || name.starts_with("user.overlay.") ||
         std::find(kIgnored.begin(), kIgnored.end(), name) != kIgnored.end();
}

/// A capability that was set in a user namespace names that namespace's root; outside, root is 0.
void settle_capability(std::string& value) {
  constexpr std::size_t kRevision3 = 24, kRootAt = 20;
  if (value.size() == kRevision3 && value[3] == 3) value.replace(kRootAt, 4, std::string(4, '\0'));
}

Result<std::map<std::string, std::string>> attributes_of(const os::Path& path, const TreePath& shown) {
  std::map<std::string, std::string> out;
  std::array<char, 65'536> names;  // XATTR_LIST_MAX
  const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  if (size < 0 && errno == ENOTSUP) return out;
  if (size < 0) return os::system_error(errno, fmt::format("list the attributes of '{}'", shown.str()));
  for (std::string_view left(names.data(), static_cast<std::size_t>(size)); !left.empty();) {
    const std::string name(left.substr(0, left.find('\0')));
    left.remove_prefix(std::min(left.size(), name.size() + 1));
    if (is_ignored_attribute(name)) continue;
    std::string value(65'536, '\0');  // XATTR_SIZE_MAX
    const ssize_t length = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (length < 0) return os::system_error(errno, fmt::format("read the attribute {} of '{}'", name, shown.str()));
    value.resize(static_cast<std::size_t>(length));
    if (name == kCapability) settle_capability(value);
    out[std::string(kXattr) + name] = std::move(value);
  }
  return out;
}

class Packer {
 public:
  Packer(const PackageTree& tree, const PackageRequest& request, std::string_view package)
      : tree_(tree), request_(request), package_(package) {
    for (const definition::Account& user : request.definition->environment.users)
      if (user.name == "build") build_uid_ = user.uid;
    for (const definition::AccountGroup& group : request.definition->environment.groups)
      if (group.name == "build") build_gid_ = group.gid;
  }

  Result<PackedEntries> run() {
    for (const TreeEntry& entry : tree_.entries) TRY(add(entry), "packing '{}'", entry.path.str());
    for (const Extra& extra : request_.extras)
      if (extra.package == package_) add_extra(extra);
    TRY(set_capabilities());
    for (auto& [path, entry] : by_path_) out_.entries.push_back(std::move(entry));
    // Depth first, names of one directory bytewise: '/' sorts before every other byte.
    const auto key = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
    std::sort(out_.entries.begin(), out_.entries.end(), [&](const apk::DataEntry& a, const apk::DataEntry& b) {
      return std::lexicographical_compare(a.header.path.begin(), a.header.path.end(), b.header.path.begin(),
                                          b.header.path.end(), [&](char x, char y) { return key(x) < key(y); });
    });
    return std::move(out_);
  }

 private:
  void find(const TreePath& path, const char* rule, std::string text, bool fatal) {
    out_.findings.push_back({rule, std::string(package_), path, std::move(text), fatal, path.str()});
  }
  bool strict() const { return request_.gates == Gates::kRefuse; }

  Result<> add(const TreeEntry& entry) {
    const std::string& path = entry.path.str();
    if (std::any_of(path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }))
      find(entry.path, "gate/control-name", "has a control character in its name, which apk refuses", strict());
    apk::DataEntry out;
    out.header.path = path;
    out.header.mode = entry.mode;
    set_owner(entry, out.header);
    switch (entry.type) {
      case FileType::kRegular:
        out.header.type = '0';
        out.header.size = entry.size_bytes;
        out.file = tree_.root / path;
        break;
      case FileType::kDirectory: out.header.type = '5'; break;
      case FileType::kSymlink:
        out.header.type = '2';
        out.header.mode = 0777;
        out.header.link = entry.link_target;
        break;
      case FileType::kCharDevice:
      case FileType::kBlockDevice:
        out.header.type = entry.type == FileType::kCharDevice ? '3' : '4';
        out.header.dev_major = entry.dev_major;
        out.header.dev_minor = entry.dev_minor;
        break;
      case FileType::kFifo:
      case FileType::kSocket:
        find(entry.path, "gate/special-file", "is a FIFO or a socket and is left out", false);
        return {};
    }
    if (entry.type == FileType::kRegular || entry.type == FileType::kDirectory)
      out.header.pax = TRY(attributes_of(tree_.root / path, entry.path));
    out_.installed_bytes += entry.size_bytes;
    by_path_[path] = std::move(out);
    return {};
  }

  void set_owner(const TreeEntry& entry, codec::TarHeader& header) const {
    const auto& sole = request_.built->sole_owner;
    const unsigned uid = sole ? sole->uid : entry.uid, gid = sole ? sole->gid : entry.gid;
    header.uid = uid == build_uid_ ? 0 : uid;
    header.gid = gid == build_gid_ ? 0 : gid;
    const auto user = request_.accounts.users.find(header.uid);
    const auto group = request_.accounts.groups.find(header.gid);
    if (user != request_.accounts.users.end()) header.uname = user->second;
    if (group != request_.accounts.groups.end()) header.gname = group->second;
  }

  void add_extra(const Extra& extra) {
    for (TreePath folder = extra.path.parent(); !folder.is_root(); folder = folder.parent()) {
      apk::DataEntry out;
      out.header = {.path = folder.str(), .type = '5', .mode = 0755, .uname = "root", .gname = "root"};
      by_path_.emplace(folder.str(), std::move(out));
    }
    apk::DataEntry out;
    out.header = {.path = extra.path.str(), .mode = 0644, .uname = "root", .gname = "root"};
    out.header.size = extra.content.size();
    out.content = extra.content;
    out_.installed_bytes += extra.content.size();
    by_path_[extra.path.str()] = std::move(out);
  }

  const std::vector<definition::SetCap>& wanted() const {
    for (const definition::Subpackage& sub : request_.definition->subpackages)
      if (sub.name == package_) return sub.setcap;
    return request_.definition->setcap;
  }

  /// Entries of one path add up.
  Result<> set_capabilities() {
    std::map<std::string, definition::Pairs> by_path;
    for (const definition::SetCap& entry : wanted()) {
      definition::Pairs& all = by_path[entry.path];
      all.insert(all.end(), entry.add.begin(), entry.add.end());
    }
    for (const auto& [text, add] : by_path) {
      const TreePath path = TRY(TreePath::parse(text), "reading 'setcap'");
      const auto found = by_path_.find(path.str());
      if (found == by_path_.end() || found->second.header.type != '0') {
        find(path, "gate/setcap", "is named in 'setcap' and is no file of this package", strict());
        continue;
      }
      found->second.header.pax[fmt::format("{}{}", kXattr, kCapability)] = TRY(capability_value(add));
    }
    return {};
  }

  const PackageTree& tree_;
  const PackageRequest& request_;
  std::string_view package_;
  unsigned build_uid_ = 1000, build_gid_ = 1000;
  std::map<std::string, apk::DataEntry> by_path_;
  PackedEntries out_;
};

/// "root:x:0:0:…" -> 0, "root".
void read_account_lines(std::string_view text, std::map<std::uint64_t, std::string>& out) {
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> fields = split(line, ':');
    if (fields.size() < 3 || fields[0].empty() || fields[2].empty() ||
        fields[2].find_first_not_of("0123456789") != std::string::npos || fields[2].size() > 10)
      continue;
    out.emplace(std::stoull(fields[2]), fields[0]);  // The first of a number counts, as for getpwuid.
  }
}

/// The last tree's file of that name, as the root shows it.
std::string last_file(const std::vector<os::Path>& trees, const char* path) {
  for (auto tree = trees.rbegin(); tree != trees.rend(); ++tree) {
    auto text = os::read_beneath(*tree, TreePath::literal(path));
    if (text) return *std::move(text);
  }
  return {};
}

}  // namespace

Result<std::string> capability_value(const definition::Pairs& add) {
  static const std::map<std::string_view, unsigned> kNumbers = {
      {"cap_net_bind_service", 10}, {"cap_net_admin", 12}, {"cap_net_raw", 13}, {"cap_ipc_lock", 14},
      {"cap_sys_admin", 21}};
  constexpr std::uint32_t kRevision3 = 0x03000000, kEffective = 1;
  std::uint32_t effective = 0, permitted = 0, inheritable = 0;
  for (const auto& [names, flags] : add) {
    for (const std::string& name : split(names, ',')) {
      const auto number = kNumbers.find(trim(name));
      if (number == kNumbers.end()) return Error::make(ErrorKind::kInvalid, "unknown capability '{}'", trim(name));
      const std::uint32_t bit = 1u << number->second;
      if (flags.find('e') != std::string::npos) effective |= bit;
      if (flags.find('p') != std::string::npos) permitted |= bit;
      if (flags.find('i') != std::string::npos) inheritable |= bit;
    }
  }
  std::string out;
  append_little_endian(out, kRevision3 | (effective != 0 ? kEffective : 0), 4);
  append_little_endian(out, permitted, 4);
  append_little_endian(out, inheritable, 4);
  out.append(12, '\0');  // The upper halves, and root's id.
  return out;
}

Accounts Accounts::of(const std::vector<os::Path>& root_trees, const definition::Environment& environment) {
  Accounts out;
  read_account_lines(last_file(root_trees, "etc/passwd"), out.users);
  read_account_lines(last_file(root_trees, "etc/group"), out.groups);
  for (const definition::Account& user : environment.users) out.users.emplace(user.uid, user.name);
  for (const definition::AccountGroup& group : environment.groups) out.groups.emplace(group.gid, group.name);
  return out;
}

Result<PackedEntries> pack_entries(const PackageTree& tree, const PackageRequest& request, std::string_view package) {
  return Packer(tree, request, package).run();
}

}  // namespace nacre::package
