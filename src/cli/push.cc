#include "cli/push.h"

#include "base/text.h"
#include "cli/images.h"
#include "publish/layout.h"

namespace nacre::cli {

using codec::Json;

Result<std::vector<publish::Receipt>> push_images(const std::vector<index::SerialImage>& images,
                                                  const index::Serial& serial, const std::string& host,
                                                  Session& session) {
  std::vector<publish::Receipt> out;
  for (index::SerialImage image : images) {
    image.tags.push_back(fmt::format("serial-{}", serial.number));
    const std::string name = fmt::format("{}/{}", host, repository_of(serial.edition, image.name));
    const publish::Reference reference = TRY(publish::parse_reference(name));
    if (reference.host.empty())
      return Error::make(ErrorKind::kInvalid, "'{}' is no registry's host", host)
          .hint("write it as HOST:PORT, as in 127.0.0.1:5000 or registry.example.org:443");
    publish::Registry registry(session.env, reference);
    publish::Receipt receipt = TRY(registry.push(image), "pushing '{}'", name);
    out.push_back(std::move(receipt));
  }
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
