#include "cli/lookup.h"

#include "base/text.h"
#include "cli/at.h"
#include "image/take_layout.h"
#include "index/channels.h"
#include "store/store.h"

#include <algorithm>
#include <memory>

namespace nacre::cli {

const Option kJobsOption = {"--jobs", OptionType::kNumber, "N", "", "builds at once; as cores and memory allow",
                            Completion::kNone};
const Option kArchOption = {"--arch", OptionType::kText, "ARCH", "host", "architecture", Completion::kArch};
const Option kEditionOption = {"--edition", OptionType::kText, "EDITION", "community",
                               "stage0, community or production", Completion::kEdition};
const Option kSerialOption = {"--serial", OptionType::kNumber, "N", "", "this serial instead of the newest",
                              Completion::kNone};
const Option kAtOption = {"--at", OptionType::kText, "WHEN", "",
                          "as it was at this serial, date (2026-11-28) or channel (stable)", Completion::kNone};

Result<Arch> arch_of(const Arguments& arguments) { return find_arch(arguments.text("--arch")); }

Result<Edition> edition_of(const Arguments& arguments) { return parse_edition(arguments.text("--edition")); }

Error no_serial_yet(Edition edition) {
  return Error::make(ErrorKind::kNotFound, "edition {} has no serial yet", name_of(edition))
      .hint(edition == Edition::kProduction ? "`nacre promote` makes the first" : "`nacre up` makes the first");
}

Result<index::Serial> serial_of(const Arguments& arguments, Session& session) {
  const Edition edition = TRY(edition_of(arguments));
  if (auto moment = TRY(moment_of(arguments, edition, session))) {
    if (!arguments.text("--serial").empty())
      return Error::make(ErrorKind::kInvalid, "--at and --serial both name a serial")
          .hint("--at takes the number of one, too");
    return std::move(moment->serial);
  }
  if (!arguments.text("--serial").empty())
    return index::load_serial(session.env, edition, static_cast<std::uint64_t>(arguments.number("--serial")));
  std::optional<index::Serial> newest = TRY(index::head(session.env, edition));
  if (newest) return *std::move(newest);
  return no_serial_yet(edition);
}

bool names_serial(const Arguments& arguments) {
  return !arguments.text("--at").empty() || !arguments.text("--serial").empty();
}

Result<std::optional<index::Moment>> moment_of(const Arguments& arguments, Edition edition, Session& session) {
  const std::string word = arguments.text("--at");
  if (word.empty()) return std::optional<index::Moment>();
  index::Moment moment = TRY(index::serial_at(session.env, edition, word), "reading --at");
  return std::optional(std::move(moment));
}

namespace {

const index::SerialImage* image_in(const index::Serial& serial, std::string_view name) {
  for (const index::SerialImage& image : serial.images)
    if (image.name == name) return &image;
  return nullptr;
}

Result<FoundImage> find_by_digest(const std::string& text, Session& session) {
  FoundImage out;
  out.name = text;
  out.digest = TRY(parse_sha256(text));
  for (const Edition edition : {Edition::kCommunity, Edition::kProduction}) {
    const std::vector<index::Serial> serials = TRY(index::list_serials(session.env, edition));
    for (const index::Serial& serial : serials)
      for (const index::SerialImage& image : serial.images)
        if (std::find(image.blobs.begin(), image.blobs.end(), out.digest) != image.blobs.end()) {
          out.entry = image;
          out.edition = edition;
        }
  }
  const bool there = TRY(session.env.store.holds(out.digest));
  if (!there)
    return Error::make(ErrorKind::kNotFound, "no image {} in the store", text);
  return out;
}

/// What a reference without a host is about: edition and name of an image.
FoundImage local_image(const publish::Reference& reference) {
  FoundImage out;
  out.name = reference.str();
  out.edition = reference.repository.starts_with("nacre-production/") ? Edition::kProduction : Edition::kCommunity;
  return out;
}
std::string image_name(const publish::Reference& reference) {
  return reference.repository.substr(reference.repository.rfind('/') + 1);
}

FoundImage with_entry(FoundImage found, const index::SerialImage& image) {
  found.digest = image.index_digest;
  found.entry = image;
  return found;
}

bool has_tag(const index::SerialImage& image, const index::Serial& serial, const std::string& tag) {
  return tag == fmt::format("serial-{}", serial.number) ||
         std::find(image.tags.begin(), image.tags.end(), tag) != image.tags.end();
}

Result<FoundImage> find_local(const publish::Reference& reference, Session& session) {
  FoundImage out = local_image(reference);
  const bool production = out.edition == Edition::kProduction;
  const std::string name = image_name(reference), tag = reference.tag.empty() ? "latest" : reference.tag;
  if (index::check_channel_name(tag)) {
    const std::optional<index::Channel> channel = TRY(index::find_channel(session.env, *out.edition, tag));
    std::optional<index::SerialImage> image;
    if (channel) image = TRY(index::image_of(session.env, *channel, name));
    if (image) return with_entry(std::move(out), *image);
  }
  const std::optional<std::uint64_t> newest = TRY(index::head_number(session.env, *out.edition));
  std::vector<std::string> known;
  for (std::uint64_t number = newest.value_or(0); number > 0; --number) {
    const index::Serial serial = TRY(index::load_serial(session.env, *out.edition, number));
    for (const index::SerialImage& other : serial.images) known.push_back(other.name);
    const index::SerialImage* image = image_in(serial, name);
    if (image != nullptr && has_tag(*image, serial, tag)) return with_entry(std::move(out), *image);
  }
  std::string hint = nearest_hint(name, known);
  if (known.empty()) hint = production ? "`nacre promote` makes them" : "`nacre up` makes the images";
  else if (hint.empty())
    hint = "`nacre image build` publishes nothing: what it made goes by its digest, sha256:…, until `nacre up`";
  return Error::make(ErrorKind::kNotFound, "no image '{}' in edition {}", reference.str(), name_of(*out.edition))
      .hint(std::move(hint));
}

bool is_path(const std::string& word) {
  return word.starts_with('/') || word.starts_with("./") || word.starts_with("../");
}

Error no_layout(const std::string& place) {
  if (!os::exists(place)) return Error::make(ErrorKind::kNotFound, "there is no OCI layout '{}'", place);
  return Error::make(ErrorKind::kInvalid, "'{}' is no OCI layout: it has no index.json", place)
      .hint("`skopeo copy docker-archive:FILE oci:DIR:TAG` makes one of an archive");
}

}  // namespace

Result<FoundImage> find_image(const std::string& reference, Session& session) {
  if (reference.starts_with("sha256:")) return find_by_digest(reference, session);
  // "nginx" alone is the store's; a directory is named with a slash.
  if (reference.find('/') != reference.npos && image::is_layout(reference)) {
    FoundImage out;
    out.name = reference;
    out.digest = TRY(image::take_layout(reference, session.env));
    return out;
  }
  if (is_path(reference)) return no_layout(reference);
  const publish::Reference parsed = TRY(publish::parse_reference(reference));
  if (parsed.host.empty()) return find_local(parsed, session);
  publish::Registry registry(session.env, parsed);
  FoundImage out;
  out.name = reference;
  out.remote = true;
  out.digest = TRY(registry.pull(parsed.digest.empty() ? parsed.tag : parsed.digest), "pulling '{}'", reference);
  return out;
}

Result<FoundImage> find_image(const std::string& reference, const Arguments& arguments, Session& session) {
  if (arguments.text("--at").empty()) return find_image(reference, session);
  const publish::Reference parsed = TRY(publish::parse_reference(reference));
  if (!parsed.host.empty() || !parsed.digest.empty() || (!parsed.tag.empty() && parsed.tag != "latest"))
    return Error::make(ErrorKind::kInvalid, "--at is about images of the store by name, not about '{}'", reference)
        .hint("leave the tag, the digest or the registry out");
  FoundImage out = local_image(parsed);
  const std::optional<index::Moment> moment = TRY(moment_of(arguments, *out.edition, session));
  const index::SerialImage* image = image_in(moment->serial, image_name(parsed));
  if (image != nullptr) return with_entry(std::move(out), *image);
  std::vector<std::string> names;
  for (const index::SerialImage& other : moment->serial.images) names.push_back(other.name);
  return Error::make(ErrorKind::kNotFound, "no image '{}' in serial {} of edition {}", image_name(parsed),
                     moment->serial.number, name_of(*out.edition))
      .hint(nearest_hint(image_name(parsed), names));
}

Result<std::optional<attest::ImageSource>> evidence_of(const FoundImage& found, Session& session) {
  attest::ImageSource out;
  std::shared_ptr<publish::Registry> registry;
  if (found.remote) {
    publish::Reference parsed = TRY(publish::parse_reference(found.name));
    registry = std::make_shared<publish::Registry>(session.env, std::move(parsed));
    out.referrers = [registry](const Sha256& subject) { return registry->referrers(subject); };
  } else if (found.entry) {
    out.referrers = [entry = *found.entry](const Sha256& subject) -> Result<codec::Json> {
      return codec::Json(entry.referrers[subject.oci()]);
    };
  } else {
    return std::optional<attest::ImageSource>();
  }
  out.blob = [registry, &session](const Sha256& digest) -> Result<std::string> {
    constexpr std::uint64_t kMaxBlob = std::uint64_t{4} << 30;
    if (!registry || session.env.store.has(digest)) {
      TRY(session.env.store.check(digest));
      return session.env.store.read(digest, kMaxBlob);
    }
    auto manifest = registry->manifest(digest.oci());
    if (manifest) return std::move(manifest->first);
    return registry->blob(digest, kMaxBlob);
  };
  return std::optional<attest::ImageSource>(std::move(out));
}

Result<index::SerialPackage> find_package(const index::Serial& serial, const std::string& name) {
  std::vector<std::string> names;
  for (const index::SerialPackage& package : serial.packages) {
    if (package.record.name == name) return package;
    names.push_back(package.record.name);
  }
  return Error::make(ErrorKind::kNotFound, "no package '{}' in serial {} of edition {}", name, serial.number,
                     name_of(serial.edition))
      .hint(nearest_hint(name, names));
}

}  // namespace nacre::cli
