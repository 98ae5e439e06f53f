// What trees use, and whether that touches them when a library changes: package/use.h, package/touch.h.
// usage: use_probe mark TREE
//   prints the mark that files which nobody reads from now on can be told by
//        use_probe use OUT [--root ROOT]... [--mark MARK] TREE...
//        use_probe compare BEFORE-VERSION BEFORE-TREE AFTER-VERSION AFTER-TREE [--other TREE]... USE...
//   a line of JSON: how many names changed, some of them, for each USE why it is touched ("" when it is not),
//   by what urgent, and by what in a fix
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <optional>

#include "codec/json.h"
#include "package/touch.h"

using namespace nacre;

namespace {

[[noreturn]] void fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.render().c_str());
  std::exit(1);
}

package::Offer offer_of(const char* tree, const char* version) {
  const auto walked = package::PackageTree::walk(tree);
  if (!walked) fail(walked.error());
  auto offer = package::read_offer(*walked, version);
  if (!offer) fail(offer.error());
  return *std::move(offer);
}

int mark(const char* tree) {
  const auto made = os::mark_unread(tree);
  if (!made) fail(made.error());
  if (*made) std::printf("%lld-%lld\n", static_cast<long long>((*made)->begin_ns), static_cast<long long>((*made)->end_ns));
  return *made ? 0 : 3;
}

int use(int argc, char** argv) {
  std::vector<os::Path> trees, roots;
  std::optional<os::ReadMark> mark;
  for (int i = 3; i < argc; ++i)
    if (std::strcmp(argv[i], "--root") == 0 && i + 1 < argc) {
      roots.emplace_back(argv[++i]);
    } else if (std::strcmp(argv[i], "--mark") == 0 && i + 1 < argc) {
      char* end = nullptr;
      const std::int64_t begin = std::strtoll(argv[++i], &end, 10);
      mark = os::ReadMark{begin, std::strtoll(end + (*end == '-'), nullptr, 10)};
    } else {
      trees.emplace_back(argv[i]);
    }
  const auto read = package::read_use(trees, roots, mark);
  if (!read) fail(read.error());
  const auto written = os::write_file(argv[2], package::use_to_bytes(*read));
  if (!written) fail(written.error());
  return 0;
}

int compare(int argc, char** argv) {
  const package::Offer before = offer_of(argv[3], argv[2]), after = offer_of(argv[5], argv[4]);
  std::deque<package::Offer> others;
  std::vector<const package::Offer*> was = {&before}, is = {&after}, rest;
  std::vector<const char*> users;
  for (int i = 6; i < argc; ++i) {
    if (std::strcmp(argv[i], "--other") != 0 || i + 1 >= argc) {
      users.push_back(argv[i]);
      continue;
    }
    others.push_back(offer_of(argv[++i], ""));
    rest.push_back(&others.back());
  }
  const package::OfferChanges changes(was, is, rest);
  codec::Json touched = codec::Json::object(), urgent = codec::Json::object(), in_fix = codec::Json::object();
  codec::Json out = codec::Json::object();
  for (const char* user : users) {
    const auto bytes = os::read_file(user, std::uint64_t{1} << 30);
    if (!bytes) fail(bytes.error());
    const auto read = package::use_from_bytes(*bytes);
    if (!read) fail(read.error());
    const std::optional<package::Touch> touch = changes.touches(*read);
    touched.set(user, touch ? touch->why : "");
    urgent.set(user, touch ? touch->urgent : "");
    in_fix.set(user, touch ? touch->in_fix : "");
  }
  out.set("changed", changes.size()).set("some", codec::Json::strings(changes.some_names(20)));
  out.set("touched", std::move(touched)).set("urgent", std::move(urgent)).set("inFix", std::move(in_fix));
  std::printf("%s\n", codec::to_json(out).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "mark") == 0) return mark(argv[2]);
  if (argc >= 4 && std::strcmp(argv[1], "use") == 0) return use(argc, argv);
  if (argc >= 6 && std::strcmp(argv[1], "compare") == 0) return compare(argc, argv);
  std::fprintf(
      stderr,
      "usage: use_probe mark TREE; use_probe use OUT TREE...; use_probe compare VERSION TREE VERSION TREE [--other TREE]... USE...\n");
  return 2;
}
