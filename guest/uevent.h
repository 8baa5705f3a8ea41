/*
 * uevent.h - waiting for devices without polling: the kernel announces each on a netlink socket,
 * after its node in /dev and its files in /sys are there.
 */
#ifndef GUEST_UEVENT_H
#define GUEST_UEVENT_H

#include "base/err.h"

#include <stdbool.h>

/* Opened before the drivers are loaded, so that nothing is missed. */
must_check int uevent_open(int *fd, struct err *e);

/*
 * Waits until there(arg) holds, asking after every event: 0, or -ETIMEDOUT with what missing in the
 * message after UEVENT_WAIT_S seconds.
 */
#define UEVENT_WAIT_S 20
must_check int uevent_wait(int fd, bool (*there)(void *arg), void *arg, const char *what,
                           struct err *e);

#endif
