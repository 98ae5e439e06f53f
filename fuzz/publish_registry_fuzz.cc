#include "base/text.h"
#include "codec/digest.h"
#include "fuzz/world.h"
#include "publish/registry.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>

using namespace nacre;

namespace {

/// A registry whose answers are the lines of the input. The first is what tag "1" means and its first byte the status
/// of the first answer; "@N" in a line stands for the digest of line N, which must come later.
class HostileRegistry final : public net::Http {
 public:
  void say(std::string_view bytes) {
    answers_.clear();
    asked_ = 0;
    std::vector<std::string> lines = split(bytes, '\n');
    if (lines.size() > 10) lines.resize(10);
    for (std::size_t i = lines.size(); i-- > 0;) {
      for (std::size_t later = i + 1; later < lines.size(); ++later)
        lines[i] = replace_all(std::move(lines[i]), fmt::format("@{}", later), codec::sha256(lines[later]).oci());
      answers_[codec::sha256(lines[i]).oci()] = lines[i];
    }
    answers_["1"] = lines[0];
  }
  Result<net::Response> send(const net::Request& request, std::stop_token) override {
    if (++asked_ > 5'000) std::abort();  // a pull is bounded
    net::Response out;
    const std::size_t slash = request.url.rfind('/');
    const auto found = answers_.find(request.url.substr(slash + 1));
    out.status = found == answers_.end() ? 404 : 200;
    if (found != answers_.end()) out.body = found->second;
    if (asked_ == 1 && !out.body.empty() && out.body[0] == '?') {
      out.status = 401;
      out.headers["www-authenticate"] = out.body.substr(1);
    }
    if (out.body.size() > request.max_bytes) return Error::make(ErrorKind::kInvalid, "too long");
    if (out.status == 200 && request.sink) {
      TRY(request.sink(out.body));
      out.body.clear();
    }
    return out;
  }

 private:
  std::map<std::string, std::string> answers_;
  int asked_ = 0;
};

}  // namespace

// Whatever a registry answers: no crash, an end, and only blobs that have the digest asked for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::World<HostileRegistry> world;
  world.begin();
  world.http.say({reinterpret_cast<const char*>(data), size});
  publish::Registry registry(world.env(), *publish::parse_reference("127.0.0.1:5000/a/b:1"));
  const auto digest = registry.pull("1");
  if (digest && !world.store().check(*digest)) std::abort();
  (void)registry.referrers(codec::sha256("x"));
  return 0;
}
