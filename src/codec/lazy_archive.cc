#include <archive.h>
#include <archive_entry.h>

#include "base/lazy_library.h"

// The functions of libarchive that this room calls; see base/lazy_library.h.
#define FUNCTION(name) NACRE_LAZY("libarchive.so.13", name)

extern "C" {

archive* archive_read_new() { return FUNCTION(archive_read_new)(); }
int archive_read_free(archive* self) { return FUNCTION(archive_read_free)(self); }
int archive_errno(archive* self) { return FUNCTION(archive_errno)(self); }
const char* archive_error_string(archive* self) { return FUNCTION(archive_error_string)(self); }

#define SUPPORT(name) \
  int archive_read_support_##name(archive* self) { return FUNCTION(archive_read_support_##name)(self); }
SUPPORT(filter_bzip2)
SUPPORT(filter_gzip)
SUPPORT(filter_lzip)
SUPPORT(filter_lzma)
SUPPORT(filter_xz)
SUPPORT(filter_zstd)
SUPPORT(format_ar)
SUPPORT(format_raw)
SUPPORT(format_tar)
SUPPORT(format_zip)
#undef SUPPORT
int archive_read_set_format_option(archive* self, const char* format, const char* option, const char* value) {
  return FUNCTION(archive_read_set_format_option)(self, format, option, value);
}

int archive_read_open_filename(archive* self, const char* file, size_t block) {
  return FUNCTION(archive_read_open_filename)(self, file, block);
}
int archive_read_open_memory(archive* self, const void* bytes, size_t size) {
  return FUNCTION(archive_read_open_memory)(self, bytes, size);
}
int archive_read_next_header(archive* self, archive_entry** entry) {
  return FUNCTION(archive_read_next_header)(self, entry);
}
int archive_read_data_block(archive* self, const void** bytes, size_t* size, la_int64_t* offset) {
  return FUNCTION(archive_read_data_block)(self, bytes, size, offset);
}

#define FIELD(type, name) \
  type archive_entry_##name(archive_entry* entry) { return FUNCTION(archive_entry_##name)(entry); }
FIELD(mode_t, filetype)
FIELD(la_int64_t, gid)
FIELD(const char*, gname)
FIELD(const char*, hardlink)
FIELD(int, is_encrypted)
FIELD(time_t, mtime)
FIELD(int, mtime_is_set)
FIELD(const char*, pathname)
FIELD(mode_t, perm)
FIELD(dev_t, rdevmajor)
FIELD(dev_t, rdevminor)
FIELD(la_int64_t, size)
FIELD(int, size_is_set)
FIELD(const char*, symlink)
FIELD(la_int64_t, uid)
FIELD(const char*, uname)
FIELD(int, xattr_reset)
#undef FIELD
int archive_entry_xattr_next(archive_entry* entry, const char** name, const void** value, size_t* size) {
  return FUNCTION(archive_entry_xattr_next)(entry, name, value, size);
}

}  // extern "C"
