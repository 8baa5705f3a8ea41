/*
 * power.h - the orderly end: TERM to every process, grace, KILL, disks at rest, power off.
 *
 * The loop goes on meanwhile, so that commands can still say their last words to the host.
 */
#ifndef GUEST_POWER_H
#define GUEST_POWER_H

#include "guest/alarm.h"
#include "guest/control.h"
#include "guest/reaper.h"

struct power {
    struct loop *loop; /* borrowed, as all here; they outlive this */
    struct alarms *alarms;
    struct control *control;
    struct reaper *reaper;
    struct alarm grace;
    int layer; /* the writable layer to put to rest, -1: none; borrowed */
    enum { POWER_ON, POWER_TERM, POWER_KILL, POWER_LATE /* nothing is waited for */ } state;
};

void power_init(struct power *p, struct loop *l, struct alarms *a, struct control *c,
                struct reaper *r);

/* Starts the end; once is enough. */
void power_begin(struct power *p, uint32_t grace_ms);

/* After each round of the loop: ends the machine when no process and no job is left; then it
 * does not return.
 */
void power_settle(struct power *p);

/* Ends the machine now, after sync. */
_Noreturn void power_off(int layer);

#endif
