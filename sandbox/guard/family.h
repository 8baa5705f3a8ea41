/*
 * family.h - a sandbox that was started on behalf of another: never more than that one may, out of
 * the same budgets, and no longer than it is so.
 */
#ifndef SANDBOX_GUARD_FAMILY_H
#define SANDBOX_GUARD_FAMILY_H

#include "sandbox/guard/dossier.h"
#include "sandbox/guard/ledger.h"

#include <sys/stat.h>

struct family {
    /* Of those it runs for, eldest first. */
    struct {
        int dir;          /* owned: of its audit log, where its policy is */
        struct stat seen; /* of its policy, as last checked */
    } elder[LEDGER_ANCESTORS];
    unsigned nelders;
    struct ledger ledger;
};

#define FAMILY_INIT ((struct family){ .nelders = 0 })

/* Is child within what its parent may? dir holds the parent's dossier. -EACCES with the request
 * that shows it, and a problem. *until (NULL is fine) becomes less when a grant of the parent's
 * ends before: then it is to be asked again. */
must_check int family_within(const struct policy *child, int dir, const char *parent, int64_t now,
                             int64_t *until, struct problems *ps, struct err *e);

/* own: the directory of the sandbox's own log below audit, which is a path. */
must_check int family_open(struct family *f, const struct dossier *d, const char *audit, int own,
                           const uint64_t limit[LEDGER_ITEMS], struct err *e);
void family_close(struct family *f);

/* Is child within what every one of them may, who are the ancestors of d? */
must_check int family_check(const struct family *f, const struct dossier *d,
                            const struct policy *child, int64_t now, int64_t *until,
                            struct problems *ps, struct err *e);

/* Has the policy of one of them been written since the last call? */
bool family_has_changed(struct family *f);

#endif
