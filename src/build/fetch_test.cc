#include "build/fetch.h"

#include "base/encoding.h"
#include "base/events.h"
#include "codec/digest.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace nacre::build {
namespace {

using os::Path;

/// A web server that can break off, lose ranges and answer with a status.
class Web final : public net::Http {
 public:
  struct Page {
    std::string bytes;
    int status = 200;
    bool ranges = true;
    std::vector<std::size_t> breaks;  ///< The n-th answer stops after so many bytes.
  };
  std::map<std::string, Page> pages;
  std::vector<std::string> asked;  ///< "URL" or "URL bytes=N-".

  Result<net::Response> send(const net::Request& request, std::stop_token) override {
    std::string line = request.url;
    std::size_t offset = 0;
    for (const auto& [name, value] : request.headers) {
      line += " " + value;
      offset = std::stoul(value.substr(value.find('=') + 1));
    }
    asked.push_back(line);
    const auto found = pages.find(request.url);
    if (found == pages.end())
      return Error::make(ErrorKind::kUnavailable, "cannot reach {}", request.url);
    Page& page = found->second;
    net::Response response;
    response.status = page.status;
    if (page.status != 200) return response;
    std::string_view body = page.bytes;
    if (offset > 0 && page.ranges) {
      if (offset >= body.size()) return net::Response{416, {}, {}, {}};
      response.status = 206;
      response.headers["content-range"] =
          fmt::format("bytes {}-{}/{}", offset, body.size() - 1, body.size());
      body.remove_prefix(offset);
    }
    if (body.size() > request.max_bytes) return Error::make(ErrorKind::kInvalid, "too long");
    if (!page.breaks.empty()) {
      const std::size_t stop = page.breaks.front();
      page.breaks.erase(page.breaks.begin());
      TRY(request.on_head(response));
      TRY(request.sink(body.substr(0, stop)));
      return Error::make(ErrorKind::kUnavailable, "connection to {} broke", request.url);
    }
    TRY(request.on_head(response));
    TRY(request.sink(body));
    return response;
  }
};

class Listener final : public Events {
 public:
  std::string text;
  void emit(const Event& event) override { text += event.name + "|" + event.detail + "\n"; }
};

std::shared_ptr<const AptArchives> archives(std::vector<std::string> bases) {
  return std::make_shared<AptArchives>(std::move(bases));
}

class FetchTest : public testing::Test {
 protected:
  os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  std::unique_ptr<store::Store> store = *store::Store::open(dir.path() / "home");
  os::FakeProcesses processes;
  os::FakeClock clock;
  Web web;
  Listener events;
  std::stop_source stop;
  Env env{processes, clock, web, *store, events, stop.get_token()};

  std::string bytes = std::string(5000, 'a') + std::string(5000, 'b');
  std::string hex = codec::sha256(bytes).hex();
  std::string uri = "https://up.example/x-1.tar.gz";
  std::string debian = "http://secret.example/debian/pool/main/x/x_1.orig.tar.gz";
  FetchPlaces places{{dir.path() / "mirror"}, archives({"http://secret.example/debian"}), true};
  std::vector<LockedSource> lock = {{"x_1.orig.tar.gz",
                                     codec::sha256(bytes),
                                     bytes.size(),
                                     uri,
                                     "pool/main/x/x_1.orig.tar.gz",
                                     {"sid"},
                                     true,
                                     {"x"}}};

  definition::Source source(std::string sha256, std::string sha512 = {}) {
    definition::Source out;
    out.uri = uri;
    out.sha256 = std::move(sha256);
    out.sha512 = std::move(sha512);
    out.place = {"x.yaml", 3, 5};
    return out;
  }
  std::string fetch(const definition::Source& wanted) {
    auto got = fetch_source(wanted, lock, places, env);
    if (!got) return got.error().render();
    EXPECT_EQ(*store->read(got->sha256), bytes);
    EXPECT_EQ(got->size_bytes, bytes.size());
    return got->origin + " " + got->expected;
  }
  void mirror(const std::string& name, std::string_view content) {
    const Path file = dir.path() / "mirror" / name;
    ASSERT_TRUE(os::make_dirs(file.parent_path()));
    ASSERT_TRUE(os::write_file(file, content));
  }
};

TEST_F(FetchTest, AsksStoreDirectoriesDebianUpstreamInThisOrder) {
  web.pages[uri] = {bytes};
  web.pages[debian] = {bytes};
  mirror("x-1.tar.gz", "another release");
  EXPECT_EQ(fetch(source(hex)), "debian sha256:" + hex);
  EXPECT_EQ(web.asked, (std::vector<std::string>{debian}));
  EXPECT_EQ(fetch(source(hex)), "store sha256:" + hex);
  EXPECT_EQ(events.text.find("secret"), std::string::npos) << events.text;
  EXPECT_FALSE(os::exists(store->home() / "partial" / ("sha256-" + hex)));
}

TEST_F(FetchTest, FindsFilesOfDirectoriesByEachName) {
  for (const std::string& name :
       {hex, "sha256/" + hex, std::string("x_1.orig.tar.gz"), std::string("x-1.tar.gz")}) {
    const os::TempDir home = *os::TempDir::create(dir.path());
    store = *store::Store::open(home.path());
    Env own{processes, clock, web, *store, events, stop.get_token()};
    mirror(name, bytes);
    const auto got = fetch_source(source(hex), lock, places, own);
    ASSERT_TRUE(got) << got.error().render();
    EXPECT_EQ(got->origin, "directory") << name;
    EXPECT_TRUE(got->repacked);
    EXPECT_TRUE(os::exists(dir.path() / "mirror" / name)) << "a copy is taken";
    ASSERT_TRUE(os::remove_tree(dir.path() / "mirror"));
  }
}

TEST_F(FetchTest, GoesOnWhereItWasInterrupted) {
  places.apt = nullptr;
  web.pages[uri] = {bytes, 200, true, {3000, 2500}};
  EXPECT_EQ(fetch(source(hex)), "upstream sha256:" + hex);
  EXPECT_EQ(web.asked, (std::vector<std::string>{uri, uri + " bytes=3000-", uri + " bytes=5500-"}));
}

TEST_F(FetchTest, KeepsWhatCameForTheNextRun) {
  places.apt = nullptr;
  web.pages[uri] = {bytes, 200, true, {1000, 1000, 1000, 1000}};
  EXPECT_EQ(fetch(source(hex)),
            "x.yaml:3:5: no place has source 'x-1.tar.gz' (sha256:" + hex +
                ")\n"
                "  store: not there\n"
                "  directories: not there\n"
                "  debian: apt names no archive\n"
                "  upstream: connection to https://up.example/x-1.tar.gz broke\n"
                "  hint: put the file into a directory and name that in NACRE_SOURCE_MIRRORS");
  web.asked.clear();
  EXPECT_EQ(fetch(source(hex)), "upstream sha256:" + hex);
  EXPECT_EQ(web.asked, (std::vector<std::string>{uri + " bytes=4000-"}));
}

TEST_F(FetchTest, BeginsAnewWhenTheRestDoesNotFit) {
  places.apt = nullptr;
  const Path partial = store->home() / "partial" / ("sha256-" + hex);
  ASSERT_TRUE(os::make_dirs(partial.parent_path()));
  struct Case {
    std::string there;
    bool ranges;
    std::vector<std::string> asked;
  };
  const Case cases[] = {
      {"rubbish", true, {uri + " bytes=7-", uri}},
      {"rubbish", false, {uri + " bytes=7-"}},  // 200: the whole file
      {bytes, true, {uri + " bytes=10000-"}},   // 416: nothing was missing
      {std::string(10000, 'z'), true, {uri + " bytes=10000-", uri}},
  };
  for (const Case& row : cases) {
    const os::TempDir home = *os::TempDir::create(dir.path());
    store = *store::Store::open(home.path());
    Env own{processes, clock, web, *store, events, stop.get_token()};
    ASSERT_TRUE(os::make_dirs(home.path() / "partial"));
    ASSERT_TRUE(os::write_file(home.path() / "partial" / ("sha256-" + hex), row.there));
    web.pages[uri] = {bytes, 200, row.ranges, {}};
    web.asked.clear();
    const auto got = fetch_source(source(hex), lock, places, own);
    ASSERT_TRUE(got) << got.error().render();
    EXPECT_EQ(web.asked, row.asked);
  }
}

TEST_F(FetchTest, QuarantinesOtherBytesAndTriesTheNextPlace) {
  const std::string bad = std::string(10000, 'e');
  web.pages[debian] = {bad};
  web.pages[uri] = {bytes};
  EXPECT_EQ(fetch(source(hex)), "upstream sha256:" + hex);
  EXPECT_THAT(events.text,
              testing::HasSubstr("has other bytes than expected elsewhere: debian: found sha256:"));
}

TEST_F(FetchTest, NamesWhatItFoundAndWhereItKeepsIt) {
  const std::string bad = std::string(10000, 'e');
  web.pages[debian] = {"", 404};
  web.pages[uri] = {bad};
  auto got = fetch_source(source(hex), lock, places, env);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind(), ErrorKind::kDenied);
  const std::string text = got.error().render();
  const std::size_t begin = text.find("kept as '") + 9;
  const Path kept = text.substr(begin, text.find('\'', begin) - begin);
  EXPECT_EQ(text,
            "x.yaml:3:5: source 'x-1.tar.gz' has other bytes than expected\n"
            "  expected sha256:" +
                hex +
                "\n"
                "  upstream: found sha256:" +
                codec::sha256(bad).hex() + ", kept as '" + kept.string() +
                "'\n"
                "  hint: compare with upstream's announcement before you change the digest in the "
                "definition");
  EXPECT_EQ(*os::read_file(kept), bad);
  EXPECT_TRUE(kept.string().starts_with((store->home() / "quarantine").string()));
}

TEST_F(FetchTest, SaysNothingOfDebiansAddressInErrors) {
  web.pages[debian] = {bytes, 200, true, {1, 1, 1, 1}};
  places.upstream = false;
  places.apt = archives({"http://secret.example/debian", "http://other-secret.example"});
  const std::string text = fetch(source(hex));
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  EXPECT_THAT(text, testing::HasSubstr(
                        "\n  debian: no answer\n  debian: no answer\n  upstream: not asked\n"));
}

TEST_F(FetchTest, KnowsSourcesBySha512) {
  const std::string long_hex = to_hex(codec::sha512(bytes));
  web.pages[uri] = {bytes};
  places.apt = nullptr;
  EXPECT_EQ(fetch(source("", long_hex)), "upstream sha512:" + long_hex);
  web.pages.clear();
  EXPECT_EQ(fetch(source("", long_hex)), "store sha512:" + long_hex);
  EXPECT_EQ(fetch(source("")),
            "x.yaml:3:5: source 'https://up.example/x-1.tar.gz' has no digest\n"
            "  hint: add expected-sha256: what a build takes in is named by what it is");
}

TEST_F(FetchTest, ReadsAptsArchivesOnce) {
  processes.expect(
      {"apt-get", "indextargets", "--format", "$(REPO_URI)"},
      {0, 0, false,
       "http://a.example/debian/\nhttp://a.example/debian/\ncdrom:[x]/\nhttp://b.example/s/\n",
       ""});
  ::setenv("NACRE_SOURCE_MIRRORS", "/one::/two", 1);
  const FetchPlaces found = places_of_machine(), copy = found;
  ::unsetenv("NACRE_SOURCE_MIRRORS");
  EXPECT_TRUE(processes.asked().empty()) << "not before somebody needs it";
  const std::vector<std::string> bases = {"http://a.example/debian", "http://b.example/s"};
  EXPECT_EQ(found.apt->bases(env), bases);
  EXPECT_EQ(copy.apt->bases(env), bases);
  EXPECT_EQ(found.directories, (std::vector<Path>{"/one", "/two"}));
  os::FakeProcesses none;
  Env without{none, clock, web, *store, events, stop.get_token()};
  EXPECT_TRUE(places_of_machine().apt->bases(without).empty()) << "no apt, no archives";
}

}  // namespace
}  // namespace nacre::build
