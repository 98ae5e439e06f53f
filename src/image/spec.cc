#include "image/image.h"
#include "image/spec_reader.h"

#include "apk/dependency.h"
#include "base/text.h"

#include <algorithm>
#include <set>

namespace nacre::image {
namespace {

using codec::YamlNode;

Result<> read_layering(const SpecReader& in, const YamlNode& node, ImageSpec& spec) {
  constexpr int kMaxBudget = 120;  // overlay mounts of older kernels and runtimes stop at 128
  TRY(in.only(node, "layering", {"strategy", "budget"}));
  const std::string strategy = TRY(in.text(node, "strategy"));
  if (!strategy.empty() && strategy != "origin")
    return in.fault(*node.find("strategy"), "layering.strategy is 'origin' or nothing, not '{}'", strategy);
  if (const YamlNode* budget = node.find("budget")) {
    const unsigned value = TRY(in.number(*budget, "layering.budget"));
    if (value < 1 || value > kMaxBudget)
      return in.fault(*budget, "layering.budget is a number from 1 to {}, not {}", kMaxBudget, value);
    spec.layer_budget = static_cast<int>(value);
  }
  return {};
}

Result<> read_contents_field(const SpecReader& in, const YamlNode& node, ImageSpec& spec) {
  TRY(in.only(node, "contents",
              {"repositories", "build_repositories", "runtime_repositories", "keyring", "packages"},
              {"runtime_keyring", "baseimage"}));
  for (const char* key : {"repositories", "build_repositories", "runtime_repositories"}) {
    std::vector<Place> places;
    const std::vector<std::string> found = TRY(in.texts(node, key, &places));
    for (std::string repository : found) {
      while (repository.ends_with('/')) repository.pop_back();
      spec.repositories.push_back(std::move(repository));
    }
    spec.repository_places.insert(spec.repository_places.end(), places.begin(), places.end());
  }
  spec.keyring = TRY(in.texts(node, "keyring"));
  spec.packages = TRY(in.texts(node, "packages", &spec.package_places));
  for (std::size_t i = 0; i < spec.packages.size(); ++i) {
    const auto atom = apk::parse_dependency(spec.packages[i]);
    if (!atom)
      return Error::make(ErrorKind::kInvalid, "'{}' in contents.packages is no package", spec.packages[i])
          .at(spec.package_places[i])
          .hint("write NAME, NAME=VERSION, NAME~VERSION or NAME>VERSION");
  }
  return {};
}

Result<> read_entrypoint(const SpecReader& in, const YamlNode& node, ImageSpec& spec) {
  TRY(in.only(node, "entrypoint", {"type", "command", "shell-fragment"}, {"services"}));
  spec.entrypoint_type = TRY(in.text(node, "type"));
  spec.entrypoint_command = TRY(in.text(node, "command"));
  spec.shell_fragment = TRY(in.text(node, "shell-fragment"));
  if (!spec.entrypoint_type.empty())
    return in.fault(*node.find("type"), "nacre does not have entrypoint.type '{}' yet", spec.entrypoint_type);
  if (!spec.entrypoint_command.empty() && !spec.shell_fragment.empty())
    return in.fault(*node.find("shell-fragment"), "entrypoint has both a command and a shell-fragment");
  return {};
}

Result<definition::Account> read_user(const SpecReader& in, const YamlNode& node) {
  TRY(in.only(node, "accounts.users", {"username", "uid", "gid", "shell", "homedir"}));
  definition::Account user;
  user.name = TRY(in.account_name(node, "username"));
  const YamlNode* uid = node.find("uid");
  if (uid == nullptr) return in.fault(node, "user '{}' has no uid", user.name);
  user.uid = TRY(in.number(*uid, "uid"));
  if (user.uid == 0) return in.fault(*uid, "user '{}' has uid 0; only root has", user.name);
  user.gid = user.uid;
  if (const YamlNode* gid = node.find("gid")) user.gid = TRY(in.number(*gid, "gid"));
  user.shell = TRY(in.account_field(node, "shell"));
  user.home = TRY(in.account_field(node, "homedir"));
  if (user.shell.empty()) user.shell = "/bin/sh";
  if (user.home.empty()) user.home = "/home/" + user.name;
  return user;
}

Result<definition::AccountGroup> read_group(const SpecReader& in, const YamlNode& node) {
  TRY(in.only(node, "accounts.groups", {"groupname", "gid", "members"}));
  definition::AccountGroup group;
  group.name = TRY(in.account_name(node, "groupname"));
  const YamlNode* gid = node.find("gid");
  if (gid == nullptr) return in.fault(node, "group '{}' has no gid", group.name);
  group.gid = TRY(in.number(*gid, "gid"));
  std::vector<Place> places;
  group.members = TRY(in.texts(node, "members", &places));
  for (std::size_t i = 0; i < group.members.size(); ++i)
    if (!is_account_name(group.members[i]))
      return Error::make(ErrorKind::kInvalid, "'{}' is no user name", group.members[i]).at(places[i]);
  return group;
}

Result<> read_accounts(const SpecReader& in, const YamlNode& node, ImageSpec& spec) {
  TRY(in.only(node, "accounts", {"run-as", "users", "groups"}));
  spec.run_as = TRY(in.text(node, "run-as"));
  const std::vector<const YamlNode*> users = TRY(in.mappings(node, "users"));
  for (const YamlNode* item : users) {
    definition::Account user = TRY(read_user(in, *item));
    spec.users.push_back(std::move(user));
  }
  const std::vector<const YamlNode*> groups = TRY(in.mappings(node, "groups"));
  for (const YamlNode* item : groups) {
    definition::AccountGroup group = TRY(read_group(in, *item));
    spec.groups.push_back(std::move(group));
  }
  return {};
}

Result<PathChange> read_path(const SpecReader& in, const YamlNode& node) {
  static const std::vector<std::string> kTypes = {"directory", "empty-file", "hardlink", "symlink",
                                                  "permissions"};
  TRY(in.only(node, "paths", {"path", "type", "uid", "gid", "permissions", "source", "recursive"}));
  PathChange out;
  out.place = in.place(node);
  const std::string written = TRY(in.required(node, "path"));
  const auto path = TreePath::parse(written);
  if (!path || path->is_root())
    return in.fault(*node.find("path"), "'{}' is no path inside the image", written);
  out.path = path->str();
  out.type = TRY(in.required(node, "type"));
  if (std::find(kTypes.begin(), kTypes.end(), out.type) == kTypes.end())
    return in.fault(*node.find("type"), "type is one of {}, not '{}'", join(kTypes, ", "), out.type)
        .hint(nearest_hint(out.type, kTypes));
  const YamlNode* uid = node.find("uid");
  const YamlNode* gid = node.find("gid");
  if (uid != nullptr) out.uid = TRY(in.number(*uid, "uid"));
  if (gid != nullptr) out.gid = TRY(in.number(*gid, "gid"));
  out.owner_given = uid != nullptr || gid != nullptr;
  if (const YamlNode* mode = node.find("permissions")) {
    out.mode = TRY(in.mode(*mode));
  } else if (out.type != "symlink" && out.type != "hardlink") {
    return in.fault(node, "'{}' has no permissions", out.path)
        .hint("write permissions: 0o755, or what it should have");
  }
  out.source = TRY(in.text(node, "source"));
  const bool link = out.type == "symlink" || out.type == "hardlink";
  if (link && out.source.empty()) return in.fault(node, "the {} '{}' has no source", out.type, out.path);
  if (out.type == "hardlink") {
    const auto source = TreePath::parse(out.source);
    if (!source || source->is_root())
      return in.fault(*node.find("source"), "'{}' is no file inside the image", out.source);
    out.source = source->str();
  }
  if (const YamlNode* recursive = node.find("recursive")) out.recursive = TRY(in.flag(*recursive, "recursive"));
  return out;
}

Result<> read_archs(const SpecReader& in, const YamlNode& node, ImageSpec& spec) {
  std::vector<Place> places;
  const std::vector<std::string> names = TRY(in.texts(node, "archs", &places));
  std::set<std::string> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == "all") {
      for (const Arch& arch : all_archs()) seen.emplace(arch.apk);
      continue;
    }
    auto arch = find_arch(names[i]);
    if (!arch) return std::move(arch).error().at(places[i]);
    seen.emplace(arch->apk);
  }
  spec.archs.assign(seen.begin(), seen.end());
  return {};
}

Result<> read_lists(const SpecReader& in, const YamlNode& root, ImageSpec& spec) {
  spec.environment = TRY(in.pairs(root, "environment"));
  spec.annotations = TRY(in.pairs(root, "annotations"));
  for (const auto& [key, value] : spec.environment)
    if (key.empty() || key.find('=') != std::string::npos)
      return in.fault(*root.find("environment"), "'{}' is no name of an environment variable", key);
  spec.volumes = TRY(in.texts(root, "volumes"));
  TRY(read_archs(in, root, spec));
  const std::vector<const YamlNode*> paths = TRY(in.mappings(root, "paths"));
  for (const YamlNode* item : paths) {
    PathChange change = TRY(read_path(in, *item));
    spec.paths.push_back(std::move(change));
  }
  return {};
}

std::string name_of_file(std::string_view file) {
  std::string_view name = file.substr(file.rfind('/') + 1);
  for (const std::string_view ending : {".yaml", ".yml", ".apko"})
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
  return std::string(name);
}

}  // namespace

Result<ImageSpec> read_image_spec(const codec::YamlTree& yaml) {
  const SpecReader in(yaml);
  ImageSpec spec;
  spec.file = yaml.file;
  spec.name = name_of_file(yaml.file);
  const YamlNode& root = yaml.root;
  if (root.kind != codec::YamlKind::kMapping)
    return in.fault(root, "an image definition is a mapping with 'contents', found {}", kind_name(root));
  TRY(in.only(root, "an image definition",
              {"contents", "entrypoint", "cmd", "stop-signal", "work-dir", "accounts", "archs", "environment",
               "paths", "vcs-url", "annotations", "volumes", "layering", "format"},
              {"include", "certificates"}));
  const YamlNode* contents = TRY(in.mapping(root, "contents"));
  if (contents != nullptr) TRY(read_contents_field(in, *contents, spec));
  const YamlNode* entrypoint = TRY(in.mapping(root, "entrypoint"));
  if (entrypoint != nullptr) TRY(read_entrypoint(in, *entrypoint, spec));
  const YamlNode* accounts = TRY(in.mapping(root, "accounts"));
  if (accounts != nullptr) TRY(read_accounts(in, *accounts, spec));
  const YamlNode* layering = TRY(in.mapping(root, "layering"));
  if (layering != nullptr) TRY(read_layering(in, *layering, spec));
  spec.cmd = TRY(in.text(root, "cmd"));
  spec.stop_signal = TRY(in.text(root, "stop-signal"));
  spec.work_dir = TRY(in.text(root, "work-dir"));
  spec.vcs_url = TRY(in.text(root, "vcs-url"));
  const std::string format = TRY(in.text(root, "format"));
  if (!format.empty() && format != "tar")
    return in.fault(*root.find("format"), "nacre does not have the image format '{}' yet; it writes 'tar'",
                    format);
  TRY(read_lists(in, root, spec));
  return spec;
}

}  // namespace nacre::image
