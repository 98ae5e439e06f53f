#pragma once

#include "base/edition.h"
#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "codec/json.h"
#include "index/index.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::index {

/// An image of a channel that stays at one serial's digest, wherever the channel goes.
struct ImagePin {
  std::string image;
  std::uint64_t serial = 0;
  Sha256 digest;           ///< Of the image in that serial.
  std::int64_t since = 0;  ///< Seconds since 1970, UTC.
  std::string reason;
};

/// A name for one serial of an edition, which may come to name another: docs/channels.md. `edge` names the newest with
/// every publish; `stable` follows what has soaked on edge; people make others.
struct Channel {
  Edition edition = Edition::kCommunity;
  std::string name;
  std::uint64_t serial = 0;
  std::int64_t since = 0;        ///< When it came to name this serial.
  std::string reason;            ///< Why it does.
  std::string pinned;            ///< Why it may not move; empty: it may.
  std::uint64_t above = 0;       ///< It was set back from here: who follows takes only what came later.
  std::vector<ImagePin> images;  ///< Sorted by image.
  std::uint64_t moves = 0;       ///< How many lines its history has.
};
codec::Json to_json(const Channel& channel);

/// One line of a channel's history.
struct ChannelMove {
  enum class What { kMoved, kPinned, kUnpinned };
  What what = What::kMoved;
  std::int64_t at = 0;
  std::uint64_t serial = 0;  ///< That the channel named then; of an image: that it was pinned to, or came from.
  std::string image;         ///< That was pinned or unpinned; empty: the channel.
  std::string reason;
};
std::string_view name_of(ChannelMove::What what);

inline constexpr std::string_view kEdge = "edge", kStable = "stable";

/// Lower-case letters, digits, '.', '_' and '-', from a letter on, at most 64, and nothing that names something else in
/// a registry or a repository: "latest", "serial", "serial-…", "sha256-…", "keys", "tuf".
Result<> check_channel_name(std::string_view name);

/// Sorted by name; `edge` is there as soon as something is published.
Result<std::vector<Channel>> list_channels(Env& env, Edition edition);
Result<std::optional<Channel>> find_channel(Env& env, Edition edition, std::string_view name);
/// kNotFound, with the nearest name.
Result<Channel> load_channel(Env& env, Edition edition, std::string_view name);
/// Oldest first. What edge named before channels were recorded is not in it.
Result<std::vector<ChannelMove>> channel_history(Env& env, Edition edition, std::string_view name);

// What people say. Each is one transaction, and is on disk before the call returns. kConflict for a channel that is
// pinned (but for the pins themselves), kNotFound for a serial or an image that is not there.

/// Names `serial` from now on; a channel that is new is made. An older one than before is a roll-back: `above` then
/// keeps who follows from coming back. kInvalid for edge: that moves by publishing (a roll-back of edge is a new
/// serial).
Result<Channel> set_channel(Env& env, Edition edition, std::string_view name, std::uint64_t serial,
                            const std::string& reason);
/// The same with the serial that it named before this one. kNotFound: it named no older one.
Result<Channel> set_channel_back(Env& env, Edition edition, std::string_view name, const std::string& reason);
Result<Channel> pin_channel(Env& env, Edition edition, std::string_view name, const std::string& reason);
/// An edge that is not pinned any more names the newest serial at once.
Result<Channel> unpin_channel(Env& env, Edition edition, std::string_view name);
/// `serial` 0: where the channel is.
Result<Channel> pin_image(Env& env, Edition edition, std::string_view name, const std::string& image,
                          std::uint64_t serial, const std::string& reason);
Result<Channel> unpin_image(Env& env, Edition edition, std::string_view name, const std::string& image);

// What machines do.

/// Makes edge name the newest serial unless it is pinned. publish_serial() does that in its own transaction; this is
/// for who wants to be sure. nullopt: nothing is published.
Result<std::optional<Channel>> follow_edge(Env& env, Edition edition);

/// Names `to`, when the channel names `from` still (0: it is new) and is not pinned; kConflict otherwise.
Result<Channel> advance_channel(Env& env, Edition edition, std::string_view name, std::uint64_t from, std::uint64_t to,
                                const std::string& reason);

/// A serial that edge named.
struct EdgeStep {
  std::uint64_t serial = 0;
  std::int64_t since = 0;       ///< When.
  std::int64_t soaks_from = 0;  ///< As `since`; of a roll-back, when its content was first on edge.
  std::uint64_t rolled_back_to = 0;
};
/// A serial that may not be named, or not yet.
struct WhyNot {
  std::uint64_t serial = 0;
  std::string why;
  std::int64_t due = 0;      ///< When it will have soaked; 0: never by itself.
  std::int64_t refused = 0;  ///< Since when the channel's judge refuses it; 0: it does not.
};
/// "on edge for 2 h of 3 d, until 2026-11-28T10:00:00Z", "refused since …: why"
std::string why_of(const WhyNot& row);
/// "not serial 5: on edge for 2 h of 3 d, until 2026-11-28T10:00:00Z", "not serial 5: refused since …: why"
std::string render(const WhyNot& row);
codec::Json to_json(const WhyNot& row);
/// What a channel that follows edge may name, newest first.
struct SoakChoice {
  std::vector<std::uint64_t> ready;
  std::vector<WhyNot> waiting;
};
/// What edge named that is newer than `from`, oldest first.
Result<std::vector<EdgeStep>> edge_since(Env& env, Edition edition, std::uint64_t from);
/// Which of edge's serials (oldest first) a channel that names `present` (0: none) should come to name: newer than that
/// and than `above`, on edge since `soak_seconds` at least, and not taken back by a roll-back of edge. The content of a
/// roll-back has soaked since it was first there. Pure.
SoakChoice choose_after_soak(std::span<const EdgeStep> edge, std::uint64_t present, std::uint64_t above,
                             std::int64_t now, std::int64_t soak_seconds);

/// What else must hold of a serial: words for what does not; none: it may be named.
using Judge = std::function<Result<std::vector<std::string>>(const Serial& serial)>;

/// A serial that the judge of a channel did not let in. Kept by follow_channel(), also when it is over.
struct Refusal {
  std::uint64_t serial = 0;
  std::int64_t since = 0;  ///< When it was refused first.
  std::int64_t until = 0;  ///< When nothing stood against it any more; 0: the refusal stands.
  std::string words;       ///< What the judge said last.
};
/// By serial.
Result<std::vector<Refusal>> channel_refusals(Env& env, Edition edition, std::string_view name);

/// What follow_channel() did.
struct FollowReport {
  Channel channel;
  std::uint64_t before = 0;       ///< 0: it was made now.
  std::vector<WhyNot> not_newer;  ///< Why it names none of these, newest first.
  bool moved() const { return channel.serial != before; }
};
/// Lets a channel follow edge: the newest serial that has soaked and that `judge` has nothing against. A channel that
/// is pinned stays, and the report says so. nullopt: there is no such channel, and nothing that it could name yet.
Result<std::optional<FollowReport>> follow_channel(Env& env, Edition edition, std::string_view name,
                                                   std::int64_t soak_seconds, const Judge& judge);

/// A channel, and why it names nothing newer.
struct ChannelState {
  Channel channel;  ///< serial 0: it is not there yet.
  std::vector<WhyNot> not_newer;
};
/// Why a channel that follows edge after `soak_seconds` names none of these, newest first; nothing is judged anew.
Result<std::vector<WhyNot>> why_not_newer(Env& env, const Channel& channel, std::int64_t soak_seconds);

// Every state of an edition by a word.

/// What a word names: "12", "2026-11-28" (the newest of that day, UTC), "2026-11-28T10:00:00Z" (the newest then),
/// "stable"; also with '@' before it.
struct Moment {
  Serial serial;        ///< Images of a channel stand as it pins them.
  std::string channel;  ///< Its name; empty: not by a channel.
  bool fixed = true;    ///< It names the same for ever: not a channel, nor a time that has not passed.
};
/// kInvalid for what is no such word, kNotFound for what is not there.
Result<Moment> serial_at(Env& env, Edition edition, std::string_view word);
/// What a channel names, its pinned images in their places.
Result<Serial> serial_of(Env& env, const Channel& channel);
/// The image's entry as the channel has it; nullopt: it has none.
Result<std::optional<SerialImage>> image_of(Env& env, const Channel& channel, std::string_view image);

}  // namespace nacre::index
