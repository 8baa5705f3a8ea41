/*
 * spawn.h - starting an engine's process: gated, with exactly the descriptors it was given, and
 * through carrel-launch when it is to be jailed.
 *
 * The process is made in its user and PID namespace already; it waits at its gate before it
 * executes anything, so it can be on record by its pid before it does (engine.h).
 */
#ifndef SANDBOX_ENGINE_SPAWN_H
#define SANDBOX_ENGINE_SPAWN_H

#include "sandbox/engine/engine.h"
#include "sandbox/engine/jail.h"

struct spawn {
    const char *path;
    char *const *argv;
    int log_fd;    /* becomes stdout and stderr */
    int report_fd; /* where carrel-launch tells what it built; also kept, or not */
    unsigned nkeep;
    struct jail_fd keep[JAIL_FDS_MAX]; /* inherited under their own numbers, all above 2 */
    const struct jail *jail;           /* NULL: executed as it is */
    uint64_t limit[JAIL_LIMITS_N];     /* as jail_record.limit */
    bool sibling;                      /* of ours: the child of our parent, who reaps it */
    const char *const *binds;          /* for its root, up to a NULL; NULL: it needs none */
};

void spawn_init(struct spawn *s);

/* Adds a descriptor to be inherited, of one of these kinds (JAIL_REG, …); -1 is skipped. */
int spawn_keep(struct spawn *s, int fd, uint32_t kinds);

/* Makes the process; it waits at run->gate_fd. Every descriptor not kept must be close-on-exec. */
must_check int spawn_gated(const struct spawn *s, struct engine_run *run, struct err *e);

#endif
