#include "advisory/osv_index.h"

#include "advisory/version_order.h"
#include "base/text.h"
#include "codec/archive.h"
#include "codec/digest.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

namespace nacre::advisory {
namespace {

using codec::Json;

constexpr std::string_view kMagic("nacre osv index 1\n", 18);
constexpr std::uint64_t kMaxRecordBytes = 16u << 20;
constexpr std::uint64_t kMaxZipBytes = std::uint64_t{16} << 30;
constexpr std::size_t kKeptIndexes = 4;

struct Header {
  char magic[24] = {};
  std::uint64_t keys = 0, runs = 0, text_bytes = 0, records = 0, left_out = 0;
  std::int64_t newest = 0;
};
struct KeyRow {
  std::uint64_t at = 0, first = 0;  ///< Of its text, and of its first run.
  std::uint32_t size = 0, count = 0;
};
struct RunRow {
  std::uint64_t at = 0;
  std::uint32_t size = 0, affected = 0;
};

template <class T>
T row_at(std::string_view table, std::uint64_t number) {
  T out;
  std::memcpy(&out, table.data() + number * sizeof(T), sizeof(T));
  return out;
}
template <class T>
std::string_view bytes_of(const std::vector<T>& rows) {
  return {reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(T)};
}

std::string package_key(std::string_view ecosystem, std::string_view name) {
  const std::string_view base = ecosystem.substr(0, ecosystem.find(':'));
  return fmt::format("{}\n{}", base, base == "PyPI" ? normal_python_name(name) : std::string(name));
}

/// What is gathered before it is written.
class Writer {
 public:
  Result<> add(std::string_view bytes, const std::string& source) {
    auto json = codec::parse_json(bytes, source);
    if (!json) return leave_out();
    auto record = read_osv(*json);
    if (!record) return leave_out();
    header_.newest = std::max(header_.newest, record->modified);
    if (record->withdrawn || !ids_.insert(record->id).second) return {};
    ++header_.records;
    const std::string text = codec::to_json(compact_osv(*record));
    const RunRow run{text_.size(), static_cast<std::uint32_t>(text.size()), 0};
    text_ += text;
    keys_["id\n" + record->id].push_back(run);
    for (const std::string& alias : record->aliases) keys_["id\n" + alias].push_back(run);
    for (std::size_t i = 0; i < record->affected.size(); ++i) add_affected(record->affected[i], i, run);
    return {};
  }

  Result<> write(const os::Path& file) {
    std::vector<KeyRow> keys;
    std::vector<RunRow> runs;
    for (const auto& [key, rows] : keys_) {
      keys.push_back(
          {text_.size(), runs.size(), static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(rows.size())});
      text_ += key;
      runs.insert(runs.end(), rows.begin(), rows.end());
    }
    header_.keys = keys.size();
    header_.runs = runs.size();
    header_.text_bytes = text_.size();
    std::memcpy(header_.magic, kMagic.data(), kMagic.size());
    os::AtomicFile out = TRY(os::AtomicFile::create(file));
    TRY(out.write({reinterpret_cast<const char*>(&header_), sizeof header_}));
    TRY(out.write(bytes_of(keys)));
    TRY(out.write(bytes_of(runs)));
    TRY(out.write(text_));
    return out.commit();
  }

  std::uint64_t records() const { return header_.records; }
  std::uint64_t left_out() const { return header_.left_out; }

 private:
  Result<> leave_out() {
    ++header_.left_out;
    return {};
  }
  void add_affected(const OsvAffected& affected, std::size_t number, RunRow run) {
    run.affected = static_cast<std::uint32_t>(number);
    if (!affected.ecosystem.empty()) keys_[package_key(affected.ecosystem, affected.name)].push_back(run);
    std::set<std::string> repositories;
    for (const OsvRange& range : affected.ranges)
      if (!range.repository.empty() && repositories.insert(repository_key(range.repository)).second)
        keys_["git\n" + repository_key(range.repository)].push_back(run);
  }

  Header header_;
  std::string text_;
  std::set<std::string> ids_;
  std::map<std::string, std::vector<RunRow>> keys_;
};

struct Found {
  os::Path path;
  std::string line;  ///< Path, size and time of change.
};

Result<std::vector<Found>> find_files(const std::vector<os::Path>& folders) {
  std::vector<Found> out;
  for (const os::Path& folder : folders) {
    std::error_code fault;
    std::filesystem::recursive_directory_iterator each(folder, fault), end;
    if (fault)
      return os::system_error(fault.value(), fmt::format("read directory '{}' of OSV records", folder.string()));
    for (; each != end; each.increment(fault)) {
      const std::string kind = each->path().extension().string();
      if ((kind != ".json" && kind != ".zip") || !each->is_regular_file(fault)) continue;
      const auto size = each->file_size(fault);
      const auto time = each->last_write_time(fault).time_since_epoch().count();
      out.push_back({each->path(), fmt::format("{} {} {}\n", each->path().string(), size, time)});
    }
    if (fault)
      return os::system_error(fault.value(), fmt::format("read directory '{}' of OSV records", folder.string()));
  }
  std::sort(out.begin(), out.end(), [](const Found& a, const Found& b) { return a.line < b.line; });
  return out;
}

Result<> read_zip(const os::Path& file, Writer& writer) {
  std::string name, bytes;
  std::uint64_t size = 0;
  codec::TarReader::Visitor visitor;
  const auto flush = [&]() -> Result<> {
    if (name.ends_with(".json") && size <= kMaxRecordBytes) TRY(writer.add(bytes, name));
    bytes.clear();
    return {};
  };
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    TRY(flush());
    name = header.type == '0' ? header.path : std::string();
    size = 0;
    return {};
  };
  visitor.on_data = [&](std::string_view piece) -> Result<> {
    size += piece.size();
    if (size <= kMaxRecordBytes) bytes += piece;
    return {};
  };
  codec::TarLimits limits;
  limits.max_total_bytes = kMaxZipBytes;
  TRY(codec::read_archive(file, visitor, limits));
  return flush();
}

Result<> make_index(const std::vector<Found>& files, const os::Path& out, const std::vector<os::Path>& folders,
                    const std::stop_token& stop) {
  Writer writer;
  for (const Found& file : files) {
    if (stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (file.path.extension() == ".zip") {
      TRY(read_zip(file.path, writer), "reading '{}'", file.path.string());
      continue;
    }
    auto bytes = os::read_file(file.path, kMaxRecordBytes);
    TRY(writer.add(bytes ? *bytes : std::string(), file.path.string()));
  }
  if (writer.records() == 0) {
    std::vector<std::string> names;
    for (const os::Path& folder : folders) names.push_back(folder.string());
    const std::string others =
        writer.left_out() == 0 ? std::string() : fmt::format(": {} JSON files are none", writer.left_out());
    return Error::make(ErrorKind::kNotFound, "no OSV record in '{}'{}", join(names, "', '"), others)
        .hint("a directory holds records as NAME.json, or the all.zip of an ecosystem");
  }
  return writer.write(out);
}

/// Indexes of data that has changed since are of no use: the newest few stay.
void drop_old(const os::Path& cache) {
  std::vector<std::pair<std::filesystem::file_time_type, os::Path>> files;
  std::error_code fault;
  for (const auto& entry : std::filesystem::directory_iterator(cache, fault))
    files.emplace_back(entry.last_write_time(fault), entry.path());
  std::sort(files.rbegin(), files.rend());
  for (std::size_t i = kKeptIndexes; i < files.size(); ++i) std::filesystem::remove(files[i].second, fault);
}

Error damaged() { return Error::make(ErrorKind::kInternal, "the index of OSV records is damaged"); }

}  // namespace

Result<OsvIndex> OsvIndex::open(const std::vector<os::Path>& folders, const os::Path& cache,
                                const std::stop_token& stop) {
  const std::vector<Found> files = TRY(find_files(folders));
  codec::Hasher hasher;
  hasher.update(kMagic);
  for (const Found& file : files) hasher.update(file.line);
  const os::Path index = cache / (hasher.finish_sha256().hex() + ".index");
  if (os::exists(index)) {
    auto kept = map(index);
    if (kept) return kept;
  }
  TRY(os::make_dirs(cache));
  TRY(make_index(files, index, folders, stop));
  drop_old(cache);
  return map(index);
}

Result<OsvIndex> OsvIndex::map(const os::Path& file) {
  OsvIndex out;
  const TreePath name = TRY(TreePath::parse(file.filename().string()));
  package::MappedFile mapped = TRY(package::MappedFile::open(file.parent_path(), name));
  out.file_ = std::make_shared<const package::MappedFile>(std::move(mapped));
  const std::string_view bytes = out.file_->bytes();
  if (bytes.size() < sizeof(Header)) return damaged();
  const auto header = row_at<Header>(bytes, 0);
  const std::uint64_t limit = bytes.size();
  if (std::string_view(header.magic, kMagic.size()) != kMagic || header.keys > limit || header.runs > limit ||
      header.text_bytes > limit ||
      sizeof(Header) + header.keys * sizeof(KeyRow) + header.runs * sizeof(RunRow) + header.text_bytes != limit)
    return damaged();
  out.keys_ = bytes.substr(sizeof(Header), header.keys * sizeof(KeyRow));
  out.runs_ = bytes.substr(sizeof(Header) + out.keys_.size(), header.runs * sizeof(RunRow));
  out.text_ = bytes.substr(limit - header.text_bytes);
  out.records_ = header.records;
  out.left_out_ = header.left_out;
  out.newest_ = header.newest;
  return out;
}

Result<std::vector<OsvHit>> OsvIndex::find(const std::string& key) const {
  std::uint64_t low = 0, high = keys_.size() / sizeof(KeyRow);
  std::vector<OsvHit> out;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const auto row = row_at<KeyRow>(keys_, middle);
    if (row.at > text_.size() || row.size > text_.size() - row.at) return damaged();
    const int order = text_.substr(row.at, row.size).compare(key);
    if (order < 0) low = middle + 1;
    else if (order > 0) high = middle;
    else {
      for (std::uint64_t i = row.first; i < row.first + row.count; ++i) {
        if (i >= runs_.size() / sizeof(RunRow)) return damaged();
        const auto run = row_at<RunRow>(runs_, i);
        if (run.at > text_.size() || run.size > text_.size() - run.at) return damaged();
        const Json json = TRY(codec::parse_json(text_.substr(run.at, run.size), "the index of OSV records"));
        OsvHit hit;
        hit.record = TRY(read_osv(json));
        hit.affected = run.affected;
        out.push_back(std::move(hit));
      }
      return out;
    }
  }
  return out;
}

Result<std::vector<OsvHit>> OsvIndex::on_package(std::string_view ecosystem, std::string_view name) const {
  return find(package_key(ecosystem, name));
}

Result<std::vector<OsvHit>> OsvIndex::on_repository(std::string_view key) const {
  return find("git\n" + std::string(key));
}

Result<std::vector<OsvHit>> OsvIndex::by_id(std::string_view id) const { return find("id\n" + std::string(id)); }

}  // namespace nacre::advisory
