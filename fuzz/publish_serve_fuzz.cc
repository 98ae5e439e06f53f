#include "base/text.h"
#include "fuzz/world.h"
#include "publish/serve.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

// A request: path, parameters "NAME=VALUE" and headers "NAME:VALUE", one a line. Whatever it asks for, no file outside
// of the store is named, and no answer is a fault of ours.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::World<fuzz::NoHttp> world;
  static const net::Handler handler = publish::make_handler(world.env(), {(world.folder() / "keys").string(), "http"});
  net::ServerRequest request;
  request.method = size % 2 == 0 ? "GET" : "HEAD";
  for (const std::string& line : split(std::string_view(reinterpret_cast<const char*>(data), size), '\n')) {
    const std::size_t mark = line.find_first_of("=:");
    if (request.path.empty()) request.path = line;
    else if (mark == std::string::npos) continue;
    else (line[mark] == '=' ? request.params : request.headers)[line.substr(0, mark)] = line.substr(mark + 1);
  }
  const net::ServerResponse answer = handler(request);
  if (answer.status < 200 || answer.status >= 500) std::abort();
  const std::string file = answer.file.lexically_normal().string();
  if (!file.empty() && !file.starts_with(world.folder().string() + "/")) std::abort();
  return 0;
}
