#include "image/spec.h"

#include "base/field_archs.h"
#include "base/text.h"

#include <algorithm>
#include <map>

namespace nacre::image {
namespace {

using codec::Json;

/// apko leaves more empty fields out of its JSON than out of its YAML.
enum class Form { kJson, kYaml };

class Builder {
 public:
  explicit Builder(Form form) : yaml_(form == Form::kYaml) {}

  Json whole(const ImageSpec& spec) const {
    Json out = Json::object();
    mapping(out, "contents", contents(spec.contents));
    mapping(out, "entrypoint", entrypoint(spec.entrypoint));
    text(out, "cmd", spec.cmd);
    text(out, "stop-signal", spec.stop_signal);
    text(out, "work-dir", spec.work_dir);
    mapping(out, "accounts", accounts(spec.accounts));
    texts(out, "archs", platforms(spec.archs));
    pairs(out, "environment", spec.environment);
    items(out, "paths", spec.paths, [this](const PathChange& change) { return path(change); });
    text(out, "vcs-url", spec.vcs_url);
    pairs(out, "annotations", spec.annotations);
    text(out, "include", spec.include);
    texts(out, "volumes", spec.volumes);
    if (spec.layering) out.set("layering", layering(*spec.layering));
    text(out, "format", spec.format);
    if (spec.certificates) out.set("certificates", certificates(*spec.certificates));
    return out;
  }

 private:
  static void text(Json& out, const char* key, const std::string& value) {
    if (!value.empty()) out.set(key, value);
  }
  /// Of a field without "omitempty" in YAML.
  void shown(Json& out, const char* key, const std::string& value) const {
    if (yaml_ || !value.empty()) out.set(key, value);
  }
  static void texts(Json& out, const char* key, const std::vector<std::string>& values) {
    if (!values.empty()) out.set(key, Json::strings(values));
  }
  static void pairs(Json& out, const char* key, const definition::Pairs& values) {
    if (values.empty()) return;
    Json object = Json::object();
    for (const auto& [name, value] : std::map<std::string, std::string>(values.begin(), values.end()))
      object.set(name, value);
    out.set(key, std::move(object));
  }
  template <class T, class Make>
  static void items(Json& out, const char* key, const std::vector<T>& values, const Make& make) {
    if (values.empty()) return;
    Json array = Json::array();
    for (const T& value : values) array.push(make(value));
    out.set(key, std::move(array));
  }
  void mapping(Json& out, const char* key, Json value) const {
    if (!yaml_ || !value.members().empty()) out.set(key, std::move(value));
  }
  static std::vector<std::string> platforms(const std::vector<std::string>& archs) {
    std::vector<std::string> out;
    for (const std::string& name : archs) {
      const auto arch = find_field_arch(name);
      out.push_back(arch ? oci_platform(*arch) : name);
    }
    return out;
  }

  static Json named(const NamedText& value) {
    return Json::object({{"name", value.name}, {"content", value.content}});
  }
  Json contents(const Contents& in) const {
    Json out = Json::object();
    texts(out, "build_repositories", in.build_repositories);
    texts(out, "runtime_repositories", in.runtime_repositories);
    texts(out, "repositories", in.repositories);
    texts(out, "keyring", in.keyring);
    items(out, "runtime_keyring", in.runtime_keyring, named);
    texts(out, "packages", in.packages);
    if (in.base) out.set("baseimage", Json::object({{"image", in.base->image}, {"apkindex", in.base->index}}));
    return out;
  }
  Json entrypoint(const Entrypoint& in) const {
    Json out = Json::object();
    const bool any = !in.type.empty() || !in.command.empty() || !in.shell_fragment.empty() || !in.services.empty();
    if (!any) return out;
    shown(out, "type", in.type);
    shown(out, "command", in.command);
    shown(out, "shell-fragment", in.shell_fragment);
    if (yaml_ && in.services.empty()) out.set("services", Json::object());
    pairs(out, "services", in.services);
    return out;
  }
  Json accounts(const Accounts& in) const {
    Json out = Json::object();
    if (in.run_as.empty() && in.users.empty() && in.groups.empty()) return out;
    shown(out, "run-as", in.run_as);
    if (yaml_ && in.users.empty()) out.set("users", Json::array());
    items(out, "users", in.users, [this](const SpecUser& user) {
      Json json = Json::object({{"username", user.name}, {"uid", static_cast<std::int64_t>(user.uid)}});
      if (user.gid_given) json.set("gid", static_cast<std::int64_t>(user.gid));
      shown(json, "shell", user.shell);
      shown(json, "homedir", user.home);
      return json;
    });
    if (yaml_ && in.groups.empty()) out.set("groups", Json::array());
    items(out, "groups", in.groups, [this](const definition::AccountGroup& group) {
      Json json = Json::object({{"groupname", group.name}});
      if (yaml_ || group.gid != 0) json.set("gid", static_cast<std::int64_t>(group.gid));
      if (yaml_ || !group.members.empty()) json.set("members", Json::strings(group.members));
      return json;
    });
    return out;
  }
  Json path(const PathChange& in) const {
    Json out = Json::object({{"path", in.written}, {"type", in.type}});
    if (in.uid) out.set("uid", static_cast<std::int64_t>(*in.uid));
    if (in.gid) out.set("gid", static_cast<std::int64_t>(*in.gid));
    const unsigned mode = in.mode.value_or(0);
    if (yaml_ || mode != 0) out.set("permissions", static_cast<std::int64_t>(mode));
    shown(out, "source", in.written_source);
    if (yaml_ || in.recursive) out.set("recursive", in.recursive);
    return out;
  }
  static Json layering(const Layering& in) {
    Json out = Json::object();
    text(out, "strategy", in.strategy);
    if (in.budget != 0) out.set("budget", in.budget);
    return out;
  }
  static Json certificates(const Certificates& in) {
    Json out = Json::object();
    items(out, "additional", in.additional, named);
    texts(out, "providers", in.providers);
    return out;
  }

  bool yaml_;
};

/// Whether YAML would read a plain text as something else than this text.
bool needs_quotes(const std::string& text) {
  static const std::vector<std::string> kWords = {"true", "false", "yes", "no", "on",  "off", "null",
                                                  "y",    "n",     "~",   "=",  "<<", ".nan", ".inf", "-.inf", "+.inf"};
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return true;
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (std::find(kWords.begin(), kWords.end(), lower) != kWords.end()) return true;
  if (std::string_view("!&*#?|>@`\"'%{}[],").find(text.front()) != std::string_view::npos) return true;
  if (text.find(": ") != std::string::npos || text.find(" #") != std::string::npos || text.ends_with(':'))
    return true;
  if ((text.front() == '-' || text.front() == ':') && (text.size() == 1 || text[1] == ' ')) return true;
  if (text.find_first_of(std::string_view("\t\r\x7f", 3)) != std::string::npos) return true;
  const std::string_view digits = std::string_view(text).substr(text.front() == '-' || text.front() == '+' ? 1 : 0);
  if (digits.empty()) return false;
  const bool begins = (digits[0] >= '0' && digits[0] <= '9') || (digits[0] == '.' && digits.size() > 1);
  return begins && digits.find_first_not_of("0123456789.eE+-_xXoOabcdefABCDEF:") == std::string_view::npos;
}

void yaml_text(std::string& out, const std::string& text, std::size_t indent) {
  if (text.find('\n') == std::string::npos) {
    out += needs_quotes(text) ? codec::to_json(Json(text)) : text;
    return;
  }
  const std::size_t last = text.find_last_not_of('\n');
  const std::size_t ends = last == std::string::npos ? text.size() : text.size() - last - 1;
  out += ends == 0 ? "|-" : ends == 1 ? "|" : "|+";
  std::string_view rest(text);
  if (ends > 0) rest.remove_suffix(1);
  for (const std::string& line : split(rest, '\n')) out += "\n" + (line.empty() ? "" : std::string(indent, ' ') + line);
}

void yaml_value(std::string& out, const Json& value, std::size_t indent);

/// "key: value" lines; the first without blanks before it when the caller wrote "- ".
void yaml_mapping(std::string& out, const Json& value, std::size_t indent, bool after_dash) {
  bool first = after_dash;
  for (const auto& [key, inner] : value.members()) {
    if (!first) out += std::string(indent, ' ');
    first = false;
    yaml_text(out, key, indent);
    out += ':';
    yaml_value(out, inner, indent + 4);
  }
}

void yaml_value(std::string& out, const Json& value, std::size_t indent) {
  if (value.is_object() && !value.members().empty()) {
    out += '\n';
    yaml_mapping(out, value, indent, false);
  } else if (value.is_array() && !value.items().empty()) {
    out += '\n';
    for (const Json& item : value.items()) {
      out += std::string(indent, ' ') + "- ";
      if (item.is_object()) {
        yaml_mapping(out, item, indent + 2, true);
      } else {
        yaml_text(out, item.as_string(), indent + 2);
        out += '\n';
      }
    }
  } else {
    out += ' ';
    if (value.is_string()) yaml_text(out, value.as_string(), indent);
    else out += codec::to_json(value);
    out += '\n';
  }
}

}  // namespace

Json spec_to_json(const ImageSpec& spec) { return Builder(Form::kJson).whole(spec); }

std::string go_json(const Json& json) {
  // These stand in JSON only inside strings.
  std::string out = codec::to_json(json);
  out = replace_all(std::move(out), "<", "\\u003c");
  out = replace_all(std::move(out), ">", "\\u003e");
  out = replace_all(std::move(out), "&", "\\u0026");
  out = replace_all(std::move(out), "\xe2\x80\xa8", "\\u2028");
  return replace_all(std::move(out), "\xe2\x80\xa9", "\\u2029");
}

std::string spec_to_yaml(const ImageSpec& spec) {
  std::string out;
  yaml_mapping(out, Builder(Form::kYaml).whole(spec), 0, false);
  return out;
}

}  // namespace nacre::image
