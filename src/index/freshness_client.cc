#include "base/encoding.h"
#include "codec/digest.h"
#include "index/freshness.h"
#include "store/store.h"

#include <algorithm>

// The client's walk, in the order of section 5 of the TUF specification.
namespace nacre::index {
namespace {

using codec::Json;

constexpr std::string_view kKind = "freshness";  ///< Digest of the base -> JSON: what Floors holds, and the base.
constexpr std::uint64_t kMaxRootBytes = 512u << 10, kMaxTimestampBytes = 16u << 10, kMaxSnapshotBytes = 2u << 20,
                        kMaxTargetsBytes = 16u << 20;
constexpr int kMaxRotations = 256;

/// What was seen of a repository.
struct Floors {
  Json json;
  std::uint64_t of(std::string_view key) const { return static_cast<std::uint64_t>(json[key].as_int()); }
  void set(const std::string& key, std::uint64_t version) { json.set(key, version); }
};

std::string key_of(const std::string& base) { return codec::sha256(safe_place(base)).hex(); }

Result<> save(Env& env, const std::string& base, const Floors& floors) {
  return env.store.state().put(kKind, key_of(base), codec::to_json(floors.json));
}

/// One walk over one repository.
class Walk {
 public:
  Walk(Env& env, const Fetcher& fetcher, const std::string& base, Floors floors)
      : env_(env), fetcher_(fetcher), base_(base), floors_(std::move(floors)),
        now_(os::rfc3339(env.clock.now_seconds())) {}

  Result<FreshTarget> run(const std::string& target) {
    TRY(follow_roots());
    const Metadata timestamp = TRY(read_timestamp());
    const Metadata snapshot = TRY(read_snapshot(timestamp));
    const Metadata targets = TRY(read_targets(snapshot));
    const Json& row = targets.body["targets"][target];
    if (!row.is_object())
      return Error::make(ErrorKind::kDenied, "the metadata of '{}' does not name '{}'", safe_place(base_), target)
          .hint("the repository has no index for this architecture, or it was put there by somebody else");
    FreshTarget out;
    const std::int64_t size = TRY(row.int_at("length"));
    const std::string digest = TRY(row["hashes"].string_at("sha256"));
    out.digest = TRY(parse_sha256(digest));
    out.size = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 0));
    out.consistent = root_.consistent;
    return out;
  }

 private:
  std::string place(std::string_view file) const { return fmt::format("{}/tuf/{}", base_, file); }

  Error refused(std::string_view what, std::string_view hint) const {
    return Error::make(ErrorKind::kDenied, "the metadata of '{}' is refused: {}", safe_place(base_), what)
        .hint(std::string(hint));
  }

  Result<> alive(const Metadata& metadata) const { return alive(metadata.role, metadata.version, metadata.expires); }
  Result<> alive(Role role, std::uint64_t version, const std::string& expires) const {
    if (expires > now_) return {};
    return refused(fmt::format("{} {} expired at {}, and it is {}", name_of(role), version, expires, now_),
                   "somebody keeps newer metadata back, the publisher is late (`nacre repo refresh`), or this clock is "
                   "wrong");
  }

  Result<std::string> read(std::string_view file, std::uint64_t max_bytes) const {
    auto bytes = TRY(fetcher_.read_if_there(place(file), max_bytes), "reading the metadata of '{}'", safe_place(base_));
    if (!bytes)
      return refused(fmt::format("'{}' is not there", safe_place(place(file))),
                     "the repository had metadata when it was trusted; `nacre repo trust --forget` ends that");
    return *std::move(bytes);
  }

  /// Metadata of another channel is signed by the same keys, and is not what was asked for.
  Result<> of_this_channel(const Metadata& metadata) const {
    const std::string& said = metadata.body[kChannelKey].as_string();
    if (said == root_.channel) return {};
    const auto shown = [](const std::string& name) { return name.empty() ? "no channel" : "channel '" + name + "'"; };
    return refused(fmt::format("{} {} is of {}, and what is trusted is of {}", name_of(metadata.role), metadata.version,
                               shown(said), shown(root_.channel)),
                   "it was put in another's place");
  }

  /// Newer roots one by one, each signed by the keys of the one before and by its own.
  Result<> follow_roots() {
    const Metadata first = TRY(parse_metadata(floors_.json["root"].as_string(), Role::kRoot, "the trusted root"));
    root_ = TRY(parse_root(first));
    const Root before = root_;
    for (int i = 0; i < kMaxRotations; ++i) {
      const std::string file = fmt::format("{}.root.json", root_.version + 1);
      auto answer = fetcher_.read_if_there(place(file), kMaxRootBytes);
      if (!answer && answer.error().kind() == ErrorKind::kDenied) break;  // how some stores say "not there"
      const auto next = TRY(std::move(answer), "reading the metadata of '{}'", safe_place(base_));
      if (!next) break;
      const std::string shown = safe_place(place(file));
      const Metadata metadata = TRY(parse_metadata(*next, Role::kRoot, shown));
      TRY(check_signatures(metadata, root_, shown));
      if (metadata.version != root_.version + 1)
        return refused(fmt::format("'{}' says that it is root {}", shown, metadata.version),
                       "it was put in another's place");
      Root root = TRY(parse_root(metadata));
      TRY(check_signatures(metadata, root, shown));
      TRY(of_this_channel(metadata));
      root_ = std::move(root);
      floors_.json.set("root", *next).set("root-version", root_.version);
      forget_versions_of_other_keys(before);
      TRY(save(env_, base_, floors_));
    }
    return alive(Role::kRoot, root_.version, root_.expires);
  }

  /// A publisher whose key was stolen can come back from versions that the thief made too high.
  void forget_versions_of_other_keys(const Root& before) {
    const auto changed = [&](Role role) { return before.roles.at(role).ids != root_.roles.at(role).ids; };
    if (!changed(Role::kTimestamp) && !changed(Role::kSnapshot)) return;
    for (const char* key : {"timestamp", "snapshot", "targets"}) floors_.set(key, 0);
  }

  /// Not older than what was seen under `key`.
  Result<> no_rollback(Role role, std::uint64_t version, const std::string& key) const {
    if (version >= floors_.of(key)) return {};
    return refused(fmt::format("{} {} is older than {}, which was seen before", name_of(role), version,
                               floors_.of(key)),
                   "a mirror is behind, or somebody wants old packages installed");
  }

  Result<Metadata> read_timestamp() {
    const std::string shown = safe_place(place("timestamp.json"));
    const std::string bytes = TRY(read("timestamp.json", kMaxTimestampBytes));
    Metadata out = TRY(parse_metadata(bytes, Role::kTimestamp, shown));
    TRY(check_signatures(out, root_, shown));
    TRY(of_this_channel(out));
    TRY(no_rollback(Role::kTimestamp, out.version, "timestamp"));
    const std::uint64_t snapshot = TRY(version_in(out, "snapshot.json"));
    TRY(no_rollback(Role::kSnapshot, snapshot, "snapshot"));
    TRY(alive(out));
    floors_.set("timestamp", out.version);
    floors_.set("snapshot", snapshot);
    TRY(save(env_, base_, floors_));
    return out;
  }

  static Result<std::uint64_t> version_in(const Metadata& metadata, std::string_view file) {
    const std::int64_t version = TRY(metadata.body["meta"][file].int_at("version"), "reading '{}' in {}", file,
                                     name_of(metadata.role));
    if (version < 1) return Error::make(ErrorKind::kInvalid, "the version of '{}' is {}", file, version);
    return static_cast<std::uint64_t>(version);
  }

  /// The document that `from` names, of exactly that version, length and digest.
  Result<Metadata> read_named(const Metadata& from, Role role, std::uint64_t max_bytes) {
    const std::string file = fmt::format("{}.json", name_of(role));
    const Json& row = from.body["meta"][file];
    const std::uint64_t version = TRY(version_in(from, file));
    const auto stated = static_cast<std::uint64_t>(std::max<std::int64_t>(row["length"].as_int(), 0));
    const std::string name = root_.consistent ? fmt::format("{}.{}", version, file) : file;
    const std::string bytes = TRY(read(name, stated > 0 ? std::min(stated, max_bytes) : max_bytes));
    const std::string mixed = "it is of another time than the rest, or was changed on the way";
    if (stated > 0 && bytes.size() != stated)
      return refused(fmt::format("'{}' has {} bytes, {} says {}", name, bytes.size(), name_of(from.role), stated),
                     mixed);
    if (const Json* digest = row["hashes"].find("sha256");
        digest != nullptr && digest->as_string() != codec::sha256(bytes).hex())
      return refused(fmt::format("'{}' is not the one that {} names", name, name_of(from.role)), mixed);
    const std::string shown = safe_place(place(name));
    Metadata out = TRY(parse_metadata(bytes, role, shown));
    TRY(check_signatures(out, root_, shown));
    TRY(of_this_channel(out));
    if (out.version != version)
      return refused(fmt::format("'{}' is of version {}, {} says {}", name, out.version, name_of(from.role), version),
                     mixed);
    return out;
  }

  Result<Metadata> read_snapshot(const Metadata& timestamp) {
    Metadata out = TRY(read_named(timestamp, Role::kSnapshot, kMaxSnapshotBytes));
    const std::uint64_t targets = TRY(version_in(out, "targets.json"));
    TRY(no_rollback(Role::kTargets, targets, "targets"));
    TRY(alive(out));
    floors_.set("targets", targets);
    TRY(save(env_, base_, floors_));
    return out;
  }

  Result<Metadata> read_targets(const Metadata& snapshot) {
    Metadata out = TRY(read_named(snapshot, Role::kTargets, kMaxTargetsBytes));
    TRY(alive(out));
    return out;
  }

  Env& env_;
  const Fetcher& fetcher_;
  const std::string& base_;
  Floors floors_;
  std::string now_;
  Root root_;
};

Result<std::optional<Floors>> floors_of(Env& env, const std::string& base) {
  std::optional<Floors> out;
  const auto kept = TRY(env.store.state().get(kKind, key_of(base)));
  if (!kept) return out;
  out = Floors{TRY(codec::parse_json(*kept, "what is remembered of a repository"))};
  return out;
}

}  // namespace

Result<> trust_root(Env& env, const std::string& base, std::string_view root_json) {
  const Metadata metadata = TRY(parse_metadata(root_json, Role::kRoot, "the root"));
  const Root root = TRY(parse_root(metadata));
  TRY(check_signatures(metadata, root, "the root"));
  Floors floors;
  floors.json.set("base", safe_place(base)).set("root", root_json).set("root-version", root.version);
  return save(env, base, floors);
}

Result<bool> forget_root(Env& env, const std::string& base) {
  const auto kept = TRY(floors_of(env, base));
  if (!kept) return false;
  TRY(env.store.state().erase(kKind, key_of(base)));
  return true;
}

Result<std::vector<TrustedRepository>> trusted_repositories(Env& env) {
  std::vector<TrustedRepository> out;
  const auto rows = TRY(env.store.state().list(kKind));
  for (const auto& [key, text] : rows) {
    const Floors floors{TRY(codec::parse_json(text, "what is remembered of a repository"))};
    out.push_back({floors.json["base"].as_string(), floors.of("root-version"), floors.of("timestamp"),
                   floors.of("snapshot"), floors.of("targets")});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.base < b.base; });
  return out;
}

Result<std::optional<FreshTarget>> check_freshness(Env& env, const Fetcher& fetcher, const std::string& base,
                                                   const std::string& target) {
  std::optional<FreshTarget> out;
  auto floors = TRY(floors_of(env, base));
  if (!floors) return out;
  Walk walk(env, fetcher, base, *std::move(floors));
  out = TRY(walk.run(target));
  return out;
}

}  // namespace nacre::index
