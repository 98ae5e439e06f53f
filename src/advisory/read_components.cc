#include "advisory/components.h"

#include "advisory/osv.h"
#include "advisory/version_order.h"
#include "base/ascii.h"
#include "base/text.h"
#include "codec/archive.h"
#include "codec/zlib_stream.h"
#include "package/elf.h"

#include <algorithm>
#include <cctype>
#include <map>

namespace nacre::advisory {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxAuditBytes = 16u << 20;
constexpr std::size_t kMaxCrates = 20'000, kMaxModules = 20'000;
constexpr std::uint64_t kMaxInnerBytes = 256u << 20;

std::string_view without_v(std::string_view version) { return version.starts_with('v') ? version.substr(1) : version; }

/// %41 -> A; what is malformed stays.
std::string percent_decoded(std::string_view text) {
  const auto value = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? value(text[i + 1]) : -1;
    const int low = high >= 0 ? value(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

/// Words of one "KEY: VALUE" or "KEY=VALUE" line with that key; empty: none.
std::string line_value(std::string_view text, std::string_view key) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(key)) return std::string(trim(line.substr(key.size())));
    if (trim(line).empty() && key.ends_with(':')) break;  // Headers end with a blank line.
    at = end + 1;
  }
  return {};
}

/// "mod\tPATH\tVERSION\tSUM" -> path and version.
std::optional<Component> module_of(const std::vector<std::string>& fields) {
  if (fields.size() < 3 || fields[1].empty() || !fields[2].starts_with('v')) return std::nullopt;
  return Component{"Go", fields[1], std::string(without_v(fields[2])), {}};
}

}  // namespace

std::string component_type(std::string_view ecosystem) {
  static const std::map<std::string, std::string, std::less<>> kTypes = {{"Go", "go-module"},
                                                                         {"PyPI", "python"},
                                                                         {"npm", "npm"},
                                                                         {std::string(kCratesEcosystem), "rust-crate"},
                                                                         {"Maven", "java-archive"},
                                                                         {"RubyGems", "gem"},
                                                                         {"Debian", "source"},
                                                                         {"GIT", "source"}};
  const auto found = kTypes.find(ecosystem);
  return found == kTypes.end() ? "apk" : found->second;
}

std::string go_release(std::string_view go_version) {
  std::string_view text = go_version.substr(0, go_version.find(' '));
  if (!text.starts_with("go") || text.size() < 3 || !is_digit(text[2])) return {};
  text.remove_prefix(2);
  text = text.substr(0, text.find('-'));  // "go1.22.5-custom": marks of who built it.
  std::size_t end = 0;
  while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) ++end;
  std::vector<std::string> numbers = split(text.substr(0, end), '.');
  for (const std::string& number : numbers)
    if (number.empty()) return {};
  if (numbers.size() > 3) return {};
  const bool short_form = numbers.size() < 3;
  while (numbers.size() < 3) numbers.emplace_back("0");
  std::string out = join(numbers, ".");
  const std::string_view rest = text.substr(end);
  if (rest.empty()) return out;
  for (const std::string_view word : {"beta", "rc"})
    if (rest.starts_with(word) && rest.size() > word.size() && short_form &&
        std::all_of(rest.begin() + static_cast<std::ptrdiff_t>(word.size()), rest.end(), is_digit))
      return fmt::format("{}-{}.{}", out, word, rest.substr(word.size()));
  return {};
}

std::vector<Component> go_components(std::string_view go_build_info) {
  const auto info = package::read_go_build_info(go_build_info);
  std::vector<Component> out;
  if (!info) return out;
  if (std::string release = go_release(info->go_version); !release.empty())
    out.push_back({"Go", "stdlib", std::move(release), {}});
  bool last_was_module = false;
  for (const std::string& line : split(info->modules, '\n')) {
    const std::vector<std::string> fields = split(line, '\t');
    const bool module = fields[0] == "dep" || fields[0] == "mod";
    if (fields[0] == "=>" && last_was_module) out.pop_back();
    last_was_module = false;
    if ((!module && fields[0] != "=>") || out.size() > kMaxModules) continue;
    if (auto component = module_of(fields)) {
      out.push_back(*std::move(component));
      last_was_module = module;
    }
  }
  return out;
}

Result<std::vector<Component>> cargo_components(std::string_view cargo_audit) {
  const std::string text = TRY(codec::inflate_zlib(cargo_audit, kMaxAuditBytes));
  const Json json = TRY(codec::parse_json(text, "the list of crates"));
  std::vector<Component> out;
  for (const Json& crate : json["packages"].items()) {
    const std::string &name = crate["name"].as_string(), &version = crate["version"].as_string();
    const std::string& source = crate["source"].as_string();
    // Crates that run while building are not in the program; those from a path are the program's own.
    if (name.empty() || version.empty() || crate["kind"].as_string() == "build" || out.size() >= kMaxCrates) continue;
    if (source == kCratesEcosystem || source == "registry" || crate["root"].as_bool())
      out.push_back({std::string(kCratesEcosystem), name, version, {}});
  }
  return out;
}

std::optional<Component> python_component(std::string_view metadata) {
  std::string name = line_value(metadata, "Name:"), version = line_value(metadata, "Version:");
  if (name.empty() || version.empty()) return std::nullopt;
  return Component{"PyPI", normal_python_name(name), std::move(version), {}};
}

std::optional<Component> npm_component(std::string_view package_json) {
  const auto json = codec::parse_json(package_json, "package.json");
  if (!json) return std::nullopt;
  const std::string &name = (*json)["name"].as_string(), &version = (*json)["version"].as_string();
  if (name.empty() || version.empty()) return std::nullopt;
  return Component{"npm", name, version, {}};
}

std::optional<Component> maven_component(std::string_view pom_properties) {
  const std::string group = line_value(pom_properties, "groupId="),
                    artifact = line_value(pom_properties, "artifactId=");
  std::string version = line_value(pom_properties, "version=");
  if (group.empty() || artifact.empty() || version.empty()) return std::nullopt;
  return Component{"Maven", group + ":" + artifact, std::move(version), {}};
}

Result<std::vector<Component>> jar_components(std::string_view bytes, const std::string& path, int depth) {
  std::vector<Component> out;
  std::vector<std::pair<std::string, std::string>> inner;
  std::string name, content;
  bool wanted = false;
  codec::TarReader::Visitor visitor;
  const auto is_jar = [](const std::string& file) {
    return file.ends_with(".jar") || file.ends_with(".war") || file.ends_with(".ear");
  };
  const auto flush = [&] {
    if (wanted && name.ends_with("/pom.properties"))
      if (auto component = maven_component(content)) out.push_back(*std::move(component));
    if (wanted && is_jar(name)) inner.emplace_back(name, std::move(content));
    content.clear();
  };
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    flush();
    name = header.path;
    wanted = header.type == '0' && (name.ends_with("/pom.properties") || (depth > 0 && is_jar(name)));
    return {};
  };
  visitor.on_data = [&](std::string_view piece) -> Result<> {
    if (!wanted) return {};
    if (content.size() + piece.size() > kMaxInnerBytes)
      return Error::make(ErrorKind::kInvalid, "'{}' in '{}' is larger than {}", name, path,
                         human_bytes(kMaxInnerBytes));
    content += piece;
    return {};
  };
  codec::TarLimits limits;
  limits.max_total_bytes = std::uint64_t{4} << 30;
  TRY(codec::read_archive_bytes(bytes, path, visitor, limits));
  flush();
  for (Component& component : out) component.path = path;
  for (const auto& [file, jar] : inner) {
    const std::vector<Component> more = TRY(jar_components(jar, path + "!" + file, depth - 1));
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

std::optional<Component> gem_component(std::string_view path) {
  constexpr std::string_view kFolder = "/specifications/", kEnd = ".gemspec";
  if (path.find(kFolder) == std::string_view::npos || !path.ends_with(kEnd)) return std::nullopt;
  std::string_view name = path.substr(path.rfind('/') + 1);
  name.remove_suffix(kEnd.size());
  // The version is what follows the last '-' before a digit ("-x86_64-linux" may come behind it).
  for (std::size_t at = name.find('-'); at != std::string_view::npos; at = name.find('-', at + 1)) {
    if (at == 0 || at + 1 >= name.size() || !is_digit(name[at + 1])) continue;
    std::string_view version = name.substr(at + 1);
    version = version.substr(0, version.find('-'));
    return Component{"RubyGems", std::string(name.substr(0, at)), std::string(version), {}};
  }
  return std::nullopt;
}

std::optional<Component> component_of_purl(std::string_view purl) {
  if (!purl.starts_with("pkg:")) return std::nullopt;
  purl.remove_prefix(4);
  purl = purl.substr(0, purl.find('#'));
  const std::size_t question = purl.find('?');
  const std::string_view qualifiers =
      question == std::string_view::npos ? std::string_view() : purl.substr(question + 1);
  purl = purl.substr(0, question);
  const std::size_t slash = purl.find('/'), at = purl.rfind('@');
  if (slash == std::string_view::npos || at == std::string_view::npos || at < slash) return std::nullopt;
  const std::string_view type = purl.substr(0, slash);
  std::string name = percent_decoded(purl.substr(slash + 1, at - slash - 1));
  std::string version = percent_decoded(purl.substr(at + 1));
  if (type == "github") return Component{"GIT", repository_key("github.com/" + name), std::move(version), {}};
  if (type == "generic") {
    for (const std::string& part : split(qualifiers, '&')) {
      if (!part.starts_with("vcs_url=")) continue;
      std::string address = percent_decoded(std::string_view(part).substr(8));
      if (address.starts_with("git+")) address.erase(0, 4);
      if (const std::size_t mark = address.rfind('@'); mark != std::string::npos && mark > address.rfind('/'))
        address.resize(mark);
      return Component{"GIT", repository_key(address), std::move(version), {}};
    }
    return std::nullopt;
  }
  if (type == "pypi") return Component{"PyPI", normal_python_name(name), std::move(version), {}};
  if (type == "npm") return Component{"npm", std::move(name), std::move(version), {}};
  if (type == "cargo") return Component{std::string(kCratesEcosystem), std::move(name), std::move(version), {}};
  if (type == "gem") return Component{"RubyGems", std::move(name), std::move(version), {}};
  if (type == "golang") return Component{"Go", std::move(name), std::string(without_v(version)), {}};
  if (type == "maven" && name.find('/') != std::string::npos)
    return Component{"Maven", name.replace(name.find('/'), 1, ":"), std::move(version), {}};
  return std::nullopt;
}

}  // namespace nacre::advisory
