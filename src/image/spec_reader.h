#pragma once

#include "codec/yaml.h"
#include "definition/definition.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::image {

/// "a list", "a text", …: for messages.
std::string_view kind_name(const codec::YamlNode& node);
/// What may stand in etc/passwd and etc/group: letters, digits, '_', '-', '.', first no '-', at most 32.
bool is_account_name(std::string_view name);

/// Strict readers of YAML fields; every error has its place.
class SpecReader {
 public:
  explicit SpecReader(const codec::YamlTree& yaml) : yaml_(yaml) {}

  Place place(const codec::YamlNode& node) const { return yaml_.place(node.span); }
  template <class... A>
  Error fault(const codec::YamlNode& node, fmt::format_string<A...> text, A&&... args) const {
    return Error::make(ErrorKind::kInvalid, text, std::forward<A>(args)...).at(place(node));
  }

  /// Refuses fields other than `known`; those in `missing` as features that nacre does not have yet.
  Result<> only(const codec::YamlNode& mapping, std::string_view what, std::vector<std::string> known,
                const std::vector<std::string>& missing = {}) const;
  /// nullptr when absent or null.
  Result<const codec::YamlNode*> mapping(const codec::YamlNode& in, std::string_view key) const;
  Result<std::vector<const codec::YamlNode*>> mappings(const codec::YamlNode& in, std::string_view key) const;
  Result<std::string> text(const codec::YamlNode& in, std::string_view key) const;  ///< "" when absent.
  Result<std::string> required(const codec::YamlNode& in, std::string_view key) const;
  Result<std::vector<std::string>> texts(const codec::YamlNode& in, std::string_view key,
                                         std::vector<Place>* places = nullptr) const;
  Result<definition::Pairs> pairs(const codec::YamlNode& in, std::string_view key) const;
  Result<std::string> account_name(const codec::YamlNode& in, std::string_view key) const;
  /// A text without ':' and line ends.
  Result<std::string> account_field(const codec::YamlNode& in, std::string_view key) const;
  Result<unsigned> number(const codec::YamlNode& node, std::string_view what) const;
  Result<unsigned> mode(const codec::YamlNode& node) const;  ///< 0o755, 0755, or 0.
  Result<bool> flag(const codec::YamlNode& node, std::string_view what) const;

 private:
  const codec::YamlTree& yaml_;
};

}  // namespace nacre::image
