#include "cli/channel_tags.h"

#include "base/events.h"
#include "cli/images.h"
#include "cli/push.h"
#include "cli/workshop.h"
#include "index/channels.h"
#include "os/threads.h"
#include "store/store.h"

#include <algorithm>
#include <mutex>

namespace nacre::cli {
namespace {

// Which change of a channel a registry was told of: EDITION/NAME/HOST -> number of its history's lines then.
constexpr std::string_view kTagsKind = "channel-tags";
constexpr std::string_view kRegistryKind = "farm-registry";  // EDITION -> HOST
constexpr unsigned kImagesAtOnce = 4;

std::string key_of(const index::Channel& channel, const std::string& host) {
  return fmt::format("{}/{}/{}", name_of(channel.edition), channel.name, host);
}

/// One channel's tags.
class Mover {
 public:
  Mover(const index::Channel& channel, const std::string& host, Session& session)
      : channel_(channel), host_(host), session_(session) {}

  Result<> run(TagMoves& out) {
    const index::Serial serial = TRY(index::serial_of(session_.env, channel_));
    // Of edge all tags that the newest serial gives, which a roll-back moves, too; of others the channel's name.
    std::vector<index::SerialImage> images = serial.images;
    if (channel_.name == index::kEdge) images = TRY(with_tags(std::move(images), serial, session_));
    else
      for (index::SerialImage& image : images) image.tags = {channel_.name};
    const auto one = [&](std::size_t i) { return move(serial.images[i], images[i].tags, serial, out); };
    return os::for_each(images.size(), kImagesAtOnce, one);
  }

 private:
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
  const os::FileLock lease = TRY(wait_for_lease("channel-tags", session.env));
  const std::vector<index::Channel> channels = TRY(index::list_channels(session.env, edition));
  for (const index::Channel& channel : channels) {
    const std::string key = key_of(channel, host), now = fmt::format("{} {}", channel.moves, channel.serial);
    const std::optional<std::string> told = TRY(state.get(kTagsKind, key));
    if (told == now) continue;
    Task task(session.env.events, fmt::format("move tags of channel {}", channel.name));
    const std::size_t before = out.tags.size();
    TRY(Mover(channel, host, session).run(out));
    TRY(state.put(kTagsKind, key, now));
    task.finish(fmt::format("{} tags", out.tags.size() - before));
  }
  std::sort(out.tags.begin(), out.tags.end());
  return out;
}

Result<std::size_t> push_serial(const index::Serial& serial, const std::string& host, Session& session) {
  store::State& state = session.env.store.state();
  const os::FileLock lease = TRY(wait_for_lease("farm/push", session.env));
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
  const std::string known = TRY(noted_registry(env, edition));
  if (known == host) return {};
  return env.store.state().put(kRegistryKind, name_of(edition), host);
}

Result<std::string> noted_registry(Env& env, Edition edition) {
  const std::optional<std::string> host = TRY(env.store.state().get(kRegistryKind, name_of(edition)));
  return host.value_or("");
}

}  // namespace nacre::cli
