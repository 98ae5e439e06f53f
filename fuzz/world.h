#pragma once

#include "base/env.h"
#include "base/events.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "store/store.h"

#include <cstdlib>
#include <memory>

// What targets share that read something of a store or of a server.
namespace nacre::fuzz {

/// Nobody may be asked.
class NoHttp final : public net::Http {
 public:
  Result<net::Response> send(const net::Request&, std::stop_token) override { std::abort(); }
};

/// A store of its own in /tmp, and a server. begin() before each input: the store does not grow for ever.
template <class Server>
class World {
 public:
  World() { renew(); }
  void begin() {
    if (++inputs_ % kInputsOfAStore == 0) renew();
  }
  Env& env() { return *env_; }
  store::Store& store() { return *store_; }
  const os::Path& folder() const { return folder_->path(); }
  Server http;

 private:
  static constexpr std::size_t kInputsOfAStore = 2'000;
  void renew() {
    env_.reset();
    store_.reset();
    folder_ = std::make_unique<os::TempDir>(*os::TempDir::create("/tmp", "nacre-fuzz-"));
    store_ = *store::Store::open(folder_->path());
    env_ = std::make_unique<Env>(Env{processes_, clock_, http, *store_, events_, {}});
  }

  os::SystemProcesses processes_;
  os::FakeClock clock_;
  NoEvents events_;
  std::size_t inputs_ = 0;
  std::unique_ptr<os::TempDir> folder_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Env> env_;
};

}  // namespace nacre::fuzz
