/*
 * processes.h - what each of Carrel's own processes may ask of the host's kernel once it is locked
 * down, as tables: one line, one call, one reason.
 *
 * What a sandbox makes no use of is left out of its filters: without a writable disk there is no
 * pwritev, without a balloon no madvise. Device requests (ioctl) are allowed by number only.
 */
#ifndef POLICIES_PROCESSES_H
#define POLICIES_PROCESSES_H

#include "policies/plan.h"
#include "policies/seccomp.h"

#define PROCESS_RULES_MAX 96u

/* What a sandbox makes use of; a line of a table may need one of these. */
enum {
    USE_SERIAL = 1u << 0,
    USE_DISK = 1u << 1,
    USE_DISK_WRITE = 1u << 2,
    USE_RATE = 1u << 3, /* a device whose rate is limited */
    USE_PORTS = 1u << 4,
    USE_RNG = 1u << 5,
    USE_BALLOON = 1u << 6,
    USE_LIVE = 1u << 7,       /* a live mount */
    USE_LIVE_WRITE = 1u << 8, /* … that is written to */
    USE_ALL = (1u << 9) - 1,
};

struct process {
    const char *name; /* "vmm-vcpu" */
    const char *what; /* one sentence */
    unsigned most;    /* calls it may have at most; 0: no figure was promised */
};

/* How many there are; process_at(i) for each. */
unsigned process_count(void);
const struct process *process_at(unsigned i);

/* By name, or NULL. */
const struct process *process_find(const char *name);

/* The calls of a process in a sandbox with these uses. rules has room for PROCESS_RULES_MAX and
 * outlives the model. */
void process_model(const struct process *p, unsigned uses, struct seccomp_rule *rules,
                   struct seccomp_model *m);

/* How many different calls the model allows in one way or another. */
unsigned process_calls(const struct seccomp_model *m);

/* What a machine of this plan makes use of. */
unsigned process_uses(const struct plan *plan);

#endif
