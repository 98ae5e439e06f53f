#include "apk/package_file.h"
#include "crypto/signer.h"
#include "index/index.h"
#include "index/order.h"
#include "index/records.h"
#include "os/clock.h"
#include "store/store.h"

#include <algorithm>
#include <iterator>

namespace nacre::index {
namespace {

std::string package_key_name(Edition edition) {
  return crypto::public_key_name(edition, crypto::Purpose::kPackage);
}

Error other_edition(std::string_view what, std::string_view key_name, Edition edition) {
  const std::string found =
      key_name.empty() ? "not signed" : fmt::format("signed by '{}'", key_name);
  return Error::make(ErrorKind::kDenied, "{} is {}: edition {} takes only what '{}' signed", what,
                     found, name_of(edition), package_key_name(edition))
      .hint("content of two editions never mixes: build it in this edition");
}

/// Of an artifact store, what the serial before names is there: no collection takes it.
Result<> check_blobs(store::Store& store, const Serial& next, const std::vector<Sha256>& before) {
  for (const SerialPackage& package : next.packages)
    if (package.apk == Sha256{})
      return Error::make(ErrorKind::kInvalid, "{} names no .apk", identity_of(package.record));
  const std::vector<Sha256> all = blobs_of(next);
  std::vector<Sha256> fresh;
  std::set_difference(all.begin(), all.end(), before.begin(), before.end(), std::back_inserter(fresh));
  for (const Sha256& digest : store.artifacts() == nullptr ? all : fresh) {
    const bool there = TRY(store.holds(digest));
    if (!there)
      return Error::make(ErrorKind::kInvalid, "the serial names blob {}, which is not in the store",
                         digest.oci());
  }
  TRY(store.share(fresh));
  // An image of foreign packages may have brought one of them, and not waited for the disk.
  return store.settle(all);
}

/// The .apk is the package that its record describes, and is signed by the edition's own key. The
/// key's name is what is looked at here: clients verify, and take nothing with a name that lies.
Result<> check_package(const store::Store& store, const SerialPackage& package,
                       const Serial& next) {
  const apk::IndexRecord& record = package.record;
  if (record.arch != next.arch && record.arch != "noarch")
    return Error::make(ErrorKind::kInvalid, "{} is of another architecture than the serial, {}",
                       identity_of(record), next.arch);
  const os::Path path = TRY(store.local(package.apk), "checking {}", identity_of(record));
  const apk::PackageFile file = TRY(apk::read_package_header(path), "checking {}", identity_of(record));
  if (file.key_name != package_key_name(next.edition))
    return other_edition(identity_of(record), file.key_name, next.edition);
  if (identity_of(file.record()) != identity_of(record) || file.checksum() != record.checksum)
    return Error::make(ErrorKind::kInvalid, "the record says {} ({}), but its .apk is {} ({})",
                       identity_of(record), record.checksum, identity_of(file.record()),
                       file.checksum());
  return {};
}

/// Whether a name may mean this content. True when it did already, and so was checked before.
Result<bool> check_name(store::State& state, const SerialPackage& package, Edition edition) {
  const std::string key = identity_of(package.record);
  const std::optional<std::string> known = TRY(state.get(name_kind(edition), key));
  if (!known) return false;
  if (*known == package.apk.oci()) return true;
  return Error::make(ErrorKind::kConflict, "{} was published in edition {} as {}, and now is {}",
                     key, name_of(edition), *known, package.apk.oci())
      .hint("a name means one content for ever: raise the epoch in its definition and build again");
}

/// The index was made for this serial, and holds exactly its packages.
Result<> check_index(const store::Store& store, const Serial& next) {
  if (next.index == Sha256{}) return Error::make(ErrorKind::kInvalid, "the serial names no index");
  const std::string bytes = TRY(store.read(next.index, std::uint64_t{256} << 20));
  const apk::IndexFile index = TRY(apk::read_index(bytes, next.index.oci()));
  if (index.key_name != package_key_name(next.edition))
    return other_edition("the index", index.key_name, next.edition);
  const IndexIdentity identity = TRY(parse_index_description(index.description));
  if (identity.edition != next.edition)
    return Error::make(ErrorKind::kDenied, "the index is of edition {}, the serial of edition {}",
                       name_of(identity.edition), name_of(next.edition));
  if (identity.serial != next.number)
    return Error::make(ErrorKind::kConflict,
                       "the index was made for serial {} of edition {}, but the next one is {}",
                       identity.serial, name_of(next.edition), next.number)
        .hint("another process published meanwhile: run the same command again");
  const auto same = [](const apk::IndexRecord& record, const SerialPackage& package) {
    return identity_of(record) == identity_of(package.record) &&
           record.checksum == package.record.checksum;
  };
  if (!std::equal(index.records.begin(), index.records.end(), next.packages.begin(),
                  next.packages.end(), same))
    return Error::make(ErrorKind::kInvalid, "the index does not hold the packages of the serial");
  return {};
}

/// A rollback brings back an older serial's content, whole.
Result<> check_rollback(Env& env, const Serial& next) {
  if (next.rolled_back_to == 0) return {};
  if (next.rolled_back_to >= next.number)
    return Error::make(ErrorKind::kInvalid, "serial {} cannot be a rollback to serial {}",
                       next.number, next.rolled_back_to);
  const Serial old = TRY(load_serial(env, next.edition, next.rolled_back_to));
  const auto same_package = [](const SerialPackage& a, const SerialPackage& b) {
    return a.apk == b.apk;
  };
  const auto same_image = [](const SerialImage& a, const SerialImage& b) {
    return a.name == b.name && a.index_digest == b.index_digest;
  };
  const auto &was = old.packages, &is = next.packages;
  if (std::equal(was.begin(), was.end(), is.begin(), is.end(), same_package) &&
      std::equal(old.images.begin(), old.images.end(), next.images.begin(), next.images.end(),
                 same_image))
    return {};
  return Error::make(ErrorKind::kInvalid,
                     "serial {} says it is a rollback to serial {}, but holds other content",
                     next.number, next.rolled_back_to);
}

/// Fills in what the head decides.
Result<> follow_head(Env& env, const std::optional<Head>& newest, Serial& next, std::vector<Sha256>& before) {
  next.number = newest ? newest->number + 1 : 1;
  next.previous = newest ? newest->manifest : Sha256{};
  next.published = env.clock.now_seconds();
  if (!newest) return {};
  // A clock that was set back must not make a newer serial look older.
  const Serial before_next = TRY(load_serial(env, next.edition, newest->number));
  next.published = std::max(next.published, before_next.published);
  before = blobs_of(before_next);
  return {};
}

void sort_content(Serial& next) {
  std::sort(next.packages.begin(), next.packages.end(), before);
  std::sort(next.images.begin(), next.images.end(),
            [](const SerialImage& a, const SerialImage& b) { return a.name < b.name; });
}

/// The manifest's bytes, once they are known to read back.
Result<std::string> manifest_of(const Serial& next) {
  std::string bytes = codec::to_canonical_json(serial_to_json(next));
  const codec::Json json = TRY(codec::parse_json(bytes, "the manifest"));
  TRY(serial_from_json(json));
  return bytes;
}

/// Within the transaction: nothing changed since the checks, then all the records.
Result<> record_serial(store::State& state, const std::optional<Head>& newest, const Serial& next,
                       const Sha256& manifest) {
  const std::optional<Head> now = TRY(head_record(state, next.edition));
  if (now.has_value() != newest.has_value() || (now && now->manifest != newest->manifest))
    return Error::make(ErrorKind::kConflict, "serial {} of edition {} was published meanwhile",
                       now ? now->number : 0, name_of(next.edition))
        .hint("run the same command again");
  for (const SerialPackage& package : next.packages) {
    const bool known = TRY(check_name(state, package, next.edition));
    if (!known)
      TRY(state.put(name_kind(next.edition), identity_of(package.record), package.apk.oci()));
  }
  TRY(state.put(serial_kind(next.edition), serial_key(next.number), manifest.oci()));
  TRY(state.put("head", name_of(next.edition), std::to_string(next.number)));
  TRY(end_notices(state, next));
  return move_edge(state, next);
}

Result<> check_all(Env& env, const Serial& next, const std::vector<Sha256>& before) {
  TRY(check_blobs(env.store, next, before));
  for (const SerialPackage& package : next.packages) {
    const bool known = TRY(check_name(env.store.state(), package, next.edition));
    if (!known) TRY(check_package(env.store, package, next));
  }
  TRY(check_index(env.store, next));
  return check_rollback(env, next);
}

}  // namespace

Result<Serial> publish_serial(Env& env, Serial next) {
  store::State& state = env.store.state();
  const std::optional<Head> newest = TRY(head_record(state, next.edition));
  std::vector<Sha256> before;  // what the newest serial names, sorted
  TRY(follow_head(env, newest, next, before));
  sort_content(next);
  const std::string step = fmt::format("publishing serial {} of edition {}", next.number,
                                       name_of(next.edition));
  TRY(check_all(env, next, before), "{}", step);
  const std::string bytes = TRY(manifest_of(next), "{}", step);
  // On disk before a record names it; nobody finds it until the transaction ends.
  const Sha256 manifest = TRY(env.store.put_bytes(bytes), "{}", step);
  TRY(state.transaction([&] { return record_serial(state, newest, next, manifest); }), "{}", step);
  return next;
}

}  // namespace nacre::index
