#include "publish/serve.h"

#include "base/text.h"
#include "codec/json.h"
#include "index/index.h"
#include "publish/page.h"
#include "store/store.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace nacre::publish {
namespace {

using codec::Json;
using net::ServerRequest;
using net::ServerResponse;

constexpr std::uint64_t kMaxManifestBytes = 8u << 20;

ServerResponse not_found(std::string_view what) {
  ServerResponse out;
  out.status = 404;
  out.content_type = "application/json";
  Json error, errors = Json::array(), body;
  error.set("code", "NOT_FOUND").set("message", what);
  out.body = codec::to_json(body.set("errors", errors.push(std::move(error))));
  return out;
}

ServerResponse trouble(const Error& error) {
  ServerResponse out = not_found(error.render());
  out.status = error.kind() == ErrorKind::kNotFound ? 404 : 500;
  return out;
}

ServerResponse json_answer(const Json& json, std::string type = "application/json") {
  ServerResponse out;
  out.content_type = std::move(type);
  out.body = codec::to_json(json);
  return out;
}

/// One request, answered from the serials as they are now.
class Answer {
 public:
  Answer(Env& env, const ServeOptions& options, const ServerRequest& request)
      : env_(env), options_(options), request_(request) {
    for (const std::string& part : split(request.path, '/'))
      if (!part.empty()) parts_.push_back(part);
  }

  ServerResponse make() {
    if (parts_.empty()) return front_page();
    if (parts_[0] == "v2") return registry();
    const auto edition = parse_edition(parts_[0]);
    if (!edition) return not_found("no such path");
    return repository(*edition);
  }

 private:
  ServerResponse blob(const Sha256& digest, std::string type, bool immutable) {
    if (!env_.store.has(digest)) return not_found("no such blob");
    ServerResponse out;
    out.content_type = std::move(type);
    out.file = env_.store.blob_path(digest);
    out.headers.emplace_back("Docker-Content-Digest", digest.oci());
    out.headers.emplace_back("ETag", "\"" + digest.hex() + "\"");
    if (immutable) out.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
    return out;
  }

  ServerResponse front_page() {
    std::vector<index::Serial> heads;
    for (const Edition edition : {Edition::kCommunity, Edition::kProduction}) {
      auto newest = index::head(env_, edition);
      if (newest && *newest) heads.push_back(*std::move(*newest));
    }
    ServerResponse out;
    out.content_type = "text/html; charset=utf-8";
    const auto host = request_.headers.find("host");
    out.body = render_page(heads, host == request_.headers.end() ? "127.0.0.1" : host->second);
    return out;
  }

  // ---- packages

  ServerResponse repository(Edition edition) {
    std::vector<std::string> rest(parts_.begin() + 1, parts_.end());
    if (rest.size() == 2 && rest[0] == "keys") return key(rest[1]);
    auto serial = index::head(env_, edition);
    if (!serial) return trouble(serial.error());
    if (rest.size() == 4 && rest[0] == "serial") {
      std::uint64_t number = 0;
      const char* last = rest[1].data() + rest[1].size();
      const auto [end, status] = std::from_chars(rest[1].data(), last, number);
      if (status != std::errc{} || end != last) return not_found("expected the number of a serial");
      auto older = index::load_serial(env_, edition, number);
      if (!older) return trouble(older.error());
      return package_file(*older, rest[2], rest[3]);
    }
    if (rest.size() != 2) return not_found("expected ARCH/FILE");
    if (*serial) {
      ServerResponse out = package_file(**serial, rest[0], rest[1]);
      if (out.status == 200 || rest[1].starts_with("APKINDEX")) return out;
    }
    return older_package_file(edition, rest[0], rest[1]);
  }

  ServerResponse key(const std::string& name) {
    const auto path = TreePath::parse(name);
    if (options_.package_keys_dir.empty() || !path || !name.ends_with(".pub")) return not_found("no such key");
    const auto text = os::read_beneath(options_.package_keys_dir, *path, 1u << 16);
    if (!text) return not_found("no such key");
    ServerResponse out;
    out.content_type = "application/x-pem-file";
    out.body = *text;
    return out;
  }

  ServerResponse package_file(const index::Serial& serial, const std::string& arch, const std::string& file) {
    if (arch != serial.arch) return not_found(fmt::format("no packages for '{}'", arch));
    if (file == "APKINDEX.tar.gz") return blob(serial.index, "application/gzip", false);
    if (file == "APKINDEX.tar.gz.intoto.sigstore.json") return blob(serial.index_provenance, "application/json", false);
    if (file == "APKINDEX.tar.gz.spdx.json") return blob(serial.index_sbom, "application/json", false);
    for (const index::SerialPackage& package : serial.packages) {
      const std::string name = fmt::format("{}-{}.apk", package.record.name, package.record.version);
      if (!file.starts_with(name)) continue;
      if (file == name) return blob(package.apk, "application/octet-stream", true);
      if (file == name + ".intoto.sigstore.json") return blob(package.provenance, "application/json", true);
      if (file == name + ".spdx.json") return blob(package.sbom, "application/json", true);
    }
    return not_found(fmt::format("no file '{}' in serial {}", file, serial.number));
  }

  /// A name means one content for ever, so any serial that knows it may answer.
  ServerResponse older_package_file(Edition edition, const std::string& arch, const std::string& file) {
    auto serials = index::list_serials(env_, edition);
    if (!serials) return trouble(serials.error());
    for (auto serial = serials->rbegin(); serial != serials->rend(); ++serial) {
      ServerResponse out = package_file(*serial, arch, file);
      if (out.status == 200) return out;
    }
    return not_found(fmt::format("no file '{}'", file));
  }

  // ---- the pull side of the OCI distribution protocol

  ServerResponse registry() {
    if (parts_.size() == 1) {
      ServerResponse out = json_answer(Json::object());
      out.headers.emplace_back("Docker-Distribution-API-Version", "registry/2.0");
      return out;
    }
    if (parts_.size() == 2 && parts_[1] == "_catalog") return catalog();
    if (parts_.size() != 5) return not_found("expected /v2/nacre/IMAGE/…");
    const std::string& space = parts_[1];
    if (space != "nacre" && space != "nacre-production") return not_found("no such repository");
    const Edition edition = space == "nacre" ? Edition::kCommunity : Edition::kProduction;
    auto serials = index::list_serials(env_, edition);
    if (!serials) return trouble(serials.error());
    std::reverse(serials->begin(), serials->end());
    const std::string& image = parts_[2];
    if (parts_[3] == "tags" && parts_[4] == "list") return tags(*serials, space + "/" + image, image);
    if (parts_[3] == "manifests") return manifest(*serials, image, parts_[4]);
    if (parts_[3] == "blobs") return image_blob(*serials, image, parts_[4]);
    if (parts_[3] == "referrers") return referrers(*serials, image, parts_[4]);
    return not_found("no such path");
  }

  ServerResponse catalog() {
    Json names = Json::array(), out;
    for (const Edition edition : {Edition::kCommunity, Edition::kProduction}) {
      auto newest = index::head(env_, edition);
      if (!newest || !*newest) continue;
      for (const index::SerialImage& image : (*newest)->images)
        names.push((edition == Edition::kCommunity ? "nacre/" : "nacre-production/") + image.name);
    }
    return json_answer(out.set("repositories", std::move(names)));
  }

  /// Newest first: each tag means what the newest serial that has it says.
  template <class Visit>
  static void each_image(const std::vector<index::Serial>& serials, const std::string& name, Visit visit) {
    for (const index::Serial& serial : serials)
      for (const index::SerialImage& image : serial.images)
        if (image.name == name && visit(serial, image)) return;
  }

  static ServerResponse tags(const std::vector<index::Serial>& serials, const std::string& repository,
                             const std::string& name) {
    std::vector<std::string> list;
    each_image(serials, name, [&](const index::Serial& serial, const index::SerialImage& image) {
      list.insert(list.end(), image.tags.begin(), image.tags.end());
      list.push_back(fmt::format("serial-{}", serial.number));
      for (const auto& [tag, digest] : image.referrers["tags"].members()) list.push_back(tag);
      return false;
    });
    if (list.empty()) return not_found("no such image");
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    Json out;
    return json_answer(out.set("name", repository).set("tags", Json::strings(list)));
  }

  static std::optional<Sha256> resolve(const std::vector<index::Serial>& serials, const std::string& name,
                                       const std::string& reference) {
    std::optional<Sha256> found;
    const auto digest = parse_sha256(reference);
    each_image(serials, name, [&](const index::Serial& serial, const index::SerialImage& image) {
      if (digest) {
        if (std::find(image.blobs.begin(), image.blobs.end(), *digest) != image.blobs.end()) found = *digest;
      } else if (reference == fmt::format("serial-{}", serial.number) ||
                 std::find(image.tags.begin(), image.tags.end(), reference) != image.tags.end()) {
        found = image.index_digest;
      } else if (const Json* legacy = image.referrers["tags"].find(reference); legacy != nullptr) {
        if (const auto manifest = parse_sha256(legacy->as_string())) found = *manifest;
      }
      return found.has_value();
    });
    return found;
  }

  ServerResponse manifest(const std::vector<index::Serial>& serials, const std::string& image,
                          const std::string& reference) {
    const std::optional<Sha256> digest = resolve(serials, image, reference);
    if (!digest) return not_found(fmt::format("no manifest '{}'", reference));
    const auto size = env_.store.size(*digest);
    if (!size) return trouble(size.error());
    if (*size > kMaxManifestBytes) return not_found("that blob is no manifest");
    const auto text = env_.store.read(*digest);
    if (!text) return trouble(text.error());
    const auto json = codec::parse_json(*text, reference);
    if (!json || (*json)["mediaType"].as_string().empty()) return not_found("that blob is no manifest");
    ServerResponse out = blob(*digest, (*json)["mediaType"].as_string(), reference.starts_with("sha256:"));
    out.body = *text;
    out.file.clear();
    return out;
  }

  ServerResponse image_blob(const std::vector<index::Serial>& serials, const std::string& image,
                            const std::string& reference) {
    const std::optional<Sha256> digest = resolve(serials, image, reference);
    return digest ? blob(*digest, "application/octet-stream", true) : not_found("no such blob");
  }

  ServerResponse referrers(const std::vector<index::Serial>& serials, const std::string& name,
                           const std::string& subject) {
    Json list = Json::array();
    const auto wanted = request_.params.find("artifactType");
    each_image(serials, name, [&](const index::Serial&, const index::SerialImage& image) {
      const Json* rows = image.referrers.find(subject);
      if (rows == nullptr) return false;
      for (const Json& row : rows->items())
        if (wanted == request_.params.end() || row["artifactType"].as_string() == wanted->second) list.push(row);
      return true;
    });
    Json out;
    out.set("schemaVersion", 2).set("mediaType", "application/vnd.oci.image.index.v1+json");
    ServerResponse answer =
        json_answer(out.set("manifests", std::move(list)), "application/vnd.oci.image.index.v1+json");
    if (wanted != request_.params.end()) answer.headers.emplace_back("OCI-Filters-Applied", "artifactType");
    return answer;
  }

  Env& env_;
  const ServeOptions& options_;
  const ServerRequest& request_;
  std::vector<std::string> parts_;
};

}  // namespace

net::Handler make_handler(Env& env, ServeOptions options) {
  return [&env, options = std::move(options)](const ServerRequest& request) {
    return Answer(env, options, request).make();
  };
}

}  // namespace nacre::publish
