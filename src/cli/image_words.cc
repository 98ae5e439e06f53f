#include "cli/image_words.h"

#include <algorithm>

#include "codec/json.h"
#include "store/store.h"

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::string_view kKind = "image-words";  ///< Manifest -> JSON: what the image was asked for.

}  // namespace

std::vector<image::Word> words_of(const image::ImageSpec& spec, const std::vector<std::string>& more) {
  std::vector<image::Word> out;
  const image::Contents& contents = spec.contents;
  for (std::size_t i = 0; i < contents.packages.size(); ++i)
    out.push_back({contents.packages[i], i < contents.package_places.size() ? contents.package_places[i] : Place{}});
  std::vector<std::string> others = image::world_of(spec);
  others.insert(others.end(), more.begin(), more.end());
  for (std::string& atom : others)
    if (std::none_of(out.begin(), out.end(), [&](const image::Word& word) { return word.atom == atom; }))
      out.push_back({std::move(atom), {}});
  return out;
}

Result<> keep_words(const Sha256& manifest, const std::vector<image::Word>& words, Env& env) {
  Json list = Json::array();
  for (const image::Word& word : words)
    list.push(Json::object({{"atom", word.atom},
                            {"file", word.place.file},
                            {"line", static_cast<std::int64_t>(word.place.line)},
                            {"column", static_cast<std::int64_t>(word.place.column)}}));
  return env.store.state().put(kKind, manifest.hex(), codec::to_json(list));
}

Result<std::vector<image::Word>> kept_words(const Sha256& manifest, Env& env) {
  std::vector<image::Word> out;
  const auto text = TRY(env.store.state().get(kKind, manifest.hex()));
  if (!text) return out;
  const Json list = TRY(codec::parse_json(*text, "the words of an image"));
  for (const Json& row : list.items())
    out.push_back(
        {row["atom"].as_string(),
         {row["file"].as_string(), static_cast<int>(row["line"].as_int()), static_cast<int>(row["column"].as_int())}});
  return out;
}

}  // namespace nacre::cli
