#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

// Inside the templates of `melange query` alone.
namespace nacre::cli {

/// A field of the reference's configuration: its name there, its key in a definition, what it holds: "text", "number",
/// "bool", "map", "[]TYPE" or a type of the table.
struct TemplateField {
  const char *name, *key, *type;
};

/// Fields by type, "Configuration" the outermost.
const std::map<std::string, std::vector<TemplateField>, std::less<>>& template_types();

}  // namespace nacre::cli
