#include "build/step_cache.h"

#include "base/text.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <set>

namespace nacre::build {
namespace {

using codec::Json;
using os::Path;

constexpr std::string_view kFormat = "nacre steps 1";
constexpr const char* kFolders[] = {"workspace", "tmp", "upper"};

/// What keeping may cost: this share of the time that the build took so far, and a credit for the beginning.
constexpr double kShare = 0.02, kCreditSeconds = 0.1;
/// Measured on ext4 with files of some KiB: opening, copying and closing one, and the speed beyond that.
constexpr double kFileSeconds = 60e-6, kByteSeconds = 1 / 1.5e9;

/// Of processor: what else the machine does is no cost of ours.
double now_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// Snapshots are not synced to the disk: after a crash of the machine they are worth nothing.
const std::string& boot_id() {
  static const std::string kId = [] {
    const auto text = os::read_file("/proc/sys/kernel/random/boot_id");
    return text ? std::string(trim(*text)) : std::string("unknown");
  }();
  return kId;
}

Json to_json(const std::vector<StepRecord>& records) {
  Json out = Json::array();
  for (const StepRecord& record : records) {
    Json row;
    row.set("name", record.name).set("seconds", record.seconds).set("exitCode", std::int64_t{record.exit_code});
    out.push(std::move(row));
  }
  return out;
}

struct Saved {
  Json head;
  std::vector<SavedEntry> entries;
};

/// nullopt for what is no snapshot of this boot.
Result<std::optional<Saved>> read_saved(const Path& folder) {
  if (!os::exists(folder / "state")) return std::optional<Saved>();
  const std::string text = TRY(os::read_file(folder / "state", std::uint64_t{1} << 30));
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) return std::optional<Saved>();
  Saved out;
  out.head = TRY(codec::parse_json(text.substr(0, end), "a snapshot of steps"));
  if (out.head["format"].as_string() != kFormat || out.head["boot"].as_string() != boot_id())
    return std::optional<Saved>();
  out.entries = TRY(entries_from_text(std::string_view(text).substr(end + 1)));
  return std::optional(std::move(out));
}

std::uint64_t size_of(const Path& snapshot) {
  const auto text = os::read_file(snapshot / "size");
  return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

std::uint64_t free_bytes(const Path& folder) {
  struct statvfs status {};
  return ::statvfs(folder.c_str(), &status) == 0 ? std::uint64_t{status.f_bavail} * status.f_frsize : 0;
}

std::vector<Path> folders_in(const Path& folder) {
  std::vector<Path> out;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed))
    if (entry.is_directory() && !entry.is_symlink()) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

Json to_json(const definition::Pairs& pairs) {
  Json out = Json::array();
  for (const auto& [name, value] : pairs) out.push(Json::array({Json(name), Json(value)}));
  return out;
}

}  // namespace

Result<std::vector<Sha256>> step_keys(const BuildRequest& request, const StepList& list) {
  const definition::Environment& environment = request.definition->environment;
  Json users = Json::array();
  for (const definition::Account& user : environment.users)
    users.push(fmt::format("{}:{}:{}:{}:{}", user.name, user.uid, user.gid, user.shell, user.home));
  for (const definition::AccountGroup& group : environment.groups)
    users.push(fmt::format("{}:{}:{}", group.name, group.gid, join(group.members, ",")));
  Json first = TRY(input_json(request));
  first.set("kind", "steps").set("format", kFormat).set("accounts", std::move(users));
  first.set("runAs", environment.run_as);
  first.set("capabilities", Json::strings(request.definition->capabilities_add));
  first.set("variables", to_json(environment.variables));
  std::vector<Sha256> out = {codec::sha256(codec::to_canonical_json(first))};
  auto part = list.parts.begin();
  for (std::size_t i = 0; i < list.runs.size(); ++i) {
    Json step = Json::object(), parts = Json::array();
    for (; part != list.parts.end() && part->begin <= i; ++part) parts.push(part->name);
    const StepRun& run = list.runs[i];
    step.set("after", out.back().hex()).set("parts", std::move(parts)).set("script", run.script);
    step.set("variables", to_json(run.environment));
    out.push_back(codec::sha256(codec::to_canonical_json(step)));
  }
  return out;
}

StepCache::StepCache(Path folder, std::vector<Sha256> keys, const Guest& guest, std::uint64_t max_bytes)
    : folder_(std::move(folder)),
      keys_(std::move(keys)),
      work_(guest.work),
      tracker_(guest.work, {std::begin(kFolders), std::end(kFolders)}),
      max_bytes_(max_bytes),
      on_(!folder_.empty()) {}

std::size_t StepCache::newest(std::size_t limit) {
  if (!on_) return 0;
  std::size_t best = 0;
  std::set<std::string> wanted;
  for (std::size_t count = 1; count < keys_.size() && count <= limit; ++count) {
    wanted.insert(keys_[count].hex());
    if (os::exists(folder_of(count) / "state")) best = count;
  }
  (void)::utimensat(AT_FDCWD, folder_.c_str(), nullptr, 0);  // used now
  for (const Path& folder : folders_in(folder_)) {
    if (wanted.contains(folder.filename().string()))
      bytes_ += size_of(folder);
    else
      (void)os::remove_tree(folder);
  }
  return best;
}

Result<std::vector<StepRecord>> StepCache::restore(std::size_t count) {
  const std::optional<Saved> saved = TRY(read_saved(folder_of(count)));
  if (!saved) return Error::make(ErrorKind::kNotFound, "no snapshot of this boot");
  TRY(tracker_.restore(saved->entries, folder_));
  TRY(os::remove_tree(work_ / "log"));
  std::error_code failed;
  std::filesystem::copy_file(folder_of(count) / "log", work_ / "log", failed);
  if (failed) return os::system_error(failed.value(), "bring back the log");
  std::vector<StepRecord> out;
  for (const Json& row : saved->head["steps"].items()) {
    StepRecord record{row["name"].as_string(), row["seconds"].as_double(), static_cast<int>(row["exitCode"].as_int())};
    record.kept = true;
    out.push_back(std::move(record));
  }
  return out;
}

bool StepCache::affordable(double seconds, double elapsed_seconds) const {
  return spent_ + seconds <= kCreditSeconds + kShare * elapsed_seconds;
}

std::optional<std::string> StepCache::keep(std::size_t count, const std::vector<StepRecord>& records,
                                           double elapsed_seconds) {
  if (!on_ || count == 0 || count >= keys_.size()) return std::nullopt;
  if (!affordable(walk_seconds_, elapsed_seconds)) return std::nullopt;
  const double begin = now_seconds();
  auto change = tracker_.look();
  walk_seconds_ = now_seconds() - begin;
  spent_ += walk_seconds_;
  if (!change) {
    on_ = false;
    return "the states of these steps are not kept: " + change.error().render();
  }
  const double cost = static_cast<double>(change->files) * kFileSeconds +
                      static_cast<double>(change->bytes) * kByteSeconds;
  if (!affordable(cost, elapsed_seconds)) return std::nullopt;
  // A cache has no right to the last of the disk.
  const bool fits = bytes_ + change->bytes <= max_bytes_ && change->bytes < free_bytes(work_) / 10;
  if (!fits) return std::nullopt;
  const double copying = now_seconds();
  const auto written = write(count, records, *change);
  spent_ += now_seconds() - copying;
  if (written) return std::nullopt;
  on_ = false;
  (void)os::remove_tree(folder_ / "new");
  return "the states of these steps are not kept: " + written.error().render();
}

Result<> StepCache::write(std::size_t count, const std::vector<StepRecord>& records, const Change& change) {
  const Path fresh = folder_ / "new";
  TRY(os::make_dirs(folder_.parent_path(), 0700));
  TRY(os::make_dirs(folder_, 0700));
  TRY(os::remove_tree(fresh));
  TRY(os::make_dirs(fresh, 0700));
  TRY(tracker_.copy(fresh, keys_[count].hex()));
  std::error_code failed;
  std::filesystem::copy_file(work_ / "log", fresh / "log", failed);
  if (failed) return os::system_error(failed.value(), "keep the log");
  Json head = Json::object();
  head.set("format", kFormat).set("boot", boot_id()).set("steps", to_json(records));
  TRY(os::write_file(fresh / "size", std::to_string(change.bytes + change.entries * 256)));
  TRY(os::write_file(fresh / "state", codec::to_json(head) + "\n" + to_text(tracker_.entries())));
  TRY(os::remove_tree(folder_of(count)));
  TRY(os::rename(fresh, folder_of(count)));
  bytes_ += change.bytes + change.entries * 256;
  return {};
}

Result<StepCacheReport> trim_step_cache(std::uint64_t max_bytes, double max_age_seconds, Env& env) {
  struct Row {
    std::filesystem::file_time_type used;
    Path folder;
    std::uint64_t bytes = 0;
  };
  std::vector<Row> rows;
  std::uint64_t sum = 0;
  for (const Path& folder : folders_in(step_cache_dir(env))) {
    Row row{std::filesystem::file_time_type::min(), folder, 0};
    std::error_code failed;
    const auto used = std::filesystem::last_write_time(folder, failed);
    if (!failed) row.used = used;
    for (const Path& snapshot : folders_in(folder)) row.bytes += size_of(snapshot);
    sum += row.bytes;
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.used < b.used; });
  StepCacheReport report;
  const auto now = std::filesystem::file_time_type::clock::now();
  for (const Row& row : rows) {
    const double age = std::chrono::duration<double>(now - row.used).count();
    if (sum <= max_bytes && age <= max_age_seconds) continue;
    const auto lease = env.store.lease("build/" + row.folder.filename().string(), os::FileLock::Wait::kNo);
    if (!lease) continue;  // somebody builds it
    TRY(os::remove_tree(row.folder));
    sum -= row.bytes;
    ++report.definitions;
    report.bytes += row.bytes;
  }
  return report;
}

Path step_cache_dir(Env& env) { return env.store.home() / "steps"; }

}  // namespace nacre::build
