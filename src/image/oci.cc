#include "image/oci.h"

#include "base/text.h"
#include "os/clock.h"

#include <algorithm>
#include <map>

namespace nacre::image {
namespace {

using codec::Json;
using definition::Pairs;

constexpr std::string_view kAuthor = "nacre";
constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::string_view kDefaultCertificates = "/etc/ssl/certs/ca-certificates.crt";

void set_if(Json& object, const char* key, const std::string& value) {
  if (!value.empty()) object.set(key, value);
}

Json object_of(const Pairs& pairs) {
  Json out = Json::object();
  for (const auto& [key, value] : pairs) out.set(key, value);
  return out;
}

Json accounts_json(const ImageSpec& spec) {
  Json out = Json::object();
  set_if(out, "run-as", spec.run_as);
  Json users = Json::array(), groups = Json::array();
  for (const definition::Account& user : spec.users) {
    Json json = Json::object();
    json.set("username", user.name).set("uid", static_cast<std::int64_t>(user.uid));
    json.set("gid", static_cast<std::int64_t>(user.gid)).set("shell", user.shell).set("homedir", user.home);
    users.push(std::move(json));
  }
  for (const definition::AccountGroup& group : spec.groups) {
    Json json = Json::object();
    json.set("groupname", group.name).set("gid", static_cast<std::int64_t>(group.gid));
    json.set("members", Json::strings(group.members));
    groups.push(std::move(json));
  }
  out.set("users", std::move(users)).set("groups", std::move(groups));
  return out;
}

Json paths_json(const ImageSpec& spec) {
  Json out = Json::array();
  for (const PathChange& change : spec.paths) {
    Json json = Json::object();
    json.set("path", change.path).set("type", change.type);
    if (change.owner_given) {
      json.set("uid", static_cast<std::int64_t>(change.uid)).set("gid", static_cast<std::int64_t>(change.gid));
    }
    json.set("permissions", static_cast<std::int64_t>(change.mode));
    set_if(json, "source", change.source);
    if (change.recursive) json.set("recursive", true);
    out.push(std::move(json));
  }
  return out;
}

Json platform_json(const Arch& arch) {
  Json out = Json::object();
  out.set("architecture", arch.oci).set("os", "linux");
  if (!arch.oci_variant.empty()) out.set("variant", arch.oci_variant);
  return out;
}

/// "K=V", sorted, with the defaults that the definition does not set.
std::vector<std::string> environment_of(const ImageSpec& spec) {
  std::map<std::string, std::string> values = {{"PATH", std::string(kDefaultPath)},
                                               {"SSL_CERT_FILE", std::string(kDefaultCertificates)}};
  for (const auto& [key, value] : spec.environment) values[key] = value;
  std::vector<std::string> out;
  for (const auto& [key, value] : values) out.push_back(key + "=" + value);
  return out;
}

Json history_json(const Image& image) {
  constexpr std::size_t kShown = 8;
  Json out = Json::array();
  for (const Layer& layer : image.layers) {
    std::string comment = layer.packages.empty() ? "accounts, apk's database, configuration" : "";
    for (std::size_t i = 0; i < std::min(layer.packages.size(), kShown); ++i)
      comment += (i == 0 ? "" : " ") + layer.packages[i];
    if (layer.packages.size() > kShown) comment += fmt::format(" and {} more", layer.packages.size() - kShown);
    Json json = Json::object();
    json.set("created", os::rfc3339(image.created)).set("created_by", kAuthor).set("author", kAuthor);
    json.set("comment", comment);
    out.push(std::move(json));
  }
  return out;
}

Result<Json> process_json(const ImageSpec& spec, const Pairs& annotations, std::string_view user) {
  Json out = Json::object();
  if (!user.empty()) out.set("User", user);
  out.set("Env", Json::strings(environment_of(spec)));
  if (!spec.shell_fragment.empty()) {
    out.set("Entrypoint", Json::strings({"/bin/sh", "-c", spec.shell_fragment}));
  } else if (!spec.entrypoint_command.empty()) {
    const auto words = TRY(shell_words(spec.entrypoint_command), "reading entrypoint.command");
    out.set("Entrypoint", Json::strings(words));
  }
  if (!spec.cmd.empty()) {
    const auto words = TRY(shell_words(spec.cmd), "reading cmd");
    out.set("Cmd", Json::strings(words));
  }
  if (!spec.volumes.empty()) {
    Json volumes = Json::object();
    for (const std::string& volume : spec.volumes) volumes.set(volume, Json::object());
    out.set("Volumes", std::move(volumes));
  }
  set_if(out, "WorkingDir", spec.work_dir);
  out.set("Labels", object_of(annotations));
  set_if(out, "StopSignal", spec.stop_signal);
  return out;
}

}  // namespace

Result<std::vector<std::string>> shell_words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  bool inside = false;  // a word has begun, maybe an empty one
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool more = i + 1 < text.size();
    if (quote == '\'') {
      if (c == '\'') quote = 0;
      else word += c;
    } else if (quote == '"') {
      if (c == '"') quote = 0;
      else if (c == '\\' && more) word += text[++i];
      else word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      inside = true;
    } else if (c == '\\' && more) {
      word += text[++i];
      inside = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      if (inside) out.push_back(std::exchange(word, {}));
      inside = false;
    } else if (c == '#' && !inside) {
      while (i + 1 < text.size() && text[i + 1] != '\n') ++i;
    } else {
      word += c;
      inside = true;
    }
  }
  if (quote != 0)
    return Error::make(ErrorKind::kInvalid, "command '{}' has a {} that is never closed", text, quote);
  if (inside) out.push_back(word);
  return out;
}

Json spec_to_json(const ImageSpec& spec) {
  Json out = Json::object(), contents = Json::object(), entrypoint = Json::object();
  contents.set("repositories", Json::strings(spec.repositories)).set("keyring", Json::strings(spec.keyring));
  contents.set("packages", Json::strings(spec.packages));
  set_if(entrypoint, "type", spec.entrypoint_type);
  set_if(entrypoint, "command", spec.entrypoint_command);
  set_if(entrypoint, "shell-fragment", spec.shell_fragment);
  out.set("contents", std::move(contents)).set("entrypoint", std::move(entrypoint));
  set_if(out, "cmd", spec.cmd);
  set_if(out, "stop-signal", spec.stop_signal);
  set_if(out, "work-dir", spec.work_dir);
  out.set("accounts", accounts_json(spec)).set("archs", Json::strings(spec.archs));
  out.set("environment", object_of(spec.environment)).set("paths", paths_json(spec));
  set_if(out, "vcs-url", spec.vcs_url);
  out.set("annotations", object_of(spec.annotations)).set("volumes", Json::strings(spec.volumes));
  Json layering = Json::object();
  layering.set("strategy", "origin")
      .set("budget", spec.layer_budget == 0 ? kDefaultLayerBudget : spec.layer_budget);
  out.set("layering", std::move(layering));
  return out;
}

std::string locked_spec(const ImageSpec& spec, const Arch& arch, const std::vector<std::string>& packages) {
  ImageSpec locked = spec;
  locked.packages = packages;
  locked.archs = {std::string(arch.apk)};
  return codec::to_json(spec_to_json(locked)) + "\n";
}

Pairs all_annotations(const ComposeRequest& request, std::int64_t created) {
  const ImageSpec& spec = *request.spec;
  std::map<std::string, std::string> out = {{"org.opencontainers.image.created", os::rfc3339(created)},
                                            {"org.opencontainers.image.title", spec.name},
                                            {"dev.nacre.edition", std::string(name_of(request.edition))}};
  if (!spec.vcs_url.empty()) {
    const std::size_t at = spec.vcs_url.rfind('@');
    out["org.opencontainers.image.source"] = spec.vcs_url.substr(0, at);
    if (at != std::string::npos) out["org.opencontainers.image.revision"] = spec.vcs_url.substr(at + 1);
  }
  for (const auto& [key, value] : spec.annotations)
    if (key != "dev.nacre.edition") out[key] = value;
  return {out.begin(), out.end()};
}

Result<Json> make_config(const ComposeRequest& request, const Image& image, std::string_view user) {
  auto process = process_json(*request.spec, all_annotations(request, image.created), user);
  if (!process) return std::move(process).error().at(Place{request.spec->file, 0, 0});
  Json out = Json::object();
  out.set("created", os::rfc3339(image.created)).set("author", kAuthor);
  const Json platform = platform_json(request.arch);
  for (const auto& [key, value] : platform.members()) out.set(key, value);
  out.set("config", *std::move(process));
  Json diff_ids = Json::array();
  for (const Layer& layer : image.layers) diff_ids.push(layer.diff_id.oci());
  Json rootfs = Json::object();
  rootfs.set("type", "layers").set("diff_ids", std::move(diff_ids));
  out.set("rootfs", std::move(rootfs)).set("history", history_json(image));
  return out;
}

Json make_manifest(const ComposeRequest& request, const Image& image) {
  Json layers = Json::array();
  for (const Layer& layer : image.layers) layers.push(to_json(layer.blob));
  Json out = Json::object();
  out.set("schemaVersion", 2).set("mediaType", kManifestType).set("config", to_json(image.config));
  out.set("layers", std::move(layers)).set("annotations", object_of(all_annotations(request, image.created)));
  return out;
}

Json make_index(const ComposeRequest& request, const Image& image) {
  Json manifest = to_json(image.manifest);
  manifest.set("platform", platform_json(request.arch));
  Json out = Json::object();
  out.set("schemaVersion", 2).set("mediaType", kIndexType).set("manifests", Json::array({std::move(manifest)}));
  out.set("annotations", object_of(all_annotations(request, image.created)));
  return out;
}

Json to_json(const Descriptor& descriptor) {
  Json out = Json::object();
  out.set("mediaType", descriptor.media_type)
      .set("digest", descriptor.digest.oci())
      .set("size", descriptor.size);
  return out;
}

}  // namespace nacre::image
