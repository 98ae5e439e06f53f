#include "cli/lookup.h"
#include "cli/signer_process.h"
#include "cli/verbs.h"
#include "publish/serve.h"
#include "store/store.h"

#include <unistd.h>

#include <condition_variable>
#include <cstdlib>

namespace nacre::cli {
namespace {

constexpr const char* kDefaultPort = "8484";

/// Public keys as files, for clients that ask the server for them.
Result<Path> write_public_keys(Session& session) {
  const Path folder = session.home / "keys";
  TRY(os::make_dirs(folder));
  for (const Edition edition : {Edition::kStage0, Edition::kCommunity, Edition::kProduction}) {
    const std::optional<index::Serial> newest = TRY(index::head(session.env, edition));
    if (!newest) continue;
    for (const crypto::Purpose purpose : {crypto::Purpose::kPackage, crypto::Purpose::kAttestation}) {
      const crypto::PublicKey key = TRY(session.signer.public_key(edition, purpose));
      const Path file = folder / crypto::public_key_name(edition, purpose);
      const auto there = os::read_file(file);
      if (there && *there == key.pem()) continue;  // a full disk is no reason not to serve
      TRY(os::write_file(file, key.pem()));
    }
  }
  return folder;
}

void wait_for(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [] { return false; });
}

Result<int> run_serve(const Arguments& arguments, Session& session) {
  publish::ServeOptions serve;
  serve.package_keys_dir = TRY(write_public_keys(session)).string();
  net::Server::Options options;
  options.address = arguments.text("--address");
  options.port = static_cast<int>(arguments.number("--port"));
  if (arguments.flag("--access-log"))
    options.on_access = [&](const net::ServerRequest& request, int status) {
      session.print(fmt::format("{} {} {} {}", request.remote, request.method, request.path, status));
    };
  const net::Server server = TRY(net::Server::start(publish::make_handler(session.env, serve), options));
  const std::string host = fmt::format("{}:{}", options.address, server.port());
  if (session.json) {
    codec::Json out;
    session.print(codec::to_json(out.set("address", options.address).set("port", server.port())));
  } else {
    session.print(fmt::format("serving http://{0}\n"
                              "  images    {0}/nacre/NAME:TAG\n"
                              "  packages  http://{0}/community\n"
                              "  keys      http://{0}/community/keys/",
                              host));
  }
  wait_for(session.env.stop);
  return 0;
}

Result<int> run_signer(const Arguments& arguments, std::stop_token stop) {
  std::string home = arguments.text("--home");
  if (home.empty()) {
    const char* chosen = std::getenv("NACRE_HOME");
    home = chosen != nullptr ? chosen : "/var/lib/nacre";
  }
  const std::string allowed = arguments.text("--allow-uid");
  const unsigned uid = allowed.empty() ? ::getuid() : static_cast<unsigned>(std::strtoul(allowed.c_str(), nullptr, 10));
  TRY(serve_as_signer(signer_place(home), arguments.text("--socket"), uid, stop));
  return 0;
}

}  // namespace

Verb verb_serve() {
  Verb verb;
  verb.name = "serve";
  verb.summary = "serve images, packages and keys from the store, read-only";
  verb.options = {{"--address", OptionType::kText, "IP", "127.0.0.1", "address to listen on", Completion::kNone},
                  {"--port", OptionType::kNumber, "PORT", kDefaultPort, "port; 0 takes a free one", Completion::kNone},
                  {"--access-log", OptionType::kFlag, "", "", "print one line for each request", Completion::kNone}};
  verb.run = run_serve;
  return verb;
}

Verb verb_signer() {
  Verb verb;
  verb.name = "signer";
  verb.summary = "hold the keys in a process of its own, under another user; other verbs start it by themselves";
  verb.options = {
      {"--home", OptionType::kText, "DIR", "", "NACRE_HOME of those it signs for", Completion::kFolder},
      {"--socket", OptionType::kText, "NAME", "signer.sock", "name of the socket in DIR/signer", Completion::kNone},
      {"--allow-uid", OptionType::kNumber, "UID", "", "who may ask; the caller when not given", Completion::kNone}};
  verb.run_alone = run_signer;
  return verb;
}

}  // namespace nacre::cli
