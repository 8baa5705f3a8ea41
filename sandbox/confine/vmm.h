/*
 * vmm.h - the filters of carrel-vmm's threads for one machine, in the file they travel in.
 */
#ifndef SANDBOX_CONFINE_VMM_H
#define SANDBOX_CONFINE_VMM_H

#include "base/err.h"
#include "base/launch.h"

/* What the machine of this record makes use of: USE_* of policies/processes.h. Pure. */
unsigned vmm_uses(const struct vmm_launch *l);

/* Compiled, proved and sealed: the descriptor for vmm_launch.filter_fd, the caller's. */
must_check int vmm_filters_open(const struct vmm_launch *l, struct err *e);

#endif
