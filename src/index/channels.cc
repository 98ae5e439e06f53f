#include "index/channels.h"

#include "base/text.h"
#include "index/fields.h"
#include "index/records.h"
#include "os/clock.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::index {
namespace {

using codec::Json;

constexpr std::string_view kKind = "channel", kMoveKind = "channel-move";
constexpr std::size_t kMaxName = 64;

std::string key_of(Edition edition, std::string_view name) { return fmt::format("{}/{}", name_of(edition), name); }

Json pin_to_json(const ImagePin& pin) {
  Json out;
  out.set("image", pin.image).set("serial", pin.serial).set("digest", pin.digest.oci());
  return out.set("since", pin.since).set("reason", pin.reason);
}

Json record_of(const Channel& channel) {
  Json images = Json::array(), out;
  for (const ImagePin& pin : channel.images) images.push(pin_to_json(pin));
  out.set("serial", channel.serial).set("since", channel.since).set("reason", channel.reason);
  out.set("pinned", channel.pinned).set("above", channel.above).set("images", std::move(images));
  return out.set("moves", channel.moves);
}

Result<ImagePin> pin_from_json(const Json& json, const std::string& path) {
  Fields fields = TRY(Fields::of(json, path));
  ImagePin out;
  out.image = TRY(fields.word("image"));
  out.serial = TRY(fields.count("serial"));
  out.digest = TRY(fields.digest("digest"));
  out.since = TRY(fields.time("since"));
  out.reason = TRY(fields.text("reason"));
  TRY(fields.finish());
  return out;
}

Result<Channel> channel_from(std::string_view text, Edition edition, std::string_view name) {
  const std::string source = fmt::format("the record of channel {}", key_of(edition, name));
  const Json json = TRY(codec::parse_json(text, source));
  Fields fields = TRY(Fields::of(json, ""), "reading {}", source);
  Channel out;
  out.edition = edition;
  out.name = name;
  out.serial = TRY(fields.count("serial"), "reading {}", source);
  out.since = TRY(fields.time("since"), "reading {}", source);
  out.reason = TRY(fields.text("reason"), "reading {}", source);
  out.pinned = TRY(fields.text("pinned"), "reading {}", source);
  out.above = TRY(fields.count("above"), "reading {}", source);
  out.moves = TRY(fields.count("moves"), "reading {}", source);
  const Json* images = TRY(fields.list("images"), "reading {}", source);
  for (const Json& item : images->items())
    out.images.push_back(TRY(pin_from_json(item, fmt::format("images[{}]", out.images.size()))));
  TRY(fields.finish(), "reading {}", source);
  return out;
}

Result<std::optional<Channel>> recorded(store::State& state, Edition edition, std::string_view name) {
  const std::optional<std::string> text = TRY(state.get(kKind, key_of(edition, name)));
  if (!text) return std::optional<Channel>();
  Channel channel = TRY(channel_from(*text, edition, name));
  return std::optional(std::move(channel));
}

/// Within a transaction: the channel as it is now, and a line of its history.
Result<> record(store::State& state, Channel& channel, const ChannelMove& move) {
  Json line;
  line.set("what", name_of(move.what)).set("at", move.at).set("serial", move.serial);
  line.set("image", move.image).set("reason", move.reason);
  const std::string key = key_of(channel.edition, channel.name);
  TRY(state.put(kMoveKind, fmt::format("{}/{}", key, serial_key(++channel.moves)), codec::to_json(line)));
  return state.put(kKind, key, codec::to_json(record_of(channel)));
}

Result<> move(store::State& state, Channel& channel, std::uint64_t serial, std::int64_t at, const std::string& reason) {
  if (serial < channel.serial) channel.above = std::max(channel.above, channel.serial);
  channel.serial = serial;
  channel.since = at;
  channel.reason = reason;
  return record(state, channel, {ChannelMove::What::kMoved, at, serial, "", reason});
}

Error pinned_error(const Channel& channel) {
  return Error::make(ErrorKind::kConflict, "channel '{}' of edition {} is pinned to serial {}: {}", channel.name,
                     name_of(channel.edition), channel.serial, channel.pinned)
      .hint(fmt::format("`nacre farm channel unpin {}` lets it go", channel.name));
}

/// What `change` makes of a channel, in one transaction.
Result<Channel> edit(Env& env, Edition edition, std::string_view name,
                     const std::function<Result<>(Channel& channel)>& change) {
  store::State& state = env.store.state();
  std::optional<Channel> out;
  const auto work = [&]() -> Result<> {
    out = TRY(find_channel(env, edition, name));
    if (!out) {
      out.emplace();
      out->edition = edition;
      out->name = name;
    }
    return change(*out);
  };
  TRY(state.transaction(work));
  return *std::move(out);
}

Result<> must_be_there(const Channel& channel) {
  if (channel.serial > 0) return {};
  return Error::make(ErrorKind::kNotFound, "edition {} has no channel '{}'", name_of(channel.edition), channel.name)
      .hint("`nacre farm channel` lists them; `nacre farm channel set NAME SERIAL` makes one");
}

std::string_view check_reason(std::string_view reason) { return reason.empty() ? "without a reason" : reason; }

}  // namespace

std::string_view name_of(ChannelMove::What what) {
  switch (what) {
    case ChannelMove::What::kMoved: return "moved";
    case ChannelMove::What::kPinned: return "pinned";
    case ChannelMove::What::kUnpinned: return "unpinned";
  }
  return "";
}

Json to_json(const Channel& channel) {
  Json images = Json::array(), out;
  for (const ImagePin& pin : channel.images) {
    Json row = pin_to_json(pin);
    images.push(row.set("since", os::rfc3339(pin.since)));
  }
  out.set("channel", channel.name).set("edition", name_of(channel.edition)).set("serial", channel.serial);
  out.set("since", os::rfc3339(channel.since)).set("reason", channel.reason);
  out.set("pinned", channel.pinned.empty() ? Json() : Json(channel.pinned));
  if (channel.above > 0) out.set("onlyAbove", channel.above);
  return out.set("images", std::move(images));
}

Result<> check_channel_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > kMaxName || name[0] < 'a' || name[0] > 'z' ||
      !std::all_of(name.begin(), name.end(), fits))
    return Error::make(ErrorKind::kInvalid, "'{}' cannot name a channel", name.substr(0, 2 * kMaxName))
        .hint(fmt::format("lower-case letters, digits, '.', '_' and '-', from a letter on, at most {}", kMaxName));
  for (const std::string_view taken : {"latest", "serial", "keys", "tuf"})
    if (name == taken) return Error::make(ErrorKind::kInvalid, "'{}' names something else, and no channel", name);
  if (name.starts_with("serial-") || name.starts_with("sha256-"))
    return Error::make(ErrorKind::kInvalid, "'{}' names something else, and no channel", name)
        .hint("tags of images begin so");
  return {};
}

Result<std::optional<Channel>> find_channel(Env& env, Edition edition, std::string_view name) {
  std::optional<Channel> known = TRY(recorded(env.store.state(), edition, name));
  if (known || name != kEdge) return known;
  // What was published before there were channels.
  const std::optional<Serial> newest = TRY(head(env, edition));
  if (!newest) return std::optional<Channel>();
  Channel edge;
  edge.edition = edition;
  edge.name = kEdge;
  edge.serial = newest->number;
  edge.since = newest->published;
  edge.reason = newest->reason;
  return std::optional(std::move(edge));
}

Result<std::vector<Channel>> list_channels(Env& env, Edition edition) {
  std::vector<Channel> out;
  const std::string prefix = key_of(edition, "");
  const auto rows = TRY(env.store.state().list(kKind, prefix));
  for (const auto& [key, text] : rows) out.push_back(TRY(channel_from(text, edition, key.substr(prefix.size()))));
  const auto is_edge = [](const Channel& channel) { return channel.name == kEdge; };
  if (std::none_of(out.begin(), out.end(), is_edge))
    if (auto edge = TRY(find_channel(env, edition, kEdge))) out.push_back(*std::move(edge));
  std::sort(out.begin(), out.end(), [](const Channel& a, const Channel& b) { return a.name < b.name; });
  return out;
}

Result<Channel> load_channel(Env& env, Edition edition, std::string_view name) {
  std::optional<Channel> found = TRY(find_channel(env, edition, name));
  if (found) return *std::move(found);
  std::vector<std::string> names;
  const std::vector<Channel> all = TRY(list_channels(env, edition));
  for (const Channel& channel : all) names.push_back(channel.name);
  const std::string hint = nearest_hint(name, names);
  return Error::make(ErrorKind::kNotFound, "edition {} has no channel '{}'", name_of(edition), name)
      .hint(!hint.empty()   ? hint
            : names.empty() ? "nothing was published in this edition yet"
                            : "there are " + join(names, ", "));
}

Result<std::vector<ChannelMove>> channel_history(Env& env, Edition edition, std::string_view name) {
  std::vector<ChannelMove> out;
  const auto rows = TRY(env.store.state().list(kMoveKind, key_of(edition, name) + "/"));
  for (const auto& [key, text] : rows) {
    const Json json = TRY(codec::parse_json(text, key));
    Fields fields = TRY(Fields::of(json, key));
    ChannelMove move;
    const std::string what = TRY(fields.text("what"));
    for (const auto one : {ChannelMove::What::kPinned, ChannelMove::What::kUnpinned})
      if (what == name_of(one)) move.what = one;
    move.at = TRY(fields.time("at"));
    move.serial = TRY(fields.count("serial"));
    move.image = TRY(fields.text("image"));
    move.reason = TRY(fields.text("reason"));
    out.push_back(std::move(move));
  }
  return out;
}

Result<Channel> set_channel(Env& env, Edition edition, std::string_view name, std::uint64_t serial,
                            const std::string& reason) {
  TRY(check_channel_name(name));
  if (name == kEdge)
    return Error::make(ErrorKind::kInvalid, "edge names the newest serial, and moves by publishing")
        .hint("`nacre rollback SERIAL` publishes what an older one held");
  (void)TRY(load_serial(env, edition, serial));
  return edit(env, edition, name, [&](Channel& channel) -> Result<> {
    if (!channel.pinned.empty()) return pinned_error(channel);
    if (channel.serial == serial) return {};
    return move(env.store.state(), channel, serial, env.clock.now_seconds(), std::string(check_reason(reason)));
  });
}

Result<Channel> advance_channel(Env& env, Edition edition, std::string_view name, std::uint64_t from, std::uint64_t to,
                                const std::string& reason) {
  return edit(env, edition, name, [&](Channel& channel) -> Result<> {
    if (channel.serial != from || !channel.pinned.empty())
      return Error::make(ErrorKind::kConflict, "channel '{}' of edition {} was changed meanwhile", name,
                         name_of(edition))
          .hint("run the same command again");
    return move(env.store.state(), channel, to, env.clock.now_seconds(), reason);
  });
}

Result<Channel> set_channel_back(Env& env, Edition edition, std::string_view name, const std::string& reason) {
  const Channel now = TRY(load_channel(env, edition, name));
  const std::vector<ChannelMove> history = TRY(channel_history(env, edition, name));
  for (auto move = history.rbegin(); move != history.rend(); ++move)
    if (move->what == ChannelMove::What::kMoved && move->serial < now.serial)
      return set_channel(env, edition, name, move->serial, reason);
  return Error::make(ErrorKind::kNotFound, "channel '{}' of edition {} named no older serial than {}", name,
                     name_of(edition), now.serial)
      .hint("name one: `nacre serials` lists them");
}

Result<Channel> pin_channel(Env& env, Edition edition, std::string_view name, const std::string& reason) {
  return edit(env, edition, name, [&](Channel& channel) -> Result<> {
    TRY(must_be_there(channel));
    channel.pinned = check_reason(reason);
    return record(env.store.state(), channel,
                  {ChannelMove::What::kPinned, env.clock.now_seconds(), channel.serial, "", channel.pinned});
  });
}

Result<Channel> unpin_channel(Env& env, Edition edition, std::string_view name) {
  store::State& state = env.store.state();
  return edit(env, edition, name, [&](Channel& channel) -> Result<> {
    TRY(must_be_there(channel));
    if (channel.pinned.empty())
      return Error::make(ErrorKind::kConflict, "channel '{}' of edition {} is not pinned", name, name_of(edition));
    channel.pinned.clear();
    const std::int64_t now = env.clock.now_seconds();
    TRY(record(state, channel, {ChannelMove::What::kUnpinned, now, channel.serial, "", ""}));
    if (name != kEdge) return {};
    const std::optional<Head> newest = TRY(head_record(state, edition));
    if (!newest || newest->number == channel.serial) return {};
    return move(state, channel, newest->number, now, "the newest serial, when the pin was taken away");
  });
}

Result<Channel> pin_image(Env& env, Edition edition, std::string_view name, const std::string& image,
                          std::uint64_t serial, const std::string& reason) {
  const Channel before = TRY(load_channel(env, edition, name));
  const Serial from = TRY(load_serial(env, edition, serial == 0 ? before.serial : serial));
  std::vector<std::string> names;
  const SerialImage* found = nullptr;
  for (const SerialImage& one : from.images) {
    names.push_back(one.name);
    if (one.name == image) found = &one;
  }
  if (found == nullptr)
    return Error::make(ErrorKind::kNotFound, "serial {} of edition {} has no image '{}'", from.number, name_of(edition),
                       image)
        .hint(nearest_hint(image, names));
  const std::int64_t now = env.clock.now_seconds();
  ImagePin pin{image, from.number, found->index_digest, now, std::string(check_reason(reason))};
  return edit(env, edition, name, [&](Channel& channel) -> Result<> {
    std::erase_if(channel.images, [&](const ImagePin& old) { return old.image == image; });
    channel.images.push_back(pin);
    std::sort(channel.images.begin(), channel.images.end(),
              [](const ImagePin& a, const ImagePin& b) { return a.image < b.image; });
    return record(env.store.state(), channel, {ChannelMove::What::kPinned, now, pin.serial, image, pin.reason});
  });
}

Result<Channel> unpin_image(Env& env, Edition edition, std::string_view name, const std::string& image) {
  return edit(env, edition, name, [&](Channel& channel) -> Result<> {
    TRY(must_be_there(channel));
    const auto is_it = [&](const ImagePin& pin) { return pin.image == image; };
    const auto pin = std::find_if(channel.images.begin(), channel.images.end(), is_it);
    if (pin == channel.images.end())
      return Error::make(ErrorKind::kConflict, "image '{}' is not pinned in channel '{}' of edition {}", image, name,
                         name_of(edition));
    const std::uint64_t from = pin->serial;
    channel.images.erase(pin);
    return record(env.store.state(), channel, {ChannelMove::What::kUnpinned, env.clock.now_seconds(), from, image, ""});
  });
}

Result<> move_edge(store::State& state, const Serial& next) {
  std::optional<Channel> edge = TRY(recorded(state, next.edition, kEdge));
  if (!edge) {
    edge.emplace();
    edge->edition = next.edition;
    edge->name = kEdge;
  }
  if (!edge->pinned.empty()) return {};
  return move(state, *edge, next.number, next.published, next.reason);
}

Result<std::optional<Channel>> follow_edge(Env& env, Edition edition) {
  const std::optional<Serial> newest = TRY(head(env, edition));
  if (!newest) return std::optional<Channel>();
  Channel edge = TRY(edit(env, edition, kEdge, [&](Channel& channel) -> Result<> {
    // Another process may have published since: edge never goes back here.
    if (!channel.pinned.empty() || (channel.moves > 0 && channel.serial >= newest->number)) return {};
    return move(env.store.state(), channel, newest->number, newest->published, newest->reason);
  }));
  return std::optional(std::move(edge));
}

}  // namespace nacre::index
