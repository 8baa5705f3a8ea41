/* spawn.h - starting an engine's process: gated, with exactly the descriptors it was given. */
#ifndef SANDBOX_ENGINE_SPAWN_H
#define SANDBOX_ENGINE_SPAWN_H

#include "sandbox/engine/engine.h"

#define SPAWN_KEEP_MAX 40u

struct spawn {
    const char *path;
    char *const *argv;
    int log_fd;               /* becomes stdout and stderr */
    int keep[SPAWN_KEEP_MAX]; /* inherited under their own numbers, all above 2 */
    unsigned nkeep;
};

/* Adds a descriptor to be inherited; -1 is skipped. Returns fd. */
int spawn_keep(struct spawn *s, int fd);

/* Makes the process; it waits at run->gate_fd. Every descriptor not kept must be close-on-exec. */
must_check int spawn_gated(const struct spawn *s, struct engine_run *run, struct err *e);

#endif
