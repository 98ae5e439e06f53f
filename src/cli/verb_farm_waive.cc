#include "base/text.h"
#include "cli/farm_gates.h"
#include "cli/verbs.h"
#include "codec/json.h"
#include "farm/gate_policy.h"
#include "farm/waiver.h"
#include "os/clock.h"

namespace nacre::cli {
namespace {

using codec::Json;
using farm::Day;
using farm::Waiver;

Path file_of(const Session& session) { return session.os_dir / "waivers.yaml"; }
Path people_of(const Session& session) { return session.os_dir / "keys/people"; }

Result<std::string> text_of(const Path& file) {
  if (!os::exists(file)) return std::string();
  return os::read_file(file);
}

Result<farm::GatePolicy> policy_of(const Session& session) {
  const codec::YamlTree tree = TRY(read_farm_yaml(session.os_dir));
  return farm::read_gate_policy(tree, tree.root.find("gates"));
}

Json to_json(const Waiver& waiver, const std::string& why) {
  Json out = Json::object({{"gate", waiver.gate}, {"subject", waiver.subject}});
  if (!waiver.version.empty()) out.set("version", waiver.version);
  out.set("who", waiver.who).set("reason", waiver.reason);
  out.set("from", farm::day_text(waiver.from)).set("until", farm::day_text(waiver.until)).set("counts", why.empty());
  if (!why.empty()) out.set("why", why);
  return out;
}

std::string line_of(const Waiver& waiver, const std::string& why) {
  return fmt::format("{:<6}  {} for {}{}, {} until {}: {}{}\n", why.empty() ? "counts" : "VOID", waiver.gate,
                     waiver.subject, waiver.version.empty() ? "" : " " + waiver.version, waiver.who,
                     farm::day_text(waiver.until), waiver.reason, why.empty() ? "" : fmt::format("\n        {}", why));
}

Result<int> list_waivers(Session& session) {
  const farm::GatePolicy policy = TRY(policy_of(session));
  const farm::People people = TRY(farm::read_people(people_of(session)));
  std::string text = TRY(text_of(file_of(session)));
  const std::vector<Waiver> waivers = TRY(farm::parse_waivers(std::move(text), file_of(session).string()));
  const Day today = farm::day_of(session.env.clock.now_seconds());
  Json json = Json::array();
  std::string out;
  for (const Waiver& waiver : waivers) {
    const std::string why = farm::why_void(waiver, people, today, policy.max_waiver_days);
    json.push(to_json(waiver, why));
    out += line_of(waiver, why);
  }
  if (waivers.empty()) out = "no gate is waived\n";
  session.print(session.json ? codec::to_pretty_json(json) : out);
  return 0;
}

/// A key pair of a person: the private half in `file`, the public one among those of the distribution.
Result<int> make_key(const Arguments& arguments, Session& session) {
  const Path file = arguments.text("--key");
  const std::string who = arguments.text("--who");
  if (file.empty() || who.empty()) return Error::make(ErrorKind::kInvalid, "--new-key needs --who NAME and --key FILE");
  Waiver probe;  // the name is checked as waivers are
  probe.gate = name_of(farm::Gate::kTests);
  probe.subject = probe.reason = "x";
  probe.who = who;
  const Path public_file = people_of(session) / (who + ".pub");
  for (const Path& taken : {file, public_file})
    if (os::exists(taken)) return Error::make(ErrorKind::kConflict, "'{}' is there already", taken.string());
  const crypto::PrivateKey key = TRY(crypto::PrivateKey::generate(crypto::KeyKind::kEcdsaP256));
  TRY(farm::sign_waiver(probe, key));
  TRY(os::make_dirs(people_of(session)));
  TRY(os::write_file(file, key.pem(), 0600, os::Sync::kYes));
  TRY(os::write_file(public_file, key.public_key().pem()));
  Json json = Json::object({{"who", who}, {"public", public_file.string()}});
  json.set("fingerprint", key.public_key().fingerprint());
  session.print(session.json ? codec::to_pretty_json(json)
                             : fmt::format("{} may waive once {} is part of the distribution\n{}", who,
                                           public_file.string(), key.public_key().fingerprint()));
  return 0;
}

/// Whose key it is, by the keys of the distribution.
Result<std::string> owner_of(const crypto::PrivateKey& key, const Arguments& arguments, Session& session) {
  const farm::People people = TRY(farm::read_people(people_of(session)));
  const std::string asked = arguments.text("--who");
  for (const auto& [name, known] : people)
    if (known.fingerprint() == key.public_key().fingerprint() && (asked.empty() || asked == name)) return name;
  return Error::make(ErrorKind::kDenied, "this key is {} in '{}'", asked.empty() ? "nobody's" : "not " + asked + "'s",
                     people_of(session).string())
      .hint("`nacre farm waive --new-key` makes one; its public half is a file that others review");
}

Result<Waiver> waiver_of(const Arguments& arguments, Session& session) {
  Waiver out;
  const farm::Gate gate = TRY(farm::parse_gate(arguments.text("GATE")));
  out.gate = name_of(gate);
  out.subject = arguments.text("SUBJECT");
  out.version = arguments.text("--version");
  out.reason = arguments.text("--reason");
  if (out.subject.empty()) return Error::make(ErrorKind::kInvalid, "name the package or image that may pass");
  if (out.reason.empty()) return Error::make(ErrorKind::kInvalid, "--reason says why; others will read it");
  const std::string from = arguments.text("--from"), until = arguments.text("--until");
  out.from = farm::day_of(session.env.clock.now_seconds());
  if (!from.empty()) out.from = TRY(farm::parse_day(from));
  out.until = out.from + arguments.number("--days");
  if (!until.empty()) out.until = TRY(farm::parse_day(until));
  const farm::GatePolicy policy = TRY(policy_of(session));
  if (policy.max_waiver_days == 0)
    return Error::make(ErrorKind::kDenied, "the policy allows no waivers").hint("see `gates: waivers:` in farm.yaml");
  if (out.until - out.from > policy.max_waiver_days)
    return Error::make(ErrorKind::kDenied, "{} days, the policy allows {}", out.until - out.from,
                       policy.max_waiver_days)
        .hint("mend it meanwhile; or give the package an exception in farm.yaml, for good");
  return out;
}

Result<int> run_waive(const Arguments& arguments, Session& session) {
  if (arguments.flag("--new-key")) return make_key(arguments, session);
  if (arguments.text("GATE").empty()) return list_waivers(session);
  Waiver waiver = TRY(waiver_of(arguments, session));
  const std::string key_file = arguments.text("--key");
  if (key_file.empty()) return Error::make(ErrorKind::kInvalid, "--key FILE is your private key");
  const std::string pem = TRY(os::read_file(key_file, 64u << 10));
  const crypto::PrivateKey key = TRY(crypto::PrivateKey::from_pem(pem), "reading '{}'", key_file);
  waiver.who = TRY(owner_of(key, arguments, session));
  waiver = TRY(farm::sign_waiver(std::move(waiver), key));
  const Path file = file_of(session);
  std::string text = TRY(text_of(file));
  text = TRY(farm::with_waiver(std::move(text), file.string(), waiver));
  TRY(os::write_file(file, text, 0644, os::Sync::kYes));
  const farm::GatePolicy policy = TRY(policy_of(session));
  const farm::People people = TRY(farm::read_people(people_of(session)));
  const Day today = farm::day_of(session.env.clock.now_seconds());
  const std::string why = farm::why_void(waiver, people, today, policy.max_waiver_days);  // it may begin later
  session.print(session.json ? codec::to_pretty_json(to_json(waiver, why)) : line_of(waiver, why));
  return 0;
}

}  // namespace

Verb verb_farm_waive() {
  Verb verb;
  verb.name = "farm waive";
  verb.summary = "let a gate pass something, signed and for some days; without a gate: all waivers";
  verb.arguments = {
      {"GATE", "its name; the waivers that are there when not given", false, false, Completion::kNone},
      {"SUBJECT", "package or image; 'serial' for what is about the whole", false, false, Completion::kPackage}};
  verb.options = {
      {"--reason", OptionType::kText, "TEXT", "", "why, on one line", Completion::kNone},
      {"--key", OptionType::kText, "FILE", "", "your private key, PEM", Completion::kFile},
      {"--who", OptionType::kText, "NAME", "", "you; by your key when not given", Completion::kNone},
      {"--version", OptionType::kText, "VERSION", "", "of this version alone, as 1.26.3-r1", Completion::kNone},
      {"--from", OptionType::kText, "DAY", "", "first day, as 2026-11-28; today when not given", Completion::kNone},
      {"--until", OptionType::kText, "DAY", "", "last day; goes before --days", Completion::kNone},
      {"--days", OptionType::kNumber, "N", "14", "last day, by number of days after the first", Completion::kNone},
      {"--new-key", OptionType::kFlag, "", "", "make a key pair for --who: the private half in --key FILE",
       Completion::kNone}};
  verb.run = run_waive;
  return verb;
}

}  // namespace nacre::cli
