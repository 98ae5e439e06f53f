#include <libpq-fe.h>

#include "base/lazy_library.h"

// The functions of libpq that this room calls; see base/lazy_library.h.
#define FUNCTION(name) NACRE_LAZY("libpq.so.5", name)

extern "C" {

PGconn* PQconnectdbParams(const char* const* words, const char* const* values, int expand) {
  return FUNCTION(PQconnectdbParams)(words, values, expand);
}
void PQfinish(PGconn* connection) { FUNCTION(PQfinish)(connection); }
ConnStatusType PQstatus(const PGconn* connection) { return FUNCTION(PQstatus)(connection); }
char* PQerrorMessage(const PGconn* connection) { return FUNCTION(PQerrorMessage)(connection); }
PQnoticeProcessor PQsetNoticeProcessor(PGconn* connection, PQnoticeProcessor hear, void* self) {
  return FUNCTION(PQsetNoticeProcessor)(connection, hear, self);
}

PGresult* PQexecParams(PGconn* connection, const char* sql, int count, const Oid* types, const char* const* values,
                       const int* lengths, const int* formats, int format) {
  return FUNCTION(PQexecParams)(connection, sql, count, types, values, lengths, formats, format);
}
void PQclear(PGresult* answer) { FUNCTION(PQclear)(answer); }
ExecStatusType PQresultStatus(const PGresult* answer) { return FUNCTION(PQresultStatus)(answer); }
char* PQresultErrorMessage(const PGresult* answer) { return FUNCTION(PQresultErrorMessage)(answer); }
char* PQresultErrorField(const PGresult* answer, int field) { return FUNCTION(PQresultErrorField)(answer, field); }
int PQntuples(const PGresult* answer) { return FUNCTION(PQntuples)(answer); }
int PQnfields(const PGresult* answer) { return FUNCTION(PQnfields)(answer); }
char* PQgetvalue(const PGresult* answer, int row, int column) { return FUNCTION(PQgetvalue)(answer, row, column); }

}  // extern "C"
