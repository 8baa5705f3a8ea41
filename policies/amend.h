/*
 * amend.h - what the person at the command line changes in a policy that nobody above imposed: a
 * number, or one more name to reach. It widens as well as narrows, so it is for the caller's own
 * authority alone; what is then in force has a hash of its own and says "command line" as its
 * place.
 */
#ifndef POLICIES_AMEND_H
#define POLICIES_AMEND_H

#include "policies/policy.h"

struct amendment {
    const char *key;   /* "memory.max", or "allow" */
    const char *value; /* as in a document: "2GiB"; for allow HOST[:PORT] */
};

/* All or nothing is the caller's concern: false, and one problem, when the key or value is none. */
must_check bool policy_amend(struct policy *p, const struct amendment *a, struct problems *ps);

#endif
