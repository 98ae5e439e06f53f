#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "index/freshness.h"

#include <algorithm>
#include <filesystem>
#include <functional>

// What a publisher writes: src/index/freshness.h says what, docs/formats/freshness.md how it looks.
namespace nacre::index {
namespace {

using codec::Json;

constexpr std::int64_t kDay = 24 * 3600;
constexpr std::string_view kIndexFile = "APKINDEX.tar.gz";
constexpr std::uint64_t kMaxIndexBytes = 256u << 20, kMaxMetadataBytes = 16u << 20;
/// Metadata is renewed when less than this part of its life is left.
constexpr int kRenewPart = 4;

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

class Writer {
 public:
  Writer(os::Path folder, crypto::Signer& signer, os::Clock& clock, const FreshnessOptions& options)
      : folder_(std::move(folder)), tuf_(folder_ / "tuf"), signer_(signer), options_(options),
        now_(clock.now_seconds()) {}

  Result<FreshnessReport> run() {
    TRY(os::make_dirs(tuf_));
    TRY(write_root());
    const std::string targets = TRY(write_targets());
    const std::string snapshot = TRY(write_listing(Role::kSnapshot, options_.days.snapshot, Role::kTargets, targets,
                                                   Renew::kWhenNeeded, report_.snapshot));
    (void)TRY(write_listing(Role::kTimestamp, options_.days.timestamp, Role::kSnapshot, snapshot, Renew::kAlways,
                            report_.timestamp));
    return report_;
  }

 private:
  enum class Renew { kWhenNeeded, kAlways };

  std::string in_days(int days) const { return os::rfc3339(now_ + days * kDay); }
  bool near_its_end(const std::string& expires, int days) const {
    return expires < os::rfc3339(now_ + days * kDay / kRenewPart);
  }

  Json header(Role role, std::uint64_t version, int days) const {
    Json out;
    out.set("_type", name_of(role)).set("spec_version", "1.0.31").set("version", version);
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

  Result<> put(const std::string& name, std::string_view bytes) const {
    return os::write_file(tuf_ / name, bytes, 0644, os::Sync::kYes);
  }

  /// The newest document of a role that is here and says what it should: its version, else 0.
  struct Present {
    std::uint64_t version = 0;
    std::optional<Metadata> metadata;
    std::string bytes;
  };
  Result<Present> newest(Role role) const {
    Present out;
    const std::string end = fmt::format(".{}.json", name_of(role));
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(tuf_, error)) {
      const std::string name = entry.path().filename().string();
      if (!name.ends_with(end)) continue;
      const std::string digits = name.substr(0, name.size() - end.size());
      if (digits.empty() || digits.size() > 12 || digits.find_first_not_of("0123456789") != std::string::npos) continue;
      out.version = std::max<std::uint64_t>(out.version, std::stoull(digits));
    }
    const os::Path file = role == Role::kTimestamp ? tuf_ / "timestamp.json"
                                                   : tuf_ / fmt::format("{}.{}.json", out.version, name_of(role));
    if (!os::exists(file)) return out;
    out.bytes = TRY(os::read_file(file, kMaxMetadataBytes));
    out.metadata = TRY(parse_metadata(out.bytes, role, file.string()));
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
            .hint("bring the keys: `nacre repo root --sign-with KEY.pem`");
    }
    TRY(put(name, bytes));
    TRY(put("root.json", bytes));
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

  Result<std::string> write_targets() {
    std::vector<os::Path> files;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, error))
      if (os::exists(entry.path() / kIndexFile)) files.push_back(entry.path() / kIndexFile);
    if (files.empty())
      return Error::make(ErrorKind::kNotFound, "'{}' holds no ARCH/{}", folder_.string(), kIndexFile)
          .hint("metadata stands beside an index: make that first (`nacre index`)");
    std::sort(files.begin(), files.end());
    Json content = Json::object();
    for (const os::Path& file : files) {
      const std::string bytes = TRY(os::read_file(file, kMaxIndexBytes));
      const Sha256 digest = codec::sha256(bytes);
      // Under a name of its own, so that the next publish cannot pull it away from under a reader.
      const os::Path named = file.parent_path() / fmt::format("{}.{}", digest.hex(), kIndexFile);
      if (!os::exists(named)) TRY(os::write_file(named, bytes, 0644, os::Sync::kYes));
      Json row, hashes;
      hashes.set("sha256", digest.hex());
      row.set("length", std::uint64_t{bytes.size()}).set("hashes", std::move(hashes));
      const std::string target = fmt::format("{}/{}", file.parent_path().filename().string(), kIndexFile);
      content.set(target, std::move(row));
      report_.indexes.push_back(target);
    }
    const Present before = TRY(newest(Role::kTargets));
    report_.targets = before.version;
    if (TRY(still_good(before, "targets", content, options_.days.targets))) return before.bytes;
    Json body = header(Role::kTargets, ++report_.targets, options_.days.targets);
    const std::string bytes = TRY(sign(body.set("targets", std::move(content)), online()));
    TRY(put(fmt::format("{}.targets.json", report_.targets), bytes));
    return bytes;
  }

  /// Snapshot and timestamp: which version, length and digest the document below has.
  Result<std::string> write_listing(Role role, int days, Role below, std::string_view document, Renew renew,
                                    std::uint64_t& version) {
    const Metadata named = TRY(parse_metadata(document, below, name_of(below)));
    Json row, hashes, content;
    hashes.set("sha256", codec::sha256(document).hex());
    row.set("version", named.version).set("length", std::uint64_t{document.size()}).set("hashes", std::move(hashes));
    content.set(fmt::format("{}.json", name_of(below)), std::move(row));
    const Present before = TRY(newest(role));
    version = before.version;
    if (renew == Renew::kWhenNeeded && TRY(still_good(before, "meta", content, days))) return before.bytes;
    Json body = header(role, ++version, days);
    const std::string bytes = TRY(sign(body.set("meta", std::move(content)), online()));
    const bool last = role == Role::kTimestamp;
    if (last) report_.timestamp_expires = in_days(days);
    TRY(put(last ? "timestamp.json" : fmt::format("{}.{}.json", version, name_of(role)), bytes));
    return bytes;
  }

  os::Path folder_, tuf_;
  crypto::Signer& signer_;
  const FreshnessOptions& options_;
  std::int64_t now_;
  std::optional<crypto::PublicKey> online_;
  std::string online_id_;
  FreshnessReport report_;
};

}  // namespace

Result<FreshnessReport> write_freshness(const os::Path& folder, crypto::Signer& signer, os::Clock& clock,
                                        const FreshnessOptions& options) {
  Writer writer(folder, signer, clock, options);
  FreshnessReport out = TRY(writer.run(), "writing the metadata of '{}'", folder.string());
  return out;
}

}  // namespace nacre::index
