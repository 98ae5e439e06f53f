#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What an S3 store answers in XML, as far as the client needs it. Elements are found by name, entities and namespaces
/// of others are refused or passed over; no document type, no nesting without end.
namespace nacre::store {

struct ListedObject {
  std::string key;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  ///< Seconds since 1970.
};

/// One page of ListObjectsV2.
struct ObjectPage {
  std::vector<ListedObject> objects;
  std::string next;  ///< Continuation token; empty on the last page.
};

/// At most so many on one page, as the protocol says; more is kInvalid.
inline constexpr std::size_t kMaxObjectsOnPage = 1000;

/// kInvalid for what is no such answer.
Result<ObjectPage> read_object_page(std::string_view xml);

/// "NoSuchBucket: The specified bucket does not exist", of an error's body; "" when it is none. One line of printable
/// characters, at most 300 bytes.
std::string read_s3_error(std::string_view xml);

}  // namespace nacre::store
