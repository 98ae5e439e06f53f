#include "base/events.h"
#include "cli/evidence.h"
#include "cli/farm_pages.h"
#include "cli/lookup.h"
#include "cli/signer_process.h"
#include "cli/verbs.h"
#include "crypto/purposes.h"
#include "index/freshness.h"
#include "net/server.h"
#include "os/clock.h"
#include "publish/serve.h"
#include "store/store.h"

#include <unistd.h>
#include <chrono>
#include <condition_variable>
#include <cstdlib>

namespace nacre::cli {
namespace {

constexpr const char* kDefaultPort = "8484";
constexpr std::chrono::seconds kRenewEvery{60};

/// Public keys as files, for clients that ask the server for them.
Result<Path> write_public_keys(Session& session) {
  const Path folder = session.home / "keys";
  TRY(os::make_dirs(folder));
  for (const Edition edition : {Edition::kStage0, Edition::kCommunity, Edition::kProduction}) {
    const std::optional<index::Serial> newest = TRY(index::head(session.env, edition));
    if (!newest) continue;
    TRY(check_edition_keys(session, edition));
    for (const crypto::Purpose purpose : crypto::kPurposes) {
      const crypto::PublicKey key = TRY(session.signer.public_key(edition, purpose));
      const Path file = folder / crypto::public_key_name(edition, purpose);
      const auto there = os::read_file(file);
      if (there && *there == key.pem()) continue;  // a full disk is no reason not to serve
      TRY(os::write_file(file, key.pem()));
    }
  }
  return folder;
}

Result<> read_certificate(const Arguments& arguments, net::Server::Options& options) {
  const std::string certificate = arguments.text("--tls-certificate"), key = arguments.text("--tls-key");
  if (certificate.empty() != key.empty())
    return Error::make(ErrorKind::kInvalid, "TLS needs both, a certificate and its key")
        .hint("give --tls-certificate FILE and --tls-key FILE");
  if (certificate.empty()) return {};
  options.tls_certificate = TRY(os::read_file(certificate), "reading the certificate");
  options.tls_key = TRY(os::read_file(key), "reading the key of the certificate");
  return {};
}

/// One line for each answered request, as web servers write them ("combined" with the seconds that it took), or JSON.
class AccessLog {
 public:
  explicit AccessLog(Session& session) : session_(session) {}

  void add(const net::Access& access) {
    const std::string line = session_.json ? json_line(access) : text_line(access);
    const std::lock_guard lock(mutex_);
    session_.print(line);
  }

 private:
  static std::string header(const net::Access& access, const char* name) {
    const auto found = access.request.headers.find(name);
    return found == access.request.headers.end() ? std::string() : found->second;
  }

  static std::string target(const net::Access& access) {
    return access.request.query.empty() ? access.request.path : access.request.path + "?" + access.request.query;
  }

  /// What a client sent, so that it can neither end the line nor steer a terminal.
  static std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      else out += c;
    }
    return out + "\"";
  }

  std::string text_line(const net::Access& access) const {
    return fmt::format("{} [{}] {} {} {} {} {:.3f}{}", access.request.remote,
                       os::rfc3339(session_.env.clock.now_seconds()),
                       quoted(access.request.method + " " + target(access)), access.status, access.bytes,
                       quoted(header(access, "user-agent")), access.seconds, access.complete ? "" : " aborted");
  }

  std::string json_line(const net::Access& access) const {
    codec::Json out;
    out.set("time", os::rfc3339(session_.env.clock.now_seconds())).set("remote", access.request.remote);
    out.set("method", access.request.method).set("target", target(access)).set("status", access.status);
    out.set("bytes", access.bytes).set("seconds", access.seconds).set("complete", access.complete);
    return codec::to_json(out.set("userAgent", header(access, "user-agent")));
  }

  Session& session_;
  std::mutex mutex_;
};

/// Until `stop`; meanwhile keeps freshness metadata alive: a timestamp is renewed when it is a day old, and what a
/// crash left behind its serial is brought up to it. What fails is said once and tried again.
void serve_until(std::stop_token stop, Session& session) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  std::string said;
  while (!stop.stop_requested()) {
    for (const Edition edition : {Edition::kCommunity, Edition::kProduction}) {
      index::FreshnessOptions options;
      options.edition = edition;
      options.renew = index::Renew::kWhenDue;
      const auto done = index::refresh_edition(session.env, session.signer, options);
      std::string trouble = done ? std::string() : done.error().render();
      if (!done && trouble != said)
        session.env.events.emit({.kind = EventKind::kNote, .name = "freshness", .detail = trouble});
      if (!done) said = std::move(trouble);
    }
    changed.wait_for(lock, stop, kRenewEvery, [] { return false; });
  }
}

Result<int> run_serve(const Arguments& arguments, Session& session) {
  publish::ServeOptions serve;
  serve.package_keys_dir = TRY(write_public_keys(session)).string();
  net::Server::Options options;
  options.address = arguments.text("--address");
  if (arguments.number("--port") > 65535)
    return Error::make(ErrorKind::kInvalid, "expected a port from 1 to 65535, got {}", arguments.number("--port"))
        .hint("0 takes any free one");
  options.port = static_cast<int>(arguments.number("--port"));
  TRY(read_certificate(arguments, options));
  if (!options.tls_certificate.empty()) serve.scheme = "https";
  options.max_connections = static_cast<unsigned>(arguments.number("--max-connections"));
  options.max_per_client = static_cast<unsigned>(arguments.number("--max-connections-per-client"));
  options.requests_per_second = static_cast<double>(arguments.number("--requests-per-second"));
  AccessLog log(session);
  if (arguments.flag("--access-log")) options.on_access = [&](const net::Access& access) { log.add(access); };
  const net::Server server = TRY(net::Server::start(
      with_farm_pages(publish::make_handler(session.env, serve), arguments.text("--farm-database"), session), options));
  const bool ipv6 = options.address.find(':') != std::string::npos;
  const std::string address = ipv6 ? "[" + options.address + "]" : options.address;
  const std::string host = fmt::format("{}:{}", address, server.port());
  if (session.json) {
    codec::Json out;
    session.print(
        codec::to_json(out.set("address", options.address).set("port", server.port()).set("scheme", serve.scheme)));
  } else {
    session.print(
        fmt::format("serving {1}://{0}\n"
                    "  images    {0}/nacre/NAME:TAG\n"
                    "  packages  {1}://{0}/community\n"
                    "  keys      {1}://{0}/community/keys/",
                    host, serve.scheme));
  }
  serve_until(session.env.stop, session);
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
  verb.options = {
      {"--address", OptionType::kText, "IP", "127.0.0.1", "address to listen on", Completion::kNone},
      {"--port", OptionType::kNumber, "PORT", kDefaultPort, "port; 0 takes a free one", Completion::kNone},
      {"--tls-certificate", OptionType::kText, "FILE", "", "serve TLS with this PEM chain", Completion::kFile},
      {"--tls-key", OptionType::kText, "FILE", "", "its private key, PEM", Completion::kFile},
      {"--max-connections", OptionType::kNumber, "N", "4096", "connections at once; more wait", Completion::kNone},
      {"--max-connections-per-client", OptionType::kNumber, "N", "0", "of one address; 0: no limit of its own",
       Completion::kNone},
      {"--requests-per-second", OptionType::kNumber, "N", "0",
       "of one address, in the long run; more are told 429. 0: no limit", Completion::kNone},
      {"--access-log", OptionType::kFlag, "", "", "print one line for each request", Completion::kNone},
      {"--farm-database", OptionType::kText, "URL", "",
       "ledger of the farm whose pages are shown at /farm/; NACRE_FARM_DATABASE, NACRE_STATE, else a file below "
       "NACRE_HOME",
       Completion::kNone}};
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
