#include "base/events.h"
#include "cli/melange_common.h"
#include "cli/melange_trace.h"
#include "cli/verbs.h"
#include "net/basic_auth.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace nacre::cli {

const std::string kLintRequired = "dev,infodir,libtool/la-files,setuidgid,tempdir,usrmerge,varempty,worldwrite";
const std::string kLintWarned =
    "binaryarch,cudaruntimelib,dll,duplicate,dylib,lddcheck,maninfo,nonlinux,object,opt,pkgconf,python/docs,"
    "python/multiple,python/test,sbom,srv,staticarchive,strip,unsupportedarch,usrlocal";

const std::vector<MelangeCommand>& melange_commands() {
  static const std::vector<MelangeCommand> kCommands = {
      melange_build(),           melange_bump(),   melange_compile(),       melange_completion_command(),
      melange_index(),           melange_keygen(), melange_license_check(), melange_lint(),
      melange_package_version(), melange_query(),  melange_scan(),          melange_sign(),
      melange_sign_index(),      melange_test(),   melange_update_cache(),  melange_version(),
  };
  return kCommands;
}

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

bool is_alone(const Arguments& arguments) {
  const auto call = parse_melange(arguments.list("WORD"), melange_commands());
  return !call || call->command == nullptr || call->command->run_alone != nullptr;
}

Result<int> run_alone(const Arguments& arguments, std::stop_token) {
  const MelangeCall call = TRY(parse_melange(arguments.list("WORD"), melange_commands()));
  if (call.command != nullptr) return call.command->run_alone(call.arguments);
  std::puts(call.message.c_str());
  return 0;
}

Result<int> run(const Arguments& arguments, Session& session) {
  const MelangeCall call = TRY(parse_melange(arguments.list("WORD"), melange_commands()));
  std::string level = call.log_level;
  std::transform(level.begin(), level.end(), level.begin(), [](unsigned char c) { return std::tolower(c); });
  WarningsAlone quiet(session.env.events);
  const bool only_warnings = level == "warn" || level == "warning" || level == "error";
  Events& shown = only_warnings ? static_cast<Events&>(quiet) : session.env.events;
  SpanRecorder spans(shown, session.env.clock);
  const std::string trace = call.arguments.text("--trace");
  const char* said = std::getenv("HTTP_AUTH");
  const std::optional<net::BasicAuth> auth = TRY(net::parse_http_auth(said != nullptr ? said : ""));
  net::AuthorizedHttp authorized(session.env.http, auth.value_or(net::BasicAuth()));
  Env env{session.env.processes,
          session.env.clock,
          auth ? static_cast<net::Http&>(authorized) : session.env.http,
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

Verb verb_melange() {
  Verb verb;
  verb.name = "melange";
  verb.summary = "answer the command line of melange; also under that name, by a link";
  verb.arguments = {{"WORD", "COMMAND [FLAG …] [ARGUMENT …], as melange takes them", false, true, Completion::kFile}};
  verb.options_first = true;
  verb.run = run;
  verb.run_alone = run_alone;
  verb.is_alone = is_alone;
  return verb;
}

}  // namespace nacre::cli
