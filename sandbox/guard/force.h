/*
 * force.h - from a dossier to the policy in force at a moment: its documents and what the command
 * line changed, signed as this host demands, widened by grants that have not expired.
 */
#ifndef SANDBOX_GUARD_FORCE_H
#define SANDBOX_GUARD_FORCE_H

#include "sandbox/guard/dossier.h"
#include "sandbox/trust.h"

struct force {
    struct policy *policy; /* the caller's */
    int64_t until;         /* seconds since 1970: a grant ends then; INT64_MAX: none */
    unsigned expired;      /* grants that were left out, their time being over */
};

/*
 * now: seconds since 1970. Grants that have expired are left out when the sandbox runs (running)
 * and refused when it is about to start. Errors as trust_check_policy's; ps has what to tell. The
 * hash of what is in force comes with it.
 */
must_check int force_make(const struct dossier *d, enum trust_memory memory, bool running,
                          int64_t now, struct force *f, char hash[65], struct problems *ps,
                          struct err *e);

#endif
