#include "cli/streams.h"

#include "farm/streams.h"
#include "os/clock.h"

#include <algorithm>
#include <set>

namespace nacre::cli {
namespace {

/// None when there is no streams.yaml.
Result<std::vector<farm::Stream>> streams_in(const Path& os_dir) {
  const Path file = os_dir / "streams.yaml";
  if (!os::exists(file)) return std::vector<farm::Stream>();
  std::string text = TRY(os::read_file(file));
  const codec::YamlTree tree = TRY(codec::parse_yaml(std::move(text), file.string()));
  return farm::read_streams(tree);
}

farm::Support support_of(const farm::Stream* stream, farm::Day today) {
  return stream == nullptr ? farm::Support::kSupported : farm::support_at(*stream, today);
}

/// Without its package.
index::Notice notice_of(const farm::Stream& stream) {
  index::Notice out;
  out.kind = index::Notice::Kind::kEndOfLife;
  out.reason = farm::reason_of(stream);
  out.since = stream.end * 86400;
  out.until = (stream.waived ? std::max(stream.waived->until, stream.last_day()) : stream.last_day()) * 86400;
  return out;
}

}  // namespace

Result<StreamState> apply_streams(Distribution& os, const std::vector<std::string>& only, os::Clock& clock) {
  StreamState out;
  const std::vector<farm::Stream> streams = TRY(streams_in(os.folder));
  const farm::Day today = farm::day_of(clock.now_seconds());
  std::vector<std::string> gone;
  for (const definition::Definition& definition : os.definitions) {
    const farm::Stream* stream = farm::stream_of(streams, definition.name);
    const farm::Support support = support_of(stream, today);
    if (support == farm::Support::kSupported) continue;
    index::Notice notice = notice_of(*stream);
    for (const std::string& package : package_names(definition)) {
      notice.package = package;
      out.notices.push_back(notice);
    }
    if (support != farm::Support::kGone) continue;
    if (std::find(only.begin(), only.end(), definition.name) != only.end())
      return Error::make(ErrorKind::kDenied, "'{}' is published no longer: {}", definition.name, notice.reason)
          .at(stream->place)
          .hint("a person may keep it for a while: `waived: {who: …, reason: …, until: DAY}` there");
    gone.push_back(definition.name);
    out.gone.push_back(definition.name + ": " + notice.reason);
  }
  std::erase_if(os.definitions, [&](const definition::Definition& definition) {
    return std::find(gone.begin(), gone.end(), definition.name) != gone.end();
  });
  return out;
}

Result<std::vector<std::string>> gone_in(const index::Serial& serial, const Path& os_dir, Env& env) {
  std::vector<std::string> out;
  const std::vector<farm::Stream> streams = TRY(streams_in(os_dir));
  if (streams.empty()) return out;
  const std::map<std::string, std::string> ended = TRY(ended_in(serial, os_dir, env.clock));
  const std::vector<index::Notice> known = TRY(index::list_notices(env, serial.edition));
  std::set<std::string> said;
  for (const index::SerialPackage& package : serial.packages) {
    if (!ended.contains(package.record.name)) continue;
    const farm::Stream* stream = farm::stream_of(streams, package.record.origin);
    index::Notice notice = notice_of(*stream);
    notice.package = package.record.name;
    const bool told = std::any_of(known.begin(), known.end(), [&](const index::Notice& other) {
      return other.kind == notice.kind && other.package == notice.package && other.reason == notice.reason;
    });
    if (!told) TRY(index::give_notice(env, serial.edition, notice));
    if (said.insert(package.record.origin).second)
      out.push_back(fmt::format("{} is past its end of life and its grace: {}", package.record.origin, notice.reason));
  }
  return out;
}

Result<std::map<std::string, std::string>> ended_in(const index::Serial& serial, const Path& os_dir, os::Clock& clock) {
  std::map<std::string, std::string> out;
  const std::vector<farm::Stream> streams = TRY(streams_in(os_dir));
  const farm::Day today = farm::day_of(clock.now_seconds());
  for (const index::SerialPackage& package : serial.packages)
    if (support_of(farm::stream_of(streams, package.record.origin), today) == farm::Support::kGone)
      out[package.record.name] = package.record.origin;
  return out;
}

}  // namespace nacre::cli
