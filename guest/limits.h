/*
 * limits.h - what holds for all commands: how many processes and threads they may be together, and
 * how many files each may have open. Transfers are carrel-init's own and do not count.
 */
#ifndef GUEST_LIMITS_H
#define GUEST_LIMITS_H

#include "base/compiler.h"

#include <stdint.h>
#include <sys/resource.h>

#define LIMITS_FILES      524288u
#define LIMITS_FILES_SOFT 1024u /* select(2) ends there; who knows better raises it */

struct limits {
    uint32_t others; /* threads that are no command's, where threads-max is the limit; else 0 */
    uint32_t files;  /* RLIMIT_NOFILE, hard */
};

void limits_init(struct limits *l);

struct rlimit limits_files(const struct limits *l);

#endif
