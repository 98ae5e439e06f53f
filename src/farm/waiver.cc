#include "farm/waiver.h"

#include "base/encoding.h"
#include "base/text.h"
#include "codec/yaml.h"
#include "codec/yaml_write.h"
#include "farm/gate_policy.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace nacre::farm {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

constexpr std::size_t kMaxWaivers = 1000, kMaxText = 1000;
constexpr std::size_t kMaxFile = 4u << 20;
const std::vector<std::string> kKeys = {"gate", "subject", "version", "who", "reason", "from", "until", "signature"};

/// One line of what is signed: no control characters, so that no value can pose as another line.
Result<> check_text(std::string_view value, std::string_view key) {
  if (value.empty()) return Error::make(ErrorKind::kInvalid, "'{}' is empty", key);
  if (value.size() > kMaxText)
    return Error::make(ErrorKind::kInvalid, "'{}' has {} bytes, at most {}", key, value.size(), kMaxText);
  const bool control =
      std::any_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (control) return Error::make(ErrorKind::kInvalid, "'{}' holds control characters", key);
  if (trim(value) != value) return Error::make(ErrorKind::kInvalid, "'{}' begins or ends with a blank", key);
  return {};
}

/// A file name beside others, and nothing else.
Result<> check_name(std::string_view name, std::string_view key) {
  const bool good = !name.starts_with('.') && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  if (!good || name.empty())
    return Error::make(ErrorKind::kInvalid, "'{}' is letters, digits, '-', '_' and '.', not '{}'", key, name);
  return {};
}

Result<> check(const Waiver& waiver) {
  TRY(parse_gate(waiver.gate));
  TRY(check_text(waiver.subject, "subject"));
  if (!waiver.version.empty()) TRY(check_text(waiver.version, "version"));
  TRY(check_name(waiver.who, "who"));
  TRY(check_text(waiver.reason, "reason"));
  if (waiver.until < waiver.from)
    return Error::make(ErrorKind::kInvalid, "'until' {} is before 'from' {}", day_text(waiver.until),
                       day_text(waiver.from));
  return {};
}

Result<Waiver> read_waiver(const YamlTree& tree, const YamlNode& node) {
  if (node.kind != YamlKind::kMapping)
    return Error::make(ErrorKind::kInvalid, "a waiver is a mapping of {}", join(kKeys, ", ")).at(tree.place(node.span));
  Waiver out;
  out.place = tree.place(node.span);
  std::map<std::string, std::string> values;
  for (const auto& [key, key_span, value] : node.entries) {
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      return Error::make(ErrorKind::kInvalid, "a waiver has no key '{}'; there are {}", key, join(kKeys, ", "))
          .at(tree.place(key_span))
          .hint(nearest_hint(key, kKeys));
    if (value.kind != YamlKind::kScalar)
      return Error::make(ErrorKind::kInvalid, "'{}' is a text", key).at(tree.place(value.span));
    values[key] = value.text;
  }
  for (const std::string& key : kKeys)
    if (key != "version" && key != "signature" && !values.contains(key))
      return Error::make(ErrorKind::kInvalid, "the waiver has no '{}'", key).at(out.place);
  out.gate = values["gate"];
  out.subject = values["subject"];
  out.version = values["version"];
  out.who = values["who"];
  out.reason = values["reason"];
  out.signature = values["signature"];
  for (const char* key : {"from", "until"}) {
    auto day = parse_day(values[key]);
    if (!day) return std::move(day).error().at(tree.place(node.find(key)->span));
    (std::string_view(key) == "from" ? out.from : out.until) = *day;
  }
  if (auto checked = check(out); !checked) return std::move(checked).error().at(out.place);
  return out;
}

}  // namespace

std::string day_text(Day day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

Result<Day> parse_day(std::string_view text) {
  const auto bad = [&] { return Error::make(ErrorKind::kInvalid, "expected a day as 2026-11-28, found '{}'", text); };
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return bad();
  int parts[3] = {};
  const std::string_view texts[3] = {text.substr(0, 4), text.substr(5, 2), text.substr(8, 2)};
  for (int i = 0; i < 3; ++i) {
    if (texts[i].find_first_not_of("0123456789") != std::string_view::npos) return bad();
    std::from_chars(texts[i].data(), texts[i].data() + texts[i].size(), parts[i]);
  }
  const std::chrono::year_month_day date{std::chrono::year(parts[0]),
                                         std::chrono::month(static_cast<unsigned>(parts[1])),
                                         std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!date.ok() || parts[0] < 1970) return bad();
  return Day{std::chrono::sys_days(date).time_since_epoch().count()};
}

std::string waiver_text(const Waiver& waiver) {
  return fmt::format("nacre waiver 1\ngate: {}\nsubject: {}\nversion: {}\nwho: {}\nreason: {}\nfrom: {}\nuntil: {}\n",
                     waiver.gate, waiver.subject, waiver.version.empty() ? "*" : waiver.version, waiver.who,
                     waiver.reason, day_text(waiver.from), day_text(waiver.until));
}

Result<std::vector<Waiver>> parse_waivers(std::string text, std::string file) {
  const codec::YamlLimits limits = {.max_bytes = kMaxFile, .max_depth = 8, .max_nodes = 20 * kMaxWaivers};
  const YamlTree tree = TRY(codec::parse_yaml(std::move(text), std::move(file), limits));
  std::vector<Waiver> out;
  if (tree.root.kind == YamlKind::kNull) return out;
  const YamlNode* list = tree.root.kind == YamlKind::kMapping ? tree.root.find("waivers") : nullptr;
  if (list == nullptr || tree.root.entries.size() != 1 ||
      (list->kind != YamlKind::kSequence && list->kind != YamlKind::kNull))
    return Error::make(ErrorKind::kInvalid, "expected one key, 'waivers', and a list").at(tree.place(tree.root.span));
  if (list->items.size() > kMaxWaivers)
    return Error::make(ErrorKind::kInvalid, "{} waivers, at most {}", list->items.size(), kMaxWaivers)
        .at(tree.place(list->span))
        .hint("remove those that are over");
  for (const YamlNode& item : list->items) {
    Waiver waiver = TRY(read_waiver(tree, item));
    out.push_back(std::move(waiver));
  }
  return out;
}

Result<People> read_people(const os::Path& folder) {
  People out;
  std::error_code fault;
  for (const auto& entry : std::filesystem::directory_iterator(folder, fault)) {
    if (entry.path().extension() != ".pub") continue;
    const std::string pem = TRY(os::read_file(entry.path(), 64u << 10));
    auto key = crypto::PublicKey::from_pem(pem);
    if (!key) return std::move(key).error().at({entry.path().string(), 0, 0});
    out.emplace(entry.path().stem().string(), *std::move(key));
  }
  if (fault && fault != std::errc::no_such_file_or_directory)
    return os::system_error(fault.value(), fmt::format("list '{}'", folder.string()));
  return out;
}

Result<Waiver> sign_waiver(Waiver waiver, const crypto::PrivateKey& key) {
  TRY(check(waiver));
  const std::string signature = TRY(key.sign(waiver_text(waiver)));
  waiver.signature = to_base64(signature);
  return waiver;
}

std::string why_void(const Waiver& waiver, const People& people, Day today, int max_days) {
  if (waiver.until < today) return fmt::format("it ended on {}", day_text(waiver.until));
  if (waiver.from > today) return fmt::format("it begins on {}", day_text(waiver.from));
  if (max_days == 0) return "the policy allows none";
  if (const Day days = waiver.until - waiver.from; days > max_days)
    return fmt::format("it is for {} days, the policy allows {}", days, max_days);
  if (waiver.signature.empty()) return "it is not signed";
  const auto key = people.find(waiver.who);
  if (key == people.end()) return fmt::format("'{}' has no key in keys/people", waiver.who);
  const auto signature = from_base64(waiver.signature);
  if (!signature) return "its signature is no base64";
  if (!key->second.verify(waiver_text(waiver), *signature))
    return fmt::format("its signature is not {}'s over this text", waiver.who);
  return {};
}

Result<std::string> with_waiver(std::string text, const std::string& file, const Waiver& waiver) {
  TRY(check(waiver));
  const std::vector<Waiver> before = TRY(parse_waivers(text, file));
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  const YamlTree tree = TRY(codec::parse_yaml(text, file));
  if (tree.root.kind == YamlKind::kNull) text += "waivers:\n";
  const auto line = [&](std::string_view key, const std::string& value) {
    text += fmt::format("{}{}: {}\n", key == "gate" ? "  - " : "    ", key, codec::yaml_scalar(value));
  };
  line("gate", waiver.gate);
  line("subject", waiver.subject);
  if (!waiver.version.empty()) line("version", waiver.version);
  line("who", waiver.who);
  line("reason", waiver.reason);
  line("from", day_text(waiver.from));
  line("until", day_text(waiver.until));
  line("signature", waiver.signature);
  auto after = parse_waivers(text, file);
  const bool good = after && after->size() == before.size() + 1 && after->back().signature == waiver.signature &&
                    waiver_text(after->back()) == waiver_text(waiver);
  if (!good)
    return Error::make(ErrorKind::kInvalid, "cannot add a waiver at the end of '{}'", file)
        .hint("let it end with the list `waivers:`, each entry as '  - gate: …'");
  return text;
}

}  // namespace nacre::farm
