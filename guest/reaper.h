/*
 * reaper.h - signals as events: children that end, and the kernel's request to power off.
 *
 * PID 1 collects every orphan of the guest, not only its own children.
 */
#ifndef GUEST_REAPER_H
#define GUEST_REAPER_H

#include "guest/job.h"

struct reaper {
    struct loop_source signals; /* owns .fd */
    struct jobs *jobs;          /* borrowed, outlives this */
    void (*power)(void *arg);   /* ctrl-alt-del; may be NULL */
    void *arg;
    bool childless; /* true when the last round found no process left at all */
};

/* Blocks the signals it takes in this process; children must unblock them. */
must_check int reaper_init(struct reaper *r, struct loop *l, struct jobs *jobs, struct err *e);

/* Collects what has ended, so many a round; the loop goes on with the rest. Called by the loop, and
 * by whoever cannot wait for it. */
void reaper_collect(struct reaper *r);

#endif
