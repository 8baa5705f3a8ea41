/* cgroup.h - the cgroup of all commands. Only PID 1 can make it. */
#ifndef GUEST_CGROUP_H
#define GUEST_CGROUP_H

#include "base/err.h"

/*
 * A cgroup v2 mount without a place: no path leads to it, so no tool can leave a group or make one.
 * The directory of the commands in it, close-on-exec, the caller's; -errno: the kernel has none, or
 * one in which a group cannot be ended (before Linux 5.14).
 */
must_check int cgroup_open(void);

/* Writes text to a file of dir: 0 or -errno. */
must_check int cgroup_write(int dir, const char *file, const char *text);

#endif
