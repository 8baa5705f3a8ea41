/*
 * machine.h - the whole virtual machine: made out of a checked launch record, run once, ended once.
 *
 * Threads: the caller's runs vCPU 0; every other vCPU has one; one more serves the devices. Only
 * machine_end stops them, all together, each between two instructions or callbacks.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "base/err.h"
#include "base/launch.h"

struct machine;

/*
 * Takes the descriptors of the record, which passed launch_check and launch_check_fds. SIGTERM is
 * blocked in the calling thread: it is read from a descriptor while the machine runs. A machine is
 * never taken apart: the process ends with it, and the kernel does that at once and faster.
 */
struct machine *machine_new(const struct vmm_launch *l, struct err *e);

/*
 * Locks every thread down (lockdown.h), then runs until the guest or somebody on the host ends it;
 * *report says which. l is the record the machine was made of. After it, the caller can do no more
 * than write the report and exit.
 */
void machine_run(struct machine *m, const struct vmm_launch *l, struct vmm_report *report);

/* Ends the machine for this reason, unless it has one already. Any thread of it. */
void machine_end(struct machine *m, enum vmm_reason reason, uint64_t detail, const char *text);

#endif
