#include "draft/readers.h"
#include "draft/text.h"

#include "base/text.h"

#include <algorithm>

namespace nacre::draft {
namespace {

/// What has a pkg-config module, a library and CMake's package under the field's names. Empty: none, or the same as
/// before.
struct Row {
  std::string_view package, modules, libraries, cmake;
};

constexpr Row kRows[] = {
    {"zlib-dev", "zlib", "z", "zlib"},
    {"openssl-dev", "openssl libssl libcrypto", "ssl crypto", "openssl"},
    {"curl-dev", "libcurl", "curl", "curl"},
    {"glib-dev", "glib-2.0 gobject-2.0 gio-2.0 gio-unix-2.0 gmodule-2.0 gthread-2.0", "glib-2.0", "glib glib2"},
    {"libxml2-dev", "libxml-2.0", "xml2", "libxml2"},
    {"libxslt-dev", "libxslt libexslt", "xslt", "libxslt"},
    {"sqlite-dev", "sqlite3", "sqlite3", "sqlite3"},
    {"ncurses-dev", "ncurses ncursesw tinfo panel menu form", "ncurses ncursesw tinfo", "curses"},
    {"readline-dev", "readline", "readline", "readline"},
    {"libedit-dev", "libedit", "edit", ""},
    {"pcre2-dev", "libpcre2-8 libpcre2-16 libpcre2-32 libpcre2-posix", "pcre2-8", "pcre2"},
    {"libffi-dev", "libffi", "ffi", "libffi"},
    {"expat-dev", "expat", "expat", "expat"},
    {"icu-dev", "icu-uc icu-i18n icu-io", "icuuc icui18n", "icu"},
    {"bzip2-dev", "bzip2", "bz2", "bzip2"},
    {"xz-dev", "liblzma", "lzma", "liblzma"},
    {"zstd-dev", "libzstd", "zstd", "zstd"},
    {"lz4-dev", "liblz4", "lz4", "lz4"},
    {"brotli-dev", "libbrotlicommon libbrotlidec libbrotlienc", "brotlidec brotlienc", "brotli"},
    {"snappy-dev", "snappy", "snappy", "snappy"},
    {"xxhash-dev", "libxxhash", "xxhash", "xxhash"},
    {"c-ares-dev", "libcares", "cares", "c-ares"},
    {"nghttp2-dev", "libnghttp2", "nghttp2", "nghttp2"},
    {"libssh2-dev", "libssh2", "ssh2", "libssh2"},
    {"libidn2-dev", "libidn2", "idn2", "libidn2"},
    {"libpsl-dev", "libpsl", "psl", "libpsl"},
    {"libunistring-dev", "", "unistring", ""},
    {"libuv-dev", "libuv", "uv", "libuv"},
    {"libevent-dev", "libevent libevent_core libevent_openssl libevent_pthreads", "event", "libevent"},
    {"libev-dev", "", "ev", "libev"},
    {"yaml-dev", "yaml-0.1", "yaml", "yaml"},
    {"json-c-dev", "json-c", "json-c", "json-c"},
    {"jansson-dev", "jansson", "jansson", "jansson"},
    {"gmp-dev", "gmp gmpxx", "gmp", "gmp"},
    {"mpfr-dev", "mpfr", "mpfr", "mpfr"},
    {"mpc-dev", "", "mpc", ""},
    {"gdbm-dev", "", "gdbm", ""},
    {"libcap-dev", "libcap", "cap", ""},
    {"libcap-ng-dev", "libcap-ng", "cap-ng", ""},
    {"libseccomp-dev", "libseccomp", "seccomp", "libseccomp"},
    {"linux-pam-dev", "pam", "pam", "pam"},
    {"libselinux-dev", "libselinux", "selinux", ""},
    {"acl-dev", "libacl", "acl", ""},
    {"attr-dev", "libattr", "attr", ""},
    {"util-linux-dev", "uuid blkid mount libmount smartcols", "uuid blkid", "uuid"},
    {"systemd-dev", "libsystemd libudev systemd udev", "systemd udev", ""},
    {"dbus-dev", "dbus-1", "dbus-1", "dbus1 dbus"},
    {"krb5-dev", "krb5 krb5-gssapi", "krb5 gssapi_krb5", "gssapi"},
    {"libsodium-dev", "libsodium", "sodium", "libsodium sodium"},
    {"libgcrypt-dev", "libgcrypt", "gcrypt", ""},
    {"libgpg-error-dev", "gpg-error", "gpg-error", ""},
    {"libassuan-dev", "libassuan", "assuan", ""},
    {"elfutils-dev", "libelf libdw", "elf dw", "libelf"},
    {"libunwind-dev", "libunwind", "unwind", "libunwind"},
    {"libpcap-dev", "libpcap", "pcap", "pcap"},
    {"libmnl-dev", "libmnl", "mnl", ""},
    {"libnl3-dev", "libnl-3.0 libnl-genl-3.0 libnl-route-3.0", "nl-3", ""},
    {"libtirpc-dev", "libtirpc", "tirpc", ""},
    {"libbsd-dev", "libbsd libbsd-overlay", "bsd", ""},
    {"libmd-dev", "libmd", "md", ""},
    {"libxcrypt-dev", "libcrypt libxcrypt", "crypt", ""},
    {"popt-dev", "popt", "popt", ""},
    {"numactl-dev", "numa", "numa", ""},
    {"libusb-dev", "libusb-1.0", "usb-1.0", ""},
    {"libaio-dev", "libaio", "aio", ""},
    {"keyutils-dev", "libkeyutils", "keyutils", ""},
    {"oniguruma-dev", "oniguruma", "onig", "oniguruma"},
    {"libpng-dev", "libpng libpng16", "png", "png"},
    {"libjpeg-turbo-dev", "libjpeg libturbojpeg", "jpeg turbojpeg", "jpeg"},
    {"tiff-dev", "libtiff-4", "tiff", "tiff"},
    {"libwebp-dev", "libwebp", "webp", "webp"},
    {"freetype-dev", "freetype2", "freetype", "freetype"},
    {"fontconfig-dev", "fontconfig", "fontconfig", "fontconfig"},
    {"harfbuzz-dev", "harfbuzz", "harfbuzz", "harfbuzz"},
    {"fribidi-dev", "fribidi", "fribidi", "fribidi"},
    {"cairo-dev", "cairo", "cairo", "cairo"},
    {"pango-dev", "pango pangocairo", "", ""},
    {"libx11-dev", "x11", "X11", "x11"},
    {"libogg-dev", "ogg", "ogg", "ogg"},
    {"libvorbis-dev", "vorbis vorbisenc vorbisfile", "vorbis", "vorbis"},
    {"alsa-lib-dev", "alsa", "asound", "alsa"},
    {"boost-dev", "", "", "boost"},
    {"gtest-dev", "gtest gmock", "", "gtest googletest"},
    {"benchmark-dev", "benchmark", "", "benchmark"},
    {"protobuf-dev", "protobuf", "protobuf", "protobuf"},
    {"protobuf-c-dev", "libprotobuf-c", "protobuf-c", ""},
    {"abseil-cpp-dev", "", "", "absl"},
    {"re2-dev", "re2", "re2", "re2"},
    {"rapidjson-dev", "rapidjson", "", "rapidjson"},
    {"jsoncpp-dev", "jsoncpp", "jsoncpp", "jsoncpp"},
    {"luajit-dev", "luajit", "", "luajit"},
    {"lua5.4-dev", "lua5.4 lua-5.4", "lua5.4", ""},
    {"check-dev", "check", "check", ""},
    {"cmocka-dev", "cmocka", "cmocka", "cmocka"},
    {"postgresql-dev", "libpq", "pq", "postgresql"},
    {"openldap-dev", "ldap", "ldap lber", ""},
    {"cyrus-sasl-dev", "libsasl2", "sasl2", ""},
    {"libarchive-dev", "libarchive", "archive", "libarchive"},
    {"jemalloc-dev", "jemalloc", "jemalloc", "jemalloc"},
    {"libmagic-dev", "libmagic", "magic", ""},
    {"fuse3-dev", "fuse3", "fuse3", ""},
    {"wayland-dev", "wayland-client wayland-server wayland-scanner", "", "wayland"},
    {"libdrm-dev", "libdrm", "drm", ""},
    {"binutils-dev", "", "bfd", ""},
};

template <auto kColumn>
std::string find(std::string_view name) {
  for (const Row& row : kRows)
    for (const std::string& word : split_words(row.*kColumn))
      if (word == name) return std::string(row.package);
  return {};
}

}  // namespace

std::string package_of_module(std::string_view module) { return find<&Row::modules>(module); }
std::string package_of_library(std::string_view library) { return find<&Row::libraries>(library); }
std::string package_of_cmake(std::string_view name) { return find<&Row::cmake>(lower(name)); }

void need_module(Facts& facts, std::string_view module, bool optional, std::string where) {
  facts.need("pkgconf");
  const std::string known = package_of_module(module);
  std::string guess = package_name(module);
  if (guess.empty()) return;
  if (!guess.starts_with("lib") && known.empty()) guess = guess.substr(0, guess.find("-2."));
  facts.need(known.empty() ? guess + "-dev" : known, !known.empty() && !optional,
             fmt::format("pkg-config {}, {}", module, where));
}

void need_library(Facts& facts, std::string_view library, std::string where) {
  static constexpr std::string_view kOfC[] = {"c",      "m",   "dl",     "pthread", "rt",     "util",
                                              "resolv", "nsl", "socket", "gcc",     "stdc++", "atomic"};
  if (std::find(std::begin(kOfC), std::end(kOfC), library) != std::end(kOfC)) return;
  const std::string known = package_of_library(library);
  const std::string guess = package_name(library);
  if (known.empty() && guess.empty()) return;
  facts.need(known.empty() ? guess + "-dev" : known, false, fmt::format("library {}, {}", library, where));
}

}  // namespace nacre::draft
