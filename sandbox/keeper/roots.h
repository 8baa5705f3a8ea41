/* roots.h - the directories of live mounts, to be apart from each other and from our own. */
#ifndef SANDBOX_KEEPER_ROOTS_H
#define SANDBOX_KEEPER_ROOTS_H

#include "base/compiler.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct root {
    const char *id; /* borrowed: the mount's */
    int fd;         /* borrowed, a directory */
};

/*
 * Does a directory take names for equal that differ in case (f_type of statfs(2), flags of
 * FS_IOC_GETFLAGS)? Then what a policy denies by its name would have other names.
 */
bool roots_fold(uint64_t f_type, unsigned flags);

/*
 * -EINVAL with *e set: one folds names; or is, holds, or lies in another, whose rules are then not
 * the only ones for a file; or the same with the state directory, where the sandbox's own records
 * are.
 */
must_check int roots_check(const struct root *roots, unsigned n, int state, struct err *e);

#endif
