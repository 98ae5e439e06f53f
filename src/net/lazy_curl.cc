#include <curl/curl.h>

#include <cstdarg>

#include "base/lazy_library.h"

// The functions of libcurl that this room calls; see base/lazy_library.h. One that is missing here is missing at link
// time.
#define FUNCTION(name) NACRE_LAZY("libcurl.so.4", name)

// curl.h checks the types of options in macros of these names.
#undef curl_easy_setopt
#undef curl_easy_getinfo

extern "C" {

CURLcode curl_global_init(long flags) { return FUNCTION(curl_global_init)(flags); }

CURL* curl_easy_init() { return FUNCTION(curl_easy_init)(); }
void curl_easy_cleanup(CURL* easy) { FUNCTION(curl_easy_cleanup)(easy); }
void curl_easy_reset(CURL* easy) { FUNCTION(curl_easy_reset)(easy); }
const char* curl_easy_strerror(CURLcode code) { return FUNCTION(curl_easy_strerror)(code); }

// What follows the option is one long, pointer or curl_off_t, which are passed alike.
static_assert(sizeof(long) == sizeof(void*) && sizeof(curl_off_t) == sizeof(void*));
// The enumeration in front of `...` is passed as the int that it becomes: so is libcurl's own.
#pragma GCC diagnostic ignored "-Wvarargs"
CURLcode curl_easy_setopt(CURL* easy, CURLoption option, ...) {
  va_list rest;
  va_start(rest, option);
  void* const value = va_arg(rest, void*);
  va_end(rest);
  return FUNCTION(curl_easy_setopt)(easy, option, value);
}
CURLcode curl_easy_getinfo(CURL* easy, CURLINFO info, ...) {
  va_list rest;
  va_start(rest, info);
  void* const into = va_arg(rest, void*);
  va_end(rest);
  return FUNCTION(curl_easy_getinfo)(easy, info, into);
}

CURLM* curl_multi_init() { return FUNCTION(curl_multi_init)(); }
CURLMcode curl_multi_cleanup(CURLM* multi) { return FUNCTION(curl_multi_cleanup)(multi); }
CURLMcode curl_multi_add_handle(CURLM* multi, CURL* easy) { return FUNCTION(curl_multi_add_handle)(multi, easy); }
CURLMcode curl_multi_remove_handle(CURLM* multi, CURL* easy) { return FUNCTION(curl_multi_remove_handle)(multi, easy); }
CURLMcode curl_multi_perform(CURLM* multi, int* running) { return FUNCTION(curl_multi_perform)(multi, running); }
CURLMcode curl_multi_poll(CURLM* multi, curl_waitfd* more, unsigned count, int milliseconds, int* ready) {
  return FUNCTION(curl_multi_poll)(multi, more, count, milliseconds, ready);
}
CURLMcode curl_multi_wakeup(CURLM* multi) { return FUNCTION(curl_multi_wakeup)(multi); }
CURLMsg* curl_multi_info_read(CURLM* multi, int* left) { return FUNCTION(curl_multi_info_read)(multi, left); }

curl_slist* curl_slist_append(curl_slist* list, const char* text) { return FUNCTION(curl_slist_append)(list, text); }
void curl_slist_free_all(curl_slist* list) { FUNCTION(curl_slist_free_all)(list); }

}  // extern "C"
