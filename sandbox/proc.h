/*
 * proc.h - a process that is not our child: the same one as before, and its end.
 *
 * A pid alone may have been given to another process; with its start time (/proc/PID/stat field 22,
 * clock ticks since boot) it cannot be mistaken within one boot of the host.
 */
#ifndef SANDBOX_PROC_H
#define SANDBOX_PROC_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* When pid started; 0 when there is no such process. */
uint64_t proc_start_time(pid_t pid);

/* Is it that process, and has it not ended? One that waits for its parent to ask has. */
bool proc_runs(pid_t pid, uint64_t start);

/* Is it that process, and has somebody stopped it (SIGSTOP, a debugger)? */
bool proc_is_stopped(pid_t pid, uint64_t start);

/* Nothing has this pid, or what has it does not run any more and only waits to be reaped, or is
 * about to: all its files are closed, or will be at once. */
bool proc_is_gone(pid_t pid);

/* Kills the process if it still is the one that started then, and waits at most timeout_ms for its
 * end: 1 killed, 0 it was gone already, -ETIMEDOUT or -errno. */
must_check int proc_kill(pid_t pid, uint64_t start, int timeout_ms, struct err *e);

#endif
