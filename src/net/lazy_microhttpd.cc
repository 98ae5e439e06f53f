#include <microhttpd.h>

#include <cstdarg>

#include "base/lazy_library.h"

// The functions of libmicrohttpd that this room calls; see base/lazy_library.h.
#define FUNCTION(name) NACRE_LAZY("libmicrohttpd.so.12", name)

extern "C" {

MHD_Daemon* MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accept, void* accept_self,
                             MHD_AccessHandlerCallback handle, void* self, ...) {
  va_list options;
  va_start(options, self);
  MHD_Daemon* const out = FUNCTION(MHD_start_daemon_va)(flags, port, accept, accept_self, handle, self, options);
  va_end(options);
  return out;
}
void MHD_stop_daemon(MHD_Daemon* daemon) { FUNCTION(MHD_stop_daemon)(daemon); }

MHD_Response* MHD_create_response_from_buffer(size_t size, void* bytes, MHD_ResponseMemoryMode mode) {
  return FUNCTION(MHD_create_response_from_buffer)(size, bytes, mode);
}
MHD_Response* MHD_create_response_from_fd_at_offset64(uint64_t size, int fd, uint64_t offset) {
  return FUNCTION(MHD_create_response_from_fd_at_offset64)(size, fd, offset);
}
MHD_Result MHD_add_response_header(MHD_Response* response, const char* name, const char* value) {
  return FUNCTION(MHD_add_response_header)(response, name, value);
}
MHD_Result MHD_queue_response(MHD_Connection* connection, unsigned status, MHD_Response* response) {
  return FUNCTION(MHD_queue_response)(connection, status, response);
}
void MHD_destroy_response(MHD_Response* response) { FUNCTION(MHD_destroy_response)(response); }

int MHD_get_connection_values(MHD_Connection* connection, MHD_ValueKind kind, MHD_KeyValueIterator each, void* self) {
  return FUNCTION(MHD_get_connection_values)(connection, kind, each, self);
}
const MHD_ConnectionInfo* MHD_get_connection_info(MHD_Connection* connection, MHD_ConnectionInfoType which, ...) {
  return FUNCTION(MHD_get_connection_info)(connection, which);
}

}  // extern "C"
