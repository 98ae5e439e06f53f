#pragma once

#include "cli/command.h"
#include "index/index.h"

#include <string>
#include <vector>

// Tags of images in a registry that move with channels: docs/channels.md.
namespace nacre::cli {

/// What moving tags came to.
struct TagMoves {
  std::vector<std::string> tags;  ///< "nacre/tool:stable": which a registry has now where it had another image or none.
  std::size_t pushed = 0;         ///< Images that it did not have and that were pushed whole.
  std::vector<std::string> gone;  ///< Taken away: of images that the channel does not hold any more.
  std::vector<std::string> kept;  ///< Such ones that the registry does not let go.
};

/// Lets the tags of images in the registry at HOST[:PORT][/PREFIX] name what the edition's channels name: manifests are
/// put, no blob is asked for or sent, but for images that the registry does not have. Channels that did not change
/// since the last call are not asked about; one that a crash left half moved is. One mover at a time.
Result<TagMoves> move_tags(const std::string& host, Edition edition, Session& session);

/// push_images() of a serial, one at a time, then move_tags(): a channel that somebody moved meanwhile keeps its tags.
Result<std::size_t> push_serial(const index::Serial& serial, const std::string& host, Session& session);

/// Which registry the farm pushes an edition's images to ("": none), for who moves a channel.
Result<> note_registry(Env& env, Edition edition, const std::string& host);
Result<std::string> noted_registry(Env& env, Edition edition);

}  // namespace nacre::cli
