#include "codec/digest.h"
#include "codec/json.h"
#include "plan/plan.h"

namespace nacre::plan {
namespace {

using codec::Json;

Json json_of(const definition::Pairs& pairs) {
  Json out = Json::array();
  for (const auto& [key, value] : pairs) out.push(Json::array({Json(key), Json(value)}));
  return out;
}

/// What a step runs. Its name and label are for people; `uses` and `with` have become children and
/// text.
Json json_of(const std::vector<definition::Step>& steps) {
  Json out = Json::array();
  for (const definition::Step& step : steps) {
    if (!step.enabled) continue;
    Json item = Json::object();
    item.set("runs", step.runs).set("dir", step.working_directory);
    item.set("env", json_of(step.environment)).set("steps", json_of(step.pipeline));
    item.set("required", step.required_steps);
    out.push(std::move(item));
  }
  return out;
}

Json json_of(const definition::Dependencies& needs) {
  Json out = Json::object();
  out.set("runtime", Json::strings(needs.runtime)).set("provides", Json::strings(needs.provides));
  out.set("replaces", Json::strings(needs.replaces));
  out.set("provider", needs.provider_priority_text).set("replacer", needs.replaces_priority_text);
  return out;
}

Json json_of(const definition::PackageOptions& options) {
  return Json::array({options.no_provides, options.no_depends, options.no_commands,
                      options.no_versioned_shlib_deps});
}

Json json_of(const definition::Scriptlets& scripts) {
  return Json::array({scripts.pre_install, scripts.post_install, scripts.pre_deinstall,
                      scripts.post_deinstall, scripts.pre_upgrade, scripts.post_upgrade,
                      scripts.trigger_script, Json::strings(scripts.trigger_paths)});
}

Json json_of(const definition::Environment& environment) {
  Json out = Json::object();
  out.set("packages", Json::strings(environment.packages));
  out.set("variables", json_of(environment.variables)).set("run-as", environment.run_as);
  Json accounts = Json::array();
  for (const definition::Account& user : environment.users)
    accounts.push(Json::array(
        {user.name, std::int64_t{user.uid}, std::int64_t{user.gid}, user.shell, user.home}));
  Json groups = Json::array();
  for (const definition::AccountGroup& group : environment.groups)
    groups.push(Json::array({group.name, std::int64_t{group.gid}, Json::strings(group.members)}));
  out.set("users", std::move(accounts)).set("groups", std::move(groups));
  return out;
}

Json json_of(const std::vector<definition::Copyright>& copyright) {
  Json out = Json::array();
  for (const definition::Copyright& part : copyright)
    out.push(Json::array(
        {part.license, part.license_path, part.attestation, Json::strings(part.paths)}));
  return out;
}

Json json_of(const definition::Subpackage& sub) {
  Json out = Json::object();
  out.set("name", sub.name).set("description", sub.description).set("url", sub.url);
  out.set("dependencies", json_of(sub.dependencies)).set("options", json_of(sub.options));
  out.set("scriptlets", json_of(sub.scriptlets)).set("steps", json_of(sub.pipeline));
  out.set("annotations", json_of(sub.annotations));
  out.set("unchecked", Json::strings(sub.disabled_checks));
  return out;
}

}  // namespace

Sha256 recipe_digest(const definition::Definition& definition) {
  Json out = Json::object();
  out.set("recipe", 1).set("name", definition.name).set("version", definition.full_version());
  out.set("description", definition.description).set("url", definition.url);
  out.set("copyright", json_of(definition.copyright));
  out.set("dependencies", json_of(definition.dependencies));
  out.set("options", json_of(definition.options));
  out.set("scriptlets", json_of(definition.scriptlets));
  out.set("annotations", json_of(definition.annotations));
  out.set("unchecked", Json::strings(definition.disabled_checks));
  out.set("cpe", Json::array({definition.cpe.vendor, definition.cpe.product}));
  out.set("capabilities", Json::strings(definition.capabilities_add));
  out.set("environment", json_of(definition.environment));
  out.set("steps", json_of(definition.pipeline));
  Json subpackages = Json::array();
  for (const definition::Subpackage& sub : definition.subpackages) subpackages.push(json_of(sub));
  out.set("subpackages", std::move(subpackages));
  return codec::sha256(codec::to_canonical_json(out));
}

}  // namespace nacre::plan
