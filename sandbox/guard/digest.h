/* digest.h - SHA-256 of a whole file, from its descriptor. */
#ifndef SANDBOX_GUARD_DIGEST_H
#define SANDBOX_GUARD_DIGEST_H

#include "base/err.h"

/* The file position does not move. */
must_check int digest_of(int fd, char out[65], struct err *e);

#endif
