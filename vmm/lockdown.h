/*
 * lockdown.h - the end of the start: what carrel-vmm gives up before the first guest instruction.
 *
 * The filters come ready from the launcher (base/launch.h). Each thread loads its own; none runs
 * guest code before all have. A forbidden call is not made: the process says which it was in its
 * report and ends.
 */
#ifndef VMM_LOCKDOWN_H
#define VMM_LOCKDOWN_H

#include "base/err.h"
#include "base/launch.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/types.h>

struct lockdown {
    struct sock_fprog filter[VMM_FILTERS]; /* filter owned; NULL: this thread stays unfiltered */
};

/* What tgkill_own_only makes: instructions. */
#define LOCKDOWN_OWN_INSNS 8u

/*
 * Reads and judges the filters that the record's filter_fd leads to, if any; takes the descriptor.
 * A file that could still change is refused.
 */
must_check int lockdown_open(struct lockdown *k, const struct vmm_launch *l, struct err *e);
void lockdown_fini(struct lockdown *k);

/* For the whole process, when no more descriptors or memory are needed: none can be had after. */
must_check int lockdown_process(const struct vmm_launch *l, struct err *e);

/* For the calling thread, of kind VMM_FILTER_*. The I/O thread's signals reach this process only.
 */
must_check int lockdown_thread(const struct lockdown *k, unsigned kind, struct err *e);

/* Traps tgkill to any process but pid, allows everything else: goes on top of a filter. */
void lockdown_own_only(struct sock_filter out[LOCKDOWN_OWN_INSNS], pid_t pid);

#endif
