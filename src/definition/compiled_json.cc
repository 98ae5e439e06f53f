#include "definition/compiled_json.h"

#include <algorithm>
#include <charconv>

namespace nacre::definition {
namespace {

using codec::Json;

void put(Json& out, std::string_view key, const std::string& text) {
  if (!text.empty()) out.set(std::string(key), text);
}
void put(Json& out, std::string_view key, bool flag) {
  if (flag) out.set(std::string(key), true);
}
void put(Json& out, std::string_view key, const std::vector<std::string>& list) {
  if (!list.empty()) out.set(std::string(key), Json::strings(list));
}
void put(Json& out, std::string_view key, Pairs pairs) {
  if (pairs.empty()) return;
  std::sort(pairs.begin(), pairs.end());
  Json map = Json::object();
  for (const auto& [name, value] : pairs) map.set(name, value);
  out.set(std::string(key), std::move(map));
}
/// Decimal or, with a zero in front, octal digits; the reader has checked them.
void put_number(Json& out, std::string_view key, std::string text) {
  if (text.empty()) return;
  const bool octal = text.size() > 1 && text[0] == '0';
  if (text.starts_with("0o")) text.erase(1, 1);
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, octal ? 8 : 10);
  out.set(std::string(key), number);
}
void put_filled(Json& out, std::string_view key, Json value) {
  if (!value.members().empty() || !value.items().empty())
    out.set(std::string(key), std::move(value));
}

Json resources_json(const Resources& resources) {
  Json out = Json::object();
  put(out, "cpu", resources.cpu);
  put(out, "cpumodel", resources.cpu_model);
  put(out, "memory", resources.memory);
  put(out, "disk", resources.disk);
  return out;
}

Json dependencies_json(const Dependencies& dependencies) {
  Json out = Json::object();
  put(out, "runtime", dependencies.runtime);
  put(out, "provides", dependencies.provides);
  put(out, "replaces", dependencies.replaces);
  put(out, "provider-priority", dependencies.provider_priority_text);
  put(out, "replaces-priority", dependencies.replaces_priority_text);
  return out;
}

Json options_json(const PackageOptions& options) {
  Json out = Json::object();
  put(out, "no-provides", options.no_provides);
  put(out, "no-depends", options.no_depends);
  put(out, "no-commands", options.no_commands);
  put(out, "no-versioned-shlib-deps", options.no_versioned_shlib_deps);
  return out;
}

Json scriptlets_json(const Scriptlets& scriptlets) {
  Json trigger = Json::object(), out = Json::object();
  put(trigger, "script", scriptlets.trigger_script);
  put(trigger, "paths", scriptlets.trigger_paths);
  put(out, "pre-install", scriptlets.pre_install);
  put(out, "post-install", scriptlets.post_install);
  put(out, "pre-deinstall", scriptlets.pre_deinstall);
  put(out, "post-deinstall", scriptlets.post_deinstall);
  put(out, "pre-upgrade", scriptlets.pre_upgrade);
  put(out, "post-upgrade", scriptlets.post_upgrade);
  if (!trigger.members().empty() || !out.members().empty()) out.set("trigger", std::move(trigger));
  return out;
}

Json checks_json(const std::vector<std::string>& disabled) {
  Json out = Json::object();
  put(out, "disabled", disabled);
  return out;
}

Json cpe_json(const Cpe& cpe) {
  Json out = Json::object();
  put(out, "part", cpe.part);
  put(out, "vendor", cpe.vendor);
  put(out, "product", cpe.product);
  put(out, "edition", cpe.edition);
  put(out, "language", cpe.language);
  put(out, "sw_edition", cpe.sw_edition);
  put(out, "target_sw", cpe.target_sw);
  put(out, "target_hw", cpe.target_hw);
  put(out, "other", cpe.other);
  return out;
}

Json setcap_json(const std::vector<SetCap>& list) {
  Json out = Json::array();
  for (const SetCap& entry : list) {
    Json item = Json::object();
    put(item, "path", entry.path);
    put(item, "add", entry.add);
    put(item, "reason", entry.reason);
    out.push(std::move(item));
  }
  return out;
}

Json steps_json(const std::vector<Step>& steps) {
  Json out = Json::array();
  for (const Step& step : steps) {
    Json item = Json::object();
    put(item, "if", step.if_condition);
    put(item, "name", step.name);
    put(item, "uses", step.uses);
    put(item, "with", step.given);
    put(item, "runs", step.runs);
    put_filled(item, "pipeline", steps_json(step.pipeline));
    put(item, "label", step.label);
    if (step.required_steps != 0)
      item.set("assertions", Json::object({{"required-steps", step.required_steps}}));
    put(item, "working-directory", step.working_directory);
    put(item, "environment", step.environment);
    out.push(std::move(item));
  }
  return out;
}

Json paths_json(const std::vector<ImageParts::Path>& paths) {
  Json out = Json::array();
  for (const ImageParts::Path& path : paths) {
    Json item = Json::object();
    put(item, "path", path.path);
    put(item, "type", path.type);
    put_number(item, "uid", path.uid);
    put_number(item, "gid", path.gid);
    put_number(item, "permissions", path.permissions);
    put(item, "source", path.source);
    put(item, "recursive", path.recursive);
    out.push(std::move(item));
  }
  return out;
}

Json environment_json(const Environment& environment) {
  Json contents = Json::object(), accounts = Json::object(), out = Json::object();
  put(contents, "build_repositories", environment.build_repositories);
  put(contents, "repositories", environment.repositories);
  put(contents, "keyring", environment.keyring);
  put(contents, "packages", environment.packages);
  put(accounts, "run-as", environment.run_as);
  Json users = Json::array(), groups = Json::array();
  for (const Account& user : environment.users) {
    Json item = Json::object({{"username", user.name},
                              {"uid", std::uint64_t{user.uid}},
                              {"gid", std::uint64_t{user.gid}}});
    put(item, "shell", user.shell);
    put(item, "homedir", user.home);
    users.push(std::move(item));
  }
  for (const AccountGroup& group : environment.groups) {
    Json item = Json::object({{"groupname", group.name}, {"gid", std::uint64_t{group.gid}}});
    put(item, "members", group.members);
    groups.push(std::move(item));
  }
  put_filled(accounts, "users", std::move(users));
  put_filled(accounts, "groups", std::move(groups));
  const ImageParts& image = environment.image;
  Json base = Json::object(), entrypoint = Json::object();
  put(base, "image", image.base_image);
  put(base, "apkindex", image.base_index);
  put_filled(contents, "baseimage", std::move(base));
  put(entrypoint, "type", image.entrypoint_type);
  put(entrypoint, "command", image.command);
  put(entrypoint, "shell-fragment", image.shell_fragment);
  put(entrypoint, "services", image.services);
  out.set("contents", std::move(contents));
  out.set("entrypoint", std::move(entrypoint));
  put(out, "cmd", image.cmd);
  put(out, "stop-signal", image.stop_signal);
  put(out, "work-dir", image.work_dir);
  out.set("accounts", std::move(accounts));
  put(out, "archs", image.archs);
  put(out, "environment", environment.variables);
  put_filled(out, "paths", paths_json(image.paths));
  put(out, "vcs-url", image.vcs_url);
  put(out, "annotations", image.annotations);
  put(out, "include", image.include);
  put(out, "volumes", image.volumes);
  return out;
}

Json test_json(const Test& test) {
  Json out = Json::object({{"environment", environment_json(test.environment)}});
  out.set("pipeline", steps_json(test.pipeline));
  return out;
}

Json package_json(const Definition& definition) {
  Json out = Json::object(
      {{"name", definition.name}, {"version", definition.version}, {"epoch", definition.epoch}});
  put(out, "description", definition.description);
  put(out, "annotations", definition.annotations);
  put(out, "url", definition.url);
  put(out, "commit", definition.commit);
  put(out, "target-architecture", definition.target_architecture);
  Json copyright = Json::array();
  for (const Copyright& entry : definition.copyright) {
    Json item = Json::object();
    put(item, "paths", entry.paths);
    put(item, "attestation", entry.attestation);
    item.set("license", entry.license);
    put(item, "license-path", entry.license_path);
    put(item, "detection-override", entry.detection_override);
    copyright.push(std::move(item));
  }
  put_filled(out, "copyright", std::move(copyright));
  out.set("dependencies", dependencies_json(definition.dependencies));
  put_filled(out, "options", options_json(definition.options));
  put_filled(out, "scriptlets", scriptlets_json(definition.scriptlets));
  out.set("checks", checks_json(definition.disabled_checks));
  out.set("cpe", cpe_json(definition.cpe));
  put_filled(out, "setcap", setcap_json(definition.setcap));
  if (definition.timeout_nanoseconds != 0) out.set("timeout", definition.timeout_nanoseconds);
  out.set("resources", resources_json(definition.resources));
  if (definition.test_resources) out.set("test-resources", resources_json(*definition.test_resources));
  return out;
}

Json subpackage_json(const Subpackage& subpackage) {
  Json out = Json::object({{"name", subpackage.name}});
  put_filled(out, "pipeline", steps_json(subpackage.pipeline));
  out.set("dependencies", dependencies_json(subpackage.dependencies));
  put_filled(out, "options", options_json(subpackage.options));
  put_filled(out, "scriptlets", scriptlets_json(subpackage.scriptlets));
  put(out, "description", subpackage.description);
  put(out, "url", subpackage.url);
  put(out, "commit", subpackage.commit);
  out.set("checks", checks_json(subpackage.disabled_checks));
  if (subpackage.has_test) out.set("test", test_json(subpackage.test));
  put(out, "annotations", subpackage.annotations);
  put_filled(out, "setcap", setcap_json(subpackage.setcap));
  return out;
}

Json backend_json(const Update& update) {
  Json out = Json::object();
  for (const Update::ReleaseMonitor& monitor : update.release_monitor) {
    Json item = Json::object({{"identifier", monitor.identifier}});
    if (std::int64_t number = 0; true) {
      const char* end = monitor.identifier.data() + monitor.identifier.size();
      const auto [stop, status] = std::from_chars(monitor.identifier.data(), end, number);
      if (status == std::errc{} && stop == end) item.set("identifier", number);
    }
    put(item, "strip-prefix", monitor.strip_prefix);
    put(item, "strip-suffix", monitor.strip_suffix);
    put(item, "version-filter-contains", monitor.version_filter_contains);
    put(item, "version-filter-prefix", monitor.version_filter_prefix);
    out.set("release-monitor", std::move(item));
  }
  for (const Update::GitHub& github : update.github) {
    Json item = Json::object({{"identifier", github.identifier}});
    put(item, "strip-prefix", github.strip_prefix);
    put(item, "strip-suffix", github.strip_suffix);
    put(item, "tag-filter", github.tag_filter);
    put(item, "tag-filter-prefix", github.tag_filter_prefix);
    put(item, "tag-filter-contains", github.tag_filter_contains);
    put(item, "use-tag", github.use_tag);
    out.set("github", std::move(item));
  }
  for (const Update::Oci& oci : update.oci) {
    Json item = Json::object({{"identifier", oci.identifier}});
    put(item, "strip-prefix", oci.strip_prefix);
    put(item, "strip-suffix", oci.strip_suffix);
    put(item, "tag-filter-prefix", oci.tag_filter_prefix);
    put(item, "tag-filter-contains", oci.tag_filter_contains);
    out.set("oci", std::move(item));
  }
  for (const Update::VersionData& data : update.version_data) {
    Json sources = Json::array();
    for (const Update::VersionSource& source : data.sources) {
      Json item = Json::object({{"name", source.name}, {"stream", source.stream}});
      put(item, "ignore", source.ignore);
      put(item, "commit_source", source.commit_source);
      put(item, "use_release", source.use_release);
      sources.push(std::move(item));
    }
    out.set("version_data", Json::object({{"version_format", data.format}, {"sources", std::move(sources)}}));
  }
  for (const Update::Git& git : update.git) {
    Json item = Json::object();
    put(item, "strip-prefix", git.strip_prefix);
    put(item, "strip-suffix", git.strip_suffix);
    put(item, "tag-filter-prefix", git.tag_filter_prefix);
    put(item, "tag-filter-contains", git.tag_filter_contains);
    out.set("git", std::move(item));
  }
  return out;
}

Json update_json(const Update& update) {
  Json out = Json::object({{"enabled", update.enabled}});
  put(out, "manual", update.manual);
  put(out, "require-sequential", update.require_sequential);
  put(out, "shared", update.shared);
  put(out, "version-separator", update.version_separator);
  put(out, "ignore-regex-patterns", update.ignore_regex_patterns);
  const Json backends = backend_json(update);
  for (const auto& [key, value] : backends.members()) out.set(key, value);
  Json transforms = Json::array();
  for (const Update::Transform& transform : update.version_transform)
    transforms.push(Json::object({{"match", transform.match}, {"replace", transform.replace}}));
  put_filled(out, "version-transform", std::move(transforms));
  put(out, "exclude-reason", update.exclude_reason);
  Json schedule = Json::object();
  put(schedule, "reason", update.schedule_reason);
  put(schedule, "period", update.schedule_period);
  put_filled(out, "schedule", std::move(schedule));
  put(out, "enable-prerelease-tags", update.enable_prerelease_tags);
  return out;
}

}  // namespace

Json compiled_json(const Definition& definition) {
  Json out = Json::object({{"package", package_json(definition)}});
  out.set("environment", environment_json(definition.environment));
  Json capabilities = Json::object();
  put(capabilities, "add", definition.capabilities_add);
  put(capabilities, "drop", definition.capabilities_drop);
  out.set("capabilities", std::move(capabilities));
  put_filled(out, "pipeline", steps_json(definition.pipeline));
  Json subpackages = Json::array();
  for (const Subpackage& subpackage : definition.subpackages)
    subpackages.push(subpackage_json(subpackage));
  put_filled(out, "subpackages", std::move(subpackages));
  out.set("update", update_json(definition.update));
  if (definition.has_test) out.set("test", test_json(definition.test));
  return out;
}

}  // namespace nacre::definition
