#include "engine/messages.h"

#include <algorithm>

#include "codec/digest.h"
#include "engine/wire.h"
#include "net/grpc.h"

namespace nacre::engine {
namespace {

constexpr std::size_t kMaxRows = 1'000'000;  ///< Of one list in one message.
constexpr std::uint64_t kSha256 = 1;         ///< DigestFunction
constexpr std::size_t kMaxName = 4096, kMaxWords = 2000, kMaxPrinted = 1u << 20;

/// Fields that a reader does not know it passes over, as protobuf wants it.
using Each = std::function<Result<>(const WireField&)>;

Result<std::string> text_of(const WireField& field, std::string_view what) {
  if (!field.is_bytes) return Error::make(ErrorKind::kInvalid, "{} is a number, expected text", what);
  return std::string(field.bytes);
}

/// A name that goes back to the server in later calls.
Result<std::string> name_in(const WireField& field, std::string_view what) {
  std::string name = TRY(text_of(field, what));
  if (name.size() <= kMaxName) return name;
  return Error::make(ErrorKind::kInvalid, "{} has {} bytes, at most {} were expected", what, name.size(), kMaxName);
}

/// Words for people.
Result<std::string> words_in(const WireField& field, std::string_view what) {
  const std::string words = TRY(text_of(field, what));
  return net::printable(words, kMaxWords);
}

/// Of what a command printed.
std::string_view end_of(std::string_view bytes) {
  return bytes.substr(bytes.size() - std::min(bytes.size(), kMaxPrinted));
}

template <class T>
Result<> append(std::vector<T>& list, T item) {
  if (list.size() >= kMaxRows) return Error::make(ErrorKind::kInvalid, "a message lists more than {} things", kMaxRows);
  list.push_back(std::move(item));
  return {};
}

std::string pair_to_wire(const std::pair<std::string, std::string>& pair) {
  return WireWriter().text(1, pair.first).text(2, pair.second).take();
}

Result<std::pair<std::string, std::string>> pair_from_wire(std::string_view bytes) {
  std::pair<std::string, std::string> out;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    if (field.number == 1) out.first = TRY(text_of(field, "a name"));
    if (field.number == 2) out.second = TRY(text_of(field, "a value"));
    return {};
  });
  TRY(std::move(read));
  return out;
}

std::string platform_to_wire(Properties platform) {
  std::sort(platform.begin(), platform.end());
  WireWriter out;
  for (const auto& property : platform) out.message(1, pair_to_wire(property));
  return out.take();
}

Result<Properties> platform_from_wire(std::string_view bytes) {
  Properties out;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    if (field.number != 1) return {};
    auto pair = TRY(pair_from_wire(field.bytes));
    return append(out, std::move(pair));
  });
  TRY(std::move(read));
  return out;
}

/// A name of an entry of a Directory.
Result<std::string> entry_name(const WireField& field) {
  std::string name = TRY(text_of(field, "the name of an entry"));
  const TreePath path = TRY(TreePath::parse(name), "reading the name of an entry");
  if (path.is_root() || path.str() != name || name.find('/') != name.npos)
    return Error::make(ErrorKind::kInvalid, "'{}' is no name of an entry", name);
  return name;
}

std::string seconds_to_wire(std::int64_t seconds) {
  return WireWriter().number(1, static_cast<std::uint64_t>(seconds)).take();
}

Result<std::int64_t> seconds_from_wire(std::string_view bytes) {
  std::int64_t out = 0;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    if (field.number == 1) out = static_cast<std::int64_t>(field.value);
    return {};
  });
  TRY(std::move(read));
  return out;
}

std::string file_to_wire(const File& file) {
  return WireWriter().text(1, file.path).message(2, to_wire(file.digest)).flag(4, file.executable).take();
}

Result<File> output_file_from_wire(std::string_view bytes) {
  File out;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    if (field.number == 1) out.path = TRY(text_of(field, "the path of an output"));
    if (field.number == 2) out.digest = TRY(digest_from_wire(field.bytes));
    if (field.number == 4) out.executable = field.value != 0;
    return {};
  });
  TRY(std::move(read));
  return out;
}

/// The bytes that a google.protobuf.Any of this type holds; nothing for another type.
Result<std::optional<std::string_view>> unpack_any(std::string_view any, std::string_view type) {
  std::string_view url, value;
  auto read = read_fields(any, [&](const WireField& field) -> Result<> {
    if (field.number == 1) url = field.bytes;
    if (field.number == 2) value = field.bytes;
    return {};
  });
  TRY(std::move(read));
  const std::string_view name = url.substr(url.rfind('/') == url.npos ? 0 : url.rfind('/') + 1);
  if (name != type) return std::optional<std::string_view>();
  return std::optional(value);
}

Result<> read_response(std::string_view bytes, Operation& out) {
  return read_fields(bytes, [&](const WireField& field) -> Result<> {
    if (field.number == 1) out.result = TRY(action_result_from_wire(field.bytes));
    if (field.number == 2) out.cached = field.value != 0;
    if (field.number == 3) out.status = TRY(rpc_status_from_wire(field.bytes));
    if (field.number == 5) out.message = TRY(words_in(field, "the message of a response"));
    return {};
  });
}

Result<int> major_of(std::string_view version) {
  int out = 0;
  auto read = read_fields(version, [&](const WireField& field) -> Result<> {
    if (field.number == 1) out = static_cast<int>(field.value & 0xffff);
    return {};
  });
  TRY(std::move(read));
  return out;
}

/// Whether a list of numbers, packed or one by one, has this one.
bool lists(const WireField& field, std::uint64_t wanted) {
  if (!field.is_bytes) return field.value == wanted;
  bool found = false;
  // Small numbers alone are of interest: each is one byte.
  for (const char c : field.bytes) found = found || static_cast<unsigned char>(c) == wanted;
  return found;
}

}  // namespace

std::string Digest::str() const { return fmt::format("{}/{}", hash.hex(), size); }

Digest digest_of(std::string_view bytes) { return {codec::sha256(bytes), bytes.size()}; }

std::string to_wire(const Digest& digest) {
  return WireWriter().text(1, digest.hash.hex()).number(2, digest.size).take();
}

Result<Digest> digest_from_wire(std::string_view bytes) {
  Digest out;
  bool named = false;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    if (field.number == 1) {
      const std::string hex = TRY(text_of(field, "a hash"));
      out.hash = TRY(parse_sha256(hex));
      named = true;
    }
    if (field.number == 2) out.size = field.value;
    return {};
  });
  TRY(std::move(read));
  if (!named || out.size > (std::uint64_t{1} << 62)) return Error::make(ErrorKind::kInvalid, "a digest is not whole");
  return out;
}

std::string to_wire(const Command& command) {
  WireWriter out;
  Properties environment = command.environment;
  std::sort(environment.begin(), environment.end());
  std::vector<std::string> outputs = command.output_paths;
  std::sort(outputs.begin(), outputs.end());
  for (const std::string& word : command.arguments) out.message(1, word);
  for (const auto& variable : environment) out.message(2, pair_to_wire(variable));
  if (!command.platform.empty()) out.message(5, platform_to_wire(command.platform));
  for (const std::string& path : outputs) out.message(7, path);
  return out.take();
}

Result<Command> command_from_wire(std::string_view bytes) {
  Command out;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    switch (field.number) {
      case 1: return append(out.arguments, std::string(field.bytes));
      case 2: {
        auto pair = TRY(pair_from_wire(field.bytes));
        return append(out.environment, std::move(pair));
      }
      case 5: out.platform = TRY(platform_from_wire(field.bytes)); return {};
      case 7: return append(out.output_paths, std::string(field.bytes));
      default: return {};
    }
  });
  TRY(std::move(read));
  return out;
}

std::string to_wire(const Directory& directory) {
  Directory sorted = directory;
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  std::sort(sorted.files.begin(), sorted.files.end(), [](const File& a, const File& b) { return a.path < b.path; });
  std::sort(sorted.folders.begin(), sorted.folders.end(), by_name);
  std::sort(sorted.links.begin(), sorted.links.end(), by_name);
  WireWriter out;
  for (const File& file : sorted.files) out.message(1, file_to_wire(file));
  for (const Directory::Folder& folder : sorted.folders)
    out.message(2, WireWriter().text(1, folder.name).message(2, to_wire(folder.digest)).take());
  for (const Directory::Link& link : sorted.links)
    out.message(3, WireWriter().text(1, link.name).text(2, link.target).take());
  return out.take();
}

Result<Directory> directory_from_wire(std::string_view bytes) {
  Directory out;
  std::vector<std::string> names;
  auto read = read_fields(bytes, [&](const WireField& list) -> Result<> {
    if (list.number < 1 || list.number > 3) return {};
    std::string name, target;
    std::optional<Digest> digest;
    bool executable = false;
    auto inner = read_fields(list.bytes, [&](const WireField& field) -> Result<> {
      if (field.number == 1) name = TRY(entry_name(field));
      if (field.number == 2 && list.number == 3) target = TRY(text_of(field, "the target of a link"));
      if (field.number == 2 && list.number != 3) digest = TRY(digest_from_wire(field.bytes));
      if (field.number == 4) executable = field.value != 0;
      return {};
    });
    TRY(std::move(inner));
    if (name.empty() || (list.number != 3 && !digest))
      return Error::make(ErrorKind::kInvalid, "an entry of a Directory is not whole");
    TRY(append(names, name));
    if (list.number == 1) return append(out.files, {name, *digest, executable});
    if (list.number == 2) return append(out.folders, {name, *digest});
    return append(out.links, {name, target});
  });
  TRY(std::move(read));
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) return Error::make(ErrorKind::kInvalid, "a Directory has two entries '{}'", *twice);
  return out;
}

std::string to_wire(const Action& action) {
  WireWriter out;
  out.message(1, to_wire(action.command)).message(2, to_wire(action.input_root));
  if (action.timeout_seconds > 0) out.message(6, seconds_to_wire(action.timeout_seconds));
  out.flag(7, action.do_not_cache);
  if (!action.platform.empty()) out.message(10, platform_to_wire(action.platform));
  return out.take();
}

Result<Action> action_from_wire(std::string_view bytes) {
  Action out;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    switch (field.number) {
      case 1: out.command = TRY(digest_from_wire(field.bytes)); break;
      case 2: out.input_root = TRY(digest_from_wire(field.bytes)); break;
      case 6: out.timeout_seconds = TRY(seconds_from_wire(field.bytes)); break;
      case 7: out.do_not_cache = field.value != 0; break;
      case 10: out.platform = TRY(platform_from_wire(field.bytes)); break;
      default: break;
    }
    return {};
  });
  TRY(std::move(read));
  return out;
}

const File* ActionResult::find(std::string_view path) const {
  const auto found = std::find_if(files.begin(), files.end(), [&](const File& file) { return file.path == path; });
  return found == files.end() ? nullptr : &*found;
}

std::string to_wire(const ActionResult& result) {
  WireWriter out;
  for (const File& file : result.files) out.message(2, file_to_wire(file));
  out.number(4, static_cast<std::uint64_t>(std::int64_t{result.exit_code}));
  out.text(5, result.out);
  if (result.out_blob) out.message(6, to_wire(*result.out_blob));
  out.text(7, result.err);
  if (result.err_blob) out.message(8, to_wire(*result.err_blob));
  if (!result.worker.empty()) out.message(9, WireWriter().text(1, result.worker).take());
  return out.take();
}

Result<ActionResult> action_result_from_wire(std::string_view bytes) {
  ActionResult out;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    switch (field.number) {
      case 2: {
        File file = TRY(output_file_from_wire(field.bytes));
        return append(out.files, std::move(file));
      }
      case 4: out.exit_code = static_cast<int>(static_cast<std::int64_t>(field.value)); return {};
      case 5: out.out = end_of(field.bytes); return {};
      case 6: out.out_blob = TRY(digest_from_wire(field.bytes)); return {};
      case 7: out.err = end_of(field.bytes); return {};
      case 8: out.err_blob = TRY(digest_from_wire(field.bytes)); return {};
      case 9:
        return read_fields(field.bytes, [&](const WireField& part) -> Result<> {
          if (part.number == 1) out.worker = TRY(words_in(part, "the name of a worker"));
          return {};
        });
      default: return {};
    }
  });
  TRY(std::move(read));
  return out;
}

Result<RpcStatus> rpc_status_from_wire(std::string_view bytes) {
  RpcStatus out;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    if (field.number == 1) out.code = static_cast<int>(net::grpc_code(field.value));
    if (field.number == 2) out.message = TRY(words_in(field, "the message of a status"));
    return {};
  });
  TRY(std::move(read));
  return out;
}

std::string_view name_of(Stage stage) {
  switch (stage) {
    case Stage::kCacheCheck: return "looked up";
    case Stage::kQueued: return "queued";
    case Stage::kExecuting: return "running";
    case Stage::kCompleted: return "done";
    case Stage::kUnknown: break;
  }
  return "accepted";
}

Result<Operation> operation_from_wire(std::string_view bytes) {
  constexpr std::string_view kApi = "build.bazel.remote.execution.v2.";
  Operation out;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    switch (field.number) {
      case 1: out.name = TRY(name_in(field, "the name of an operation")); return {};
      case 2: {
        const auto metadata = TRY(unpack_any(field.bytes, std::string(kApi) + "ExecuteOperationMetadata"));
        if (!metadata) return {};
        return read_fields(*metadata, [&](const WireField& part) -> Result<> {
          if (part.number == 1 && part.value <= 4) out.stage = static_cast<Stage>(part.value);
          if (part.number == 3) out.out_stream = TRY(name_in(part, "the name of a log"));
          if (part.number == 4) out.err_stream = TRY(name_in(part, "the name of a log"));
          return {};
        });
      }
      case 3: out.done = field.value != 0; return {};
      case 4: out.status = TRY(rpc_status_from_wire(field.bytes)); return {};
      case 5: {
        const auto response = TRY(unpack_any(field.bytes, std::string(kApi) + "ExecuteResponse"));
        if (!response) return Error::make(ErrorKind::kInvalid, "an operation ended with something else than a result");
        return read_response(*response, out);
      }
      default: return {};
    }
  });
  TRY(std::move(read));
  if (out.done && out.status.code == 0 && !out.result)
    return Error::make(ErrorKind::kInvalid, "an operation ended with neither a result nor an error");
  return out;
}

Result<Capabilities> capabilities_from_wire(std::string_view bytes) {
  Capabilities out;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    if (field.number == 4) out.low_major = TRY(major_of(field.bytes));
    if (field.number == 5) out.high_major = TRY(major_of(field.bytes));
    if (field.number == 1)
      return read_fields(field.bytes, [&](const WireField& part) -> Result<> {
        if (part.number == 1) out.sha256 = out.sha256 || lists(part, kSha256);
        if (part.number == 4) out.max_batch_bytes = part.value;
        return {};
      });
    if (field.number != 2) return {};
    bool enabled = false, fits = false;
    auto inner = read_fields(field.bytes, [&](const WireField& part) -> Result<> {
      if (part.number == 1 || part.number == 5) fits = fits || lists(part, kSha256);
      if (part.number == 2) enabled = part.value != 0;
      return {};
    });
    TRY(std::move(inner));
    out.executes = enabled && fits;
    return {};
  });
  TRY(std::move(read));
  return out;
}

Result<std::vector<Digest>> digests_from_wire(std::string_view bytes, unsigned number) {
  std::vector<Digest> out;
  auto read = read_fields(bytes, [&](const WireField& field) -> Result<> {
    if (field.number != number) return {};
    const Digest digest = TRY(digest_from_wire(field.bytes));
    return append(out, digest);
  });
  TRY(std::move(read));
  return out;
}

Result<std::vector<BatchRow>> batch_rows_from_wire(std::string_view bytes) {
  std::vector<BatchRow> out;
  auto read = read_fields(bytes, [&](const WireField& list) -> Result<> {
    if (list.number != 1) return {};
    BatchRow row;
    auto inner = read_fields(list.bytes, [&](const WireField& field) -> Result<> {
      if (field.number == 1) row.digest = TRY(digest_from_wire(field.bytes));
      if (field.number == 2) row.status = TRY(rpc_status_from_wire(field.bytes));
      return {};
    });
    TRY(std::move(inner));
    return append(out, row);
  });
  TRY(std::move(read));
  return out;
}

}  // namespace nacre::engine
