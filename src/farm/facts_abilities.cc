#include "farm/facts.h"
#include "package/abi.h"
#include "package/elf.h"

#include <elf.h>

#include <algorithm>
#include <set>
#include <utility>

namespace nacre::farm {
namespace {

using package::Elf;
using package::ElfSymbol;

struct Named {
  std::string_view name;  ///< A final '*': whatever begins so.
  Ability ability;
};

constexpr Named kFunctions[] = {
    {"socket", Ability::kNetwork},
    {"connect", Ability::kNetwork},
    {"bind", Ability::kNetwork},
    {"listen", Ability::kNetwork},
    {"accept", Ability::kNetwork},
    {"accept4", Ability::kNetwork},
    {"sendto", Ability::kNetwork},
    {"recvfrom", Ability::kNetwork},
    {"getaddrinfo", Ability::kNetwork},
    {"gethostbyname*", Ability::kNetwork},
    {"gethostbyaddr*", Ability::kNetwork},
    {"res_query", Ability::kNetwork},
    {"res_nquery", Ability::kNetwork},
    {"res_search", Ability::kNetwork},
    {"curl_easy_perform", Ability::kNetwork},
    {"curl_multi_perform", Ability::kNetwork},
    {"execl", Ability::kExec},
    {"execle", Ability::kExec},
    {"execlp", Ability::kExec},
    {"execv", Ability::kExec},
    {"execve", Ability::kExec},
    {"execveat", Ability::kExec},
    {"execvp", Ability::kExec},
    {"execvpe", Ability::kExec},
    {"fexecve", Ability::kExec},
    {"posix_spawn*", Ability::kExec},
    {"system", Ability::kExec},
    {"popen", Ability::kExec},
    {"wordexp", Ability::kExec},
    {"g_spawn_*", Ability::kExec},
    {"EVP_*", Ability::kCrypto},
    {"SSL_*", Ability::kCrypto},
    {"RSA_*", Ability::kCrypto},
    {"DSA_*", Ability::kCrypto},
    {"DH_*", Ability::kCrypto},
    {"ECDSA_*", Ability::kCrypto},
    {"EC_KEY_*", Ability::kCrypto},
    {"AES_*", Ability::kCrypto},
    {"HMAC*", Ability::kCrypto},
    {"RAND_*", Ability::kCrypto},
    {"X509_*", Ability::kCrypto},
    {"gcry_*", Ability::kCrypto},
    {"gnutls_*", Ability::kCrypto},
    {"nettle_*", Ability::kCrypto},
    {"mbedtls_*", Ability::kCrypto},
    {"psa_*", Ability::kCrypto},
    {"wolfSSL_*", Ability::kCrypto},
    {"wc_*", Ability::kCrypto},
    {"crypto_*", Ability::kCrypto},
    {"randombytes*", Ability::kCrypto},
    {"PK11_*", Ability::kCrypto},
    {"crypt", Ability::kCrypto},
    {"crypt_*", Ability::kCrypto},
    {"getrandom", Ability::kCrypto},
    {"getentropy", Ability::kCrypto},
    {"arc4random*", Ability::kCrypto},
    {"setuid", Ability::kPrivilege},
    {"setgid", Ability::kPrivilege},
    {"seteuid", Ability::kPrivilege},
    {"setegid", Ability::kPrivilege},
    {"setreuid", Ability::kPrivilege},
    {"setregid", Ability::kPrivilege},
    {"setresuid", Ability::kPrivilege},
    {"setresgid", Ability::kPrivilege},
    {"setfsuid", Ability::kPrivilege},
    {"setfsgid", Ability::kPrivilege},
    {"setgroups", Ability::kPrivilege},
    {"initgroups", Ability::kPrivilege},
    {"ptrace", Ability::kPrivilege},
    {"process_vm_readv", Ability::kPrivilege},
    {"process_vm_writev", Ability::kPrivilege},
    {"mount", Ability::kPrivilege},
    {"umount", Ability::kPrivilege},
    {"umount2", Ability::kPrivilege},
    {"pivot_root", Ability::kPrivilege},
    {"chroot", Ability::kPrivilege},
    {"unshare", Ability::kPrivilege},
    {"setns", Ability::kPrivilege},
    {"capset", Ability::kPrivilege},
    {"cap_set_*", Ability::kPrivilege},
    {"init_module", Ability::kPrivilege},
    {"finit_module", Ability::kPrivilege},
    {"delete_module", Ability::kPrivilege},
    {"reboot", Ability::kPrivilege},
    {"swapon", Ability::kPrivilege},
    {"iopl", Ability::kPrivilege},
    {"ioperm", Ability::kPrivilege},
    {"pam_*", Ability::kPrivilege},
    {"dlopen", Ability::kLoading},
    {"dlmopen", Ability::kLoading},
    {"lt_dlopen*", Ability::kLoading},
    {"g_module_open*", Ability::kLoading},
    {"syscall", Ability::kRawCalls},
};

/// Functions of Go programs, by the names that the linker keeps for traces. Those that nothing calls are not linked.
constexpr Named kGoFunctions[] = {
    {"net.socket", Ability::kNetwork},
    {"net.(*Resolver).lookupIPAddr", Ability::kNetwork},
    {"os/exec.(*Cmd).Start", Ability::kExec},
    {"syscall.forkExec", Ability::kExec},
    {"syscall.Exec", Ability::kExec},
    {"crypto/tls.*", Ability::kCrypto},
    {"crypto/aes.*", Ability::kCrypto},
    {"crypto/rsa.*", Ability::kCrypto},
    {"crypto/ecdsa.*", Ability::kCrypto},
    {"crypto/ed25519.*", Ability::kCrypto},
    {"crypto/rand.Read", Ability::kCrypto},
    {"golang.org/x/crypto/*", Ability::kCrypto},
    {"syscall.Setuid", Ability::kPrivilege},
    {"syscall.Setgid", Ability::kPrivilege},
    {"syscall.Setgroups", Ability::kPrivilege},
    {"syscall.Chroot", Ability::kPrivilege},
    {"syscall.Mount", Ability::kPrivilege},
    {"syscall.Unshare", Ability::kPrivilege},
    {"syscall.PtraceAttach", Ability::kPrivilege},
    {"golang.org/x/sys/unix.Mount", Ability::kPrivilege},
    {"golang.org/x/sys/unix.Unshare", Ability::kPrivilege},
    {"golang.org/x/sys/unix.Setns", Ability::kPrivilege},
    {"golang.org/x/sys/unix.Capset", Ability::kPrivilege},
    {"plugin.Open", Ability::kLoading},
};

bool matches(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

/// Names stand in one table, each with a zero byte before and behind it.
void look_for_go_functions(std::string_view bytes, std::map<Ability, std::vector<std::string>>& out) {
  for (const auto& [name, ability] : kGoFunctions) {
    const bool open = name.ends_with('*');
    std::string needle(1, '\0');
    needle += open ? name.substr(0, name.size() - 1) : name;
    if (!open) needle += '\0';
    if (bytes.find(needle) != std::string_view::npos) out[ability].emplace_back(name);
  }
}

std::optional<BinaryFacts> read_script(std::string_view path, std::string_view bytes) {
  constexpr std::size_t kMaxLine = 256;  // the kernel reads no more either
  std::string_view line = bytes.substr(2, kMaxLine);
  line = line.substr(0, line.find('\n'));
  const std::size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  BinaryFacts out;
  out.path = path;
  out.kind = BinaryFacts::Kind::kScript;
  for (const char c : line.substr(begin))
    if (static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f) out.interpreter += c;
  out.interpreter.erase(out.interpreter.find_last_not_of(' ') + 1);
  return out;
}

void take_imports(const Elf& elf, BinaryFacts& out) {
  std::map<std::string, std::set<std::string>> by_library;
  std::map<Ability, std::set<std::string>> abilities;
  for (const ElfSymbol& symbol : elf.imports) {
    if (const Ability* ability = ability_of(symbol.name)) abilities[*ability].insert(symbol.name);
    if (symbol.weak) continue;
    by_library[symbol.library].insert(symbol.version.empty() ? symbol.name : symbol.name + "@" + symbol.version);
  }
  for (const auto& [library, names] : by_library) out.imports[library] = {names.begin(), names.end()};
  for (const auto& [ability, names] : abilities) out.abilities[ability] = {names.begin(), names.end()};
}

}  // namespace

std::string_view name_of(Ability ability) {
  switch (ability) {
    case Ability::kNetwork: return "network";
    case Ability::kExec: return "exec";
    case Ability::kCrypto: return "crypto";
    case Ability::kPrivilege: return "privilege";
    case Ability::kLoading: return "loading";
    case Ability::kRawCalls: return "raw-calls";
  }
  return "?";
}

std::string_view name_of(BinaryFacts::Kind kind) {
  switch (kind) {
    case BinaryFacts::Kind::kDynamic: return "dynamic";
    case BinaryFacts::Kind::kStatic: return "static";
    case BinaryFacts::Kind::kGo: return "go";
    case BinaryFacts::Kind::kScript: return "script";
  }
  return "?";
}

const Ability* ability_of(std::string_view function) {
  const auto found = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                  [&](const Named& named) { return matches(named.name, function); });
  return found == std::end(kFunctions) ? nullptr : &found->ability;
}

std::optional<BinaryFacts> read_binary(std::string_view path, std::string_view bytes) {
  if (bytes.starts_with("#!")) return read_script(path, bytes);
  if (!package::is_elf(bytes)) return std::nullopt;
  const auto elf = package::read_elf(bytes);
  if (!elf || (elf->type != ET_EXEC && elf->type != ET_DYN)) return std::nullopt;
  BinaryFacts out;
  out.path = path;
  out.soname = elf->soname;
  out.needed = elf->needed;
  const bool library = elf->interpreter.empty() && package::is_library_name(path.substr(path.rfind('/') + 1));
  const bool linked = library || !elf->soname.empty() || !elf->interpreter.empty() || !elf->needed.empty();
  out.kind = !elf->go_build_info.empty() ? BinaryFacts::Kind::kGo
             : linked                    ? BinaryFacts::Kind::kDynamic
                                         : BinaryFacts::Kind::kStatic;
  std::vector<ElfSymbol> exports = elf->exports;
  // A program exports what its plug-ins need; of interest to others are its copies of libraries' data.
  if (!library && elf->soname.empty())
    std::erase_if(exports, [](const ElfSymbol& symbol) { return symbol.type != STT_OBJECT; });
  out.exports = package::export_texts(exports);
  take_imports(*elf, out);
  if (out.kind == BinaryFacts::Kind::kGo) look_for_go_functions(bytes, out.abilities);
  return out;
}

}  // namespace nacre::farm
