#include "fuzz/world.h"
#include "watch/feeds.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

namespace {

/// A feed that says the input, whatever it is asked.
class OneAnswer final : public net::Http {
 public:
  void set(std::string_view body) {
    body_ = body;
    asked_ = 0;
  }
  Result<net::Response> send(const net::Request& request, std::stop_token) override {
    if (++asked_ > 5'000) std::abort();  // a question ends
    net::Response out;
    out.status = 200;
    out.body = body_;
    if (out.body.size() > request.max_bytes) return Error::make(ErrorKind::kInvalid, "too long");
    return out;
  }

 private:
  std::string body_;
  int asked_ = 0;
};

watch::Feeds feeds_of_one() {
  watch::Feeds out;
  for (std::string* place : {&out.github_api, &out.release_monitor, &out.pypi, &out.npm, &out.go_proxy, &out.crates,
                             &out.maven})
    *place = "https://feed.example";
  return out;
}

}  // namespace

// Every feed's answer: the first byte chooses which feed gives it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::World<OneAnswer> world;
  static const watch::Feeds feeds = feeds_of_one();
  world.begin();
  if (size == 0) return 0;
  world.http.set({reinterpret_cast<const char*>(data) + 1, size - 1});
  definition::Update::GitHub github;
  github.identifier = "owner/name";
  github.use_tag = data[0] % 16 >= 8;
  Env& env = world.env();
  switch (data[0] % 8) {
    case 0: (void)watch::ask_github(github, feeds, env); break;
    case 1: (void)watch::ask_release_monitor("1", feeds, env); break;
    case 2: (void)watch::ask_pypi("name", feeds, env); break;
    case 3: (void)watch::ask_npm("name", feeds, env); break;
    case 4: (void)watch::ask_go("example.org/Name", feeds, env); break;
    case 5: (void)watch::ask_crates("name", feeds, env); break;
    case 6: (void)watch::ask_maven("group", "artifact", feeds, env); break;
    default: (void)watch::ask_git("https://git.example/name", env); break;
  }
  return 0;
}
