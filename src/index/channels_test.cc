#include "index/channels.h"

#include <gtest/gtest.h>

#include "base/events.h"
#include "crypto/signer.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

namespace nacre::index {
namespace {

constexpr Edition kEdition = Edition::kCommunity;
constexpr std::int64_t kHour = 3600, kDay = 24 * kHour;
const Judge kNothingAgainst = [](const Serial&) {
  return Result<std::vector<std::string>>(std::vector<std::string>{});
};

const std::string& key_pem() {
  static const std::string kPem = crypto::PrivateKey::generate(crypto::KeyKind::kRsa4096).take().pem();
  return kPem;
}

os::Path prepared(const os::Path& place) {
  EXPECT_TRUE(os::make_dirs(place / "keys", 0700) &&
              os::write_file(place / "keys" / "community-package.pem", key_pem(), 0600));
  return place;
}

/// An edition whose serials hold images and no packages: that is enough for names of them.
struct ChannelsTest : testing::Test {
  os::TempDir folder = os::TempDir::create("/tmp").take();
  os::Path place = prepared(folder.path());
  std::unique_ptr<store::Store> store = store::Store::open(place / "home").take();
  crypto::FileSigner signer{place / "keys"};
  os::FakeProcesses processes;
  os::FakeClock clock{1'795'860'000};  // 2026-11-28T10:00:00Z
  NoEvents events;
  alignas(8) char no_http[8] = {};  // never called
  Env env{processes, clock, reinterpret_cast<net::Http&>(no_http), *store, events, {}};
  std::uint64_t newest = 0;

  SerialImage image(const std::string& name, const std::string& content) {
    SerialImage out;
    out.name = name;
    out.index_digest = store->put_bytes(content).take();
    out.blobs = {out.index_digest};
    out.referrers = codec::Json::object();
    return out;
  }
  /// The next serial; 0: not a roll-back.
  std::uint64_t publish(std::uint64_t rolled_back_to = 0) {
    Serial next;
    next.edition = kEdition;
    next.rolled_back_to = rolled_back_to;
    next.reason = rolled_back_to == 0 ? "update" : fmt::format("rollback to {}", rolled_back_to);
    next.images = {image("nginx", fmt::format("nginx {}", newest + 1)), image("web", "web")};
    if (rolled_back_to != 0) next.images = load_serial(env, kEdition, rolled_back_to).take().images;
    next.index = store->put_bytes(make_index({}, kEdition, newest + 1, segment_signer(signer, kEdition)).take()).take();
    const auto published = publish_serial(env, std::move(next));
    EXPECT_TRUE(published) << published.error().render();
    return newest = published->number;
  }
  std::uint64_t at(std::string_view name) {
    const auto found = find_channel(env, kEdition, name);
    EXPECT_TRUE(found) << found.error().render();
    return *found ? (*found)->serial : 0;
  }
  template <class T>
  static std::string error_of(const Result<T>& result) {
    return result ? "no error" : result.error().render();
  }
  std::optional<FollowReport> follow(const Judge& judge = kNothingAgainst) {
    auto report = follow_channel(env, kEdition, kStable, 3 * kDay, judge);
    EXPECT_TRUE(report) << report.error().render();
    return *std::move(report);
  }
};

TEST_F(ChannelsTest, EdgeMovesWithEveryPublish) {
  EXPECT_EQ(at(kEdge), 0u);
  EXPECT_FALSE(follow_edge(env, kEdition).take().has_value());
  publish();
  clock.sleep(60);
  publish();
  publish(1);
  const Channel edge = load_channel(env, kEdition, kEdge).take();
  EXPECT_EQ(edge.serial, 3u);
  EXPECT_EQ(edge.since, 1'795'860'060);
  EXPECT_EQ(edge.reason, "rollback to 1");
  EXPECT_EQ(channel_history(env, kEdition, kEdge).take().size(), 3u);
  EXPECT_EQ(error_of(set_channel(env, kEdition, kEdge, 1, "no")),
            "edge names the newest serial, and moves by publishing\n"
            "  hint: `nacre rollback SERIAL` publishes what an older one held");
}

TEST_F(ChannelsTest, EdgeOfAStoreThatHadNoChannels) {
  publish();
  ASSERT_TRUE(store->state().erase("channel", "community/edge"));
  ASSERT_TRUE(store->state().erase("channel-move", "community/edge/00000000000000000001"));
  EXPECT_EQ(at(kEdge), 1u);
  ASSERT_EQ(list_channels(env, kEdition).take().size(), 1u);
  EXPECT_EQ(follow_edge(env, kEdition).take()->moves, 1u);
  EXPECT_EQ(follow_edge(env, kEdition).take()->moves, 1u);  // nothing new
  clock.sleep(4 * kDay);
  EXPECT_EQ(follow()->channel.serial, 1u);
}

TEST_F(ChannelsTest, APinnedEdgeStays) {
  publish();
  ASSERT_TRUE(pin_channel(env, kEdition, kEdge, "the registry is being moved"));
  publish();
  publish();
  EXPECT_EQ(at(kEdge), 1u);
  EXPECT_EQ(follow_edge(env, kEdition).take()->serial, 1u);
  EXPECT_EQ(unpin_channel(env, kEdition, kEdge).take().serial, 3u);
  clock.sleep(4 * kDay);
  // Serial 2 was never on edge.
  publish();
  EXPECT_EQ(follow()->channel.serial, 3u);
}

TEST_F(ChannelsTest, Names) {
  for (const char* good : {"stable", "customer-7", "lts.2026", "a"}) EXPECT_TRUE(check_channel_name(good)) << good;
  for (const char* bad : {"", "7", "Stable", "a/b", "latest", "serial", "serial-3", "sha256-ab", "keys", "tuf", "-a"})
    EXPECT_FALSE(check_channel_name(bad)) << bad;
  EXPECT_EQ(error_of(check_channel_name("Stable")),
            "'Stable' cannot name a channel\n"
            "  hint: lower-case letters, digits, '.', '_' and '-', from a letter on, at most 64");
}

TEST_F(ChannelsTest, PeopleSetAndSetBack) {
  for (int i = 0; i < 4; ++i) publish();
  EXPECT_EQ(error_of(set_channel(env, kEdition, "lts", 9, "x")),
            "edition community has no serial 9\n  hint: the newest is 4");
  ASSERT_TRUE(set_channel(env, kEdition, "lts", 2, "first choice"));
  EXPECT_EQ(error_of(set_channel_back(env, kEdition, "lts", "x")),
            "channel 'lts' of edition community named no older serial than 2\n"
            "  hint: name one: `nacre serials` lists them");
  ASSERT_TRUE(set_channel(env, kEdition, "lts", 4, "second"));
  const Channel back = set_channel_back(env, kEdition, "lts", "4 is bad").take();
  EXPECT_EQ(back.serial, 2u);
  EXPECT_EQ(back.above, 4u);
  EXPECT_EQ(error_of(load_channel(env, kEdition, "ltz")),
            "edition community has no channel 'ltz'\n  hint: did you mean 'lts'?");
  EXPECT_EQ(error_of(advance_channel(env, kEdition, "lts", 4, 3, "x")),
            "channel 'lts' of edition community was changed meanwhile\n  hint: run the same command again");
  ASSERT_TRUE(pin_channel(env, kEdition, "lts", "audit"));
  EXPECT_EQ(error_of(set_channel(env, kEdition, "lts", 4, "x")),
            "channel 'lts' of edition community is pinned to serial 2: audit\n"
            "  hint: `nacre farm channel unpin lts` lets it go");
  const auto history = channel_history(env, kEdition, "lts").take();
  ASSERT_EQ(history.size(), 4u);
  EXPECT_EQ(history[2].reason, "4 is bad");
  EXPECT_EQ(name_of(history[3].what), "pinned");
}

TEST_F(ChannelsTest, AnImageMayStay) {
  publish();
  publish();
  ASSERT_TRUE(set_channel(env, kEdition, kStable, 1, "first"));
  ASSERT_TRUE(pin_image(env, kEdition, kStable, "nginx", 0, "regression in 2"));
  ASSERT_TRUE(set_channel(env, kEdition, kStable, 2, "next"));
  const Channel stable = load_channel(env, kEdition, kStable).take();
  const Serial serial = serial_of(env, stable).take();
  EXPECT_EQ(serial.number, 2u);
  ASSERT_EQ(serial.images.size(), 2u);
  EXPECT_EQ(serial.images[0].index_digest, load_serial(env, kEdition, 1).take().images[0].index_digest);
  EXPECT_EQ(error_of(pin_image(env, kEdition, kStable, "ngimx", 0, "x")),
            "serial 2 of edition community has no image 'ngimx'\n  hint: did you mean 'nginx'?");
  ASSERT_TRUE(unpin_image(env, kEdition, kStable, "nginx"));
  EXPECT_EQ(image_of(env, load_channel(env, kEdition, kStable).take(), "nginx").take()->index_digest,
            load_serial(env, kEdition, 2).take().images[0].index_digest);
  EXPECT_EQ(error_of(unpin_image(env, kEdition, kStable, "nginx")),
            "image 'nginx' is not pinned in channel 'stable' of edition community");
}

TEST_F(ChannelsTest, StableFollowsWhatHasSoaked) {
  publish();
  EXPECT_FALSE(follow().has_value());  // nothing has soaked, and there is no stable
  clock.sleep(kDay);
  publish();
  clock.sleep(2 * kDay);
  EXPECT_EQ(follow()->channel.serial, 1u);
  clock.sleep(kDay - 1);
  const auto waits = follow();
  EXPECT_FALSE(waits->moved());
  ASSERT_EQ(waits->not_newer.size(), 1u);
  EXPECT_EQ(waits->not_newer[0].serial, 2u);
  EXPECT_EQ(waits->not_newer[0].due, clock.now_seconds() + 1);
  clock.sleep(1);
  EXPECT_EQ(follow()->channel.serial, 2u);
}

TEST_F(ChannelsTest, TheJudgeAndThePin) {
  for (int i = 0; i < 3; ++i) publish();
  clock.sleep(3 * kDay);
  const Judge no_third = [](const Serial& serial) -> Result<std::vector<std::string>> {
    if (serial.number != 3) return std::vector<std::string>{};
    return std::vector<std::string>{"zlib has a hole that is mended upstream"};
  };
  const auto report = follow(no_third);
  EXPECT_EQ(report->channel.serial, 2u);
  ASSERT_EQ(report->not_newer.size(), 1u);
  EXPECT_EQ(report->not_newer[0].why, "zlib has a hole that is mended upstream");
  ASSERT_TRUE(pin_channel(env, kEdition, kStable, "freeze"));
  const auto pinned = follow();
  EXPECT_EQ(pinned->channel.serial, 2u);
  EXPECT_EQ(pinned->not_newer.at(0).why, "the channel is pinned: freeze");
}

TEST_F(ChannelsTest, ARefusalIsKept) {
  for (int i = 0; i < 2; ++i) publish();
  const auto not_newer = [&](std::uint64_t from) {
    Channel stable;
    stable.name = kStable;
    stable.serial = from;
    std::string out;
    const std::vector<WhyNot> rows = why_not_newer(env, stable, 3 * kDay).take();
    for (const WhyNot& row : rows) out += render(row) + "\n";
    return out;
  };
  EXPECT_EQ(not_newer(0),
            "not serial 2: on edge for 0 ms of 3 d 00 h, until 2026-12-01T10:00:00Z\n"
            "not serial 1: on edge for 0 ms of 3 d 00 h, until 2026-12-01T10:00:00Z\n");
  clock.sleep(3 * kDay);
  std::string words = "the data is 8 days old";
  const Judge judge = [&](const Serial&) -> Result<std::vector<std::string>> {
    return words.empty() ? std::vector<std::string>{} : std::vector{words};
  };
  EXPECT_FALSE(follow(judge).has_value()) << "there is no channel yet";
  clock.sleep(kDay);
  words = "the data is 9 days old";
  EXPECT_FALSE(follow(judge).has_value());
  EXPECT_EQ(not_newer(1), "not serial 2: refused since 2026-12-01T10:00:00Z: the data is 9 days old\n");
  clock.sleep(kDay);
  words.clear();
  EXPECT_EQ(follow(judge)->channel.serial, 2u);
  EXPECT_EQ(not_newer(2), "");
  const std::vector<Refusal> kept = channel_refusals(env, kEdition, kStable).take();
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[1].until - kept[1].since, 2 * kDay);
  EXPECT_EQ(kept[1].words, "the data is 9 days old");
  EXPECT_EQ(kept[0].until, 0) << "nobody judged serial 1 again";
}

TEST_F(ChannelsTest, AfterARollBack) {
  for (int i = 0; i < 3; ++i) publish();
  clock.sleep(4 * kDay);
  EXPECT_EQ(follow()->channel.serial, 3u);
  // Somebody sets stable back: it does not come back to 3 by itself.
  ASSERT_TRUE(set_channel_back(env, kEdition, kStable, "").error().kind() == ErrorKind::kNotFound);
  ASSERT_TRUE(set_channel(env, kEdition, kStable, 1, "3 is bad"));
  EXPECT_EQ(follow()->channel.serial, 1u);
  // The same for everybody: edge goes back as serial 4, whose content soaked long ago.
  publish(1);
  EXPECT_EQ(follow()->channel.serial, 4u);
}

struct Row {
  const char* name;
  std::vector<EdgeStep> edge;
  std::uint64_t present, above;
  std::vector<std::uint64_t> ready;
  std::vector<std::pair<std::uint64_t, std::string>> waiting;
};

TEST(ChooseAfterSoak, Table) {
  const std::int64_t now = 100 * kDay, old = now - 5 * kDay, young = now - kDay;
  const Row rows[] = {
      {"nothing", {}, 0, 0, {}, {}},
      {"the newest that has soaked",
       {{1, old, old}, {2, old, old}, {3, young, young}},
       1,
       0,
       {2},
       {{3, "on edge for"}}},
      {"exactly", {{2, now - 3 * kDay, now - 3 * kDay}}, 1, 0, {2}, {}},
      {"set back from 3",
       {{2, old, old}, {3, old, old}, {4, young, young}},
       1,
       3,
       {},
       {{4, "on edge for"}, {3, "the channel was set back from serial 3"}, {2, "the channel was set back"}}},
      {"taken back", {{2, old, old}, {3, old, old}, {4, young, old, 2}}, 1, 0, {4, 2}, {{3, "serial 4 took it back"}}},
      {"taken back, and forwards again",
       {{2, old, old}, {3, old, old}, {4, young, old, 2}, {5, young, old, 3}},
       1,
       0,
       {5, 3, 2},
       {{4, "serial 5 took it back"}}},
      {"a clock that was set back", {{2, now + kDay, now + kDay}}, 1, 0, {}, {{2, "on edge for 0"}}},
  };
  for (const Row& row : rows) {
    const SoakChoice choice = choose_after_soak(row.edge, row.present, row.above, now, 3 * kDay);
    EXPECT_EQ(choice.ready, row.ready) << row.name;
    ASSERT_EQ(choice.waiting.size(), row.waiting.size()) << row.name;
    for (std::size_t i = 0; i < row.waiting.size(); ++i) {
      EXPECT_EQ(choice.waiting[i].serial, row.waiting[i].first) << row.name;
      EXPECT_TRUE(choice.waiting[i].why.starts_with(row.waiting[i].second))
          << row.name << ": " << choice.waiting[i].why;
    }
  }
}

TEST_F(ChannelsTest, EveryStateByAWord) {
  EXPECT_EQ(error_of(serial_at(env, kEdition, "2026-11-28")),
            "edition community had no serial yet on 2026-11-28\n  hint: nothing was published in this edition yet");
  publish();  // 2026-11-28T10:00:00Z
  clock.sleep(kHour);
  publish();  // 11:00
  clock.sleep(kDay);
  publish();  // 2026-11-29T11:00:00Z
  ASSERT_TRUE(set_channel(env, kEdition, kStable, 2, "x"));
  const std::pair<const char*, std::pair<std::uint64_t, bool>> rows[] = {
      {"2", {2, true}},
      {"@2", {2, true}},
      {"2026-11-28", {2, true}},
      {"2026-11-28T10:59:59Z", {1, true}},
      {"2026-11-28T11:00:00Z", {2, true}},
      {"2026-11-29", {3, false}},  // the day is not over
      {"2027-02-28", {3, false}},
      {"stable", {2, false}},
      {"@edge", {3, false}},
  };
  for (const auto& [word, wanted] : rows) {
    const auto moment = serial_at(env, kEdition, word);
    ASSERT_TRUE(moment) << moment.error().render();
    EXPECT_EQ(moment->serial.number, wanted.first) << word;
    EXPECT_EQ(moment->fixed, wanted.second) << word;
  }
  EXPECT_EQ(error_of(serial_at(env, kEdition, "2026-11-27")),
            "edition community had no serial yet on 2026-11-27\n  hint: the first was published 2026-11-28T10:00:00Z");
  EXPECT_EQ(error_of(serial_at(env, kEdition, "4")), "edition community has no serial 4\n  hint: the newest is 3");
  EXPECT_EQ(error_of(serial_at(env, kEdition, "stabel")),
            "edition community has no channel 'stabel'\n  hint: did you mean 'stable'?");
  for (const char* bad : {"", "@", "2026-02-30", "2026-11-28T25:00:00Z", "-1", "1.2", "../x"})
    EXPECT_EQ(serial_at(env, kEdition, bad).error().kind(), ErrorKind::kInvalid) << bad;
}

}  // namespace
}  // namespace nacre::index
