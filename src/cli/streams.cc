#include "cli/streams.h"

#include "farm/streams.h"
#include "os/clock.h"

#include <algorithm>

namespace nacre::cli {

Result<StreamState> apply_streams(Distribution& os, const std::vector<std::string>& only, os::Clock& clock) {
  StreamState out;
  const Path file = os.folder / "streams.yaml";
  if (!os::exists(file)) return out;
  std::string text = TRY(os::read_file(file));
  const codec::YamlTree tree = TRY(codec::parse_yaml(std::move(text), file.string()));
  const std::vector<farm::Stream> streams = TRY(farm::read_streams(tree));
  const farm::Day today = farm::day_of(clock.now_seconds());
  std::vector<std::string> gone;
  for (const definition::Definition& definition : os.definitions) {
    const farm::Stream* stream = farm::stream_of(streams, definition.name);
    const farm::Support support = stream == nullptr ? farm::Support::kSupported : farm::support_at(*stream, today);
    if (support == farm::Support::kSupported) continue;
    index::Notice notice;
    notice.kind = index::Notice::Kind::kEndOfLife;
    notice.reason = farm::reason_of(*stream);
    notice.since = stream->end * 86400;
    notice.until = (stream->waived ? std::max(stream->waived->until, stream->last_day()) : stream->last_day()) * 86400;
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

}  // namespace nacre::cli
