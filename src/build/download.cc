#include "build/download.h"

#include "net/http.h"
#include "os/clock.h"

namespace nacre::build {
namespace {

constexpr int kResumes = 3;
/// Slower than this is as good as no answer: there are other places.
constexpr double kLeastBytesPerSecond = 1 << 10;

}  // namespace

Result<Got> download(const std::string& url, const os::Path& partial, std::uint64_t max_bytes, const Task& task,
                     Env& env) {
  net::Request request;
  request.url = url;
  request.max_bytes = max_bytes;
  request.least_bytes_per_second = kLeastBytesPerSecond;
  request.on_progress = [&](std::uint64_t done, std::uint64_t total) { task.progress(done, total); };
  net::DownloadRules rules;
  rules.max_resumes = kResumes;
  rules.pause = [&](double seconds) {
    env.clock.sleep(seconds);
    return !env.stop.stop_requested();
  };
  const net::Response answer = TRY(net::download(env.http, std::move(request), partial, env.stop, rules));
  TRY(net::expect_success(answer, url));
  return answer.pieced ? Got::kResumed : Got::kWhole;
}

}  // namespace nacre::build
