#include "image/top.h"

#include "base/events.h"
#include "base/text.h"
#include "codec/digest.h"
#include "crypto/certificate.h"
#include "crypto/key.h"
#include "image/java_truststore.h"

#include <algorithm>
#include <set>

namespace nacre::image {
namespace {

constexpr std::string_view kCertificates = "usr/local/share/ca-certificates";
constexpr std::string_view kBundles[] = {"etc/ssl/certs/ca-certificates.crt",
                                         "var/lib/ecs/deps/execute-command/certs/tls-ca-bundle.pem",
                                         "kaniko/ssl/certs/ca-certificates.crt"};
constexpr std::string_view kTruststore = "etc/ssl/certs/java/cacerts";
constexpr std::string_view kBusybox = "/bin/busybox";

struct Trusted {
  std::string der, alias;
};

Trusted trusted(std::string der, std::string_view prefix) {
  const std::string fingerprint = codec::sha256(der).hex();
  return {std::move(der), fmt::format("{}-{}", prefix, fingerprint)};
}

bool gives_one_of(const apk::PackageInfo& info, const std::vector<std::string>& names) {
  return std::any_of(info.provides.begin(), info.provides.end(), [&](const std::string& text) {
    return std::find(names.begin(), names.end(), text) != names.end();
  });
}

/// Certificates in files of packages that give one of the names; a file that holds none, or several, is left alone.
Result<std::vector<Trusted>> from_packages(const TopLayer& top, const std::vector<PackageContents>& packages,
                                           const std::vector<std::string>& providers, Env& env) {
  std::set<std::string> files;
  for (const PackageContents& package : packages) {
    if (!gives_one_of(package.file.info, providers)) continue;
    for (const ContentEntry& entry : package.entries)
      if (entry.type != '5' && is_beneath(entry.path, kCertificates) &&
          (entry.path.ends_with(".crt") || entry.path.ends_with(".pem")))
        files.insert(entry.path);
  }
  std::vector<Trusted> out;
  for (const std::string& path : files) {
    const std::string text = TRY(top.read(path, env));
    auto der = crypto::certificate_der(text);
    if (der) out.push_back(trusted(*std::move(der), "pkg"));
  }
  return out;
}

/// "etc/ssl/certs/.ca-certificates.crt.sha256"
std::string sidecar_of(std::string_view path) {
  return fmt::format("{}/.{}.sha256", parent_of(path), name_of_path(path));
}

}  // namespace

Result<> add_certificates(TopLayer& top, const ImageSpec& spec, const std::vector<PackageContents>& packages,
                          std::int64_t created, Env& env) {
  if (!spec.certificates) return {};
  std::vector<Trusted> all;
  for (const NamedText& additional : spec.certificates->additional) {
    auto der = crypto::certificate_der(additional.content);
    if (!der)
      return std::move(der).error().at(additional.place).while_doing("reading the certificate '{}'", additional.name);
    Trusted certificate = trusted(*std::move(der), additional.name);
    TRY(top.put_dated(fmt::format("{}/{}.crt", kCertificates, certificate.alias),
                      crypto::pem_block("CERTIFICATE", certificate.der), 0644, created));
    all.push_back(std::move(certificate));
  }
  std::vector<Trusted> more = TRY(from_packages(top, packages, spec.certificates->providers, env));
  std::move(more.begin(), more.end(), std::back_inserter(all));
  if (all.empty()) return {};
  std::string text;
  for (const Trusted& certificate : all) text += crypto::pem_block("CERTIFICATE", certificate.der) + "\n";
  for (const std::string_view bundle : kBundles) {
    if (!top.has_file(bundle)) continue;
    const std::string before = TRY(top.read(bundle, env));
    TRY(top.put_dated(bundle, before + text, 0644, created));
  }
  if (!top.has_file(kTruststore)) return {};
  const std::string before = TRY(top.read(kTruststore, env));
  JavaTruststore store = TRY(JavaTruststore::parse(before), "reading '{}'", kTruststore);
  for (const Trusted& certificate : all) store.add(certificate.alias, certificate.der, created);
  return top.put_dated(kTruststore, store.write(), 0644, created);
}

Result<> add_bundle_sums(TopLayer& top, std::int64_t created, Env& env) {
  std::vector<std::string_view> all(std::begin(kBundles), std::end(kBundles));
  all.push_back(kTruststore);
  for (const std::string_view bundle : all) {
    if (!top.has_file(bundle)) continue;
    const std::string content = TRY(top.read(bundle, env));
    TRY(top.put_dated(sidecar_of(bundle),
                      fmt::format("{}  {}\n", codec::sha256(content).hex(), name_of_path(bundle)), 0444, created));
  }
  return {};
}

Result<> add_runtime_keys(TopLayer& top, const ImageSpec& spec, std::int64_t created) {
  std::vector<NamedText> keys = spec.contents.runtime_keyring;
  std::sort(keys.begin(), keys.end(), [](const NamedText& a, const NamedText& b) { return a.name < b.name; });
  for (const NamedText& key : keys) {
    auto parsed = crypto::PublicKey::from_pem(key.content);
    if (!parsed) return std::move(parsed).error().at(key.place).while_doing("reading the key '{}'", key.name);
    if (parsed->kind() != crypto::KeyKind::kRsa4096)
      return Error::make(ErrorKind::kInvalid, "the key '{}' is no RSA key, and apk takes no others", key.name)
          .at(key.place);
    const std::string path = "etc/apk/keys/" + key.name;
    const std::string at = TRY(top.tree().resolved(path, Last::kKeep));
    if (top.tree().find(at) != nullptr)
      return Error::make(ErrorKind::kConflict, "the key '{}' would replace one that the image has", key.name)
          .at(key.place)
          .hint("give it another name in contents.runtime_keyring");
    TRY(top.put_dated(path, parsed->pem(), 0644, created));
  }
  return {};
}

Result<> add_services(TopLayer& top, const ImageSpec& spec) {
  for (const auto& [name, command] : spec.entrypoint.services) {
    TRY(top.add_folder("sv/" + name, 0777, 0, 0, 0777));
    TRY(top.put_file(fmt::format("sv/{}/run", name), fmt::format("#!/bin/execlineb\n{}\n", command), 0755));
  }
  return {};
}

Result<> add_busybox_links(TopLayer& top, const std::vector<PackageContents>& packages, Env& env) {
  if (!top.has_file(kBusybox.substr(1))) return {};
  std::string owner;
  for (const PackageContents& package : packages) {
    const apk::PackageInfo& info = package.file.info;
    const bool gives = info.name == "busybox" ||
                       std::any_of(info.provides.begin(), info.provides.end(), [](const std::string& text) {
                         return text.find("busybox") != std::string::npos;
                       });
    if (gives && (owner.empty() || info.name == "busybox")) owner = info.name;
  }
  const std::string list = "etc/busybox-paths.d/" + owner;
  if (owner.empty() || !top.has_file(list)) {
    env.events.emit({.kind = EventKind::kNote,
                     .name = "busybox",
                     .detail = fmt::format("no '{}' says which links it has: none are made", list)});
    return {};
  }
  const std::string text = TRY(top.read(list, env));
  const std::string program = TRY(top.tree().resolved(kBusybox.substr(1), Last::kFollow));
  const std::int64_t date = top.tree().find(program)->mtime;
  for (const std::string& line : split(text, '\n')) {
    const std::string_view link = trim(line);
    if (link.empty() || link == kBusybox || link.find('/') == std::string_view::npos) continue;
    const TreePath path = TRY(TreePath::parse(link), "reading '{}'", list);
    const std::string folder = parent_of(path.str());
    TRY(top.add_folder(folder, 0755));
    const std::string real = TRY(top.tree().resolved(folder, Last::kFollow));
    if (Node* node = top.tree().find(real)) node->mtime = date;
    const std::string at = TRY(top.tree().resolved(path.str(), Last::kKeep));
    if (const Node* old = top.tree().find(at)) {
      if (old->type != '5') continue;
      return Error::make(ErrorKind::kConflict, "'{}' is a directory, and busybox has a link there", at);
    }
    TRY(top.add_symlink(path.str(), std::string(kBusybox)));
  }
  return {};
}

}  // namespace nacre::image
