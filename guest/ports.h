/*
 * ports.h - the virtio-serial ports, found by the names the host gave them.
 *
 * The kernel lets one process at a time open a port (-EBUSY), so while PID 1 holds it no tool can,
 * whatever its rights.
 */
#ifndef GUEST_PORTS_H
#define GUEST_PORTS_H

#include "base/err.h"

#include <stdbool.h>

#define PORT_CONTROL "carrel.control"

/* Waits for the port on the uevent socket; its node as a path. */
must_check int port_find(const char *name, int uevents, char path[64], struct err *e);

/* Makes path one that port_open can take when the node is gone from /dev: it is held open, without
 * being opened, for good. */
must_check int port_hold(char path[64], struct err *e);

/* Non-blocking, close-on-exec, the caller's. */
must_check int port_open(const char *path, int *fd, struct err *e);

/* Is the host's end open? */
bool port_connected(int fd);

#endif
