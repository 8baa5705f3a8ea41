/* user.h - whose the files of mounts are in the guest. */
#ifndef SANDBOX_GUARD_USER_H
#define SANDBOX_GUARD_USER_H

#include "policies/policy.h"

/* The user of the commands when they have one in common, else 1000. */
uint32_t volume_user(const struct policy *p);

#endif
