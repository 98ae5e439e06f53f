#pragma once

#include "base/edition.h"
#include "base/env.h"
#include "base/result.h"
#include "codec/json.h"
#include "index/index.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::index {

/// Why nobody should take a package of an edition any more. It stands beside the serials, which never change: who has
/// an image of before is told, too. docs/channels.md.
struct Notice {
  enum class Kind {
    kWithdrawn,  ///< Taken out of the edition by a person: one version.
    kEndOfLife,  ///< Its stream gets no more releases: every version.
  };
  Kind kind = Kind::kWithdrawn;
  std::string package;
  std::string version;       ///< Empty: every version.
  std::string reason;        ///< One line.
  std::uint64_t serial = 0;  ///< The first serial that does not hold it; 0: of a stream.
  std::int64_t since = 0;    ///< Seconds since 1970, UTC.
  std::int64_t until = 0;    ///< Of a stream: when it leaves the edition; 0: it does not.
};
std::string_view name_of(Notice::Kind kind);  ///< "withdrawn", "end-of-life"
codec::Json to_json(const Notice& notice);
/// "zlib=1.3.1-r0 was withdrawn in serial 9, 2026-11-28: reason"
std::string render(const Notice& notice);

/// Written before the serial that it is about is published: it counts from then on. Publishing that very package again,
/// but for a roll-back, ends it.
Result<> give_notice(Env& env, Edition edition, const Notice& notice);
Result<> take_notice_back(Env& env, Edition edition, const Notice& notice);
/// The streams of an edition that ended, in the place of those that were noted before.
Result<> set_ended_streams(Env& env, Edition edition, const std::vector<Notice>& notices);

/// Those that count now, sorted by package.
Result<std::vector<Notice>> list_notices(Env& env, Edition edition);
/// Those about one of these packages ("name=version").
std::vector<Notice> notices_about(std::span<const Notice> notices, std::span<const std::string> packages);

/// Words for each package of a serial that was withdrawn: what a channel that follows does not come to name.
Result<std::vector<std::string>> withdrawn_in(Env& env, const Serial& serial);

}  // namespace nacre::index
