#include "publish/serve.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/number.h"
#include "base/text.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "index/channels.h"
#include "index/freshness.h"
#include "index/index.h"
#include "index/notices.h"
#include "publish/catalogue.h"
#include "publish/layout.h"
#include "publish/page.h"
#include "store/store.h"

namespace nacre::publish {
namespace {

using codec::Json;
using net::ServerRequest;
using net::ServerResponse;

constexpr std::uint64_t kMaxManifestBytes = 8u << 20;
constexpr std::size_t kMaxPage = 10'000;  ///< Names in one answer of tags/list.

/// `code` as the distribution protocol names errors: clients tell by it what is missing.
ServerResponse not_found(std::string_view what, std::string_view code = "NOT_FOUND") {
  ServerResponse out;
  out.status = 404;
  out.content_type = "application/json";
  Json error, errors = Json::array(), body;
  error.set("code", code).set("message", what);
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

/// What is served of one edition, and under which name its images stand.
struct Shop {
  Edition edition;
  std::string space;
  Catalogue catalogue;
};

/// One request, answered from the serials as they are now.
class Answer {
 public:
  Answer(Env& env, const ServeOptions& options, std::vector<std::unique_ptr<Shop>>& shops, const ServerRequest& request)
      : env_(env), options_(options), shops_(shops), request_(request) {
    for (const std::string& part : split(request.path, '/'))
      if (!part.empty()) parts_.push_back(part);
  }

  ServerResponse make() {
    if (parts_.empty()) return front_page();
    if (parts_[0] == "v2") return registry();
    for (const auto& shop : shops_)
      if (name_of(shop->edition) == parts_[0]) return repository(*shop);
    return not_found("no such path");
  }

 private:
  ServerResponse blob(const Sha256& digest, std::string_view type, bool immutable) {
    const auto there = env_.store.holds(digest);
    if (!there) return trouble(there.error());
    if (!*there) return not_found("no such blob", "BLOB_UNKNOWN");
    // The first time, from the artifact store: other connections of this thread wait for it.
    const auto file = env_.store.local(digest);
    if (!file) return trouble(file.error());
    ServerResponse out;
    out.content_type = type;
    out.file = *file;
    out.headers.emplace_back("Docker-Content-Digest", digest.oci());
    out.headers.emplace_back("ETag", "\"" + digest.hex() + "\"");
    if (immutable) out.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
    return out;
  }

  std::string param(const char* name) const {
    const auto found = request_.params.find(name);
    return found == request_.params.end() ? std::string() : found->second;
  }

  ServerResponse front_page() {
    std::vector<std::shared_ptr<const index::Serial>> heads;
    for (const auto& shop : shops_) {
      auto newest = shop->catalogue.newest();
      if (newest && *newest) heads.push_back(*std::move(newest));
    }
    ServerResponse out;
    out.content_type = "text/html; charset=utf-8";
    const auto host = request_.headers.find("host");
    out.body = render_page(heads, options_.scheme, host == request_.headers.end() ? "127.0.0.1" : host->second);
    return out;
  }

  // ---- packages

  ServerResponse repository(Shop& shop) {
    const std::vector<std::string> rest(parts_.begin() + 1, parts_.end());
    if (rest.empty()) return front_page();  // for people: apk asks for files
    if (rest.size() == 1 && rest[0] == "keys") return list_of_keys();
    if (rest.size() == 2 && rest[0] == "keys") return key(rest[1]);
    if (rest.size() == 1 && rest[0] == "notices.json") return notices(shop);
    if (rest.size() == 2 && rest[0] == "tuf") return metadata(shop, "", rest[1]);
    if (rest.size() == 3 && rest[0].starts_with('@')) return at_moment(shop, rest[0].substr(1), rest[1], rest[2]);
    if (rest.size() == 4 && rest[0] == "serial") {
      const auto number = whole_number<std::uint64_t>(rest[1]);
      if (!number) return not_found("expected the number of a serial");
      const auto older = index::load_serial(env_, shop.edition, *number);
      if (!older) return trouble(older.error());
      return file_of(shop, *older, rest[2], rest[3], true);
    }
    if (rest.size() != 2) return not_found("expected ARCH/FILE, such as x86_64/APKINDEX.tar.gz");
    const auto newest = shop.catalogue.newest();
    if (!newest) return trouble(newest.error());
    if (!*newest) return not_found(fmt::format("nothing is published in edition {}", name_of(shop.edition)));
    return file_of(shop, **newest, rest[0], rest[1], false);
  }

  ServerResponse notices(const Shop& shop) {
    const auto all = index::list_notices(env_, shop.edition);
    if (!all) return trouble(all.error());
    Json list = Json::array(), out;
    for (const index::Notice& notice : *all) list.push(index::to_json(notice));
    out.set("edition", name_of(shop.edition)).set("notices", std::move(list));
    ServerResponse answer = json_answer(out);
    answer.headers.emplace_back("Cache-Control", "no-cache");
    return answer;
  }

  /// Says to who takes one of these packages what the edition says about them. What cannot stand in a header is '?'.
  void add_notices(const Shop& shop, const std::vector<std::string>& packages, ServerResponse& answer) {
    const auto all = index::list_notices(env_, shop.edition);
    if (!all || answer.status != 200) return;
    for (const index::Notice& notice : index::notices_about(*all, packages)) {
      std::string text = index::render(notice);
      for (char& c : text)
        if (c < 0x20 || c == 0x7f) c = '?';
      answer.headers.emplace_back("Nacre-Notice", std::move(text));
    }
  }

  /// A page of their names.
  ServerResponse list_of_keys() {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(options_.package_keys_dir, error))
      if (entry.path().extension() == ".pub") names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    ServerResponse out;
    out.content_type = "text/html; charset=utf-8";
    out.body = "<!doctype html><html lang=en><meta charset=utf-8><title>keys</title>";
    for (const std::string& name : names)
      out.body += fmt::format("<p><a href=\"/{0}/keys/{1}\">{1}</a>\n", parts_[0], escape_markup(name));
    return out;
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

  /// A repository of its own for each serial, date and channel. What a channel names moves under who reads it: packages
  /// of other serials are answered there, too.
  ServerResponse at_moment(Shop& shop, const std::string& word, const std::string& arch, const std::string& file) {
    if (arch == "keys") return key(file);
    if (arch == "tuf") return metadata(shop, word, file);
    const auto moment = index::serial_at(env_, shop.edition, word);
    if (!moment && moment.error().kind() == ErrorKind::kInvalid) return not_found(moment.error().render());
    if (!moment) return trouble(moment.error());
    return file_of(shop, moment->serial, arch, file, moment->fixed);
  }

  /// Freshness metadata, of a channel when one is named. What has a version in its name never changes.
  ServerResponse metadata(const Shop& shop, const std::string& channel, const std::string& name) {
    const auto text = index::edition_metadata_file(env_, shop.edition, name, channel);
    if (!text) return trouble(text.error());
    if (!*text) return not_found(fmt::format("no metadata '{}'", name));
    ServerResponse out;
    out.content_type = "application/json";
    out.body = **text;
    out.headers.emplace_back("ETag", fmt::format("\"{}\"", codec::sha256(out.body).hex()));
    const bool moves = name == "timestamp.json" || name == "root.json";
    out.headers.emplace_back("Cache-Control", moves ? "no-cache" : "public, max-age=31536000, immutable");
    return out;
  }

  /// The index of `serial`; a package of any serial, since a name means one content for ever, or, when `alone`, of
  /// this one.
  ServerResponse file_of(Shop& shop, const index::Serial& serial, const std::string& arch, const std::string& file,
                         bool alone) {
    if (arch == serial.arch) {
      if (file == "APKINDEX.tar.gz") return blob(serial.index, "application/gzip", alone);
      if (file == "APKINDEX.tar.gz.intoto.sigstore.json")
        return blob(serial.index_provenance, "application/json", alone);
      if (file == "APKINDEX.tar.gz.spdx.json") return blob(serial.index_sbom, "application/json", alone);
    }
    if (alone && !holds(serial, file)) return not_found(fmt::format("no file '{}' in serial {}", file, serial.number));
    const auto found = shop.catalogue.package_file(arch, file);
    if (!found) return trouble(found.error());
    if (!*found) return not_found(fmt::format("no file '{}' for {}", file, arch));
    ServerResponse answer = blob((*found)->blob, (*found)->type, true);
    if (file.ends_with(".apk")) add_notices(shop, {name_and_version(file)}, answer);
    return answer;
  }

  /// "name=version" of "name-version-rN.apk".
  static std::string name_and_version(const std::string& file) {
    const std::string stem = file.substr(0, file.size() - 4);
    const std::size_t release = stem.rfind('-');
    const std::size_t version = release == stem.npos || release == 0 ? stem.npos : stem.rfind('-', release - 1);
    return version == stem.npos ? stem : stem.substr(0, version) + "=" + stem.substr(version + 1);
  }

  static bool holds(const index::Serial& serial, const std::string& file) {
    return std::any_of(serial.packages.begin(), serial.packages.end(), [&](const index::SerialPackage& package) {
      return file.starts_with(fmt::format("{}-{}.apk", package.record.name, package.record.version));
    });
  }

  // ---- the pull side of the OCI distribution protocol

  ServerResponse registry() {
    if (parts_.size() == 1) {
      ServerResponse out = json_answer(Json::object());
      out.headers.emplace_back("Docker-Distribution-API-Version", "registry/2.0");
      return out;
    }
    if (parts_.size() == 2 && parts_[1] == "_catalog") return catalog();
    if (parts_.size() != 5) return not_found("expected /v2/nacre/IMAGE/…", "NAME_UNKNOWN");
    for (const auto& shop : shops_) {
      if (shop->space != parts_[1]) continue;
      const std::string &image = parts_[2], &kind = parts_[3], &reference = parts_[4];
      if (kind == "tags" && reference == "list") return tags(*shop, image);
      if (kind == "manifests") return manifest(*shop, image, reference);
      if (kind == "blobs") return image_blob(*shop, image, reference);
      if (kind == "referrers") return referrers(*shop, image, reference);
      return not_found("no such path");
    }
    return not_found("no such repository", "NAME_UNKNOWN");
  }

  ServerResponse catalog() {
    std::vector<std::string> names;
    for (const auto& shop : shops_) {
      const auto images = shop->catalogue.images();
      if (!images) return trouble(images.error());
      for (const std::string& image : *images) names.push_back(shop->space + "/" + image);
    }
    return page_of("repositories", names, "/v2/_catalog", {});
  }

  /// At most `n` names after `last`, with a Link to the rest, as the protocol has it.
  ServerResponse page_of(const char* field, const std::vector<std::string>& names, const std::string& path, Json out) {
    const std::string last = param("last");
    const auto asked = whole_number<std::uint64_t>(param("n"));
    const std::size_t most = std::min<std::size_t>(asked.value_or(kMaxPage), kMaxPage);
    const auto from = last.empty() ? names.begin() : std::upper_bound(names.begin(), names.end(), last);
    const auto count = std::min<std::ptrdiff_t>(names.end() - from, static_cast<std::ptrdiff_t>(most));
    const std::vector<std::string> shown(from, from + count);
    ServerResponse answer = json_answer(out.set(field, Json::strings(shown)));
    if (from + count != names.end() && !shown.empty())
      answer.headers.emplace_back("Link", fmt::format("<{}?n={}&last={}>; rel=\"next\"", path, most, shown.back()));
    return answer;
  }

  ServerResponse tags(Shop& shop, const std::string& image) {
    const auto list = shop.catalogue.tags(image);
    if (!list) return trouble(list.error());
    if (list->empty()) return not_found("no such image", "NAME_UNKNOWN");
    const std::string repository = shop.space + "/" + image;
    Json out;
    out.set("name", repository);
    return page_of("tags", *list, fmt::format("/v2/{}/tags/list", repository), std::move(out));
  }

  /// The digest that a reference of the image means: a tag, or a blob of it by digest.
  static Result<std::optional<Sha256>> resolve(Shop& shop, const std::string& image, const std::string& reference) {
    const auto digest = parse_sha256(reference);
    if (!digest) return shop.catalogue.tagged(image, reference);
    const bool there = TRY(shop.catalogue.has_blob(image, *digest));
    return there ? std::optional(*digest) : std::nullopt;
  }

  ServerResponse manifest(Shop& shop, const std::string& image, const std::string& reference) {
    const auto digest = resolve(shop, image, reference);
    if (!digest) return trouble(digest.error());
    const auto unknown = [&](std::string_view what) { return not_found(what, "MANIFEST_UNKNOWN"); };
    if (!*digest) return unknown(fmt::format("no manifest '{}'", reference));
    const auto size = env_.store.size(**digest);
    if (!size) return trouble(size.error());
    if (*size > kMaxManifestBytes) return unknown("that blob is no manifest");
    const auto text = env_.store.read(**digest);
    if (!text) return trouble(text.error());
    const auto json = codec::parse_json(*text, reference);
    if (!json || (*json)["mediaType"].as_string().empty()) return unknown("that blob is no manifest");
    ServerResponse answer = blob(**digest, (*json)["mediaType"].as_string(), reference.starts_with("sha256:"));
    if (const auto packages = shop.catalogue.packages_of(image, **digest)) add_notices(shop, *packages, answer);
    return answer;
  }

  ServerResponse image_blob(Shop& shop, const std::string& image, const std::string& reference) {
    const auto digest = parse_sha256(reference);
    if (!digest) return not_found("expected sha256:…", "DIGEST_INVALID");
    const auto there = shop.catalogue.has_blob(image, *digest);
    if (!there) return trouble(there.error());
    return *there ? blob(*digest, "application/octet-stream", true) : not_found("no such blob", "BLOB_UNKNOWN");
  }

  ServerResponse referrers(Shop& shop, const std::string& image, const std::string& subject) {
    const std::string wanted = param("artifactType");
    auto list = shop.catalogue.referrers(image, subject, wanted);
    if (!list) return trouble(list.error());
    Json out;
    out.set("schemaVersion", 2).set("mediaType", "application/vnd.oci.image.index.v1+json");
    ServerResponse answer =
        json_answer(out.set("manifests", *std::move(list)), "application/vnd.oci.image.index.v1+json");
    if (!wanted.empty()) answer.headers.emplace_back("OCI-Filters-Applied", "artifactType");
    return answer;
  }

  Env& env_;
  const ServeOptions& options_;
  std::vector<std::unique_ptr<Shop>>& shops_;
  const ServerRequest& request_;
  std::vector<std::string> parts_;
};

}  // namespace

net::Handler make_handler(Env& env, ServeOptions options) {
  auto shops = std::make_shared<std::vector<std::unique_ptr<Shop>>>();
  for (const Edition edition : {Edition::kCommunity, Edition::kProduction})
    shops->emplace_back(new Shop{edition, std::string(registry_space(edition)), Catalogue(env, edition)});
  return [&env, options = std::move(options), shops](const ServerRequest& request) {
    return Answer(env, options, *shops, request).make();
  };
}

}  // namespace nacre::publish
