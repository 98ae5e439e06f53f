#include "cli/image_notices.h"

#include "base/events.h"
#include "image/base.h"
#include "image/export.h"
#include "image/reasons.h"

namespace nacre::cli {
namespace {

/// "name=version" of each package that apk's database in the image has; nothing when it has none.
Result<std::vector<std::string>> packages_inside(const Sha256& digest, Session& session) {
  std::vector<std::string> out;
  const auto manifest = image::manifest_for(digest, host_arch(), session.env);
  if (!manifest) return out;  // of other architectures alone
  const auto databases =
      TRY(image::read_files(*manifest, {"usr/lib/apk/db/installed", "lib/apk/db/installed"}, session.env));
  for (const auto& [path, text] : databases) {
    const auto packages = TRY(image::parse_database(text, path));
    for (const image::PackageContents& package : packages) out.push_back(package.label());
  }
  return out;
}

}  // namespace

Result<std::vector<index::Notice>> notices_of(const FoundImage& found, Session& session) {
  const bool production = found.name.find("nacre-production/") != std::string::npos;
  const Edition edition = found.edition.value_or(production ? Edition::kProduction : Edition::kCommunity);
  const std::vector<index::Notice> all = TRY(index::list_notices(session.env, edition));
  if (all.empty()) return all;
  if (found.entry) return index::notices_about(all, found.entry->packages);
  const std::vector<std::string> packages = TRY(packages_inside(found.digest, session));
  return index::notices_about(all, packages);
}

Result<> say_notices(const FoundImage& found, Session& session) {
  const std::vector<index::Notice> notices = TRY(notices_of(found, session));
  for (const index::Notice& notice : notices)
    session.env.events.emit({.kind = EventKind::kNote, .name = found.name, .detail = index::render(notice)});
  return {};
}

}  // namespace nacre::cli
