#include "net/credentials.h"

#include "base/encoding.h"
#include "base/number.h"
#include "base/text.h"
#include "os/file.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace nacre::net {
namespace {

std::string basic(std::string_view user, std::string_view password) {
  return "Basic " + to_base64(fmt::format("{}:{}", user, password));
}

bool fits_header(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f; });
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// 0: no port.
int port_of(std::string_view text) {
  const int out = whole_number<int>(text).value_or(0);
  return out > 0 && out < 65536 ? out : 0;
}

/// The words of a netrc with their lines; one in double quotes may hold blanks.
struct Word {
  std::string text;
  int line = 0;
};
std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> out;
  int line = 0;
  bool in_macro = false;
  for (const std::string& row : split(text, '\n')) {
    ++line;
    if (trim(row).empty()) in_macro = false;
    if (in_macro || trim(row).starts_with('#')) continue;
    for (std::size_t at = 0; at < row.size();) {
      if (row[at] == ' ' || row[at] == '\t' || row[at] == '\r') {
        ++at;
        continue;
      }
      Word word{{}, line};
      if (row[at] == '"') {
        for (++at; at < row.size() && row[at] != '"'; ++at) {
          if (row[at] == '\\' && at + 1 < row.size()) ++at;
          word.text += row[at];
        }
        ++at;
      } else {
        const std::size_t end = std::min(row.find_first_of(" \t\r", at), row.size());
        word.text = row.substr(at, end - at);
        at = end;
      }
      if (word.text == "macdef") {
        in_macro = true;
        break;
      }
      out.push_back(std::move(word));
    }
  }
  return out;
}

}  // namespace

Result<> Credentials::add_http_auth(std::string_view text) {
  for (const std::string& row : split(text, '\n')) {
    const std::string_view entry = trim(row);
    if (entry.empty()) continue;
    std::vector<std::string> parts = split(entry, ':');
    const bool named = parts.size() >= 3 && !parts[1].empty();
    // A password may hold colons.
    const int port = parts.size() >= 5 ? port_of(parts[2]) : 0;
    const std::size_t user = port > 0 ? 3 : 2;
    if (named && parts[0] == "basic" && parts.size() >= user + 2) {
      const std::string password = join(std::span(parts).subspan(user + 1), ":");
      entries_.push_back({lower(parts[1]), parts[1] == "*" && port == 0 ? kAnyPort : port,
                          basic(parts[user], password)});
    } else if (named && parts[0] == "bearer" && parts.size() == 3 && fits_header(parts[2])) {
      entries_.push_back({lower(parts[1]), parts[1] == "*" ? kAnyPort : 0, "Bearer " + parts[2]});
    } else if (named && parts[0] == "bearer" && parts.size() == 4 && port_of(parts[2]) > 0 && fits_header(parts[3])) {
      entries_.push_back({lower(parts[1]), port_of(parts[2]), "Bearer " + parts[3]});
    } else {
      return Error::make(ErrorKind::kInvalid, "HTTP_AUTH is not basic:HOST:USER:PASSWORD or bearer:HOST:TOKEN")
          .hint("a port stands behind the host: basic:HOST:PORT:USER:PASSWORD");
    }
  }
  return {};
}

Result<> Credentials::add_netrc(std::string_view text, std::string_view source) {
  struct Machine {
    std::string host, login, password;
  };
  std::vector<Machine> machines;
  const std::vector<Word> words = words_of(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Word& word = words[i];
    const auto fault = [&](std::string_view what) {
      return Error::make(ErrorKind::kInvalid, "{}", what).at({std::string(source), word.line, 0});
    };
    if (word.text == "default") {
      machines.push_back({"*", {}, {}});
      continue;
    }
    const bool machine = word.text == "machine";
    if (!machine && word.text != "login" && word.text != "password" && word.text != "account")
      return fault("expected machine, default, login, password, account or macdef");
    if (i + 1 == words.size()) return fault(fmt::format("'{}' has no value", word.text));
    const std::string& value = words[++i].text;
    if (machine) {
      machines.push_back({lower(value), {}, {}});
      continue;
    }
    if (machines.empty()) return fault(fmt::format("'{}' stands before any machine", word.text));
    if (word.text == "login") machines.back().login = value;
    if (word.text == "password") machines.back().password = value;
  }
  for (const Machine& machine : machines)
    if (!machine.login.empty() || !machine.password.empty())
      entries_.push_back({machine.host, kAnyPort, basic(machine.login, machine.password)});
  return {};
}

Result<Credentials> Credentials::from_environment() {
  Credentials out;
  TRY(out.add_http_auth(variable("HTTP_AUTH")));
  std::string file = variable("NETRC");
  if (file.empty()) {
    const std::string home = variable("HOME");
    if (home.empty()) return out;
    file = home + "/.netrc";
    if (!os::exists(file)) return out;
  }
  const std::string text = TRY(os::read_file(file, 1u << 20), "reading the credentials of NETRC");
  TRY(out.add_netrc(text, file));
  return out;
}

std::string Credentials::authorization(const Url& url) const {
  if (!url.user.empty() || !url.password.empty()) return "";
  for (const Entry& entry : entries_)
    if ((entry.host == "*" || entry.host == url.host) && (entry.port == kAnyPort || entry.port == url.port))
      return entry.header;
  return "";
}

Result<Response> AuthorizedHttp::send(const Request& request, std::stop_token stop) {
  const auto url = parse_url(request.url);
  const bool said = std::any_of(request.headers.begin(), request.headers.end(),
                                [](const auto& header) { return lower(header.first) == "authorization"; });
  std::string value = url && !said ? credentials_.authorization(*url) : std::string();
  if (value.empty()) return inner_.send(request, stop);
  Request authorized = request;
  authorized.headers.emplace_back("Authorization", std::move(value));
  return inner_.send(authorized, stop);
}

}  // namespace nacre::net
