#pragma once

#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "codec/json.h"
#include "index/index.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What the gates have to know of a package, read once from its .apk.
namespace nacre::farm {

/// What a program may do, by the functions that it imports. docs/gates.md says what that does not show.
enum class Ability {
  kNetwork,    ///< socket, connect, bind, listen, getaddrinfo, …
  kExec,       ///< execve, posix_spawn, system, popen, …
  kCrypto,     ///< OpenSSL, gcrypt, GnuTLS, sodium, …; getrandom and other sources of random numbers.
  kPrivilege,  ///< setuid, ptrace, mount, unshare, capset, …
  kLoading,    ///< dlopen, dlmopen, …
  kRawCalls,   ///< syscall: calls of the kernel that no import names.
};
inline constexpr std::array kAbilities = {Ability::kNetwork,   Ability::kExec,    Ability::kCrypto,
                                          Ability::kPrivilege, Ability::kLoading, Ability::kRawCalls};
/// "network", "exec", "crypto", "privilege", "loading", "raw-calls"
std::string_view name_of(Ability ability);
/// Of the ability that an imported function gives; nullptr for one that gives none.
const Ability* ability_of(std::string_view function);

/// One ELF file or script.
struct BinaryFacts {
  enum class Kind { kDynamic, kStatic, kGo, kScript };
  std::string path;
  Kind kind = Kind::kDynamic;
  std::string soname;       ///< Of a shared library.
  std::string interpreter;  ///< Of a script: the command of its first line.
  std::vector<std::string> needed;
  std::vector<std::string> exports;  ///< As docs/formats/abi.md writes them: "F deflate@@ZLIB_1.2.0", "O8 z_errmsg".
  /// Imports that are not weak: by the library that must have the version, "deflate@ZLIB_1.2.0"; those without a
  /// version under "".
  std::map<std::string, std::vector<std::string>> imports;
  std::map<Ability, std::vector<std::string>> abilities;  ///< With the functions that say so.

  bool operator==(const BinaryFacts&) const = default;
};
/// What others need it by: its soname; for libraries without one, in a directory that the loader searches, the file's
/// name; empty for what is no library.
std::string library_name(const BinaryFacts& binary);
/// "dynamic", "static", "go", "script"
std::string_view name_of(BinaryFacts::Kind kind);

/// A file that gives more than its bytes: "setuid", "setgid", "capability", "device", "world-writable".
struct SpecialFile {
  std::string path, kind, detail;  ///< detail: "mode 4755, owner 0:0", "security.capability", "c 1:3"
  bool operator==(const SpecialFile&) const = default;
};

/// A finding of package::check_hardening() that stops a package, unless its definition disables the check.
struct WeakFile {
  std::string path, rule, text;  ///< rule: "hardening/pie"
  bool operator==(const WeakFile&) const = default;
};

/// One package, published or a candidate.
struct PackageFacts {
  Sha256 apk;  ///< Whose facts these are.
  std::string name, version, arch, origin, license;
  std::uint64_t package_bytes = 0;    ///< Of the .apk.
  std::uint64_t installed_bytes = 0;  ///< Of its regular files, hard links counted once.
  std::vector<std::string> replaces;
  std::vector<std::string> files;    ///< Every path but directories', sorted.
  std::vector<SpecialFile> special;  ///< By path, then kind.
  std::vector<WeakFile> weak;
  std::vector<BinaryFacts> binaries;  ///< By path.
  Sha256 abi;                         ///< package::PackageAbi::digest.

  bool operator==(const PackageFacts&) const = default;
  std::vector<std::string> sonames() const;  ///< Provided, sorted, once each.
};

/// From an .apk in the store, unpacked for a moment. kInvalid for what is no package.
Result<PackageFacts> read_facts(const Sha256& apk, Env& env);
/// The same from what was kept when it was read first (state `facts`, a blob of JSON), else read now and kept.
Result<PackageFacts> facts_of(const Sha256& apk, Env& env);

codec::Json facts_to_json(const PackageFacts& facts);
/// kInvalid names the member that is wrong.
Result<PackageFacts> facts_from_json(const codec::Json& json);

/// One published image.
struct ImageFacts {
  std::string name;
  Sha256 digest;
  std::uint64_t bytes = 0;  ///< Of layers and configuration, as they are pulled; the greatest of its platforms.
};
Result<ImageFacts> image_facts(const index::SerialImage& image, Env& env);

/// What the bytes of a program, a library or a script say; nothing for other files, and for ELF files that cannot be
/// read (the hardening gate names those). The bytes may be hostile.
std::optional<BinaryFacts> read_binary(std::string_view path, std::string_view bytes);

}  // namespace nacre::farm
