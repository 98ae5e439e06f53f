#include "cli/forget.h"

#include "base/text.h"
#include "cli/distribution.h"
#include "codec/json.h"
#include "store/store.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::cli {
namespace {

using codec::Json;

/// Where a record names what it lives by.
enum class Names {
  kValueBlobs,     ///< The value is digests of blobs, parted by blanks.
  kKeyBlob,        ///< The first word of the key is one.
  kKeyLastBlob,    ///< The last word of the key is one.
  kFieldBlob,      ///< A member of the JSON value, `field`, is one.
  kFieldIndex,     ///< A member of the JSON value is the digest of an index, which has a mapped form.
  kFirstLineIndexes,  ///< Likewise those of the first line, after its first word.
  kEachTree,       ///< The JSON value is an array; `field` of each is an .apk, which lies unpacked.
};

struct Kind {
  std::string_view kind;
  Names names;
  std::string_view field;
};

/// "mapped-index" comes before those that live by it.
constexpr Kind kKinds[] = {
    {"segment", Names::kValueBlobs, {}},        {"layer", Names::kFieldBlob, "digest"},
    {"image-contents", Names::kValueBlobs, {}}, {"file-digests", Names::kValueBlobs, {}},
    {"library-name", Names::kKeyBlob, {}},      {"components-1", Names::kKeyBlob, {}},
    {"image-words", Names::kKeyBlob, {}},       {"foreign-image", Names::kFieldBlob, "manifest/digest"},
    {"foreign-apk", Names::kValueBlobs, {}},    {"foreign-file", Names::kFieldBlob, "blob"},
    {"feed-answer", Names::kFieldBlob, "body"}, {"blob-at", Names::kKeyLastBlob, {}},
    {"solver-pool", Names::kValueBlobs, {}},    {"mapped-index", Names::kValueBlobs, {}},
    {"foreign-index", Names::kFieldIndex, "index"},
    {"foreign-answer", Names::kFirstLineIndexes, {}},
    {"foreign-root", Names::kEachTree, "apk"},
};

class Forgetter {
 public:
  explicit Forgetter(Env& env) : env_(env) {}

  Result<std::uint64_t> run() {
    std::uint64_t count = 0;
    for (const Kind& kind : kKinds) {
      const auto rows = TRY(env_.store.state().list(kind.kind));
      std::vector<std::string_view> gone;
      for (const auto& [key, value] : rows) {
        const bool stays = TRY(lives(kind, key, value));
        if (!stays) gone.push_back(key);
      }
      const auto erase = [&]() -> Result<> {
        for (const std::string_view key : gone) TRY(env_.store.state().erase(kind.kind, key));
        return {};
      };
      if (!gone.empty()) TRY(env_.store.state().transaction(erase));
      count += gone.size();
    }
    return count;
  }

 private:
  /// What every machine of a shared state sees names blobs that need not be on this one.
  Result<bool> has(const Kind& kind, std::string_view digest) const {
    const auto parsed = parse_sha256(digest);
    if (!parsed) return false;
    return store::State::is_local(kind.kind) ? Result<bool>(env_.store.has(*parsed)) : env_.store.holds(*parsed);
  }
  Result<bool> has_index(std::string_view digest) {
    const auto row = TRY(env_.store.state().get("mapped-index", digest));
    return row.has_value();
  }

  /// What cannot be read is as good as gone.
  Result<bool> lives(const Kind& kind, std::string_view key, const std::string& value) {
    switch (kind.names) {
      case Names::kValueBlobs:
        for (const std::string& word : split_words(value)) {
          const bool there = TRY(has(kind, word));
          if (!there) return false;
        }
        return true;
      case Names::kKeyBlob: return has(kind, key.substr(0, key.find(' ')));
      case Names::kKeyLastBlob: return has(kind, key.substr(key.rfind(' ') + 1));
      case Names::kFieldBlob:
      case Names::kFieldIndex: {
        auto json = codec::parse_json(value, kind.kind);
        if (!json) return false;
        Json at = *std::move(json);
        for (const std::string& part : split(kind.field, '/')) at = Json(at[part]);
        return kind.names == Names::kFieldIndex ? has_index(at.as_string()) : has(kind, at.as_string());
      }
      case Names::kFirstLineIndexes: {
        const std::vector<std::string> words = split_words(value.substr(0, value.find('\n')));
        for (std::size_t i = 1; i < words.size(); ++i) {
          const bool there = TRY(has_index(words[i]));
          if (!there) return false;
        }
        return words.size() > 1 && words[0] == kAnswerIndexes;
      }
      case Names::kEachTree: {
        const auto json = codec::parse_json(value, kind.kind);
        if (!json) return false;
        for (const Json& row : json->items()) {
          const auto apk = parse_sha256(row[std::string(kind.field)].as_string());
          if (!apk || !env_.store.has_tree(tree_key(*apk))) return false;
        }
        return true;
      }
    }
    return true;
  }

  Env& env_;
};

}  // namespace

Result<std::uint64_t> forget_gone(Env& env) { return Forgetter(env).run(); }

}  // namespace nacre::cli
