#include "watch/tree_delta.h"

#include "base/text.h"
#include "os/process.h"

#include <algorithm>

namespace nacre::watch {
namespace {

using codec::Json;

/// "12", or "-" for what has no lines.
std::uint64_t number_of(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }

/// "pristine/src/a.c" -> "src/a.c"; empty for /dev/null.
std::string inside(const std::string& name) {
  if (name == "/dev/null") return {};
  return name.substr(std::min(name.find('/') + 1, name.size()));
}

/// One record of `git diff --numstat -z`: "ADDED<TAB>REMOVED<TAB>", then the two names.
TreeDelta::File file_of(const std::string& counts, const std::string& from, const std::string& to) {
  TreeDelta::File out;
  const std::vector<std::string> fields = split(counts, '\t');
  out.binary = fields[0] == "-";
  out.added = number_of(fields[0]);
  out.removed = fields.size() > 1 ? number_of(fields[1]) : 0;
  const std::string before = inside(from), after = inside(to);
  out.change = before.empty() ? 'a' : after.empty() ? 'r' : 'm';
  out.path = after.empty() ? before : after;
  return out;
}

}  // namespace

Result<TreeDelta> compare_prepared(const build::PreparedTrees& trees, Env& env) {
  TreeDelta out;
  out.until = trees.until;
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(trees.pristine));
  for (const os::TreeEntry& entry : entries) out.source_files += entry.type != os::FileType::kDirectory;
  os::Command command;
  command.argv = {"git",
                  "-c",
                  "core.quotePath=false",
                  "-c",
                  "core.fileMode=true",
                  "-c",
                  "core.symlinks=true",
                  "diff",
                  "--no-index",
                  "--no-renames",
                  "--no-ext-diff",
                  "--no-textconv",
                  "--numstat",
                  "-z",
                  "--",
                  "pristine",
                  "prepared"};
  command.inherit_env = true;
  command.env = {"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_DIR=/nonexistent", "LC_ALL=C"};
  command.working_dir = trees.pristine.parent_path();
  command.timeout_seconds = 1800;
  command.max_output_bytes = 512u << 20;
  const os::Exit exit = TRY(env.processes.run(command, env.stop), "comparing the trees");
  // 1: they differ.
  if (exit.code > 1 || exit.signal != 0)
    return Error::make(ErrorKind::kUnavailable, "git cannot compare the trees: {}", trim(exit.err));
  const std::vector<std::string> fields = split(exit.out, '\0');
  for (std::size_t i = 0; i + 2 < fields.size(); i += 3)
    out.files.push_back(file_of(fields[i], fields[i + 1], fields[i + 2]));
  std::sort(out.files.begin(), out.files.end(),
            [](const TreeDelta::File& a, const TreeDelta::File& b) { return a.path < b.path; });
  return out;
}

Json tree_to_json(const TreeDelta& tree) {
  Json files = Json::array(), out;
  for (const TreeDelta::File& file : tree.files)
    files.push(Json::array(
        {Json(file.path), Json(std::string(1, file.change)), Json(file.added), Json(file.removed), Json(file.binary)}));
  out.set("until", tree.until).set("sourceFiles", tree.source_files).set("files", std::move(files));
  return out;
}

TreeDelta tree_from_json(const Json& json) {
  TreeDelta out;
  out.until = json["until"].as_string();
  out.source_files = static_cast<std::uint64_t>(json["sourceFiles"].as_int());
  for (const Json& row : json["files"].items()) {
    const Json::Array& fields = row.items();
    if (fields.size() != 5 || fields[1].as_string().empty()) continue;
    out.files.push_back({fields[0].as_string(), fields[1].as_string()[0],
                         static_cast<std::uint64_t>(fields[2].as_int()), static_cast<std::uint64_t>(fields[3].as_int()),
                         fields[4].as_bool()});
  }
  return out;
}

}  // namespace nacre::watch
