#pragma once

#include "base/result.h"
#include "base/sha256.h"
#include "codec/json.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Inside this room only: strict reading of JSON objects.
namespace nacre::index {

/// One object being read: every field must be there, have its type, and be known. Errors name the
/// field by its whole path: "packages[3].size". Lives no longer than the value that it reads.
class Fields {
 public:
  /// `path` is where the object stands; empty for the outermost.
  static Result<Fields> of(const codec::Json& json, std::string path);

  std::string path(std::string_view key) const;

  Result<std::string> text(std::string_view key);
  Result<std::string> word(std::string_view key);   ///< check_word() of a text.
  Result<std::uint64_t> count(std::string_view key);  ///< 0 to 2^63 - 1.
  Result<std::int64_t> time(std::string_view key);
  Result<Sha256> digest(std::string_view key);
  Result<std::vector<std::string>> words(std::string_view key);
  Result<const codec::Json*> list(std::string_view key);
  Result<const codec::Json*> object(std::string_view key);

  /// After the last field: kInvalid when there are others.
  Result<> finish() const;

  static Error wrong(std::string_view at, std::string_view expected, const codec::Json& found);
  /// Text for one line of an index or one path component: no blanks, no control characters.
  static Result<> check_word(std::string_view value, std::string_view at);
  /// Digests have one spelling here, "sha256:" and lower case: equal serials are equal bytes.
  static Result<Sha256> read_digest(std::string_view value, std::string_view at);

 private:
  Fields(const codec::Json& json, std::string path) : json_(&json), path_(std::move(path)) {}
  using Is = bool (codec::Json::*)() const;
  Result<const codec::Json*> get(std::string_view key, Is is, std::string_view expected);

  const codec::Json* json_;
  std::string path_;
  std::vector<std::string> seen_;
};

}  // namespace nacre::index
