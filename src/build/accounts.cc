#include "base/text.h"
#include "base/number.h"
#include "build/guest.h"

#include <optional>
#include <set>

namespace nacre::build {
namespace {

using os::Path;

constexpr unsigned kBuildId = 1000;

/// The file as the root shows it: of the last tree that has one.
Result<std::string> file_of(const std::vector<Path>& trees, const TreePath& path) {
  for (auto tree = trees.rbegin(); tree != trees.rend(); ++tree) {
    auto text = os::read_beneath(*tree, path, 1u << 20);
    if (text) return *std::move(text);
    if (text.error().kind() != ErrorKind::kNotFound)
      return std::move(text).error().while_doing("reading '{}' of the root", path.str());
  }
  return std::string();
}

/// First fields of passwd or group lines, and the ids in the third.
struct Known {
  std::set<std::string> names;
  std::set<std::string> ids;
};
Known known_of(std::string_view text) {
  Known out;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> fields = split(line, ':');
    if (fields.size() < 3) continue;
    out.names.insert(fields[0]);
    out.ids.insert(fields[2]);
  }
  return out;
}

/// Writes the file into the upper directory when lines are missing.
Result<> add_lines(const std::vector<Path>& trees, const Path& upper, std::string_view file,
                   const std::vector<std::string>& lines) {
  const TreePath path = TreePath::literal(fmt::format("etc/{}", file));
  std::string text = TRY(file_of(trees, path));
  const Known known = known_of(text);
  bool added = false;
  for (const std::string& line : lines) {
    const std::vector<std::string> fields = split(line, ':');
    if (known.names.contains(fields[0])) continue;
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    text += line + "\n";
    added = true;
  }
  if (!added) return {};
  TRY(os::make_dirs(upper / "etc"));
  return os::write_file(upper / path.str(), text);
}

Result<> check_field(const std::string& text) {
  if (text.find_first_of(":\n") == std::string::npos) return {};
  return Error::make(ErrorKind::kInvalid, "'{}' cannot stand in /etc/passwd", text);
}

}  // namespace

Result<> add_accounts(const std::vector<Path>& trees, const Path& upper,
                      const definition::Environment& environment) {
  std::vector<std::string> users = {"root:x:0:0:root:/root:/bin/sh"}, groups = {"root:x:0:"};
  for (const definition::Account& user : environment.users) {
    for (const std::string* field : {&user.name, &user.home, &user.shell}) TRY(check_field(*field));
    users.push_back(fmt::format("{}:x:{}:{}:{}:{}:{}", user.name, user.uid, user.gid, user.name,
                                user.home.empty() ? "/home/" + user.name : user.home,
                                user.shell.empty() ? "/bin/sh" : user.shell));
  }
  users.push_back(fmt::format("build:x:{0}:{0}:build:{1}:/bin/sh", kBuildId, kWorkspace));
  for (const definition::AccountGroup& group : environment.groups) {
    TRY(check_field(group.name));
    for (const std::string& member : group.members) TRY(check_field(member));
    groups.push_back(fmt::format("{}:x:{}:{}", group.name, group.gid, join(group.members, ",")));
  }
  groups.push_back(fmt::format("build:x:{}:build", kBuildId));
  TRY(add_lines(trees, upper, "passwd", users));
  return add_lines(trees, upper, "group", groups);
}

Result<Ids> ids_of(const definition::Environment& environment) {
  const std::string& text = environment.run_as;
  if (text.empty() || text == "root") return Ids{};
  for (const definition::Account& user : environment.users)
    if (user.name == text) return Ids{user.uid, user.gid};
  if (text == "build") return Ids{kBuildId, kBuildId};
  const std::size_t colon = text.find(':');
  const auto uid = whole_number<unsigned>(text.substr(0, colon));
  const auto gid = colon == std::string::npos ? uid : whole_number<unsigned>(text.substr(colon + 1));
  if (!uid || !gid)
    return Error::make(ErrorKind::kInvalid, "run-as names the user '{}', which the accounts lack",
                       text)
        .hint("declare it below accounts.users, or give a number");
  if (colon == std::string::npos)  // a number of a known user means that user, with its group
    for (const definition::Account& user : environment.users)
      if (user.uid == *uid) return Ids{user.uid, user.gid};
  return Ids{*uid, *gid};
}

}  // namespace nacre::build
