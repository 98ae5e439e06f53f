#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "os/file.h"
#include "os/process.h"

namespace nacre::publish {

/// What a client says of itself to a registry. All empty: nothing is known.
struct Login {
  std::string user, password;
  std::string identity_token;  ///< Of an OAuth2 login: buys access tokens, in place of a password.

  bool empty() const { return user.empty() && password.empty() && identity_token.empty(); }
  std::string basic() const;  ///< "USER:PASSWORD" in base64; empty where there is no password.
};

/// Where they are looked for: the first file that knows the host.
struct LoginPlaces {
  std::string given;            ///< "USER:PASSWORD" for whatever host; before all files.
  std::vector<os::Path> files;  ///< In docker's format: auths, credHelpers, credsStore.
};

/// NACRE_REGISTRY_AUTH; the files of REGISTRY_AUTH_FILE, DOCKER_CONFIG (or ~/.docker), XDG_RUNTIME_DIR/containers.
LoginPlaces login_places();

/// Credentials for a repository of HOST or HOST:PORT: an entry of its own in `auths` (of HOST/NAME, then of what
/// stands above it, down to HOST), else its helper, else the helper for all. A
/// helper is the program docker-credential-NAME, asked as docker asks it; one that knows nothing of the host is no
/// error, one that cannot be run is kUnavailable. Files that are absent or no JSON count as empty.
Result<Login> login_for(const std::string& host, std::string_view repository, const LoginPlaces& places,
                        os::Processes& processes, std::stop_token stop = {});

/// Writes down what login_for() will find, readable by this user alone: through the helper that the first file names,
/// else into that file's `auths`. Gives the place. kInvalid for a file that is no JSON: it is left as it is.
Result<std::string> keep_login(const std::string& host, const Login& login, const LoginPlaces& places,
                               os::Processes& processes, std::stop_token stop = {});

}  // namespace nacre::publish
