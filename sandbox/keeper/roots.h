/* roots.h - the directories of live mounts, to be apart from each other and from our own. */
#ifndef SANDBOX_KEEPER_ROOTS_H
#define SANDBOX_KEEPER_ROOTS_H

#include "base/compiler.h"
#include "base/err.h"

struct root {
    const char *id; /* borrowed: the mount's */
    int fd;         /* borrowed, a directory */
};

/*
 * -EINVAL with *e set: one is, holds, or lies in another, whose rules are then not the only ones
 * for a file; or the same with the state directory, where the sandbox's own records are.
 */
must_check int roots_check(const struct root *roots, unsigned n, int state, struct err *e);

#endif
