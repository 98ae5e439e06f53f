#include "definition/parse.h"

#include "apk/version.h"

#include <algorithm>

namespace nacre::definition {
namespace {

/// A list whose items may hold variables of the second phase.
Result<> expanded_texts(Fields& fields, std::string_view key, const Scope& scope,
                        std::vector<std::string>& out) {
  const auto value = fields.find(key);
  if (!value) return {};
  const std::vector<Value> items = TRY(value->list(), "reading '{}'", key);
  for (const Value& item : items) {
    const std::string text = TRY(item.text(), "reading '{}'", key);
    std::string made = TRY(expand(text, scope, item));
    out.push_back(std::move(made));
  }
  return {};
}

/// A priority may be negative in the text; readers of packages take that for 0, and so do we.
Result<> priority(Fields& fields, std::string_view key, const Scope& scope, std::uint64_t& out,
                  std::string& written) {
  const auto value = fields.find(key);
  if (!value) return {};
  const std::string text = TRY(value->text(), "reading '{}'", key);
  codec::YamlNode node = *value->node;
  node.text = TRY(expand(text, scope, *value));
  if (node.text.empty()) return {};
  written = node.text;
  const auto number = TRY((Value{value->tree, &node}.number<std::int64_t>()), "reading '{}'", key);
  out = static_cast<std::uint64_t>(std::max<std::int64_t>(0, number));
  return {};
}

Result<> parse_dependencies(const std::optional<Value>& value, const Scope& scope,
                            Dependencies& out) {
  if (!value) return {};
  Fields fields = TRY(Fields::of(*value, "dependencies"));
  TRY(expanded_texts(fields, "runtime", scope, out.runtime));
  TRY(expanded_texts(fields, "provides", scope, out.provides));
  TRY(expanded_texts(fields, "replaces", scope, out.replaces));
  TRY(priority(fields, "provider-priority", scope, out.provider_priority,
               out.provider_priority_text));
  TRY(priority(fields, "replaces-priority", scope, out.replaces_priority,
               out.replaces_priority_text));
  return fields.done();
}

Result<> parse_options(const std::optional<Value>& value, PackageOptions& out) {
  if (!value) return {};
  Fields fields = TRY(Fields::of(*value, "options"));
  TRY(fields.flag("no-provides", out.no_provides));
  TRY(fields.flag("no-depends", out.no_depends));
  TRY(fields.flag("no-commands", out.no_commands));
  TRY(fields.flag("no-versioned-shlib-deps", out.no_versioned_shlib_deps));
  return fields.done();
}

Result<> parse_scriptlets(const std::optional<Value>& value, Scriptlets& out) {
  if (!value) return {};
  Fields fields = TRY(Fields::of(*value, "scriptlets"));
  TRY(fields.text("pre-install", out.pre_install));
  TRY(fields.text("post-install", out.post_install));
  TRY(fields.text("pre-deinstall", out.pre_deinstall));
  TRY(fields.text("post-deinstall", out.post_deinstall));
  TRY(fields.text("pre-upgrade", out.pre_upgrade));
  TRY(fields.text("post-upgrade", out.post_upgrade));
  if (const auto trigger = fields.find("trigger")) {
    Fields inner = TRY(Fields::of(*trigger, "trigger"));
    TRY(inner.text("script", out.trigger_script));
    TRY(inner.texts("paths", out.trigger_paths));
    TRY(inner.done());
  }
  return fields.done();
}

Result<> parse_checks(const std::optional<Value>& value, std::vector<std::string>& out) {
  if (!value) return {};
  Fields fields = TRY(Fields::of(*value, "checks"));
  TRY(fields.texts("disabled", out));
  return fields.done();
}

Result<> parse_resources(const std::optional<Value>& value, Resources& out) {
  if (!value) return {};
  Fields fields = TRY(Fields::of(*value, "resources"));
  TRY(fields.text("cpu", out.cpu));
  TRY(fields.text("cpumodel", out.cpu_model));
  TRY(fields.text("memory", out.memory));
  TRY(fields.text("disk", out.disk));
  return fields.done();
}

Result<> parse_copyright(const std::optional<Value>& value, std::vector<Copyright>& out) {
  if (!value) return {};
  const std::vector<Value> list = TRY(value->list(), "reading 'copyright'");
  for (const Value& item : list) {
    Copyright& entry = out.emplace_back();
    Fields fields = TRY(Fields::of(item, "copyright"));
    TRY(fields.texts("paths", entry.paths));
    TRY(fields.text("attestation", entry.attestation));
    TRY(fields.text("license", entry.license));
    TRY(fields.text("license-path", entry.license_path));
    fields.skip({"detection-override"});
    TRY(fields.done());
  }
  return {};
}

bool is_cpe_text(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && plain(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return plain(c) || c == '+' || c == '_' || c == '.' || c == '-';
  });
}

Result<> parse_cpe(const std::optional<Value>& value, Definition& out, Pairs& all) {
  if (!value) return {};
  Fields fields = TRY(Fields::of(*value, "cpe"));
  for (const char* key : {"part", "vendor", "product", "edition", "language", "sw_edition",
                          "target_sw", "target_hw"}) {
    std::string text;
    TRY(fields.text(key, text));
    if (text.empty()) continue;
    if (key == std::string_view("part") && text != "a" && text != "o")
      return value->invalid("cpe part must be 'a' or 'o', found '{}'", text);
    if (!is_cpe_text(text))
      return value->invalid("cpe {} '{}' has characters that a CPE cannot have", key, text);
    all.emplace_back(key, text);
  }
  TRY(fields.done());
  const std::string *vendor = find_pair(all, "vendor"), *product = find_pair(all, "product");
  if ((vendor == nullptr) != (product == nullptr))
    return value->invalid("a cpe needs both vendor and product");
  if (vendor) out.cpe_vendor = *vendor;
  if (product) out.cpe_product = *product;
  return {};
}

/// Files are given capabilities by name: only these five, and only with a reason.
Result<> parse_setcap(const std::optional<Value>& value, std::vector<SetCap>& out) {
  if (!value) return {};
  static const std::vector<std::string> kKnown = {"cap_net_bind_service", "cap_net_admin",
                                                  "cap_net_raw", "cap_ipc_lock", "cap_sys_admin"};
  const std::vector<Value> list = TRY(value->list(), "reading 'setcap'");
  for (const Value& item : list) {
    std::string path, reason;
    Pairs add;
    Fields fields = TRY(Fields::of(item, "setcap"));
    TRY(fields.text("path", path));
    TRY(fields.pairs("add", add));
    TRY(fields.text("reason", reason));
    TRY(fields.done());
    if (reason.empty()) return item.invalid("setcap of '{}' needs a 'reason'", path);
    for (const auto& [names, bits] : add)
      for (const std::string& name : split(names, ','))
        if (std::find(kKnown.begin(), kKnown.end(), trim(name)) == kKnown.end())
          return item.invalid("unknown capability '{}'", trim(name))
              .hint("known are: " + join(kKnown, ", "));
    out.push_back({std::move(path), std::move(add), std::move(reason)});
  }
  return {};
}

}  // namespace

Result<> check_package_name(const std::string& name, const Value& where) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool fine =
      !name.empty() && plain(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
        return plain(c) || c == '+' || c == '_' || c == '.' || c == '-';
      });
  if (fine) return {};
  return where.invalid("'{}' cannot be the name of a package", name)
      .hint("letters, digits, '+', '_', '.', '-'; a letter or digit first");
}

Result<> parse_package(const Value& value, const Scope& scope, Definition& out,
                       PackageExtras& extras) {
  Fields fields = TRY(Fields::of(value, "package"));
  const Value name = fields.find("name").value_or(value),
              version = fields.find("version").value_or(value);
  TRY(fields.text("name", out.name));
  TRY(fields.text("version", out.version));
  TRY(fields.number("epoch", out.epoch));
  TRY(fields.text("description", out.description));
  TRY(fields.pairs("annotations", out.annotations));
  TRY(fields.text("url", out.url));
  TRY(fields.text("commit", out.commit));
  TRY(fields.texts("target-architecture", out.target_architecture));
  TRY(parse_copyright(fields.find("copyright"), out.copyright));
  TRY(parse_dependencies(fields.find("dependencies"), scope, out.dependencies));
  TRY(parse_options(fields.find("options"), out.options));
  TRY(parse_scriptlets(fields.find("scriptlets"), out.scriptlets));
  TRY(parse_checks(fields.find("checks"), out.disabled_checks));
  TRY(parse_cpe(fields.find("cpe"), out, extras.cpe));
  TRY(fields.text("timeout", extras.timeout));
  TRY(parse_resources(fields.find("resources"), out.resources));
  const auto test_resources = fields.find("test-resources");
  extras.has_test_resources = test_resources.has_value();
  TRY(parse_resources(test_resources, extras.test_resources));
  TRY(parse_setcap(fields.find("setcap"), out.setcap));
  TRY(fields.done());
  TRY(check_package_name(out.name, name));
  if (out.version.empty()) return version.invalid("package '{}' has no version", out.name);
  if (!apk::is_valid_version(out.version) || out.version.find("-r") != std::string::npos)
    return version.invalid("'{}' is no version", out.version)
        .hint("digits with dots, then perhaps a letter, _alpha _beta _pre _rc or _p with a number: 1.2.3_rc1");
  return {};
}

Result<> parse_subpackage(Fields& fields, const Scope& scope, Subpackage& out) {
  TRY(fields.text("description", out.description));
  TRY(fields.text("url", out.url));
  TRY(fields.pairs("annotations", out.annotations));
  TRY(parse_dependencies(fields.find("dependencies"), scope, out.dependencies));
  TRY(parse_options(fields.find("options"), out.options));
  TRY(parse_scriptlets(fields.find("scriptlets"), out.scriptlets));
  TRY(parse_checks(fields.find("checks"), out.disabled_checks));
  TRY(parse_setcap(fields.find("setcap"), out.setcap));
  fields.skip({"range", "commit"});
  return {};
}

}  // namespace nacre::definition
