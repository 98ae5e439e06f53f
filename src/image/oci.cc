#include "image/oci.h"

#include "base/field_archs.h"
#include "base/text.h"
#include "definition/fields.h"
#include "image/base.h"
#include "os/clock.h"

#include <algorithm>
#include <map>
#include <set>

namespace nacre::image {
namespace {

using codec::Json;
using definition::Pairs;

constexpr std::string_view kAuthor = "nacre";
constexpr std::string_view kReferenceAuthor = "github.com/chainguard-dev/apko", kReferencePath =
    "/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin";
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

Json platform_json(const Arch& arch) {
  Json out = Json::object();
  out.set("architecture", arch.oci).set("os", "linux");
  if (!arch.oci_variant.empty()) out.set("variant", arch.oci_variant);
  return out;
}

/// "K=V", sorted, with the defaults that the definition does not set.
std::vector<std::string> environment_of(const ImageSpec& spec, std::string_view path) {
  std::map<std::string, std::string> values = {{"PATH", std::string(path)},
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

/// Words of the entrypoint and of the arguments; empty for none.
struct Process {
  std::vector<std::string> entrypoint, arguments;
};
Result<Process> process_of(const ImageSpec& spec) {
  Process out;
  const bool services = spec.entrypoint.type == kServiceBundle;
  const std::string command = services ? std::string(kServiceCommand) : spec.entrypoint.command;
  if (!spec.entrypoint.shell_fragment.empty()) out.entrypoint = {"/bin/sh", "-c", spec.entrypoint.shell_fragment};
  else out.entrypoint = TRY(shell_words(command), "reading entrypoint.command");
  out.arguments = TRY(shell_words(spec.cmd), "reading cmd");
  return out;
}

void set_if(Json& object, const char* key, const std::vector<std::string>& values) {
  if (!values.empty()) object.set(key, Json::strings(values));
}

void set_volumes(Json& out, const ImageSpec& spec) {
  if (spec.volumes.empty()) return;
  Json volumes = Json::object();
  for (const std::string& volume : std::set<std::string>(spec.volumes.begin(), spec.volumes.end()))
    volumes.set(volume, Json::object());
  out.set("Volumes", std::move(volumes));
}

Result<Json> process_json(const ImageSpec& spec, const Pairs& annotations, std::string_view user) {
  const Process process = TRY(process_of(spec));
  Json out = Json::object();
  if (!user.empty()) out.set("User", user);
  out.set("Env", Json::strings(environment_of(spec, kDefaultPath)));
  set_if(out, "Entrypoint", process.entrypoint);
  set_if(out, "Cmd", process.arguments);
  set_volumes(out, spec);
  set_if(out, "WorkingDir", spec.work_dir);
  out.set("Labels", object_of(annotations));
  set_if(out, "StopSignal", spec.stop_signal);
  return out;
}

/// Annotations of the definition and the date, by key.
Pairs foreign_annotations(const ImageSpec& spec, std::int64_t created) {
  std::map<std::string, std::string> out(spec.annotations.begin(), spec.annotations.end());
  out["org.opencontainers.image.created"] = os::rfc3339(created);
  return {out.begin(), out.end()};
}

std::string reference_comment(const ImageSpec& spec, std::size_t layers) {
  const std::string* title = definition::find_pair(spec.annotations, "org.opencontainers.image.title");
  const std::string* vendor = definition::find_pair(spec.annotations, "org.opencontainers.image.vendor");
  if (title != nullptr && vendor != nullptr) return *title + " by " + *vendor;
  return layers > 1 ? "" : "This is an apko single-layer image";
}

bool is_empty(const Json& value) {
  if (value.is_null() || (value.is_bool() && !value.as_bool())) return true;
  if (value.is_string()) return value.as_string().empty();
  return (value.is_array() && value.items().empty()) || (value.is_object() && value.members().empty());
}

/// The fields of `own`, else of `base`, in this order; empty ones are left out.
Json laid_over(const Json& base, const Json& own, std::initializer_list<const char*> order) {
  Json out = Json::object();
  for (const char* key : order) {
    const Json& value = own.find(key) != nullptr ? own[key] : base[key];
    if (!is_empty(value)) out.set(key, value);
  }
  return out;
}

Json reference_descriptor(const Descriptor& descriptor) {
  Json out = Json::object();
  out.set("mediaType", descriptor.media_type).set("size", descriptor.size).set("digest", descriptor.digest.oci());
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

std::string locked_spec(const ImageSpec& spec, const Arch& arch, const std::vector<std::string>& packages) {
  ImageSpec locked = spec;
  locked.contents.packages = packages;
  locked.archs = {std::string(arch.apk)};
  return codec::to_json(spec_to_json(locked)) + "\n";
}

std::string foreign_locked_spec(const ComposeRequest& request, const std::vector<std::string>& packages,
                                const std::string& user) {
  const ImageSpec& spec = *request.spec;
  ImageSpec locked = spec;
  locked.contents.packages = packages;
  if (spec.entrypoint.type == kServiceBundle) {
    locked.contents.packages.emplace_back("s6");
    locked.entrypoint.command = kServiceCommand;
  }
  if (!locked.accounts.run_as.empty()) locked.accounts.run_as = user;
  locked.archs = {std::string(request.arch.apk)};
  if (!request.as_asked) {
    locked.vcs_url.clear();
    locked.include.clear();
    for (auto* list : {&locked.contents.build_repositories, &locked.contents.repositories, &locked.contents.keyring}) {
      std::sort(list->begin(), list->end());
      list->erase(std::unique(list->begin(), list->end()), list->end());
    }
  }
  return go_json(spec_to_json(locked)) + "\n";
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

Result<Json> foreign_config(const ComposeRequest& request, const Image& image, std::string_view user) {
  const ImageSpec& spec = *request.spec;
  auto process = process_of(spec);
  if (!process) return std::move(process).error().at(Place{spec.file, 0, 0});
  const std::string date = os::rfc3339(image.created);
  Json history = Json::array(), diff_ids = Json::array();
  const Json base = request.base == nullptr ? Json::object() : request.base->config;
  for (const Json& entry : base["history"].items())
    history.push(laid_over(entry, Json(), {"author", "created", "created_by", "comment", "empty_layer"}));
  const std::size_t below = request.base == nullptr ? 0 : request.base->layers.size();
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    diff_ids.push(image.layers[i].diff_id.oci());
    if (i < below) continue;
    Json entry = Json::object({{"author", "apko"}, {"created", date}, {"created_by", "apko"}});
    set_if(entry, "comment", reference_comment(spec, image.layers.size() - below));
    history.push(std::move(entry));
  }
  Json out = Json::object();
  out.set("architecture", request.arch.oci).set("author", kReferenceAuthor).set("created", date);
  out.set("history", std::move(history)).set("os", "linux");
  out.set("rootfs", Json::object({{"type", "layers"}, {"diff_ids", std::move(diff_ids)}}));
  Json config = Json::object();
  set_if(config, "Cmd", process->arguments);
  set_if(config, "Entrypoint", process->entrypoint);
  config.set("Env", Json::strings(environment_of(spec, kReferencePath)));
  config.set("Labels", object_of(foreign_annotations(spec, image.created)));
  set_if(config, "User", std::string(user));
  set_volumes(config, spec);
  set_if(config, "WorkingDir", spec.work_dir);
  set_if(config, "StopSignal", spec.stop_signal);
  if (!request.arch.oci_variant.empty()) out.set("variant", request.arch.oci_variant);
  out.set("config", laid_over(base["config"], config,
                              {"AttachStderr", "AttachStdin", "AttachStdout", "Cmd", "Healthcheck", "Domainname",
                               "Entrypoint", "Env", "Hostname", "Image", "Labels", "OnBuild", "OpenStdin", "StdinOnce",
                               "Tty", "User", "Volumes", "WorkingDir", "ExposedPorts", "ArgsEscaped",
                               "NetworkDisabled", "MacAddress", "StopSignal", "Shell"}));
  return laid_over(base, out, {"architecture", "author", "container", "created", "docker_version", "history", "os",
                               "rootfs", "config", "os.version", "variant", "os.features"});
}

Json foreign_manifest(const ComposeRequest& request, const Image& image) {
  Json layers = Json::array();
  for (const Layer& layer : image.layers) layers.push(reference_descriptor(layer.blob));
  Json out = Json::object();
  out.set("schemaVersion", 2).set("mediaType", kManifestType).set("config", reference_descriptor(image.config));
  out.set("layers", std::move(layers));
  std::map<std::string, std::string> annotations;
  if (request.base != nullptr)
    for (const auto& [key, value] : request.base->annotations.members()) annotations[key] = value.as_string();
  for (const auto& [key, value] : foreign_annotations(*request.spec, image.created)) annotations[key] = value;
  out.set("annotations", object_of({annotations.begin(), annotations.end()}));
  return out;
}

Json foreign_index(const ImageSpec& spec, const std::vector<Image>& images, std::int64_t created) {
  Json manifests = Json::array();
  for (const Image& image : images) {
    Json row = reference_descriptor(image.manifest);
    row.set("platform", platform_json(image.arch)).set("artifactType", kConfigType);
    manifests.push(std::move(row));
  }
  const Pairs base = foreign_annotations(spec, created);
  std::map<std::string, std::string> annotations(base.begin(), base.end());
  if (const std::size_t at = spec.vcs_url.find('@'); at != std::string::npos) {
    annotations["org.opencontainers.image.source"] = spec.vcs_url.substr(0, at);
    annotations["org.opencontainers.image.revision"] = spec.vcs_url.substr(at + 1);
  }
  Json out = Json::object();
  out.set("schemaVersion", 2).set("mediaType", kIndexType).set("manifests", std::move(manifests));
  out.set("annotations", object_of({annotations.begin(), annotations.end()}));
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
