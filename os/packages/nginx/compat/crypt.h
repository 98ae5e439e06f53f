/* nginx wants crypt(3) for passwords of the old system formats; our C library has none, and libxcrypt is not packaged.
 * auth_basic compares {PLAIN}, {SHA}, {SSHA} and $apr1$ passwords by itself. Any other kind ends here: the request is
 * answered with 500 and the log says "crypt() failed (38: Function not implemented)", so nobody gets in by mistake. */
#ifndef NACRE_COMPAT_CRYPT_H
#define NACRE_COMPAT_CRYPT_H

#include <errno.h>
#include <stddef.h>
#include <unistd.h> /* may declare the real one */

static inline char *nacre_no_crypt(const char *key, const char *salt) {
  (void)key;
  (void)salt;
  errno = ENOSYS;
  return NULL;
}
#define crypt nacre_no_crypt

#endif
