#include "cli/command.h"
#include "cli/places.h"
#include "cli/progress.h"
#include "cli/signer_process.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "net/http.h"
#include "os/clock.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

// The composition root: everything that touches the world is made here, once, and handed down.
namespace nacre::cli {
namespace {

Path program_path() {
  std::error_code error;
  Path path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? Path("nacre") : path;
}

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid: return 2;
    case ErrorKind::kNotFound: return 3;
    case ErrorKind::kConflict: return 4;
    case ErrorKind::kUnavailable: return 5;
    case ErrorKind::kDenied: return 6;
    case ErrorKind::kInternal: return 70;
  }
  return 70;
}

int report(const Error& error, bool json) {
  const int code = exit_code(error.kind());
  std::string text = error.render();
  if (json) {
    codec::Json out;
    const Place& place = error.place();
    out.set("error", text).set("exitCode", code);
    if (!place.file.empty()) out.set("file", place.file).set("line", place.line).set("column", place.column);
    text = codec::to_json(out);
  } else if (error.place().line > 0) {
    if (const auto source = os::read_file(error.place().file))
      text = codec::render_with_source(error, *source);
  }
  std::fprintf(stderr, "%s%s\n", json ? "" : "nacre: ", text.c_str());
  return code;
}

/// Ctrl-C and SIGTERM ask everything to stop; a second one ends at once.
class Interrupts {
 public:
  Interrupts() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::thread([set, source = source_]() mutable {
      for (int number = 0; ::sigwait(&set, &number) == 0;)
        if (!source.request_stop()) ::_exit(130);
    }).detach();
  }
  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
};

Result<int> run(const Call& call, std::stop_token stop) {
  if (call.verb->run_alone && (!call.verb->is_alone || call.verb->is_alone(call.arguments)))
    return call.verb->run_alone(call.arguments, stop);
  const Path home = home_dir();
  const std::unique_ptr<store::Store> store = TRY(store::Store::open(home), "opening the store '{}'", home.string());
  os::SystemProcesses processes;
  os::SystemClock clock;
  net::CurlHttp http(fmt::format("nacre/{}", program_version()));
  const char* style = std::getenv("NACRE_PROGRESS");
  const std::string_view wanted = style != nullptr ? style : "";
  const std::unique_ptr<Events> events =
      make_progress(call.quiet          ? ProgressStyle::kNone
                    : wanted == "json"  ? ProgressStyle::kJson
                    : wanted == "plain" ? ProgressStyle::kPlain
                                        : ProgressStyle::kAuto);
  const SignerPlace place = signer_place(home);
  SignerProcess signer(program_path(), place);
  sandbox::LinuxSandbox sandbox;
  Env env{processes, clock, http, *store, *events, stop};
  Session session{env,  signer,          sandbox, home, os_dir(), program_path(), builder_identity(place),
                  call.json};
  return call.verb->run(call.arguments, session);
}

int main_of(const std::vector<std::string>& words) {
  const Interrupts interrupts;
  const auto call = parse_command_line(words);
  if (!call) return report(call.error(), std::find(words.begin(), words.end(), "--json") != words.end());
  if (call->verb == nullptr) {
    std::puts(call->message.c_str());
    return 0;
  }
  const auto code = run(*call, interrupts.token());
  return code ? *code : report(code.error(), call->json);
}

}  // namespace
}  // namespace nacre::cli

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  // By another name it is another tool: `ln -s nacre melange`, `ln -s nacre apko`.
  const std::string name = argc > 0 ? nacre::cli::Path(argv[0]).filename().string() : std::string();
  if (name == "melange" || name == "apko") words.insert(words.begin(), {name, "--"});
  const int code = nacre::cli::main_of(words);
  std::fflush(stdout);
  return code;
}
