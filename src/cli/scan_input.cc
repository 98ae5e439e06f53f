#include "cli/scan_input.h"

#include "base/events.h"
#include "base/text.h"
#include "build/fetch.h"
#include "cli/lookup.h"
#include "os/clock.h"
#include "store/store.h"
#include "watch/debian.h"
#include "watch/feeds.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::string_view kComponents = "components-1";  ///< State: digest of an .apk -> what it holds.

/// Debian's sources by the definition that uses them, from the lock.
Result<std::map<std::string, std::string>> debian_sources(const Session& session) {
  std::map<std::string, std::string> out;
  const Path lock = session.os_dir / "sources.lock";
  if (!os::exists(lock)) return out;
  const std::string text = TRY(os::read_file(lock));
  const std::vector<build::LockedSource> sources = TRY(build::parse_sources_lock(text, lock.string()));
  for (const build::LockedSource& source : sources)
    if (const std::string name = watch::debian_name(source); !name.empty())
      for (const std::string& user : source.used_by) out.emplace(user, name);
  return out;
}

/// Which source of Debian's each package is made from, as far as the lock says so.
Result<> name_debian_sources(ScanTarget& target, const Session& session) {
  const std::map<std::string, std::string> sources = TRY(debian_sources(session));
  for (advisory::PackageInput& package : target.packages) {
    const auto found = sources.find(package.parts.origin);
    // Only of packages of ours: another distribution's package of that name has patches of its own.
    if (found != sources.end() && package.parts.distribution == "nacre") package.debian_source = found->second;
  }
  return {};
}

Result<advisory::PackageComponents> kept_components(const Sha256& apk, Env& env) {
  const std::optional<std::string> kept = TRY(env.store.state().get(kComponents, apk.hex()));
  if (kept) {
    const auto json = codec::parse_json(*kept, "what is kept of a package");
    if (json) {
      auto parts = advisory::components_from_json(*json);
      if (parts) return parts;
    }
  }
  const Path file = TRY(env.store.local(apk));
  advisory::PackageComponents parts = TRY(advisory::read_package_components(file));
  TRY(env.store.state().put(kComponents, apk.hex(), codec::to_json(advisory::to_json(parts))));
  return parts;
}

/// Packages of a serial; with `labels` ("name=version") only those.
Result<> add_packages(ScanTarget& target, const index::Serial& serial, const std::vector<std::string>* labels,
                      Session& session) {
  const store::State::Deferred deferred(session.env.store.state());
  Task task(session.env.events, "read packages");
  std::size_t done = 0;
  for (const index::SerialPackage& package : serial.packages) {
    task.progress(done++, serial.packages.size());
    const std::string label = package.record.name + "=" + package.record.version;
    if (labels != nullptr && std::find(labels->begin(), labels->end(), label) == labels->end()) continue;
    if (session.env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    advisory::PackageInput input;
    input.parts = TRY(kept_components(package.apk, session.env), "reading {}", label);
    target.packages.push_back(std::move(input));
  }
  task.finish(fmt::format("{} packages", target.packages.size()));
  return {};
}

Result<> add_image(ScanTarget& target, const std::string& reference, const Arguments& arguments, Session& session) {
  const FoundImage image = TRY(find_image(reference, session));
  target.name = "image " + image.name;
  if (image.entry && image.edition) {
    const std::vector<index::Serial> serials = TRY(index::list_serials(session.env, *image.edition));
    for (auto serial = serials.rbegin(); serial != serials.rend(); ++serial)
      for (const index::SerialImage& each : serial->images)
        if (each.index_digest == image.digest) return add_packages(target, *serial, &each.packages, session);
  }
  const Arch arch = TRY(arch_of(arguments));
  const Sha256 manifest = TRY(image::manifest_for(image.digest, arch, session.env));
  const std::vector<advisory::PackageComponents> found = TRY(advisory::read_image_components(manifest, session.env));
  for (const advisory::PackageComponents& parts : found) target.packages.push_back({parts, {}});
  return {};
}

/// What PyPI itself says of each Python package.
Result<> ask_pypi(advisory::ScanResult& result, const ScanTarget& target,
                  const std::vector<advisory::Document>& advisories, Session& session) {
  const watch::Feeds feeds = watch::feeds_of_machine(session.env);
  std::map<std::pair<std::string, std::string>, std::vector<advisory::OsvRecord>> known;
  Task task(session.env.events, "ask PyPI");
  for (const advisory::PackageInput& package : target.packages)
    for (const advisory::Component& component : package.parts.components) {
      if (component.ecosystem != "PyPI") continue;
      const auto key = std::pair(component.name, component.version);
      if (!known.contains(key)) {
        const auto body = watch::ask_pypi_release(component.name, component.version, feeds, session.env);
        if (!body && body.error().kind() == ErrorKind::kNotFound) {
          result.not_read.push_back(
              fmt::format("{}: PyPI does not know {} {}", package.parts.name, component.name, component.version));
          known[key] = {};
          continue;
        }
        if (!body)
          return Error::make(body.error().kind(), "PyPI cannot be asked about {} {}: {}", component.name,
                             component.version, body.error().render())
              .hint(
                  "its JSON interface is looked for beside the index that pip is configured with, or at "
                  "NACRE_FEED_PYPI");
        const Json json = TRY(codec::parse_json(*body, "PyPI's answer"));
        known[key] = TRY(advisory::read_pypi_vulnerabilities(json), "asking PyPI about {}", component.name);
      }
      advisory::add_pypi_matches(result, package, component, known[key], advisories);
    }
  task.finish(fmt::format("{} releases", known.size()));
  return {};
}

}  // namespace

std::vector<Option> osv_options() {
  return {{"--osv", OptionType::kList, "DIR", "", "OSV records: *.json, or zip files of them; again for more",
           Completion::kFolder},
          {"--pypi", OptionType::kFlag, "", "", "ask PyPI, too, about Python packages", Completion::kNone}};
}

Path advisories_folder(const Session& session) { return session.os_dir / "advisories"; }

Result<ScanTarget> scan_target(const Arguments& arguments, const std::string& name, Session& session) {
  ScanTarget out;
  if (name.empty()) {
    const index::Serial serial = TRY(serial_of(arguments, session));
    out.name = fmt::format("{} serial {}", name_of(serial.edition), serial.number);
    TRY(add_packages(out, serial, nullptr, session));
  } else if (name.ends_with(".apk") || std::filesystem::is_regular_file(name)) {
    out.name = "package " + Path(name).filename().string();
    advisory::PackageInput input;
    input.parts = TRY(advisory::read_package_components(name));
    out.packages.push_back(std::move(input));
  } else {
    TRY(add_image(out, name, arguments, session));
  }
  TRY(name_debian_sources(out, session));
  return out;
}

Result<ScanTarget> scan_target_of(const index::Serial& serial, Session& session) {
  ScanTarget out;
  out.name = fmt::format("{} serial {}", name_of(serial.edition), serial.number);
  TRY(add_packages(out, serial, nullptr, session));
  TRY(name_debian_sources(out, session));
  return out;
}

std::vector<Path> osv_folders(const Arguments& arguments) {
  std::vector<Path> out;
  for (const std::string& folder : arguments.list("--osv")) out.emplace_back(folder);
  if (const char* named = std::getenv("NACRE_OSV"); out.empty() && named != nullptr)
    for (const std::string& folder : split(named, ':'))
      if (!folder.empty()) out.emplace_back(folder);
  return out;
}

Result<advisory::OsvIndex> open_osv(const Arguments& arguments, Session& session) {
  const std::vector<Path> folders = osv_folders(arguments);
  if (folders.empty())
    return Error::make(ErrorKind::kNotFound, "no data on vulnerabilities is named")
        .hint("name a directory of OSV records with --osv, or in NACRE_OSV");
  advisory::OsvIndex index = TRY(advisory::OsvIndex::open(folders, session.home / "cache/osv", session.env.stop));
  if (index.left_out() > 0)
    session.env.events.emit({.kind = EventKind::kWarning,
                             .name = "scan",
                             .detail = fmt::format("{} JSON files are no OSV records: nothing in them was looked at",
                                                   index.left_out())});
  return index;
}

Result<advisory::ScanResult> scan(const Arguments& arguments, const ScanTarget& target,
                                  const std::vector<advisory::Document>& advisories, Session& session) {
  advisory::ScanResult out;
  const bool pypi = arguments.flag("--pypi");
  if (!pypi || !osv_folders(arguments).empty()) {
    const advisory::OsvIndex index = TRY(open_osv(arguments, session));
    out = TRY(advisory::match_packages(target.packages, index, advisories));
  } else {
    out.packages = target.packages.size();
    out.data_date = session.env.clock.now_seconds();  // PyPI answers with what it knows now.
    for (const advisory::PackageInput& package : target.packages) out.components += package.parts.components.size();
  }
  if (pypi) TRY(ask_pypi(out, target, advisories, session));
  return out;
}

}  // namespace nacre::cli
