/* pty.h - a pseudo-terminal for a command: the master is ours, the slave the child's. */
#ifndef GUEST_PTY_H
#define GUEST_PTY_H

#include "base/err.h"

#include <stdint.h>

#define PTY_EOF 0x04 /* VEOF of a new terminal: ^D */

/* A place of their own for the terminals of one command: an instance of devpts that is mounted
 * nowhere, close-on-exec, the caller's. */
must_check int pty_place(struct err *e);
/* Becomes the /dev/pts of the calling process and what it starts, and of nobody else. */
must_check int pty_enter(int place, struct err *e);

/* In that place, or with -1 where all have theirs. Both close-on-exec, the caller's; the master is
 * non-blocking. */
must_check int pty_open(int place, uint16_t rows, uint16_t cols, int *master, int *slave,
                        struct err *e);

/* The kernel tells the foreground processes by SIGWINCH. */
void pty_resize(int master, uint16_t rows, uint16_t cols);

#endif
