#include "base/text.h"
#include "cli/command.h"
#include "cli/places.h"
#include "cli/progress.h"
#include "cli/signer_process.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "net/http.h"
#include "os/clock.h"
#include "publish/registry_depot.h"
#include "store/store.h"

#include <poll.h>
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
  std::fprintf(stderr, "%s%s\n", json ? "" : "nacre: ", json ? text.c_str() : for_terminal(text).c_str());
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

/// A home that cannot be made or written.
Error with_home_hint(Error error) {
  if (error.kind() != ErrorKind::kDenied && error.kind() != ErrorKind::kNotFound) return error;
  return std::move(error).hint("NACRE_HOME=DIR names another place for the store");
}

Result<int> run(const Call& call, std::stop_token stop) {
  if (call.verb->run_alone && (!call.verb->is_alone || call.verb->is_alone(call.arguments)))
    return call.verb->run_alone(call.arguments, stop);
  const Path home = home_dir();
  os::SystemProcesses processes;
  os::SystemClock clock;
  net::CurlHttp http(fmt::format("nacre/{}", program_version()));
  store::Sharing sharing{shared_state(), artifact_place(), &http, stop};
  sharing.open_depot = [&](const std::string& place) -> Result<std::unique_ptr<store::Depot>> {
    std::unique_ptr<store::Depot> depot =
        TRY(publish::RegistryDepot::open(place, publish::Wire{processes, http, stop}, clock));
    return depot;
  };
  auto opened = store::Store::open(home, sharing);
  if (!opened) return with_home_hint(std::move(opened).error());
  const std::unique_ptr<store::Store> store = *std::move(opened);
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
  auto code = call.verb->run(call.arguments, session);
  const bool read_only = ::access(home.c_str(), W_OK) != 0;
  if (!code && read_only && code.error().kind() == ErrorKind::kDenied) return with_home_hint(std::move(code).error());
  return code;
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

/// Nobody reads what goes to stdout any more: `nacre index | head -1`.
bool reader_is_gone() {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

/// An answer that did not arrive is no success: half of it in a file would be taken for all. A reader that has heard
/// enough is no trouble.
int end_of_answer(int code) {
  const bool whole = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (whole || code != 0 || reader_is_gone()) return code;
  return report(Error::make(ErrorKind::kUnavailable, "the answer could not be written to stdout")
                    .hint("what is there is not whole; is the disk full?"),
                false);
}

/// Flags that melange and apko take before their commands.
bool is_before_command(std::string_view word) {
  for (const std::string_view flag : {"-C", "--workdir", "--log-level"})
    if (word == flag || (word.starts_with(flag) && word.substr(flag.size()).starts_with('='))) return true;
  return false;
}

}  // namespace
}  // namespace nacre::cli

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  // By another name it is another tool: `ln -s nacre melange`, `ln -s nacre apko`.
  const std::string name = argc > 0 ? nacre::cli::Path(argv[0]).filename().string() : std::string();
  if (name == "melange" || name == "apko") words.insert(words.begin(), {name, "--"});
  else if (words.size() > 1 && (words[0] == "melange" || words[0] == "apko") &&
           nacre::cli::is_before_command(words[1]))
    words.insert(words.begin() + 1, "--");
  return nacre::cli::end_of_answer(nacre::cli::main_of(words));
}
