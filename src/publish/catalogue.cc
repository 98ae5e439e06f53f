#include "publish/catalogue.h"

#include "index/channels.h"
#include "index/freshness.h"

#include <algorithm>

namespace nacre::publish {

using codec::Json;
using index::Serial;
using index::SerialImage;

namespace {

template <class Map, class Value>
void put(Map& map, const std::string& key, Value value, bool newer) {
  if (newer) map.insert_or_assign(key, std::move(value));
  else map.try_emplace(key, std::move(value));
}

}  // namespace

void Catalogue::add_image(const Serial& serial, const SerialImage& image, bool newer, ImageRows& rows) {
  for (const std::string& tag : image.tags) put(rows.tags, tag, image.index_digest, newer);
  put(rows.tags, fmt::format("serial-{}", serial.number), image.index_digest, newer);
  for (const Sha256& blob : image.blobs) rows.blobs.insert(blob.hex());
  rows.packages.try_emplace(image.index_digest, image.packages);
  for (const auto& [name, value] : image.referrers.members()) {
    if (name != "tags") {
      put(rows.referrers, name, value, newer);
      continue;
    }
    for (const auto& [tag, digest] : value.members())
      if (const auto manifest = parse_sha256(digest.as_string())) put(rows.tags, tag, *manifest, newer);
  }
}

void Catalogue::add(const Serial& serial, bool newer) {
  for (const index::SerialPackage& package : serial.packages) {
    const std::string name = fmt::format("{}/{}-{}.apk", serial.arch, package.record.name, package.record.version);
    put(files_, name, PublishedFile{package.apk, "application/octet-stream"}, newer);
    put(files_, name + ".intoto.sigstore.json", PublishedFile{package.provenance, "application/json"}, newer);
    put(files_, name + ".spdx.json", PublishedFile{package.sbom, "application/json"}, newer);
  }
  put(files_, serial.arch + "/" + index::consistent_name(serial.index), PublishedFile{serial.index, "application/gzip"},
      newer);
  for (const SerialImage& image : serial.images) add_image(serial, image, newer, images_[image.name]);
}

Result<> Catalogue::look_at_head() {
  const std::optional<std::uint64_t> number = TRY(index::head_number(env_, edition_));
  if (!number || (newest_ && newest_->number == *number)) return {};
  const std::uint64_t first = newest_ ? newest_->number + 1 : *number;
  for (std::uint64_t next = first; next <= *number; ++next) {
    auto serial = std::make_shared<Serial>(TRY(index::load_serial(env_, edition_, next)));
    add(*serial, true);
    if (oldest_ == 0) oldest_ = next;
    newest_ = std::move(serial);
  }
  return {};
}

Result<bool> Catalogue::go_back() {
  if (oldest_ <= 1) return false;
  const Serial serial = TRY(index::load_serial(env_, edition_, oldest_ - 1));
  add(serial, false);
  --oldest_;
  return true;
}

Result<> Catalogue::go_back_to_the_first() {
  while (TRY(go_back())) {
  }
  return {};
}

template <class T, class Find>
Result<std::optional<T>> Catalogue::search(Find find) {
  const std::lock_guard lock(mutex_);
  TRY(look_at_head());
  std::optional<T> found = find();
  while (!found) {
    const bool more = TRY(go_back());
    if (!more) break;
    found = find();
  }
  return found;
}

Result<std::shared_ptr<const Serial>> Catalogue::newest() {
  const std::lock_guard lock(mutex_);
  TRY(look_at_head());
  return newest_;
}

Result<std::optional<PublishedFile>> Catalogue::package_file(const std::string& arch, const std::string& file) {
  return search<PublishedFile>([&]() -> std::optional<PublishedFile> {
    const auto found = files_.find(arch + "/" + file);
    return found == files_.end() ? std::nullopt : std::optional(found->second);
  });
}

Result<std::vector<std::string>> Catalogue::images() {
  const std::lock_guard lock(mutex_);
  TRY(look_at_head());
  TRY(go_back_to_the_first());
  std::vector<std::string> out;
  for (const auto& [name, rows] : images_) out.push_back(name);
  return out;
}

Result<std::vector<std::string>> Catalogue::tags(const std::string& image) {
  const std::lock_guard lock(mutex_);
  TRY(look_at_head());
  TRY(go_back_to_the_first());
  std::vector<std::string> out;
  const auto rows = images_.find(image);
  if (rows == images_.end()) return out;
  for (const auto& [tag, digest] : rows->second.tags) out.push_back(tag);
  const std::vector<index::Channel> channels = TRY(index::list_channels(env_, edition_));
  for (const index::Channel& channel : channels) {
    const std::optional<SerialImage> entry = TRY(index::image_of(env_, channel, image));
    if (entry) out.push_back(channel.name);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<std::optional<Sha256>> Catalogue::tagged(const std::string& image, const std::string& tag) {
  if (index::check_channel_name(tag)) {
    const std::optional<index::Channel> channel = TRY(index::find_channel(env_, edition_, tag));
    std::optional<SerialImage> entry;
    if (channel) entry = TRY(index::image_of(env_, *channel, image));
    if (entry) return std::optional(entry->index_digest);
  }
  return search<Sha256>([&]() -> std::optional<Sha256> {
    const auto rows = images_.find(image);
    if (rows == images_.end()) return std::nullopt;
    const auto found = rows->second.tags.find(tag);
    return found == rows->second.tags.end() ? std::nullopt : std::optional(found->second);
  });
}

Result<std::vector<std::string>> Catalogue::packages_of(const std::string& image, const Sha256& index) {
  const std::lock_guard lock(mutex_);
  const auto rows = images_.find(image);
  if (rows == images_.end()) return std::vector<std::string>();
  const auto found = rows->second.packages.find(index);
  return found == rows->second.packages.end() ? std::vector<std::string>() : found->second;
}

Result<bool> Catalogue::has_blob(const std::string& image, const Sha256& blob) {
  const std::optional<bool> found = TRY(search<bool>([&]() -> std::optional<bool> {
    const auto rows = images_.find(image);
    const bool there = rows != images_.end() && rows->second.blobs.contains(blob.hex());
    return there ? std::optional(true) : std::nullopt;
  }));
  return found.has_value();
}

Result<Json> Catalogue::referrers(const std::string& image, const std::string& subject,
                                  const std::string& artifact_type) {
  const std::optional<Json> rows = TRY(search<Json>([&]() -> std::optional<Json> {
    const auto named = images_.find(image);
    if (named == images_.end()) return std::nullopt;
    const auto found = named->second.referrers.find(subject);
    return found == named->second.referrers.end() ? std::nullopt : std::optional(found->second);
  }));
  Json out = Json::array();
  if (!rows) return out;
  for (const Json& row : rows->items())
    if (artifact_type.empty() || row["artifactType"].as_string() == artifact_type) out.push(row);
  return out;
}

}  // namespace nacre::publish
