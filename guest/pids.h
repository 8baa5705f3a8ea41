/* pids.h - how many processes and threads all commands together may be. Only PID 1 can say it. */
#ifndef GUEST_PIDS_H
#define GUEST_PIDS_H

#include "base/err.h"
#include "guest/limits.h"

/*
 * Every command counts: in the cgroup of all of them (its directory; -1: none), where the kernel
 * has the pids controller; otherwise by kernel.threads-max, which counts the kernel's own threads
 * too and is set that much higher. May be called again.
 */
must_check int pids_limit(struct limits *all, int commands, uint32_t max, struct err *e);

#endif
