#include "cli/kept.h"

#include "codec/json.h"
#include "store/store.h"

#include <algorithm>
#include <set>

namespace nacre::cli {
namespace {

using codec::Json;

/// Key: "WHAT PATH".
constexpr std::string_view kKind = "kept-for";

}  // namespace

Result<> put_new(store::State& state, std::string_view kind, std::string_view key, std::string_view value) {
  const std::optional<std::string> there = TRY(state.get(kind, key));
  return there == value ? Result<>() : state.put(kind, key, value);
}

Result<> keep_for(const os::Path& file, std::string_view what, const std::vector<Sha256>& blobs, Env& env) {
  std::error_code error;
  const os::Path path = std::filesystem::weakly_canonical(file, error);
  if (error) return os::system_error(error.value(), fmt::format("find '{}'", file.string()));
  std::set<std::string> names;
  for (const Sha256& blob : blobs) names.insert(blob.hex());
  const Json json = Json::strings({names.begin(), names.end()});
  return env.store.state().put(kKind, fmt::format("{} {}", what, path.string()), codec::to_json(json));
}

Result<std::vector<Sha256>> kept_blobs(Env& env) {
  std::vector<Sha256> out;
  const auto rows = TRY(env.store.state().list(kKind));
  for (const auto& [key, text] : rows) {
    if (!os::exists(os::Path(key.substr(key.find(' ') + 1)))) {
      TRY(env.store.state().erase(kKind, key));
      continue;
    }
    const Json blobs = TRY(codec::parse_json(text, "kept-for/" + key));
    for (const std::string& hex : blobs.as_strings()) {
      const Sha256 blob = TRY(parse_sha256(hex), "reading the note for '{}'", key);
      out.push_back(blob);
    }
  }
  return out;
}

Result<store::Lease> hold_off_gc(Env& env) {
  return env.store.in_use(os::FileLock::Share::kShared);
}

}  // namespace nacre::cli
