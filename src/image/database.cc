#include "image/database.h"

#include "base/encoding.h"
#include "base/text.h"
#include "codec/tar.h"
#include "os/threads.h"

#include <algorithm>
#include <array>

namespace nacre::image {
namespace {

constexpr std::array<std::string_view, 7> kScripts = {".post-deinstall", ".post-install", ".post-upgrade",
                                                      ".pre-deinstall",  ".pre-install",  ".pre-upgrade",
                                                      ".trigger"};

void field(std::string& out, char key, std::string_view value) {
  if (!value.empty()) fmt::format_to(std::back_inserter(out), "{}:{}\n", key, value);
}

std::string record_head(const PackageContents& package) {
  const apk::PackageInfo& info = package.file.info;
  std::string out;
  field(out, 'C', package.file.checksum());
  field(out, 'P', info.name);
  field(out, 'V', info.version);
  field(out, 'A', info.arch);
  field(out, 'S', std::to_string(package.file.file_size));
  field(out, 'I', std::to_string(info.installed_bytes));
  field(out, 'T', info.description);
  field(out, 'U', info.url);
  field(out, 'L', join(info.licenses, " AND "));
  field(out, 'o', info.origin);
  field(out, 'm', info.maintainer);
  field(out, 't', std::to_string(info.build_date));
  field(out, 'c', info.commit);
  if (info.provider_priority != 0) field(out, 'k', std::to_string(info.provider_priority));
  field(out, 'D', join(info.depends, " "));
  field(out, 'p', join(info.provides, " "));
  field(out, 'i', join(info.install_if, " "));
  field(out, 'r', join(info.replaces, " "));
  if (info.replaces_priority != 0) field(out, 'q', std::to_string(info.replaces_priority));
  return out;
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_in(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// A line's place: its directory, then the directory itself before what is in it, then the name.
struct DatabaseRow {
  std::string_view folder, name;         ///< name "": the directory.
  const ContentEntry* entry = nullptr;   ///< nullptr: a directory that no entry names.

  bool operator<(const DatabaseRow& other) const {
    if (folder != other.folder) return TreeOrder()(folder, other.folder);
    if (name != other.name) return name < other.name;
    return entry == nullptr && other.entry != nullptr;
  }
};

/// Every directory and every file of a package that is listed, directories on the way as well.
std::vector<DatabaseRow> rows_of(const PackageContents& package, const std::vector<EntryPlan>& plans) {
  std::vector<DatabaseRow> out;
  if (!plans.empty()) out.emplace_back();   // the root
  std::string_view last;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const ContentEntry& entry = package.entries[i];
    const std::string_view folder = folder_of(entry.path);
    // Those above the folder before are there already.
    for (std::string_view up = folder; !up.empty() && up != last && !is_beneath(last, up); up = folder_of(up))
      out.push_back({up, {}, nullptr});
    last = folder;
    if (entry.type == '5') out.push_back({entry.path, {}, &entry});
    else if (plans[i].listed) out.push_back({folder, name_in(entry.path), &entry});
  }
  if (!std::is_sorted(out.begin(), out.end())) std::stable_sort(out.begin(), out.end());
  return out;
}

void add_line(std::string& out, std::string_view head, std::string_view value) {
  out += head;
  out += value;
  out += '\n';
}

/// Sub-directories after the files of their parent, so a plain depth-first order of directories.
std::string file_lines(const PackageContents& package, const std::vector<EntryPlan>& plans) {
  std::map<std::string_view, std::string_view> sums;   // of what hard links name
  const bool links = std::any_of(package.entries.begin(), package.entries.end(),
                                 [](const ContentEntry& entry) { return entry.type == '1'; });
  for (const ContentEntry& entry : package.entries)
    if (links && entry.type == '0') sums[entry.path] = entry.sha1;
  const std::vector<DatabaseRow> rows = rows_of(package, plans);
  std::string out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ContentEntry* entry = rows[i].entry;
    if (i + 1 < rows.size() && rows[i].folder == rows[i + 1].folder && rows[i].name == rows[i + 1].name) continue;
    const bool folder = rows[i].name.empty();
    add_line(out, folder ? "F:" : "R:", folder ? rows[i].folder : rows[i].name);
    if (entry == nullptr) continue;
    if (entry->uid != 0 || entry->gid != 0 || entry->mode != (folder ? 0755 : 0644))
      fmt::format_to(std::back_inserter(out), "{}:{}:{}:{:04o}\n", folder ? 'M' : 'a', entry->uid, entry->gid,
                     entry->mode);
    if (folder) continue;
    const auto target = sums.find(entry->link);
    const std::string_view sum = entry->type == '1' && target != sums.end() ? target->second : entry->sha1;
    if (!sum.empty()) add_line(out, "Z:Q1", to_base64(sum));
  }
  return out;
}

/// What apko's reader of .PKGINFO makes of a line: it ends where a comment begins, and loses a pair of quotes.
std::string_view as_apko_reads(std::string_view value) {
  value = trim(value.substr(0, value.find_first_of("#;")));
  for (const char quote : {'\'', '"'})
    if (value.size() > 1 && value.front() == quote && value.back() == quote) return value.substr(1, value.size() - 2);
  return value;
}

/// The same of a key that may be repeated: equal lines count once, a comma parts two values.
std::vector<std::string> as_apko_reads(const PackageContents& package, std::string_view key) {
  const auto file = std::find_if(package.control.begin(), package.control.end(),
                                 [](const auto& one) { return one.first == ".PKGINFO"; });
  std::vector<std::string> lines, out;
  const std::string begin = fmt::format("{} = ", key);
  for (const std::string& row : split(file == package.control.end() ? std::string_view() : file->second, '\n')) {
    if (!row.starts_with(begin)) continue;
    std::string line(as_apko_reads(std::string_view(row).substr(begin.size())));
    if (std::find(lines.begin(), lines.end(), line) != lines.end()) continue;
    for (const std::string& part : split(line, ',')) out.emplace_back(trim(part));
    lines.push_back(std::move(line));
  }
  return out;
}

enum class From { kPackage, kDatabase };   ///< Where apko read what it writes.

std::string reference_head(const PackageContents& package, From from) {
  const apk::PackageInfo& info = package.file.info;
  std::string out;
  const auto line = [&](char key, std::string_view value) {
    fmt::format_to(std::back_inserter(out), "{}:{}\n", key, from == From::kPackage ? as_apko_reads(value) : value);
  };
  const auto list = [&](std::string_view key, const std::vector<std::string>& values) {
    return join(from == From::kPackage ? as_apko_reads(package, key) : values, " ");
  };
  line('P', info.name);
  line('V', info.version);
  line('A', info.arch);
  line('L', info.licenses.empty() ? "" : info.licenses.front());
  line('T', info.description);
  line('o', info.origin);
  line('m', info.maintainer);
  line('U', info.url);
  line('D', list("depend", info.depends));
  line('p', list("provides", info.provides));
  if (!info.replaces.empty()) line('r', list("replaces", info.replaces));
  line('c', info.commit);
  line('i', "[" + list("install_if", info.install_if) + "]");
  line('t', std::to_string(info.build_date));
  line('S', std::to_string(package.file.file_size));
  line('I', std::to_string(info.installed_bytes));
  line('k', std::to_string(info.provider_priority));
  line('C', package.file.checksum());
  return out;
}

/// Files of a folder before its sub-folders, both bytewise.
struct DatabaseOrder {
  bool operator()(const ContentEntry* a, const ContentEntry* b) const {
    const std::vector<std::string> left = split(a->path, '/'), right = split(b->path, '/');
    std::size_t n = 0;
    for (; n + 1 < left.size() && n + 1 < right.size(); ++n)
      if (left[n] != right[n]) return left[n] < right[n];
    const bool left_folder = n + 1 < left.size() || a->type == '5';
    const bool right_folder = n + 1 < right.size() || b->type == '5';
    if (left_folder != right_folder) return right_folder;
    if (left[n] != right[n]) return left[n] < right[n];
    return left.size() < right.size();
  }
};

std::string reference_files(const PackageContents& package, const std::vector<EntryPlan>& plans) {
  std::vector<const ContentEntry*> all;
  std::map<std::string_view, bool> folders;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const ContentEntry& entry = package.entries[i];
    if (entry.type == '5') folders[entry.path] = true;
    if (entry.type == '5' || plans[i].listed) all.push_back(&entry);
  }
  std::stable_sort(all.begin(), all.end(), DatabaseOrder());
  std::string out;
  bool top_needed = true;
  const auto add = [&out](std::string_view text) { out += std::string(text) + "\n"; };
  for (const ContentEntry* entry : all) {
    bool reachable = true;
    for (std::string up = parent_of(entry->path); !up.empty(); up = parent_of(up)) reachable &= folders.contains(up);
    if (!reachable) continue;
    const bool folder = entry->type == '5';
    const unsigned usual = folder ? 0755 : 0644;
    if (!folder && top_needed) add("F:");
    top_needed = false;
    add(folder ? "F:" + entry->path : "R:" + name_of_path(entry->path));
    if (entry->uid != 0 || entry->gid != 0 || entry->mode != usual)
      add(fmt::format("{}:{}:{}:{:04o}", folder ? 'M' : 'a', entry->uid, entry->gid, entry->mode));
    if (!folder && !entry->sha1.empty()) add("Z:Q1" + to_base64(entry->sha1));
  }
  return out;
}

}  // namespace

std::vector<std::string> reference_database(const std::vector<PackageContents>& packages, const MergedTree& tree) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < packages.size(); ++i)
    out.push_back(reference_head(packages[i], From::kPackage) + reference_files(packages[i], tree.plans[i]) + "\n");
  return out;
}

std::string reference_record(const PackageContents& package) {
  const std::vector<EntryPlan> plans(package.entries.size());
  return reference_head(package, From::kDatabase) + reference_files(package, plans) + "\n";
}

std::string installed_database(const std::vector<PackageContents>& packages, const MergedTree& tree) {
  std::vector<std::string> records(packages.size());
  (void)os::for_each(packages.size(), 0, [&](std::size_t i) -> Result<> {
    records[i] = record_head(packages[i]) + file_lines(packages[i], tree.plans[i]) + "\n";
    return {};
  });
  return join(records, "");
}

Result<std::string> scripts_archive(const std::vector<PackageContents>& packages, std::int64_t mtime,
                                    LayerForm form) {
  constexpr unsigned kAllMayRun = 0555;
  const bool as_apko = form == LayerForm::kReference;
  std::string out;
  for (const PackageContents& package : packages) {
    for (std::size_t i = 0; i < package.control.size(); ++i) {
      const auto& [name, content] = package.control[i];
      const apk::ControlAttributes& as = package.control_attributes[i];
      const bool script = std::find(kScripts.begin(), kScripts.end(), name) != kScripts.end();
      if (as_apko ? name == ".PKGINFO" || (as.mode & kAllMayRun) != kAllMayRun : !script) continue;
      codec::TarHeader header;
      header.path = fmt::format("{}-{}.{}{}", package.file.info.name, package.file.info.version,
                                package.file.checksum(), name);
      header.mode = as_apko ? as.mode : 0755;
      header.uname = as_apko ? as.uname : "root";
      header.gname = as_apko ? as.gname : "root";
      if (as_apko) header.uid = as.uid;
      if (as_apko) header.gid = as.gid;
      header.size = content.size();
      header.mtime = mtime;
      const std::string block = TRY(codec::tar_header(header));
      out += block + content;
      out.append(codec::tar_padding(content.size()), '\0');
    }
  }
  out += codec::tar_end();
  return out;
}

std::string triggers_file(const std::vector<PackageContents>& packages, LayerForm form) {
  std::string out;
  for (const PackageContents& package : packages) {
    const std::vector<std::string>& triggers = package.file.info.triggers;
    if (form == LayerForm::kReference)
      for (const std::string& line : as_apko_reads(package, "triggers"))
        out += package.file.checksum() + " " + line + "\n";
    else if (!triggers.empty())
      out += package.file.checksum() + " " + join(triggers, " ") + "\n";
  }
  return out;
}

std::map<std::string, std::string> parse_installed(std::string_view text) {
  std::map<std::string, std::string> out;
  std::string name, version, folder;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.size() < 2 || line[1] != ':') continue;
    const std::string value(line.substr(2));
    switch (line[0]) {
      case 'P': name = value; break;
      case 'V': version = value; break;
      case 'F':
        folder = value;
        if (!folder.empty()) out.try_emplace(folder, name + "=" + version);
        break;
      case 'R': out.try_emplace(folder.empty() ? value : folder + "/" + value, name + "=" + version); break;
      default: break;
    }
  }
  return out;
}

}  // namespace nacre::image
