#include "publish/upload.h"

#include <algorithm>

#include "base/number.h"
#include "os/clock.h"
#include "store/store.h"

namespace nacre::publish {
namespace {

constexpr const char* kSeen = "blob-at";
constexpr const char* kUploads = "upload";
constexpr int kMaxResumes = 6;             ///< In a row without a byte more.
constexpr double kFirstWaitSeconds = 0.2;  ///< Doubled each time.

/// "0-99" -> 100 bytes are there. "0-0" is what registries say of none.
std::uint64_t received(const net::Response& answer) {
  std::string_view range = answer.header("range");
  if (range.starts_with("bytes=")) range.remove_prefix(6);
  const std::size_t dash = range.find('-');
  const auto last = dash == range.npos ? std::nullopt : whole_number<std::uint64_t>(range.substr(dash + 1));
  return last && *last > 0 ? *last + 1 : 0;
}

bool worth_another_try(const Result<net::Response>& answer) {
  if (!answer) return answer.error().kind() == ErrorKind::kUnavailable;
  return answer->status == 416 || answer->status == 429 || answer->status >= 500;
}

}  // namespace

std::string BlobUpload::seen_key(const Sha256& digest) const { return base_.host + " " + digest.hex(); }
std::string BlobUpload::upload_key(const Sha256& digest) const {
  return fmt::format("{}/{} {}", base_.host, base_.repository, digest.hex());
}

Result<> BlobUpload::saw(const Sha256& digest) {
  store::State& state = env_.store.state();
  const std::optional<std::string> known = TRY(state.get(kSeen, seen_key(digest)));
  if (known == base_.repository) return {};
  return state.put(kSeen, seen_key(digest), base_.repository);
}

Result<bool> BlobUpload::is_there(RegistrySession& session, const Sha256& digest, std::uint64_t size) {
  const std::optional<std::string> seen = TRY(env_.store.state().get(kSeen, seen_key(digest)));
  if (size < kSmall && seen != base_.repository) return false;
  net::Request head;
  head.method = "HEAD";
  head.url = "blobs/" + digest.oci();
  const net::Response answer = TRY(session.send(std::move(head)));
  return answer.status == 200;
}

Result<Arrival> BlobUpload::bring(const Sha256& digest) {
  RegistrySession session(env_, base_, token_);
  const std::uint64_t size = TRY(env_.store.size(digest));
  const bool there = TRY(is_there(session, digest, size));
  Arrival out = Arrival::kPresent;
  if (!there) out = TRY(send_or_mount(session, digest, size), "uploading blob {}", digest.oci());
  TRY(saw(digest));
  return out;
}

Result<Arrival> BlobUpload::send_or_mount(RegistrySession& session, const Sha256& digest, std::uint64_t size) {
  store::State& state = env_.store.state();
  if (const std::optional<std::string> begun = TRY(state.get(kUploads, upload_key(digest)))) {
    const std::optional<Upload> upload = TRY(stand_of(session, *begun));
    if (upload && upload->offset <= size) {
      TRY(send_pieces(session, digest, size, *upload));
      return Arrival::kSent;
    }
    TRY(state.erase(kUploads, upload_key(digest)));
  }
  net::Request start;
  start.method = "POST";
  start.url = "blobs/uploads/";
  const std::optional<std::string> elsewhere = TRY(state.get(kSeen, seen_key(digest)));
  const bool mounting = elsewhere && *elsewhere != base_.repository;
  if (mounting) {
    session.also_reads(*elsewhere);
    start.url += fmt::format("?mount={}&from={}", digest.oci(), *elsewhere);
  }
  net::Response opened = TRY(session.send(start));
  if (mounting && opened.status == 201) return Arrival::kMounted;
  if (mounting && opened.status >= 400) {  // it does not know the other repository, or does not let us read there
    start.url = "blobs/uploads/";
    opened = TRY(session.send(start));
  }
  Upload upload;
  upload.location = TRY(place_of_upload(opened, session));
  if (size < kLarge) {
    TRY(send_whole(session, digest, upload.location));
    return Arrival::kSent;
  }
  if (const auto least = whole_number<std::uint64_t>(opened.header("oci-chunk-min-length")))
    upload.piece = std::max(upload.piece, *least);
  TRY(send_pieces(session, digest, size, std::move(upload)));
  return Arrival::kSent;
}

Result<std::string> place_of_upload(const net::Response& opened, const RegistrySession& session) {
  TRY(net::expect_success(opened, session.url({})), "opening an upload");
  const std::string& location = opened.header("location");
  if (location.empty()) return Error::make(ErrorKind::kUnavailable, "the registry gave no place for an upload");
  const std::string scheme = location.substr(0, std::min(location.find("://"), location.size()));
  if (scheme.size() < location.size() && scheme != "http" && scheme != "https")
    return Error::make(ErrorKind::kInvalid, "the registry wants the upload at '{}'", location.substr(0, 200));
  return location;
}

Result<> end_upload(RegistrySession& session, net::Request put, const Sha256& digest, const std::string& location) {
  put.method = "PUT";
  put.url = fmt::format("{}{}digest={}", location, location.find('?') == std::string::npos ? '?' : '&', digest.oci());
  put.headers.emplace_back("Content-Type", "application/octet-stream");
  const net::Response done = TRY(session.send(std::move(put)));
  TRY(net::expect_success(done, session.url({})));
  const std::string& found = done.header("docker-content-digest");
  if (found.empty() || found == digest.oci()) return {};
  return Error::make(ErrorKind::kDenied, "the registry says that blob {} is {}", digest.oci(), found);
}

Result<> BlobUpload::send_whole(RegistrySession& session, const Sha256& digest, const std::string& location) {
  net::Request put;
  put.body_file = TRY(env_.store.local(digest));
  return end_upload(session, std::move(put), digest, location);
}

Result<std::optional<BlobUpload::Upload>> BlobUpload::stand_of(RegistrySession& session, const std::string& location) {
  net::Request get;
  get.url = location;
  const net::Response answer = TRY(session.send(std::move(get)));
  if (answer.status != 204 && answer.status != 200 && answer.status != 202) return std::optional<Upload>();
  Upload out{location, received(answer)};
  if (const std::string& moved = answer.header("location"); !moved.empty()) out.location = moved;
  return std::optional(std::move(out));
}

Result<> BlobUpload::send_piece(RegistrySession& session, const Sha256& digest, std::uint64_t size, Upload& upload) {
  net::Request patch;
  patch.method = "PATCH";
  patch.url = upload.location;
  patch.body_file = TRY(env_.store.local(digest));
  patch.body_offset = upload.offset;
  patch.body_size = std::min(upload.piece, size - upload.offset);
  patch.headers.emplace_back("Content-Type", "application/octet-stream");
  patch.headers.emplace_back("Content-Range", fmt::format("{}-{}", upload.offset, upload.offset + patch.body_size - 1));
  const std::uint64_t end = upload.offset + patch.body_size;
  auto answer = session.send(std::move(patch), RegistrySession::Retry::kOnce);
  if (worth_another_try(answer)) {
    const std::optional<Upload> stand = TRY(stand_of(session, upload.location));
    if (!stand)
      return Error::make(ErrorKind::kUnavailable, "the registry gave the upload up at byte {}", upload.offset);
    upload.location = stand->location;
    upload.offset = std::min(stand->offset, size);
    return {};
  }
  if (!answer) return std::move(answer).error();
  TRY(net::expect_success(*answer, session.url({})));
  upload.offset = answer->header("range").empty() ? end : received(*answer);
  if (const std::string& moved = answer->header("location"); !moved.empty()) upload.location = moved;
  return {};
}

Result<> BlobUpload::send_pieces(RegistrySession& session, const Sha256& digest, std::uint64_t size, Upload upload) {
  store::State& state = env_.store.state();
  int without_progress = 0;
  while (upload.offset < size) {
    // On disk at once, whoever defers other records: it is what a killed push goes on from.
    TRY(state.transaction([&] { return state.put(kUploads, upload_key(digest), session.url(upload.location)); }));
    const std::uint64_t before = upload.offset;
    TRY(send_piece(session, digest, size, upload));
    if (upload.offset > before) {
      without_progress = 0;
      continue;
    }
    if (++without_progress > kMaxResumes)
      return Error::make(ErrorKind::kUnavailable, "the registry takes no byte after {} of {}", before, size)
          .hint("run the same command again: it goes on from there");
    env_.clock.sleep(kFirstWaitSeconds * static_cast<double>(1 << without_progress));
  }
  TRY(end_upload(session, {}, digest, upload.location));
  return state.erase(kUploads, upload_key(digest));
}

}  // namespace nacre::publish
