#include "cli/channel_tags.h"

#include "base/events.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/images.h"
#include "cli/kept.h"
#include "cli/push.h"
#include "cli/workshop.h"
#include "index/channels.h"
#include "os/threads.h"
#include "store/store.h"

#include <algorithm>
#include <mutex>

namespace nacre::cli {
namespace {

// Which change of a channel a registry was told of: EDITION/NAME/HOST -> number of its history's lines then, its
// serial, and the images that it held.
constexpr std::string_view kTagsKind = "channel-tags";
constexpr std::string_view kRegistryKind = "farm-registry";  // EDITION -> HOST
constexpr unsigned kImagesAtOnce = 4;

/// Images that a registry was told of before, as its record has them; one of an older nacre has the serial alone.
Result<std::vector<std::string>> images_told(const std::string& record, Edition edition, Env& env) {
  std::vector<std::string> words = split_words(record), out;
  if (words.size() < 2) return out;
  out.assign(words.begin() + 2, words.end());
  const auto number = whole_number<std::uint64_t>(words[1]);
  if (!out.empty() || !number) return out;
  const index::Serial serial = TRY(index::load_serial(env, edition, *number));
  for (const index::SerialImage& image : serial.images) out.push_back(image.name);
  return out;
}

std::string key_of(const index::Channel& channel, const std::string& host) {
  return fmt::format("{}/{}/{}", name_of(channel.edition), channel.name, host);
}

/// One channel's tags.
class Mover {
 public:
  Mover(const index::Channel& channel, const std::string& host, Session& session)
      : channel_(channel), host_(host), session_(session) {}

  /// `told`: images that the registry knows to be the channel's.
  Result<> run(const index::Serial& serial, const std::vector<std::string>& told, TagMoves& out) {
    for (const std::string& name : told) {
      const bool held = std::any_of(serial.images.begin(), serial.images.end(),
                                    [&](const index::SerialImage& image) { return image.name == name; });
      if (!held) TRY(take_away(name, out));
    }
    // Of edge all tags that the newest serial gives, which a roll-back moves, too; of others the channel's name.
    std::vector<index::SerialImage> images = serial.images;
    if (channel_.name == index::kEdge) images = TRY(with_tags(std::move(images), serial, session_));
    else
      for (index::SerialImage& image : images) image.tags = {channel_.name};
    const auto one = [&](std::size_t i) { return move(serial.images[i], images[i].tags, serial, out); };
    return os::for_each(images.size(), kImagesAtOnce, one);
  }

 private:
  Result<> take_away(const std::string& image, TagMoves& out) {
    const std::string repository = repository_of(channel_.edition, image);
    const publish::Reference reference = TRY(publish::parse_reference(fmt::format("{}/{}", host_, repository)));
    publish::Registry registry(session_.env, reference);
    const std::optional<Sha256> there = TRY(registry.named(channel_.name), "asking '{}' for '{}'", host_, repository);
    if (!there) return {};
    const std::string name = repository + ":" + channel_.name;
    const bool done = TRY(registry.untag(channel_.name), "taking '{}' away at '{}'", name, host_);
    (done ? out.gone : out.kept).push_back(name);
    if (!done)
      session_.env.events.emit({EventKind::kWarning, 0, 0, "move tags",
                                fmt::format("'{}' lets no tag be taken away: {} stays, and the channel does not hold "
                                            "that image any more",
                                            host_, name)});
    return {};
  }

  Result<> move(const index::SerialImage& image, const std::vector<std::string>& tags, const index::Serial& serial,
                TagMoves& out) {
    const std::string repository = repository_of(serial.edition, image.name);
    const publish::Reference reference = TRY(publish::parse_reference(fmt::format("{}/{}", host_, repository)));
    publish::Registry registry(session_.env, reference);
    std::vector<std::string> moved;
    for (const std::string& tag : tags) {
      const std::optional<Sha256> now = TRY(registry.named(tag), "asking '{}' for '{}:{}'", host_, repository, tag);
      if (now != image.index_digest) moved.push_back(tag);
    }
    if (moved.empty()) return {};
    const bool there = TRY(registry.tag(image.index_digest, moved), "moving tags of '{}' at '{}'", repository, host_);
    if (!there) (void)TRY(push_images({image}, serial, host_, session_));
    const std::lock_guard lock(mutex_);
    for (const std::string& tag : moved) out.tags.push_back(repository + ":" + tag);
    out.pushed += there ? 0 : 1;
    return {};
  }

  const index::Channel& channel_;
  const std::string& host_;
  Session& session_;
  std::mutex mutex_;  ///< Of what run() answers.
};

}  // namespace

Result<TagMoves> move_tags(const std::string& host, Edition edition, Session& session) {
  TagMoves out;
  store::State& state = session.env.store.state();
  const store::Lease lease = TRY(wait_for_lease("channel-tags", session.env));
  const std::vector<index::Channel> channels = TRY(index::list_channels(session.env, edition));
  for (const index::Channel& channel : channels) {
    const std::string key = key_of(channel, host), moved = fmt::format("{} {}", channel.moves, channel.serial);
    const std::optional<std::string> told = TRY(state.get(kTagsKind, key));
    if (told && (*told == moved || told->starts_with(moved + " "))) continue;
    const index::Serial serial = TRY(index::serial_of(session.env, channel));
    const std::vector<std::string> before = TRY(images_told(told.value_or(""), edition, session.env));
    std::string now = moved;
    for (const index::SerialImage& image : serial.images) now += " " + image.name;
    Task task(session.env.events, fmt::format("move tags of channel {}", channel.name));
    const std::size_t count = out.tags.size();
    TRY(Mover(channel, host, session).run(serial, before, out));
    TRY(state.put(kTagsKind, key, now));
    task.finish(fmt::format("{} tags", out.tags.size() - count));
  }
  std::sort(out.tags.begin(), out.tags.end());
  return out;
}

Result<std::size_t> push_serial(const index::Serial& serial, const std::string& host, Session& session) {
  store::State& state = session.env.store.state();
  const store::Lease lease = TRY(wait_for_lease("farm/push", session.env));
  const std::vector<index::Channel> before = TRY(index::list_channels(session.env, serial.edition));
  const std::vector<publish::Receipt> receipts = TRY(push_images(serial.images, serial, host, session));
  const std::vector<index::Channel> after = TRY(index::list_channels(session.env, serial.edition));
  // What was moved meanwhile may have got its tags before the push put those of then.
  for (const index::Channel& channel : after) {
    const bool stood = std::any_of(before.begin(), before.end(), [&](const index::Channel& old) {
      return old.name == channel.name && old.moves == channel.moves;
    });
    if (!stood) TRY(state.erase(kTagsKind, key_of(channel, host)));
  }
  (void)TRY(move_tags(host, serial.edition, session));
  return receipts.size();
}

Result<> note_registry(Env& env, Edition edition, const std::string& host) {
  return put_new(env.store.state(), kRegistryKind, name_of(edition), host);
}

Result<std::string> noted_registry(Env& env, Edition edition) {
  const std::optional<std::string> host = TRY(env.store.state().get(kRegistryKind, name_of(edition)));
  return host.value_or("");
}

}  // namespace nacre::cli
