#pragma once

#include "watch/releases.h"

namespace nacre::watch {

/// Each asks one feed; kUnavailable or kNotFound when it does not answer. Answers are bounded; nothing of an address
/// appears in an error.
Result<std::vector<RawRelease>> ask_github(const definition::Update::GitHub& block, const Feeds& feeds, Env& env);
Result<std::vector<RawRelease>> ask_release_monitor(const std::string& project, const Feeds& feeds, Env& env);
Result<std::vector<RawRelease>> ask_pypi(const std::string& name, const Feeds& feeds, Env& env);
/// PyPI's JSON interface on one release (…/pypi/NAME/VERSION/json), which stands beside the simple index: its text.
Result<std::string> ask_pypi_release(const std::string& name, const std::string& version, const Feeds& feeds, Env& env);
Result<std::vector<RawRelease>> ask_npm(const std::string& name, const Feeds& feeds, Env& env);
Result<std::vector<RawRelease>> ask_go(const std::string& module, const Feeds& feeds, Env& env);
Result<std::vector<RawRelease>> ask_crates(const std::string& name, const Feeds& feeds, Env& env);
Result<std::vector<RawRelease>> ask_maven(const std::string& group, const std::string& artifact, const Feeds& feeds,
                                          Env& env);
/// Tags of a git repository over smart HTTP (protocol v0 and v1: the ref advertisement).
Result<std::vector<RawRelease>> ask_git(const std::string& repository, Env& env);

/// Reads a ref advertisement (pkt-lines): names of tags, without "^{}". kInvalid when it is malformed.
Result<std::vector<std::string>> parse_ref_advertisement(std::string_view bytes);

/// <version>…</version> texts of a maven-metadata.xml.
std::vector<std::string> parse_maven_versions(std::string_view xml);

/// An ecosystem's package that a source's address names by its path, whatever the host: kind and names.
struct EcosystemPackage {
  FeedKind kind = FeedKind::kPyPI;
  std::string name, group;
};
std::optional<EcosystemPackage> package_of_uri(std::string_view uri);

}  // namespace nacre::watch
