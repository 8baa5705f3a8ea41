/*
 * connect.h - connections of the control port, for as many keepers as a machine may have: they are
 * made before it starts, for a keeper that is locked down can make none.
 */
#ifndef SANDBOX_ENGINE_CONNECT_H
#define SANDBOX_ENGINE_CONNECT_H

#include "base/err.h"

/* As engine.connect, a pair each. */
must_check int connect_pairs(int dirfd, int ours[], int theirs[], unsigned n, struct err *e);

/* The same where the engine accepts one after the other: theirs[0] listens, and all of ours wait
 * there in their order. Its name in dirfd is gone when this returns, so nobody else can come. */
must_check int connect_listener(int dirfd, int ours[], int theirs[], unsigned n, struct err *e);

#endif
