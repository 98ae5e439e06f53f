#pragma once

#include <curl/curl.h>

#include <csignal>
#include <memory>

namespace nacre::net {

/// What gives curl's handles back.
struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
/// Headers of a request.
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlList = std::unique_ptr<curl_slist, FreeList>;

/// What libcurl wants once in a program. TLS writes without MSG_NOSIGNAL; os::Processes gives its children the default
/// back.
inline CURLcode prepare_curl() {
  static const CURLcode kDone = (::signal(SIGPIPE, SIG_IGN), curl_global_init(CURL_GLOBAL_DEFAULT));
  return kDone;
}

/// One transfer at a time; the multi handle keeps its connections open for the next.
struct CurlSession {
  CURLcode prepared = prepare_curl();
  std::unique_ptr<CURLM, FreeMulti> multi{curl_multi_init()};
  std::unique_ptr<CURL, FreeEasy> easy{curl_easy_init()};
};

}  // namespace nacre::net
