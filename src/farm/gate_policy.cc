#include "farm/gate_policy.h"

#include "base/text.h"
#include "farm/facts.h"
#include "farm/policy.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

namespace nacre::farm {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

constexpr std::array kLevels = {Level::kOff, Level::kWarn, Level::kOn};
constexpr int kLongestWaiver = 366;

/// The places of one block.
class Reader {
 public:
  explicit Reader(const YamlTree& tree) : tree_(tree) {}

  Result<GatePolicy> policy(const YamlNode& gates) {
    std::vector<std::string> known = {"waivers"};
    for (const Gate gate : kGates) known.emplace_back(name_of(gate));
    TRY(mapping(gates, "gates", known));
    for (const auto& [key, key_span, value] : gates.entries) {
      if (key == "waivers") TRY(waivers(value));
      else TRY(gate(*parse_gate(key), value));
    }
    return std::move(out_);
  }

 private:
  template <class... A>
  Error wrong(const YamlNode& node, fmt::format_string<A...> text, A&&... args) const {
    return Error::make(ErrorKind::kInvalid, text, std::forward<A>(args)...).at(tree_.place(node.span));
  }

  Result<> mapping(const YamlNode& node, std::string_view what, const std::vector<std::string>& known) const {
    if (node.kind == YamlKind::kNull) return {};
    if (node.kind != YamlKind::kMapping) return wrong(node, "'{}' is a mapping of {}", what, join(known, ", "));
    for (const auto& entry : node.entries)
      if (std::find(known.begin(), known.end(), entry.key) == known.end())
        return Error::make(ErrorKind::kInvalid, "'{}' has no key '{}'; there are {}", what, entry.key,
                           join(known, ", "))
            .at(tree_.place(entry.key_span))
            .hint(nearest_hint(entry.key, known));
    return {};
  }

  Result<Level> level(const YamlNode& node) const {
    std::vector<std::string> names;
    for (const Level each : kLevels) {
      if (node.kind == YamlKind::kScalar && node.text == name_of(each)) return each;
      names.emplace_back(name_of(each));
    }
    return wrong(node, "expected on, warn or off, found '{}'", node.text).hint(nearest_hint(node.text, names));
  }

  Result<std::vector<std::string>> texts(const YamlNode& node) const {
    if (node.kind == YamlKind::kNull) return std::vector<std::string>();
    if (node.kind != YamlKind::kSequence) return wrong(node, "expected a list");
    std::vector<std::string> out;
    for (const YamlNode& item : node.items) {
      if (item.kind != YamlKind::kScalar) return wrong(item, "expected a text");
      out.push_back(item.text);
    }
    return out;
  }

  Result<Growth> growth(const YamlNode& node, std::string_view what, Growth fallback) const {
    TRY(mapping(node, what, {"percent", "bytes"}));
    if (const YamlNode* percent = node.find("percent")) {
      const std::string& text = percent->text;
      double number = 0;
      const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (status != std::errc{} || end != text.data() + text.size() || !std::isfinite(number) || number < 0)
        return wrong(*percent, "expected a percentage from 0, found '{}'", text);
      fallback.percent = number;
    }
    if (const YamlNode* bytes = node.find("bytes")) {
      const auto number = parse_bytes(bytes->text);
      if (!number) return wrong(*bytes, "expected a size as '512KiB', found '{}'", bytes->text);
      fallback.bytes = *number;
    }
    return fallback;
  }

  Result<> gate(Gate gate, const YamlNode& node) {
    GateRule& rule = out_.rules[gate];
    if (node.kind == YamlKind::kScalar) {
      rule.level = TRY(level(node));
      return {};
    }
    std::vector<std::string> known = {"level", "exceptions"};
    if (gate == Gate::kLicence) known.insert(known.end(), {"allow", "deny", "change"});
    if (gate == Gate::kSize) known.insert(known.end(), {"package", "image"});
    if (gate == Gate::kVulnerabilities) known.insert(known.end(), {"data", "max-age"});
    TRY(mapping(node, name_of(gate), known));
    if (const YamlNode* value = node.find("level")) rule.level = TRY(level(*value));
    if (gate == Gate::kLicence) TRY(licence(node));
    if (gate == Gate::kSize) TRY(size(node));
    if (gate == Gate::kVulnerabilities) TRY(vulnerabilities(node));
    if (const YamlNode* value = node.find("exceptions")) TRY(exceptions(gate, rule, *value));
    return {};
  }

  Result<> licence(const YamlNode& node) {
    if (const YamlNode* value = node.find("allow")) out_.licences_allowed = TRY(texts(*value));
    if (const YamlNode* value = node.find("deny")) out_.licences_denied = TRY(texts(*value));
    if (const YamlNode* value = node.find("change")) out_.licence_change = TRY(level(*value));
    return {};
  }

  Result<> size(const YamlNode& node) {
    if (const YamlNode* value = node.find("package"))
      out_.package_growth = TRY(growth(*value, "package", out_.package_growth));
    if (const YamlNode* value = node.find("image")) out_.image_growth = TRY(growth(*value, "image", out_.image_growth));
    return {};
  }

  Result<> vulnerabilities(const YamlNode& node) {
    if (const YamlNode* value = node.find("data")) {
      if (value->text != "required" && value->text != "optional")
        return wrong(*value, "expected required or optional, found '{}'", value->text);
      out_.vulnerability_data = value->text == "required" ? NeedsData::kAlways : NeedsData::kNever;
    }
    const YamlNode* age = node.find("max-age");
    if (age == nullptr) return {};
    const auto seconds = parse_duration(age->text);
    if (!seconds) return wrong(*age, "expected an age such as 12h, 7d or 2w, found '{}'", age->text);
    out_.vulnerability_age_seconds = *seconds;
    return {};
  }

  /// A level for each; growth in place of it for `size`, what may be there for `capabilities`.
  Result<> exceptions(Gate gate, GateRule& rule, const YamlNode& node) {
    if (node.kind == YamlKind::kNull) return {};
    if (node.kind != YamlKind::kMapping) return wrong(node, "exceptions are a mapping of packages and images");
    for (const auto& [subject, key_span, value] : node.entries) {
      if (gate == Gate::kSize && value.kind == YamlKind::kMapping)
        out_.growth_of[subject] = TRY(growth(value, subject, out_.package_growth));
      else if (gate == Gate::kCapabilities && value.kind == YamlKind::kSequence)
        out_.abilities_of[subject] = TRY(abilities(value));
      else rule.exceptions[subject] = TRY(level(value));
    }
    return {};
  }

  Result<std::set<std::string>> abilities(const YamlNode& node) const {
    std::vector<std::string> known = {"setuid", "setgid", "capability", "device", "world-writable", "static"};
    for (const Ability ability : kAbilities) known.emplace_back(name_of(ability));
    std::set<std::string> out;
    for (const YamlNode& item : node.items) {
      if (std::find(known.begin(), known.end(), item.text) == known.end())
        return wrong(item, "'{}' is none of {}", item.text, join(known, ", ")).hint(nearest_hint(item.text, known));
      out.insert(item.text);
    }
    return out;
  }

  Result<> waivers(const YamlNode& node) {
    TRY(mapping(node, "waivers", {"days"}));
    const YamlNode* days = node.find("days");
    if (days == nullptr) return {};
    int number = 0;
    const auto [end, status] = std::from_chars(days->text.data(), days->text.data() + days->text.size(), number);
    if (status != std::errc{} || end != days->text.data() + days->text.size() || number < 0 || number > kLongestWaiver)
      return wrong(*days, "expected 0 to {} days, found '{}'", kLongestWaiver, days->text);
    out_.max_waiver_days = number;
    return {};
  }

  const YamlTree& tree_;
  GatePolicy out_;
};

}  // namespace

std::string_view name_of(Gate gate) {
  switch (gate) {
    case Gate::kTests: return "tests";
    case Gate::kHardening: return "hardening";
    case Gate::kAbiBreak: return "abi-break";
    case Gate::kFiles: return "files";
    case Gate::kCapabilities: return "capabilities";
    case Gate::kLicence: return "licence";
    case Gate::kSize: return "size";
    case Gate::kVulnerabilities: return "vulnerabilities";
    case Gate::kDelta: return "delta";
    case Gate::kImages: return "images";
    case Gate::kReproducibility: return "reproducibility";
  }
  return "?";
}

Result<Gate> parse_gate(std::string_view name) {
  std::vector<std::string> names;
  for (const Gate gate : kGates) {
    if (name_of(gate) == name) return gate;
    names.emplace_back(name_of(gate));
  }
  return Error::make(ErrorKind::kInvalid, "there is no gate '{}'; there are {}", name, join(names, ", "))
      .hint(nearest_hint(name, names));
}

std::string_view name_of(Level level) { return level == Level::kOff ? "off" : level == Level::kWarn ? "warn" : "on"; }

Level GatePolicy::level(Gate gate, std::string_view subject) const {
  const auto rule = rules.find(gate);
  if (rule == rules.end()) return Level::kOn;
  const auto exception = rule->second.exceptions.find(subject);
  return exception == rule->second.exceptions.end() ? rule->second.level : exception->second;
}

bool GatePolicy::asks(Gate gate) const {
  if (level(gate, "") != Level::kOff) return true;
  const GateRule& rule = rules.at(gate);
  return std::any_of(rule.exceptions.begin(), rule.exceptions.end(),
                     [](const auto& exception) { return exception.second != Level::kOff; });
}

Result<GatePolicy> read_gate_policy(const YamlTree& tree, const YamlNode* gates) {
  if (gates == nullptr || gates->kind == YamlKind::kNull) return GatePolicy();
  return Reader(tree).policy(*gates);
}

Result<GatePolicy> read_channel_gates(const YamlTree& tree) {
  const YamlNode* gates = &tree.root;
  for (const std::string_view key : {"channels", "stable", "gates"})
    if (gates != nullptr) gates = gates->kind == YamlKind::kMapping ? gates->find(key) : nullptr;
  GatePolicy out = TRY(read_gate_policy(tree, gates));
  const GatePolicy general = TRY(read_gate_policy(tree, tree.root.find("gates")));
  out.max_waiver_days = general.max_waiver_days;
  for (const Gate gate : {Gate::kTests, Gate::kDelta, Gate::kReproducibility})
    if (out.rules.contains(gate))
      return Error::make(ErrorKind::kInvalid, "'{}' is no gate of a channel: it judges what is built", name_of(gate))
          .at(tree.place(gates->span))
          .hint("it stands in the way of publishing, under `gates:` at the top");
  for (const Gate gate : kGates)
    if (gate != Gate::kVulnerabilities && !out.rules.contains(gate)) out.rules[gate].level = Level::kOff;
  return out;
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = trim(text.substr(static_cast<std::size_t>(end - text.data())));
  static constexpr std::pair<std::string_view, unsigned> kUnits[] = {
      {"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
  for (const auto& [name, shift] : kUnits)
    if (status == std::errc{} && name == unit && number <= (~std::uint64_t{0} >> shift)) return number << shift;
  return Error::make(ErrorKind::kInvalid, "expected bytes, or KiB, MiB, GiB behind a number, found '{}'", text);
}

}  // namespace nacre::farm
