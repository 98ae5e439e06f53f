#include "attest/spdx.h"

#include "base/ascii.h"
#include "base/text.h"
#include "os/clock.h"

#include <algorithm>

namespace nacre::attest {
namespace {

using codec::Json;

/// Whether parentheses open before they close, and all close.
bool balanced(std::string_view text) {
  int open = 0;
  for (const char c : text) {
    open += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (open < 0) return false;
  }
  return open == 0;
}

/// Whether every word is a licence id, an operator or a parenthesis. Ids are not looked up in SPDX's list. A
/// LicenseRef needs its text beside it, so it is none.
bool is_expression(std::string_view text) {
  if (!balanced(text) || text.find("LicenseRef-") != std::string_view::npos) return false;
  const std::string spaced = replace_all(replace_all(std::string(text), "(", " "), ")", " ");
  const std::vector<std::string> words = split_words(spaced);
  bool expect_id = true;
  for (const std::string& word : words) {
    const bool op = word == "AND" || word == "OR" || word == "WITH";
    if (op == expect_id) return false;
    const bool plain = std::all_of(word.begin(), word.end(), [](char c) {
      return is_alphanumeric(c) || c == '.' || c == '-' || c == '+';
    });
    if (!plain) return false;
    expect_id = op;
  }
  return !words.empty() && !expect_id;
}

}  // namespace

std::string spdx_id(std::string_view kind, std::string_view text) {
  std::string out = fmt::format("SPDXRef-{}-", kind);
  for (const char c : text) {
    if (is_alphanumeric(c) || c == '.' || c == '-')
      out += c;
    else if (c == ':' || c == '/')
      out += '-';
    else
      out += fmt::format("C{}", static_cast<unsigned char>(c));
  }
  return out;
}

SpdxLicense spdx_license(std::string_view text) {
  if (is_expression(text)) return {std::string(text), {}, {}};
  std::string id = "LicenseRef-";
  const std::string_view rest = text.starts_with(id) ? text.substr(id.size()) : text;
  for (const char c : rest) {
    if (is_alphanumeric(c) || c == '.' || c == '-') id += c;
    else if (c == ' ' || c == '_') id += '-';
  }
  if (id == "LicenseRef-") id += "unnamed";
  return {id, id, std::string(text)};
}

SpdxDocument::SpdxDocument(std::string name, std::string name_space, std::int64_t created)
    : described_(Json::array()),
      packages_(Json::array()),
      relations_(Json::array()),
      licenses_(Json::array()) {
  head_.set("spdxVersion", "SPDX-2.3").set("dataLicense", "CC0-1.0");
  head_.set("SPDXID", "SPDXRef-DOCUMENT").set("name", std::move(name));
  head_.set("documentNamespace", std::move(name_space));
  Json info;
  info.set("created", os::rfc3339(created));
  info.set("creators", Json::strings({"Tool: nacre", "Organization: nacre"}));
  head_.set("creationInfo", info.set("licenseListVersion", "3.27"));
}

Json SpdxDocument::package(const std::string& id, const std::string& name,
                           const std::string& version, const std::string& supplier) {
  Json out;
  out.set("SPDXID", id).set("name", name).set("versionInfo", version);
  out.set("filesAnalyzed", false).set("licenseConcluded", "NOASSERTION");
  out.set("licenseDeclared", "NOASSERTION").set("copyrightText", "NOASSERTION");
  out.set("downloadLocation", "NOASSERTION");
  return out.set("supplier", "Organization: " + supplier)
      .set("originator", "Organization: " + supplier);
}

void SpdxDocument::add(Json package) {
  const std::string id = package["SPDXID"].as_string();
  if (has(id)) return;
  ids_.push_back(id);
  packages_.push(std::move(package));
}

bool SpdxDocument::has(std::string_view id) const {
  return std::find(ids_.begin(), ids_.end(), id) != ids_.end();
}

void SpdxDocument::describe(const std::string& id) {
  described_.push(id);
  relate("SPDXRef-DOCUMENT", "DESCRIBES", id);
}

void SpdxDocument::relate(const std::string& from, std::string_view relation,
                          const std::string& to) {
  Json row;
  row.set("spdxElementId", from).set("relationshipType", relation).set("relatedSpdxElement", to);
  const auto& rows = relations_.items();
  if (std::find(rows.begin(), rows.end(), row) == rows.end()) relations_.push(std::move(row));
}

void SpdxDocument::license(const SpdxLicense& license) {
  if (license.reference.empty()) return;
  for (const Json& known : licenses_.items())
    if (known["licenseId"].as_string() == license.reference) return;
  Json row;
  row.set("licenseId", license.reference).set("extractedText", license.text);
  licenses_.push(row.set("name", license.name.empty() ? license.text : license.name));
}

Json SpdxDocument::finish() && {
  Json out = std::move(head_);
  out.set("documentDescribes", std::move(described_)).set("packages", std::move(packages_));
  out.set("relationships", std::move(relations_));
  if (!licenses_.items().empty()) out.set("hasExtractedLicensingInfos", std::move(licenses_));
  return out;
}

Json purl_reference(const std::string& purl) {
  Json row;
  row.set("referenceCategory", "PACKAGE-MANAGER").set("referenceType", "purl");
  return row.set("referenceLocator", purl);
}

Json sha256_checksums(const std::string& hex) {
  Json row, out = Json::array();
  return out.push(row.set("algorithm", "SHA256").set("checksumValue", hex));
}

}  // namespace nacre::attest
