#include "apk/dependency.h"
#include "apk/version.h"
#include "base/events.h"
#include "base/text.h"
#include "cli/evidence.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "codec/digest.h"
#include "crypto/key.h"
#include "index/follow_index.h"
#include "index/channels.h"
#include "index/freshness.h"
#include "index/notices.h"
#include "index/repositories.h"
#include "os/clock.h"
#include "store/store.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxIndexBytes = 256u << 20;
constexpr std::string_view kIndexFile = "APKINDEX.tar.gz";

std::string file_of(const apk::IndexRecord& record) { return fmt::format("{}-{}.apk", record.name, record.version); }
std::string label_of(const apk::IndexRecord& record) { return fmt::format("{}-{}", record.name, record.version); }

/// The edition that a word means where a directory is expected: "community", when no directory has that name.
std::optional<Edition> edition_word(const std::string& word) {
  const auto edition = parse_edition(word);
  return edition && !os::exists(word) ? std::optional(*edition) : std::nullopt;
}

/// What a verb about directories says of an edition.
Error not_an_edition(Edition edition, std::string_view why, std::string_view next) {
  return Error::make(ErrorKind::kInvalid, "{} is an edition, no directory: {}", name_of(edition), why)
      .hint(fmt::format("{}; a directory of that name is './{}'", next, name_of(edition)));
}

/// A repository directory that this edition signs: its records, and how they are written again.
class Folder {
 public:
  static Result<Folder> open(const Arguments& arguments, Session& session) {
    Folder out(session);
    out.edition_ = TRY(edition_of(arguments));
    out.arch_ = TRY(arch_of(arguments));
    out.path_ = arguments.text("DIR");
    if (const auto edition = edition_word(out.path_.string()))
      return not_an_edition(*edition, "it holds what `nacre up` built here, with its provenance",
                            "write a definition and run `nacre up`, or name a directory for packages of others");
    if (!os::exists(out.index_path())) return out;
    const std::string source = out.index_path().string();
    const std::string bytes = TRY(os::read_file(out.index_path(), kMaxIndexBytes));
    apk::IndexFile index = TRY(apk::read_index(bytes, source));
    // What is signed again must have been ours, or a changed index would come out of here with a good signature.
    const crypto::PublicKey key = TRY(session.signer.public_key(out.edition_, crypto::Purpose::kPackage));
    if (index.signature_bytes.empty() || !key.verify(index.signed_bytes, index.signature_bytes))
      return Error::make(ErrorKind::kDenied, "the index '{}' is not signed by the key of edition {}", source,
                         name_of(out.edition_))
          .hint("only a repository of this edition is edited; `nacre repo import` takes packages from others");
    out.digest_ = codec::sha256(bytes);
    out.before_ = index.records;
    out.records_ = std::move(index.records);
    for (const apk::IndexRecord& record : out.records_)
      out.checksums_.emplace(std::pair(record.name, record.version), record.checksum);
    out.description_ = std::move(index.description);
    return out;
  }

  /// A copy of an edition's serial is not edited: the next `nacre index --repository` would undo it.
  Result<> editable() const {
    const auto identity = index::parse_index_description(description_);
    if (!identity || identity->serial == 0) return {};
    return Error::make(ErrorKind::kConflict, "'{}' is a copy of edition {}, serial {}", path_.string(),
                       name_of(identity->edition), identity->serial)
        .hint(fmt::format("change the edition (`nacre up`, `nacre repo remove {0} PACKAGE`) and write it again: `nacre "
                          "index --edition {0} --repository {1}`",
                          name_of(identity->edition), path_.string()));
  }

  Path packages() const { return path_ / arch_.apk; }
  Path index_path() const { return packages() / kIndexFile; }
  const std::vector<apk::IndexRecord>& records() const { return records_; }
  const Arch& arch() const { return arch_; }

  /// Takes a package in: a copy with this edition's signature, checked as a whole. False when it is there already.
  Result<bool> add(const Path& file) {
    const apk::PackageFile package = TRY(apk::read_package(file));
    const apk::IndexRecord record = package.record();
    if (record.arch != arch_.apk && record.arch != "noarch" && record.arch != "all")
      return Error::make(ErrorKind::kInvalid, "'{}' is of architecture {}, the repository of {}", file.string(),
                         record.arch, arch_.apk);
    if (const auto known = checksums_.find({record.name, record.version}); known != checksums_.end()) {
      if (known->second == record.checksum) return false;
      return Error::make(ErrorKind::kConflict, "{} is in the repository with other bytes ({}, and now {})",
                         label_of(record), known->second, record.checksum)
          .hint("a name means one content for ever: raise the epoch, or use another repository");
    }
    TRY(os::make_dirs(packages()));
    const Path place = packages() / file_of(record);
    if (os::exists(place)) {
      // Withdrawn earlier, and kept for locks: it may come back, but not as something else.
      const apk::PackageFile kept = TRY(apk::read_package_header(place));
      if (kept.checksum() != record.checksum)
        return Error::make(ErrorKind::kConflict, "'{}' is there with other bytes, kept for locks", place.string())
            .hint("a name means one content for ever: raise the epoch");
    } else {
      os::TempDir scratch = TRY(os::TempDir::create(packages(), ".add-"));
      const Path copy = scratch.path() / "package";
      std::error_code error;
      std::filesystem::copy_file(file, copy, error);
      if (error) return os::system_error(error.value(), fmt::format("copy '{}'", file.string()));
      TRY(apk::sign_package(copy, index::segment_signer(session_.signer, edition_)));
      TRY(os::rename(copy, place));
    }
    const apk::PackageFile placed = TRY(apk::read_package_header(place));
    records_.push_back(placed.record());
    checksums_.emplace(std::pair(record.name, record.version), records_.back().checksum);
    return true;
  }

  /// Takes out of the index what `goes` says; names and versions of it. The files stay, for locks.
  template <class Goes>
  std::vector<std::string> remove(const Goes& goes) {
    std::vector<std::string> out;
    std::erase_if(records_, [&](const apk::IndexRecord& record) {
      if (!goes(record)) return false;
      out.push_back(label_of(record));
      checksums_.erase({record.name, record.version});
      return true;
    });
    return out;
  }

  /// Index and metadata, written anew.
  Result<index::FreshnessReport> write() {
    std::sort(records_.begin(), records_.end(), comes_before);
    const std::string bytes =
        TRY(apk::pack_index(records_, description_, index::segment_signer(session_.signer, edition_)));
    TRY(os::make_dirs(packages()));
    TRY(os::write_file(index_path(), bytes, 0644, os::Sync::kYes));
    if (std::is_sorted(before_.begin(), before_.end(), comes_before)) {
      std::vector<apk::IndexRecord> added, removed;
      std::set_difference(records_.begin(), records_.end(), before_.begin(), before_.end(), std::back_inserter(added),
                          comes_before);
      std::set_difference(before_.begin(), before_.end(), records_.begin(), records_.end(),
                          std::back_inserter(removed), comes_before);
      (void)TRY(index::follow_kept_index(session_.env.store, digest_, codec::sha256(bytes), added, removed));
    }
    index::FreshnessOptions options;
    options.edition = edition_;
    return index::write_freshness(path_, session_.signer, session_.env.clock, options);
  }

 private:
  explicit Folder(Session& session) : session_(session) {}
  static bool comes_before(const apk::IndexRecord& a, const apk::IndexRecord& b) {
    if (a.name != b.name) return a.name < b.name;
    const auto order = apk::compare_versions(a.version, b.version);
    if (order != 0) return order < 0;
    return a.version != b.version ? a.version < b.version : a.checksum < b.checksum;
  }
  Session& session_;
  Edition edition_ = Edition::kCommunity;
  Arch arch_ = host_arch();
  Path path_;
  std::vector<apk::IndexRecord> before_, records_;  ///< As it was read, and as it becomes.
  std::map<std::pair<std::string, std::string>, std::string> checksums_;  ///< Of records_, by name and version.
  Sha256 digest_;                                   ///< Of the index that was read.
  std::string description_;
};

/// The answer of a verb that changed a repository.
void say_change(Session& session, std::string_view what, const std::vector<std::string>& names, std::size_t packages,
                const std::optional<index::FreshnessReport>& report) {
  Json json;
  json.set(std::string(what), Json::strings(names)).set("packages", packages);
  if (report) json.set("timestamp", report->timestamp).set("expires", report->timestamp_expires);
  std::string text;
  for (const std::string& name : names) text += fmt::format("{} {}\n", what, name);
  text += fmt::format("{} packages{}", packages,
                      report ? fmt::format(", metadata good until {}", report->timestamp_expires) : ", unchanged");
  session.print(session.json ? codec::to_pretty_json(json) : text);
}

Result<int> run_add(const Arguments& arguments, Session& session) {
  Folder folder = TRY(Folder::open(arguments, session));
  TRY(folder.editable());
  const std::vector<std::string> files = arguments.list("FILE");
  std::vector<std::string> added;
  Task task(session.env.events, "add packages");
  for (const std::string& file : files) {
    const bool is_new = TRY(folder.add(file), "adding '{}'", file);
    if (is_new) added.push_back(label_of(folder.records().back()));
    task.progress(added.size(), files.size());
  }
  std::optional<index::FreshnessReport> report;
  if (!added.empty()) report = TRY(folder.write());
  task.finish();
  say_change(session, "added", added, folder.records().size(), report);
  return 0;
}

/// NAME or NAME=VERSION.
struct Named {
  std::string name, version;
  explicit Named(const std::string& word)
      : name(word.substr(0, word.find('='))),
        version(word.find('=') == word.npos ? "" : word.substr(name.size() + 1)) {}
  bool means(const apk::IndexRecord& record) const {
    return record.name == name && (version.empty() || record.version == version);
  }
};

Error no_package(const std::string& word, const std::vector<std::string>& names) {
  return Error::make(ErrorKind::kNotFound, "the repository has no package '{}'", word)
      .hint(nearest_hint(Named(word).name, names));
}

/// What clients are told of packages ("name=version") that serial `serial` is the first without.
std::vector<index::Notice> withdrawals(const std::set<std::string, std::less<>>& packages, const std::string& reason,
                                       std::uint64_t serial, Session& session) {
  std::vector<index::Notice> out;
  for (const std::string& package : packages) {
    const Named named(package);
    index::Notice notice;
    notice.package = named.name;
    notice.version = named.version;
    notice.reason = reason;
    notice.serial = serial;
    notice.since = session.env.clock.now_seconds();
    out.push_back(std::move(notice));
  }
  return out;
}

/// The next serial of an edition, without these packages. Their bytes stay for locks and older serials.
Result<int> withdraw(Edition edition, const Arguments& arguments, Session& session) {
  std::optional<index::Serial> newest = TRY(index::head(session.env, edition));
  if (!newest) return Error::make(ErrorKind::kNotFound, "edition {} has no serial yet", name_of(edition));
  const std::uint64_t before = newest->number;
  index::Serial next = *std::move(newest);
  std::vector<std::string> removed, names;
  std::set<std::string, std::less<>> lost, pins;
  for (const index::SerialPackage& package : next.packages) names.push_back(package.record.name);
  for (const std::string& word : arguments.list("PACKAGE")) {
    const std::size_t count = std::erase_if(next.packages, [&](const index::SerialPackage& package) {
      if (!Named(word).means(package.record)) return false;
      removed.push_back(label_of(package.record));
      pins.insert(fmt::format("{}={}", package.record.name, package.record.version));
      lost.insert(package.record.name);
      for (const std::string& provide : package.record.provides) lost.insert(apk::parse_provide(provide).name);
      return true;
    });
    if (count == 0) return no_package(word, names);
  }
  for (const index::SerialPackage& package : next.packages) {
    lost.erase(package.record.name);
    for (const std::string& provide : package.record.provides) lost.erase(apk::parse_provide(provide).name);
  }
  for (const index::SerialPackage& package : next.packages)
    for (const std::string& text : package.record.depends)
      if (const auto atom = apk::read_dependency(text);
          atom && !atom->conflict && lost.find(atom->name) != lost.end())
        return Error::make(ErrorKind::kConflict, "{} depends on '{}', which nothing would give any more",
                           label_of(package.record), text)
            .hint(fmt::format("withdraw it too: `nacre repo remove {} {} …`", name_of(edition), package.record.name));
  std::vector<std::string> images;
  for (const index::SerialImage& image : next.images)
    if (std::any_of(image.packages.begin(), image.packages.end(),
                    [&](const std::string& package) { return pins.contains(package); }))
      images.push_back(image.name);
  next.reason = fmt::format("withdraw {}", join(removed, ", "));
  next.rolled_back_to = 0;
  const std::string reason = arguments.text("--reason");
  const auto notices = withdrawals(pins, reason.empty() ? "no reason was given" : reason, before + 1, session);
  if (!reason.empty()) next.reason += ": " + reason;
  for (const index::Notice& notice : notices) TRY(index::give_notice(session.env, edition, notice));
  auto done = publish_with_index(session, std::move(next), before);
  for (const index::Notice& notice : notices)
    if (!done) TRY(index::take_notice_back(session.env, edition, notice));
  const index::Serial published = TRY(std::move(done));
  Json json;
  json.set("removed", Json::strings(removed)).set("serial", published.number);
  json.set("packages", published.packages.size()).set("images", Json::strings(images));
  std::string text;
  for (const std::string& name : removed) text += fmt::format("removed {}\n", name);
  text += fmt::format("serial {} of edition {}: {} packages\n", published.number, name_of(edition),
                      published.packages.size());
  if (!images.empty()) text += fmt::format("images that hold it still: {}\n", join(images, ", "));
  text += "while its definition stays, the next `nacre up` publishes it again";
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

Result<int> run_remove(const Arguments& arguments, Session& session) {
  if (const auto edition = edition_word(arguments.text("DIR"))) return withdraw(*edition, arguments, session);
  Folder folder = TRY(Folder::open(arguments, session));
  TRY(folder.editable());
  std::vector<std::string> removed, names;
  for (const apk::IndexRecord& record : folder.records()) names.push_back(record.name);
  for (const std::string& word : arguments.list("PACKAGE")) {
    const Named named(word);
    const auto gone = folder.remove([&](const apk::IndexRecord& record) { return named.means(record); });
    if (gone.empty()) return no_package(word, names);
    removed.insert(removed.end(), gone.begin(), gone.end());
  }
  const index::FreshnessReport report = TRY(folder.write());
  say_change(session, "removed", removed, folder.records().size(), report);
  return 0;
}

/// Records of what a word names: an index file, a repository directory or address, or "EDITION@SERIAL" (or a date, or a
/// channel).
Result<std::vector<apk::IndexRecord>> records_of(const std::string& word, const Arch& arch, Session& session) {
  std::vector<apk::IndexRecord> out;
  if (const std::size_t at = word.find('@'); at != word.npos && at > 0 && parse_edition(word.substr(0, at))) {
    const Edition edition = TRY(parse_edition(word.substr(0, at)));
    const index::Moment moment = TRY(index::serial_at(session.env, edition, word.substr(at)), "reading '{}'", word);
    for (const index::SerialPackage& package : moment.serial.packages) out.push_back(package.record);
    return out;
  }
  if (const auto edition = edition_word(word)) {
    const std::optional<index::Serial> newest = TRY(index::head(session.env, *edition));
    if (!newest) return Error::make(ErrorKind::kNotFound, "edition {} has no serial yet", word);
    for (const index::SerialPackage& package : newest->packages) out.push_back(package.record);
    return out;
  }
  const index::RepositoryLine line = TRY(index::parse_repository_line(word));
  std::string file = line.base;
  std::error_code error;
  if (index::is_address(file) || std::filesystem::is_directory(file, error))
    file = fmt::format("{}/{}/{}", line.base, arch.apk, kIndexFile);
  else if (word.ends_with(kIndexFile))
    file = word;
  const index::Fetcher fetcher = TRY(index::Fetcher::make(session.env, index::Reach::kOnline));
  const std::string bytes = TRY(fetcher.read(file, kMaxIndexBytes), "reading '{}'", index::safe_place(file));
  apk::IndexFile index = TRY(apk::read_index(bytes, index::safe_place(file)));
  return std::move(index.records);
}

Result<int> run_diff(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  using Versions = std::map<std::string, std::map<std::string, apk::IndexRecord>>;
  Versions sides[2];
  const std::string words[2] = {arguments.text("A"), arguments.text("B")};
  for (int i = 0; i < 2; ++i) {
    const std::vector<apk::IndexRecord> records = TRY(records_of(words[i], arch, session));
    for (const apk::IndexRecord& record : records) sides[i][record.name].emplace(record.version, record);
  }
  Json added = Json::array(), removed = Json::array(), changed = Json::array();
  std::string text;
  std::int64_t bytes = 0;
  std::set<std::string> names;
  for (const Versions& side : sides)
    for (const auto& [name, versions] : side) names.insert(name);
  for (const std::string& name : names) {
    std::vector<const apk::IndexRecord*> gone, come;
    for (const auto& [version, record] : sides[0][name]) {
      const auto other = sides[1][name].find(version);
      if (other == sides[1][name].end() || other->second.checksum != record.checksum) gone.push_back(&record);
    }
    for (const auto& [version, record] : sides[1][name]) {
      const auto other = sides[0][name].find(version);
      if (other == sides[0][name].end() || other->second.checksum != record.checksum) come.push_back(&record);
    }
    for (const apk::IndexRecord* record : gone) bytes -= static_cast<std::int64_t>(record->size_bytes);
    for (const apk::IndexRecord* record : come) bytes += static_cast<std::int64_t>(record->size_bytes);
    const auto row = [](const apk::IndexRecord& record) {
      Json out;
      return out.set("name", record.name).set("version", record.version).set("sizeBytes", record.size_bytes);
    };
    if (gone.size() == 1 && come.size() == 1) {
      Json out;
      out.set("name", name).set("from", gone[0]->version).set("to", come[0]->version);
      out.set("fromBytes", gone[0]->size_bytes).set("toBytes", come[0]->size_bytes);
      changed.push(out.set("sameVersion", gone[0]->version == come[0]->version));
      text += fmt::format("~ {} {} -> {}{}  {} -> {}\n", name, gone[0]->version, come[0]->version,
                          gone[0]->version == come[0]->version ? " (other bytes)" : "",
                          human_bytes(gone[0]->size_bytes), human_bytes(come[0]->size_bytes));
      continue;
    }
    for (const apk::IndexRecord* record : gone) {
      removed.push(row(*record));
      text += fmt::format("- {} {}  {}\n", name, record->version, human_bytes(record->size_bytes));
    }
    for (const apk::IndexRecord* record : come) {
      added.push(row(*record));
      text += fmt::format("+ {} {}  {}\n", name, record->version, human_bytes(record->size_bytes));
    }
  }
  const bool same = text.empty();
  text += same ? "no difference"
               : fmt::format("{} added, {} removed, {} changed, {}{}", added.items().size(), removed.items().size(),
                             changed.items().size(), bytes < 0 ? "-" : "+",
                             human_bytes(static_cast<std::uint64_t>(bytes < 0 ? -bytes : bytes)));
  Json json;
  json.set("added", std::move(added)).set("removed", std::move(removed)).set("changed", std::move(changed));
  session.print(session.json ? codec::to_pretty_json(json.set("bytes", bytes)) : text);
  return 0;
}

/// File names of packages that a lock speaks of: by address, and by name and version.
void collect_locked(const Json& json, std::set<std::string>& out) {
  if (json.is_string() && json.as_string().ends_with(".apk"))
    out.insert(Path(json.as_string()).filename().string());
  if (json["name"].is_string() && json["version"].is_string())
    out.insert(fmt::format("{}-{}.apk", json["name"].as_string(), json["version"].as_string()));
  for (const Json& item : json.items()) collect_locked(item, out);
  for (const auto& [key, value] : json.members()) collect_locked(value, out);
}

Result<int> run_gc_folder(const Arguments& arguments, Session& session) {
  if (const auto edition = edition_word(arguments.text("DIR")))
    return not_an_edition(*edition, "its packages are blobs of the store, which every serial keeps",
                          "`nacre gc` removes what no serial, lock or image names");
  Folder folder = TRY(Folder::open(arguments, session));
  if (!os::exists(folder.index_path()))
    return Error::make(ErrorKind::kNotFound, "'{}' is no repository: it has no index", folder.packages().string());
  std::set<std::string> kept;
  for (const apk::IndexRecord& record : folder.records()) kept.insert(file_of(record));
  for (const std::string& lock : arguments.list("--lock")) {
    const std::string text = TRY(os::read_file(lock), "reading the lock '{}'", lock);
    const Json json = TRY(codec::parse_json(text, lock));
    collect_locked(json, kept);
  }
  const std::string index = TRY(os::read_file(folder.index_path(), kMaxIndexBytes));
  kept.insert(codec::sha256(index).hex() + "." + std::string(kIndexFile));
  std::vector<std::string> gone;
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder.packages(), error)) {
    std::string name = entry.path().filename().string();
    const bool index_copy = name.ends_with(fmt::format(".{}", kIndexFile));
    if ((!name.ends_with(".apk") && !index_copy) || kept.contains(name)) continue;
    bytes += entry.file_size(error);
    gone.push_back(std::move(name));
  }
  std::sort(gone.begin(), gone.end());
  const bool dry = arguments.flag("--dry-run");
  for (const std::string& name : gone)
    if (!dry)
      for (const char* beside : {"", ".spdx.json", ".intoto.sigstore.json"})
        TRY(os::remove_tree(folder.packages() / (name + beside)));
  Json json;
  json.set("removed", Json::strings(gone)).set("bytes", bytes).set("dryRun", dry);
  std::string text;
  for (const std::string& name : gone) text += name + "\n";
  text += fmt::format("{} files, {}{}", gone.size(), human_bytes(bytes), dry ? ": nothing was removed" : " freed");
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

Result<int> run_import(const Arguments& arguments, Session& session) {
  Folder folder = TRY(Folder::open(arguments, session));
  TRY(folder.editable());
  index::RepositorySource source;
  source.arch = folder.arch();
  source.repositories = arguments.list("--from");
  source.keyring = arguments.list("--key");
  if (source.repositories.empty())
    return Error::make(ErrorKind::kInvalid, "from where? `--from` names a repository")
        .hint("--from https://host/os --key KEY.rsa.pub");
  if (arguments.flag("--ignore-signatures")) source.signatures = index::RepositorySource::Signatures::kIgnore;
  if (arguments.flag("--offline")) source.reach = index::Reach::kOffline;
  const index::Repositories from = TRY(index::Repositories::open(source, session.env));
  std::vector<index::Repositories::Wanted> wanted;
  for (const std::string& word : arguments.list("PACKAGE")) {
    const std::size_t equal = word.find('=');
    const std::string name = word.substr(0, equal), version = equal == word.npos ? "" : word.substr(equal + 1);
    // The highest version, the first repository of several.
    const index::Repositories::Repository* best_from = nullptr;
    apk::RecordView best;
    for (const index::Repositories::Repository& repository : from.all())
      for (const apk::Offer& offer : repository.index->offers(repository.index->find(name))) {
        if (!offer.own || (!version.empty() && offer.version != version)) continue;
        if (best_from != nullptr && apk::compare_versions(offer.version, best.version) <= 0) continue;
        best_from = &repository;
        best = repository.index->record(offer.package);
      }
    if (best_from == nullptr)
      return Error::make(ErrorKind::kNotFound, "no repository named with --from has the package '{}'", word);
    wanted.push_back({best_from, best});
  }
  if (wanted.empty())
    for (const index::Repositories::Repository& repository : from.all())
      for (const apk::PackageNumber i : index::in_text_order(repository.index))
        wanted.push_back({&repository, repository.index->record(i)});
  Task task(session.env.events, fmt::format("import {} packages", wanted.size()));
  const std::vector<Sha256> blobs =
      TRY(from.fetch_all(wanted, [&](std::size_t done) { task.progress(done, wanted.size()); }));
  std::vector<std::string> imported;
  for (const Sha256& blob : blobs) {
    const bool is_new = TRY(folder.add(session.env.store.blob_path(blob)));
    if (is_new) imported.push_back(label_of(folder.records().back()));
  }
  std::optional<index::FreshnessReport> report;
  if (!imported.empty()) report = TRY(folder.write());
  task.finish();
  say_change(session, "imported", imported, folder.records().size(), report);
  return 0;
}

Result<index::FreshnessOptions> freshness_options(const Arguments& arguments) {
  index::FreshnessOptions options;
  options.edition = TRY(edition_of(arguments));
  options.new_root = arguments.flag("--new-root");
  options.root_threshold = static_cast<unsigned>(std::clamp(arguments.number("--root-threshold"), 0L, 64L));
  for (const std::string& file : arguments.list("--root-key")) {
    const std::string pem = TRY(os::read_file(file));
    options.root_keys.push_back(TRY(crypto::PublicKey::from_pem(pem), "reading the key '{}'", file));
  }
  for (const std::string& file : arguments.list("--sign-with")) {
    const std::string pem = TRY(os::read_file(file));
    options.root_signers.push_back(TRY(crypto::PrivateKey::from_pem(pem), "reading the key '{}'", file));
  }
  return options;
}

/// When each role's word ends, and when to renew it. Exit code 1: something is due now.
Result<int> say_due(const std::optional<Edition>& edition, const std::string& folder,
                    const index::FreshnessOptions& options, Session& session) {
  index::MetadataFiles files;
  if (edition) files = TRY(index::edition_metadata(session.env, *edition));
  else files = TRY(index::folder_metadata(folder));
  const std::string who = edition ? fmt::format("edition {}", name_of(*edition)) : fmt::format("'{}'", folder);
  const std::vector<index::FreshnessDue> rows = TRY(index::freshness_due(files, options), "reading the metadata of {}",
                                                    who);
  if (rows.empty())
    return Error::make(ErrorKind::kNotFound, "{} has no freshness metadata", who)
        .hint(edition ? "`nacre up` writes it" : "`nacre repo refresh DIR` writes it");
  const std::string now = os::rfc3339(session.env.clock.now_seconds());
  bool late = false;
  Json json = Json::array();
  std::string text;
  for (const index::FreshnessDue& row : rows) {
    const bool due = row.due <= now;
    late = late || due;
    Json out;
    out.set("role", index::name_of(row.role)).set("version", row.version).set("due", row.due);
    json.push(out.set("expires", row.expires).set("isDue", due));
    text += fmt::format("{:<10} {:>5}  renew at {}  good until {}{}\n", index::name_of(row.role), row.version, row.due,
                        row.expires, row.expires <= now ? "  EXPIRED" : due ? "  due" : "");
  }
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return late ? 1 : 0;
}

Result<int> run_refresh(const Arguments& arguments, Session& session) {
  index::FreshnessOptions options = TRY(freshness_options(arguments));
  std::string folder = arguments.text("DIR");
  std::optional<Edition> edition = edition_word(folder);
  if (folder.empty()) edition = options.edition;
  if (edition) options.edition = *edition;
  if (arguments.flag("--check")) return say_due(edition, folder, options, session);
  std::optional<index::FreshnessReport> report;
  if (edition) {
    report = TRY(index::refresh_edition(session.env, session.signer, options));
    if (!report)
      return Error::make(ErrorKind::kNotFound, "edition {} has no serial yet", name_of(*edition))
          .hint("`nacre up` makes the first, and its metadata");
  } else {
    const Folder opened = TRY(Folder::open(arguments, session));
    TRY(opened.editable());
    report = TRY(index::write_freshness(folder, session.signer, session.env.clock, options));
  }
  Json json;
  json.set("root", report->root).set("targets", report->targets).set("snapshot", report->snapshot);
  json.set("timestamp", report->timestamp).set("timestampExpires", report->timestamp_expires);
  json.set("rootExpires", report->root_expires).set("indexes", Json::strings(report->indexes));
  session.print(session.json ? codec::to_pretty_json(json)
                             : fmt::format("timestamp {} of {} indexes, good until {}; root {} until {}",
                                           report->timestamp, report->indexes.size(), report->timestamp_expires,
                                           report->root, report->root_expires));
  return 0;
}

Result<int> run_trust(const Arguments& arguments, Session& session) {
  const std::string word = arguments.text("REPOSITORY");
  if (!word.empty()) {
    const index::RepositoryLine line = TRY(index::parse_repository_line(word));
    if (arguments.flag("--forget")) {
      const bool known = TRY(index::forget_root(session.env, line.base));
      if (!known) return Error::make(ErrorKind::kNotFound, "no root is trusted for '{}'", word);
    } else if (const std::string file = arguments.text("--root"); !file.empty()) {
      const std::string bytes = TRY(os::read_file(file, 1u << 20), "reading the root '{}'", file);
      TRY(index::trust_root(session.env, line.base, bytes));
    } else {
      return Error::make(ErrorKind::kInvalid, "say which root to trust: --root FILE").hint("--forget ends the trust");
    }
  }
  const std::vector<index::TrustedRepository> all = TRY(index::trusted_repositories(session.env));
  Json json = Json::array();
  std::string text;
  for (const index::TrustedRepository& row : all) {
    Json out;
    out.set("repository", row.base).set("root", row.root).set("timestamp", row.timestamp);
    json.push(out.set("snapshot", row.snapshot).set("targets", row.targets));
    text += fmt::format("{}  root {}, timestamp {}\n", row.base, row.root, row.timestamp);
  }
  if (all.empty()) text = "no root is trusted for any repository";
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

const Argument kFolderArgument{"DIR", "the repository directory", true, false, Completion::kFolder};
const Argument kEditionArgument{"DIR", "the repository directory, or the name of an edition", true, false,
                                Completion::kFolder};

Verb make(std::string name, std::string summary, std::vector<Argument> arguments, std::vector<Option> options,
          std::function<Result<int>(const Arguments&, Session&)> run) {
  Verb verb;
  verb.name = "repo " + std::move(name);
  verb.summary = std::move(summary);
  verb.arguments = std::move(arguments);
  verb.options = std::move(options);
  verb.run = std::move(run);
  return verb;
}

}  // namespace

std::vector<Verb> verbs_repo() {
  const Option key{"--key", OptionType::kList, "FILE", "", "a public key to believe", Completion::kFile};
  return {
      make("add", "take packages into a repository directory, signed with the edition's key",
           {kFolderArgument, {"FILE", "an .apk", true, true, Completion::kFile}}, {kEditionOption,
                                                                                   kArchOption}, run_add),
      make("remove", "withdraw packages from a repository directory or an edition; their bytes stay for locks",
           {kEditionArgument, {"PACKAGE", "NAME or NAME=VERSION", true, true}}, {kEditionOption,
                                                                                kArchOption,
            {"--reason", OptionType::kText, "TEXT", "", "of an edition: what clients are told", Completion::kNone}},
           run_remove),
      make("diff", "compare two indexes, repositories or serials",
           {{"A", "index file, directory, address, EDITION or EDITION@SERIAL|DATE|CHANNEL", true, false,
             Completion::kFile},
            {"B", "likewise", true, false, Completion::kFile}},
           {kArchOption}, run_diff),
      make("gc", "remove what neither the index nor a lock names", {kFolderArgument},
           {kEditionOption, kArchOption,
            {"--lock", OptionType::kList, "FILE", "", "keep what this lock names", Completion::kFile},
            {"--dry-run", OptionType::kFlag, "", "", "only say what would go"}},
           run_gc_folder),
      make("import", "bring packages of another repository, checked against its signed index",
           {kFolderArgument, {"PACKAGE", "NAME or NAME=VERSION; none: all", false, true}},
           {kEditionOption, kArchOption,
            {"--from", OptionType::kList, "REPOSITORY", "", "address or directory", Completion::kFolder}, key,
            {"--ignore-signatures", OptionType::kFlag, "", "", "believe an index that no key vouches for"},
            {"--offline", OptionType::kFlag, "", "", "open no socket: only what was brought before"}},
           run_import),
      make("refresh", "sign the freshness metadata of an edition or a repository directory anew",
           {{"DIR", "the repository directory, or the name of an edition; none: --edition", false, false,
             Completion::kFolder}},
           {kEditionOption, kArchOption,
            {"--check", OptionType::kFlag, "", "", "sign nothing: say when each is due; exit code 1 when one is"},
            {"--new-root", OptionType::kFlag, "", "", "make the next root"},
            {"--root-key", OptionType::kList, "FILE", "", "a public key of the next root beside ours",
             Completion::kFile},
            {"--root-threshold", OptionType::kNumber, "N", "0", "signatures that a root needs; 0: as before"},
            {"--sign-with", OptionType::kList, "FILE", "", "a private root key to sign the root with",
             Completion::kFile}},
           run_refresh),
      make("trust", "trust a root for a repository, whose freshness is checked from then on; without one: list",
           {{"REPOSITORY", "address or directory", false, false, Completion::kFolder}},
           {{"--root", OptionType::kText, "FILE", "", "root.json, from a source that you trust", Completion::kFile},
            {"--forget", OptionType::kFlag, "", "", "end the trust, and forget the versions seen"}},
           run_trust)};
}

}  // namespace nacre::cli
