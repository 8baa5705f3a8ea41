/*
 * relay.h - FUSE requests of this kernel go out through a port, answers come back: two threads of
 * PID 1, which no tool can end, and which still run when everything else has been killed and the
 * last pages are written back.
 */
#ifndef GUEST_RELAY_H
#define GUEST_RELAY_H

#include "base/err.h"

/* Takes both descriptors, for good; port blocks. When the stream ends or makes no sense, target (a
 * mount of the session, borrowed, for good) is forced off: what waits fails with ENOTCONN. */
must_check int relay_start(int fuse, int port, const char *target, struct err *e);

#endif
