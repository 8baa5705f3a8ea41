/*
 * tool.h - runs another program (apt-get, sqfstar, a recipe) and keeps its last words.
 *
 * The program dies with us (PR_SET_PDEATHSIG), has LC_ALL=C, and gets no descriptor but its
 * standard three. Its standard error arrives line by line at `say`; the last line is the reason
 * given when it fails.
 */
#ifndef SANDBOX_IMAGE_TOOL_H
#define SANDBOX_IMAGE_TOOL_H

#include "sandbox/image/image.h"

#include <sys/types.h>

struct tool {
    const char *name; /* borrowed: argv[0] */
    pid_t pid;
    int in;  /* owned: its standard input, a socket; -1 = /dev/null or already closed */
    int out; /* owned: its standard output, a pipe; -1 = discarded or ended */
    int err; /* owned: its standard error, a pipe; -1 = ended */
    image_progress *say;
    void *arg;
    char line[240], last[240]; /* being received; last one complete and not empty */
    size_t have;
    bool full; /* it said that there was no room */
};

#define TOOL_INIT ((struct tool){ .pid = 0, .in = -1, .out = -1, .err = -1 })

enum { TOOL_IN = 1, TOOL_OUT = 2 };

/* Starts argv[0], found in PATH, in directory cwd (NULL = ours). wants: TOOL_IN to feed it,
 * TOOL_OUT to read from it. env: NAME=value strings that are added, NULL at the end, or NULL. */
must_check int tool_start(struct tool *t, const char *const argv[], unsigned wants, const char *cwd,
                          const char *const env[], image_progress *say, void *arg, struct err *e);

/* The same behind walls, which the program does not leave. */
struct confined_tool;
must_check int tool_start_confined(struct tool *t, const char *const argv[], unsigned wants,
                                   const struct confined_tool *walls, struct err *e);

/* Waits until fd can be read, taking messages meanwhile: 0 or -errno. */
must_check int tool_wait(struct tool *t, int fd);

/* Its next output, waiting for it: bytes, 0 at the end, -errno. */
must_check ssize_t tool_read(struct tool *t, void *buf, size_t len);

/* Feeds it. -EPIPE when it does not want more; never a signal. Takes its messages meanwhile. */
must_check int tool_write(struct tool *t, const void *buf, size_t len);

/* Ends its input, drains its output, and waits for it: 0 when it exited with 0. -ENOENT when
 * it could not be found, -ENOSPC when it said so, otherwise -EIO with its last words. */
must_check int tool_finish(struct tool *t, struct err *e);

/* Kills it when it still runs, and reaps it; nothing when never started or finished. */
void tool_stop(struct tool *t);

/* All of it: runs to the end, output discarded (or, with out, kept: at most 64 KiB, a string of the
 * caller's). */
must_check int tool_run(const char *const argv[], const char *cwd, char **out, image_progress *say,
                        void *arg, struct err *e);

#endif
