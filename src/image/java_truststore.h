#pragma once

#include "base/result.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace nacre::image {

/// A Java key store (JKS) that holds trusted certificates, under the password "changeit" that every such store has.
class JavaTruststore {
 public:
  /// kInvalid for another format (PKCS #12 too), a broken store, or another password.
  static Result<JavaTruststore> parse(std::string_view bytes);
  /// Adds or replaces; Java knows no upper case in aliases. `date`: seconds.
  void add(std::string_view alias, std::string_view der, std::int64_t date);
  std::string write() const;   ///< Entries by alias.

 private:
  std::map<std::string, std::string> entries_;   ///< Alias -> what stands after it, and the tag before.
};

}  // namespace nacre::image
