#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "image/kitchen_test.h"
#include "index/freshness.h"
#include "publish/layout.h"
#include "publish/registry.h"
#include "publish/serve.h"
#include "publish/upload.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

namespace nacre::publish {
namespace {

using codec::Json;
using image::test_signer;

TEST(ParseReference, ReadsWhatClientsWrite) {
  const std::string hex(64, 'a'), at = "@sha256:" + hex;
  struct Row {
    std::string text, host, repository, tag, digest;
    bool plain_http = false;
  };
  const std::vector<Row> rows = {
      {"nginx", "", "nginx", "", ""},
      {"nginx:1.28", "", "nginx", "1.28", ""},
      {"nacre/nginx:1.28.0-r0", "", "nacre/nginx", "1.28.0-r0", ""},
      {"127.0.0.1:5000/nacre/nginx:1.28", "127.0.0.1:5000", "nacre/nginx", "1.28", "", true},
      {"localhost/x", "localhost", "x", "latest", "", true},
      {"localhost:5000/x" + at, "localhost:5000", "x", "", "sha256:" + hex, true},
      {"localhost:5000", "", "localhost", "5000", ""},
      {"[::1]:5000/x/y", "[::1]:5000", "x/y", "latest", "", true},
      {"[2001:db8::1]/x", "[2001:db8::1]", "x", "latest", ""},
      {"registry.example.org/a/b/c:t" + at, "registry.example.org", "a/b/c", "t", "sha256:" + hex},
      {"127.0.0.1.example.org/x", "127.0.0.1.example.org", "x", "latest", ""},
      {"localhost.example.org/x", "localhost.example.org", "x", "latest", ""},
      {"127.example.org/x", "127.example.org", "x", "latest", ""},
      {"x@sha256:" + std::string(64, 'A'), "", "x", "", "sha256:" + hex},
  };
  for (const Row& row : rows) {
    const auto found = parse_reference(row.text);
    ASSERT_TRUE(found) << found.error().render();
    EXPECT_EQ(found->host, row.host) << row.text;
    EXPECT_EQ(found->repository, row.repository) << row.text;
    EXPECT_EQ(found->tag, row.tag) << row.text;
    EXPECT_EQ(found->digest, row.digest) << row.text;
    EXPECT_EQ(found->plain_http, row.plain_http) << row.text;
    const auto again = parse_reference(found->str());
    ASSERT_TRUE(again) << again.error().render();
    EXPECT_EQ(again->str(), found->str());
  }
}

TEST(ParseReference, SaysWhatIsWrong) {
  const std::string name = "a repository's name holds small letters, digits, '.', '_', '-' and '/'";
  const std::string tag = "the tag may hold letters, digits, '.', '_', '-'";
  const std::string digest = "what follows '@' is not 'sha256:' and 64 hexadecimal digits";
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", name},
      {"Nginx", name},
      {"a//b", name},
      {"../x", "'..' is neither HOST nor HOST:PORT"},
      {"x/../y", name},
      {"example.org/", name},
      {"x/" + std::string(255, 'a'), name},
      {"x y", name},
      {"x\n", name},
      {"x:", tag},
      {"x:-t", tag},
      {"x:" + std::string(129, 't'), tag},
      {"x:a b", tag},
      {"x@", digest},
      {"x@sha256:ab", digest},
      {"x@sha512:" + std::string(64, 'a'), digest},
      {"x@" + std::string(64, 'a'), digest},
      {"x@sha256:" + std::string(64, 'a') + "@y", digest},
      {"a:b/x", "'a:b' is neither HOST nor HOST:PORT"},
      {":5000/x", "':5000' is neither HOST nor HOST:PORT"},
      {"h:123456/x", "'h:123456' is neither HOST nor HOST:PORT"},
      {"user@host.example/x", digest},
      {"[::1/x", "'[::1' is neither HOST nor HOST:PORT"},
      {"h.example?q/x", "'h.example?q' is neither HOST nor HOST:PORT"},
      {"-o.example/x", "'-o.example' is neither HOST nor HOST:PORT"},
  };
  for (const auto& [text, why] : rows) {
    const auto found = parse_reference(text);
    EXPECT_EQ(
        found ? "no error" : found.error().render(),
        fmt::format(
            "'{}' is no image reference: {}\n  hint: write it as NAME[:TAG], HOST[:PORT]/NAME[:TAG] or …@sha256:HEX",
            text, why));
  }
}

Json parsed(std::string_view text) {
  auto json = codec::parse_json(text, "test");
  EXPECT_TRUE(json) << json.error().render();
  return *std::move(json);
}

/// A store that has published one image of two packages, twice.
struct PublishTest : image::Kitchen {
  index::SerialPackage base = evidence_of(layout()),
                       app = evidence_of(package(info("app"), {image::file("app", "app")}));
  image::Image web;
  index::SerialImage entry;
  index::Serial first, second;

  index::SerialPackage evidence_of(index::SerialPackage what) {
    what.provenance = *store_->put_bytes("provenance of " + what.record.name);
    what.sbom = *store_->put_bytes("sbom of " + what.record.name);
    return what;
  }

  void SetUp() override {
    web = compose(spec("contents: {packages: [app]}\n"), {base, app});
    entry.name = "web";
    entry.index_digest = web.index.digest;
    entry.tags = {"1", "latest"};
    entry.packages = web.packages;
    entry.inputs = web.inputs;
    entry.blobs = {web.index.digest, web.manifest.digest, web.config.digest};
    for (const image::Layer& layer : web.layers) entry.blobs.push_back(layer.blob.digest);
    attach();
    first = publish(1, "first");
    second = publish(2, "second");
  }

  /// One referrer and one legacy tag.
  void attach() {
    Json config, manifest, descriptor, by_subject = Json::object(), tags;
    const std::string empty = "{}";
    const Sha256 blob = *store_->put_bytes(empty);
    config.set("mediaType", "application/vnd.oci.empty.v1+json").set("digest", blob.oci()).set("size", 2);
    manifest.set("schemaVersion", 2).set("mediaType", "application/vnd.oci.image.manifest.v1+json");
    manifest.set("config", config).set("layers", Json::array());
    manifest.set("subject", image::to_json(web.index));
    const std::string text = codec::to_json(manifest);
    const Sha256 digest = *store_->put_bytes(text);
    descriptor.set("mediaType", "application/vnd.oci.image.manifest.v1+json").set("digest", digest.oci());
    descriptor.set("size", static_cast<std::int64_t>(text.size())).set("artifactType", "application/x");
    by_subject.set(web.index.digest.oci(), Json::array({descriptor}));
    by_subject.set("tags", tags.set(signature_tag(), digest.oci()));
    entry.referrers = by_subject;
    entry.blobs.push_back(blob);
    entry.blobs.push_back(digest);
  }
  std::string signature_tag() const { return "sha256-" + web.index.digest.hex() + ".sig"; }

  index::Serial publish(std::uint64_t number, std::string reason) {
    index::Serial next;
    next.reason = std::move(reason);
    next.packages = {app, base};
    next.images = {entry};
    const auto index = index::make_index(next.packages, Edition::kCommunity, number,
                                         index::segment_signer(test_signer(), Edition::kCommunity));
    EXPECT_TRUE(index) << index.error().render();
    next.index = *store_->put_bytes(*index);
    next.index_provenance = *store_->put_bytes(fmt::format("index provenance {}", number));
    next.index_sbom = *store_->put_bytes("index sbom");
    auto out = index::publish_serial(env_, std::move(next));
    EXPECT_TRUE(out) << out.error().render();
    return *std::move(out);
  }

  net::ServerResponse get(const std::string& path, std::map<std::string, std::string> params = {}) {
    net::ServerRequest request;
    request.method = "GET";
    request.path = path;
    request.params = std::move(params);
    request.headers["host"] = "repo.example:8080";
    return make_handler(env_, {(dir_.path() / "keys").string()})(request);
  }
  std::string body(const net::ServerResponse& answer) {
    if (answer.file.empty()) return answer.body;
    auto text = os::read_file(answer.file);
    EXPECT_TRUE(text) << text.error().render();
    return *text;
  }
};

TEST_F(PublishTest, ALayoutHoldsEveryBlobAndNamesTags) {
  const os::Path folder = dir_.path() / "oci";
  for (int times = 0; times < 2; ++times) {  // a second time over the first is the same
    const auto written = write_layout(folder, {entry}, env_);
    ASSERT_TRUE(written) << written.error().render();
    EXPECT_EQ(*os::read_file(folder / "oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
    for (const Sha256& blob : entry.blobs)
      EXPECT_EQ(codec::sha256(*os::read_file(folder / "blobs/sha256" / blob.hex())), blob);
    std::vector<std::string> names;
    const Json index = parsed(*os::read_file(folder / "index.json"));
    for (const Json& row : index["manifests"].items()) {
      names.push_back(row["annotations"]["org.opencontainers.image.ref.name"].as_string());
      const auto text = os::read_file(folder / "blobs/sha256" / row["digest"].as_string().substr(7));
      ASSERT_TRUE(text) << text.error().render();
      EXPECT_EQ(row["size"].as_int(), static_cast<std::int64_t>(text->size()));
      EXPECT_EQ(row["mediaType"], parsed(*text)["mediaType"]);
    }
    EXPECT_EQ(names, (std::vector<std::string>{"1", "latest", "", signature_tag()}));
  }
  index::SerialImage other = entry;
  other.name = "other";
  ASSERT_TRUE(write_layout(folder, {entry, other}, env_));
  const Json both = parsed(*os::read_file(folder / "index.json"));
  EXPECT_EQ(both["manifests"].items()[0]["annotations"]["org.opencontainers.image.ref.name"].as_string(), "web-1");
  index::SerialImage broken = entry;
  broken.blobs.push_back(codec::sha256("nothing"));
  const auto written = write_layout(folder, {broken}, env_);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(parsed(*os::read_file(folder / "index.json")), both);  // index.json comes last
}

TEST_F(PublishTest, ARepositoryIsAPlainDirectory) {
  const os::Path folder = dir_.path() / "repo", arch = folder / first.arch;
  const auto written = write_repository(folder, first, env_);
  ASSERT_TRUE(written) << written.error().render();
  std::set<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(arch)) names.insert(file.path().filename());
  EXPECT_EQ(names,
            (std::set<std::string>{
                index::consistent_name(first.index),
                "APKINDEX.tar.gz", "APKINDEX.tar.gz.intoto.sigstore.json", "APKINDEX.tar.gz.spdx.json", "app-1-r0.apk",
                "app-1-r0.apk.intoto.sigstore.json", "app-1-r0.apk.spdx.json", "nacre-baselayout-1-r0.apk",
                "nacre-baselayout-1-r0.apk.intoto.sigstore.json", "nacre-baselayout-1-r0.apk.spdx.json"}));
  EXPECT_EQ(codec::sha256(*os::read_file(arch / "app-1-r0.apk")), app.apk);
  EXPECT_EQ(codec::sha256(*os::read_file(arch / "APKINDEX.tar.gz")), first.index);
  ASSERT_TRUE(write_repository(folder, second, env_));
  EXPECT_EQ(codec::sha256(*os::read_file(arch / "APKINDEX.tar.gz")), second.index);
}

TEST_F(PublishTest, ServesPackagesOfEverySerial) {
  ASSERT_TRUE(os::make_dirs(dir_.path() / "keys"));
  ASSERT_TRUE(os::write_file(dir_.path() / "keys/nacre-community.rsa.pub", "PEM"));
  ASSERT_TRUE(os::write_file(dir_.path() / "keys/secret.pem", "no"));
  const std::string arch = first.arch;
  const std::vector<std::tuple<std::string, int, std::string>> rows = {
      {"/community/" + arch + "/APKINDEX.tar.gz", 200, *store_->read(second.index)},
      {"/community/" + arch + "/APKINDEX.tar.gz.spdx.json", 200, "index sbom"},
      {"/community/" + arch + "/APKINDEX.tar.gz.intoto.sigstore.json", 200, "index provenance 2"},
      {"/community/serial/1/" + arch + "/APKINDEX.tar.gz", 200, *store_->read(first.index)},
      {"/community/serial/1/" + arch + "/APKINDEX.tar.gz.intoto.sigstore.json", 200, "index provenance 1"},
      {"/community/" + arch + "/app-1-r0.apk", 200, *store_->read(app.apk)},
      {"/community/" + arch + "/app-1-r0.apk.spdx.json", 200, "sbom of app"},
      {"/community/" + arch + "/app-1-r0.apk.intoto.sigstore.json", 200, "provenance of app"},
      {"/community/keys/nacre-community.rsa.pub", 200, "PEM"},
      {"/community/keys/secret.pem", 404, "no such key"},
      {"/community/keys/../keys/nacre-community.rsa.pub", 404, "expected ARCH/FILE, such as x86_64/APKINDEX.tar.gz"},
      {"/community/keys/none.pub", 404, "no such key"},
      {"/community/serial/3/" + arch + "/APKINDEX.tar.gz", 404, ""},
      {"/community/serial/1x/" + arch + "/APKINDEX.tar.gz", 404, "expected the number of a serial"},
      {"/community/serial//" + arch, 404, fmt::format("no file '{}' for serial", arch)},
      {"/community/" + arch + "/app-1-r0.apkx", 404, fmt::format("no file 'app-1-r0.apkx' for {}", arch)},
      {"/community/m68k/app-1-r0.apk", 404, "no file 'app-1-r0.apk' for m68k"},
      {"/production/" + arch + "/APKINDEX.tar.gz", 404, "nothing is published in edition production"},
      {"/nothing/" + arch + "/APKINDEX.tar.gz", 404, "no such path"},
      {"/community/" + arch, 404, "expected ARCH/FILE, such as x86_64/APKINDEX.tar.gz"},
      {"/community/keys/", 200,
       "<!doctype html><html lang=en><meta charset=utf-8><title>keys</title>"
       "<p><a href=\"/community/keys/nacre-community.rsa.pub\">nacre-community.rsa.pub</a>\n"},
      {"/community/", 200, body(get("/"))},
  };
  for (const auto& [path, status, wanted] : rows) {
    const net::ServerResponse answer = get(path);
    EXPECT_EQ(answer.status, status) << path;
    const std::string found =
        status == 200 ? body(answer) : parsed(answer.body)["errors"].items()[0]["message"].as_string();
    EXPECT_TRUE(found == wanted || (status != 200 && wanted.empty())) << path << ": " << found;
  }
}

TEST_F(PublishTest, ServesThePullSideOfTheDistributionProtocol) {
  EXPECT_EQ(body(get("/v2/")), "{}");
  EXPECT_EQ(body(get("/v2/_catalog")), "{\"repositories\":[\"nacre/web\"]}");
  EXPECT_EQ(body(get("/v2/nacre/web/tags/list")),
            fmt::format(R"({{"name":"nacre/web","tags":["1","edge","latest","serial-1","serial-2","{}"]}})",
                        signature_tag()));
  for (const std::string& reference :
       {std::string("1"), std::string("latest"), std::string("serial-1"), web.index.digest.oci()}) {
    const net::ServerResponse answer = get("/v2/nacre/web/manifests/" + reference);
    EXPECT_EQ(answer.status, 200) << reference;
    EXPECT_EQ(answer.content_type, "application/vnd.oci.image.index.v1+json");
    EXPECT_EQ(codec::sha256(body(answer)), web.index.digest);
    EXPECT_EQ(std::count(answer.headers.begin(), answer.headers.end(),
                         std::pair<std::string, std::string>("Docker-Content-Digest", web.index.digest.oci())), 1);
  }
  EXPECT_EQ(get("/v2/nacre/web/manifests/" + signature_tag()).content_type,
            "application/vnd.oci.image.manifest.v1+json");
  const Sha256 layer = web.layers[0].blob.digest;
  EXPECT_EQ(codec::sha256(body(get("/v2/nacre/web/blobs/" + layer.oci()))), layer);
  const std::string referrers = "/v2/nacre/web/referrers/" + web.index.digest.oci();
  EXPECT_EQ(codec::to_canonical_json(parsed(body(get(referrers)))["manifests"]),
            codec::to_canonical_json(entry.referrers[web.index.digest.oci()]));
  EXPECT_EQ(parsed(body(get(referrers, {{"artifactType", "application/x"}})))["manifests"].items().size(), 1u);
  const net::ServerResponse filtered = get(referrers, {{"artifactType", "application/y"}});
  EXPECT_EQ(body(filtered),
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})");
  EXPECT_EQ(filtered.headers.back(), (std::pair<std::string, std::string>("OCI-Filters-Applied", "artifactType")));
  EXPECT_EQ(parsed(body(get("/v2/nacre/web/referrers/tags")))["manifests"].items().size(), 0u);

  const Sha256 foreign = *store_->put_bytes("in the store, and of no image");
  for (const std::string path : {"manifests/none", "blobs/none", "manifests/../1", "tags/none", "x/y"})
    EXPECT_EQ(get("/v2/nacre/web/" + path).status, 404) << path;
  EXPECT_EQ(get("/v2/nacre/web/blobs/" + foreign.oci()).status, 404);
  EXPECT_EQ(get("/v2/nacre/web/manifests/" + layer.oci()).status, 404);
  EXPECT_EQ(get("/v2/nacre/none/tags/list").status, 404);
  EXPECT_EQ(get("/v2/nacre-production/web/manifests/1").status, 404);
  EXPECT_EQ(get("/v2/other/web/manifests/1").status, 404);
}

TEST_F(PublishTest, ThePageEscapesWhatItShows) {
  entry.tags = {"<script>", "\"&"};
  publish(3, "<b>reason</b>");
  const net::ServerResponse page = get("/");
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_NE(page.body.find("&lt;script&gt; &quot;&amp;"), std::string::npos);
  EXPECT_NE(page.body.find("&lt;b&gt;reason&lt;/b&gt;"), std::string::npos);
  EXPECT_NE(page.body.find("http://repo.example:8080/community"), std::string::npos);
  EXPECT_EQ(page.body.find("<script>"), std::string::npos);
  EXPECT_EQ(page.body.find("<b>"), std::string::npos);
}

/// A registry in memory: uploads, manifests, tags, and what a test wants it to do wrong.
class TinyRegistry final : public net::Http {
 public:
  std::map<std::string, std::string> blobs, manifests;  ///< By digest; manifests by tag too.
  std::vector<std::string> log;                         ///< "METHOD PATH"
  std::vector<std::string> authorizations;              ///< "HOST VALUE" of each request that had one.
  bool notes_subjects = false, referrers_api = false, asks_for_token = false, checks = false;
  std::string upload_host = "http://127.0.0.1:5000";
  std::string realm = "http://127.0.0.1:5000/token";
  std::string challenge;                                ///< Instead of the one with `realm`; "@" is that.
  std::string token_answer = "{\"token\":\"secret\"}";
  std::map<std::string, int> failures;                  ///< Status to answer for "METHOD PATH".
  std::map<std::string, std::string> lies;              ///< Bytes to answer for a digest.
  std::string begun;                                    ///< Of the upload in pieces.
  std::string second_page, more_at;                     ///< Of referrers.
  int drops = 0;                                        ///< So many pieces arrive by half.
  std::mutex mutex;

  Result<net::Response> send(const net::Request& request, std::stop_token) override {
    const std::lock_guard lock(mutex);   // uploads come in several threads
    const std::size_t host_end = request.url.find('/', 8);
    const std::string host = request.url.substr(0, host_end), path = request.url.substr(host_end);
    log.push_back(request.method + " " + path);
    bool has_token = false;
    for (const auto& [name, value] : request.headers)
      if (name == "Authorization") {
        authorizations.push_back(host + " " + value);
        has_token = value == "Bearer secret" || (challenge.starts_with("basic") && value.starts_with("Basic "));
      }
    net::Response out = answer(request, path, has_token);
    out.final_url = request.url;
    if (out.body.size() > request.max_bytes) return Error::make(ErrorKind::kInvalid, "the answer is too long");
    if (request.sink && out.status == 200) {
      if (request.on_head) TRY(request.on_head(out));
      TRY(request.sink(out.body));
      out.body.clear();
    }
    return out;
  }

 private:
  static net::Response status(int code) {
    net::Response out;
    out.status = code;
    return out;
  }
  net::Response answer(const net::Request& request, const std::string& path, bool has_token) {
    if (path.starts_with("/token")) {
      net::Response out = status(200);
      out.body = token_answer;
      return out;
    }
    if (const auto failure = failures.find(request.method + " " + path); failure != failures.end())
      return status(failure->second);
    if (path.starts_with("/upload?digest=")) return take(request, path.substr(15));
    if (asks_for_token && !has_token) {
      net::Response out = status(401);
      out.headers["www-authenticate"] =
          challenge.empty()
              ? "Bearer realm=\"" + realm + "\",service=\"tiny\",scope=\"repository:a/b:pull,push\""
              : replace_all(challenge, "@", realm);
      return out;
    }
    if (path == "/upload") return piece(request);
    if (path.starts_with("/v2/c/d/")) return of_second(request, path.substr(8));
    const std::string base = "/v2/a/b/";
    if (!path.starts_with(base)) return status(404);
    return of_repository(request, path.substr(base.size()));
  }
  /// Another repository: knows what can be mounted, and no blobs of its own.
  net::Response of_second(const net::Request& request, const std::string& path) {
    const std::string mount = "blobs/uploads/?mount=";
    if (path.starts_with(mount)) return status(blobs.contains(path.substr(mount.size(), 71)) ? 201 : 202);
    if (request.method == "PUT") return put(request, path.substr(path.find('/') + 1));
    return status(404);
  }
  /// PATCH takes a piece of a blob, or half of it; GET says how much there is.
  net::Response piece(const net::Request& request) {
    if (request.method == "PATCH") {
      if (request.body_offset != begun.size()) return status(416);
      const std::string all = *os::read_file(request.body_file, 1u << 30);
      const bool drop = drops > 0 && drops-- > 0;
      begun += all.substr(request.body_offset, drop ? request.body_size / 2 : request.body_size);
      if (drop) return status(502);
    }
    net::Response out = status(request.method == "GET" ? 204 : 202);
    out.headers["location"] = "/upload";
    out.headers["range"] = fmt::format("0-{}", begun.empty() ? 0 : begun.size() - 1);
    return out;
  }
  net::Response take(const net::Request& request, const std::string& digest) {
    const std::string bytes = request.body_file.empty() ? begun : *os::read_file(request.body_file);
    if (codec::sha256(bytes).oci() != digest) return status(400);
    blobs[digest] = bytes;
    return status(201);
  }
  net::Response of_repository(const net::Request& request, const std::string& path) {
    if (path == "blobs/uploads/") {
      net::Response out = status(202);
      out.headers["location"] = upload_host + "/upload";
      return out;
    }
    if (path.starts_with("referrers/")) {
      if (!referrers_api) return status(404);
      net::Response out = status(200);
      if (path.ends_with("?page=2")) {
        out.body = second_page;
        return out;
      }
      out.body = manifests["sha256-" + path.substr(17)];
      if (!second_page.empty()) out.headers["link"] = "<" + more_at + "/v2/a/b/" + path + "?page=2>; rel=\"next\"";
      return out;
    }
    const std::string name = path.substr(path.find('/') + 1);
    auto& table = path.starts_with("blobs/") ? blobs : manifests;
    if (request.method == "PUT") return put(request, name);
    const auto found = table.find(name);
    if (found == table.end()) return status(404);
    if (request.method == "DELETE") {
      table.erase(found);
      return status(202);
    }
    net::Response out = status(200);
    const auto lie = lies.find(name);
    if (request.method != "HEAD") out.body = lie == lies.end() ? found->second : lie->second;
    return out;
  }
  /// Whether it has all that a manifest names.
  bool complete(const Json& json) const {
    for (const Json& child : json["manifests"].items())
      if (!manifests.contains(child["digest"].as_string())) return false;
    for (const Json& layer : json["layers"].items())
      if (!blobs.contains(layer["digest"].as_string())) return false;
    return json.find("config") == nullptr || blobs.contains(json["config"]["digest"].as_string());
  }
  net::Response put(const net::Request& request, const std::string& name) {
    if (checks && !complete(*codec::parse_json(request.body, "manifest"))) return status(400);
    const std::string digest = codec::sha256(request.body).oci();
    manifests[digest] = request.body;
    if (!name.starts_with("sha256:")) manifests[name] = request.body;
    net::Response out = status(201);
    out.headers["docker-content-digest"] = digest;
    const Json json = *codec::parse_json(request.body, "manifest");
    if (notes_subjects && json.find("subject") != nullptr)
      out.headers["oci-subject"] = json["subject"]["digest"].as_string();
    return out;
  }
};

struct RegistryTest : PublishTest {
  TinyRegistry remote;
  Env env{processes_, clock_, remote, *store_, events_, {}};
  Registry registry{env, *parse_reference("127.0.0.1:5000/a/b:1")};

  template <class T>
  static std::string said(const Result<T>& result) {
    return result ? "no error" : result.error().render();
  }
  std::size_t at(const std::string& line) const {
    return static_cast<std::size_t>(std::find(remote.log.begin(), remote.log.end(), line) - remote.log.begin());
  }
  /// A pull into a store of its own.
  std::string pull(const std::string& what) {
    auto empty = open_store(dir_.path() / fmt::format("pull-{}", ++pulls));
    Env other{processes_, clock_, remote, *empty, events_, {}};
    const auto digest = Registry(other, *parse_reference("127.0.0.1:5000/a/b:1")).pull(what);
    if (!digest) return digest.error().render();
    for (const Sha256& blob : {web.index.digest, web.manifest.digest, web.config.digest, web.layers[0].blob.digest})
      EXPECT_TRUE(empty->check(blob)) << blob.oci();
    return digest->oci();
  }
  int pulls = 0;
};

TEST(BlobTurns, OneAtATimeUntilOneFails) {
  BlobTurns turns;
  const Sha256 digest = codec::sha256("blob"), other = codec::sha256("other");
  std::atomic<int> inside = 0, most = 0;
  const auto hold = [&](int until, bool good) {
    BlobTurns::Turn turn = turns.take(digest);
    most = std::max(most.load(), ++inside);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(until > 1 ? 10'000 : 5);
    while (most < until || until == 1) {
      if (std::chrono::steady_clock::now() > end) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    --inside;
    if (good) turn.succeeded();
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { hold(1, true); });
    const BlobTurns::Turn beside = turns.take(other);  // waits for nobody
  }
  EXPECT_EQ(most, 1);
  hold(1, false);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) threads.emplace_back([&] { hold(2, false); });
  }
  EXPECT_EQ(most, 2) << "after a failure each tries for itself";
}

TEST_F(RegistryTest, PushesTagsLastAndBlobsOnce) {
  const auto receipt = registry.push(entry);
  ASSERT_TRUE(receipt) << receipt.error().render();
  EXPECT_EQ(receipt->name, "127.0.0.1:5000/a/b");
  EXPECT_EQ(receipt->digest, web.index.digest);
  EXPECT_EQ(receipt->blobs_sent, static_cast<int>(web.layers.size()) + 2);  // configuration, and the empty one
  EXPECT_EQ(receipt->blobs_present, 0);
  EXPECT_FALSE(receipt->referrers_api);
  EXPECT_EQ(codec::sha256(remote.manifests["1"]), web.index.digest);
  EXPECT_EQ(remote.manifests["latest"], remote.manifests["1"]);
  EXPECT_TRUE(remote.manifests.contains(signature_tag()));
  const std::string fallback = "sha256-" + web.index.digest.hex();
  EXPECT_EQ(parsed(remote.manifests[fallback])["manifests"], entry.referrers[web.index.digest.oci()]);
  const std::size_t tag = at("PUT /v2/a/b/manifests/1");
  EXPECT_EQ(tag + 2, remote.log.size());
  EXPECT_LT(at("PUT /v2/a/b/manifests/" + web.manifest.digest.oci()), tag);
  EXPECT_LT(at("PUT /v2/a/b/manifests/" + signature_tag()), tag);
  // What gets a tag comes with it, and not before under its digest.
  EXPECT_EQ(at("PUT /v2/a/b/manifests/" + web.index.digest.oci()), remote.log.size());

  remote.log.clear();
  const auto again = registry.push(entry);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->blobs_sent, 0);
  EXPECT_EQ(again->bytes_present, receipt->bytes_sent);
  EXPECT_LT(at("HEAD /v2/a/b/manifests/" + web.index.digest.oci()), remote.log.size());
  const auto asked = [&](const Sha256& blob) { return at("HEAD /v2/a/b/blobs/" + blob.oci()) < remote.log.size(); };
  EXPECT_FALSE(asked(web.layers[0].blob.digest)) << "the index that is there holds it";
  EXPECT_FALSE(asked(web.config.digest));
  EXPECT_EQ(at("PUT /v2/a/b/manifests/" + web.manifest.digest.oci()), remote.log.size());
  EXPECT_EQ(parsed(remote.manifests[fallback])["manifests"].items().size(), 1u);  // not listed twice
}

TEST_F(RegistryTest, AsksForEachBlobWhereTheIndexIsThereAndTheRestIsNot) {
  remote.checks = true;
  ASSERT_TRUE(registry.push(entry));
  remote.blobs.erase(web.layers[0].blob.digest.oci());
  remote.manifests.erase(web.manifest.digest.oci());
  const auto again = registry.push(entry);
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(again->blobs_sent, 1);
  EXPECT_TRUE(remote.blobs.contains(web.layers[0].blob.digest.oci()));
  EXPECT_EQ(pull("1"), web.index.digest.oci());
}

TEST_F(RegistryTest, AsksForEachBlobWhereTheIndexIsGone) {
  ASSERT_TRUE(registry.push(entry));
  remote.blobs.clear();
  remote.manifests.clear();
  const auto again = registry.push(entry);
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(pull("1"), web.index.digest.oci());
}

TEST_F(RegistryTest, TakesATagAwayWhereTheRegistryLetsIt) {
  ASSERT_TRUE(registry.push(entry));
  EXPECT_TRUE(registry.untag("latest").take());
  EXPECT_FALSE(remote.manifests.contains("latest"));
  EXPECT_TRUE(remote.manifests.contains("1")) << "others stay, and so does what it named";
  EXPECT_TRUE(registry.untag("latest").take()) << "it is not there";
  for (const int refusal : {400, 403, 405, 501}) {
    remote.failures["DELETE /v2/a/b/manifests/1"] = refusal;
    EXPECT_FALSE(registry.untag("1").take()) << refusal;
  }
  remote.failures["DELETE /v2/a/b/manifests/1"] = 500;
  EXPECT_EQ(registry.untag("1").error().kind(), ErrorKind::kUnavailable);
  EXPECT_TRUE(remote.manifests.contains("1"));
}

TEST_F(RegistryTest, PutsAnImageWithoutTagsUnderItsDigest) {
  entry.tags.clear();
  ASSERT_TRUE(registry.push(entry));
  EXPECT_EQ(pull(web.index.digest.oci()), web.index.digest.oci());
}

TEST_F(RegistryTest, MountsWhatAnotherRepositoryHas) {
  const auto sent = registry.push(entry);
  ASSERT_TRUE(sent) << sent.error().render();
  remote.log.clear();
  const auto mounted = Registry(env, *parse_reference("127.0.0.1:5000/c/d:1")).push(entry);
  ASSERT_TRUE(mounted) << mounted.error().render();
  EXPECT_EQ(mounted->blobs_sent, 0);
  EXPECT_EQ(mounted->blobs_mounted, sent->blobs_sent);
  EXPECT_EQ(mounted->bytes_mounted, sent->bytes_sent);
  const std::string layer = web.layers[0].blob.digest.oci();
  EXPECT_LT(at("POST /v2/c/d/blobs/uploads/?mount=" + layer + "&from=a/b"), remote.log.size());
}

/// An image whose only layer is large enough to go in pieces.
struct LargeBlob : RegistryTest {
  const std::string bytes = [] {
    std::string out(BlobUpload::kLarge + 5'000'000, '\0');
    for (std::size_t i = 0; i < out.size(); i += 4096) out[i] = static_cast<char>(i / 4096 * 31);
    return out;
  }();
  const Sha256 digest = *store_->put_bytes(bytes);
  SharedToken token;
  const Reference base = *parse_reference("127.0.0.1:5000/a/b:1");

  std::string bring() {
    const auto how = BlobUpload(env, base, token).bring(digest);
    return how ? fmt::format("{}", static_cast<int>(*how)) : how.error().render();
  }
  std::ptrdiff_t pieces() const { return std::count(remote.log.begin(), remote.log.end(), "PATCH /upload"); }
};

TEST_F(LargeBlob, GoesInPiecesAndOnAfterADrop) {
  remote.drops = 2;
  EXPECT_EQ(bring(), "2");
  EXPECT_EQ(pieces(), 4) << "16 MiB, half of it, half of the next, the rest";
  EXPECT_EQ(codec::sha256(remote.blobs[digest.oci()]), digest);
  EXPECT_EQ(bring(), "0");
}

TEST_F(LargeBlob, TheNextPushGoesOnWhereOneStopped) {
  remote.failures["PUT /upload?digest=" + digest.oci()] = 403;
  EXPECT_NE(bring(), "2");
  EXPECT_EQ(remote.begun, bytes);
  remote.failures.clear();
  remote.log.clear();
  EXPECT_EQ(bring(), "2");
  EXPECT_EQ(pieces(), 0) << "all its bytes were there";
  EXPECT_EQ(std::count(remote.log.begin(), remote.log.end(), "POST /v2/a/b/blobs/uploads/"), 0);
  EXPECT_EQ(codec::sha256(remote.blobs[digest.oci()]), digest);
}

TEST_F(LargeBlob, AnUploadThatTheRegistryForgotBeginsAnew) {
  remote.failures["PUT /upload?digest=" + digest.oci()] = 403;
  EXPECT_NE(bring(), "2");
  remote.failures = {{"GET /upload", 404}};
  remote.begun.clear();
  EXPECT_EQ(bring(), "2");
  EXPECT_EQ(codec::sha256(remote.blobs[digest.oci()]), digest);
}

TEST_F(LargeBlob, ARegistryThatTakesNothingIsGivenUp) {
  remote.failures["PATCH /upload"] = 503;
  EXPECT_EQ(bring(), fmt::format("the registry takes no byte after 0 of {}\n  while uploading blob {}\n"
                                 "  hint: run the same command again: it goes on from there",
                                 bytes.size(), digest.oci()));
}

TEST_F(RegistryTest, AFailedPushLeavesTagsAsTheyWere) {
  for (const std::string& put : {web.manifest.digest.oci(), signature_tag(), "sha256-" + web.index.digest.hex()}) {
    remote.failures = {{"PUT /v2/a/b/manifests/" + put, 400}};
    EXPECT_FALSE(registry.push(entry)) << put;
    EXPECT_FALSE(remote.manifests.contains("1")) << put;
  }
}

TEST_F(RegistryTest, KeepsWhatOthersListedAsReferrers) {
  const std::string fallback = "sha256-" + web.index.digest.hex();
  Json others;
  others.set("manifests", Json::array({Json::object({{"digest", "sha256:other"}})}));
  remote.manifests[fallback] = codec::to_json(others);
  ASSERT_TRUE(registry.push(entry));
  EXPECT_EQ(parsed(remote.manifests[fallback])["manifests"].items().size(), 2u);
  remote.failures["GET /v2/a/b/manifests/" + fallback] = 403;
  const std::string before = remote.manifests[fallback];
  const auto denied = registry.push(entry);
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(remote.manifests[fallback], before);
}

TEST_F(RegistryTest, UsesTheReferrersApiWhereThereIsOne) {
  remote.notes_subjects = true;
  const auto receipt = registry.push(entry);
  ASSERT_TRUE(receipt);
  EXPECT_TRUE(receipt->referrers_api);
  const std::string fallback = "sha256-" + web.index.digest.hex();
  EXPECT_FALSE(remote.manifests.contains(fallback));
  EXPECT_EQ(*registry.referrers(web.index.digest), Json::array());
  remote.referrers_api = true;
  remote.manifests[fallback] = "{\"manifests\":[{\"digest\":\"x\"}]}";
  EXPECT_EQ(codec::to_json(*registry.referrers(web.index.digest)), "[{\"digest\":\"x\"}]");
  remote.second_page = "{\"manifests\":[{\"digest\":\"y\"}]}";
  for (const char* at : {"", "http://127.0.0.1:5000"}) {
    remote.more_at = at;
    EXPECT_EQ(codec::to_json(*registry.referrers(web.index.digest)), "[{\"digest\":\"x\"},{\"digest\":\"y\"}]") << at;
  }
  for (const char* at : {"http://evil.example", "//evil.example"}) {
    remote.more_at = at;
    EXPECT_EQ(codec::to_json(*registry.referrers(web.index.digest)), "[{\"digest\":\"x\"}]") << at;
  }
}

TEST_F(RegistryTest, GetsATokenAndGivesItToTheRegistryAlone) {
  ::setenv("NACRE_REGISTRY_AUTH", "me:pw", 1);
  remote.asks_for_token = true;
  remote.upload_host = "http://uploads.example";
  const auto receipt = registry.push(entry);
  ::unsetenv("NACRE_REGISTRY_AUTH");
  ASSERT_TRUE(receipt) << receipt.error().render();
  EXPECT_EQ(remote.authorizations.at(0), "http://127.0.0.1:5000 Basic " + to_base64("me:pw"));
  EXPECT_EQ(remote.authorizations.at(1), "http://127.0.0.1:5000 Bearer secret");
  const auto asks = [](const std::string& line) { return line.find("/token") != line.npos; };
  EXPECT_EQ(std::count_if(remote.log.begin(), remote.log.end(), asks), 1) << "uploads begin at once, and ask once";
  for (const std::string& line : remote.authorizations) EXPECT_TRUE(line.starts_with("http://127.0.0.1:5000 ")) << line;
  EXPECT_LT(at("GET /token?service=tiny&scope=repository%3Aa%2Fb%3Apull%2Cpush"), remote.log.size());
}

TEST_F(RegistryTest, ReadsChallengesAsTheyAreWritten) {
  remote.asks_for_token = true;
  for (const char* challenge :
       {"bearer Realm=\"@\", Service=tiny , scope = \"repository:a/b:pull,push\"",
        "Basic realm=\"other\", Bearer realm=\"@\",service=\"tiny\",scope=\"repository:a/b:pull,push\"",
        "Negotiate, Bearer realm=@,service=\"ti\\ny\",scope=\"repository:a/b:pull,push\"",
        "Bearer realm=\"@\",service=\"tiny\",scope=\"repository:a/b:pull,push\", Basic realm=\"other\""}) {
    remote.challenge = challenge;
    remote.log.clear();
    Registry fresh(env, *parse_reference("127.0.0.1:5000/a/b:1"));
    const auto found = fresh.named("none");
    EXPECT_TRUE(found) << challenge << ": " << found.error().render();
    EXPECT_LT(at("GET /token?service=tiny&scope=repository%3Aa%2Fb%3Apull%2Cpush"), remote.log.size()) << challenge;
  }
  ::setenv("NACRE_REGISTRY_AUTH", "me:pw", 1);
  remote.challenge = "basic Realm=\"x\"";
  Registry fresh(env, *parse_reference("127.0.0.1:5000/a/b:1"));
  EXPECT_TRUE(fresh.named("none"));
  ::unsetenv("NACRE_REGISTRY_AUTH");
}

TEST_F(RegistryTest, AnAnswerWithoutATokenIsNamed) {
  remote.asks_for_token = true;
  remote.token_answer = "{\"expires_in\":60}";
  const auto found = registry.named("none");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().render().find("'http://127.0.0.1:5000/token' answered without a token"), 0u)
      << found.error().render();
}

TEST_F(RegistryTest, GivesNoCredentialsOverAnOpenLine) {
  remote.asks_for_token = true;
  remote.realm = "http://evil.example/token";
  Registry far(env, *parse_reference("registry.example/a/b:1"));
  EXPECT_EQ(
      said(far.manifest("1")),
      "'registry.example' asks for credentials to be sent to 'http://evil.example/token', which is not encrypted");
  remote.realm = "file:///etc/passwd";
  const std::string odd = said(far.manifest("1"));
  EXPECT_NE(odd.find("which is not encrypted"), std::string::npos) << odd;
}

TEST_F(RegistryTest, PullsWhatWasPushed) {
  ASSERT_TRUE(registry.push(entry));
  EXPECT_EQ(pull("1"), web.index.digest.oci());
  EXPECT_EQ(pull(web.index.digest.oci()), web.index.digest.oci());
  EXPECT_EQ(registry.manifest("1")->second, web.index.digest);
  EXPECT_EQ(codec::sha256(*registry.blob(web.layers[0].blob.digest, 1u << 20)), web.layers[0].blob.digest);
  EXPECT_EQ(registry.manifest("none").error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(said(registry.manifest("none")),
            "the registry '127.0.0.1:5000' has no image 'a/b' with the tag or digest 'none'");
}

TEST_F(RegistryTest, APullBelievesNoByte) {
  ASSERT_TRUE(registry.push(entry));
  const Sha256 layer = web.layers[0].blob.digest;
  const std::string bytes = remote.blobs[layer.oci()], manifest = web.manifest.digest.oci();
  std::string flipped = bytes;
  flipped[3] = static_cast<char>(flipped[3] ^ 1);
  const std::string where = fmt::format("\n  while reading manifest '{}'", manifest);
  remote.lies = {{layer.oci(), flipped}};
  EXPECT_EQ(pull("1"), fmt::format("'127.0.0.1:5000' gave {} for blob {}, {} of {} bytes{}",
                                   codec::sha256(flipped).oci(), layer.oci(), bytes.size(), bytes.size(), where));
  remote.lies = {{layer.oci(), bytes + "more than the descriptor says"}};
  EXPECT_EQ(pull("1"), fmt::format("the answer is too long\n  while reading blob {}{}", layer.oci(), where));
  remote.lies = {{manifest, "{}"}};
  EXPECT_EQ(pull("1"), fmt::format("'127.0.0.1:5000' gave {} for manifest {}", codec::sha256("{}").oci(), manifest));
  EXPECT_EQ(said(registry.blob(layer, 1u << 20)), "no error");
  remote.lies = {{layer.oci(), flipped}};
  EXPECT_EQ(said(registry.blob(layer, 1u << 20)),
            fmt::format("'127.0.0.1:5000' gave {} for blob {}", codec::sha256(flipped).oci(), layer.oci()));
}

TEST_F(RegistryTest, OddManifestsEndAPull) {
  const auto serve = [&](const std::string& name, const std::string& text) { remote.manifests[name] = text; };
  const std::string index_type = "application/vnd.oci.image.index.v1+json";
  // A chain of indexes, each naming the next one.
  std::string inner = "{}";
  for (int depth = 0; depth < 8; ++depth) {
    const std::string digest = codec::sha256(inner).oci();
    serve(digest, inner);
    inner = fmt::format(R"({{"manifests":[{{"mediaType":"{}","digest":"{}","size":1}}]}})", index_type, digest);
  }
  serve("deep", inner);
  // One index that names another very often.
  Json many = Json::array(), wide;
  for (int i = 0; i < 1'001; ++i)
    many.push(
        parsed(fmt::format(R"({{"mediaType":"{}","digest":"{}","size":2}})", index_type, codec::sha256("{}").oci())));
  serve("wide", codec::to_json(wide.set("manifests", many)));
  serve("climb",
        fmt::format(R"({{"manifests":[{{"mediaType":"{}","digest":"../../other/manifests/1"}}]}})", index_type));
  serve("text", "no JSON");
  serve("blob", R"({"layers":[{"digest":"sha256:12","size":1}]})");
  serve("unsized", fmt::format(R"({{"layers":[{{"digest":"{}"}}]}})", codec::sha256("x").oci()));
  serve("huge", fmt::format(R"({{"layers":[{{"digest":"{}","size":99999999999999}}]}})", codec::sha256("x").oci()));
  serve("negative", fmt::format(R"({{"layers":[{{"digest":"{}","size":-1}}]}})", codec::sha256("x").oci()));
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"deep", "indexes are nested too deeply"},
      {"wide", "the image has more than 1000 manifests"},
      {"climb", "expected a SHA-256 of 64 hexadecimal digits, got "},
      {"text", "text:1:2: "},
      {"blob", "expected a SHA-256 of 64 hexadecimal digits, got "},
      {"unsized", ""},
      {"huge", fmt::format("blob {} has 99999999999999 bytes, expected at most 17179869184", codec::sha256("x").oci())},
      {"negative", fmt::format("blob {} has -1 bytes, expected at most 17179869184", codec::sha256("x").oci())},
  };
  for (const auto& [name, wanted] : rows) {
    auto empty = open_store(dir_.path() / ("odd-" + name));
    Env other{processes_, clock_, remote, *empty, events_, {}};
    const auto pulled = Registry(other, *parse_reference("127.0.0.1:5000/a/b:1")).pull(name);
    ASSERT_FALSE(pulled) << name;
    EXPECT_EQ(pulled.error().kind(), ErrorKind::kInvalid) << name;
    EXPECT_TRUE(pulled.error().render().starts_with(wanted)) << name << ": " << pulled.error().render();
  }
}

}  // namespace
}  // namespace nacre::publish
