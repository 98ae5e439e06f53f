#include "apk/dependency.h"
#include "apk/index_pieces.h"
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
#include "os/threads.h"
#include "store/store.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxIndexBytes = 256u << 20;
constexpr std::string_view kIndexFile = "APKINDEX.tar.gz";

std::string file_of(const apk::IndexRecord& record) { return fmt::format("{}-{}.apk", record.name, record.version); }
std::string label_of(const apk::IndexRecord& record) { return fmt::format("{}-{}", record.name, record.version); }

std::vector<std::string> labels_of(const std::vector<apk::IndexRecord>& records) {
  std::vector<std::string> out;
  for (const apk::IndexRecord& record : records) out.push_back(label_of(record));
  return out;
}

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

/// A repository directory that this edition signs: its records, and how they are written again. Nobody else of this
/// home changes it while one of these lives.
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
    std::error_code error;
    const Path whole = std::filesystem::weakly_canonical(out.path_, error);
    const std::string place = (error ? out.path_ : whole).string();
    out.alone_ = TRY(session.env.store.lease(fmt::format("repository/{}", codec::sha256(place).hex())));
    if (!os::exists(out.index_path())) return out;
    const std::string source = out.index_path().string();
    *out.bytes_ = TRY(os::read_file(out.index_path(), kMaxIndexBytes));
    const apk::IndexSignatures head = TRY(apk::read_index_signatures(*out.bytes_, source));
    const std::string_view member = std::string_view(*out.bytes_).substr(head.signed_from);
    // What is signed again must have been ours, or a changed index would come out of here with a good signature.
    const crypto::PublicKey key = TRY(session.signer.public_key(out.edition_, crypto::Purpose::kPackage));
    if (!head.best || !key.verify(member, head.best->bytes))
      return Error::make(ErrorKind::kDenied, "the index '{}' is not signed by the key of edition {}", source,
                         name_of(out.edition_))
          .hint("only a repository of this edition is edited; `nacre repo import` takes packages from others");
    out.digest_ = codec::sha256(*out.bytes_);
    out.pieces_ = TRY(apk::IndexPieces::open(member, source));
    if (out.pieces_) out.description_ = out.pieces_->description();
    else TRY(out.load());
    return out;
  }

  /// Reads every record of an index in pieces; of others it was done when it was opened.
  Result<> load() {
    if (loaded_ || bytes_->empty()) return {};
    apk::IndexFile index = TRY(apk::read_index(*bytes_, index_path().string()));
    before_ = index.records;
    records_ = std::move(index.records);
    description_ = std::move(index.description);
    for (const apk::IndexRecord& record : records_)
      checksums_.emplace(std::pair(record.name, record.version), record.checksum);
    loaded_ = true;
    return {};
  }

  /// That it is a repository already.
  Result<> there() const {
    if (os::exists(index_path())) return {};
    return Error::make(ErrorKind::kNotFound, "'{}' is no repository: it has no index", packages().string());
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
  const std::vector<apk::IndexRecord>& records() const { return records_; }  ///< After load().
  const std::vector<apk::IndexRecord>& added() const { return added_; }
  /// Of packages, after what was added and removed.
  std::uint64_t size() const {
    return pieces_ ? pieces_->record_count() + added_.size() - removed_.size() : records_.size();
  }
  const Arch& arch() const { return arch_; }

  /// Takes packages in, several at once: copies with this edition's signature, checked as a whole. Those that are
  /// there already are passed over. `done` hears how many were looked at. What came in before an error stays for
  /// write().
  Result<> add(const std::vector<Path>& files, const std::function<void(std::size_t done)>& done) {
    constexpr std::size_t kBatch = 64, kFew = 16;
    // Whoever adds a few does not wait for all else that the machine is writing.
    const os::Sync sync = files.size() <= kFew ? os::Sync::kYes : os::Sync::kNo;
    sync_all_ = sync_all_ || sync == os::Sync::kNo;
    clear_leftovers();
    for (std::size_t begin = 0; begin < files.size(); begin += kBatch) {
      if (session_.env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
      const std::size_t count = std::min(kBatch, files.size() - begin);
      std::vector<std::optional<apk::PackageFile>> read(count);
      const auto read_one = [&](std::size_t i) -> Result<> {
        read[i] = TRY(apk::read_package(files[begin + i]), "adding '{}'", files[begin + i].string());
        return {};
      };
      TRY(os::for_each(count, 0, read_one));
      std::vector<std::size_t> fresh;
      for (std::size_t i = 0; i < count; ++i) {
        const bool is_new = TRY(admit(files[begin + i], *read[i]), "adding '{}'", files[begin + i].string());
        if (is_new) fresh.push_back(i);
      }
      std::vector<std::optional<apk::IndexRecord>> placed(fresh.size());
      const auto place_one = [&](std::size_t k) -> Result<> {
        const Path& file = files[begin + fresh[k]];
        placed[k] = TRY(place(file, *read[fresh[k]], sync), "adding '{}'", file.string());
        return {};
      };
      TRY(os::for_each(fresh.size(), 0, place_one));
      for (std::optional<apk::IndexRecord>& record : placed) {
        checksums_.insert_or_assign({record->name, record->version}, record->checksum);
        if (!pieces_) records_.push_back(*record);
        added_.push_back(*std::move(record));
      }
      done(begin + count);
    }
    return {};
  }

  /// Takes out of the index what `goes` says; names and versions of it. The files stay, for locks. After load().
  template <class Goes>
  std::vector<std::string> remove(const Goes& goes) {
    std::vector<std::string> out;
    std::erase_if(records_, [&](const apk::IndexRecord& record) {
      if (!goes(record)) return false;
      out.push_back(label_of(record));
      checksums_.erase({record.name, record.version});
      removed_.push_back(record);
      return true;
    });
    return out;
  }

  /// Index and metadata, written anew.
  Result<index::FreshnessReport> write() {
    const apk::SegmentSigner signer = index::segment_signer(session_.signer, edition_);
    std::string bytes;
    bool in_order = true;  // of what was read; the mapped form follows in no other
    if (pieces_) {
      bytes = TRY(pieces_->edited(added_, removed_, signer));
    } else {
      in_order = std::is_sorted(before_.begin(), before_.end(), apk::comes_before);
      std::sort(records_.begin(), records_.end(), apk::comes_before);
      bytes = TRY(apk::pack_index(records_, description_, signer));
    }
    TRY(os::make_dirs(packages()));
    // What the index names is on the disk before it.
    if (sync_all_) TRY(os::sync_file_system(packages()));
    TRY(os::write_file(index_path(), bytes, 0644, os::Sync::kYes));
    if (in_order)
      (void)TRY(index::follow_kept_index(session_.env.store, digest_, codec::sha256(bytes), added_, removed_));
    index::FreshnessOptions options;
    options.edition = edition_;
    return index::write_freshness(path_, session_.signer, session_.env.clock, options);
  }

  /// After an edit that was asked for: index and metadata when packages came, else what of the metadata is missing, as
  /// a run leaves it that ended after its index. Nothing when nothing was written.
  Result<std::optional<index::FreshnessReport>> settle() {
    std::optional<index::FreshnessReport> out;
    if (!added_.empty()) {
      out = TRY(write());
    } else if (!bytes_->empty()) {
      index::FreshnessOptions options;
      options.edition = edition_;
      options.renew = index::Renew::kWhenDue;
      out = TRY(index::write_freshness(path_, session_.signer, session_.env.clock, options));
      if (!out->changed) out.reset();
    }
    return out;
  }

 private:
  explicit Folder(Session& session) : session_(session) {}

  /// Whether a package is new here; an error when it does not belong here.
  Result<bool> admit(const Path& file, const apk::PackageFile& package) {
    const apk::IndexRecord record = package.record();
    if (record.arch != arch_.apk && record.arch != "noarch" && record.arch != "all")
      return Error::make(ErrorKind::kInvalid, "'{}' is of architecture {}, the repository of {}", file.string(),
                         record.arch, arch_.apk);
    const std::optional<std::string> known = TRY(checksum_of(record));
    if (!known) {
      checksums_.emplace(std::pair(record.name, record.version), record.checksum);
      return true;
    }
    if (*known == record.checksum) return false;
    return Error::make(ErrorKind::kConflict, "{} is in the repository with other bytes ({}, and now {})",
                       label_of(record), *known, record.checksum)
        .hint("a name means one content for ever: raise the epoch, or use another repository");
  }

  /// Any thread. The record of the package as it stands here.
  Result<apk::IndexRecord> place(const Path& file, const apk::PackageFile& package, os::Sync sync) const {
    TRY(os::make_dirs(packages()));
    const Path to = packages() / file_of(package.record());
    bool there = os::exists(to);
    if (there) {
      // Withdrawn earlier, and kept for locks: it may come back, but not as something else. Or a run ended before its
      // index was written; when that was with the machine's power, the file may be no whole package.
      const auto kept = apk::read_package(to);
      there = kept.has_value();
      if (there && kept->checksum() != package.record().checksum)
        return Error::make(ErrorKind::kConflict, "'{}' is there with other bytes, kept for locks", to.string())
            .hint("a name means one content for ever: raise the epoch");
    }
    if (!there) {
      TRY(apk::sign_package_to(to, file, package, index::segment_signer(session_.signer, edition_), sync));
    }
    const apk::PackageFile placed = TRY(apk::read_package_header(to));
    return placed.record();
  }

  /// Half-made files of a run that was killed: hidden, and nobody writes one for so long.
  void clear_leftovers() const {
    constexpr auto kLongest = std::chrono::hours(1);
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(packages(), error)) {
      const auto since = entry.last_write_time(error);
      if (error || !entry.path().filename().string().starts_with('.') || !entry.is_regular_file(error)) continue;
      if (std::filesystem::file_time_type::clock::now() - since > kLongest)
        std::filesystem::remove(entry.path(), error);
    }
  }

  /// Of the package that has this name and version here; nothing when none has.
  Result<std::optional<std::string>> checksum_of(const apk::IndexRecord& record) {
    std::optional<std::string> out;
    if (const auto known = checksums_.find({record.name, record.version}); known != checksums_.end()) {
      out = known->second;
    } else if (pieces_ && !loaded_) {
      const std::vector<apk::IndexRecord> same = TRY(pieces_->named(record.name));
      for (const apk::IndexRecord& other : same)
        if (other.version == record.version) out = other.checksum;
    }
    return out;
  }

  Session& session_;
  Edition edition_ = Edition::kCommunity;
  Arch arch_ = host_arch();
  Path path_;
  std::optional<store::Lease> alone_;
  std::unique_ptr<std::string> bytes_ = std::make_unique<std::string>();  ///< Of the index; pieces_ lie in it.
  std::optional<apk::IndexPieces> pieces_;
  bool loaded_ = false, sync_all_ = false;
  std::vector<apk::IndexRecord> before_, records_;  ///< As it was read, and as it becomes.
  std::vector<apk::IndexRecord> added_, removed_;
  std::map<std::pair<std::string, std::string>, std::string> checksums_;  ///< Of what was read or added.
  Sha256 digest_;                                   ///< Of the index that was read.
  std::string description_;
};

/// The answer of a verb that changed a repository.
void say_change(Session& session, std::string_view what, const std::vector<std::string>& names, std::uint64_t packages,
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
  Task task(session.env.events, "add packages");
  TRY(folder.add({files.begin(), files.end()}, [&](std::size_t done) { task.progress(done, files.size()); }));
  const std::vector<std::string> added = labels_of(folder.added());
  const std::optional<index::FreshnessReport> report = TRY(folder.settle());
  task.finish();
  say_change(session, "added", added, folder.size(), report);
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

/// `there`: what the repository has, as NAME=VERSION.
Error no_package(const std::string& word, const std::vector<std::string>& there) {
  const Named wanted(word);
  std::vector<std::string> names, same;
  for (const std::string& each : there) {
    names.push_back(Named(each).name);
    if (names.back() == wanted.name) same.push_back(each);
  }
  return Error::make(ErrorKind::kNotFound, "the repository has no package '{}'", word)
      .hint(same.empty() ? nearest_hint(wanted.name, names) : "it has " + join(same, ", "));
}

std::string pin_of(const apk::IndexRecord& record) { return fmt::format("{}={}", record.name, record.version); }


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
  if (!newest) return no_serial_yet(edition);
  const std::uint64_t before = newest->number;
  index::Serial next = *std::move(newest);
  std::vector<std::string> removed, there;
  std::set<std::string, std::less<>> lost, pins;
  for (const index::SerialPackage& package : next.packages) there.push_back(pin_of(package.record));
  for (const std::string& word : arguments.list("PACKAGE")) {
    const std::size_t count = std::erase_if(next.packages, [&](const index::SerialPackage& package) {
      if (!Named(word).means(package.record)) return false;
      removed.push_back(label_of(package.record));
      pins.insert(pin_of(package.record));
      lost.insert(package.record.name);
      for (const std::string& provide : package.record.provides) lost.insert(apk::parse_provide(provide).name);
      return true;
    });
    if (count == 0) return no_package(word, there);
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
  TRY(folder.there());
  TRY(folder.editable());
  TRY(folder.load());
  std::vector<std::string> removed, there;
  for (const apk::IndexRecord& record : folder.records()) there.push_back(pin_of(record));
  for (const std::string& word : arguments.list("PACKAGE")) {
    const Named named(word);
    const auto gone = folder.remove([&](const apk::IndexRecord& record) { return named.means(record); });
    if (gone.empty()) {
      if (removed.empty()) (void)TRY(folder.settle());  // removed by a run that was killed before its metadata
      return no_package(word, there);
    }
    removed.insert(removed.end(), gone.begin(), gone.end());
  }
  const index::FreshnessReport report = TRY(folder.write());
  say_change(session, "removed", removed, folder.size(), report);
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
  TRY(folder.there());
  TRY(folder.load());
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
  Task fetching(session.env.events, fmt::format("fetch {} packages", wanted.size()));
  const std::vector<Sha256> blobs =
      TRY(from.fetch_all(wanted, [&](std::size_t done) { fetching.progress(done, wanted.size()); }));
  fetching.finish();
  Task task(session.env.events, fmt::format("import {} packages", wanted.size()));
  std::vector<Path> files;
  for (const Sha256& blob : blobs) {
    const Path file = TRY(session.env.store.local(blob));
    files.push_back(file);
  }
  TRY(folder.add(files, [&](std::size_t done) { task.progress(done, wanted.size()); }));
  const std::vector<std::string> imported = labels_of(folder.added());
  const std::optional<index::FreshnessReport> report = TRY(folder.settle());
  task.finish();
  say_change(session, "imported", imported, folder.size(), report);
  return 0;
}

Result<index::FreshnessOptions> freshness_options(const Arguments& arguments) {
  index::FreshnessOptions options;
  options.edition = TRY(edition_of(arguments));
  options.new_root = arguments.flag("--new-root");
  if (!options.new_root)
    for (const char* option : {"--root-key", "--root-threshold"})
      if (!arguments.list(option).empty() && arguments.text(option) != "0")
        return Error::make(ErrorKind::kInvalid, "{} says what the next root is like: give --new-root, too", option);
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
      TRY(index::trust_root(session.env, line.base, bytes), "reading the root '{}'", file);
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
