#include "base/text.h"
#include "cli/at.h"
#include "cli/index_files.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "crypto/purposes.h"
#include "index/channels.h"
#include "index/freshness.h"
#include "publish/layout.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::cli {
namespace {

Result<int> run_index(const Arguments& arguments, Session& session) {
  const Edition edition = TRY(edition_of(arguments));
  if (!arguments.list("FILE").empty()) return index_files(arguments, session);
  const index::Serial serial = TRY(serial_of(arguments, session));
  if (const std::string folder = arguments.text("--repository"); !folder.empty()) {
    index::FreshnessOptions freshness;
    freshness.edition = edition;
    freshness.renew = index::Renew::kWhenDue;
    (void)TRY(index::refresh_edition(session.env, session.signer, freshness));
    const std::optional<index::Moment> moment = TRY(moment_of(arguments, edition, session));
    TRY(publish::write_repository(folder, serial, session.env, moment ? moment->channel : ""));
    for (const crypto::Purpose purpose : crypto::kPurposes) {
      const crypto::PublicKey key = TRY(session.signer.public_key(edition, purpose));
      TRY(os::make_dirs(Path(folder) / "keys"));
      TRY(os::write_file(Path(folder) / "keys" / crypto::public_key_name(edition, purpose), key.pem()));
    }
    codec::Json json;
    json.set("edition", name_of(edition)).set("serial", serial.number).set("folder", folder);
    json.set("packages", serial.packages.size());
    session.print(session.json ? codec::to_json(json)
                               : fmt::format("serial {} of edition {}: {} packages in '{}'", serial.number,
                                             name_of(edition), serial.packages.size(), folder));
    return 0;
  }
  codec::Json json = codec::Json::array();
  std::string text;
  for (const index::SerialPackage& package : serial.packages) {
    codec::Json row;
    row.set("name", package.record.name).set("version", package.record.version);
    row.set("sizeBytes", package.record.size_bytes).set("sha256", package.apk.hex());
    json.push(row.set("depends", codec::Json::strings(package.record.depends)));
    text += fmt::format("{:<28} {:<18} {:>10}\n", package.record.name, package.record.version,
                        human_bytes(package.record.size_bytes));
  }
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

Result<int> run_key(const Arguments& arguments, Session& session) {
  const Edition edition = TRY(edition_of(arguments));
  codec::Json json = codec::Json::array();
  std::string text;
  for (const crypto::Purpose purpose : crypto::kPurposes) {
    const crypto::PublicKey key = TRY(session.signer.public_key(edition, purpose));
    const std::string name = crypto::public_key_name(edition, purpose);
    if (const std::string folder = arguments.text("--out"); !folder.empty()) {
      TRY(os::make_dirs(folder));
      TRY(os::write_file(Path(folder) / name, key.pem()));
    }
    codec::Json row;
    row.set("edition", name_of(edition)).set("purpose", crypto::name_of(purpose)).set("name", name);
    json.push(row.set("fingerprint", key.fingerprint()).set("pem", key.pem()));
    text += fmt::format("{}  {}\n{}", name, key.fingerprint(), key.pem());
  }
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

}  // namespace

Verb verb_index() {
  Verb verb;
  verb.name = "index";
  verb.summary = "list the packages of a serial, write it as a repository directory, or index .apk files";
  verb.arguments = {{"FILE", "index these packages instead", false, true, Completion::kFile}};
  verb.options = {kEditionOption,
                  kSerialOption,
                  kAtOption,
                  {"--repository", OptionType::kText, "DIR", "", "write packages, index, evidence and keys here",
                   Completion::kFolder}};
  for (Option& option : index_file_options()) verb.options.push_back(std::move(option));
  verb.run = run_index;
  return verb;
}

Verb verb_key() {
  Verb verb;
  verb.name = "key";
  verb.summary = "show or write the public keys of an edition";
  verb.options = {kEditionOption,
                  {"--out", OptionType::kText, "DIR", "", "write NAME.pub files here", Completion::kFolder}};
  verb.run = run_key;
  return verb;
}

}  // namespace nacre::cli
