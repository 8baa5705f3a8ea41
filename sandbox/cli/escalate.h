/*
 * escalate.h - what an interrupt means the first time, the second and the third. The choice is
 * pure; escalate_ask acts.
 */
#ifndef SANDBOX_CLI_ESCALATE_H
#define SANDBOX_CLI_ESCALATE_H

#include "base/msg.h"

#include <stdbool.h>
#include <stdint.h>

enum escalate_step {
    ESCALATE_NOTHING, /* being done already */
    ESCALATE_PASS,    /* the command gets the signal */
    ESCALATE_STOP,    /* the sandbox is stopped: TERM, grace, KILL */
    ESCALATE_KILL,    /* the machine is ended now */
    ESCALATE_LEAVE,   /* we go; the keeper hangs up on the command */
};

#define ESCALATE_WITHIN_NS 2000000000ll

struct escalate {
    unsigned interrupts; /* INTs, each within 2 s of the one before: one now and then is a way to
                          * work with a program */
    unsigned terms;      /* TERMs: whoever sends one again means it, however long it waited */
    int64_t last_ns;
    int fds[2]; /* requests under way: closing one would withdraw it */
    unsigned nfds;
};

void escalate_init(struct escalate *s);
void escalate_fini(struct escalate *s);

/* passable: the command runs and can get signals. owns_box: the sandbox is this session's. */
enum escalate_step escalate_step(struct escalate *s, int signo, bool passable, bool owns_box,
                                 int64_t now_ns);

/* The same, now. */
enum escalate_step escalate_next(struct escalate *s, int signo, bool passable, bool owns_box);

/* Sends STOP or KILL to the keeper on a connection of its own; silent when there is no keeper. */
void escalate_ask(struct escalate *s, int boxfd, enum msg_type request);

#endif
