#include "build/steps.h"
#include "codec/json.h"
#include "os/clock.h"
#include "store/store.h"

#include <algorithm>
#include <cstdlib>

namespace nacre::build {
namespace {

using codec::Json;
using os::Path;
using sandbox::SandboxCommand;

constexpr std::string_view kStateKind = "failed";
constexpr std::string_view kScript = ".nacre-failed-step", kNextScript = ".nacre-next-step";  ///< In /tmp of the guest.

Json to_record(const SandboxCommand& command, const std::vector<std::string>& passed_on) {
  std::vector<std::string> trees;
  for (const Path& tree : command.root.lower) trees.push_back(tree.string());
  Json binds = Json::array();
  for (const sandbox::Bind& bind : command.binds) {
    Json item = Json::object();
    item.set("host", bind.host.string()).set("inside", bind.inside.str());
    item.set("writable", bind.writable);
    binds.push(std::move(item));
  }
  std::vector<std::string> recorded;
  for (const std::string& entry : command.env)
    if (const std::string name = entry.substr(0, entry.find('='));
        std::find(passed_on.begin(), passed_on.end(), name) == passed_on.end())
      recorded.push_back(entry);
  Json out = Json::object();
  out.set("lower", Json::strings(trees)).set("upper", command.root.upper.string());
  out.set("binds", std::move(binds)).set("environment", Json::strings(recorded));
  out.set("passedOn", Json::strings(passed_on)).set("network", command.network);
  out.set("uid", std::int64_t{command.uid}).set("gid", std::int64_t{command.gid});
  out.set("capabilities", Json::strings(command.keep_capabilities));
  return out;
}

Result<SandboxCommand> from_record(const Json& record) {
  SandboxCommand out;
  for (const std::string& tree : record["lower"].as_strings()) out.root.lower.emplace_back(tree);
  out.root.upper = record["upper"].as_string();
  for (const Json& item : record["binds"].items()) {
    TreePath inside = TRY(TreePath::parse(item["inside"].as_string()));
    out.binds.push_back({item["host"].as_string(), std::move(inside), item["writable"].as_bool()});
  }
  out.env = record["environment"].as_strings();
  for (const std::string& name : record["passedOn"].as_strings())
    if (const char* value = std::getenv(name.c_str())) out.env.push_back(name + "=" + value);
  out.network = record["network"].as_bool();
  out.uid = static_cast<unsigned>(record["uid"].as_int());
  out.gid = static_cast<unsigned>(record["gid"].as_int());
  out.keep_capabilities = record["capabilities"].as_strings();
  return out;
}

bool is_whole(const SandboxCommand& command) {
  const auto& trees = command.root.lower;
  return os::exists(command.root.upper) &&
         std::all_of(trees.begin(), trees.end(),
                     [](const Path& tree) { return os::exists(tree); }) &&
         std::all_of(command.binds.begin(), command.binds.end(),
                     [](const sandbox::Bind& bind) { return os::exists(bind.host); });
}

/// A shell that begins where the step did. The step's script lies in /tmp for a try: sh -x /tmp/NAME
Result<int> enter_shell(SandboxCommand command, std::string_view name, const std::string& script,
                        std::string_view script_name, const std::string& step, std::string_view says,
                        sandbox::Sandbox& sandbox, Env& env) {
  const std::size_t at = script.find("\ncd ");
  const std::string directory = at == std::string::npos
                                    ? std::string(kWorkspace)
                                    : script.substr(at + 4, script.find('\n', at + 1) - at - 4);
  command.argv = {
      "/bin/sh", "-c",
      fmt::format("cd {} 2> /dev/null || cd {} || cd /\n"
                  "echo \"step '$NACRE_STEP' {}; its script: /tmp/{}\"\n"
                  "if command -v bash > /dev/null; then exec bash --norc -i; fi\nexec /bin/sh -i\n",
                  directory, kWorkspace, says, script_name)};
  command.env.push_back("NACRE_STEP=" + step);
  command.env.push_back(fmt::format("PS1=[{}] \\w\\$ ", name));
  if (const char* term = std::getenv("TERM")) command.env.push_back(fmt::format("TERM={}", term));
  command.interactive = true;
  const os::Exit exit = TRY(sandbox.run(command, env.stop), "opening a shell in '{}'", name);
  return exit.code;
}

}  // namespace

Result<> remember_failure(const Guest& guest, const SandboxCommand& command,
                          const std::string& script, const std::string& step, Env& env) {
  TRY(os::write_file(guest.work / "tmp" / kScript, script));
  Json record = Json::object();
  record.set("format", 1)
      .set("time", env.clock.now_seconds())
      .set("step", step)
      .set("script", script);
  record.set("command", to_record(command, guest.passed_on));
  return env.store.state().put(kStateKind, guest.name, codec::to_json(record));
}

Result<> forget_failure(const std::string& name, Env& env) {
  return env.store.state().erase(kStateKind, name);
}

Result<int> reopen_failed(std::string_view name, sandbox::Sandbox& sandbox, Env& env) {
  const auto text = TRY(env.store.state().get(kStateKind, name));
  if (!text)
    return Error::make(ErrorKind::kNotFound, "nothing failed under the name '{}'", name)
        .hint("`nacre shell --failed` without a name lists what did");
  const Json record = TRY(codec::parse_json(*text, fmt::format("record failed/{}", name)));
  SandboxCommand command = TRY(from_record(record["command"]));
  if (!is_whole(command))
    return Error::make(ErrorKind::kNotFound, "the directories of '{}' are gone", name)
        .hint("build it again; what fails stays until the next build of that name");
  return enter_shell(std::move(command), name, record["script"].as_string(), kScript, record["step"].as_string(),
                     "stopped here", sandbox, env);
}

Result<int> open_shell(SandboxCommand command, const Guest& guest, const StepRun& next, sandbox::Sandbox& sandbox,
                       Env& env) {
  TRY(os::write_file(guest.work / "tmp" / kNextScript, next.script));
  return enter_shell(std::move(command), guest.name, next.script, kNextScript, next.label, "comes next", sandbox, env);
}

Result<std::vector<std::string>> failed_builds(Env& env) {
  const auto records = TRY(env.store.state().list(kStateKind));
  std::vector<std::pair<std::int64_t, std::string>> sorted;
  for (const auto& [name, text] : records) {
    const auto record = codec::parse_json(text, name);
    if (!record) continue;
    const auto command = from_record((*record)["command"]);
    if (command && is_whole(*command)) sorted.emplace_back(-(*record)["time"].as_int(), name);
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> out;
  for (auto& [time, name] : sorted) out.push_back(std::move(name));
  return out;
}

}  // namespace nacre::build
