#include "image/accounts.h"
#include "image/database.h"
#include "image/top.h"

#include "crypto/signer.h"

#include <algorithm>

namespace nacre::image {
namespace {

struct BaseFolder {
  std::string_view path;
  unsigned mode;
};
/// What every root file system has; made when no package does. Device nodes are the runtime's affair.
constexpr BaseFolder kBaseFolders[] = {{"dev", 0755}, {"etc", 0755},  {"proc", 0555}, {"sys", 0555},
                                       {"tmp", 01777}, {"usr", 0755}, {"var", 0755}};
constexpr std::string_view kNoHomes[] = {"", "/", "/dev/null", "/nonexistent"};

Result<std::string> fill_accounts(TopLayer& top, const ImageSpec& spec, Env& env) {
  AccountFiles old;
  old.passwd = TRY(top.read("etc/passwd", env));
  old.group = TRY(top.read("etc/group", env));
  old.shadow = TRY(top.read("etc/shadow", env));
  auto changed = add_accounts(old, spec.accounts.users, spec.accounts.groups);
  if (!changed) return std::move(changed).error().at(Place{spec.file, 0, 0});
  if (changed->passwd != old.passwd) TRY(top.put_file("etc/passwd", changed->passwd, 0644));
  if (changed->group != old.group) TRY(top.put_file("etc/group", changed->group, 0644));
  if (changed->shadow != old.shadow) TRY(top.put_file("etc/shadow", changed->shadow, 0640));
  for (const PasswdEntry& user : parse_passwd(changed->passwd)) {
    if (std::find(std::begin(kNoHomes), std::end(kNoHomes), user.home) != std::end(kNoHomes)) continue;
    const TreePath home = TRY(TreePath::parse(user.home), "reading the home of user '{}'", user.name);
    TRY(top.add_folder(home.str(), 0700, user.uid, user.gid));
  }
  return std::move(changed->passwd);
}

Result<> fill_database(TopLayer& top, const std::vector<PackageContents>& packages, const MergedTree& tree,
                       std::int64_t created) {
  std::string scripts = TRY(scripts_archive(packages, created));
  TRY(top.put_file("usr/lib/apk/db/installed", installed_database(packages, tree), 0644));
  TRY(top.put_file("usr/lib/apk/db/scripts.tar", std::move(scripts), 0644));
  TRY(top.put_file("usr/lib/apk/db/triggers", triggers_file(packages), 0644));
  TRY(top.put_file("usr/lib/apk/db/lock", "", 0600));
  const std::string lib = TRY(tree.resolved("lib", Last::kFollow));
  if (lib != "usr/lib") TRY(top.add_symlink("lib/apk", "../usr/lib/apk"));
  return {};
}

}  // namespace

Result<std::string> fill_top(TopLayer& top, const ComposeRequest& request,
                             const std::vector<PackageContents>& packages, MergedTree& tree,
                             std::string locked, std::int64_t created, Env& env) {
  for (const BaseFolder& folder : kBaseFolders) TRY(top.add_folder(folder.path, folder.mode));
  std::string passwd = TRY(fill_accounts(top, *request.spec, env));
  const std::string key = crypto::public_key_name(request.edition, crypto::Purpose::kPackage);
  TRY(top.put_file("etc/apk/arch", std::string(request.arch.apk) + "\n", 0644));
  TRY(top.put_file("etc/apk/keys/" + key, request.public_key, 0644));
  TRY(top.put_file("etc/apk/repositories", request.repository.empty() ? "" : request.repository + "\n", 0644));
  std::string world;
  for (const std::string& name : world_of(*request.spec)) world += name + "\n";
  TRY(top.put_file("etc/apk/world", std::move(world), 0644));
  TRY(top.put_file("etc/apko.json", std::move(locked), 0444));
  TRY(fill_database(top, packages, tree, created));
  for (const PathChange& change : request.spec->paths) TRY(top.apply(change));
  TRY(add_certificates(top, *request.spec, packages, created, env));
  if (request.spec->certificates) TRY(add_bundle_sums(top, created, env));
  TRY(add_runtime_keys(top, *request.spec, created));
  TRY(add_services(top, *request.spec));
  return passwd;
}

}  // namespace nacre::image
