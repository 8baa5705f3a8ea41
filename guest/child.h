/*
 * child.h - the child's side of a job, between fork and its end.
 *
 * Everything that may block on a strange filesystem (looking up users, opening paths, reading the
 * program) happens here, never in PID 1. A child that fails before its program runs writes one
 * struct err to the status descriptor; a program that runs closes it by execve.
 */
#ifndef GUEST_CHILD_H
#define GUEST_CHILD_H

#include "guest/origin.h"
#include "guest/request.h"

/* The child's ends, close-on-exec; -1: /dev/null. With a terminal all three are its slave. */
struct child_io {
    int in, out, err;
    int status;
    int place; /* for terminals, of this command alone (pty.h); -1: where all have theirs */
};

/* EXEC: becomes the command, in a session of its own, under its profile. */
_Noreturn void child_exec(const struct request *r, const struct child_io *io,
                          const struct limits *all, const struct origin *o);

/* PUT and GET: unpacks from in, or packs to out, then writes its struct err (code 0: success). */
_Noreturn void child_transfer(const struct request *r, const struct child_io *io);

#endif
