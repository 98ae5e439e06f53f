#include "base/number.h"
#include "base/text.h"
#include "image/accounts.h"
#include "image/root_tree.h"

#include <optional>

namespace nacre::image {
namespace {

using codec::Json;

constexpr const char* kInit = "usr/bin/nacre-init";
constexpr const char* kService = "etc/nacre/service";

/// Numbers of "65532", "65532:65532" or "nonroot", looked up in the image's etc/passwd and etc/group.
Result<std::string> numeric_user(const std::string& user, const RootTree& root) {
  const std::size_t colon = user.find(':');
  const std::string name = user.substr(0, colon), group = colon == std::string::npos ? "" : user.substr(colon + 1);
  std::optional<unsigned> uid = whole_number<unsigned>(name), gid = whole_number<unsigned>(group);
  const std::string passwd = TRY(root.text("etc/passwd")), groups = TRY(root.text("etc/group"));
  for (const PasswdEntry& entry : parse_passwd(passwd)) {
    if (entry.name != name && uid != entry.uid) continue;
    if (!uid) uid = entry.uid;
    if (group.empty()) gid = entry.gid;
    break;
  }
  for (const std::string& line : split(groups, '\n')) {
    const std::vector<std::string> fields = split(line, ':');
    if (!gid && fields.size() > 2 && fields[0] == group) gid = whole_number<unsigned>(fields[2]);
  }
  if (user.empty()) uid = gid = 0;
  if (!uid || (!gid && !group.empty()))
    return Error::make(ErrorKind::kInvalid, "the image's user '{}' is not in its etc/passwd and etc/group", user);
  return fmt::format("{} {}", *uid, gid.value_or(0));
}

/// Lines "WORD VALUE", as nacre-init reads them.
class Service {
 public:
  Result<> line(std::string_view word, const std::string& value) {
    if (value.find_first_of(std::string_view("\n\0", 2)) != std::string::npos)
      return Error::make(ErrorKind::kInvalid,
                         "'{}' in the image's configuration has a line break: nacre-init cannot pass it on", word);
    text += fmt::format("{} {}\n", word, value);
    return {};
  }
  std::string text;
};

Result<std::string> service_of(const RootTree& root, const Json& process) {
  Service out;
  std::vector<std::string> words = process["Entrypoint"].as_strings();
  for (const std::string& word : process["Cmd"].as_strings()) words.push_back(word);
  if (words.empty())
    return Error::make(ErrorKind::kInvalid, "the image names no program to run, so nothing would start")
        .hint("give its definition an `entrypoint:`");
  const std::string user = TRY(numeric_user(process["User"].as_string(), root));
  TRY(out.line("user", user));
  const std::string& folder = process["WorkingDir"].as_string();
  TRY(out.line("dir", folder.empty() ? "/" : folder));
  if (const std::string& signal = process["StopSignal"].as_string(); !signal.empty()) TRY(out.line("stop", signal));
  for (const auto& [volume, unused] : process["Volumes"].members()) TRY(out.line("volume", volume));
  for (const std::string& variable : process["Env"].as_strings()) TRY(out.line("env", variable));
  for (const std::string& word : words) TRY(out.line("arg", word));
  return out.text;
}

}  // namespace

Result<bool> make_bootable(RootTree& root, const Json& config) {
  if (root.find(kInit) == nullptr) return false;
  std::string service = TRY(service_of(root, config["config"]));
  TRY(root.put(kService, {.type = '0', .mode = 0644}, std::move(service)));
  TRY(root.put("init", {.type = '2', .mode = 0777, .link = kInit}));
  for (const char* folder : {"dev", "proc", "run", "sys", "tmp"})
    if (root.find(folder) == nullptr) TRY(root.put(folder, {.type = '5', .mode = 0755}));
  return true;
}

}  // namespace nacre::image
