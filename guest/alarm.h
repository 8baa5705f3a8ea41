/*
 * alarm.h - deadlines, all on one timerfd of the loop.
 *
 * An alarm is embedded in the object it belongs to; the set borrows it until it rings or is
 * cancelled. Ringing takes it out of the set first, so that it may be set again.
 */
#ifndef GUEST_ALARM_H
#define GUEST_ALARM_H

#include "base/loop.h"

struct alarm {
    void (*ring)(struct alarm *a);
    uint64_t at;        /* ns of CLOCK_MONOTONIC; 0: not set */
    struct alarm *next; /* borrowed */
};

struct alarms {
    struct loop_source timer; /* owns timer.fd */
    struct loop *loop;        /* borrowed, outlives this */
    struct alarm *first;      /* borrowed; in no order: there are at most two a job */
};

must_check int alarms_init(struct alarms *s, struct loop *l, struct err *e);
void alarms_fini(struct alarms *s);

/* Rings once, ms from now; an alarm that was set already is moved. */
void alarm_set(struct alarms *s, struct alarm *a, uint32_t ms);
void alarm_cancel(struct alarms *s, struct alarm *a);

#endif
