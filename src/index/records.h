#pragma once

#include "index/index.h"
#include "store/state.h"

// Inside this room only: the records in the state database that make serials.
//   head            EDITION                     -> number of the newest serial
//   serial/EDITION  number, 20 digits           -> digest of its manifest
//   name/EDITION    NAME-VERSION.ARCH           -> digest of the .apk that this name means for ever
//   channel         EDITION/NAME                -> Channel (index/channels.h), JSON
//   channel-move    EDITION/NAME/number         -> ChannelMove, JSON
//   channel-refusal EDITION/NAME/number         -> Refusal, JSON
//   notice          EDITION/KIND/NAME=VERSION   -> Notice (index/notices.h), JSON
namespace nacre::index {

/// How the table above spells kinds and keys.
std::string serial_kind(Edition edition);
std::string serial_key(std::uint64_t number);
std::string name_kind(Edition edition);

/// The newest serial of an edition.
struct Head {
  std::uint64_t number = 0;
  Sha256 manifest;
};
/// Nothing when there is none yet.
Result<std::optional<Head>> head_record(store::State& state, Edition edition);
Result<std::optional<Sha256>> serial_record(store::State& state, Edition edition,
                                            std::uint64_t number);

/// Within the transaction that publishes `next`: edge names it, unless it is pinned.
Result<> move_edge(store::State& state, const Serial& next);
/// Likewise: what was withdrawn and is published again is not withdrawn any more.
Result<> end_notices(store::State& state, const Serial& next);

}  // namespace nacre::index
