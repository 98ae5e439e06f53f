#include "farm/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nacre::farm {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kNow = 1'795'860'000;  // 2026-11-28T10:00:00Z

TEST(Page, ShowsChannelsWithWhatWaitsForThem) {
  PageData data;
  data.now = kNow;
  EXPECT_THAT(render_page(data), Not(HasSubstr("Channels"))) << "nothing is published";
  index::ChannelState edge, stable;
  edge.channel.name = "edge";
  edge.channel.serial = 7;
  edge.channel.since = kNow - 3600;
  edge.channel.reason = "update <zlib>";
  edge.channel.pinned = "freeze & rest";
  edge.channel.images = {{"web", 6, {}, kNow - 60, "7 is slow"}};
  stable.channel.name = "stable";
  stable.not_newer = {{7, "on edge for 1 h of 3 h", kNow + 7200, 0}, {5, "zlib has a <hole>", 0, kNow - 60}};
  data.channels = {edge, stable};
  index::Notice withdrawn, ended;
  withdrawn.package = "web";
  withdrawn.version = "8-r0";
  withdrawn.serial = 7;
  withdrawn.since = kNow;
  withdrawn.reason = "it eats files";
  ended.kind = index::Notice::Kind::kEndOfLife;
  ended.package = "node18";
  ended.since = kNow - 86400;
  ended.until = kNow + 86400;
  data.notices = {withdrawn, ended};
  const std::string page = render_page(data);
  for (const char* words :
       {"<td>edge<td>7<td>2026-11-28T09:00:00Z<td>update &lt;zlib&gt;<td><span class=held>pinned</span>: freeze &amp; "
        "rest<br><span class=held>image web stays at serial 6</span>: 7 is slow",
        "<td>stable<td>none yet<td>",
        "<span class=waiting>not serial 7</span>: on edge for 1 h of 3 h, until 2026-11-28T12:00:00Z (in 2 h 00 min)",
        "<span class=red>not serial 5</span>: refused since 2026-11-28T09:59:00Z: zlib has a &lt;hole&gt;",
        "<td>web 8-r0<td class=red>withdrawn in serial 7<td>2026-11-28<td><td>it eats files",
        "<td>node18<td class=held>end of life<td>2026-11-27<td>published until 2026-11-29<td>"})
    EXPECT_THAT(page, HasSubstr(words));
}

TEST(Page, OfAFarmThatDidNothingYetSaysSo) {
  const std::string page = render_page({});
  for (const char* words : {"0 changes under way, 0 upstreams", "<h2>Under way</h2><p>Nothing.",
                            "<h2>Serials</h2><p>None is published yet.", "<h2>Upstreams</h2><p>None was asked yet."})
    EXPECT_THAT(page, HasSubstr(words));
  EXPECT_THAT(page, Not(HasSubstr("What happened last")));
  EXPECT_THAT(page, Not(HasSubstr("vulnerabilities")));
  PageData data;
  data.vulnerabilities = "not asked about: <none>";
  EXPECT_THAT(render_page(data), HasSubstr("Known vulnerabilities: not asked about: &lt;none&gt;."));
}

TEST(Page, SaysWhatRuns) {
  PageData data;
  data.changes.emplace_back();
  data.changes[0].id = 3;
  data.changes[0].state = State::kRunning;
  data.changes[0].error = "an error of the last try";
  data.doing[3] = "cc -o <x> x.c";
  EXPECT_THAT(render_page(data), HasSubstr("running proposed<br><small>cc -o &lt;x&gt; x.c</small>"));
}

TEST(Page, SaysWhatIsPutOff) {
  PageData data;
  EXPECT_THAT(render_page(data), Not(HasSubstr("Put off")));
  data.put_off = {{"web", "zlib: it names <Z> of zlib.h, which changed", kNow}};
  EXPECT_THAT(render_page(data), HasSubstr("<td>web<td>2026-11-28T10:00:00Z<td>zlib: it names &lt;Z&gt; of zlib.h, "
                                           "which changed"));
}

TEST(Page, OfAChangeHasWhatAPersonLooksFor) {
  Change change;
  change.id = 4;
  change.package = "<b>";
  change.from = "1";
  change.to = "2";
  change.state = State::kRed;
  change.stage = Stage::kFetched;
  change.error = "cc: <stdin> & more";
  const std::string page = render_change(change, {}, {"refused size: a < b", "-old\n+<new>", "line </pre>"}, kNow);
  for (const char* words :
       {"<title>change 4</title>", "Change 4: &lt;b&gt; 1 → 2", "red at built",
        "<pre>cc: &lt;stdin&gt; &amp; more</pre>",
        "<h2>Gates</h2><pre>refused size: a &lt; b</pre>", "<h2>What it changes</h2><pre>-old\n+&lt;new&gt;</pre>",
        "<a href='/farm/4.log'>all of it</a>.<pre>line &lt;/pre&gt;</pre>"})
    EXPECT_THAT(page, HasSubstr(words));
  EXPECT_THAT(page, Not(HasSubstr("http-equiv=refresh"))) << "it stands still";
  const std::string empty = render_change(change, {}, {}, kNow);
  EXPECT_THAT(empty, HasSubstr("None on this machine"));
  EXPECT_THAT(empty, Not(HasSubstr("4.log")));
}

}  // namespace
}  // namespace nacre::farm
