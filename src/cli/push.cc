#include "cli/push.h"

#include "base/text.h"
#include "cli/images.h"
#include "index/channels.h"
#include "os/threads.h"
#include "publish/layout.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::cli {

using codec::Json;

namespace {

constexpr unsigned kImagesAtOnce = 8;

/// Which tags an image may take: a tag belongs to the newest serial that has it, as `nacre serve` says.
class Tags {
 public:
  static Result<Tags> of(const index::Serial& serial, Session& session) {
    Tags out(session, serial.edition);
    // What a channel names may have images of other serials: "serial-N" is for those of its own.
    out.own_ = TRY(index::load_serial(session.env, serial.edition, serial.number));
    out.channels_ = TRY(index::list_channels(session.env, serial.edition));
    const std::optional<std::uint64_t> newest = TRY(index::head_number(session.env, serial.edition));
    out.oldest_ = newest.value_or(0) + 1;
    return out;
  }

  Result<std::vector<std::string>> of_image(const index::SerialImage& image) {
    std::vector<std::string> out = image.tags;
    for (std::size_t i = 0;; ++i) {
      if (i == newer_.size()) {
        const bool more = TRY(go_back());
        if (!more) break;
      }
      const index::SerialImage* other = named(newer_[i], image.name);
      if (other == nullptr) continue;
      if (other->index_digest == image.index_digest) break;
      std::erase_if(out, [&](const std::string& tag) {
        return std::find(other->tags.begin(), other->tags.end(), tag) != other->tags.end();
      });
    }
    const index::SerialImage* own = named(own_, image.name);
    if (own != nullptr && own->index_digest == image.index_digest) out.push_back(fmt::format("serial-{}", own_.number));
    for (const index::Channel& channel : channels_) {
      const auto entry = TRY(index::image_of(session_.env, channel, image.name));
      if (entry && entry->index_digest == image.index_digest) out.push_back(channel.name);
    }
    return out;
  }

 private:
  Tags(Session& session, Edition edition) : session_(session), edition_(edition) {}

  static const index::SerialImage* named(const index::Serial& serial, const std::string& name) {
    for (const index::SerialImage& image : serial.images)
      if (image.name == name) return &image;
    return nullptr;
  }

  /// Reads one older serial; false: there is none.
  Result<bool> go_back() {
    if (oldest_ <= 1) return false;
    newer_.push_back(TRY(index::load_serial(session_.env, edition_, oldest_ - 1)));
    --oldest_;
    return true;
  }

  Session& session_;
  Edition edition_;
  index::Serial own_;
  std::vector<index::Channel> channels_;
  std::vector<index::Serial> newer_;  ///< Newest first, as far as somebody asked.
  std::uint64_t oldest_ = 0;          ///< Of those.
};

}  // namespace

Result<std::vector<index::SerialImage>> with_tags(std::vector<index::SerialImage> images, const index::Serial& serial,
                                                  Session& session) {
  Tags tags = TRY(Tags::of(serial, session));
  for (index::SerialImage& image : images) image.tags = TRY(tags.of_image(image));
  return images;
}

Result<std::vector<publish::Receipt>> push_images(const std::vector<index::SerialImage>& images,
                                                  const index::Serial& serial, const std::string& host,
                                                  Session& session) {
  const std::vector<index::SerialImage> tagged = TRY(with_tags(images, serial, session));
  // Which repository has which blob: what a crash loses of it is asked for again.
  store::State::Deferred records(session.env.store.state());
  std::vector<publish::Receipt> out(images.size());
  publish::BlobTurns turns;
  const auto push = [&](std::size_t i) -> Result<> {
    const index::SerialImage& image = tagged[i];
    const std::string name = fmt::format("{}/{}", host, repository_of(serial.edition, image.name));
    const publish::Reference reference = TRY(publish::parse_reference(name));
    if (reference.host.empty())
      return Error::make(ErrorKind::kInvalid, "'{}' is no registry's host", host)
          .hint("write it as HOST:PORT, as in 127.0.0.1:5000 or registry.example.org:443");
    publish::Registry registry(session.env, reference, &turns);
    out[i] = TRY(registry.push(image), "pushing '{}'", name);
    return {};
  };
  TRY(os::for_each(images.size(), kImagesAtOnce, push));
  TRY(records.finish());
  return out;
}

Json to_json(const std::vector<publish::Receipt>& receipts) {
  Json out = Json::array();
  for (const publish::Receipt& receipt : receipts) {
    Json row;
    row.set("name", receipt.name).set("digest", receipt.digest.oci()).set("tags", Json::strings(receipt.tags));
    row.set("bytesSent", receipt.bytes_sent).set("bytesPresent", receipt.bytes_present);
    row.set("blobsSent", receipt.blobs_sent).set("blobsPresent", receipt.blobs_present);
    row.set("bytesMounted", receipt.bytes_mounted).set("blobsMounted", receipt.blobs_mounted);
    out.push(row.set("referrersApi", receipt.referrers_api));
  }
  return out;
}

std::string render(const std::vector<publish::Receipt>& receipts) {
  std::string out;
  for (const publish::Receipt& receipt : receipts)
    out += fmt::format("{}@{}  {} sent in {} blobs, {} mounted, {} there before\n", receipt.name, receipt.digest.oci(),
                       human_bytes(receipt.bytes_sent), receipt.blobs_sent, human_bytes(receipt.bytes_mounted),
                       human_bytes(receipt.bytes_present));
  return out;
}

Result<> refresh_layout(const index::Serial& serial, Session& session) {
  const Path folder = session.home / "layout" / name_of(serial.edition);
  return publish::write_layout(folder, serial.images, session.env);
}

}  // namespace nacre::cli
