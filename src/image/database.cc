#include "image/database.h"

#include "base/encoding.h"
#include "base/text.h"
#include "codec/tar.h"

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

/// Entries of one directory of a package.
struct Folder {
  const ContentEntry* self = nullptr;
  std::map<std::string, const ContentEntry*> files;
};

void folder_lines(std::string& out, const std::string& path, const Folder& folder,
                  const std::map<std::string, std::string>& sums) {
  fmt::format_to(std::back_inserter(out), "F:{}\n", path);
  const ContentEntry* self = folder.self;
  if (self != nullptr && (self->uid != 0 || self->gid != 0 || self->mode != 0755))
    fmt::format_to(std::back_inserter(out), "M:{}:{}:{:04o}\n", self->uid, self->gid, self->mode);
  for (const auto& [name, entry] : folder.files) {
    fmt::format_to(std::back_inserter(out), "R:{}\n", name);
    if (entry->uid != 0 || entry->gid != 0 || entry->mode != 0644)
      fmt::format_to(std::back_inserter(out), "a:{}:{}:{:04o}\n", entry->uid, entry->gid, entry->mode);
    const auto target = sums.find(entry->link);
    const std::string& sum = entry->type == '1' && target != sums.end() ? target->second : entry->sha1;
    if (!sum.empty()) fmt::format_to(std::back_inserter(out), "Z:Q1{}\n", to_base64(sum));
  }
}

/// Sub-directories after the files of their parent, so a plain depth-first order of directories.
std::string file_lines(const PackageContents& package, const std::vector<EntryPlan>& plans) {
  std::map<std::string, Folder, TreeOrder> folders;
  std::map<std::string, std::string> sums;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const ContentEntry& entry = package.entries[i];
    if (entry.type == '0') sums[entry.path] = entry.sha1;
    for (std::string up = parent_of(entry.path);; up = parent_of(up)) {
      if (!folders.try_emplace(up).second || up.empty()) break;
    }
    if (entry.type == '5') folders[entry.path].self = &entry;
    else if (plans[i].listed) folders[parent_of(entry.path)].files[name_of_path(entry.path)] = &entry;
  }
  std::string out;
  for (const auto& [path, folder] : folders) folder_lines(out, path, folder, sums);
  return out;
}

std::string reference_head(const PackageContents& package) {
  const apk::PackageInfo& info = package.file.info;
  std::string out;
  const auto line = [&out](char key, std::string_view value) {
    fmt::format_to(std::back_inserter(out), "{}:{}\n", key, value);
  };
  line('P', info.name);
  line('V', info.version);
  line('A', info.arch);
  line('L', info.licenses.empty() ? "" : info.licenses.front());
  line('T', info.description);
  line('o', info.origin);
  line('m', info.maintainer);
  line('U', info.url);
  line('D', join(info.depends, " "));
  line('p', join(info.provides, " "));
  if (!info.replaces.empty()) line('r', join(info.replaces, " "));
  line('c', info.commit);
  line('i', "[" + join(info.install_if, " ") + "]");
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
    out.push_back(reference_head(packages[i]) + reference_files(packages[i], tree.plans[i]) + "\n");
  return out;
}

std::string reference_record(const PackageContents& package) {
  return reference_head(package) + reference_files(package, std::vector<EntryPlan>(package.entries.size())) + "\n";
}

std::string installed_database(const std::vector<PackageContents>& packages, const MergedTree& tree) {
  std::string out;
  for (std::size_t i = 0; i < packages.size(); ++i)
    out += record_head(packages[i]) + file_lines(packages[i], tree.plans[i]) + "\n";
  return out;
}

Result<std::string> scripts_archive(const std::vector<PackageContents>& packages, std::int64_t mtime) {
  std::string out;
  for (const PackageContents& package : packages) {
    for (const auto& [name, content] : package.control) {
      if (std::find(kScripts.begin(), kScripts.end(), name) == kScripts.end()) continue;
      codec::TarHeader header;
      header.path = fmt::format("{}-{}.{}{}", package.file.info.name, package.file.info.version,
                                package.file.checksum(), name);
      header.mode = 0755;
      header.uname = header.gname = "root";
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

std::string triggers_file(const std::vector<PackageContents>& packages) {
  std::string out;
  for (const PackageContents& package : packages)
    if (!package.file.info.triggers.empty())
      out += package.file.checksum() + " " + join(package.file.info.triggers, " ") + "\n";
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
