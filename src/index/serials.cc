#include "codec/digest.h"
#include "index/index.h"
#include "index/order.h"
#include "index/records.h"
#include "store/store.h"

#include <algorithm>
#include <charconv>

namespace nacre::index {
namespace {

void add(std::vector<Sha256>& out, const Sha256& digest) {
  if (digest != Sha256{}) out.push_back(digest);
}

void sort_unique(std::vector<Sha256>& digests) {
  std::sort(digests.begin(), digests.end());
  digests.erase(std::unique(digests.begin(), digests.end()), digests.end());
}

/// Reads a manifest, and checks that the blob is what the record names and says what it stands for.
Result<Serial> read_manifest(store::Store& store, const Sha256& digest, Edition edition,
                             std::uint64_t number) {
  const std::string source = fmt::format("serial {} of edition {}", number, name_of(edition));
  const std::string bytes = TRY(store.read(digest), "reading {}", source);
  if (codec::sha256(bytes) != digest)
    return Error::make(ErrorKind::kDenied,
                       "the manifest of {} is damaged: expected digest {}, found {}", source,
                       digest.hex(), codec::sha256(bytes).hex())
        .hint("restore the blob from a copy of the store");
  const codec::Json json = TRY(codec::parse_json(bytes, source));
  Serial out = TRY(serial_from_json(json), "reading {}", source);
  if (out.edition != edition || out.number != number)
    return Error::make(ErrorKind::kDenied, "the manifest of {} says serial {} of edition {}",
                       source, out.number, name_of(out.edition));
  return out;
}

}  // namespace

std::string serial_kind(Edition edition) { return fmt::format("serial/{}", name_of(edition)); }
std::string serial_key(std::uint64_t number) { return fmt::format("{:020}", number); }
std::string name_kind(Edition edition) { return fmt::format("name/{}", name_of(edition)); }

Result<std::optional<Head>> head_record(store::State& state, Edition edition) {
  const std::optional<std::string> text = TRY(state.get("head", name_of(edition)));
  if (!text) return std::optional<Head>();
  Head out;
  const char* end = text->data() + text->size();
  const auto [stop, status] = std::from_chars(text->data(), end, out.number);
  if (status != std::errc{} || stop != end)
    return Error::make(ErrorKind::kInvalid, "the head of edition {} is '{}', no serial number",
                       name_of(edition), *text);
  const std::optional<Sha256> manifest = TRY(serial_record(state, edition, out.number));
  if (!manifest)
    return Error::make(ErrorKind::kInvalid,
                       "the head of edition {} is serial {}, which is not recorded",
                       name_of(edition), out.number);
  out.manifest = *manifest;
  return std::optional<Head>(out);
}

Result<std::optional<Sha256>> serial_record(store::State& state, Edition edition,
                                            std::uint64_t number) {
  const std::optional<std::string> text = TRY(state.get(serial_kind(edition), serial_key(number)));
  if (!text) return std::optional<Sha256>();
  const Sha256 digest = TRY(parse_sha256(*text), "reading the record of serial {}", number);
  return std::optional<Sha256>(digest);
}

Result<std::optional<Serial>> head(Env& env, Edition edition) {
  const std::optional<Head> newest = TRY(head_record(env.store.state(), edition));
  if (!newest) return std::optional<Serial>();
  Serial serial = TRY(read_manifest(env.store, newest->manifest, edition, newest->number));
  return std::optional<Serial>(std::move(serial));
}

Result<std::optional<std::uint64_t>> head_number(Env& env, Edition edition) {
  const std::optional<Head> newest = TRY(head_record(env.store.state(), edition));
  return newest ? std::optional(newest->number) : std::nullopt;
}

Result<Serial> load_serial(Env& env, Edition edition, std::uint64_t number) {
  const std::optional<Sha256> manifest = TRY(serial_record(env.store.state(), edition, number));
  if (manifest) return read_manifest(env.store, *manifest, edition, number);
  const std::optional<Head> newest = TRY(head_record(env.store.state(), edition));
  Error error = Error::make(ErrorKind::kNotFound, "edition {} has no serial {}", name_of(edition),
                            number);
  if (!newest) return std::move(error).hint("nothing was published in this edition yet");
  return std::move(error).hint(fmt::format("the newest is {}", newest->number));
}

Result<std::vector<Serial>> list_serials(Env& env, Edition edition) {
  const auto records = TRY(env.store.state().list(serial_kind(edition)));
  std::vector<Serial> out;
  for (const auto& [key, digest_text] : records) {
    std::uint64_t number = 0;
    std::from_chars(key.data(), key.data() + key.size(), number);
    const Sha256 digest = TRY(parse_sha256(digest_text), "reading the record of serial {}", number);
    out.push_back(TRY(read_manifest(env.store, digest, edition, number)));
  }
  return out;
}

std::vector<Sha256> blobs_of(const Serial& serial) {
  std::vector<Sha256> out;
  for (const Sha256& digest : {serial.index, serial.index_provenance, serial.index_sbom})
    add(out, digest);
  for (const SerialPackage& package : serial.packages)
    for (const Sha256& digest : {package.apk, package.provenance, package.sbom}) add(out, digest);
  for (const SerialImage& image : serial.images) {
    add(out, image.index_digest);
    for (const Sha256& digest : image.blobs) add(out, digest);
  }
  sort_unique(out);
  return out;
}

Result<std::vector<Sha256>> published_blobs(Env& env) {
  std::vector<Sha256> out;
  for (const Edition edition : {Edition::kStage0, Edition::kCommunity, Edition::kProduction}) {
    const std::vector<Serial> serials = TRY(list_serials(env, edition));
    for (const Serial& serial : serials) {
      const std::vector<Sha256> needed = blobs_of(serial);
      out.insert(out.end(), needed.begin(), needed.end());
      const std::optional<Sha256> manifest =
          TRY(serial_record(env.store.state(), edition, serial.number));
      if (manifest) out.push_back(*manifest);
    }
    sort_unique(out);
  }
  return out;
}

Result<std::optional<Sha256>> published_content(Env& env, Edition edition,
                                                const apk::IndexRecord& record) {
  const std::optional<std::string> known =
      TRY(env.store.state().get(name_kind(edition), identity_of(record)));
  if (!known) return std::optional<Sha256>();
  const Sha256 digest = TRY(parse_sha256(*known));
  return std::optional<Sha256>(digest);
}

}  // namespace nacre::index
