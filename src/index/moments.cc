#include "base/number.h"
#include "index/channels.h"
#include "index/records.h"
#include "os/clock.h"
#include "store/store.h"

#include <algorithm>
#include <chrono>

// Every state of an edition by a word: index/channels.h.
namespace nacre::index {
namespace {

/// Seconds since 1970 at the start of "2026-11-28"; nothing for what is no day.
std::optional<std::int64_t> day_start(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = whole_number<unsigned>(text.substr(0, 4)), month = whole_number<unsigned>(text.substr(5, 2)),
             day = whole_number<unsigned>(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(*year)}, std::chrono::month{*month},
                                         std::chrono::day{*day}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date}.time_since_epoch().count() * std::int64_t{86400};
}

/// The last second that a date names: of "2026-11-28" the end of the day, of "…T10:00:00Z" that second.
std::optional<std::int64_t> last_second(std::string_view text) {
  if (text.size() == 10) {
    const auto start = day_start(text);
    return start ? std::optional(*start + 86399) : std::nullopt;
  }
  if (text.size() != 20 || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != 'Z')
    return std::nullopt;
  const auto start = day_start(text.substr(0, 10));
  const auto hour = whole_number<unsigned>(text.substr(11, 2)), minute = whole_number<unsigned>(text.substr(14, 2)),
             second = whole_number<unsigned>(text.substr(17, 2));
  if (!start || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return *start + *hour * 3600 + *minute * 60 + *second;
}

/// The newest serial that was published by then. Times of publishing never go back.
Result<Serial> newest_at(Env& env, Edition edition, std::string_view word, std::int64_t at) {
  const std::optional<std::uint64_t> last = TRY(head_number(env, edition));
  std::uint64_t low = 1, high = last.value_or(0);
  std::optional<Serial> found;
  while (low <= high) {
    const std::uint64_t middle = low + (high - low) / 2;
    Serial serial = TRY(load_serial(env, edition, middle));
    if (serial.published <= at) {
      found = std::move(serial);
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  if (found) return *std::move(found);
  Error error = Error::make(ErrorKind::kNotFound, "edition {} had no serial yet on {}", name_of(edition), word);
  if (!last) return std::move(error).hint("nothing was published in this edition yet");
  const Serial first = TRY(load_serial(env, edition, 1));
  return std::move(error).hint("the first was published " + os::rfc3339(first.published));
}

}  // namespace

Result<Moment> serial_at(Env& env, Edition edition, std::string_view word) {
  const std::string_view text = word.starts_with('@') ? word.substr(1) : word;
  constexpr std::size_t kMostDigits = 18;
  Moment out;
  if (!text.empty() && text.size() <= kMostDigits && text.find_first_not_of("0123456789") == text.npos) {
    out.serial = TRY(load_serial(env, edition, *whole_number<std::uint64_t>(text)));
    return out;
  }
  if (const auto at = last_second(text)) {
    out.serial = TRY(newest_at(env, edition, text, *at));
    out.fixed = *at < env.clock.now_seconds();
    return out;
  }
  if (!check_channel_name(text))
    return Error::make(ErrorKind::kInvalid, "'{}' is no serial, date or channel", word.substr(0, 100))
        .hint(
            "a number such as 12, a day or second in UTC such as 2026-11-28 or 2026-11-28T10:00:00Z, or a channel "
            "such as stable");
  const Channel channel = TRY(load_channel(env, edition, text));
  out.serial = TRY(serial_of(env, channel));
  out.channel = channel.name;
  out.fixed = false;
  return out;
}

Result<Serial> serial_of(Env& env, const Channel& channel) {
  Serial out = TRY(load_serial(env, channel.edition, channel.serial));
  for (const ImagePin& pin : channel.images) {
    std::optional<SerialImage> image = TRY(image_of(env, channel, pin.image));
    std::erase_if(out.images, [&](const SerialImage& old) { return old.name == pin.image; });
    if (image) out.images.push_back(*std::move(image));
  }
  std::sort(out.images.begin(), out.images.end(),
            [](const SerialImage& a, const SerialImage& b) { return a.name < b.name; });
  return out;
}

Result<std::optional<SerialImage>> image_of(Env& env, const Channel& channel, std::string_view image) {
  std::uint64_t number = channel.serial;
  for (const ImagePin& pin : channel.images)
    if (pin.image == image) number = pin.serial;
  const Serial serial = TRY(load_serial(env, channel.edition, number));
  for (const SerialImage& one : serial.images)
    if (one.name == image) return std::optional(one);
  return std::optional<SerialImage>();
}

}  // namespace nacre::index
