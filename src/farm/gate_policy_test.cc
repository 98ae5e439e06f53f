#include "farm/gate_policy.h"

#include <gtest/gtest.h>

#include <tuple>

namespace nacre::farm {
namespace {

Result<GatePolicy> read(const std::string& text) {
  const codec::YamlTree tree = TRY(codec::parse_yaml(text, "farm.yaml"));
  return read_gate_policy(tree, tree.root.find("gates"));
}

TEST(GatePolicy, IsTheDefaultsWhereTheFileSaysNothing) {
  for (const char* text : {"other: 1\n", "gates:\n", "gates: {}\n"}) {
    const auto policy = read(text);
    ASSERT_TRUE(policy) << policy.error().render();
    EXPECT_EQ(*policy, GatePolicy()) << text;
  }
  const GatePolicy policy;
  for (const Gate gate : kGates) EXPECT_EQ(policy.level(gate, "any"), Level::kOn) << name_of(gate);
}

TEST(GatePolicy, OfAChannelIsOffForWhatItDoesNotName) {
  const auto read_channel = [](const std::string& text) -> Result<GatePolicy> {
    const codec::YamlTree tree = TRY(codec::parse_yaml(text, "farm.yaml"));
    return read_channel_gates(tree);
  };
  for (const char* text : {"", "channels:\n", "channels: {stable: {soak: 1d}}\n", "gates: {size: on}\n"}) {
    const auto policy = read_channel(text);
    ASSERT_TRUE(policy) << policy.error().render();
    for (const Gate gate : kGates) EXPECT_EQ(policy->asks(gate), gate == Gate::kVulnerabilities) << name_of(gate);
  }
  const auto policy =
      read_channel("channels: {stable: {gates: {vulnerabilities: off, size: {image: {percent: 5}}}}}\n");
  ASSERT_TRUE(policy) << policy.error().render();
  for (const Gate gate : kGates) EXPECT_EQ(policy->asks(gate), gate == Gate::kSize) << name_of(gate);
  EXPECT_EQ(policy->image_growth.percent, 5);
  EXPECT_EQ(read_channel("channels:\n  stable:\n    gates: {tests: on}\n").error().render(),
            "farm.yaml:3:12: 'tests' is no gate of a channel: it judges what is built\n"
            "  hint: it stands in the way of publishing, under `gates:` at the top");
}

TEST(GatePolicy, TakesLevelsLimitsAndExceptions) {
  const auto policy = read(
      "gates:\n"
      "  abi-break: warn\n"
      "  delta: off\n"
      "  licence:\n"
      "    deny: [AGPL-3.0-only]\n"
      "    allow: [MIT, Zlib]\n"
      "    change: on\n"
      "    exceptions: {jq: warn}\n"
      "  size:\n"
      "    package: {percent: 12.5}\n"
      "    image: {percent: 0, bytes: 1MiB}\n"
      "    exceptions:\n"
      "      glibc: off\n"
      "      nginx: {bytes: 4 KiB}\n"
      "  capabilities:\n"
      "    level: warn\n"
      "    exceptions:\n"
      "      busybox: [network, exec, setuid]\n"
      "      curl: on\n"
      "  waivers: {days: 30}\n");
  ASSERT_TRUE(policy) << policy.error().render();
  EXPECT_EQ(policy->level(Gate::kAbiBreak, "zlib"), Level::kWarn);
  EXPECT_FALSE(policy->asks(Gate::kDelta));
  EXPECT_TRUE(policy->asks(Gate::kTests));
  EXPECT_EQ(policy->licences_denied, std::vector<std::string>{"AGPL-3.0-only"});
  EXPECT_EQ(policy->licences_allowed, (std::vector<std::string>{"MIT", "Zlib"}));
  EXPECT_EQ(policy->licence_change, Level::kOn);
  EXPECT_EQ(policy->level(Gate::kLicence, "jq"), Level::kWarn);
  EXPECT_EQ(policy->package_growth, (Growth{12.5, 512u << 10}));
  EXPECT_EQ(policy->image_growth, (Growth{0, 1u << 20}));
  EXPECT_EQ(policy->level(Gate::kSize, "glibc"), Level::kOff);
  EXPECT_EQ(policy->growth_of.at("nginx"), (Growth{12.5, 4096}));
  EXPECT_EQ(policy->abilities_of.at("busybox"), (std::set<std::string>{"network", "exec", "setuid"}));
  EXPECT_EQ(policy->level(Gate::kCapabilities, "curl"), Level::kOn);
  EXPECT_EQ(policy->level(Gate::kCapabilities, "busybox"), Level::kWarn);
  EXPECT_EQ(policy->max_waiver_days, 30);
}

TEST(GatePolicy, NamesThePlaceOfAFault) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"gates: 3\n",
       "farm.yaml:1:8: 'gates' is a mapping of waivers, tests, hardening, abi-break, files, capabilities, licence, "
       "size, "
       "vulnerabilities, delta, images, reproducibility"},
      {"gates:\n  license: on\n",
       "farm.yaml:2:3: 'gates' has no key 'license'; there are waivers, tests, hardening, abi-break, files, "
       "capabilities, "
       "licence, size, vulnerabilities, delta, images, reproducibility\n  hint: did you mean 'licence'?"},
      {"gates:\n  size: wran\n", "farm.yaml:2:9: expected on, warn or off, found 'wran'\n  hint: did you mean 'warn'?"},
      {"gates:\n  tests: {package: {}}\n", "farm.yaml:2:11: 'tests' has no key 'package'; there are level, exceptions"},
      {"gates:\n  size: {package: {percent: -1}}\n", "farm.yaml:2:29: expected a percentage from 0, found '-1'"},
      {"gates:\n  size: {image: {bytes: 1 MB}}\n", "farm.yaml:2:25: expected a size as '512KiB', found '1 MB'"},
      {"gates:\n  licence: {deny: MIT}\n", "farm.yaml:2:19: expected a list"},
      {"gates:\n  capabilities: {exceptions: {x: [netwrok]}}\n",
       "farm.yaml:2:35: 'netwrok' is none of setuid, setgid, capability, device, world-writable, static, network, "
       "exec, "
       "crypto, privilege, loading, raw-calls\n  hint: did you mean 'network'?"},
      {"gates:\n  tests: {exceptions: [a]}\n", "farm.yaml:2:23: exceptions are a mapping of packages and images"},
      {"gates:\n  waivers: {days: 900}\n", "farm.yaml:2:19: expected 0 to 366 days, found '900'"},
  };
  for (const auto& [text, message] : rows) {
    const auto policy = read(text);
    ASSERT_FALSE(policy) << text;
    EXPECT_EQ(policy.error().render(), message) << text;
  }
}

TEST(GatePolicy, SaysWhatDataOnVulnerabilitiesIsWanted) {
  EXPECT_EQ(GatePolicy().vulnerability_data, NeedsData::kOnceThere);
  EXPECT_EQ(GatePolicy().vulnerability_age_seconds, 7 * 86400);
  const auto policy = read("gates: {vulnerabilities: {data: required, max-age: 36h, exceptions: {jq: warn}}}\n");
  ASSERT_TRUE(policy) << policy.error().render();
  EXPECT_EQ(policy->vulnerability_data, NeedsData::kAlways);
  EXPECT_EQ(policy->vulnerability_age_seconds, 36 * 3600);
  EXPECT_EQ(policy->level(Gate::kVulnerabilities, "jq"), Level::kWarn);
  EXPECT_EQ(read("gates: {vulnerabilities: {data: optional}}\n")->vulnerability_data, NeedsData::kNever);
  EXPECT_EQ(read("gates:\n  vulnerabilities: {data: yes}\n").error().render(),
            "farm.yaml:2:27: expected required or optional, found 'yes'");
  EXPECT_EQ(read("gates:\n  vulnerabilities: {max-age: 7}\n").error().render(),
            "farm.yaml:2:30: expected an age such as 12h, 7d or 2w, found '7'");
  EXPECT_FALSE(read("gates: {size: {data: required}}\n"));
}

TEST(GatePolicy, ReadsSizes) {
  const std::vector<std::tuple<std::string, std::int64_t>> rows = {
      {"0", 0}, {"100", 100}, {"2B", 2},   {"512KiB", 524288}, {"2 MiB", 2097152}, {"1GiB", 1073741824},
      {"", -1}, {"MiB", -1},  {"1MB", -1}, {"-1", -1},         {"1.5MiB", -1},     {"17179869184GiB", -1}};
  for (const auto& [text, expected] : rows) {
    const auto bytes = parse_bytes(text);
    EXPECT_EQ(bytes ? static_cast<std::int64_t>(*bytes) : -1, expected) << text;
  }
}

}  // namespace
}  // namespace nacre::farm
