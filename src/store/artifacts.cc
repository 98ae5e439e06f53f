#include "store/artifacts.h"

#include "base/text.h"
#include "os/threads.h"

#include <algorithm>
#include <ctime>
#include <optional>

namespace nacre::store {
namespace {

constexpr unsigned kAtOnce = 8;
constexpr const char* kOwner = "nacre-state";  ///< Text: the id of the state that the place belongs to.
constexpr std::string_view kKind = "artifacts";

Result<std::string> new_id() {
  const std::string text = TRY(os::read_file("/proc/sys/kernel/random/uuid", 64));
  return std::string(trim(text));
}

}  // namespace

Result<> Artifacts::ready() {
  const std::lock_guard lock(ready_mutex_);
  if (ready_) return {};
  const std::string mine = TRY(new_id());
  const std::string id = TRY(state_.claim(kKind, "id", mine));
  const std::optional<std::string> owner = TRY(depot_->read_text(kOwner));
  if (owner && trim(*owner) != id)
    return Error::make(ErrorKind::kConflict, "{} belongs to another state, {}; this one is {}", depot_->name(),
                       trim(*owner).substr(0, 40), id)
        .hint("give each state a place of its own: a collection would take the other's blobs away");
  const std::string place = TRY(state_.claim(kKind, "place", depot_->name()));
  if (place != depot_->name())
    return Error::make(ErrorKind::kConflict, "the blobs of this state are in {}, and NACRE_ARTIFACTS names {}", place,
                       depot_->name())
        .hint("set NACRE_ARTIFACTS to the same place on every machine");
  if (!owner) TRY(depot_->write_text(kOwner, id + "\n"));
  ready_ = true;
  return {};
}

bool Artifacts::knows(const Sha256& digest) {
  const std::lock_guard lock(mutex_);
  return there_.contains(digest);
}

std::uint64_t Artifacts::generation() {
  const std::lock_guard lock(mutex_);
  return generation_;
}

void Artifacts::learn(const Sha256& digest, std::uint64_t bytes, std::uint64_t asked_in) {
  const std::lock_guard lock(mutex_);
  if (asked_in == generation_) there_[digest] = bytes;
}

void Artifacts::forget() {
  const std::lock_guard lock(mutex_);
  there_.clear();
  ++generation_;
}

Result<std::optional<std::uint64_t>> Artifacts::size(const Sha256& digest) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = there_.find(digest);
    if (known != there_.end()) return std::optional(known->second);
  }
  TRY(ready());
  const std::uint64_t asked_in = generation();
  const std::optional<std::uint64_t> size = TRY(depot_->size(digest));
  if (size) learn(digest, *size, asked_in);
  return size;
}

Result<> Artifacts::put(const std::vector<Blob>& blobs) {
  TRY(ready());
  std::vector<const Blob*> wanted;
  for (const Blob& blob : blobs)
    if (!knows(blob.first)) wanted.push_back(&blob);
  return os::for_each(wanted.size(), kAtOnce, [&](std::size_t i) -> Result<> {
    const auto& [digest, file] = *wanted[i];
    std::error_code failed;
    const std::uintmax_t bytes = std::filesystem::file_size(file, failed);
    if (failed) return os::system_error(failed.value(), fmt::format("read '{}'", file.string()));
    const std::uint64_t asked_in = generation();
    const std::optional<std::uint64_t> there = TRY(depot_->size(digest));
    if (there != std::optional<std::uint64_t>(bytes)) TRY(depot_->put(digest, file));
    learn(digest, bytes, asked_in);
    return {};
  });
}

Result<bool> Artifacts::get(const Sha256& digest, const os::Path& file) {
  TRY(ready());
  return depot_->get(digest, file);
}

Result<Artifacts::Removed> Artifacts::collect(const std::function<bool(const Sha256&)>& keep, double min_age_seconds) {
  TRY(ready());
  std::vector<Depot::Blob> gone;
  const std::int64_t now = std::time(nullptr);
  TRY(depot_->for_each([&](const Depot::Blob& blob) -> Result<> {
    if (!keep(blob.digest) && static_cast<double>(now - blob.modified) >= min_age_seconds) gone.push_back(blob);
    return {};
  }));
  forget();
  TRY(os::for_each(gone.size(), kAtOnce, [&](std::size_t i) { return depot_->remove(gone[i].digest); }));
  Removed out;
  out.blobs = gone.size();
  for (const Depot::Blob& blob : gone) out.bytes += blob.size;
  return out;
}

}  // namespace nacre::store
