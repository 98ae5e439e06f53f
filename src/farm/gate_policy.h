#pragma once

#include "base/result.h"
#include "codec/yaml.h"

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::farm {

enum class Gate {
  kTests,
  kHardening,
  kAbiBreak,
  kFiles,
  kCapabilities,
  kLicence,
  kSize,
  kVulnerabilities,
  kDelta,
  kImages,
  kReproducibility,
};
inline constexpr std::array kGates = {
    Gate::kTests, Gate::kHardening,       Gate::kAbiBreak, Gate::kFiles,  Gate::kCapabilities,   Gate::kLicence,
    Gate::kSize,  Gate::kVulnerabilities, Gate::kDelta,    Gate::kImages, Gate::kReproducibility};
/// "tests", "hardening", "abi-break", "files", "capabilities", "licence", "size", "vulnerabilities", "delta", "images",
/// "reproducibility"
std::string_view name_of(Gate gate);
/// kInvalid with the nearest name.
Result<Gate> parse_gate(std::string_view name);

/// What a finding does.
enum class Level { kOff, kWarn, kOn };
std::string_view name_of(Level level);  ///< "off", "warn", "on"

/// Growth that nobody has to explain: up to `percent` or up to `bytes`, whichever is more.
struct Growth {
  double percent = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Growth&) const = default;
};

/// Whether `vulnerabilities` refuses what it has no data to judge by.
enum class NeedsData {
  kOnceThere,  ///< From when there was data for the first time: data that is gone is a fault.
  kAlways,     ///< "required"
  kNever,      ///< "optional"
};

struct GateRule {
  Level level = Level::kOn;
  std::map<std::string, Level, std::less<>> exceptions;  ///< By package or image.
  bool operator==(const GateRule&) const = default;
};

/// The `gates:` block of farm.yaml. What it leaves out is as here (docs/gates.md has the table).
struct GatePolicy {
  std::map<Gate, GateRule> rules;                              ///< Absent: on, without exceptions.
  std::vector<std::string> licences_allowed, licences_denied;  ///< Empty `allowed`: all but those denied.
  Level licence_change = Level::kWarn;
  Growth package_growth = {20, 512u << 10}, image_growth = {10, 2u << 20};
  std::map<std::string, Growth, std::less<>> growth_of;  ///< By package or image.
  /// What a package may have without being asked: abilities by name, "setuid", "setgid", "capability", "device",
  /// "world-writable", "static".
  std::map<std::string, std::set<std::string>, std::less<>> abilities_of;
  NeedsData vulnerability_data = NeedsData::kOnceThere;
  std::int64_t vulnerability_age_seconds = 7 * 86400;  ///< Older data refuses.
  int max_waiver_days = 90;

  /// Of a gate for a package, an image, or the serial ("").
  Level level(Gate gate, std::string_view subject) const;
  /// Whether the gate is on, or warns, for anything at all.
  bool asks(Gate gate) const;
  bool operator==(const GatePolicy&) const = default;
};

/// Reads the block; nullptr, or nothing in it, gives the defaults. kInvalid with its place for an unknown key (with the
/// nearest), a value of another shape, and limits that make no sense.
Result<GatePolicy> read_gate_policy(const codec::YamlTree& tree, const codec::YamlNode* gates);

/// What stands between a soaked serial and `stable`: the block `channels: stable: gates:` of farm.yaml, in the shape of
/// `gates:`. The serial is compared with the one that the channel names. On: `vulnerabilities`; off: all else that the
/// block does not name. kInvalid for gates that are for what is built: tests, delta, reproducibility.
Result<GatePolicy> read_channel_gates(const codec::YamlTree& tree);

/// "512KiB", "2 MiB", "100": bytes.
Result<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace nacre::farm
