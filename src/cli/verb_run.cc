#include "base/text.h"
#include "base/number.h"
#include "cli/at.h"
#include "cli/container.h"
#include "cli/image_notices.h"
#include "cli/lookup.h"
#include "cli/verbs.h"

#include <thread>

namespace nacre::cli {
namespace {

Result<int> port_of(std::string_view text) {
  const auto port = whole_number<int>(text);
  if (!port || *port < 1 || *port > 65535)
    return Error::make(ErrorKind::kInvalid, "expected a port from 1 to 65535, got '{}'", text);
  return *port;
}

Result<std::vector<std::pair<int, int>>> ports_of(const Arguments& arguments) {
  std::vector<std::pair<int, int>> out;
  for (const std::string& text : arguments.list("--publish")) {
    const std::vector<std::string> parts = split(text, ':');
    if (parts.size() > 2) return Error::make(ErrorKind::kInvalid, "expected HOSTPORT:PORT, got '{}'", text);
    const int host = TRY(port_of(parts.front()), "reading --publish");
    const int inside = TRY(port_of(parts.back()), "reading --publish");
    out.emplace_back(host, inside);
  }
  return out;
}

Result<RunOptions> options_of(const Arguments& arguments) {
  RunOptions out;
  out.name = arguments.text("--name");
  out.publish = TRY(ports_of(arguments));
  for (const std::string& text : arguments.list("--volume")) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0)
      return Error::make(ErrorKind::kInvalid, "expected HOSTPATH:/PATH, got '{}'", text);
    out.volumes.emplace_back(text.substr(0, colon), text.substr(colon + 1));
  }
  for (const std::string& text : arguments.list("--env")) {
    if (text.find('=') == std::string::npos)
      return Error::make(ErrorKind::kInvalid, "expected NAME=VALUE, got '{}'", text);
    out.env.push_back(text);
  }
  out.tmpfs = arguments.list("--tmpfs");
  out.entrypoint = arguments.text("--entrypoint");
  out.detach = arguments.flag("--detach");
  return out;
}

/// --forward NAME: waits for the container and forwards its ports until it ends.
Result<int> forward(const Arguments& arguments, Session& session) {
  const std::vector<std::pair<int, int>> ports = TRY(ports_of(arguments));
  TRY(forward_container(arguments.text("--forward"), ports, session));
  return 0;
}

Result<int> list(Session& session) {
  const std::vector<ContainerState> all = TRY(list_containers(session));
  codec::Json json = codec::Json::array();
  std::string text;
  for (const ContainerState& state : all) {
    codec::Json row;
    json.push(row.set("name", state.name).set("status", state.status).set("pid", state.pid).set("image", state.image));
    text += fmt::format("{:<32} {:<8} {}\n", state.name, state.status, state.image);
  }
  if (all.empty()) text = "no containers\n";
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

Result<int> run_run(const Arguments& arguments, Session& session) {
  std::vector<std::string> words = arguments.list("WORD");
  if (arguments.flag("--list")) return list(session);
  if (!arguments.text("--forward").empty()) return forward(arguments, session);
  if (const std::string name = arguments.text("--stop"); !name.empty()) {
    TRY(stop_container(name, session));
    return 0;
  }
  if (const std::string name = arguments.text("--kill"); !name.empty()) {
    TRY(signal_container(name, words.empty() ? "KILL" : words[0], session));
    return 0;
  }
  if (const std::string name = arguments.text("--exec"); !name.empty()) return exec_in_container(name, words, session);
  if (const std::string name = arguments.text("--logs"); !name.empty()) {
    const std::string text = TRY(container_logs(name, session));
    session.print(text);
    return 0;
  }
  if (words.empty())
    return Error::make(ErrorKind::kInvalid, "`nacre run` needs an image").hint("see `nacre run --help`");
  RunOptions options = TRY(options_of(arguments));
  const FoundImage image = TRY(find_image(words[0], arguments, session));
  TRY(say_notices(image, session));
  const Sha256 manifest = TRY(image::manifest_for(image.digest, host_arch(), session.env));
  options.arguments.assign(words.begin() + 1, words.end());
  return run_container(manifest, options, session);
}

}  // namespace

Verb verb_run() {
  Verb verb;
  verb.name = "run";
  verb.summary = "run an image: read-only root, no capabilities, its own user, no network but what is published";
  verb.arguments = {{"WORD", "IMAGE [ARGUMENT …]; after --exec the command, after --kill the signal", false, true,
                     Completion::kImage}};
  verb.options = {
      kAtOption,
      {"--detach", OptionType::kFlag, "", "", "return once it runs, and print its name", Completion::kNone},
      {"--name", OptionType::kText, "NAME", "", "name of the container", Completion::kNone},
      {"--publish", OptionType::kList, "HOST:PORT", "", "forward 127.0.0.1:HOST to its PORT", Completion::kNone},
      {"--volume", OptionType::kList, "HOSTPATH:PATH", "", "mount a directory or file, writable", Completion::kFolder},
      {"--env", OptionType::kList, "NAME=VALUE", "", "one more environment variable", Completion::kNone},
      {"--tmpfs", OptionType::kList, "PATH", "", "mount an empty writable file system", Completion::kNone},
      {"--entrypoint", OptionType::kText, "PROGRAM", "", "instead of the image's entrypoint", Completion::kNone},
      {"--list", OptionType::kFlag, "", "", "list detached containers", Completion::kNone},
      {"--stop", OptionType::kText, "NAME", "", "stop and remove a container", Completion::kNone},
      {"--exec", OptionType::kText, "NAME", "", "run a command in a container", Completion::kNone},
      {"--logs", OptionType::kText, "NAME", "", "what a container printed", Completion::kNone},
      {"--kill", OptionType::kText, "NAME", "", "send a signal to a container", Completion::kNone},
      {"--forward", OptionType::kText, "NAME", "",
       "forward published ports until the container ends (used by --detach)", Completion::kNone}};
  verb.options_first = true;
  verb.run = run_run;
  return verb;
}

}  // namespace nacre::cli
