#pragma once

#include "apk/package_file.h"
#include "base/events.h"
#include "crypto/key.h"
#include "farm/gate_run.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

/// What the tests of the gates share: real ELF files, real packages, a store.
namespace nacre::farm {

constexpr std::int64_t kNow = 1'795'000'000;  ///< 2026-11-18

/// Compiles C with the machine's compiler; equal calls once.
inline const std::string& compiled(const std::string& code, const std::string& flags) {
  static std::map<std::pair<std::string, std::string>, std::string> known;
  static const os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  auto [entry, is_new] = known.try_emplace({code, flags});
  if (!is_new) return entry->second;
  const os::Path source = dir.path() / "x.c", out = dir.path() / "out";
  EXPECT_TRUE(os::write_file(source, code + "\n"));
  const std::string line =
      fmt::format("cd '{}' && cc -O1 -w -o out x.c -Wl,-z,relro,-z,now {}", dir.path().string(), flags);
  EXPECT_EQ(std::system(line.c_str()), 0) << line;
  return entry->second = *os::read_file(out);
}

/// A shared library without the C library: no start-up code, quick to link.
inline const std::string& library(const std::string& code, const std::string& soname, const std::string& more = "") {
  return compiled(code, "-shared -fPIC -fcf-protection -nostdlib -Wl,-soname," + soname + " " + more);
}

struct TestFile {
  std::string path, content;
  unsigned mode = 0644;
  char type = '0';
  std::map<std::string, std::string> pax;
};

class Bench : public testing::Test {
 protected:
  index::SerialPackage package(const std::string& name, const std::string& version, const std::vector<TestFile>& files,
                               const std::string& origin = "", std::vector<std::string> replaces = {},
                               const std::string& license = "MIT", const std::string& definition = "") {
    apk::PackageInfo info;
    info.name = name;
    info.version = version;
    info.arch = "x86_64";
    info.origin = origin.empty() ? name : origin;
    info.replaces = std::move(replaces);
    if (!license.empty()) info.licenses = {license};
    std::vector<apk::DataEntry> entries;
    for (const TestFile& file : files) {
      apk::DataEntry entry;
      entry.header = {.path = file.path, .type = file.type, .mode = file.mode, .uname = "root", .gname = "root"};
      entry.header.pax = file.pax;
      entry.content = file.content;
      entries.push_back(std::move(entry));
    }
    apk::WriteOptions options;
    options.threads = 1;
    if (!definition.empty()) options.control_files = {{".melange.yaml", definition}};
    const os::Path path = dir_.path() / (name + ".apk");
    const auto written = apk::write_package(path, info, entries, options);
    EXPECT_TRUE(written) << written.error().render();
    index::SerialPackage out;
    out.record = written->record();
    out.apk = *store_->put_file(path, store::Store::Take::kMove);
    return out;
  }

  static index::Serial serial(std::vector<index::SerialPackage> packages, std::uint64_t number = 1) {
    index::Serial out;
    out.number = number;
    out.packages = std::move(packages);
    return out;
  }

  GateReport run(const index::Serial* before, const index::Serial& candidate, GateInput input = {}) {
    input.before = before;
    input.candidate = &candidate;
    auto report = run_gates(input, env_);
    EXPECT_TRUE(report) << report.error().render();
    return report ? *std::move(report) : GateReport();
  }

  os::TempDir dir_ = *os::TempDir::create(std::filesystem::temp_directory_path());
  std::unique_ptr<store::Store> store_ = *store::Store::open(dir_.path() / "home");
  os::FakeProcesses processes_;
  os::FakeClock clock_{kNow};
  NoEvents events_;
  alignas(8) char no_http_[8] = {};  // never called: no gate reaches for the network
  Env env_{processes_, clock_, reinterpret_cast<net::Http&>(no_http_), *store_, events_, {}};
};

inline std::vector<std::string> texts(const std::vector<Verdict>& verdicts) {
  std::vector<std::string> out;
  for (const Verdict& verdict : verdicts)
    out.push_back(
        fmt::format("{} {} {}: {}", name_of(verdict.state), name_of(verdict.gate), verdict.subject, verdict.words));
  return out;
}

}  // namespace nacre::farm
