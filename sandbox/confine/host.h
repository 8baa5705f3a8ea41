/* host.h - which walls this host offers to the user who asks. */
#ifndef SANDBOX_CONFINE_HOST_H
#define SANDBOX_CONFINE_HOST_H

#include <stdbool.h>

/* Landlock is built in and on. */
bool host_has_landlock(void);

/* A process can have a user of its own: root gives it a uid, others a user namespace. Tried, since
 * hosts have many ways to forbid it. */
bool host_has_users(void);

#endif
