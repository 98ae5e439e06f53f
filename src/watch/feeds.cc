#include "watch/feeds.h"

#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "net/http.h"
#include "os/rfc3339.h"
#include "store/store.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace nacre::watch {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxAnswer = 64u << 20;
constexpr std::size_t kMaxReleases = 20'000;
constexpr int kMaxPages = 10;  // of a hundred: tags do not come by their age
constexpr double kSilenceSeconds = 20, kMaxSeconds = 60;  // a server that drips holds nobody up for longer

/// The last answer of each address that said by what it is known again: digest of address and form -> validator and
/// blob. A blob that is collected is asked for anew.
constexpr std::string_view kAnswerKind = "feed-answer";

/// What is kept of an answer.
struct KeptAnswer {
  std::string etag, modified, body;
};

Result<std::optional<KeptAnswer>> kept_answer(const std::string& key, Env& env) {
  const std::optional<std::string> text = TRY(env.store.state().get(kAnswerKind, key));
  if (!text) return std::optional<KeptAnswer>();
  const Json json = TRY(codec::parse_json(*text, "what is kept of a feed"));
  const auto blob = parse_sha256(json["body"].as_string());
  bool there = static_cast<bool>(blob);
  if (there) there = TRY(env.store.holds(*blob));
  if (!there) return std::optional<KeptAnswer>();
  KeptAnswer out{json["etag"].as_string(), json["modified"].as_string(), {}};
  auto body = env.store.read(*blob, kMaxAnswer);
  if (!body) return std::optional<KeptAnswer>();
  out.body = *std::move(body);
  return std::optional(std::move(out));
}

Result<> keep_answer(const std::string& key, const net::Response& answer, Env& env) {
  const std::string &etag = answer.header("etag"), &modified = answer.header("last-modified");
  if (etag.empty() && modified.empty()) return {};
  const Sha256 body = TRY(env.store.put_bytes(answer.body));
  Json json;
  json.set("etag", etag).set("modified", modified).set("body", body.oci());
  return env.store.state().put(kAnswerKind, key, codec::to_json(json));
}

Result<std::string> get(const std::string& base, const std::string& path, const char* accept, Env& env,
                        const std::string& token = {}) {
  if (base.empty()) return Error::make(ErrorKind::kUnavailable, "its client is not set up on this machine");
  if (base == "off") return Error::make(ErrorKind::kUnavailable, "it is switched off");
  net::Request request;
  request.url = base + path;
  request.max_bytes = kMaxAnswer;
  request.timeout_seconds = kSilenceSeconds;
  request.max_seconds = kMaxSeconds;
  if (accept != nullptr) request.headers.emplace_back("Accept", accept);
  if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
  const std::string key = codec::sha256(fmt::format("{} {}", request.url, accept == nullptr ? "" : accept)).hex();
  const std::optional<KeptAnswer> kept = TRY(kept_answer(key, env));
  if (kept && !kept->etag.empty()) request.headers.emplace_back("If-None-Match", kept->etag);
  if (kept && !kept->modified.empty()) request.headers.emplace_back("If-Modified-Since", kept->modified);
  auto response = env.http.send(request, env.stop);
  // Of an error only the kind: what it says holds the address. An answer that is too long is no silence of the server.
  if (!response && response.error().kind() == ErrorKind::kInvalid)
    return Error::make(ErrorKind::kInvalid, "its answer cannot be taken: it is too long, or leads nowhere");
  if (!response) return Error::make(ErrorKind::kUnavailable, "it does not answer");
  if (response->status == 304 && kept) return kept->body;
  if (response->status == 404) return Error::make(ErrorKind::kNotFound, "it does not know this package");
  // A limit or a refusal holds for what is asked next, too; another status may be about this package alone.
  const bool refuses = response->status == 401 || response->status == 403 || response->status == 429;
  if (response->status < 200 || response->status > 299)
    return Error::make(refuses ? ErrorKind::kUnavailable : ErrorKind::kInvalid, "it answers with status {}",
                       response->status);
  TRY(keep_answer(key, *response, env));
  return std::move(response->body);
}

/// "2026-11-24T05:03:00Z" -> seconds, also without zone, as PyPI writes it; 0 for anything else.
std::int64_t seconds_of(std::string_view text) {
  const auto seconds = os::parse_rfc3339(text);
  return seconds ? *seconds : os::parse_rfc3339(std::string(text) + "Z").value_or(0);
}

std::string without_slash(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

/// A module path as the proxy protocol writes it: capitals become '!' and the small letter.
std::string escaped_module(std::string_view module) {
  std::string out;
  for (const char c : module) {
    if (c >= 'A' && c <= 'Z') {
      out += '!';
      out += static_cast<char>(c - 'A' + 'a');
    } else {
      out += c;
    }
  }
  return out;
}

/// What an index says of one version's files.
struct FilesOfVersion {
  std::int64_t published = 0;
  bool withdrawn = true;   ///< Each of them.
};

/// The version in "name-1.0.tar.gz" and "name-1.0-py3-none-any.whl": it begins after as many bytes as the name has,
/// whatever its letters and marks are there.
std::string version_of_file(const std::string& file, std::size_t name_size) {
  if (file.size() <= name_size) return {};
  std::string_view rest = std::string_view(file).substr(name_size + 1);
  for (const std::string_view end : {".tar.gz", ".zip", ".tar.bz2"})
    if (rest.ends_with(end)) return std::string(rest.substr(0, rest.size() - end.size()));
  return std::string(rest.substr(0, rest.find('-')));
}

/// `yanked` is false, true, or the reason.
bool is_yanked(const Json& yanked) { return yanked.as_bool() || !yanked.as_string().empty(); }

}  // namespace

Result<std::vector<RawRelease>> ask_github(const definition::Update::GitHub& block, const Feeds& feeds, Env& env) {
  std::vector<RawRelease> out;
  const std::string what = block.use_tag ? "tags" : "releases";
  for (int page = 1; page <= kMaxPages; ++page) {
    const std::string path = fmt::format("/repos/{}/{}?per_page=100&page={}", block.identifier, what, page);
    const std::string body =
        TRY(get(without_slash(feeds.github_api.text()), path, "application/vnd.github+json", env, feeds.github_token));
    const Json json = TRY(codec::parse_json(body, "answer of GitHub"));
    if (!json.is_array()) return Error::make(ErrorKind::kInvalid, "its answer is no list of {}", what);
    for (const Json& item : json.items()) {
      if (item["draft"].as_bool()) continue;
      const std::string& tag = item[block.use_tag ? "name" : "tag_name"].as_string();
      if (!tag.empty())
        out.push_back({tag, seconds_of(item["published_at"].as_string()), item["prerelease"].as_bool()});
    }
    if (json.items().size() < 100) break;
  }
  return out;
}

Result<std::vector<RawRelease>> ask_release_monitor(const std::string& project, const Feeds& feeds, Env& env) {
  const std::string body = TRY(get(without_slash(feeds.release_monitor.text()),
                                   "/api/v2/versions/?project_id=" + percent_encode(project), nullptr, env));
  const Json json = TRY(codec::parse_json(body, "answer of release-monitoring"));
  const Json& list = json.find("stable_versions") != nullptr ? json["stable_versions"] : json["versions"];
  std::vector<RawRelease> out;
  for (const std::string& version : list.as_strings()) out.push_back({version, 0, false});
  return out;
}

Result<std::vector<RawRelease>> ask_pypi(const std::string& name, const Feeds& feeds, Env& env) {
  std::string normal = name;
  std::transform(normal.begin(), normal.end(), normal.begin(), [](unsigned char c) {
    return c == '_' || c == '.' ? '-' : static_cast<char>(std::tolower(c));
  });
  const std::string body = TRY(get(without_slash(feeds.pypi.text()), "/" + percent_encode(normal) + "/",
                                   "application/vnd.pypi.simple.v1+json", env));
  const auto json = codec::parse_json(body, "answer of PyPI");
  if (!json) return Error::make(ErrorKind::kInvalid, "it gives no JSON index");
  std::map<std::string, FilesOfVersion> seen;
  for (const Json& file : (*json)["files"].items()) {
    FilesOfVersion& files = seen[version_of_file(file["filename"].as_string(), normal.size())];
    files.withdrawn = files.withdrawn && is_yanked(file["yanked"]);
    if (files.published == 0) files.published = seconds_of(file["upload-time"].as_string());
  }
  std::vector<RawRelease> out;
  for (const std::string& version : (*json)["versions"].as_strings()) {
    const auto files = seen.find(version);
    if (files != seen.end() && files->second.withdrawn) continue;
    if (out.size() < kMaxReleases) out.push_back({version, files == seen.end() ? 0 : files->second.published, false});
  }
  return out;
}

Result<std::string> ask_pypi_release(const std::string& name, const std::string& version, const Feeds& feeds,
                                     Env& env) {
  constexpr std::string_view kSimple = "/simple";
  std::string base = without_slash(feeds.pypi.text());
  if (base.ends_with(kSimple)) base.resize(base.size() - kSimple.size());
  const std::string name_path = "/pypi/" + percent_encode(name);
  auto body = get(base, fmt::format("{}/{}/json", name_path, percent_encode(version)), "application/json", env);
  if (body || body.error().kind() != ErrorKind::kNotFound) return body;
  // Some mirrors serve the newest release alone: whether this one is not known, or not told, the whole package says.
  std::string whole = TRY(get(base, name_path + "/json", "application/json", env));
  const Json json = TRY(codec::parse_json(whole, "answer of PyPI"));
  if (json["info"]["version"].as_string() == version) return whole;
  if (json["releases"].find(version) != nullptr)
    return Error::make(ErrorKind::kUnavailable, "it says nothing of single releases");
  return body;
}

Result<std::vector<RawRelease>> ask_npm(const std::string& name, const Feeds& feeds, Env& env) {
  const std::string path = "/" + replace_all(name, "/", "%2f");
  const std::string body = TRY(get(without_slash(feeds.npm.text()), path, "application/json", env));
  const Json json = TRY(codec::parse_json(body, "answer of the npm registry"));
  std::map<std::string_view, std::int64_t> published;
  for (const auto& [version, time] : json["time"].members()) published[version] = seconds_of(time.as_string());
  std::vector<RawRelease> out;
  for (const auto& [version, details] : json["versions"].members())
    if (out.size() < kMaxReleases)
      out.push_back({version, published[version], details.find("deprecated") != nullptr});
  return out;
}

Result<std::vector<RawRelease>> ask_go(const std::string& module, const Feeds& feeds, Env& env) {
  const std::string body =
      TRY(get(without_slash(feeds.go_proxy.text()), "/" + escaped_module(module) + "/@v/list", nullptr, env));
  std::vector<RawRelease> out;
  for (const std::string& line : split_words(body))
    if (line.starts_with('v') && out.size() < kMaxReleases)
      out.push_back({line, 0, line.find('-') != std::string::npos});
  return out;
}

Result<std::vector<RawRelease>> ask_crates(const std::string& name, const Feeds& feeds, Env& env) {
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string path = "/" + lower;
  if (lower.size() == 1) path = "/1" + path;
  else if (lower.size() == 2) path = "/2" + path;
  else if (lower.size() == 3) path = fmt::format("/3/{}{}", lower[0], path);
  else path = fmt::format("/{}/{}{}", lower.substr(0, 2), lower.substr(2, 2), path);
  const std::string body = TRY(get(without_slash(feeds.crates.text()), path, nullptr, env));
  std::vector<RawRelease> out;
  for (const std::string& line : split(body, '\n')) {
    if (line.empty() || out.size() >= kMaxReleases) continue;
    const Json json = TRY(codec::parse_json(line, "answer of the crates index"));
    if (!json["yanked"].as_bool()) out.push_back({json["vers"].as_string(), 0, false});
  }
  return out;
}

Result<std::vector<RawRelease>> ask_maven(const std::string& group, const std::string& artifact, const Feeds& feeds,
                                          Env& env) {
  const std::string path = fmt::format("/{}/{}/maven-metadata.xml", replace_all(group, ".", "/"), artifact);
  const std::string body = TRY(get(without_slash(feeds.maven.text()), path, nullptr, env));
  std::vector<RawRelease> out;
  for (const std::string& version : parse_maven_versions(body)) out.push_back({version, 0, false});
  return out;
}

Result<std::vector<RawRelease>> ask_git(const std::string& repository, Env& env) {
  if (!repository.starts_with("https://") && !repository.starts_with("http://"))
    return Error::make(ErrorKind::kUnavailable, "only http and https repositories can be asked");
  const std::string body =
      TRY(get(without_slash(repository), "/info/refs?service=git-upload-pack", nullptr, env));
  const std::vector<std::string> tags = TRY(parse_ref_advertisement(body));
  std::vector<RawRelease> out;
  for (const std::string& tag : tags) out.push_back({tag, 0, false});
  return out;
}

Result<std::vector<std::string>> parse_ref_advertisement(std::string_view bytes) {
  std::vector<std::string> out;
  while (bytes.size() >= 4) {
    std::size_t length = 0;
    const auto [end, status] = std::from_chars(bytes.data(), bytes.data() + 4, length, 16);
    if (status != std::errc{} || end != bytes.data() + 4 || (length > 0 && length < 4) || length > bytes.size())
      return Error::make(ErrorKind::kInvalid, "the list of refs is malformed");
    if (length == 0) {
      bytes.remove_prefix(4);
      continue;
    }
    std::string_view line = bytes.substr(4, length - 4);
    bytes.remove_prefix(length);
    line = line.substr(0, line.find('\0'));
    const std::size_t at = line.find(" refs/tags/");
    if (at == std::string_view::npos) continue;
    const std::string tag(trim(line.substr(at + 11)));
    if (!tag.ends_with("^{}") && out.size() < kMaxReleases) out.push_back(tag);
  }
  if (!bytes.empty()) return Error::make(ErrorKind::kInvalid, "the list of refs ends inside a line");
  return out;
}

std::vector<std::string> parse_maven_versions(std::string_view xml) {
  constexpr std::string_view kOpen = "<version>", kClose = "</version>";
  std::vector<std::string> out;
  for (std::size_t at = xml.find(kOpen); at != std::string_view::npos && out.size() < kMaxReleases;
       at = xml.find(kOpen, at)) {
    at += kOpen.size();
    const std::size_t end = xml.find(kClose, at);
    if (end == std::string_view::npos) break;
    out.emplace_back(trim(xml.substr(at, end - at)));
  }
  return out;
}

std::optional<EcosystemPackage> package_of_uri(std::string_view uri) {
  const std::size_t scheme = uri.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  std::vector<std::string> parts = split(uri.substr(scheme + 3), '/');
  const auto index_of = [&](std::string_view part) {
    return static_cast<std::size_t>(std::find(parts.begin(), parts.end(), part) - parts.begin());
  };
  // …/packages/source/n/name/name-1.0.tar.gz
  if (const std::size_t at = index_of("source"); at > 1 && at + 3 < parts.size() && parts[at - 1] == "packages")
    return EcosystemPackage{FeedKind::kPyPI, parts[at + 2], {}};
  // …/[@scope/]name/-/name-1.0.tgz
  if (const std::size_t at = index_of("-"); at > 1 && at + 2 == parts.size() && parts[at + 1].ends_with(".tgz"))
    return EcosystemPackage{
        FeedKind::kNpm, parts[at - 2].starts_with('@') ? parts[at - 2] + "/" + parts[at - 1] : parts[at - 1], {}};
  // …/module/path/@v/v1.0.zip
  if (const std::size_t at = index_of("@v"); at > 1 && at + 2 == parts.size())
    return EcosystemPackage{
        FeedKind::kGo,
        join(std::vector<std::string>(parts.begin() + 1, parts.begin() + static_cast<std::ptrdiff_t>(at)), "/"),
        {}};
  // …/crates/name/name-1.0.crate or …/crates/name/1.0/download
  if (const std::size_t at = index_of("crates"); at + 2 < parts.size())
    return EcosystemPackage{FeedKind::kCrates, parts[at + 1], {}};
  // …/maven2/org/group/artifact/1.0/artifact-1.0.jar
  if (const std::size_t at = index_of("maven2"); at + 4 < parts.size()) {
    const std::vector<std::string> group(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1, parts.end() - 3);
    return EcosystemPackage{FeedKind::kMaven, parts[parts.size() - 3], join(group, ".")};
  }
  return std::nullopt;
}

}  // namespace nacre::watch
