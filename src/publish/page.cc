#include "publish/page.h"

#include "base/text.h"
#include "os/clock.h"
#include "publish/layout.h"

namespace nacre::publish {
namespace {

constexpr std::string_view kHead =
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>nacre</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 "
    "1rem;"
    "color:#222;background:#fcfcfa}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem;"
    "border-bottom:1px solid #ddd}code{background:#f0efe9;padding:.1rem .3rem;font-size:.9em}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td,th{border-color:#333}code{background:#"
    "292929}}"
    "</style><h1>nacre</h1><p>Images and packages from this machine's store, each with signature, provenance and SBOM.";

std::string images_table(const index::Serial& serial, const std::string& host) {
  const std::string_view space = registry_space(serial.edition);
  std::string out = "<h3>Images</h3><table><tr><th>image<th>tags<th>digest";
  for (const index::SerialImage& image : serial.images)
    out += fmt::format("<tr><td><code>{}/{}/{}</code><td>{}<td><code>{}…</code>", escape_markup(host), space,
                       escape_markup(image.name), escape_markup(join(image.tags, " ")),
                       image.index_digest.oci().substr(0, 19));
  return out + "</table>";
}

std::string packages_table(const index::Serial& serial) {
  std::string out =
      fmt::format("<details><summary>{} packages</summary><table><tr><th>package<th>version<th>size<th>evidence",
                  serial.packages.size());
  for (const index::SerialPackage& package : serial.packages) {
    const std::string path = fmt::format("/{}/{}/{}-{}.apk", name_of(serial.edition), serial.arch,
                                         escape_markup(package.record.name), escape_markup(package.record.version));
    out += fmt::format(
        "<tr><td><a href=\"{0}\">{1}</a><td>{2}<td>{3}<td><a href=\"{0}.spdx.json\">SBOM</a> "
        "<a href=\"{0}.intoto.sigstore.json\">provenance</a>",
        path, escape_markup(package.record.name), escape_markup(package.record.version),
        human_bytes(package.record.size_bytes));
  }
  return out + "</table></details>";
}

}  // namespace

std::string render_page(const std::vector<std::shared_ptr<const index::Serial>>& heads, const std::string& scheme,
                        const std::string& host) {
  std::string out(kHead);
  for (const auto& head : heads) {
    const index::Serial& serial = *head;
    out += fmt::format("<h2>Edition {}, serial {}</h2><p>Published {}: {}", name_of(serial.edition), serial.number,
                       os::rfc3339(serial.published), escape_markup(serial.reason));
    out += images_table(serial, host);
    out += packages_table(serial);
    out += fmt::format("<p>Repository for apk: <code>{0}://{1}/{2}</code>, keys: <code>/{2}/keys/</code>", scheme,
                       escape_markup(host), name_of(serial.edition));
  }
  if (heads.empty()) out += "<p>Nothing is published yet: run <code>nacre up</code>.";
  return out + "</html>\n";
}

}  // namespace nacre::publish
