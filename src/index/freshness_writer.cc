#include "base/encoding.h"
#include "base/number.h"
#include "codec/digest.h"
#include "index/channels.h"
#include "index/freshness.h"
#include "store/store.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>

// What a publisher writes: src/index/freshness.h says what, docs/formats/freshness.md how it looks.
namespace nacre::index {
namespace {

using codec::Json;

constexpr std::int64_t kDay = 24 * 3600;
constexpr std::string_view kIndexFile = "APKINDEX.tar.gz";
constexpr std::uint64_t kMaxIndexBytes = 256u << 20, kMaxMetadataBytes = 16u << 20;
/// Metadata is renewed when less than this part of its life is left; a timestamp, which is cheap, a day after it was
/// made.
constexpr int kRenewPart = 4;
constexpr std::size_t kKeptVersions = 8;  ///< Of targets and snapshot of an edition, for readers who are under way.

/// Of a time whose form parse_metadata() checked.
std::int64_t seconds_of(const std::string& time) {
  const auto part = [&](std::size_t at, std::size_t size) {
    return whole_number<unsigned>(std::string_view(time).substr(at, size)).value_or(0);
  };
  const std::chrono::year_month_day day{std::chrono::year{static_cast<int>(part(0, 4))},
                                        std::chrono::month{part(5, 2)}, std::chrono::day{part(8, 2)}};
  const std::int64_t days = std::chrono::sys_days{day}.time_since_epoch().count();
  return days * kDay + part(11, 2) * 3600 + part(14, 2) * 60 + part(17, 2);
}

Json key_json(const crypto::PublicKey& key) {
  const bool ecdsa = key.kind() == crypto::KeyKind::kEcdsaP256;
  Json value;
  value.set("public", key.pem());
  Json out;
  out.set("keytype", ecdsa ? "ecdsa" : "rsa").set("scheme", ecdsa ? "ecdsa-sha2-nistp256" : "rsa-pkcs1v15-sha256");
  return out.set("keyval", std::move(value));
}

Result<std::string> key_id(const crypto::PublicKey& key) {
  const std::string text = TRY(canonical_json(key_json(key)));
  return codec::sha256(text).hex();
}

/// Who can sign: id and what does it.
struct Hand {
  std::string id;
  std::function<Result<std::string>(std::string_view)> sign;
};

/// The version in "N.ROLE.json"; nothing for other names.
std::optional<std::uint64_t> version_in_name(std::string_view name, Role role) {
  const std::string end = fmt::format(".{}.json", name_of(role));
  if (!name.ends_with(end)) return std::nullopt;
  name.remove_suffix(end.size());
  if (name.empty() || name.size() > 12) return std::nullopt;
  return whole_number<std::uint64_t>(name);
}

/// What a repository has of metadata now.
class Shelf {
 public:
  virtual ~Shelf() = default;
  virtual Result<std::vector<std::string>> names() const = 0;
  virtual Result<std::optional<std::string>> read(const std::string& name) const = 0;
};

class FolderShelf final : public Shelf {
 public:
  explicit FolderShelf(os::Path tuf) : tuf_(std::move(tuf)) {}
  Result<std::vector<std::string>> names() const override {
    std::vector<std::string> out;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(tuf_, error))
      out.push_back(entry.path().filename().string());
    return out;
  }
  Result<std::optional<std::string>> read(const std::string& name) const override {
    std::optional<std::string> out;
    if (os::exists(tuf_ / name)) out = TRY(os::read_file(tuf_ / name, kMaxMetadataBytes));
    return out;
  }

 private:
  os::Path tuf_;
};

class MapShelf final : public Shelf {
 public:
  explicit MapShelf(const MetadataFiles& files) : files_(files) {}
  Result<std::vector<std::string>> names() const override {
    std::vector<std::string> out;
    for (const auto& [name, bytes] : files_) out.push_back(name);
    return out;
  }
  Result<std::optional<std::string>> read(const std::string& name) const override {
    const auto found = files_.find(name);
    return found == files_.end() ? std::optional<std::string>() : std::optional(found->second);
  }

 private:
  const MetadataFiles& files_;
};

/// An index that metadata names.
struct Target {
  std::string name;  ///< "ARCH/APKINDEX.tar.gz"
  Sha256 digest;
  std::uint64_t size = 0;
};

/// Makes the documents that are to be written, in their order; writes none itself.
class Writer {
 public:
  Writer(const Shelf& shelf, crypto::Signer& signer, os::Clock& clock, const FreshnessOptions& options)
      : shelf_(shelf), signer_(signer), options_(options), now_(clock.now_seconds()) {}

  Result<FreshnessReport> run(const std::vector<Target>& targets) {
    TRY(write_root());
    const std::string document = TRY(write_targets(targets));
    const std::string snapshot = TRY(write_listing(Role::kSnapshot, options_.days.snapshot, Role::kTargets, document,
                                                   report_.snapshot));
    (void)TRY(write_listing(Role::kTimestamp, options_.days.timestamp, Role::kSnapshot, snapshot, report_.timestamp));
    return report_;
  }

  const std::vector<std::pair<std::string, std::string>>& written() const { return written_; }

 private:
  std::string in_days(int days) const { return os::rfc3339(now_ + days * kDay); }
  bool near_its_end(const std::string& expires, int days) const {
    return expires < os::rfc3339(now_ + days * kDay / kRenewPart);
  }

  Json header(Role role, std::uint64_t version, int days) const {
    Json out;
    out.set("_type", name_of(role)).set("spec_version", "1.0.31").set("version", version);
    if (!options_.channel.empty()) out.set(std::string(kChannelKey), options_.channel);
    return out.set("expires", in_days(days));
  }

  Hand hand_of(crypto::Purpose purpose, std::string id) {
    return {std::move(id), [this, purpose](std::string_view bytes) {
              return signer_.sign(options_.edition, purpose, bytes);
            }};
  }

  Result<std::string> sign(const Json& body, const std::vector<Hand>& hands) const {
    const std::string bytes = TRY(canonical_json(body));
    Json signatures = Json::array();
    for (const Hand& hand : hands) {
      const std::string signature = TRY(hand.sign(bytes));
      Json row;
      row.set("keyid", hand.id).set("sig", to_hex(signature));
      signatures.push(std::move(row));
    }
    Json out;
    out.set("signatures", std::move(signatures)).set("signed", body);
    return codec::to_pretty_json(out, 1);
  }

  void put(const std::string& name, const std::string& bytes) { written_.emplace_back(name, bytes); }

  /// The newest document of a role that is here and says what it should: its version, else 0.
  struct Present {
    std::uint64_t version = 0;
    std::optional<Metadata> metadata;
    std::string bytes;
  };
  Result<Present> newest(Role role) const {
    Present out;
    const std::vector<std::string> names = TRY(shelf_.names());
    for (const std::string& name : names) out.version = std::max(out.version, version_in_name(name, role).value_or(0));
    const std::string file =
        role == Role::kTimestamp ? "timestamp.json" : fmt::format("{}.{}.json", out.version, name_of(role));
    auto bytes = TRY(shelf_.read(file));
    if (!bytes) return out;
    out.bytes = *std::move(bytes);
    out.metadata = TRY(parse_metadata(out.bytes, role, file));
    out.version = out.metadata->version;
    return out;
  }

  // ---- root ----

  Result<> write_root() {
    online_ = TRY(signer_.public_key(options_.edition, crypto::Purpose::kFreshness));
    online_id_ = TRY(key_id(*online_));
    const Present before = TRY(newest(Role::kRoot));
    if (before.metadata) {
      const Root root = TRY(parse_root(*before.metadata));
      const auto& ids = root.roles.at(Role::kTimestamp).ids;
      const bool ours = std::find(ids.begin(), ids.end(), online_id_) != ids.end();
      report_.root = root.version;
      report_.root_expires = root.expires;
      const auto latest = TRY(shelf_.read("root.json"));
      if (latest != before.bytes) put("root.json", before.bytes);  // a run ended between the two
      if (ours && !options_.new_root && !near_its_end(root.expires, options_.days.root)) return {};
      auto written = next_root(root);
      if (written || !ours || options_.new_root) return written;
      // Near its end, and its keys are not here: good until then, and whoever reads the report sees the date.
      return root.expires > os::rfc3339(now_) ? Result<>{} : std::move(written);
    }
    return next_root(std::nullopt);
  }

  Result<> next_root(const std::optional<Root>& before) {
    const crypto::PublicKey mine = TRY(signer_.public_key(options_.edition, crypto::Purpose::kRoot));
    std::map<std::string, crypto::PublicKey> keys;
    std::vector<Hand> hands;
    const std::string my_id = TRY(key_id(mine));
    hands.push_back(hand_of(crypto::Purpose::kRoot, my_id));
    for (const crypto::PrivateKey& key : options_.root_signers) {
      const std::string id = TRY(key_id(key.public_key()));
      hands.push_back({id, [&key](std::string_view bytes) { return key.sign(bytes); }});
    }
    // The keys that were asked for, or those that were there.
    if (before && options_.root_keys.empty()) {
      for (const std::string& id : before->roles.at(Role::kRoot).ids)
        if (const auto key = before->keys.find(id); key != before->keys.end()) keys.emplace(id, key->second);
    } else {
      keys.emplace(my_id, mine);
      for (const crypto::PublicKey& key : options_.root_keys) keys.emplace(TRY(key_id(key)), key);
    }
    unsigned threshold = options_.root_threshold;
    if (threshold == 0) threshold = before ? before->roles.at(Role::kRoot).threshold : 1;
    if (threshold > keys.size())
      return Error::make(ErrorKind::kInvalid, "a root of {} keys cannot ask for {} signatures", keys.size(), threshold);

    Json names = Json::array();
    Json key_rows = Json::object();
    for (const auto& [id, key] : keys) {
      names.push(id);
      key_rows.set(id, key_json(key));
    }
    key_rows.set(online_id_, key_json(*online_));
    Json roles = Json::object();
    for (const Role role : kRoles) {
      Json row;
      row.set("keyids", role == Role::kRoot ? names : Json::array({Json(online_id_)}));
      roles.set(std::string(name_of(role)), row.set("threshold", role == Role::kRoot ? std::uint64_t{threshold} : 1));
    }
    const std::uint64_t version = before ? before->version + 1 : 1;
    Json body = header(Role::kRoot, version, options_.days.root);
    body.set("consistent_snapshot", true).set("keys", std::move(key_rows)).set("roles", std::move(roles));
    // Only hands whose keys the old or the new root knows.
    std::erase_if(hands, [&](const Hand& hand) {
      return !keys.contains(hand.id) && !(before && before->keys.contains(hand.id));
    });
    const std::string bytes = TRY(sign(body, hands));
    const std::string name = fmt::format("{}.root.json", version);
    const Metadata made = TRY(parse_metadata(bytes, Role::kRoot, name));
    const Root root = TRY(parse_root(made));
    for (const Root* rule : {&root, before ? &*before : &root}) {
      auto enough = check_signatures(made, *rule, name);
      if (!enough)
        return Error::make(ErrorKind::kDenied,
                           "root {} needs {} signatures of root {}'s keys, and fewer can be given here", version,
                           rule->roles.at(Role::kRoot).threshold, rule->version)
            .hint("bring the keys: `nacre repo refresh --new-root --sign-with KEY.pem`");
    }
    put(name, bytes);
    put("root.json", bytes);
    report_.root = version;
    report_.root_expires = made.expires;
    return {};
  }

  // ---- what the online key signs ----

  std::vector<Hand> online() { return {hand_of(crypto::Purpose::kFreshness, online_id_)}; }

  /// Whether the present document says the same, is signed by today's key, and has time left.
  Result<bool> still_good(const Present& before, const std::string& key, const Json& content, int days) const {
    if (!before.metadata) return false;
    const auto& signatures = before.metadata->signatures;
    const bool ours = std::any_of(signatures.begin(), signatures.end(),
                                  [&](const auto& s) { return s.first == online_id_; });
    const std::string is = TRY(canonical_json(before.metadata->body[key])), wanted = TRY(canonical_json(content));
    return ours && is == wanted && !near_its_end(before.metadata->expires, days);
  }

  Result<std::string> write_targets(const std::vector<Target>& targets) {
    Json content = Json::object();
    for (const Target& target : targets) {
      Json row, hashes;
      hashes.set("sha256", target.digest.hex());
      row.set("length", target.size).set("hashes", std::move(hashes));
      content.set(target.name, std::move(row));
      report_.indexes.push_back(target.name);
    }
    const Present before = TRY(newest(Role::kTargets));
    report_.targets = before.version;
    if (TRY(still_good(before, "targets", content, options_.days.targets))) return before.bytes;
    Json body = header(Role::kTargets, ++report_.targets, options_.days.targets);
    const std::string bytes = TRY(sign(body.set("targets", std::move(content)), online()));
    put(fmt::format("{}.targets.json", report_.targets), bytes);
    return bytes;
  }

  /// Snapshot and timestamp: which version, length and digest the document below has.
  Result<std::string> write_listing(Role role, int days, Role below, std::string_view document,
                                    std::uint64_t& version) {
    const Metadata named = TRY(parse_metadata(document, below, name_of(below)));
    Json row, hashes, content;
    hashes.set("sha256", codec::sha256(document).hex());
    row.set("version", named.version).set("length", std::uint64_t{document.size()}).set("hashes", std::move(hashes));
    content.set(fmt::format("{}.json", name_of(below)), std::move(row));
    const Present before = TRY(newest(role));
    version = before.version;
    const bool last = role == Role::kTimestamp;
    const bool good = TRY(still_good(before, "meta", content, days));
    if (good && (!last || (options_.renew == Renew::kWhenDue && before.metadata->expires >= in_days(days - 1)))) {
      if (last) report_.timestamp_expires = before.metadata->expires;
      return before.bytes;
    }
    Json body = header(role, ++version, days);
    const std::string bytes = TRY(sign(body.set("meta", std::move(content)), online()));
    if (last) report_.timestamp_expires = in_days(days);
    put(last ? "timestamp.json" : fmt::format("{}.{}.json", version, name_of(role)), bytes);
    return bytes;
  }

  const Shelf& shelf_;
  crypto::Signer& signer_;
  const FreshnessOptions& options_;
  std::int64_t now_;
  std::optional<crypto::PublicKey> online_;
  std::string online_id_;
  FreshnessReport report_;
  std::vector<std::pair<std::string, std::string>> written_;
};

/// The indexes below a directory, each also under a name of its own, so that the next publish cannot pull it away from
/// under a reader.
Result<std::vector<Target>> targets_below(const os::Path& folder) {
  std::vector<os::Path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (os::exists(entry.path() / kIndexFile)) files.push_back(entry.path() / kIndexFile);
  if (files.empty())
    return Error::make(ErrorKind::kNotFound, "'{}' holds no ARCH/{}", folder.string(), kIndexFile)
        .hint("metadata stands beside an index: make that first (`nacre index`)");
  std::sort(files.begin(), files.end());
  std::vector<Target> out;
  for (const os::Path& file : files) {
    const std::string bytes = TRY(os::read_file(file, kMaxIndexBytes));
    const Sha256 digest = codec::sha256(bytes);
    const os::Path named = file.parent_path() / consistent_name(digest);
    if (!os::exists(named)) TRY(os::write_file(named, bytes, 0644, os::Sync::kYes));
    out.push_back({fmt::format("{}/{}", file.parent_path().filename().string(), kIndexFile), digest, bytes.size()});
  }
  return out;
}

/// Versions that nobody reads any more.
std::vector<std::string> outlived(const MetadataFiles& files) {
  std::vector<std::string> out;
  for (const Role role : {Role::kTargets, Role::kSnapshot}) {
    std::vector<std::pair<std::uint64_t, std::string>> versions;
    for (const auto& [name, bytes] : files)
      if (const auto version = version_in_name(name, role)) versions.emplace_back(*version, name);
    std::sort(versions.begin(), versions.end());
    for (std::size_t i = 0; i + kKeptVersions < versions.size(); ++i) out.push_back(versions[i].second);
  }
  return out;
}

std::string kind_of(Edition edition, std::string_view channel) {
  return fmt::format("tuf/{}{}{}", name_of(edition), channel.empty() ? "" : "/@", channel);
}

Result<std::optional<FreshnessReport>> write_for(Env& env, const Serial& serial, crypto::Signer& signer,
                                                 const FreshnessOptions& options) {
  store::State& state = env.store.state();
  const std::string kind = kind_of(serial.edition, options.channel);
  MetadataFiles files = TRY(edition_metadata(env, serial.edition, options.channel));
  const MapShelf shelf(files);
  Writer writer(shelf, signer, env.clock, options);
  const std::uint64_t size = TRY(env.store.size(serial.index));
  FreshnessReport report = TRY(writer.run({{fmt::format("{}/{}", serial.arch, kIndexFile), serial.index, size}}));
  report.changed = !writer.written().empty();
  if (!report.changed) return std::optional(std::move(report));
  const auto record = [&]() -> Result<> {
    for (const auto& [name, bytes] : writer.written()) {
      TRY(state.put(kind, name, bytes));
      files.insert_or_assign(name, bytes);
    }
    for (const std::string& name : outlived(files)) TRY(state.erase(kind, name));
    return {};
  };
  TRY(state.transaction(record));
  return std::optional(std::move(report));
}

/// A channel that names another serial than its metadata, or whose metadata is due.
Result<> refresh_channels(Env& env, crypto::Signer& signer, FreshnessOptions options) {
  options.renew = Renew::kWhenDue;
  const std::vector<Channel> channels = TRY(list_channels(env, options.edition));
  for (const Channel& channel : channels) {
    options.channel = channel.name;
    const Serial serial = TRY(load_serial(env, options.edition, channel.serial));
    (void)TRY(write_for(env, serial, signer, options), "writing the metadata of channel '{}' of edition {}",
              channel.name, name_of(options.edition));
  }
  return {};
}

}  // namespace

std::string consistent_name(const Sha256& index) { return fmt::format("{}.{}", index.hex(), kIndexFile); }

Result<FreshnessReport> write_freshness(const os::Path& folder, crypto::Signer& signer, os::Clock& clock,
                                        const FreshnessOptions& options) {
  const std::string step = fmt::format("writing the metadata of '{}'", folder.string());
  const std::vector<Target> targets = TRY(targets_below(folder));
  const os::Path tuf = folder / "tuf";
  TRY(os::make_dirs(tuf));
  const FolderShelf shelf(tuf);
  Writer writer(shelf, signer, clock, options);
  FreshnessReport out = TRY(writer.run(targets), "{}", step);
  for (const auto& [name, bytes] : writer.written())
    TRY(os::write_file(tuf / name, bytes, 0644, os::Sync::kYes), "{}", step);
  out.changed = !writer.written().empty();
  return out;
}

Result<std::optional<FreshnessReport>> refresh_edition(Env& env, crypto::Signer& signer,
                                                       const FreshnessOptions& options) {
  const std::string name = fmt::format("freshness/{}", name_of(options.edition));
  const store::Lease alone = TRY(env.store.lease(name, os::FileLock::Wait::kYes, store::Store::Reach::kEveryone));
  const std::optional<Serial> newest = TRY(head(env, options.edition));
  if (!newest) return std::optional<FreshnessReport>();
  auto report =
      TRY(write_for(env, *newest, signer, options), "writing the metadata of edition {}", name_of(options.edition));
  TRY(refresh_channels(env, signer, options));
  return report;
}

Result<MetadataFiles> edition_metadata(Env& env, Edition edition, std::string_view channel) {
  const auto rows = TRY(env.store.state().list(kind_of(edition, channel)));
  return MetadataFiles(rows.begin(), rows.end());
}

Result<std::optional<std::string>> edition_metadata_file(Env& env, Edition edition, std::string_view name,
                                                         std::string_view channel) {
  return env.store.state().get(kind_of(edition, channel), name);
}

Result<MetadataFiles> folder_metadata(const os::Path& folder) {
  const FolderShelf shelf(folder / "tuf");
  MetadataFiles out;
  const std::vector<std::string> names = TRY(shelf.names());
  for (const std::string& name : names) {
    if (!name.ends_with(".json")) continue;
    auto bytes = TRY(shelf.read(name));
    if (bytes) out.emplace(name, *std::move(bytes));
  }
  return out;
}

Result<bool> metadata_names(const MetadataFiles& files, const Sha256& index) {
  std::uint64_t version = 0;
  for (const auto& [name, bytes] : files)
    version = std::max(version, version_in_name(name, Role::kTargets).value_or(0));
  const auto found = files.find(fmt::format("{}.targets.json", version));
  if (found == files.end()) return false;
  const Metadata targets = TRY(parse_metadata(found->second, Role::kTargets, found->first));
  for (const auto& [name, row] : targets.body["targets"].members())
    if (row["hashes"]["sha256"].as_string() == index.hex()) return true;
  return false;
}

Result<std::vector<FreshnessDue>> freshness_due(const MetadataFiles& files, const FreshnessOptions& options) {
  std::vector<FreshnessDue> out;
  const MapShelf shelf(files);
  for (const Role role : kRoles) {
    const int days = role == Role::kRoot       ? options.days.root
                     : role == Role::kTargets  ? options.days.targets
                     : role == Role::kSnapshot ? options.days.snapshot
                                               : options.days.timestamp;
    std::uint64_t version = 0;
    for (const auto& [name, bytes] : files) version = std::max(version, version_in_name(name, role).value_or(0));
    const std::string file =
        role == Role::kTimestamp ? "timestamp.json" : fmt::format("{}.{}.json", version, name_of(role));
    const auto found = files.find(file);
    if (found == files.end()) continue;
    const Metadata metadata = TRY(parse_metadata(found->second, role, file));
    const std::int64_t early = role == Role::kTimestamp ? (days - 1) * kDay : days * kDay / kRenewPart;
    out.push_back({role, metadata.version, metadata.expires, os::rfc3339(seconds_of(metadata.expires) - early)});
  }
  return out;
}

}  // namespace nacre::index
