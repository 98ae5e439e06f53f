#include "build/network.h"

#include "base/text.h"

#include <algorithm>
#include <cstdlib>

namespace nacre::build {
namespace {

constexpr std::string_view kAnnotation = "nacre.network";
constexpr std::pair<std::string_view, NetworkPolicy> kPolicies[] = {{"never", NetworkPolicy::kNever},
                                                                    {"asked", NetworkPolicy::kAsked},
                                                                    {"always", NetworkPolicy::kAlways}};

/// Words of an environment variable, parted by commas.
std::vector<std::string> words_of(const char* variable) {
  std::vector<std::string> out;
  const char* text = std::getenv(variable);
  if (text == nullptr) return out;
  for (const std::string& word : split(text, ','))
    if (const std::string_view trimmed = trim(word); !trimmed.empty()) out.emplace_back(trimmed);
  return out;
}

bool is_variable_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), fits);
}

}  // namespace

Result<NetworkPolicy> parse_network_policy(std::string_view text) {
  std::vector<std::string> names;
  for (const auto& [name, policy] : kPolicies) {
    if (name == text) return policy;
    names.emplace_back(name);
  }
  return Error::make(ErrorKind::kInvalid, "expected 'never', 'asked' or 'always' as network policy, got '{}'", text)
      .hint(nearest_hint(text, names));
}

std::string_view name_of(NetworkPolicy policy) {
  for (const auto& [name, value] : kPolicies)
    if (value == policy) return name;
  return "?";
}

Result<bool> asks_for_network(const definition::Definition& definition, std::string_view use) {
  bool asked = false;
  for (const auto& [name, value] : definition.annotations) {
    if (name != kAnnotation) continue;
    std::string text = value;
    std::replace(text.begin(), text.end(), ',', ' ');
    for (const std::string& word : split_words(text)) {
      if (word != "build" && word != "test")
        return Error::make(ErrorKind::kInvalid, "annotation '{}' of '{}': expected 'build', 'test' or both, got '{}'",
                           kAnnotation, definition.name, word)
            .at({definition.file, 0, 0});
      asked = asked || word == use;
    }
  }
  return asked;
}

Result<bool> grant_network(NetworkPolicy policy, const definition::Definition& definition, std::string_view use) {
  const bool asked = TRY(asks_for_network(definition, use));
  if (!asked || policy != NetworkPolicy::kNever) return asked || policy == NetworkPolicy::kAlways;
  return Error::make(ErrorKind::kDenied, "the {} of '{}' asks for network (annotation '{}'), and the policy is 'never'",
                     use, definition.name, kAnnotation)
      .at({definition.file, 0, 0})
      .hint("`--network asked`, or NACRE_NETWORK=asked, lets definitions that ask have it");
}

Result<NetworkGrant> network_grant_of_machine() {
  NetworkGrant out;
  for (const std::string& name : words_of("NACRE_NETWORK_ENV")) {
    if (!is_variable_name(name))
      return Error::make(ErrorKind::kInvalid, "NACRE_NETWORK_ENV: '{}' is no name of a variable", name)
          .hint("it lists names alone, parted by commas; the values are those of nacre's own environment");
    out.environment.push_back(name);
  }
  for (const std::string& word : words_of("NACRE_NETWORK_FILES")) {
    const std::size_t equals = word.find('=');
    const std::string host = word.substr(0, equals);
    std::string inside = equals == std::string::npos ? host : word.substr(equals + 1);
    if (!host.starts_with('/') || !inside.starts_with('/'))
      return Error::make(ErrorKind::kInvalid, "NACRE_NETWORK_FILES: expected /HOST-FILE=/INSIDE-PATH, got '{}'", word);
    if (!os::exists(host))
      return Error::make(ErrorKind::kNotFound, "NACRE_NETWORK_FILES names '{}', which is not there", host);
    inside.erase(0, 1);
    TreePath path = TRY(TreePath::parse(inside), "reading NACRE_NETWORK_FILES");
    out.files.push_back({host, std::move(path)});
  }
  return out;
}

}  // namespace nacre::build
