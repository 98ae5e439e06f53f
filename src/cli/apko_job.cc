#include "base/encoding.h"
#include "base/field_archs.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/apko.h"
#include "cli/image_words.h"
#include "cli/kept.h"
#include "cli/melange_common.h"
#include "codec/digest.h"
#include "definition/fields.h"
#include "image/contents.h"
#include "os/threads.h"
#include "solve/solve.h"
#include "store/store.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace nacre::cli {
namespace {

std::vector<std::string> sorted(std::vector<std::string> list, const std::vector<std::string>& more) {
  list.insert(list.end(), more.begin(), more.end());
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

/// As the definition has them, then what a call adds: locks and answers show this order.
void append(std::vector<std::string>& list, const std::vector<std::string>& more) {
  for (const std::string& one : more)
    if (std::find(list.begin(), list.end(), one) == list.end()) list.push_back(one);
}

Result<> add_annotations(const std::vector<std::string>& raw, image::ImageSpec& spec) {
  std::set<std::string> seen;
  for (const std::string& text : raw) {
    const std::size_t colon = text.find(':');
    const std::string key = text.substr(0, colon);
    const bool good = colon != std::string::npos && !key.empty() && colon + 1 < text.size() &&
                      key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos;
    if (!good)
      return Error::make(ErrorKind::kInvalid, "'{}' is no annotation", text)
          .hint("write --annotations KEY:VALUE; keys have small letters, digits, '-' and '.'");
    if (!seen.insert(key).second)
      return Error::make(ErrorKind::kInvalid, "the annotation '{}' is given twice", key);
    definition::set_pair(spec.annotations, key, text.substr(colon + 1));
  }
  return {};
}

Result<std::vector<Arch>> archs_of_job(const std::vector<std::string>& wanted, const image::ImageSpec& spec) {
  std::vector<std::string> names = wanted.empty() ? spec.archs : wanted;
  if (names.empty() || names == std::vector<std::string>{"all"}) {
    const std::span<const Arch> all = field_archs();
    return std::vector<Arch>(all.begin(), all.end());
  }
  std::set<std::string> seen;
  std::vector<Arch> out;
  for (const std::string& name : names) {
    const Arch arch = TRY(find_field_arch(name));
    if (seen.emplace(arch.apk).second) out.push_back(arch);
  }
  std::sort(out.begin(), out.end(), [](const Arch& a, const Arch& b) { return oci_platform(a) < oci_platform(b); });
  return out;
}

std::string git(const Path& folder, std::vector<std::string> words, Env& env) {
  os::Command command;
  command.inherit_env = true;
  command.argv = {"git", "-C", folder.string()};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  const auto result = env.processes.run(command, env.stop);
  return result && result->ok() ? std::string(trim(result->out)) : std::string();
}

/// ADDRESS@COMMIT of the git repository around a file and below the working directory, without user names.
std::string vcs_url_of(const std::string& file, Env& env) {
  std::error_code error;
  const Path here = std::filesystem::current_path(error);
  Path above = std::filesystem::absolute(file, error).parent_path();
  while (!os::exists(above / ".git")) {
    if (above == here || above == above.parent_path()) return {};
    above = above.parent_path();
  }
  std::string url = git(above, {"config", "--get", "remote.origin.url"}, env);
  const std::string commit = git(above, {"rev-parse", "HEAD"}, env);
  if (url.empty() || commit.empty()) return {};
  if (url.find("://") == std::string::npos && url.find(':') != std::string::npos && !url.starts_with('/')) {
    url.replace(url.find(':'), 1, "/");
    url = "git+ssh://" + url;
  }
  const std::size_t begin = url.find("://");
  const std::size_t at = begin == std::string::npos ? std::string::npos : url.find('@', begin);
  if (at != std::string::npos && at < url.find('/', begin + 3)) url.erase(begin + 3, at - begin - 2);
  return url + "@" + commit;
}

RepositorySource source_of(const ImageJob& job, const Arch& arch) {
  RepositorySource out;
  out.arch = arch;
  const image::Contents& contents = job.spec().contents;
  out.repositories = sorted(contents.build_repositories, contents.repositories);
  out.keyring = contents.keyring;
  out.keys = job.keys;
  if (job.ignore_signatures) out.signatures = RepositorySource::Signatures::kIgnore;
  if (job.offline) out.reach = index::Reach::kOffline;
  out.limits = job.limits;
  return out;
}

constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;  ///< More than there is; sums of a few still fit.

/// The flags of limits: 0 leaves ours, -1 takes it away.
Result<index::SourceLimits> limits_of(const MelangeArguments& arguments) {
  index::SourceLimits out;
  const std::pair<const char*, std::uint64_t*> flags[] = {{"--max-apkindex-decompressed-size", &out.index_bytes},
                                                          {"--max-apk-control-size", &out.control_bytes},
                                                          {"--max-apk-data-size", &out.data_bytes},
                                                          {"--max-http-response-size", &out.answer_bytes}};
  for (const auto& [flag, limit] : flags) {
    const std::string text = arguments.text(flag);
    if (text.empty() || text == "0") continue;
    const auto number = text == "-1" ? std::optional(kNoLimit) : whole_number<std::uint64_t>(text);
    if (!number) return Error::make(ErrorKind::kInvalid, "{} wants bytes, 0 or -1, not '{}'", flag, text);
    *limit = std::min(*number, kNoLimit);
  }
  return out;
}

/// What stands below the image of an architecture. kDenied when it is not what the lock says.
Result<std::optional<image::BaseImage>> base_of(const ImageJob& job, const Arch& arch, Env& env) {
  std::optional<image::BaseImage> out;
  if (!job.spec().contents.base) return out;
  out = TRY(image::read_base_image(*job.spec().contents.base, job.include_paths, arch, env),
            "reading the base image for {}", arch.apk);
  if (!job.lock || !job.lock->closed()) return out;
  for (const image::LockedBase& locked : job.lock->bases)
    if (locked.arch == arch.apk && locked.manifest == out->manifest.digest.hex() &&
        locked.database == out->database.hex())
      return out;
  return Error::make(ErrorKind::kDenied, "the base image for {} is not the one that was locked: it is {}", arch.apk,
                     out->manifest.digest.oci())
      .hint("it changed after it was locked; make the lock again if that is meant")
      .at(job.spec().contents.base->place);
}

/// What a solver knows of a base image.
std::vector<apk::IndexRecord> records_of(const image::BaseImage& base) {
  std::vector<apk::IndexRecord> out;
  for (const image::PackageContents& package : base.packages) {
    apk::IndexRecord record = package.file.record();
    const auto bare = [](std::vector<std::string>& list) { std::erase(list, ""); };
    bare(record.depends);
    bare(record.provides);
    record.install_if.clear();  // it is there whatever else is
    out.push_back(std::move(record));
  }
  return out;
}

solve::World world_of_job(const ImageJob& job, const std::optional<image::BaseImage>& base) {
  solve::World world;
  world.atoms = sorted(image::world_of(job.spec()), job.extra_packages);
  const image::Contents& contents = job.spec().contents;
  for (const std::string& atom : world.atoms) {
    const auto at = std::find(contents.packages.begin(), contents.packages.end(), atom);
    const auto i = static_cast<std::size_t>(at - contents.packages.begin());
    world.places.push_back(i < contents.package_places.size() ? contents.package_places[i]
                                                              : Place{job.spec().file, 0, 0});
  }
  if (!base) return world;
  for (std::string& label : base->labels()) {
    world.atoms.push_back(std::move(label));
    world.places.push_back(contents.base->place);
  }
  return world;
}

/// "https://host/os" of "https://host/os/x86_64/zlib-1.3-r0.apk".
Result<RepositoryShelf::Pick> locked_pick(const image::LockedPackage& package, const Arch& arch) {
  RepositoryShelf::Pick out;
  const std::string tail = fmt::format("/{}/{}-{}.apk", arch.apk, package.name, package.version);
  if (!package.url.ends_with(tail))
    return Error::make(ErrorKind::kInvalid, "the lock has package {}={} at '{}', which does not end in '{}'",
                       package.name, package.version, package.url, tail);
  out.base = package.url.substr(0, package.url.size() - tail.size());
  out.signer = "lock";
  out.record.name = package.name;
  out.record.version = package.version;
  out.record.arch = package.arch;
  out.record.checksum = package.checksum;
  out.record.size_bytes = package.size();
  return out;
}

Result<std::vector<ArchPicks>> picks_of_lock(const ImageJob& job) {
  std::vector<ArchPicks> out;
  for (const Arch& arch : job.archs) {
    ArchPicks& all = out.emplace_back();
    all.arch = arch;
    for (const image::LockedPackage& package : job.lock->packages) {
      const auto of = find_field_arch(package.arch);
      if (!of || !(*of == arch)) continue;
      RepositoryShelf::Pick pick = TRY(locked_pick(package, arch));
      all.picks.push_back(std::move(pick));
      all.places.push_back(package.url);
    }
    if (all.picks.empty() && !job.spec().contents.base)
      return Error::make(ErrorKind::kInvalid, "the lock has no packages for {}", arch.apk)
          .hint("make it again with this architecture, or leave it out with --arch");
  }
  return out;
}

Result<std::string> hash_range(const Path& file, const image::LockedRange& range, codec::HashKind kind) {
  codec::Hasher hasher(kind);
  TRY(image::read_range(file, range.first, range.last - range.first + 1, [&](std::string_view bytes) {
    hasher.update(bytes);
    return Result<>{};
  }));
  return (kind == codec::HashKind::kSha1 ? "sha1-" : "sha256-") + to_base64(hasher.finish());
}

/// Every byte of a locked package is named by a digest: any change is refused.
Result<> check_locked(const image::LockedPackage& package, const Sha256& blob, store::Store& store) {
  const auto refuse = [&](std::string_view what) {
    return Error::make(ErrorKind::kDenied, "package {}={} for {} is not the one that was locked: {} differs",
                       package.name, package.version, package.arch, what)
        .hint(fmt::format("'{}' changed after it was locked; make the lock again if that is meant", package.url));
  };
  if (!package.sha256.empty()) return package.sha256 == blob.hex() ? Result<>{} : refuse("its digest");
  const std::uint64_t size = TRY(store.size(blob));
  if (size != package.size()) return refuse("its size");
  const std::pair<const image::LockedRange*, const char*> parts[] = {
      {&package.signature, "the signature"}, {&package.control, "the control segment"}, {&package.data, "the data"}};
  for (const auto& [range, what] : parts) {
    if (range->empty()) continue;
    const auto kind = range->checksum.starts_with("sha1-") ? codec::HashKind::kSha1 : codec::HashKind::kSha256;
    const std::string found = TRY(hash_range(store.blob_path(blob), *range, kind));
    if (found != range->checksum) return refuse(what);
  }
  return {};
}

const image::LockedPackage* locked_package(const ImageJob& job, const RepositoryShelf::Pick& pick) {
  for (const image::LockedPackage& package : job.lock->packages)
    if (package.name == pick.record.name && package.version == pick.record.version &&
        package.checksum == pick.record.checksum && package.arch == pick.record.arch)
      return &package;
  return nullptr;
}

/// A pick as index::Repositories asks for it, whose indexes are not opened.
struct Wish {
  explicit Wish(const RepositoryShelf::Pick& pick) : record(apk::view_of(pick.record, lists)) {
    from.base = pick.base;
    from.signer = pick.signer;
  }
  Wish(const Wish&) = delete;
  index::Repositories::Wanted wanted() const { return {&from, record}; }

  index::Repositories::Repository from;
  apk::RecordLists lists;
  apk::RecordView record;
};

/// The .apk of a pick when it was brought before.
Result<std::optional<Sha256>> find_one(const ImageJob& job, const index::Repositories& places,
                                       const RepositoryShelf::Pick& pick, Env& env) {
  const image::LockedPackage* locked = job.lock ? locked_package(job, pick) : nullptr;
  std::optional<Sha256> out;
  if (locked != nullptr && !locked->sha256.empty()) {
    const Sha256 named = TRY(parse_sha256(locked->sha256), "reading the lock");
    if (env.store.has(named)) return out = named;
  }
  out = TRY(places.find(Wish(pick).wanted()));
  if (out && locked != nullptr) TRY(check_locked(*locked, *out, env.store));
  return out;
}

Result<Sha256> fetch_one(const ImageJob& job, const index::Repositories& places, const RepositoryShelf::Pick& pick,
                         Env& env) {
  const image::LockedPackage* locked = job.lock ? locked_package(job, pick) : nullptr;
  // What is new is read once, for the store and for the composer.
  const auto reader = [&](const os::Path& file, const codec::Sink& copy, const apk::ReadLimits& limits) {
    return image::read_new_package(file, copy, limits, env.store);
  };
  const Wish wish(pick);
  const Sha256 blob = TRY(places.fetch(wish.wanted(), reader));
  if (locked != nullptr) TRY(check_locked(*locked, blob, env.store));
  return blob;
}

/// File name and PEM of every key that the image gets.
Result<definition::Pairs> keys_of_job(const ImageJob& job, Env& env) {
  definition::Pairs out;
  if (job.locked) {
    for (const image::LockedKey& key : job.lock->keyring)
      definition::set_pair(out, Path(key.url).filename().string(), key.content);
    return out;
  }
  RepositoryShelf shelf(source_of(job, host_arch()), env);
  const std::vector<std::pair<std::string, std::string>> keys = TRY(shelf.keys());
  for (const auto& [name, pem] : keys) definition::set_pair(out, name, pem);
  for (const index::TrustedKey& key : job.keys) definition::set_pair(out, key.name, key.pem);
  return out;
}

/// "NAME=VERSION", with the pin that the definition has for the name.
std::vector<std::string> locked_list(const ImageJob& job, const ArchPicks& all) {
  std::vector<std::string> out;
  for (const RepositoryShelf::Pick& pick : all.picks) {
    std::string line = pick.record.name + "=" + pick.record.version;
    for (const std::string& atom : job.spec().contents.packages) {
      const std::size_t pin = atom.find('@');
      if (pin == std::string::npos || job.lock) continue;
      const std::string name = atom.substr(0, std::min(pin, atom.find_first_of("=<>~")));
      const std::string tag = atom.substr(pin, atom.find_first_of("=<>~", pin) - pin);
      if (name == pick.record.name) line += tag;
    }
    out.push_back(std::move(line));
  }
  if (!job.lock) std::sort(out.begin(), out.end());
  return out;
}

/// The reference chooses twice: what was chosen is asked for again, each package by its version, in the order of the
/// text. Which packages these are is settled; in which order they are installed comes from there.
void put_in_order(const std::vector<std::string>& world_words, ArchPicks& all) {
  solve::World world;
  for (const std::string& word : world_words) world.atoms.push_back(word.substr(0, word.find('@')));
  std::vector<solve::Candidate> candidates;
  for (const RepositoryShelf::Pick& pick : all.picks) {
    solve::Candidate candidate;
    candidate.record = &pick.record;
    candidate.repository = "chosen";
    candidates.push_back(std::move(candidate));
  }
  const auto order = solve::solve(world, candidates);
  if (!order || order->size() != all.picks.size()) return;
  ArchPicks out;
  out.arch = all.arch;
  for (const solve::Candidate& next : *order)
    for (std::size_t i = 0; i < all.picks.size(); ++i) {
      if (&all.picks[i].record != next.record) continue;
      out.picks.push_back(all.picks[i]);
      out.places.push_back(all.places[i]);
      out.blobs.push_back(all.blobs[i]);
    }
  all = std::move(out);
}

/// What `nacre gc` leaves alone while the definition is there: the image, and the packages that make it again.
Result<> keep_images(const ImageJob& job, const std::vector<ArchPicks>& packages, const ComposedImages& images,
                     Env& env) {
  std::vector<Sha256> blobs = {images.index.digest};
  for (const image::Image& image : images.images) {
    blobs.insert(blobs.end(), {image.manifest.digest, image.config.digest});
    for (const image::Layer& layer : image.layers) blobs.push_back(layer.blob.digest);
  }
  for (const ArchPicks& arch : packages) blobs.insert(blobs.end(), arch.blobs.begin(), arch.blobs.end());
  const bool own = job.form == image::LayerForm::kSegments;
  return keep_for(job.spec().file, own ? "image" : "reference-image", blobs, env);
}

}  // namespace

Result<ImageJob> load_job(const MelangeArguments& arguments, Env& env) {
  ImageJob job;
  if (const std::string folder = arguments.text("--workdir"); !folder.empty()) {
    std::error_code error;
    std::filesystem::current_path(folder, error);
    if (error) return os::system_error(error.value(), fmt::format("work in '{}'", folder));
  }
  job.loaded = TRY(image::load_image_spec(arguments.words.at(0), arguments.list("--include-paths")));
  image::ImageSpec& spec = job.loaded.spec;
  image::Contents& contents = spec.contents;
  append(contents.build_repositories, arguments.list("--build-repository-append"));
  append(contents.repositories, arguments.list("--repository-append"));
  append(contents.keyring, arguments.list("--keyring-append"));
  TRY(add_annotations(arguments.list("--annotations"), spec));
  if (arguments.on("--vcs") && spec.vcs_url.empty()) spec.vcs_url = vcs_url_of(spec.file, env);
  std::vector<std::string> wanted = arguments.list("--arch");
  if (const std::string one = arguments.text("--build-arch"); !one.empty()) wanted = {one};
  job.archs = TRY(archs_of_job(wanted, spec));
  job.extra_packages = arguments.list("--package-append");
  job.include_paths = arguments.list("--include-paths");
  job.offline = arguments.on("--offline");
  job.ignore_signatures = arguments.on("--ignore-signatures");
  job.limits = TRY(limits_of(arguments));
  const std::int64_t date = TRY(date_of(arguments));
  const char* epoch = std::getenv("SOURCE_DATE_EPOCH");
  if (epoch != nullptr && *epoch != '\0') job.source_date = date;
  else job.build_date = date;
  if (const std::string file = arguments.text("--lockfile"); !file.empty()) {
    const std::string text = TRY(os::read_file(file, std::uint64_t{256} << 20), "reading the lock file");
    job.lock = TRY(image::parse_lock_file(text, file));
    if (job.lock->config_checksum.empty())
      tell(env, fmt::format("'{}' does not say which definition it locks; make it again", file));
    else if (job.lock->config_checksum != job.loaded.checksum)
      return Error::make(ErrorKind::kConflict, "'{}' locks another '{}': the definition changed since", file,
                         arguments.words.at(0))
          .hint("make the lock again");
  }
  if (const std::vector<std::string> named = arguments.list("--key-discovery"); !named.empty()) {
    const std::vector<std::string> places = sorted(contents.build_repositories, contents.repositories);
    job.keys = TRY(discovered_keys(places, named, job.offline ? index::Reach::kOffline : index::Reach::kOnline, env));
  }
  job.locked = arguments.on("--locked");
  if (job.locked && !job.lock)
    return Error::make(ErrorKind::kInvalid, "--locked needs a lock").hint("name it with --lockfile");
  if (job.locked && !job.lock->closed())
    return Error::make(ErrorKind::kInvalid, "the lock says nothing of indexes and keys, and --locked needs that")
        .hint("make it with `nacre apko lock`");
  return job;
}

Result<std::vector<ArchPicks>> choose(const ImageJob& job, Env& env) {
  if (job.lock) return picks_of_lock(job);
  std::vector<RepositoryShelf> shelves;
  for (const Arch& arch : job.archs) shelves.emplace_back(source_of(job, arch), env);
  if (shelves.size() > 1) {
    std::set<std::string> common = TRY(shelves.front().labels());
    for (std::size_t i = 1; i < shelves.size(); ++i) {
      const std::set<std::string> here = TRY(shelves[i].labels());
      std::erase_if(common, [&](const std::string& label) { return !here.contains(label); });
    }
    for (RepositoryShelf& shelf : shelves) shelf.restrict_to(common);
  }
  std::vector<ArchPicks> out;
  for (std::size_t i = 0; i < shelves.size(); ++i) {
    ArchPicks& all = out.emplace_back();
    all.arch = job.archs[i];
    const std::optional<image::BaseImage> base = TRY(base_of(job, all.arch, env));
    if (base) shelves[i].stand_upon(records_of(*base));
    all.picks = TRY(shelves[i].pick(world_of_job(job, base)), "choosing packages of '{}' for {}", job.spec().name,
                    all.arch.apk);
    if (base) std::erase_if(all.picks, [&](const RepositoryShelf::Pick& pick) { return base->has(pick.record.name); });
    for (const RepositoryShelf::Pick& pick : all.picks) all.places.push_back(shelves[i].place_of(pick));
  }
  return out;
}

Result<> fetch_picks(const ImageJob& job, std::vector<ArchPicks>& all, Env& env) {
  for (ArchPicks& arch : all) {
    const index::Repositories places = TRY(index::Repositories::unopened(source_of(job, arch.arch), env));
    arch.blobs.resize(arch.picks.size());
    std::vector<std::size_t> order;  // of those that are to be brought
    for (std::size_t i = 0; i < arch.picks.size(); ++i) {
      const std::optional<Sha256> known = TRY(find_one(job, places, arch.picks[i], env));
      if (known) arch.blobs[i] = *known;
      else order.push_back(i);
    }
    const auto fetch = [&](std::size_t i) -> Result<> {
      if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
      arch.blobs[i] = TRY(fetch_one(job, places, arch.picks[i], env));
      return {};
    };
    // The largest first: the last to end is then a small one.
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return arch.picks[a].record.size_bytes > arch.picks[b].record.size_bytes;
    });
    TRY(os::for_each(order.size(), 0, [&](std::size_t i) { return fetch(order[i]); }));
  }
  return {};
}

Result<ComposedImages> compose_job(const ImageJob& job, Env& env) {
  const store::Lease in_use = TRY(hold_off_gc(env));
  store::State::Deferred records(env.store.state());
  std::vector<ArchPicks> all = TRY(choose(job, env));
  TRY(fetch_picks(job, all, env));
  ComposedImages out;
  const definition::Pairs keys = TRY(keys_of_job(job, env));
  const image::Contents& contents = job.spec().contents;
  for (ArchPicks& arch : all) {
    const std::optional<image::BaseImage> base = TRY(base_of(job, arch.arch, env));
    image::ComposeRequest request;
    request.spec = &job.spec();
    request.arch = arch.arch;
    request.foreign = true;
    request.form = base ? image::LayerForm::kReference : job.form;
    request.base = base ? &*base : nullptr;
    request.keys = keys;
    request.repositories = sorted(contents.repositories, contents.runtime_repositories);
    request.locked = locked_list(job, arch);
    request.world = sorted(request.locked, job.extra_packages);
    if (!job.lock && !base && request.form == image::LayerForm::kReference)
      put_in_order(request.world, arch);
    if (job.as_asked) {
      request.as_asked = true;
      request.locked = job.spec().contents.packages;
      request.locked.insert(request.locked.end(), job.extra_packages.begin(), job.extra_packages.end());
      request.world = sorted(image::world_of(job.spec()), job.extra_packages);
    }
    request.build_date = job.build_date;
    request.source_date = job.source_date;
    for (std::size_t i = 0; i < arch.picks.size(); ++i) {
      index::SerialPackage package;
      package.record = arch.picks[i].record;
      package.apk = arch.blobs[i];
      request.packages.push_back(std::move(package));
    }
    image::Image image = TRY(image::compose_image(request, env));
    TRY(keep_words(image.manifest.digest, words_of(job.spec(), job.extra_packages), env));
    out.images.push_back(std::move(image));
  }
  out.index = TRY(image::make_image_index(job.spec(), out.images, env));
  TRY(keep_images(job, all, out, env));
  TRY(records.finish());
  return out;
}

Result<image::LockFile> make_lock(const ImageJob& job, const std::vector<ArchPicks>& all,
                                  const std::string& config_name, Env& env) {
  image::LockFile lock;
  lock.config_name = config_name;
  lock.config_checksum = job.loaded.checksum;
  lock.tool = fmt::format("nacre {}", program_version());
  const image::Contents& contents = job.spec().contents;
  const auto bare = [](const std::string& address) {
    for (const char* scheme : {"https://", "http://"})
      if (address.starts_with(scheme)) return address.substr(std::string_view(scheme).size());
    return address;
  };
  for (const std::string& place : contents.keyring) {
    RepositorySource one;
    one.keyring = {place};
    if (job.offline) one.reach = index::Reach::kOffline;
    RepositoryShelf shelf(one, env);
    const std::vector<std::pair<std::string, std::string>> keys = TRY(shelf.keys());
    for (const auto& [name, pem] : keys) lock.keyring.push_back({bare(place), place, pem});
  }
  for (const index::TrustedKey& key : job.keys) lock.keyring.push_back({key.name, key.name, key.pem});
  std::sort(lock.keyring.begin(), lock.keyring.end(),
            [](const image::LockedKey& a, const image::LockedKey& b) { return a.name < b.name; });
  const auto add = [&](const std::vector<std::string>& from, std::vector<image::LockedRepository>& to,
                       const Arch& arch) {
    for (std::string address : from) {
      if (address.starts_with('@')) address = std::string(trim(address.substr(address.find(' '))));
      const std::string whole = fmt::format("{}/{}", address, arch.apk);
      to.push_back({bare(whole), whole + "/APKINDEX.tar.gz", std::string(arch.apk)});
    }
  };
  for (const ArchPicks& arch : all) {
    for (std::size_t i = 0; i < arch.picks.size(); ++i) {
      const Path file = env.store.blob_path(arch.blobs[i]);
      const apk::PackageFile header = TRY(apk::read_package_header(file));
      const std::uint64_t size = TRY(env.store.size(arch.blobs[i]));
      image::LockedPackage package;
      const apk::IndexRecord& record = arch.picks[i].record;
      package.name = record.name;
      package.version = record.version;
      package.arch = record.arch;
      package.url = arch.places[i];
      package.checksum = record.checksum;
      package.sha256 = arch.blobs[i].hex();
      if (header.signature.size > 0) package.signature = {0, header.signature.size - 1, "-"};
      package.control = {header.control.offset, header.control.offset + header.control.size - 1, "-"};
      package.data = {package.control.last + 1, size - 1, "-"};
      if (!package.signature.empty())
        package.signature.checksum = TRY(hash_range(file, package.signature, codec::HashKind::kSha1));
      package.control.checksum = TRY(hash_range(file, package.control, codec::HashKind::kSha1));
      package.data.checksum = TRY(hash_range(file, package.data, codec::HashKind::kSha256));
      lock.packages.push_back(std::move(package));
    }
    add(contents.build_repositories, lock.build_repositories, arch.arch);
    add(contents.runtime_repositories, lock.runtime_repositories, arch.arch);
    add(contents.repositories, lock.repositories, arch.arch);
    RepositoryShelf shelf(source_of(job, arch.arch), env);
    const std::vector<RepositoryShelf::IndexIdentity> indexes = TRY(shelf.indexes());
    for (const RepositoryShelf::IndexIdentity& index : indexes)
      lock.indexes.push_back({index.url, index.sha256, index.description, index.key});
    const std::optional<image::BaseImage> base = TRY(base_of(job, arch.arch, env));
    if (base)
      lock.bases.push_back({std::string(arch.arch.apk), base->manifest.digest.hex(), base->database.hex()});
  }
  return lock;
}

}  // namespace nacre::cli
