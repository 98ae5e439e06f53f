#include "draft/readers.h"
#include "draft/text.h"

#include "base/text.h"
#include "codec/toml.h"
#include "definition/fields.h"

#include <algorithm>

namespace nacre::draft {
namespace {

using codec::Json;

std::string_view name_of(std::string_view file) { return file.substr(file.rfind('/') + 1); }
std::string_view folder_of(std::string_view file) {
  return file.substr(0, file.rfind('/') == std::string_view::npos ? 0 : file.rfind('/'));
}

/// A text, or what the workspace says where `{ workspace = true }` stands.
std::string shared(const Json& package, const Json& workspace, std::string_view key) {
  const Json& value = package[key];
  return value.is_object() && value["workspace"].as_bool() ? workspace[key].as_string() : value.as_string();
}

/// Libraries of the system that crates link with.
void take_crates(const Json& dependencies, const std::string& file, Facts& out) {
  static constexpr std::pair<std::string_view, std::string_view> kKnown[] = {
      {"openssl", "openssl-dev"},       {"openssl-sys", "openssl-dev"},
      {"native-tls", "openssl-dev"},    {"libz-sys", "zlib-dev"},
      {"git2", "libgit2-dev"},          {"libgit2-sys", "libgit2-dev"},
      {"libsqlite3-sys", "sqlite-dev"}, {"curl", "curl-dev"},
      {"curl-sys", "curl-dev"},         {"zstd-sys", "zstd-dev"},
      {"bzip2-sys", "bzip2-dev"},       {"lzma-sys", "xz-dev"},
      {"onig", "oniguruma-dev"},        {"onig_sys", "oniguruma-dev"},
      {"libdbus-sys", "dbus-dev"},      {"dbus", "dbus-dev"},
      {"pam-sys", "linux-pam-dev"},     {"libseccomp", "libseccomp-dev"},
      {"alsa", "alsa-lib-dev"},         {"prost-build", "protoc"},
      {"protobuf-codegen", "protoc"}};
  for (const auto& [name, value] : dependencies.members())
    for (const auto& [crate, package] : kKnown)
      if (name == crate) out.need(std::string(package), false, fmt::format("crate {}, {}", name, file));
}

/// "crates/*" and the like.
bool fits(std::string_view folder, std::string_view pattern) {
  if (!pattern.ends_with("/*")) return folder == pattern;
  const std::string_view start = pattern.substr(0, pattern.size() - 1);
  return folder.starts_with(start) && folder.size() > start.size() &&
         folder.substr(start.size()).find('/') == std::string_view::npos;
}

/// The programs of one crate.
void take_programs(const SourceTree& tree, const Json& crate, std::string_view folder, Facts& out) {
  const std::string start = folder.empty() ? "" : std::string(folder) + "/";
  const std::string& name = crate["package"]["name"].as_string();
  if (name.empty()) return;
  bool main = tree.has(start + "src/main.rs") && crate["package"]["autobins"].as_bool(true);
  for (const Json& bin : crate["bin"].items()) {
    if (!bin["required-features"].items().empty()) continue;
    const std::string& program = bin["name"].as_string();
    if (!program.empty()) definition::add_unique(out.programs, program);
    if (bin["path"].as_string() == "src/main.rs") main = false;
  }
  if (main) definition::add_unique(out.programs, name);
  const std::string more = start + "src/bin/";
  if (!crate["package"]["autobins"].as_bool(true)) return;
  for (auto file = tree.files.lower_bound(more); file != tree.files.end() && file->starts_with(more); ++file) {
    const std::string rest = file->substr(more.size());
    if (rest.find('/') == std::string::npos && rest.ends_with(".rs"))
      definition::add_unique(out.programs, rest.substr(0, rest.size() - 3));
    if (rest.ends_with("/main.rs")) definition::add_unique(out.programs, rest.substr(0, rest.find('/')));
  }
}

void take_package(const Json& package, const Json& workspace, Facts& out) {
  fill(out.name, package["name"].as_string());
  fill(out.version, shared(package, workspace, "version"));
  fill(out.description, shared(package, workspace, "description"));
  if (out.licenses.empty()) add_license(out, shared(package, workspace, "license"));
  for (const char* key : {"homepage", "repository"}) fill(out.url, shared(package, workspace, key));
}

/// Whether some Go file of a directory says `package main`.
bool is_main(std::string_view text) {
  for (const std::string& line : split(text.substr(0, 32'000), '\n')) {
    if (trim(line) == "package main" || line.starts_with("package main ") || line.starts_with("package main\t"))
      return true;
    if (line.starts_with("package ")) return false;
  }
  return false;
}

/// The variable of package main that holds the version: "version".
std::string version_variable(std::string_view text) {
  bool block = false;
  for (const std::string& line : split(text, '\n')) {
    if (line.starts_with("var (")) block = true;
    else if (line.starts_with(')')) block = false;
    const std::vector<std::string> words = split_words(line);
    const std::size_t at = line.starts_with("var ") ? 1 : 0;
    if ((!block && at == 0) || words.size() <= at) continue;
    const std::string rest = words.size() > at + 1 ? words[at + 1] : "";
    if ((words[at] == "version" || words[at] == "Version") &&
        (rest == "string" || (rest == "=" && line.find('"') != std::string::npos)))
      return words[at];
  }
  return {};
}

}  // namespace

Result<> read_cargo(const SourceTree& tree, const Origin&, Facts& out) {
  const std::string* text = tree.text("Cargo.toml");
  if (!text) return Error::make(ErrorKind::kInvalid, "Cargo.toml could not be read");
  const Json root = TRY(codec::parse_toml(*text, "Cargo.toml"));
  const Json& workspace = root["workspace"]["package"];
  if (root["package"].is_object()) take_package(root["package"], workspace, out);
  take_programs(tree, root, "", out);
  take_crates(root["dependencies"], "Cargo.toml", out);
  take_crates(root["build-dependencies"], "Cargo.toml", out);
  for (const auto& [file, member_text] : tree.named("Cargo.toml")) {
    const std::string folder(folder_of(file));
    const std::vector<std::string> members = root["workspace"]["members"].as_strings();
    const auto named = [&](const std::string& pattern) { return fits(folder, pattern); };
    if (folder.empty() || std::none_of(members.begin(), members.end(), named)) continue;
    const auto member = codec::parse_toml(*member_text, file);
    if (!member) {
      out.remarks.push_back(fmt::format("'{}' cannot be read: {}", file, member.error().render()));
      continue;
    }
    const std::size_t before = out.programs.size();
    take_programs(tree, *member, folder, out);
    take_crates((*member)["dependencies"], file, out);
    if (out.programs.size() > before && !root["package"].is_object())
      take_package((*member)["package"], workspace, out);
  }
  if (out.programs.empty())
    return Error::make(ErrorKind::kInvalid,
                       "the crates of '{}' are libraries: Rust links them into programs, and nothing is installed",
                       tree.folder)
        .hint("package the program that uses them");
  out.need("build-base");
  out.need("rust");
  out.need("cargo-auditable");
  out.network = !tree.has_folder("vendor");
  DraftStep step{"", "cargo/build", "", "", {}};
  if (tree.has("Cargo.lock")) step.with.emplace_back("opts", "--release --locked");
  else out.remarks.push_back("there is no Cargo.lock: which crates are built in depends on the day");
  if (out.programs.size() == 1) step.with.emplace_back("output", out.programs[0]);
  out.steps.push_back(step);
  return {};
}

Result<> read_go(const SourceTree& tree, const Origin& origin, Facts& out) {
  const std::string* text = tree.text("go.mod");
  if (!text) return Error::make(ErrorKind::kInvalid, "go.mod could not be read");
  std::string module;
  for (const std::string& line : split(*text, '\n')) {
    const std::vector<std::string> words = split_words(line);
    if (words.size() >= 2 && words[0] == "module" && module.empty()) module = words[1];
  }
  std::erase(module, '"');
  std::string last(name_of(module));
  if (last.size() > 1 && last[0] == 'v' && last.find_first_not_of("0123456789", 1) == std::string::npos)
    last = name_of(folder_of(module));
  fill(out.name, last);
  if (origin.repository.empty() && module.starts_with("github.com/")) fill(out.url, "https://" + module);

  std::map<std::string, std::string> mains;  // directory -> variable of the version
  for (const auto& [file, source] : tree.texts) {
    if (!file.ends_with(".go") || !is_main(source)) continue;
    const std::string folder(folder_of(file));
    if (!folder.empty() && !folder.starts_with("cmd/") && folder != "cmd") continue;
    if (folder.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") !=
        std::string::npos)
      continue;
    std::string& variable = mains[folder];
    if (variable.empty()) variable = version_variable(source);
  }
  if (mains.empty())
    return Error::make(ErrorKind::kInvalid, "no program in the Go module '{}': none at its root, none below cmd/",
                       module)
        .hint("Go links libraries into programs; package the program that uses it");
  if (mains.contains("") && mains.size() > 1 && mains.contains("cmd/" + last))
    mains.erase("");  // Tools of the build live at the root, then.
  out.need("build-base");
  out.need("busybox");
  out.need("ca-certificates-bundle");
  out.need("go");
  out.network = !tree.has_folder("vendor");
  for (const auto& [folder, variable] : mains) {
    const std::string program = folder.empty() || folder == "cmd" ? last : std::string(name_of(folder));
    DraftStep step{"", "go/build", "", "", {{"packages", folder.empty() ? "." : "./" + folder}, {"output", program}}};
    if (!variable.empty())
      step.with.emplace_back("ldflags", fmt::format("-X main.{}=${{{{package.version}}}}", variable));
    out.steps.push_back(step);
    definition::add_unique(out.programs, program);
  }
  return {};
}

}  // namespace nacre::draft
