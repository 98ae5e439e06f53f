#include "base/text.h"
#include "cli/at.h"
#include "cli/flow.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "index/channels.h"
#include "index/notices.h"
#include "os/clock.h"

namespace nacre::cli {
namespace {

using codec::Json;

Json to_json(const index::Serial& serial) {
  Json images = Json::array();
  for (const index::SerialImage& image : serial.images) {
    Json row;
    images.push(row.set("name", image.name).set("digest", image.index_digest.oci()));
  }
  Json out;
  out.set("edition", name_of(serial.edition)).set("serial", serial.number);
  out.set("published", os::rfc3339(serial.published)).set("reason", serial.reason);
  out.set("packages", serial.packages.size()).set("images", std::move(images));
  if (serial.rolled_back_to != 0) out.set("rolledBackTo", serial.rolled_back_to);
  return out;
}

Result<int> run_serials(const Arguments& arguments, Session& session) {
  const Edition edition = TRY(edition_of(arguments));
  std::vector<index::Serial> serials;
  if (auto moment = TRY(moment_of(arguments, edition, session))) serials.push_back(std::move(moment->serial));
  else serials = TRY(index::list_serials(session.env, edition));
  const std::vector<index::Channel> channels = TRY(index::list_channels(session.env, edition));
  Json json = Json::array();
  std::string text;
  for (const index::Serial& serial : serials) {
    std::vector<std::string> names;
    for (const index::Channel& channel : channels)
      if (channel.serial == serial.number) names.push_back(channel.name);
    Json row = to_json(serial);
    json.push(row.set("channels", Json::strings(names)));
    text += fmt::format("{:>4}  {}  {:>4} packages  {:>3} images  {}{}\n", serial.number,
                        os::rfc3339(serial.published), serial.packages.size(), serial.images.size(), serial.reason,
                        names.empty() ? "" : "  [" + join(names, " ") + "]");
  }
  const std::vector<index::Notice> notices = TRY(index::list_notices(session.env, edition));
  for (const index::Notice& notice : notices) text += fmt::format("note: {}\n", index::render(notice));
  if (serials.empty()) text = fmt::format("edition {} has no serial yet\n", name_of(edition));
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

Result<int> run_rollback(const Arguments& arguments, Session& session) {
  const Edition edition = TRY(edition_of(arguments));
  std::uint64_t number = 0;
  if (const std::string text = arguments.text("SERIAL"); !text.empty()) {
    if (text.find_first_not_of("0123456789") != std::string::npos || text.size() > 18)
      return Error::make(ErrorKind::kInvalid, "expected the number of a serial, got '{}'", text)
          .hint("`nacre serials` lists them");
    number = std::stoull(text);
  }
  const index::Serial serial = TRY(roll_back(session, edition, number));
  session.print(session.json ? codec::to_pretty_json(to_json(serial))
                             : fmt::format("edition {} is at serial {}: the content of serial {}, the same digests",
                                           name_of(edition), serial.number, serial.rolled_back_to));
  return 0;
}

Result<int> run_promote(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  TRY(serial_to_promote(session.env));  // before stage 0 is made
  Workshop shop = TRY(open_workshop(session, arch, arguments.list("DEFINITION")));
  const FlowReport report = TRY(promote(shop, arguments.list("DEFINITION")));
  session.print(session.json ? codec::to_pretty_json(to_json(report)) : render(report));
  return 0;
}

}  // namespace

Verb verb_serials() {
  Verb verb;
  verb.name = "serials";
  verb.summary = "the states of an edition, oldest first";
  verb.options = {kEditionOption, kAtOption};
  verb.run = run_serials;
  return verb;
}

Verb verb_rollback() {
  Verb verb;
  verb.name = "rollback";
  verb.summary = "publish an earlier serial's content as the next serial";
  verb.arguments = {
      {"SERIAL", "its number; the one before the newest when not given", false, false, Completion::kNone}};
  verb.options = {kEditionOption};
  verb.run = run_rollback;
  return verb;
}

Verb verb_promote() {
  Verb verb;
  verb.name = "promote";
  verb.summary = "build every package a second time and publish the same bytes in edition production";
  verb.arguments = {{"DEFINITION", "only these; an image follows once all its packages are there", false, true,
                     Completion::kPackage}};
  verb.options = {kArchOption};
  verb.run = run_promote;
  return verb;
}

}  // namespace nacre::cli
