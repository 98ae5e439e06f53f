// Times the readers of one APKINDEX.tar.gz, for bench/index.sh: `index_probe INDEX HOME`, HOME being a scratch store.
// Not installed.

#include "apk/index_file.h"
#include "codec/digest.h"
#include "index/kept_index.h"
#include "store/store.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace nacre {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) { return std::chrono::duration<double, std::milli>(Clock::now() - begin).count(); }

/// The least of some rounds, in milliseconds.
template <class Work>
void timed(const char* name, int rounds, Work work) {
  double least = 1e9;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = Clock::now();
    if (const auto done = work(i); !done) {
      std::fprintf(stderr, "%s\n", done.error().render().c_str());
      std::exit(1);
    }
    least = std::min(least, since(begin));
  }
  std::printf("%-44s %8.2f ms\n", name, least);
}

Result<> run(const os::Path& file, const os::Path& home) {
  const auto store = TRY(store::Store::open(home));
  const std::string bytes = TRY(os::read_file(file, 1u << 30));
  const Sha256 digest = codec::sha256(bytes);
  apk::IndexText parts;
  timed("inflate the archive", 5, [&](int) -> Result<> {
    parts = TRY(apk::unpack_index(bytes, "index"));
    return {};
  });
  std::size_t packages = 0;
  timed("scan the text, no copies", 10, [&](int) {
    packages = 0;
    return apk::scan_index(parts.text, "index", [&](const apk::RecordView&) -> Result<> {
      ++packages;
      return {};
    });
  });
  timed("parse the text to records", 5, [&](int) -> Result<> {
    (void)TRY(apk::parse_index(parts.text, "index"));
    return {};
  });
  timed("lay it out", 5, [&](int) -> Result<> {
    apk::SegmentWriter writer(digest);
    writer.expect(parts.text.size());
    auto scanned = apk::scan_index(parts.text, "index", [&](const apk::RecordView& record) { return writer.add(record); });
    if (!scanned) return scanned;
    const std::string segment = TRY(writer.finish());
    return {};
  });
  timed("from text to the mapped form in the store", 3, [&](int) -> Result<> {
    (void)TRY(index::keep_index(*store, digest, parts.text, "index"));
    return {};
  });
  timed("ready the second time", 20, [&](int) -> Result<> {
    const auto kept = TRY(index::find_kept_index(*store, digest));
    if (!kept || (*kept)->package_count() != packages) return Error::make(ErrorKind::kInternal, "the index is not kept");
    return {};
  });
  const auto kept = TRY(index::find_kept_index(*store, digest));
  std::uint64_t unique = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
  timed("add one package to the mapped form", 10, [&](int) -> Result<> {
    const std::string version = fmt::format("1.{}-r0", ++unique);
    apk::RecordView record = (*kept)->record(0);
    record.version = version;
    const std::vector<apk::RecordView> added = {record};
    (void)TRY(index::extend_kept_index(*store, *kept, codec::sha256(version), added));
    return {};
  });
  std::printf("%zu packages, %zu bytes of text, %zu of archive\n", packages, parts.text.size(), bytes.size());
  return {};
}

}  // namespace
}  // namespace nacre

int main(int count, char** words) {
  if (count != 3) return 2;
  const auto done = nacre::run(words[1], words[2]);
  if (!done) std::fprintf(stderr, "%s\n", done.error().render().c_str());
  return done ? 0 : 1;
}
