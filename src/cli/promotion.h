#pragma once

#include "cli/command.h"
#include "index/channels.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

// How a serial comes into `stable`: docs/channels.md.
namespace nacre::cli {

/// Lets a channel follow edge (index::follow_channel), past what its gates refuse by the rules beside the definitions
/// of `session.os_dir`, and writes the metadata of a channel that moved. What was refused is kept (channel_refusals).
Result<std::optional<index::FollowReport>> follow_soaked(Session& session, Edition edition, std::string_view name,
                                                         std::int64_t soak_seconds);

/// After a channel moved or changed: the edition's metadata, so that clients who were told of versions follow.
Result<> renew_metadata(Session& session, Edition edition);

/// Remembers how long the farm lets a channel soak, for who shows it.
Result<> note_soak(Env& env, Edition edition, std::string_view name, std::int64_t seconds);

/// All channels, and `stable` before it is there; with why they name nothing newer, of those that follow. The soak is
/// the farm's (note_soak), else that of farm.yaml beside the definitions of `session.os_dir`.
Result<std::vector<index::ChannelState>> channel_states(Edition edition, Session& session);

codec::Json to_json(const index::ChannelState& state);
/// "stable           1  2026-11-28T22:31:40Z  soaked for 2.0 s on edge", then a line for each pin and serial.
std::string render(const index::ChannelState& state);

}  // namespace nacre::cli
