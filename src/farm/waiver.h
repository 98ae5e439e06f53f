#pragma once

#include "base/result.h"
#include "crypto/key.h"
#include "os/file.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// A person's signed, dated, reasoned word that a gate lets something pass: docs/formats/waiver.md.
namespace nacre::farm {

/// Days since 1970-01-01, UTC.
using Day = std::int64_t;
std::string day_text(Day day);                 ///< "2026-11-28"
Result<Day> parse_day(std::string_view text);  ///< kInvalid for what is no day from 1970 to 9999.
inline Day day_of(std::int64_t seconds) { return seconds / 86400; }

/// The subject that stands for a serial as a whole.
inline constexpr std::string_view kWholeSerial = "serial";

/// One entry of waivers.yaml.
struct Waiver {
  std::string gate, subject;  ///< subject: package or image.
  std::string version;        ///< "1.26.3-r1"; empty: any.
  std::string who;            ///< Name of the key: keys/people/WHO.pub.
  std::string reason;         ///< One line.
  Day from = 0, until = 0;    ///< Both days count.
  std::string signature;      ///< Base64; empty: unsigned.
  Place place;                ///< Of the entry.
};

/// What a signature covers.
std::string waiver_text(const Waiver& waiver);

/// Reads waivers.yaml; an empty text is none. kInvalid with its place for what is no such file: unknown keys, days that
/// are none, texts that hold line ends, more than 1,000 waivers.
Result<std::vector<Waiver>> parse_waivers(std::string text, std::string file);

/// Keys of the people who may waive, by name.
using People = std::map<std::string, crypto::PublicKey, std::less<>>;
/// FOLDER/*.pub, PEM; none when there is no such folder. kInvalid for a file that is no key.
Result<People> read_people(const os::Path& folder);

/// Signs. kInvalid for a waiver that could not be read back.
Result<Waiver> sign_waiver(Waiver waiver, const crypto::PrivateKey& key);

/// Why a waiver does not count on that day; empty when it does.
std::string why_void(const Waiver& waiver, const People& people, Day today, int max_days);

/// The text of waivers.yaml with one more; comments and all else stay. kInvalid when `text` is no such file.
Result<std::string> with_waiver(std::string text, const std::string& file, const Waiver& waiver);

}  // namespace nacre::farm
