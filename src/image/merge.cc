#include "image/merge.h"

#include "apk/dependency.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

namespace nacre::image {
namespace {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using Links = std::unordered_map<std::string, std::string, TextHash, std::equal_to<>>;

using Nodes = MergedTree::Nodes;

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

LinkLookup lookup(const Links& links) {
  return [&links](std::string_view path) -> const std::string* {
    const auto found = links.find(path);
    return found == links.end() ? nullptr : &found->second;
  };
}

/// Whether `package` states that it replaces files of `other`.
Result<bool> replaces(const apk::PackageInfo& package, const apk::PackageInfo& other) {
  for (const std::string& text : package.replaces) {
    const apk::Dependency atom =
        TRY(apk::parse_dependency(text), "reading what package {} replaces", package.name);
    if (atom.name == other.name && atom.accepts(other.version)) return true;
  }
  return false;
}

class Merger {
 public:
  Merger(const std::vector<PackageContents>& packages, FileDigests& digests, LayerForm form)
      : packages_(packages), digests_(digests), form_(form) {}

  Result<MergedTree> run(const std::vector<Seed>& seeds) {
    for (const Seed& seed : seeds) {
      Node node;
      node.type = '5';
      node.mode = seed.mode;
      node.seeded = node.top = true;
      tree_.nodes.emplace(seed.path, std::move(node));
    }
    TRY(gather_links());
    for (std::size_t i = 0; i < packages_.size(); ++i) {
      tree_.plans.emplace_back(packages_[i].entries.size());
      TRY(add_package(i), "laying package {} into the image", packages_[i].label());
    }
    for (std::size_t i = 0; i < packages_.size(); ++i) rescue_hard_links(i);
    return std::move(tree_);
  }

 private:
  enum class Winner { kOld, kNew, kNeither };

  Result<Winner> winner(std::size_t old_package, std::size_t new_package) const {
    const apk::PackageInfo& a = packages_[old_package].file.info;
    const apk::PackageInfo& b = packages_[new_package].file.info;
    const auto names = [](const apk::PackageInfo& one, const apk::PackageInfo& other) {
      return std::find(one.replaces.begin(), one.replaces.end(), other.name) != one.replaces.end();
    };
    const bool one_origin = a.origin == b.origin && (!a.origin.empty() || form_ == LayerForm::kReference);
    if (form_ == LayerForm::kReference)
      return names(a, b) ? Winner::kOld : one_origin || names(b, a) ? Winner::kNew : Winner::kNeither;
    const bool new_replaces = TRY(replaces(b, a));
    const bool old_replaces = TRY(replaces(a, b));
    if (new_replaces && old_replaces)
      return a.replaces_priority > b.replaces_priority ? Winner::kOld : Winner::kNew;
    if (new_replaces || old_replaces) return new_replaces ? Winner::kNew : Winner::kOld;
    return one_origin ? Winner::kNew : Winner::kNeither;
  }

  /// Every symlink of every package by the path where it will stand; links in linked folders need several
  /// rounds.
  Result<> gather_links() {
    constexpr int kMaxRounds = 8;
    for (int round = 0; round < kMaxRounds; ++round) {
      Links next;
      std::map<std::string, std::size_t> owner;
      for (std::size_t i = 0; i < packages_.size(); ++i) {
        for (const ContentEntry& entry : packages_[i].entries) {
          if (entry.type != '2') continue;
          std::string path = TRY(resolve(entry.path, Last::kKeep, lookup(links_)),
                                 "reading the links of package {}", packages_[i].label());
          if (const auto before = owner.find(path); before != owner.end()) {
            const Winner wins = TRY(winner(before->second, i));
            if (wins != Winner::kNew) continue;
          }
          owner[path] = i;
          next[path] = entry.link;
        }
      }
      if (next == links_) return {};
      links_ = std::move(next);
    }
    return Error::make(ErrorKind::kInvalid,
                       "the symlinks of the image's packages lead through each other without end");
  }

  Result<> add_package(std::size_t package) {
    const std::vector<ContentEntry>& entries = packages_[package].entries;
    for (std::size_t i = 0; i < entries.size(); ++i) TRY(add_entry(package, i));
    if (std::none_of(entries.begin(), entries.end(), [](const ContentEntry& e) { return e.type == '1'; })) return {};
    std::map<std::string_view, std::size_t> by_path;
    for (std::size_t i = 0; i < entries.size(); ++i) by_path[entries[i].path] = i;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].type != '1') continue;
      const auto target = by_path.find(entries[i].link);
      if (target == by_path.end() || entries[target->second].type != '0')
        return Error::make(ErrorKind::kInvalid, "hard link '{}' names '{}', which is no file of the package",
                           entries[i].path, entries[i].link);
      tree_.plans[package][i].link = tree_.plans[package][target->second].path;
    }
    return {};
  }

  /// The entry that holds the content of a file or hard link.
  const ContentEntry& content_of(std::size_t package, std::size_t entry) const {
    const std::vector<ContentEntry>& entries = packages_[package].entries;
    if (entries[entry].type != '1') return entries[entry];
    const auto target = std::find_if(entries.begin(), entries.end(),
                                     [&](const ContentEntry& e) { return e.path == entries[entry].link; });
    return target == entries.end() ? entries[entry] : *target;
  }

  Node node_of(std::size_t package, std::size_t entry) const {
    const ContentEntry& e = content_of(package, entry);
    Node node;
    node.type = e.type == '1' ? '0' : e.type;
    node.mode = e.mode;
    node.uid = e.uid;
    node.gid = e.gid;
    node.size = e.size;
    node.mtime = e.mtime;
    node.link = e.type == '2' ? e.link : "";
    node.pax = e.pax;
    node.package = static_cast<int>(package);
    node.entry = entry;
    if (form_ == LayerForm::kReference) as_reference(node);
    return node;
  }

  /// As apko keeps a package's entry: root's, extended attributes of files and directories alone, directories without
  /// their special bits.
  static void as_reference(Node& node) {
    node.uid = node.gid = 0;
    if (node.type == '5') node.mode &= 0777;
    std::erase_if(node.pax, [&](const auto& record) {
      return (node.type != '0' && node.type != '5') || !record.first.starts_with("SCHILY.xattr.");
    });
  }

  /// Where an entry stands. Most stand beside the one before them, in a folder that no link leads to.
  Result<std::string> place_of(const ContentEntry& entry) {
    const bool folder = entry.type == '5';
    if (folder_of(entry.path) == plain_folder_ && !(folder && links_.contains(std::string_view(entry.path))))
      return entry.path;
    std::string out = TRY(resolve(entry.path, folder ? Last::kFollow : Last::kKeep, lookup(links_)));
    if (out == entry.path) plain_folder_ = folder_of(entry.path);
    return out;
  }

  /// The node at `path`; without one the place where it belongs, for emplace_hint(). Entries come in the tree's order
  /// for the most part: the place is then behind the last one.
  std::pair<Nodes::iterator, bool> look(const std::string& path) {
    const TreeOrder before;
    if (last_ && before((*last_)->first, path)) {
      const Nodes::iterator next = std::next(*last_);
      if (next == tree_.nodes.end() || before(path, next->first)) return {next, false};
    }
    const Nodes::iterator at = tree_.nodes.lower_bound(path);
    return {at, at != tree_.nodes.end() && at->first == path};
  }

  Result<> add_entry(std::size_t package, std::size_t entry) {
    const ContentEntry& e = packages_[package].entries[entry];
    EntryPlan& plan = tree_.plans[package][entry];
    plan.path = TRY(place_of(e));
    if (plan.path.empty()) {
      plan.keep = false;  // a directory whose link leads to the root
      return {};
    }
    TRY(add_folders(package, plan.path));
    const auto [at, there] = look(plan.path);
    last_ = at;
    if (!there) {
      last_ = tree_.nodes.emplace_hint(at, plan.path, node_of(package, entry));
      return {};
    }
    Node node = node_of(package, entry);
    if (at->second.type == '5' && node.type == '5') {
      add_again(at->second, node, e, plan);
      return {};
    }
    return add_other(at->second, std::move(node), plan);
  }

  /// A directory that is there already.
  void add_again(Node& old, const Node& node, const ContentEntry& entry, EntryPlan& plan) const {
    if (form_ == LayerForm::kReference && (old.package >= 0 || old.seeded)) {
      old.mtime = node.mtime;
      for (const auto& [key, value] : node.pax) old.pax[key] = value;
      return;
    }
    if (old.package < 0) {
      old = node;  // only implied so far
      return;
    }
    if (plan.path != entry.path) plan.keep = false;
    if (old.mode != node.mode || old.uid != node.uid || old.gid != node.gid)
      old.top = true;  // the layer above would change it
  }

  Result<bool> same(const Node& a, const Node& b) {
    if (a.type != b.type) return false;
    if (a.type == '2') return a.link == b.link;
    if (a.type != '0') return true;
    if (a.size != b.size) return false;
    const auto first = static_cast<std::size_t>(a.package), second = static_cast<std::size_t>(b.package);
    const Sha256 left = TRY(digests_.of(first, content_of(first, a.entry)));
    const Sha256 right = TRY(digests_.of(second, content_of(second, b.entry)));
    return left == right;
  }

  Result<> add_other(Node& old, Node node, EntryPlan& plan) {
    if (old.package == node.package)
      return Error::make(ErrorKind::kInvalid, "the package has '{}' twice", plan.path);
    const auto first = static_cast<std::size_t>(old.package), second = static_cast<std::size_t>(node.package);
    bool equal = false;
    if (old.package >= 0) equal = TRY(same(old, node));
    if (equal) {
      plan.listed = form_ == LayerForm::kReference && node.type == '2';
      plan.keep = old.mode == node.mode && old.uid == node.uid && old.gid == node.gid && old.pax == node.pax;
      return {};
    }
    const bool folder = old.type == '5' || node.type == '5';
    const Winner wins = folder || old.package < 0 ? Winner::kNeither : TRY(winner(first, second));
    if (wins == Winner::kNeither) return conflict(old, node, plan.path);
    EntryPlan& loser = wins == Winner::kOld ? plan : tree_.plans[first][old.entry];
    loser.keep = loser.listed = false;
    if (wins == Winner::kOld) return {};
    drop_copies(second, plan.path);
    old = std::move(node);
    return {};
  }

  /// Packages between the loser and the winner may hold equal copies of what was replaced.
  void drop_copies(std::size_t before, const std::string& path) {
    for (std::size_t i = 0; i < before; ++i)
      for (EntryPlan& other : tree_.plans[i])
        if (other.path == path) other.keep = other.listed = false;
  }

  Error conflict(const Node& old, const Node& node, const std::string& path) const {
    const auto kind = [](const Node& n) {
      return n.type == '5'   ? "a directory"
             : n.type == '2' ? "a symlink"
             : n.type == '0' ? "a file"
                             : "a special file";
    };
    const std::string first =
        old.package < 0 ? "other packages' paths" : packages_[static_cast<std::size_t>(old.package)].label();
    const std::string second = packages_[static_cast<std::size_t>(node.package)].label();
    if (old.type != node.type)
      return Error::make(ErrorKind::kConflict, "'{}' is {} in {} and {} in {}", path, kind(old), first,
                         kind(node), second);
    return Error::make(ErrorKind::kConflict, "{} and {} both have '{}', with different content", first,
                       second, path)
        .hint("let one of them replace the other (dependencies.replaces), or leave one out");
  }

  /// Folders that no entry names so far stand in the tree as root's, 0755: so runtimes make them.
  Result<> add_folders(std::size_t package, const std::string& path) {
    if (folder_of(path) == known_folder_) return {};
    known_folder_ = folder_of(path);
    for (std::string folder = known_folder_; !folder.empty(); folder = parent_of(folder)) {
      const auto found = tree_.nodes.find(folder);
      if (found == tree_.nodes.end()) {
        Node node;
        node.type = '5';
        tree_.nodes.emplace(folder, std::move(node));
        continue;
      }
      if (found->second.type == '5') return {};
      Node mine;
      mine.type = '5';
      mine.package = static_cast<int>(package);
      return conflict(found->second, mine, folder);
    }
    return {};
  }

  /// A hard link whose target left the layer takes the content itself; further links point at it.
  void rescue_hard_links(std::size_t package) {
    const std::vector<ContentEntry>& entries = packages_[package].entries;
    std::vector<EntryPlan>& plans = tree_.plans[package];
    std::map<std::string_view, std::size_t> dropped;
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (entries[i].type == '0' && !plans[i].keep) dropped[entries[i].path] = i;
    if (dropped.empty()) return;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].type != '1' || !plans[i].keep) continue;
      const auto target = dropped.find(entries[i].link);
      if (target == dropped.end()) continue;
      EntryPlan& content = plans[target->second];
      if (content.keep) {
        plans[i].link = content.path;
        continue;
      }
      content.keep = true;
      content.path = plans[i].path;
      plans[i].keep = false;
    }
  }

  const std::vector<PackageContents>& packages_;
  FileDigests& digests_;
  LayerForm form_;
  Links links_;
  MergedTree tree_;
  std::string plain_folder_;   ///< Where it stands is what it is called: no link is on the way.
  std::string known_folder_;   ///< It and those above it are in the tree, as directories.
  std::optional<Nodes::iterator> last_;   ///< Of the entry before.
};

}  // namespace

Node* MergedTree::find(std::string_view path) {
  const auto found = nodes.find(path);
  return found == nodes.end() ? nullptr : &found->second;
}

Result<std::string> MergedTree::resolved(std::string_view path, Last last) const {
  return resolve(path, last, [this](std::string_view at) -> const std::string* {
    const auto found = nodes.find(at);
    return found != nodes.end() && found->second.type == '2' ? &found->second.link : nullptr;
  });
}

bool MergedTree::needs_rewrite(std::size_t package, const std::vector<PackageContents>& packages) const {
  const std::vector<ContentEntry>& entries = packages[package].entries;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const EntryPlan& plan = plans[package][i];
    if (!plan.keep || plan.path != entries[i].path || !entries[i].written.empty()) return true;
    if (entries[i].type == '1' && plan.link != entries[i].link) return true;
  }
  return false;
}

std::size_t layout_position(const std::vector<PackageContents>& packages) {
  for (std::size_t i = 0; i < packages.size(); ++i)
    for (const ContentEntry& entry : packages[i].entries)
      if (entry.type == '2' && (entry.path == "bin" || entry.path == "lib")) return i;
  return 0;
}

Result<MergedTree> merge(const std::vector<PackageContents>& packages, FileDigests& digests, LayerForm form,
                         const std::vector<Seed>& seeds) {
  return Merger(packages, digests, form).run(seeds);
}

}  // namespace nacre::image
