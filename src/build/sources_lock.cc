#include "base/text.h"
#include "base/tree_path.h"
#include "build/fetch.h"
#include "codec/yaml.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace nacre::build {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

const std::vector<std::string> kFields = {"file",        "sha256",        "size",     "uri",
                                          "debian-pool", "debian-suites", "repacked", "used-by"};

Error fault(const YamlTree& tree, const YamlNode& node, std::string_view expected,
            std::string_view found) {
  return Error::make(ErrorKind::kInvalid, "expected {}, got '{}'", expected, found)
      .at(tree.place(node.span));
}

Result<std::string> scalar(const YamlTree& tree, const YamlNode& node) {
  if (node.kind != YamlKind::kScalar || node.text.empty())
    return Error::make(ErrorKind::kInvalid, "expected one value").at(tree.place(node.span));
  return node.text;
}

Result<std::vector<std::string>> scalars(const YamlTree& tree, const YamlNode& node) {
  if (node.kind != YamlKind::kSequence)
    return Error::make(ErrorKind::kInvalid, "expected a list").at(tree.place(node.span));
  std::vector<std::string> out;
  for (const YamlNode& item : node.items) {
    std::string text = TRY(scalar(tree, item));
    out.push_back(std::move(text));
  }
  return out;
}

/// A name or relative path that may be appended to a directory or an address.
Result<std::string> plain_path(const YamlTree& tree, const YamlNode& node,
                               std::string_view expected) {
  std::string text = TRY(scalar(tree, node));
  const auto path = TreePath::parse(text);
  if (!path || path->str() != text) return fault(tree, node, expected, text);
  return text;
}

Result<> set_field(LockedSource& source, const std::string& key, const YamlTree& tree,
                   const YamlNode& node) {
  if (key == "used-by") {
    source.used_by = TRY(scalars(tree, node));
    return {};
  }
  if (key == "debian-suites") {
    source.debian_suites = TRY(scalars(tree, node));
    return {};
  }
  const std::string text = TRY(scalar(tree, node));
  if (key == "file") {
    source.file = TRY(plain_path(tree, node, "a file name"));
    if (text.find('/') != std::string::npos) return fault(tree, node, "a file name", text);
  } else if (key == "debian-pool") {
    source.debian_pool = TRY(plain_path(tree, node, "a path below the archive's base"));
  } else if (key == "uri") {
    source.uri = text;
  } else if (key == "sha256") {
    const auto digest = parse_sha256(text);
    if (!digest || text.size() != 64) return fault(tree, node, "64 hexadecimal digits", text);
    source.sha256 = *digest;
  } else if (key == "size") {
    const char* end = text.data() + text.size();
    const auto [stop, status] = std::from_chars(text.data(), end, source.size_bytes);
    if (status != std::errc{} || stop != end) return fault(tree, node, "a number of bytes", text);
  } else if (text == "true" || text == "false") {  // repacked
    source.repacked = text == "true";
  } else {
    return fault(tree, node, "true or false", text);
  }
  return {};
}

Result<LockedSource> parse_entry(const YamlTree& tree, const YamlNode& node) {
  if (node.kind != YamlKind::kMapping)
    return Error::make(ErrorKind::kInvalid, "expected the fields of a source")
        .at(tree.place(node.span));
  LockedSource source;
  for (const YamlNode::Entry& entry : node.entries) {
    if (std::find(kFields.begin(), kFields.end(), entry.key) == kFields.end()) {
      Error error = Error::make(ErrorKind::kInvalid, "unknown field '{}'", entry.key)
                        .at(tree.place(entry.key_span));
      const std::string hint = nearest_hint(entry.key, kFields);
      return hint.empty() ? std::move(error) : std::move(error).hint(hint);
    }
    TRY(set_field(source, entry.key, tree, entry.value), "reading '{}'", entry.key);
  }
  for (const char* key : {"file", "sha256", "size"})
    if (node.find(key) == nullptr)
      return Error::make(ErrorKind::kInvalid, "a source has no '{}'", key)
          .at(tree.place(node.span));
  return source;
}

/// Plain where that is read back as the same text, else double-quoted.
std::string yaml_text(const std::string& text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._+~/:=%&?@-").find(c) != std::string_view::npos;
  };
  const bool word = !text.empty() && std::all_of(text.begin(), text.end(), plain) &&
                    std::string_view("-?:@%&=~").find(text.front()) == std::string_view::npos &&
                    text.back() != ':' && text != "null" && text != "Null" && text != "NULL";
  if (word) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + "\"";
}

std::string yaml_list(const std::vector<std::string>& items) {
  std::vector<std::string> texts;
  for (const std::string& item : items) texts.push_back(yaml_text(item));
  return "[" + join(texts, ", ") + "]";
}

}  // namespace

Result<std::vector<LockedSource>> parse_sources_lock(std::string_view text, std::string_view file) {
  const YamlTree tree = TRY(codec::parse_yaml(std::string(text), std::string(file)));
  std::vector<LockedSource> out;
  if (tree.root.kind == YamlKind::kNull) return out;
  for (const YamlNode::Entry& entry : tree.root.entries)
    if (entry.key != "sources")
      return Error::make(ErrorKind::kInvalid, "unknown field '{}'", entry.key)
          .at(tree.place(entry.key_span));
  const YamlNode* list = tree.root.find("sources");
  if (list == nullptr || (list->kind != YamlKind::kSequence && list->kind != YamlKind::kNull))
    return Error::make(ErrorKind::kInvalid, "expected a list of 'sources'")
        .at(tree.place(list != nullptr ? list->span : tree.root.span));
  std::map<Sha256, int> lines;
  for (const YamlNode& node : list->items) {
    LockedSource source = TRY(parse_entry(tree, node));
    const auto [first, fresh] = lines.emplace(source.sha256, node.span.line);
    if (!fresh)
      return Error::make(ErrorKind::kInvalid, "digest {} is already locked in line {}",
                         source.sha256.hex(), first->second)
          .at(tree.place(node.span))
          .hint("one file, one entry: list its users in 'used-by'");
    out.push_back(std::move(source));
  }
  return out;
}

std::string write_sources_lock(const std::vector<LockedSource>& sources) {
  std::vector<LockedSource> sorted = sources;
  const auto first_user = [](const LockedSource& source) {
    return source.used_by.empty() ? std::string() : source.used_by.front();
  };
  std::sort(sorted.begin(), sorted.end(), [&](const LockedSource& a, const LockedSource& b) {
    return std::tuple(first_user(a), a.file, a.sha256) <
           std::tuple(first_user(b), b.file, b.sha256);
  });
  std::string out = sorted.empty() ? "sources: []\n" : "sources:\n";
  for (const LockedSource& source : sorted) {
    out += "  - file: " + yaml_text(source.file) + "\n";
    out += "    sha256: " + source.sha256.hex() + "\n";
    out += fmt::format("    size: {}\n", source.size_bytes);
    if (!source.uri.empty()) out += "    uri: " + yaml_text(source.uri) + "\n";
    if (!source.debian_pool.empty())
      out += "    debian-pool: " + yaml_text(source.debian_pool) + "\n";
    if (!source.debian_suites.empty())
      out += "    debian-suites: " + yaml_list(source.debian_suites) + "\n";
    if (source.repacked) out += "    repacked: true\n";
    if (!source.used_by.empty()) out += "    used-by: " + yaml_list(source.used_by) + "\n";
  }
  return out;
}

}  // namespace nacre::build
