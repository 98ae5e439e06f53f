#include "base/events.h"
#include "cli/melange_common.h"
#include "cli/melange_trace.h"
#include "net/credentials.h"
#include "net/http.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace nacre::cli {
namespace {

/// --log-level warn or error: what needs a look, and nothing else.
class WarningsAlone final : public Events {
 public:
  explicit WarningsAlone(Events& inner) : inner_(inner) {}
  void emit(const Event& event) override {
    if (event.kind == EventKind::kWarning || (event.kind == EventKind::kFinished && event.failed)) inner_.emit(event);
  }

 private:
  Events& inner_;
};

/// --offline: what was kept counts as unchanged, and nothing else can be had.
class Offline final : public net::Http {
 public:
  Result<net::Response> send(const net::Request& request, std::stop_token) override {
    for (const auto& [name, value] : request.headers)
      if (name == "If-None-Match") return net::Response{.status = 304};
    return Error::make(ErrorKind::kNotFound, "'{}' is not in the store, and --offline opens no connection", request.url)
        .hint("run once without --offline");
  }
};

Result<int> run_tool(const Arguments& arguments, Session& session, const ToolName& tool,
                     const std::vector<MelangeCommand>& commands) {
  const MelangeCall call = TRY(parse_melange(arguments.list("WORD"), commands, tool));
  std::string level = call.log_level;
  std::transform(level.begin(), level.end(), level.begin(), [](unsigned char c) { return std::tolower(c); });
  WarningsAlone quiet(session.env.events);
  Offline offline;
  const bool only_warnings = level == "warn" || level == "warning" || level == "error";
  Events& shown = only_warnings ? static_cast<Events&>(quiet) : session.env.events;
  SpanRecorder spans(shown, session.env.clock);
  const std::string trace = call.arguments.text("--trace");
  net::Credentials credentials = TRY(net::Credentials::from_environment());
  net::AuthorizedHttp authorized(session.env.http, std::move(credentials));
  net::Http& online = authorized;
  Env env{session.env.processes,
          session.env.clock,
          call.arguments.on("--offline") ? static_cast<net::Http&>(offline) : online,
          session.env.store,
          trace.empty() ? shown : spans,
          session.env.stop};
  Session inner{
      env,         session.signer, session.sandbox, session.home, session.os_dir, session.program, session.builder_id,
      session.json};
  for (const MelangeFlag& flag : call.command->flags)
    if (!flag.no_effect.empty() && call.arguments.has(flag.name))
      tell(env, fmt::format("{} changes nothing: {}", flag.name, flag.no_effect));
  auto code = call.command->run(call.arguments, inner);
  if (!trace.empty()) TRY(os::write_file(trace, spans.text()), "writing the trace");
  return code;
}

}  // namespace

Verb tool_verb(const ToolName& tool, const std::vector<MelangeCommand>& commands) {
  Verb verb;
  verb.name = tool.name;
  verb.summary = fmt::format("answer the command line of {}; also under that name, by a link", tool.name);
  verb.arguments = {{"WORD", fmt::format("COMMAND [FLAG …] [ARGUMENT …], as {} takes them", tool.name), false, true,
                     Completion::kFile}};
  verb.options_first = true;
  verb.run = [&tool, &commands](const Arguments& arguments, Session& session) {
    return run_tool(arguments, session, tool, commands);
  };
  verb.run_alone = [&tool, &commands](const Arguments& arguments, std::stop_token) -> Result<int> {
    const MelangeCall call = TRY(parse_melange(arguments.list("WORD"), commands, tool));
    if (call.command != nullptr) return call.command->run_alone(call.arguments);
    std::puts(call.message.c_str());
    return 0;
  };
  verb.is_alone = [&tool, &commands](const Arguments& arguments) {
    const auto call = parse_melange(arguments.list("WORD"), commands, tool);
    return !call || call->command == nullptr || call->command->run_alone != nullptr;
  };
  return verb;
}

}  // namespace nacre::cli
