/* pty.h - a pseudo-terminal for a command: the master is ours, the slave the child's. */
#ifndef GUEST_PTY_H
#define GUEST_PTY_H

#include "base/err.h"

#include <stdint.h>

#define PTY_EOF 0x04 /* VEOF of a new terminal: ^D */

/* Both close-on-exec, the caller's; the master is non-blocking. */
must_check int pty_open(uint16_t rows, uint16_t cols, int *master, int *slave, struct err *e);

/* The kernel tells the foreground processes by SIGWINCH. */
void pty_resize(int master, uint16_t rows, uint16_t cols);

#endif
