#pragma once

#include "farm/ledger.h"
#include "farm/schedule.h"
#include "index/channels.h"
#include "index/notices.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::farm {

/// A build that may wait for its next change (docs/decisions/0054).
struct PutOff {
  std::string definition, why;
  std::int64_t until = 0;  ///< Then it is built in any case.
};

/// What the page of a farm shows.
struct PageData {
  std::vector<Change> changes;     ///< All.
  std::map<std::int64_t, std::string> doing;  ///< Of those that run here: the last line of their log.
  std::vector<Transition> recent;             ///< The newest first.
  std::vector<Upstream> upstreams;
  std::vector<index::Serial> serials;  ///< The newest first.
  std::vector<index::ChannelState> channels;
  std::vector<index::Notice> notices;  ///< What was withdrawn, and what came to its end of life.
  std::vector<PutOff> put_off;
  std::string vulnerabilities;  ///< By which data the last candidate was judged; empty: none was yet.
  bool paused = false;
  std::int64_t now = 0;
};

/// One read-only page without scripts, that loads itself anew: what is under way and why, what is put off, channels
/// with what waits for them, what is withdrawn, the last serials, upstreams, what came to an end and how long each
/// stage took. Every name from outside is escaped.
std::string render_page(const PageData& data);

/// What is kept of a change on this machine; empty: nothing.
struct ChangeTexts {
  std::string gates;  ///< What they said.
  std::string diff;   ///< What it changes of what is published, when it failed.
  std::string log;    ///< Its end.
};
/// One change: its history, its error, and those texts, with a link to the whole log.
std::string render_change(const Change& change, const std::vector<Transition>& history, const ChangeTexts& texts,
                          std::int64_t now);

/// Stands with the rest of the state: "ready for built", "running published", "red at tested".
std::string standing(const Change& change, std::int64_t now);

}  // namespace nacre::farm
