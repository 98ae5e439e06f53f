#include "definition/schema.h"

#include "base/text.h"
#include "definition/parse.h"

#include <map>

namespace nacre::definition {
namespace {

using codec::Json;

/// Collects one entry below $defs for each table that it meets.
class Schema {
 public:
  Json whole(const MappingInfo& root, std::string_view title) {
    Json out = Json::object({{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}});
    out.set("$ref", reference(root)["$ref"]);
    Json defs = Json::object();
    for (auto& [name, json] : defs_) defs.set(name, std::move(json));
    return out.set("$defs", std::move(defs));
  }

 private:
  static std::string name_of(const MappingInfo& info) {
    std::string_view name = info.what;
    for (const std::string_view article : {"a ", "an "})
      if (name.starts_with(article)) name.remove_prefix(article.size());
    return replace_all(std::string(name), " ", "-");
  }

  Json reference(const MappingInfo& info) {
    const std::string name = name_of(info);
    if (!defs_.contains(name)) {
      defs_[name] = nullptr;  // Steps hold steps: known before it is made.
      Json made = mapping(info);
      defs_[name] = std::move(made);
    }
    return Json::object({{"$ref", "#/$defs/" + name}});
  }

  Json mapping(const MappingInfo& info) {
    Json properties = Json::object(), required = Json::array();
    for (const FieldInfo* field : info.fields) {
      properties.set(std::string(field->key), value(*field));
      if (field->required) required.push(field->key);
    }
    Json out = Json::object({{"type", Json::strings({"object", "null"})}, {"additionalProperties", false}});
    out.set("properties", std::move(properties));
    if (!required.items().empty()) out.set("required", std::move(required));
    return out;
  }

  /// A scalar's text counts, whatever YAML takes it for: `version: 1.10` is a text.
  static Json text() { return Json::strings({"string", "number", "boolean", "null"}); }

  Json value(const FieldInfo& field) {
    Json out = Json::object();
    switch (field.shape) {
      case Shape::kText: out.set("type", text()); break;
      case Shape::kFlag: out.set("type", Json::strings({"boolean", "null"})); break;
      case Shape::kNumber: out.set("type", Json::strings({"integer", "null"})); break;
      case Shape::kTexts:
        out.set("type", Json::strings({"array", "null"})).set("items", Json::object({{"type", text()}}));
        break;
      case Shape::kPairs:
        out.set("type", Json::strings({"object", "null"}))
            .set("additionalProperties", Json::object({{"type", text()}}));
        break;
      case Shape::kMapping: out = reference(field.inner()); break;
      case Shape::kList:
        out.set("type", Json::strings({"array", "null"})).set("items", reference(field.inner()));
        break;
      case Shape::kMap:
        out.set("type", Json::strings({"object", "null"})).set("additionalProperties", reference(field.inner()));
        break;
    }
    if (!field.help.empty()) out.set("description", field.help);
    if (!field.choices.empty()) out.set("enum", Json::strings(split_words(field.choices)));
    return out;
  }

  std::map<std::string, Json> defs_;
};

}  // namespace

Json mapping_schema(const MappingInfo& root, std::string_view title) { return Schema().whole(root, title); }
Json definition_schema() { return Schema().whole(info_of<WrittenDefinition>(), "definition of a package"); }
Json pipeline_schema() { return Schema().whole(info_of<WrittenPipeline>(), "pipeline for `uses`"); }

}  // namespace nacre::definition
