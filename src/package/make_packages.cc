#include "base/events.h"
#include "base/text.h"
#include "package/package.h"

#include <algorithm>
#include <map>
#include <set>

namespace nacre::package {
namespace {

using definition::Definition;
using definition::Subpackage;

const Subpackage* find_subpackage(const Definition& definition, std::string_view name) {
  for (const Subpackage& sub : definition.subpackages)
    if (sub.name == name) return &sub;
  return nullptr;
}

apk::PackageInfo describe(const PackageRequest& request, const std::string& package) {
  const Definition& definition = *request.definition;
  const Subpackage* sub = find_subpackage(definition, package);
  apk::PackageInfo info;
  info.name = package;
  info.version = definition.full_version();
  info.arch = std::string(request.arch.apk);
  info.origin = definition.name;
  info.description = sub && !sub->description.empty() ? sub->description : definition.description;
  info.url = sub && !sub->url.empty() ? sub->url : definition.url;
  info.commit = request.commit;
  info.maintainer = "nacre";
  info.build_date = request.source_date_epoch;
  for (const definition::Copyright& entry : definition.copyright) info.licenses.push_back(entry.license);
  return info;
}

/// Entries of the data segment: what the tree holds, owners of the build account made root, extras with their folders.
Result<std::vector<apk::DataEntry>> list_entries(const os::Path& tree, const std::vector<const Extra*>& extras,
                                                 std::uint64_t& installed_bytes) {
  std::map<std::string, apk::DataEntry> by_path;
  const std::vector<os::TreeEntry> found = TRY(os::walk_tree(tree));
  for (const os::TreeEntry& entry : found) {
    apk::DataEntry out;
    out.header.path = entry.path.str();
    out.header.mode = entry.mode;
    out.header.uid = entry.uid == 1000 ? 0 : entry.uid;
    out.header.gid = entry.gid == 1000 ? 0 : entry.gid;
    if (out.header.uid == 0) out.header.uname = "root";
    if (out.header.gid == 0) out.header.gname = "root";
    switch (entry.type) {
      case os::FileType::kRegular:
        out.header.type = '0';
        out.header.size = entry.size_bytes;
        out.file = tree / entry.path.str();
        break;
      case os::FileType::kDirectory: out.header.type = '5'; break;
      case os::FileType::kSymlink:
        out.header.type = '2';
        out.header.mode = 0777;
        out.header.link = entry.link_target;
        break;
      default:
        return Error::make(ErrorKind::kInvalid, "'{}' is neither a file, a directory nor a symlink",
                           entry.path.str());
    }
    installed_bytes += entry.size_bytes;
    by_path[entry.path.str()] = std::move(out);
  }
  for (const Extra* extra : extras) {
    for (TreePath folder = extra->path.parent(); !folder.is_root(); folder = folder.parent()) {
      apk::DataEntry out;
      out.header = {.path = folder.str(), .type = '5', .mode = 0755, .uname = "root", .gname = "root"};
      by_path.try_emplace(folder.str(), std::move(out));
    }
    apk::DataEntry out;
    out.header = {.path = extra->path.str(), .mode = 0644, .uname = "root", .gname = "root",
                  .size = extra->content.size()};
    out.content = extra->content;
    installed_bytes += extra->content.size();
    by_path[extra->path.str()] = std::move(out);
  }
  std::vector<apk::DataEntry> entries;
  entries.reserve(by_path.size());
  for (auto& [path, entry] : by_path) entries.push_back(std::move(entry));
  // Depth first, names of one directory bytewise: '/' sorts before every other byte.
  std::sort(entries.begin(), entries.end(), [](const apk::DataEntry& a, const apk::DataEntry& b) {
    const auto key = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
    return std::lexicographical_compare(a.header.path.begin(), a.header.path.end(), b.header.path.begin(),
                                        b.header.path.end(), [&](char x, char y) { return key(x) < key(y); });
  });
  return entries;
}

void add_script(std::vector<std::pair<std::string, std::string>>& files, const char* name,
                const std::string& text) {
  if (!text.empty()) files.emplace_back(name, text);
}

std::vector<std::pair<std::string, std::string>> control_files(const Definition& definition,
                                                               const definition::Scriptlets& scripts) {
  std::vector<std::pair<std::string, std::string>> files;
  files.emplace_back(".melange.yaml", codec::to_pretty_json(embedded_definition(definition)));
  add_script(files, ".post-deinstall", scripts.post_deinstall);
  add_script(files, ".post-install", scripts.post_install);
  add_script(files, ".post-upgrade", scripts.post_upgrade);
  add_script(files, ".pre-deinstall", scripts.pre_deinstall);
  add_script(files, ".pre-install", scripts.pre_install);
  add_script(files, ".pre-upgrade", scripts.pre_upgrade);
  add_script(files, ".trigger", scripts.trigger_script);
  return files;
}

/// Runs linters and the hardening gate over all trees; kDenied with every fatal finding at once.
Result<> judge(const PackageRequest& request, const Task& task) {
  std::vector<std::string> fatal;
  for (const std::string& package : request.built->packages) {
    const os::Path tree = request.built->output / package;
    std::vector<Finding> findings = TRY(lint_tree(tree, *request.definition, package));
    std::vector<Finding> hardening = TRY(check_hardening(tree, package));
    findings.insert(findings.end(), hardening.begin(), hardening.end());
    for (const Finding& finding : findings) {
      const std::string line =
          fmt::format("{}: {}: {} [{}]", package, finding.path.str(), finding.text, finding.rule);
      if (finding.fatal)
        fatal.push_back(line);
      else
        task.output(line);
    }
  }
  if (fatal.empty()) return {};
  return Error::make(ErrorKind::kDenied, "{} findings stop the package '{}':\n  {}", fatal.size(),
                     request.definition->name, join(fatal, "\n  "))
      .at({request.definition->file, 0, 0})
      .hint("mend the definition, or name the check in `checks.disabled` with its reason");
}

Result<apk::PackageFile> make_one(const PackageRequest& request, const std::string& package) {
  const Definition& definition = *request.definition;
  const Subpackage* sub = find_subpackage(definition, package);
  const os::Path tree = request.built->output / package;
  std::vector<os::Path> siblings;
  for (const std::string& other : request.built->packages)
    if (other != package) siblings.push_back(request.built->output / other);

  apk::PackageInfo info = describe(request, package);
  const Scan scan = TRY(scan_tree(tree, siblings, definition, package));
  merge_dependencies(info, sub ? sub->dependencies : definition.dependencies, scan);
  const definition::Scriptlets& scripts = sub ? sub->scriptlets : definition.scriptlets;
  info.triggers = scripts.trigger_paths;

  std::vector<const Extra*> extras;
  for (const Extra& extra : request.extras)
    if (extra.package == package) extras.push_back(&extra);
  const std::vector<apk::DataEntry> entries = TRY(list_entries(tree, extras, info.installed_bytes));

  apk::WriteOptions options;
  options.mtime = request.source_date_epoch;
  options.control_files = control_files(definition, scripts);
  options.signer = request.signer;
  const os::Path path = request.out_dir / fmt::format("{}-{}.apk", package, info.version);
  return apk::write_package(path, std::move(info), entries, options);
}

}  // namespace

codec::Json embedded_definition(const definition::Definition& definition) {
  codec::Json out = codec::Json::object();
  for (const auto& [key, value] : definition.compiled.members()) {
    if (key == "test" || key == "update") continue;
    if (key != "subpackages") {
      out.set(key, value);
      continue;
    }
    codec::Json subpackages = codec::Json::array();
    for (const codec::Json& sub : value.items()) {
      codec::Json kept = codec::Json::object();
      for (const auto& [name, part] : sub.members())
        if (name != "test") kept.set(name, part);
      subpackages.push(std::move(kept));
    }
    out.set(key, std::move(subpackages));
  }
  return out;
}

Result<std::vector<apk::PackageFile>> make_packages(const PackageRequest& request, Env& env) {
  Task task(env.events, fmt::format("package {}", request.definition->name));
  TRY(judge(request, task));
  TRY(os::make_dirs(request.out_dir));
  std::vector<apk::PackageFile> out;
  for (const std::string& package : request.built->packages)
    out.push_back(TRY(make_one(request, package), "packaging '{}'", package));
  task.finish(fmt::format("{} packages", out.size()));
  return out;
}

}  // namespace nacre::package
