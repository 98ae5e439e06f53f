#include "index/freshness.h"

#include "base/encoding.h"
#include "codec/digest.h"

#include <algorithm>
#include <set>

namespace nacre::index {
namespace {

using codec::Json;

constexpr codec::JsonLimits kLimits{.max_bytes = 16u << 20, .max_depth = 16, .max_values = 400'000};
constexpr std::size_t kMaxSignatures = 64, kMaxKeys = 1000;

Result<> write_canonical(const Json& value, std::string& out) {
  if (value.is_object()) {
    std::vector<const Json::Member*> members;
    for (const Json::Member& member : value.members()) members.push_back(&member);
    std::sort(members.begin(), members.end(), [](auto* a, auto* b) { return a->first < b->first; });
    out += '{';
    for (const Json::Member* member : members) {
      if (out.back() != '{') out += ',';
      TRY(write_canonical(Json(member->first), out));
      out += ':';
      TRY(write_canonical(member->second, out));
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    bool first = true;
    for (const Json& item : value.items()) {
      if (!std::exchange(first, false)) out += ',';
      TRY(write_canonical(item, out));
    }
    out += ']';
  } else if (value.is_string()) {
    out += '"';
    for (const char c : value.as_string()) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  } else if (value.is_double()) {
    return Error::make(ErrorKind::kInvalid, "a number with a fraction cannot be signed");
  } else {
    out += codec::to_json(value);
  }
  return {};
}

bool is_time(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (kForm[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != kForm[i]) return false;
  return true;
}

Result<std::uint64_t> positive(const Json& json, std::string_view key) {
  const std::int64_t value = TRY(json.int_at(key));
  if (value < 1) return Error::make(ErrorKind::kInvalid, "'{}' must be at least 1, is {}", key, value);
  return static_cast<std::uint64_t>(value);
}

Result<Metadata> read_metadata(std::string_view bytes, Role role, std::string_view source) {
  const Json json = TRY(codec::parse_json(bytes, source, kLimits));
  Metadata out;
  out.role = role;
  const Json& body = json["signed"];
  if (!body.is_object()) return Error::make(ErrorKind::kInvalid, "expected an object 'signed'");
  const std::string type = TRY(body.string_at("_type"));
  if (type != name_of(role)) return Error::make(ErrorKind::kInvalid, "expected a {}, found a '{}'", name_of(role),
                                                type);
  const std::string form = TRY(body.string_at("spec_version"));
  if (!form.starts_with("1."))
    return Error::make(ErrorKind::kInvalid, "it is of version {} of TUF, this nacre reads 1", form);
  out.version = TRY(positive(body, "version"));
  out.expires = TRY(body.string_at("expires"));
  if (!is_time(out.expires)) return Error::make(ErrorKind::kInvalid, "'expires' is no time: '{}'", out.expires);
  if (!json["signatures"].is_array() || json["signatures"].items().size() > kMaxSignatures)
    return Error::make(ErrorKind::kInvalid, "expected at most {} signatures", kMaxSignatures);
  for (const Json& row : json["signatures"].items()) {
    const std::string id = TRY(row.string_at("keyid"));
    const std::string hex = TRY(row.string_at("sig"));
    if (hex.empty()) continue;  // as some writers mark one that is still missing
    std::string signature = TRY(from_hex(hex), "reading the signature of key {}", id);
    out.signatures.emplace_back(id, std::move(signature));
  }
  out.signed_bytes = TRY(canonical_json(body));
  out.body = body;
  return out;
}

/// A key of a kind that we can check with; nothing for the others.
Result<std::optional<crypto::PublicKey>> read_key(const Json& json) {
  std::optional<crypto::PublicKey> out;
  const std::string type = TRY(json.string_at("keytype")), scheme = TRY(json.string_at("scheme"));
  const bool ecdsa = (type == "ecdsa" || type == "ecdsa-sha2-nistp256") && scheme == "ecdsa-sha2-nistp256";
  const bool rsa = type == "rsa" && scheme == "rsa-pkcs1v15-sha256";
  if (!ecdsa && !rsa) return out;
  const std::string pem = TRY(json["keyval"].string_at("public"));
  crypto::PublicKey key = TRY(crypto::PublicKey::from_pem(pem));
  if ((key.kind() == crypto::KeyKind::kEcdsaP256) != ecdsa)
    return Error::make(ErrorKind::kInvalid, "the key is not of the kind {}", type);
  out = std::move(key);
  return out;
}

}  // namespace

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kRoot: return "root";
    case Role::kTargets: return "targets";
    case Role::kSnapshot: return "snapshot";
    case Role::kTimestamp: return "timestamp";
  }
  return "";
}

Result<std::string> canonical_json(const Json& value) {
  std::string out;
  TRY(write_canonical(value, out));
  return out;
}

Result<Metadata> parse_metadata(std::string_view bytes, Role role, std::string_view source) {
  Metadata out = TRY(read_metadata(bytes, role, source), "reading '{}'", source);
  return out;
}

Result<Root> parse_root(const Metadata& metadata) {
  Root out;
  out.version = metadata.version;
  out.expires = metadata.expires;
  out.channel = metadata.body[kChannelKey].as_string();
  out.consistent = metadata.body["consistent_snapshot"].as_bool();
  const Json& keys = metadata.body["keys"];
  if (!keys.is_object() || keys.members().size() > kMaxKeys)
    return Error::make(ErrorKind::kInvalid, "root {}: expected at most {} keys", metadata.version, kMaxKeys);
  for (const auto& [id, json] : keys.members()) {
    auto key = TRY(read_key(json), "reading the key {} of root {}", id, metadata.version);
    if (key) out.keys.emplace(id, *std::move(key));
  }
  for (const Role role : kRoles) {
    const Json& row = metadata.body["roles"][name_of(role)];
    if (!row["keyids"].is_array())
      return Error::make(ErrorKind::kInvalid, "root {} names no keys for {}", metadata.version, name_of(role));
    Root::Keys& rule = out.roles[role];
    rule.ids = row["keyids"].as_strings();
    const std::uint64_t threshold = TRY(positive(row, "threshold"), "reading the role {}", name_of(role));
    if (threshold > rule.ids.size())
      return Error::make(ErrorKind::kInvalid, "root {} asks for {} signatures of {}, and names {} keys",
                         metadata.version,
                         threshold, name_of(role), rule.ids.size());
    rule.threshold = static_cast<unsigned>(threshold);
  }
  return out;
}

Result<> check_signatures(const Metadata& metadata, const Root& root, std::string_view source) {
  const Root::Keys& rule = root.roles.at(metadata.role);
  std::set<std::string> good;  // by the key itself: two ids of one key are one
  for (const auto& [id, signature] : metadata.signatures) {
    const auto key = root.keys.find(id);
    if (key == root.keys.end() || std::find(rule.ids.begin(), rule.ids.end(), id) == rule.ids.end()) continue;
    if (key->second.verify(metadata.signed_bytes, signature)) good.insert(key->second.fingerprint());
  }
  if (good.size() >= rule.threshold) return {};
  return Error::make(ErrorKind::kDenied, "'{}' has {} good signatures of the {} that root {} asks for", source,
                     good.size(),
                     rule.threshold, root.version)
      .hint("it was changed, or another's keys signed it; nothing of it was taken");
}

}  // namespace nacre::index
