/* setup.h - what a fresh guest needs beside its mounts, and what the host tells it once. */
#ifndef GUEST_SETUP_H
#define GUEST_SETUP_H

#include "guest/request.h"

/* Loopback, kernel settings, files of /etc that the image lacks. What fails is reported and passed
 * over: a guest without a host name still runs. */
void setup_defaults(void);

/* Below /proc/sys, also once it is read-only for everyone else. 0 or -errno. */
must_check int setup_sysctl(const char *name, const char *value);

/* MSG_SETUP: the clock, entropy, the host name, what all commands together may use. commands: the
 * directory of their cgroup, or -1. */
must_check int setup_apply(const struct request *r, struct limits *all, int commands,
                           struct err *e);

#endif
