#include "image/accounts.h"

#include "base/number.h"
#include "base/text.h"

#include <algorithm>
#include <optional>

namespace nacre::image {
namespace {

/// Fields of the line that describes `name`.
std::optional<std::vector<std::string>> find_line(std::string_view text, std::string_view name) {
  for (const std::string& line : split(text, '\n')) {
    std::vector<std::string> fields = split(line, ':');
    if (fields.size() >= 3 && fields[0] == name) return fields;
  }
  return std::nullopt;
}

void append(std::string& text, std::string_view line) {
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  text += line;
  text += '\n';
}

/// "a,b" and further members, each once.
std::string join_members(std::string_view old, const std::vector<std::string>& more) {
  std::vector<std::string> all;
  for (std::string& name : split(old, ','))
    if (!name.empty()) all.push_back(std::move(name));
  for (const std::string& name : more)
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  return join(all, ",");
}

Result<> add_group(std::string& text, const definition::AccountGroup& group) {
  const auto old = find_line(text, group.name);
  if (!old) {
    append(text, fmt::format("{}:x:{}:{}", group.name, group.gid, join_members("", group.members)));
    return {};
  }
  if (whole_number<unsigned>((*old)[2]) != group.gid)
    return Error::make(ErrorKind::kConflict,
                       "group '{}' has gid {} in the packages' etc/group, and the image gives it {}",
                       group.name, (*old)[2], group.gid);
  const std::string members = old->size() > 3 ? (*old)[3] : "";
  const std::string line = join(*old, ":");
  const std::string wanted =
      fmt::format("{}:{}:{}:{}", (*old)[0], (*old)[1], (*old)[2], join_members(members, group.members));
  if (wanted != line) {
    if (!text.ends_with('\n')) text += '\n';  // or its last line would not be found
    const std::string framed = replace_all("\n" + text, "\n" + line + "\n", "\n" + wanted + "\n");
    text = framed.substr(1);
  }
  return {};
}

Result<> add_user(AccountFiles& files, const definition::Account& user) {
  if (const auto old = find_line(files.passwd, user.name)) {
    if (old->size() >= 4 && whole_number<unsigned>((*old)[2]) == user.uid &&
        whole_number<unsigned>((*old)[3]) == user.gid)
      return {};
    return Error::make(
        ErrorKind::kConflict,
        "user '{}' has uid {} and gid {} in the packages' etc/passwd, and the image gives it {} and {}",
        user.name, (*old)[2], old->size() >= 4 ? (*old)[3] : "?", user.uid, user.gid);
  }
  const std::string home = user.home.empty() ? "/home/" + user.name : user.home;
  const std::string shell = user.shell.empty() ? "/bin/sh" : user.shell;
  append(files.passwd,
         fmt::format("{}:x:{}:{}:{}:{}:{}", user.name, user.uid, user.gid, user.name, home, shell));
  if (!find_line(files.shadow, user.name)) append(files.shadow, user.name + ":!:::::::");
  return {};
}

}  // namespace

std::vector<PasswdEntry> parse_passwd(std::string_view text) {
  std::vector<PasswdEntry> out;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> fields = split(line, ':');
    if (fields.size() != 7) continue;
    const auto uid = whole_number<unsigned>(fields[2]), gid = whole_number<unsigned>(fields[3]);
    if (uid && gid) out.push_back({fields[0], fields[5], *uid, *gid});
  }
  return out;
}

Result<AccountFiles> add_accounts(AccountFiles files, const std::vector<SpecUser>& users,
                                  const std::vector<definition::AccountGroup>& groups) {
  for (const definition::AccountGroup& group : groups) TRY(add_group(files.group, group));
  for (const definition::Account& user : users) TRY(add_user(files, user));
  return files;
}

AccountFiles append_accounts(AccountFiles files, const std::vector<SpecUser>& users,
                             const std::vector<definition::AccountGroup>& groups) {
  for (const definition::AccountGroup& group : groups)
    append(files.group, fmt::format("{}:x:{}:{}", group.name, group.gid, join(group.members, ",")));
  for (const SpecUser& user : users) {
    append(files.passwd, fmt::format("{}:x:{}:{}:Account created by apko:{}:{}", user.name, user.uid, user.gid,
                                     user.home, user.shell.empty() ? "/bin/sh" : user.shell));
    append(files.shadow, user.name + ":!:::::::");
  }
  return files;
}

Result<std::string> resolve_user(std::string_view run_as, std::string_view passwd) {
  if (run_as.empty()) return std::string();
  const std::string_view user = run_as.substr(0, run_as.find(':'));
  const std::string_view rest = run_as.substr(user.size());
  if (whole_number<unsigned>(user)) return std::string(run_as);
  std::vector<std::string> names;
  for (const PasswdEntry& entry : parse_passwd(passwd)) {
    if (entry.name == user) return fmt::format("{}{}", entry.uid, rest);
    names.push_back(entry.name);
  }
  return Error::make(ErrorKind::kInvalid, "accounts.run-as names '{}', and the image has no such user", user)
      .hint(names.empty() ? "add it to accounts.users" : "the image has " + join(names, ", "));
}

}  // namespace nacre::image
