#include "package/stage0.h"

#include "apk/version.h"
#include "base/events.h"
#include "base/text.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "os/process.h"
#include "package/deb.h"
#include "package/elf.h"
#include "store/store.h"

#include <algorithm>
#include <map>
#include <set>

namespace nacre::package {
namespace {

constexpr std::uint64_t kMaxElfBytes = std::uint64_t{1} << 30;
constexpr std::int64_t kStage0Date = 315532800;  // 1980-01-01: stage0 has no release of its own

/// One package of stage0 on its way to an .apk.
struct Draft {
  Stage0Entry entry;
  std::vector<DebControl> debs;
  std::map<std::string, apk::DataEntry> files;
  std::set<std::string> gives;  ///< Sonames in directories that the loader searches.
  std::set<std::string> names;  ///< Commands and pkg-config modules: "cmd:…", "pc:…".
  std::set<std::string> depends;
};

/// Which stage0 package holds each Debian package (and each virtual name).
using Owners = std::map<std::string, std::string>;

/// The debs of one suite into drafts: into the entries that name them, and a draft of its own for each deb of the
/// closure that nobody owns yet.
Result<> take_debs(const std::vector<DebFile>& debs, const std::string& suite, std::vector<Draft>& drafts,
                   Owners& owners, Env& env) {
  std::map<std::string, std::size_t> takers;
  for (std::size_t i = 0; i < drafts.size(); ++i)
    if (drafts[i].entry.suite == suite)
      for (const std::string& deb : drafts[i].entry.debs) takers[deb] = i;
  for (const DebFile& file : debs) {
    DebControl control = TRY(read_deb_control(file, env));
    const std::string name = control.file.name;
    if (const auto taker = takers.find(name); taker != takers.end()) {
      drafts[taker->second].debs.push_back(control);
    } else if (!owners.contains(name)) {
      owners[name] = name;
      Draft draft;
      draft.entry.name = name;
      draft.entry.debs = {name};
      draft.debs.push_back(control);
      drafts.push_back(std::move(draft));
    }
    if (const auto owner = owners.find(name); owner != owners.end())
      for (const std::string& provided : control.provides) owners.try_emplace(provided, owner->second);
  }
  return {};
}

/// Entries of the table plus one for each deb of the closure that no entry names, with their debs. What entries of
/// another suite need besides the debs that they name comes from the table's own suite where that has the name.
Result<std::vector<Draft>> draft_packages(const std::vector<Stage0Entry>& entries, const std::string& suite,
                                          Owners& owners, Env& env) {
  std::vector<Draft> out;
  std::map<std::string, std::vector<std::string>> names = {{suite, {}}};
  for (const Stage0Entry& entry : entries) {
    Draft draft;
    draft.entry = entry;
    if (entry.suite.empty()) draft.entry.suite = suite;
    for (const std::string& deb : entry.debs)
      if (draft.entry.suite == suite) owners[deb] = entry.name;
    std::vector<std::string>& list = names[draft.entry.suite];
    list.insert(list.end(), entry.debs.begin(), entry.debs.end());
    out.push_back(std::move(draft));
  }
  const std::vector<DebFile> own = TRY(download_debs(names[suite], suite, env));
  TRY(take_debs(own, suite, out, owners, env));
  names.erase(suite);
  for (const auto& [other, list] : names) {
    const std::vector<DebFile> debs = TRY(download_debs(list, other, env));
    TRY(take_debs(debs, other, out, owners, env));
  }
  for (const Draft& draft : out)
    if (draft.debs.size() < draft.entry.debs.size())
      return Error::make(ErrorKind::kNotFound, "apt gave {} of the {} debs that stage0 package '{}' names: {}",
                         draft.debs.size(), draft.entry.debs.size(), draft.entry.name,
                         join(draft.entry.debs, " "));
  return out;
}

Result<Sha256> key_of(const Draft& draft, const Stage0Request& request, const Stage0Settings& settings) {
  codec::Hasher hasher;
  if (settings.provide_names) hasher.update("provide cmd pc\n");
  hasher.update(fmt::format("stage0 {} {} {}\n", kImporterVersion, request.arch.apk, draft.entry.name));
  for (const DebControl& deb : draft.debs) hasher.update(deb.file.sha256.hex() + "\n");
  for (const std::string& name : draft.depends) hasher.update("depends " + name + "\n");
  for (const std::string& name : draft.entry.provides) hasher.update("provides " + name + "\n");
  for (const auto& [path, target] : draft.entry.links) hasher.update("link " + path.str() + " " + target + "\n");
  for (const auto& [path, folder] : draft.entry.joined) hasher.update("joined " + path.str() + " " + folder + "\n");
  for (const auto& [path, source] : draft.entry.files) {
    const std::string bytes = TRY(os::read_file(request.os_dir / source));
    hasher.update(fmt::format("file {} {}\n", path.str(), codec::sha256(bytes).hex()));
  }
  return hasher.finish_sha256();
}

void put_folders(Draft& draft, const std::string& path) {
  for (TreePath folder = TreePath::literal(path).parent(); !folder.is_root(); folder = folder.parent()) {
    apk::DataEntry entry;
    entry.header = {.path = folder.str(), .type = '5', .mode = 0755, .uname = "root", .gname = "root"};
    draft.files.try_emplace(folder.str(), std::move(entry));
  }
}

void put_entry(Draft& draft, const std::string& path, apk::DataEntry entry) {
  put_folders(draft, path);
  entry.header.path = path;
  entry.header.uname = entry.header.gname = "root";
  auto& place = draft.files[path];
  const bool keep = !place.header.path.empty() && place.header.type == '0' && entry.header.type == '2';
  if (!keep) place = std::move(entry);  // a program and a link to it may merge into one name: the program stays
}

Result<> take_tree(Draft& draft, const os::Path& tree) {
  const std::vector<os::TreeEntry> found = TRY(os::walk_tree(tree));
  for (const os::TreeEntry& entry : found) {
    const std::string path = merged_path(entry.path.str());
    if (path.empty()) continue;
    apk::DataEntry out;
    out.header.mode = entry.mode & 0777;  // nothing in a build needs setuid
    if (entry.type == os::FileType::kDirectory) {
      out.header.type = '5';
      put_folders(draft, path + "/x");
      continue;
    }
    if (entry.type == os::FileType::kSymlink) {
      if (path == "usr/bin" || path == "usr/lib") continue;  // /bin and its like: a layout says where these lead
      out.header.type = '2';
      out.header.mode = 0777;
      out.header.link = entry.link_target;
    } else if (entry.type == os::FileType::kRegular) {
      out.header.size = entry.size_bytes;
      out.file = tree / entry.path.str();
    } else {
      continue;
    }
    put_entry(draft, path, std::move(out));
  }
  return {};
}

/// Sonames that the files give. What they need, Debian's own dependencies already say.
Result<> scan_libraries(Draft& draft, const Arch& arch) {
  const std::string multiarch = fmt::format("usr/lib/{}", arch.debian_multiarch);
  for (const auto& [path, entry] : draft.files) {
    if (entry.header.type != '0' || entry.file.empty() || entry.header.size < 64) continue;
    const std::string bytes = TRY(os::read_file(entry.file, kMaxElfBytes));
    if (!is_elf(bytes)) continue;
    const auto elf = read_elf(bytes);
    if (!elf || elf->type == 1) continue;
    const std::string folder = TreePath::literal(path).parent().str();
    if (!elf->soname.empty() && (folder == "usr/lib" || folder == multiarch)) draft.gives.insert(elf->soname);
  }
  return {};
}

/// Commands and pkg-config modules that the files give, as a package built from a definition would say it.
void scan_names(Draft& draft, const Arch& arch) {
  const std::string multiarch = fmt::format("usr/lib/{}", arch.debian_multiarch);
  for (const auto& [path, entry] : draft.files) {
    if (entry.header.type == '5') continue;
    const TreePath place = TreePath::literal(path);
    const std::string folder = place.parent().str(), name(place.name());
    const bool program = entry.header.type == '2' || (entry.header.mode & 0111) != 0;
    if (folder == "usr/bin" && program) draft.names.insert("cmd:" + name + "=0");
    const bool module = folder == "usr/lib/pkgconfig" || folder == "usr/share/pkgconfig" ||
                        folder == multiarch + "/pkgconfig";
    if (module && name.ends_with(".pc")) draft.names.insert("pc:" + name.substr(0, name.size() - 3) + "=0");
  }
}

/// One file of all files below a folder of the package, in the order of their names.
Result<apk::DataEntry> join_files(const Draft& draft, const std::string& folder) {
  apk::DataEntry out;
  for (const auto& [path, entry] : draft.files) {
    if (!path.starts_with(folder + "/") || entry.header.type != '0') continue;
    if (entry.file.empty()) out.content += entry.content;
    else {
      const std::string bytes = TRY(os::read_file(entry.file));
      out.content += bytes;
    }
  }
  if (out.content.empty())
    return Error::make(ErrorKind::kNotFound, "no file below '{}' in stage0 package '{}'", folder, draft.entry.name);
  out.header.size = out.content.size();
  out.header.mode = 0644;
  return out;
}

std::set<std::string> named_dependencies(const Draft& draft, const Owners& owners) {
  std::set<std::string> out(draft.entry.depends.begin(), draft.entry.depends.end());
  for (const DebControl& deb : draft.debs) {
    for (const auto& group : deb.depends) {
      for (const std::string& name : group) {
        const auto owner = owners.find(name);
        const bool inside = std::find(draft.entry.debs.begin(), draft.entry.debs.end(), name) != draft.entry.debs.end();
        if (owner == owners.end() || inside) continue;
        if (owner->second != draft.entry.name) out.insert(owner->second);
        break;
      }
    }
  }
  return out;
}

Result<> fill(Draft& draft, const Stage0Request& request, const Stage0Settings& settings, const os::Path& work,
              Env& env) {
  for (const DebControl& deb : draft.debs) {
    const os::Path tree = work / draft.entry.name / deb.file.name;
    TRY(os::make_dirs(tree));
    TRY(unpack_deb(deb.file, tree, env));
    TRY(take_tree(draft, tree));
  }
  for (const auto& [path, source] : draft.entry.files) {
    apk::DataEntry entry;
    const os::Path file = request.os_dir / source;
    entry.content = TRY(os::read_file(file), "reading a file of stage0 package '{}'", draft.entry.name);
    entry.header.size = entry.content.size();
    const bool program = path.str().starts_with("usr/bin/") || path.str().starts_with("usr/local/bin/");
    entry.header.mode = program ? 0755 : 0644;
    put_entry(draft, path.str(), std::move(entry));
  }
  for (const auto& [path, folder] : draft.entry.joined) {
    apk::DataEntry entry = TRY(join_files(draft, folder));
    put_entry(draft, path.str(), std::move(entry));
  }
  for (const auto& [path, target] : draft.entry.links) {
    apk::DataEntry entry;
    entry.header.type = '2';
    entry.header.mode = 0777;
    entry.header.link = target;
    draft.files.erase(path.str());
    put_entry(draft, path.str(), std::move(entry));
  }
  if (settings.provide_names) scan_names(draft, request.arch);
  return scan_libraries(draft, request.arch);
}

std::string version_of(const Draft& draft) {
  return draft.debs.empty() ? "1" : apk_version_of(draft.debs.front().file.version);
}

/// A name means one content for ever (design, decision 14): the n-th content under one name and version gets the
/// epoch n.
Result<std::uint64_t> epoch_of(const Draft& draft, const Sha256& key, Env& env) {
  store::State& state = env.store.state();
  const std::string name = draft.entry.name + " " + version_of(draft);
  const std::string seen = TRY(state.get("stage0-epochs", name)).value_or("");
  const std::vector<std::string> keys = split_words(seen);
  const auto found = std::find(keys.begin(), keys.end(), key.hex());
  const auto epoch = static_cast<std::uint64_t>(found - keys.begin());
  if (found == keys.end()) TRY(state.put("stage0-epochs", name, seen + " " + key.hex()));
  return epoch;
}

apk::PackageInfo describe(const Draft& draft, std::uint64_t epoch, const Stage0Request& request) {
  apk::PackageInfo info;
  info.name = draft.entry.name;
  info.origin = draft.entry.name;
  info.arch = std::string(request.arch.apk);
  info.maintainer = "nacre stage0";
  info.build_date = kStage0Date;
  std::vector<std::string> from;
  for (const DebControl& deb : draft.debs)
    from.push_back(fmt::format("{} {} sha256:{}", deb.file.name, deb.file.version, deb.file.sha256.hex()));
  info.description = from.empty() ? "stage0 meta package" : "Debian: " + join(from, "; ").substr(0, 800);
  info.version = apk::full_version(version_of(draft), epoch);
  info.provides = draft.entry.provides;
  info.provides.insert(info.provides.end(), draft.names.begin(), draft.names.end());
  for (const std::string& soname : draft.gives) info.provides.push_back("so:" + soname + "=0");
  info.depends.assign(draft.depends.begin(), draft.depends.end());
  return info;
}

Result<apk::PackageFile> write_draft(const Draft& draft, std::uint64_t epoch,
                                     const Stage0Request& request) {
  apk::PackageInfo info = describe(draft, epoch, request);
  std::vector<apk::DataEntry> entries;
  for (const auto& [path, entry] : draft.files) {
    info.installed_bytes += entry.header.size;
    entries.push_back(entry);
  }
  apk::WriteOptions options;
  options.mtime = kStage0Date;
  options.signer = request.signer;
  const os::Path path = request.out_dir / fmt::format("{}-{}.apk", info.name, info.version);
  return apk::write_package(path, std::move(info), entries, options);
}

/// The package as the store kept it, or nothing.
Result<std::optional<apk::PackageFile>> kept_package(const Sha256& key, Env& env) {
  const auto known = TRY(env.store.state().get("stage0", key.hex()));
  if (!known) return std::optional<apk::PackageFile>();
  const Sha256 digest = TRY(parse_sha256(*known));
  const bool there = TRY(env.store.holds(digest));
  if (!there) return std::optional<apk::PackageFile>();
  const os::Path path = TRY(env.store.local(digest));
  apk::PackageFile file = TRY(apk::read_package_header(path));
  file.file_sha256 = digest;
  return std::optional<apk::PackageFile>(std::move(file));
}

}  // namespace

Result<std::vector<Stage0Package>> make_stage0(const Stage0Request& request, Env& env) {
  Task task(env.events, "stage0");
  const os::Path file = request.os_dir / request.table;
  const std::string text = TRY(os::read_file(file));
  const codec::YamlTree yaml = TRY(codec::parse_yaml(text, file.string()));
  const Stage0Settings settings = TRY(parse_stage0_settings(yaml));
  const std::vector<Stage0Entry> entries = TRY(parse_stage0(yaml));
  Owners owners;
  std::vector<Draft> drafts = TRY(draft_packages(entries, settings.suite, owners, env));

  std::vector<Stage0Package> out;
  std::uint64_t done = 0;
  for (Draft& draft : drafts) {
    if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    task.progress(++done, drafts.size());
    draft.depends = named_dependencies(draft, owners);
    const Sha256 key = TRY(key_of(draft, request, settings));
    Stage0Package package;
    for (const DebControl& deb : draft.debs) package.debs.push_back(deb.file);
    if (auto kept = TRY(kept_package(key, env))) {
      package.apk = *std::move(kept);
    } else {
      const os::TempDir work = TRY(os::TempDir::create(request.out_dir, "stage0-"));
      TRY(fill(draft, request, settings, work.path(), env), "making stage0 package '{}'", draft.entry.name);
      const std::uint64_t epoch = TRY(epoch_of(draft, key, env));
      package.apk = TRY(write_draft(draft, epoch, request), "making stage0 package '{}'", draft.entry.name);
      const Sha256 digest = TRY(env.store.put_file(package.apk.path, store::Store::Take::kMove));
      package.apk.path = env.store.blob_path(digest);
      package.apk.file_sha256 = digest;
      TRY(env.store.state().put("stage0", key.hex(), digest.hex()));
    }
    out.push_back(std::move(package));
  }
  std::size_t debs = 0;
  for (const Stage0Package& package : out) debs += package.debs.size();
  task.finish(fmt::format("{} packages from {} debs", out.size(), debs));
  return out;
}

}  // namespace nacre::package
