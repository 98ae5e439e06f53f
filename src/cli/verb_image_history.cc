#include "base/text.h"
#include "cli/at.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "index/channels.h"
#include "os/clock.h"

#include <algorithm>
#include <map>

namespace nacre::cli {
namespace {

using codec::Json;

/// A digest of the image, and the serial that brought it.
struct Row {
  index::Serial serial;
  index::SerialImage image;
};

/// Oldest first: each serial in which the image has another digest than in the one before.
Result<std::vector<Row>> history_of(const std::string& name, Edition edition, Session& session) {
  std::vector<Row> out;
  std::vector<std::string> known;
  Sha256 last;
  const std::optional<std::uint64_t> newest = TRY(index::head_number(session.env, edition));
  for (std::uint64_t number = 1; number <= newest.value_or(0); ++number) {
    index::Serial serial = TRY(index::load_serial(session.env, edition, number));
    for (const index::SerialImage& image : serial.images) {
      known.push_back(image.name);
      if (image.name != name || image.index_digest == last) continue;
      last = image.index_digest;
      out.push_back({std::move(serial), image});
      break;
    }
  }
  if (!out.empty()) return out;
  return Error::make(ErrorKind::kNotFound, "no serial of edition {} has an image '{}'", name_of(edition), name)
      .hint(nearest_hint(name, known));
}

std::map<std::string, std::string> versions_of(const std::vector<std::string>& packages) {
  std::map<std::string, std::string> out;
  for (const std::string& package : packages)
    out.emplace(package.substr(0, package.find('=')), package.substr(package.find('=') + 1));
  return out;
}

/// "zlib 1.3.1-r0 -> 1.3.2-r0", "+ curl 8.1-r0", "- perl 5.40-r0"
std::vector<std::string> changes(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  const auto old = versions_of(before), now = versions_of(after);
  std::vector<std::string> out;
  for (const auto& [name, version] : now) {
    const auto was = old.find(name);
    if (was == old.end()) out.push_back(fmt::format("+ {} {}", name, version));
    else if (was->second != version) out.push_back(fmt::format("{} {} -> {}", name, was->second, version));
  }
  for (const auto& [name, version] : old)
    if (!now.contains(name)) out.push_back(fmt::format("- {} {}", name, version));
  return out;
}

/// Channels that have the image at this digest now.
Result<std::map<Sha256, std::vector<std::string>>> channels_by_digest(const std::string& name, Edition edition,
                                                                      Session& session) {
  std::map<Sha256, std::vector<std::string>> out;
  const std::vector<index::Channel> channels = TRY(index::list_channels(session.env, edition));
  for (const index::Channel& channel : channels) {
    const auto image = TRY(index::image_of(session.env, channel, name));
    if (image) out[image->index_digest].push_back(channel.name);
  }
  return out;
}

Result<int> run_image_history(const Arguments& arguments, Session& session) {
  const Edition edition = TRY(edition_of(arguments));
  const std::string name = arguments.text("IMAGE");
  const std::vector<Row> rows = TRY(history_of(name, edition, session));
  const auto channels = TRY(channels_by_digest(name, edition, session));
  Json json = Json::array();
  std::string text;
  for (std::size_t i = rows.size(); i-- > 0;) {
    const auto& [serial, image] = rows[i];
    const std::vector<std::string> changed =
        i == 0 ? std::vector<std::string>() : changes(rows[i - 1].image.packages, image.packages);
    const auto by = channels.find(image.index_digest);
    std::vector<std::string> tags = image.tags;
    tags.push_back(fmt::format("serial-{}", serial.number));
    const std::vector<std::string> names = by == channels.end() ? std::vector<std::string>() : by->second;
    Json row;
    row.set("serial", serial.number).set("published", os::rfc3339(serial.published));
    row.set("digest", image.index_digest.oci()).set("tags", Json::strings(tags));
    row.set("channels", Json::strings(names)).set("changed", Json::strings(changed)).set("reason", serial.reason);
    json.push(std::move(row));
    text += fmt::format("{:>5}  {}  {}  {}{}\n", serial.number, os::rfc3339(serial.published), image.index_digest.oci(),
                        join(tags, " "), names.empty() ? "" : "  [" + join(names, " ") + "]");
    for (const std::string& line : changed) text += fmt::format("{:>7}{}\n", "", line);
    if (i == 0) text += fmt::format("{:>7}first: {} packages\n", "", image.packages.size());
    else if (changed.empty()) text += fmt::format("{:>7}the same packages: {}\n", "", serial.reason);
  }
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

}  // namespace

Verb verb_image_history() {
  Verb verb;
  verb.name = "image history";
  verb.summary = "every digest that an image had: serial, date, tags, and which packages changed";
  verb.arguments = {{"IMAGE", "name of an image of the edition", true, false, Completion::kImage}};
  verb.options = {kEditionOption};
  verb.run = run_image_history;
  return verb;
}

}  // namespace nacre::cli
