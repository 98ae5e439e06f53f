#include "image/take_layout.h"

#include "base/text.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "store/store.h"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace nacre::image {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxDocument = 8u << 20;
constexpr int kMaxDepth = 4;
constexpr std::size_t kMaxDocuments = 1'000;
constexpr const char* kRefName = "org.opencontainers.image.ref.name";

class Taker {
 public:
  Taker(const os::Path& folder, Env& env) : folder_(folder), env_(env) {}

  Result<Sha256> run() {
    const std::string file = (folder_ / "index.json").string();
    const std::string text = TRY(os::read_file(file, kMaxDocument));
    const Json index = TRY(codec::parse_json(text, file));
    const std::vector<Json>& rows = index["manifests"].items();
    if (rows.empty()) return Error::make(ErrorKind::kNotFound, "'{}' names no image", file);
    std::set<std::string> names;
    bool platforms = true;
    for (const Json& row : rows) {
      if (const std::string& name = row["annotations"][kRefName].as_string(); !name.empty()) names.insert(name);
      platforms = platforms && row["platform"].is_object();
    }
    if (rows.size() > 1 && (!platforms || names.size() > 1))
      return Error::make(ErrorKind::kInvalid, "'{}' holds {} images{}", file, rows.size(),
                         names.empty() ? "" : ": " + join(std::vector<std::string>(names.begin(), names.end()), ", "))
          .hint(fmt::format("`skopeo copy oci:{}:NAME oci:OTHER` takes one out", folder_.string()));
    for (const Json& row : rows) TRY(take(row, 0));
    if (rows.size() == 1) return parse_sha256(rows.front()["digest"].as_string());
    return env_.store.put_bytes(text);
  }

 private:
  os::Path file_of(const Sha256& digest) const { return folder_ / "blobs" / "sha256" / digest.hex(); }
  Error is_other(const Sha256& digest) const {
    return Error::make(ErrorKind::kDenied, "'{}' does not hold what its name says", file_of(digest).string());
  }

  /// A manifest or an index, and all beneath it.
  Result<> take(const Json& descriptor, int depth) {
    if (depth > kMaxDepth) return Error::make(ErrorKind::kInvalid, "indexes are nested too deeply");
    const Sha256 digest = TRY(parse_sha256(descriptor["digest"].as_string()));
    if (!seen_.insert(digest).second) return {};
    if (seen_.size() > kMaxDocuments)
      return Error::make(ErrorKind::kInvalid, "the layout has more than {} manifests", kMaxDocuments);
    const std::string text = TRY(os::read_file(file_of(digest), kMaxDocument));
    if (codec::sha256(text) != digest) return is_other(digest);
    TRY(env_.store.put_bytes(text));
    const Json json = TRY(codec::parse_json(text, digest.oci()));
    for (const Json& child : json["manifests"].items()) TRY(take(child, depth + 1));
    for (const Json& layer : json["layers"].items()) TRY(take_blob(layer));
    return json["config"].is_object() ? take_blob(json["config"]) : Result<>{};
  }

  Result<> take_blob(const Json& descriptor) {
    const Sha256 digest = TRY(parse_sha256(descriptor["digest"].as_string()));
    if (env_.store.has(digest)) return {};
    const Sha256 found = TRY(env_.store.put_file(file_of(digest), store::Store::Take::kCopy));
    return found == digest ? Result<>{} : is_other(digest);
  }

  const os::Path& folder_;
  Env& env_;
  std::set<Sha256> seen_;
};

}  // namespace

bool is_layout(const os::Path& folder) {
  std::error_code error;
  return std::filesystem::is_directory(folder, error) && os::exists(folder / "index.json");
}

Result<Sha256> take_layout(const os::Path& folder, Env& env) {
  Taker taker(folder, env);
  const Sha256 out = TRY(taker.run(), "reading the layout '{}'", folder.string());
  return out;
}

}  // namespace nacre::image
