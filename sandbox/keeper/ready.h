/*
 * ready.h - what a keeper tells the one who started it, once, on the descriptor it was given.
 *
 * Host byte order: both ends are of one build, and one host. A descriptor that closes without a
 * whole record means that the keeper died.
 */
#ifndef SANDBOX_KEEPER_READY_H
#define SANDBOX_KEEPER_READY_H

#include <stdint.h>

#define KEEPER_READY_MAGIC 0x59444552u /* "REDY" */

/* After the descriptors: the main command will come from a client. */
#define KEEPER_AWAIT_MAIN "await-main"

struct keeper_ready {
    uint32_t magic;
    int32_t code; /* 0: it listens and the machine is booting; otherwise an errno */
    char msg[240];
    char hint[240];
};

#endif
