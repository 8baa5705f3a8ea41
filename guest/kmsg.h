/*
 * kmsg.h - the only voice of PID 1: lines on the kernel log, which the host keeps.
 *
 * Guest programs share that log, so the host takes these lines for no more than what they are.
 */
#ifndef GUEST_KMSG_H
#define GUEST_KMSG_H

#include "base/compiler.h"

#include <stdbool.h>

/* Severities of syslog(2). */
enum kmsg_level { KMSG_CRIT = 2, KMSG_WARNING = 4, KMSG_INFO = 6 };

/* Needs /dev; before that, and when it fails, lines are lost. */
void kmsg_open(void);
void kmsg(enum kmsg_level level, const char *fmt, ...) printf_like(2, 3);

/* With carrel.trace: how long after the start of carrel-init a step was done. */
void kmsg_trace_on(void);
void kmsg_trace(const char *step);

#endif
