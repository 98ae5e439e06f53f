#include "publish/login.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/encoding.h"
#include "codec/json.h"

namespace nacre::publish {
namespace {

using codec::Json;

constexpr double kHelperSeconds = 30;
constexpr std::string_view kNotFound = "credentials not found";  ///< What helpers print when they know none.

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Login from_basic(std::string_view text) {
  const std::size_t colon = text.find(':');
  Login out;
  out.user = text.substr(0, colon);
  if (colon != text.npos) out.password = text.substr(colon + 1);
  return out;
}

/// Under which names `auths` may hold a repository: podman knows those of parts of a host; older clients wrote
/// addresses.
std::vector<std::string> names_of(const std::string& host, std::string_view repository) {
  std::vector<std::string> out;
  for (std::string_view part = repository; !part.empty();
       part = part.substr(0, part.rfind('/') == part.npos ? 0 : part.rfind('/')))
    out.push_back(fmt::format("{}/{}", host, part));
  const std::string address = "https://" + host;
  out.insert(out.end(), {host, address, address + "/", address + "/v1/", address + "/v2/"});
  return out;
}

std::optional<Login> own_entry(const Json& file, const std::string& host, std::string_view repository) {
  for (const std::string& name : names_of(host, repository)) {
    const Json& entry = file["auths"][name];
    Login out;
    if (const auto basic = from_base64(entry["auth"].as_string()); basic && !basic->empty()) out = from_basic(*basic);
    else out = {entry["username"].as_string(), entry["password"].as_string(), {}};
    out.identity_token = entry["identitytoken"].as_string();
    if (!out.empty()) return out;
  }
  return std::nullopt;
}

/// The helper's name becomes part of a program's: letters, digits, '-', '_', '.' and no path.
bool is_helper_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

std::string program_of(const std::string& helper) { return "docker-credential-" + helper; }

Result<> check_helper_name(const std::string& helper) {
  if (is_helper_name(helper)) return {};
  return Error::make(ErrorKind::kInvalid, "'{}' is no name of a credential helper", helper);
}

Result<os::Exit> run_helper(const std::string& helper, const char* verb, const std::string& input,
                            os::Processes& processes, std::stop_token stop) {
  os::Command command;
  command.argv = {program_of(helper), verb};
  command.inherit_env = true;
  command.timeout_seconds = kHelperSeconds;
  command.max_output_bytes = 1u << 20;
  command.stdin_bytes = input;
  return processes.run(command, stop);
}

std::string helper_for(const std::string& host, const Json& file) {
  const std::string& own = file["credHelpers"][host].as_string();
  return own.empty() ? file["credsStore"].as_string() : own;
}

Result<std::optional<Login>> ask_helper(const std::string& helper, const std::string& host, os::Processes& processes,
                                        std::stop_token stop) {
  TRY(check_helper_name(helper));
  const std::string program = program_of(helper);
  auto ran = run_helper(helper, "get", host, processes, stop);
  if (!ran) return std::move(ran).error().while_doing("asking '{}' for credentials of '{}'", program, host);
  if (!ran->ok() && (ran->out + ran->err).find(kNotFound) != std::string::npos) return std::optional<Login>();
  if (!ran->ok())
    return Error::make(ErrorKind::kUnavailable, "'{}' failed for '{}' with exit code {}", program, host, ran->code)
        .hint(fmt::format("try it: echo {} | {} get", host, program));
  const Json answer = TRY(codec::parse_json(ran->out, program));
  Login out{answer["Username"].as_string(), answer["Secret"].as_string(), {}};
  if (out.user == "<token>") out = {{}, {}, out.password};
  return out.empty() ? std::nullopt : std::optional(out);
}

}  // namespace

std::string Login::basic() const { return password.empty() ? std::string() : to_base64(user + ":" + password); }

LoginPlaces login_places() {
  LoginPlaces out;
  out.given = variable("NACRE_REGISTRY_AUTH");
  if (const std::string file = variable("REGISTRY_AUTH_FILE"); !file.empty()) out.files.emplace_back(file);
  const std::string docker = variable("DOCKER_CONFIG"), home = variable("HOME"), runtime = variable("XDG_RUNTIME_DIR");
  const os::Path folder = docker.empty() ? os::Path(home.empty() ? "/root" : home) / ".docker" : os::Path(docker);
  out.files.push_back(folder / "config.json");
  if (!runtime.empty()) out.files.push_back(os::Path(runtime) / "containers/auth.json");
  return out;
}

Result<Login> login_for(const std::string& host, std::string_view repository, const LoginPlaces& places,
                        os::Processes& processes, std::stop_token stop) {
  if (!places.given.empty()) return from_basic(places.given);
  for (const os::Path& path : places.files) {
    const auto text = os::read_file(path, 1u << 20);
    const auto file = text ? codec::parse_json(*text, path.string()) : Result<Json>(Json());
    if (!file) continue;
    if (auto own = own_entry(*file, host, repository)) return *std::move(own);
    const std::string helper = helper_for(host, *file);
    if (helper.empty()) continue;
    std::optional<Login> asked = TRY(ask_helper(helper, host, processes, stop));
    if (asked) return *std::move(asked);
  }
  return Login();
}

Result<std::string> keep_login(const std::string& host, const Login& login, const LoginPlaces& places,
                               os::Processes& processes, std::stop_token stop) {
  const os::Path& path = places.files.front();
  Json file = Json::object();
  if (os::exists(path)) {
    const std::string text = TRY(os::read_file(path, 1u << 20));
    if (!text.empty()) file = TRY(codec::parse_json(text, path.string()));
  }
  if (const std::string helper = helper_for(host, file); !helper.empty()) {
    TRY(check_helper_name(helper));
    const Json entry = Json::object({{"ServerURL", host}, {"Username", login.user}, {"Secret", login.password}});
    const os::Exit ran = TRY(run_helper(helper, "store", codec::to_json(entry), processes, stop),
                             "giving '{}' the login of '{}'", program_of(helper), host);
    if (!ran.ok())
      return Error::make(ErrorKind::kUnavailable, "'{}' did not keep the login of '{}': exit code {}",
                         program_of(helper), host, ran.code);
    return program_of(helper);
  }
  Json auths = file["auths"].is_object() ? file["auths"] : Json::object();
  auths.set(host, Json::object({{"auth", login.basic()}}));
  file.set("auths", std::move(auths));
  TRY(os::make_dirs(path.parent_path(), 0700));
  TRY(os::write_file(path, codec::to_pretty_json(file), 0600));
  return path.string();
}

}  // namespace nacre::publish
