/*
 * gc.h - everything that a crash can leave behind, found and ended: `carrel gc`.
 *
 * What is removed was named by us, and its lock, its maker's pid or its sandbox's end says that
 * nobody uses it; what a living process holds is never touched. May be repeated, and run by several
 * at once.
 */
#ifndef SANDBOX_GC_H
#define SANDBOX_GC_H

#include "sandbox/store.h"

/* What was found:
 *     sandbox   lost its keeper, or was never finished by who made it; or is damaged
 *     half      a directory that was to become a sandbox, or had been one
 *     name      of a sandbox that is gone
 *     file      a temporary file; a socket nobody listens on
 *     cgroup    of a machine that is gone
 *     uid       claimed for a machine that is gone
 *     cache     a temporary directory
 *     log       an audit log that nobody closed
 *     note      in a memory volume: a sandbox that is gone has a copy
 */
struct gc_item {
    const char *kind;
    const char *what; /* its name or path, for people */
    const char *did;  /* "removed", "ended", "closed"; with dry, what would be done; "kept" */
    const char *why;  /* it was kept; else NULL */
};

struct gc {
    struct store *store; /* borrowed */
    bool dry;            /* look, change nothing */
    void (*tell)(void *arg, const struct gc_item *item);
    void *arg;
    unsigned done, kept; /* out */
};

/* Goes on after a failure, which it tells as something kept. */
must_check int gc_run(struct gc *g, struct err *e);

#endif
