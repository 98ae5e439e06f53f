#pragma once

#include "codec/digest.h"
#include "net/test_peers.h"
#include "store/bucket.h"

#include <gtest/gtest.h>

#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

/// A small S3 store for the tests of this room: real sockets, one bucket "blobs" in memory, one thread for each
/// connection. It refuses what is not signed as it should be, and bodies that are not what was signed. (tests/flow has
/// one by others.)
namespace nacre::store {

class TestBucket {
 public:
  struct Object {
    std::string bytes;
    std::string modified = "2026-11-29T12:30:00.000Z";
  };
  /// An answer in the place of the true one, byte for byte; "" leaves it.
  using Lie = std::function<std::string(const std::string& method, const std::string& path)>;

  TestBucket() { accepting_ = std::jthread([this] { accept_all(); }); }
  ~TestBucket() {
    ::shutdown(listener_.fd.get(), SHUT_RDWR);
    accepting_.join();
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  TestBucket(const TestBucket&) = delete;

  std::string endpoint() const { return fmt::format("http://127.0.0.1:{}", listener_.port); }
  Bucket::Access access(std::string prefix = "p") const {
    return {endpoint(), "blobs", std::move(prefix), {"key", "secret", "", "us-east-1"}};
  }
  /// So that Bucket::access_of() finds it.
  void set_environment() const {
    ::setenv("AWS_ENDPOINT_URL", endpoint().c_str(), 1);
    ::setenv("AWS_ACCESS_KEY_ID", "key", 1);
    ::setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    for (const char* name : {"AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3"})
      ::unsetenv(name);
  }

  void lie(Lie lie) {
    const std::lock_guard lock(mutex_);
    lie_ = std::move(lie);
  }
  std::map<std::string, Object> objects() {
    const std::lock_guard lock(mutex_);
    return objects_;
  }
  void set(const std::string& key, Object object) {
    const std::lock_guard lock(mutex_);
    objects_[key] = std::move(object);
  }
  void erase(const std::string& key) {
    const std::lock_guard lock(mutex_);
    objects_.erase(key);
  }
  int count(const std::string& method) {
    const std::lock_guard lock(mutex_);
    return counts_[method];
  }

  static std::string answer(int status, std::string_view body, std::string_view headers = {}) {
    return fmt::format("HTTP/1.1 {} x\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(), headers, body);
  }
  static std::string fault(int status, std::string_view code) {
    return answer(status, fmt::format("<Error><Code>{}</Code><Message>no</Message></Error>", code));
  }

 private:
  void accept_all() {
    std::vector<std::jthread> threads;
    while (true) {
      const int fd = ::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) break;
      {
        const std::lock_guard lock(mutex_);
        open_.push_back(fd);
      }
      threads.emplace_back([this, fd] {
        talk(fd);
        ::shutdown(fd, SHUT_RDWR);
      });
    }
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    threads.clear();
    for (const int fd : open_) ::close(fd);
    open_.clear();
  }

  void talk(int fd) {
    std::string heard;
    char buffer[65536];
    while (true) {
      std::size_t blank = std::string::npos;
      while ((blank = heard.find("\r\n\r\n")) == std::string::npos) {
        const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
        if (got <= 0) return;
        heard.append(buffer, static_cast<std::size_t>(got));
      }
      const std::string head = heard.substr(0, blank + 2);
      std::map<std::string, std::string> headers;
      for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
        const std::size_t end = head.find("\r\n", at), colon = head.find(": ", at);
        std::string name = head.substr(at, colon - at);
        for (char& c : name) c = static_cast<char>(std::tolower(c));
        headers[name] = head.substr(colon + 2, end - colon - 2);
        at = end + 2;
      }
      const std::size_t length = headers.contains("content-length") ? std::stoul(headers["content-length"]) : 0;
      while (heard.size() < blank + 4 + length) {
        const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
        if (got <= 0) return;
        heard.append(buffer, static_cast<std::size_t>(got));
      }
      const std::string body = heard.substr(blank + 4, length);
      heard.erase(0, blank + 4 + length);
      const std::size_t space = head.find(' '), next = head.find(' ', space + 1);
      const std::string said = respond(head.substr(0, space), head.substr(space + 1, next - space - 1), headers, body);
      if (::send(fd, said.data(), said.size(), MSG_NOSIGNAL) < 0 || said.find("Connection: close") != said.npos) return;
    }
  }

  /// The Authorization that the same request has when it is signed with the right secret.
  std::string expected(const std::string& method, const std::string& target,
                       std::map<std::string, std::string>& headers) {
    net::Request request;
    request.method = method;
    request.url = endpoint() + target;
    if (headers.contains("content-type")) request.headers = {{"Content-Type", headers["content-type"]}};
    std::tm when{};
    ::strptime(headers["x-amz-date"].c_str(), "%Y%m%dT%H%M%SZ", &when);
    EXPECT_TRUE(sign_s3(request, {"key", "secret", "", "us-east-1"}, headers["x-amz-content-sha256"], ::timegm(&when)));
    return request.headers.back().second;
  }

  std::string respond(const std::string& method, const std::string& target, std::map<std::string, std::string>& headers,
                      const std::string& body) {
    const std::lock_guard lock(mutex_);
    ++counts_[method];
    if (lie_)
      if (std::string told = lie_(method, target); !told.empty()) return told;
    if (headers["authorization"] != expected(method, target, headers)) return fault(403, "SignatureDoesNotMatch");
    if (headers["x-amz-content-sha256"] != codec::sha256(body).hex()) return fault(400, "XAmzContentSHA256Mismatch");
    if (!target.starts_with("/blobs")) return fault(404, "NoSuchBucket");
    if (target.starts_with("/blobs?")) return list(target);
    const std::string key = target.substr(7);
    if (method == "PUT") {
      objects_[key] = {body};
      return answer(200, "");
    }
    const auto found = objects_.find(key);
    if (method == "DELETE") {
      if (found != objects_.end()) objects_.erase(found);
      return answer(204, "");
    }
    if (found == objects_.end()) return method == "HEAD" ? "HTTP/1.1 404 x\r\n\r\n" : fault(404, "NoSuchKey");
    if (method == "HEAD")
      return fmt::format("HTTP/1.1 200 x\r\nContent-Length: {}\r\n\r\n", found->second.bytes.size());
    return answer(200, found->second.bytes);
  }

  /// Two objects on a page; the token is the last key.
  std::string list(const std::string& target) {
    const auto param = [&](const std::string& name) {
      const std::size_t at = target.find(name + "=");
      if (at == std::string::npos) return std::string();
      std::string text = target.substr(at + name.size() + 1);
      text = text.substr(0, text.find('&'));
      for (std::size_t i = text.find("%2F"); i != text.npos; i = text.find("%2F")) text.replace(i, 3, "/");
      return text;
    };
    std::string out = "<ListBucketResult>", last;
    int on_page = 0;
    bool more = false;
    for (auto at = objects_.upper_bound(param("continuation-token")); at != objects_.end(); ++at) {
      if (!at->first.starts_with(param("prefix"))) continue;
      if (++on_page > 2) {
        more = true;
        break;
      }
      last = at->first;
      out += fmt::format("<Contents><Key>{}</Key><LastModified>{}</LastModified><Size>{}</Size></Contents>", at->first,
                         at->second.modified, at->second.bytes.size());
    }
    out += fmt::format("<IsTruncated>{}</IsTruncated>", more);
    if (more) out += fmt::format("<NextContinuationToken>{}</NextContinuationToken>", last);
    return answer(200, out + "</ListBucketResult>");
  }

  net::Listener listener_{64};
  std::mutex mutex_;
  std::map<std::string, Object> objects_;
  std::map<std::string, int> counts_;
  std::vector<int> open_;
  Lie lie_;
  std::jthread accepting_;
};

}  // namespace nacre::store
