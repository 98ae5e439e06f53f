#include "cli/compile_kept.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <ctime>

// A kept run is one file: magic, CRC-32 and size of the table, the table, then all JSON one behind the other. Numbers
// are 64 bits in the machine's order: the file never leaves it. Each JSON has a CRC-32 of its own, which is checked
// when it is printed, so that a run that prints nothing need not read it.
namespace nacre::cli {
namespace {

constexpr std::string_view kMagic = "nacre compile 1\n";
/// A file changed within this time before it was read may change again without a change of its times.
constexpr std::int64_t kCoarseClock = 20'000'000;

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

class Writer {
 public:
  void number(std::uint64_t value) { out_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(std::string_view value) {
    number(value.size());
    out_ += value;
  }
  void state(const FileState& state) {
    for (const std::uint64_t part : {state.device, state.inode, state.size}) number(part);
    for (const std::int64_t part : {state.modified, state.changed}) number(static_cast<std::uint64_t>(part));
    number(state.trusted ? 1 : 0);
  }
  const std::string& bytes() const { return out_; }

 private:
  std::string out_;
};

/// Reads what Writer wrote; behind the end everything is zero and `good` false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    if (rest_.size() < sizeof value) return fail();
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  /// A count of things that take at least a byte each.
  std::uint64_t count() {
    const std::uint64_t value = number();
    return value <= rest_.size() ? value : fail();
  }
  std::string text() {
    const std::uint64_t size = count();
    std::string out(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return out;
  }
  FileState state() {
    FileState out;
    out.device = number(), out.inode = number(), out.size = number();
    out.modified = static_cast<std::int64_t>(number()), out.changed = static_cast<std::int64_t>(number());
    out.trusted = number() == 1;
    return out;
  }
  bool good() const { return good_; }

 private:
  std::uint64_t fail() {
    good_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool good_ = true;
};

void write_file_row(Writer& out, const KeptFile& file, std::uint64_t& offset) {
  out.text(file.file);
  out.state(file.state);
  out.number(file.pipelines.size());
  for (const std::uint32_t index : file.pipelines) out.number(index);
  out.number(file.problem ? 1 : 0);
  if (file.problem) {
    const CompileProblem& problem = *file.problem;
    out.number(static_cast<std::uint64_t>(problem.kind));
    out.text(problem.place.file);
    out.number(static_cast<std::uint64_t>(problem.place.line));
    out.number(static_cast<std::uint64_t>(problem.place.column));
    out.text(problem.text);
    out.text(problem.shown);
    return;
  }
  out.number(offset);
  out.number(file.json.size());
  out.number(file.crc);
  offset += file.json.size();
}

bool read_file_row(Reader& in, std::string_view bodies, std::size_t pipelines, KeptFile& out) {
  out.file = in.text();
  out.state = in.state();
  out.pipelines.resize(in.count());
  for (std::uint32_t& index : out.pipelines) {
    const std::uint64_t number = in.number();
    if (number >= pipelines) return false;
    index = static_cast<std::uint32_t>(number);
  }
  if (in.number() == 1) {
    CompileProblem& problem = out.problem.emplace();
    problem.kind = static_cast<ErrorKind>(in.number());
    problem.place.file = in.text();
    problem.place.line = static_cast<int>(in.number());
    problem.place.column = static_cast<int>(in.number());
    problem.text = in.text();
    problem.shown = in.text();
    return in.good();
  }
  const std::uint64_t offset = in.number(), size = in.number();
  out.crc = static_cast<std::uint32_t>(in.number());
  if (!in.good() || offset > bodies.size() || size > bodies.size() - offset) return false;
  out.json = bodies.substr(offset, size);
  return true;
}

/// The whole file, mapped.
std::pair<std::shared_ptr<const void>, std::string_view> map_file(const os::Path& file) {
  const os::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || info.st_size <= 0) return {};
  const auto size = static_cast<std::size_t>(info.st_size);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (memory == MAP_FAILED) return {};
  return {std::shared_ptr<const void>(memory, [size](void* at) { ::munmap(at, size); }),
          std::string_view(static_cast<const char*>(memory), size)};
}

/// Keeps the newest runs alone.
void remove_old_runs(const os::Path& folder) {
  std::vector<std::pair<std::filesystem::file_time_type, os::Path>> runs;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".run") runs.emplace_back(entry.last_write_time(error), entry.path());
  std::sort(runs.rbegin(), runs.rend());
  for (std::size_t i = kMaxRuns; i < runs.size(); ++i) std::filesystem::remove(runs[i].second, error);
}

}  // namespace

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

FileState state_of(const os::Path& path) {
  struct stat info {};
  FileState out;
  if (::stat(path.c_str(), &info) != 0) return out;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  out.device = info.st_dev, out.inode = info.st_ino, out.size = static_cast<std::uint64_t>(info.st_size);
  out.modified = nanoseconds(info.st_mtim), out.changed = nanoseconds(info.st_ctim);
  out.trusted = std::max(out.modified, out.changed) < nanoseconds(now) - kCoarseClock;
  return out;
}

std::optional<KeptRun> read_kept(const os::Path& file, std::string_view key) {
  auto [mapped, bytes] = map_file(file);
  if (!bytes.starts_with(kMagic)) return std::nullopt;
  bytes.remove_prefix(kMagic.size());
  Reader head(bytes.substr(0, 16));
  const std::uint64_t crc = head.number(), size = head.number();
  if (!head.good() || size > bytes.size() - 16 || checksum(bytes.substr(16, size)) != crc) return std::nullopt;
  const std::string_view bodies = bytes.substr(16 + size);
  Reader in(bytes.substr(16, size));
  if (in.text() != key) return std::nullopt;
  KeptRun out;
  out.pipelines.resize(in.count());
  for (auto& [name, probes] : out.pipelines) {
    name = in.text();
    probes.resize(in.count());
    for (auto& [path, state] : probes) path = in.text(), state = in.state();
  }
  out.files.resize(in.count());
  for (KeptFile& row : out.files)
    if (!read_file_row(in, bodies, out.pipelines.size(), row)) return std::nullopt;
  if (!in.good()) return std::nullopt;
  out.mapped = std::move(mapped);
  return out;
}

Result<> write_kept(const os::Path& file, std::string_view key, const KeptRun& run) {
  Writer table;
  table.text(key);
  table.number(run.pipelines.size());
  for (const auto& [name, probes] : run.pipelines) {
    table.text(name);
    table.number(probes.size());
    for (const auto& [path, state] : probes) table.text(path), table.state(state);
  }
  table.number(run.files.size());
  std::uint64_t offset = 0;
  for (const KeptFile& row : run.files) write_file_row(table, row, offset);
  if (offset > kMaxRunBytes) return {};
  Writer head;
  head.number(checksum(table.bytes()));
  head.number(table.bytes().size());
  TRY(os::make_dirs(file.parent_path()));
  os::AtomicFile out = TRY(os::AtomicFile::create(file));
  TRY(out.write(kMagic));
  TRY(out.write(head.bytes()));
  TRY(out.write(table.bytes()));
  std::string buffer;
  for (const KeptFile& row : run.files) {
    buffer += row.json;
    if (buffer.size() < (1u << 20)) continue;
    TRY(out.write(buffer));
    buffer.clear();
  }
  TRY(out.write(buffer));
  TRY(out.commit());
  remove_old_runs(file.parent_path());
  return {};
}

}  // namespace nacre::cli
