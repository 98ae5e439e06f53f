#include "base/text.h"
#include "package/stage0.h"

#include <algorithm>
#include <cctype>

namespace nacre::package {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

const std::vector<std::string> kFields = {"name", "suite", "debs", "depends", "provides", "links", "files", "joined"};
const std::vector<std::string> kSettings = {"suite", "provide", "packages"};

Result<std::vector<std::string>> strings_of(const YamlTree& yaml, const YamlNode& node) {
  if (node.kind != YamlKind::kSequence)
    return Error::make(ErrorKind::kInvalid, "expected a list of names").at(yaml.place(node.span));
  std::vector<std::string> out;
  for (const YamlNode& item : node.items) {
    if (item.kind != YamlKind::kScalar)
      return Error::make(ErrorKind::kInvalid, "expected a name").at(yaml.place(item.span));
    out.push_back(item.text);
  }
  return out;
}

Result<std::vector<std::pair<TreePath, std::string>>> paths_of(const YamlTree& yaml, const YamlNode& node) {
  if (node.kind != YamlKind::kMapping)
    return Error::make(ErrorKind::kInvalid, "expected a mapping of paths").at(yaml.place(node.span));
  std::vector<std::pair<TreePath, std::string>> out;
  for (const YamlNode::Entry& entry : node.entries) {
    auto path = TreePath::parse(entry.key);
    if (!path) return std::move(path).error().at(yaml.place(entry.key_span));
    if (entry.value.kind != YamlKind::kScalar || entry.value.text.empty())
      return Error::make(ErrorKind::kInvalid, "expected a path").at(yaml.place(entry.value.span));
    out.emplace_back(*std::move(path), entry.value.text);
  }
  return out;
}

Result<std::string> suite_of(const YamlTree& yaml, const YamlNode& node) {
  const std::string& text = node.text;
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-';
  });
  if (!plain) return Error::make(ErrorKind::kInvalid, "expected the name of a suite").at(yaml.place(node.span));
  return text;
}

Result<Stage0Entry> entry_of(const YamlTree& yaml, const YamlNode& node) {
  if (node.kind != YamlKind::kMapping)
    return Error::make(ErrorKind::kInvalid, "expected a package with a name").at(yaml.place(node.span));
  Stage0Entry out;
  for (const YamlNode::Entry& field : node.entries) {
    if (field.key == "name") out.name = field.value.text;
    else if (field.key == "suite") out.suite = TRY(suite_of(yaml, field.value));
    else if (field.key == "debs") out.debs = TRY(strings_of(yaml, field.value));
    else if (field.key == "depends") out.depends = TRY(strings_of(yaml, field.value));
    else if (field.key == "provides") out.provides = TRY(strings_of(yaml, field.value));
    else if (field.key == "links") out.links = TRY(paths_of(yaml, field.value));
    else if (field.key == "files") out.files = TRY(paths_of(yaml, field.value));
    else if (field.key == "joined") out.joined = TRY(paths_of(yaml, field.value));
    else
      return Error::make(ErrorKind::kInvalid, "unknown field '{}'", field.key)
          .at(yaml.place(field.key_span))
          .hint(nearest_hint(field.key, kFields));
  }
  if (out.name.empty())
    return Error::make(ErrorKind::kInvalid, "a package needs a name").at(yaml.place(node.span));
  if (out.name.find('/') != std::string::npos || out.name.starts_with('.'))
    return Error::make(ErrorKind::kInvalid, "'{}' cannot name a package", out.name).at(yaml.place(node.span));
  return out;
}

}  // namespace

Result<Stage0Settings> parse_stage0_settings(const YamlTree& yaml) {
  Stage0Settings out;
  for (const YamlNode::Entry& field : yaml.root.entries) {
    if (std::find(kSettings.begin(), kSettings.end(), field.key) == kSettings.end())
      return Error::make(ErrorKind::kInvalid, "unknown field '{}'", field.key)
          .at(yaml.place(field.key_span))
          .hint(nearest_hint(field.key, kSettings));
    if (field.key == "suite") {
      out.suite = TRY(suite_of(yaml, field.value));
    } else if (field.key == "provide") {
      const std::vector<std::string> kinds = TRY(strings_of(yaml, field.value));
      if (kinds != std::vector<std::string>{"cmd", "pc"})
        return Error::make(ErrorKind::kInvalid, "expected [cmd, pc]").at(yaml.place(field.value.span));
      out.provide_names = true;
    }
  }
  return out;
}

Result<std::vector<Stage0Entry>> parse_stage0(const YamlTree& yaml) {
  const YamlNode* packages = yaml.root.find("packages");
  if (packages == nullptr || packages->kind != YamlKind::kSequence)
    return Error::make(ErrorKind::kInvalid, "expected a list under 'packages'").at({yaml.file, 0, 0});
  std::vector<Stage0Entry> out;
  for (const YamlNode& node : packages->items) {
    Stage0Entry entry = TRY(entry_of(yaml, node));
    for (const Stage0Entry& other : out)
      if (other.name == entry.name)
        return Error::make(ErrorKind::kInvalid, "package '{}' is listed twice", entry.name)
            .at(yaml.place(node.span));
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace nacre::package
