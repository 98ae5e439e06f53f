#include "image/accounts.h"
#include "image/base.h"
#include "image/database.h"
#include "image/oci.h"
#include "image/top.h"

#include "base/text.h"

#include <algorithm>
#include <set>

// What apko writes into a root of packages from repositories that somebody named, in its order (spec 5.2).
namespace nacre::image {
namespace {

struct Device {
  std::string_view path;
  unsigned mode, major, minor;
};
constexpr Device kDevices[] = {{"dev/zero", 0666, 1, 5},
                               {"dev/urandom", 0666, 1, 9},
                               {"dev/null", 0666, 1, 3},
                               {"dev/random", 0666, 1, 8},
                               {"dev/console", 0620, 5, 1}};

std::string lines(const std::vector<std::string>& all) {
  std::string out;
  for (const std::string& line : all) out += line + "\n";
  return out;
}

/// "a:b:c" lines without blanks around, each with a line end.
std::string normal_lines(std::string_view text) {
  std::string out;
  for (const std::string& line : split(text, '\n'))
    if (const std::string_view bare = trim(line); !bare.empty()) out += std::string(bare) + "\n";
  return out;
}

/// apko reads the third field of etc/shadow, the day of the last change, and writes it back empty.
std::string without_last_change(std::string_view shadow) {
  std::string out;
  for (const std::string& line : split(shadow, '\n')) {
    std::vector<std::string> fields = split(line, ':');
    if (fields.size() < 3) continue;
    fields[2].clear();
    out += join(fields, ":") + "\n";
  }
  return out;
}

Result<std::string> fill_accounts(TopLayer& top, const ImageSpec& spec, LayerForm form, Env& env) {
  const std::string passwd = TRY(top.read("etc/passwd", env)), group = TRY(top.read("etc/group", env));
  const std::string shadow = TRY(top.read("etc/shadow", env));
  AccountFiles files = {normal_lines(passwd), normal_lines(group), normal_lines(shadow)};
  if (form == LayerForm::kReference) files.shadow = without_last_change(files.shadow);
  files = append_accounts(std::move(files), spec.accounts.users, spec.accounts.groups);
  if (!spec.accounts.groups.empty()) TRY(top.put_file("etc/group", files.group, 0644));
  for (const PasswdEntry& user : parse_passwd(files.passwd)) {
    if (user.home == "/dev/null") continue;
    const auto home = TreePath::parse(user.home);
    if (!home || home->is_root()) continue;
    const std::string at = TRY(top.tree().resolved(home->str(), Last::kFollow));
    const Node* node = top.tree().find(at);
    if (node != nullptr && node->type != '5')
      return Error::make(ErrorKind::kConflict, "the home '{}' of user '{}' is no directory", user.home, user.name);
    TRY(top.add_folder(home->str(), 0700, user.uid, user.gid));
  }
  TRY(top.put_file("etc/passwd", files.passwd, 0644));
  if (!spec.accounts.users.empty()) TRY(top.put_file("etc/shadow", files.shadow, 0640));
  return std::move(files.passwd);
}

/// Whether /lib is a link to usr/lib there: a virtual name says so.
bool has_merged_lib(const BaseImage* base) {
  return base != nullptr && std::any_of(base->packages.begin(), base->packages.end(), [](const PackageContents& one) {
           const std::vector<std::string>& provides = one.file.info.provides;
           return std::find(provides.begin(), provides.end(), "merged-lib") != provides.end();
         });
}

/// lib/apk -> ../usr/lib/apk, unless /lib is usr/lib already. Empty directories of Alpine's apk-tools make room.
Result<> link_database(TopLayer& top, const BaseImage* base) {
  MergedTree& tree = top.tree();
  const std::string lib = TRY(tree.resolved("lib", Last::kFollow)), apk = TRY(tree.resolved("lib/apk", Last::kFollow));
  if (lib == "usr/lib" || apk == "usr/lib/apk") return {};
  if (tree.find("lib") == nullptr && has_merged_lib(base)) return top.add_symlink("lib", "usr/lib");
  if (tree.find("lib") == nullptr) TRY(top.add_folder("lib", 0755));
  const std::string at = TRY(tree.resolved("lib/apk", Last::kKeep));
  if (const Node* old = tree.find(at); old != nullptr && old->type == '5') {
    std::vector<std::string> inside;
    for (const auto& [path, node] : tree.nodes) {
      if (!is_beneath(path, at)) continue;
      if (node.type != '5')
        return Error::make(ErrorKind::kConflict, "'{}' is in the way of the link '{}' to apk's database", path, at);
      inside.push_back(path);
    }
    inside.push_back(at);
    for (const std::string& path : inside) tree.nodes.erase(path);
  }
  return top.add_symlink("lib/apk", "../usr/lib/apk");
}

std::string world_lines(const ComposeRequest& request, const std::vector<std::string>& chosen) {
  std::vector<std::string> all = request.world.empty() ? chosen : request.world;
  if (request.spec->entrypoint.type == kServiceBundle) all.emplace_back("s6");
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  if (request.base != nullptr) {
    const std::vector<std::string> below = request.base->labels();
    all.insert(all.end(), below.begin(), below.end());
    std::sort(all.begin(), all.end());
  }
  return lines(all);
}

/// What is installed: the base's packages, then those above it.
std::string database_of(const ComposeRequest& request, const std::vector<PackageContents>& packages,
                        const MergedTree& tree) {
  if (request.form != LayerForm::kReference) return installed_database(packages, tree);
  std::string out;
  if (request.base != nullptr)
    for (const PackageContents& package : request.base->packages) out += reference_record(package);
  return out + join(reference_database(packages, tree), "");
}

}  // namespace

const std::vector<Seed>& foreign_seeds() {
  static const std::vector<Seed> kSeeds = {
      {"tmp", 01777},    {"dev"},          {"etc"},         {"opt"},           {"proc", 0555}, {"var"},
      {"usr"},           {"etc/apk"},      {"etc/apk/keys"}, {"usr/lib"},      {"usr/lib/apk"}, {"usr/lib/apk/db"},
      {"usr/lib/apk/exec"}, {"var/cache"}, {"var/cache/apk"}, {"var/cache/misc"}};
  return kSeeds;
}

Result<std::string> fill_foreign(TopLayer& top, const ComposeRequest& request,
                                 const std::vector<PackageContents>& packages, MergedTree& tree,
                                 std::int64_t created, Env& env) {
  const ImageSpec& spec = *request.spec;
  std::vector<std::string> chosen;
  for (const PackageContents& package : packages) chosen.push_back(package.label());
  std::sort(chosen.begin(), chosen.end());
  // These are apk's own: a package that brings another one would not be what its database says it is.
  const auto put = [&](const std::string& path, std::string content, unsigned mode) -> Result<> {
    const std::string at = TRY(tree.resolved(path, Last::kFollow));
    if (const Node* old = tree.find(at); old != nullptr && old->package >= 0 && old->type == '0') {
      const std::string before = TRY(top.read(at, env));
      if (before != content)
        return Error::make(ErrorKind::kConflict, "'{}' is in {}, with other content than the image has there", at,
                           packages[static_cast<std::size_t>(old->package)].label());
    }
    return top.put_file(path, std::move(content), mode);
  };
  for (const Seed& seed : foreign_seeds()) TRY(top.add_folder(seed.path, seed.mode));
  TRY(put("etc/apk/world", world_lines(request, chosen), 0644));
  const std::set<std::string> repositories(request.repositories.begin(), request.repositories.end());
  TRY(put("etc/apk/repositories", lines({repositories.begin(), repositories.end()}), 0644));
  TRY(put("etc/apk/arch", std::string(request.arch.apk) + "\n", 0644));
  for (const auto& [name, pem] : request.keys) TRY(put("etc/apk/keys/" + name, pem, 0644));
  TRY(put("usr/lib/apk/db/lock", "", 0600));
  TRY(put("usr/lib/apk/db/triggers", triggers_file(packages, request.form), 0644));
  std::string scripts =
      TRY(scripts_archive(packages, request.source_date.value_or(request.build_date), request.form));
  TRY(put("usr/lib/apk/db/scripts.tar", std::move(scripts), 0644));
  TRY(put("usr/lib/apk/db/installed", database_of(request, packages, tree), 0644));
  TRY(link_database(top, request.base));
  for (const Device& device : kDevices) TRY(top.add_device(device.path, device.mode, device.major, device.minor));

  std::string passwd;
  if (request.base == nullptr) passwd = TRY(fill_accounts(top, spec, request.form, env));
  std::string user = TRY(resolve_user(spec.accounts.run_as, passwd));
  TRY(top.put_file("etc/apko.json",
                   foreign_locked_spec(request, request.locked.empty() ? chosen : request.locked, user),
                   0444));
  for (const PathChange& change : spec.paths) TRY(top.apply(change));
  TRY(add_certificates(top, spec, packages, created, env));
  TRY(add_bundle_sums(top, created, env));
  TRY(add_runtime_keys(top, spec, created));
  TRY(add_services(top, spec));
  TRY(add_busybox_links(top, packages, env));
  TRY(add_loader_cache(top, packages, env));
  return passwd;
}

}  // namespace nacre::image
