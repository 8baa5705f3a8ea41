/*
 * family.h - a sandbox that was started on behalf of another: never more than that one may, out of
 * the same budgets, and no longer than it is so.
 */
#ifndef SANDBOX_GUARD_FAMILY_H
#define SANDBOX_GUARD_FAMILY_H

#include "sandbox/guard/dossier.h"
#include "sandbox/guard/ledger.h"

#include <time.h>

struct family {
    int parent;           /* owned: directory of its audit log; -1: it has none */
    struct timespec seen; /* when its policy was written, as last checked */
    struct ledger ledger;
};

#define FAMILY_INIT ((struct family){ .parent = -1 })

/* Is child within what its parent may? dir holds the parent's dossier. -EACCES with the request
 * that shows it, and a problem. */
must_check int family_within(const struct policy *child, int dir, const char *parent, int64_t now,
                             struct problems *ps, struct err *e);

/* own: the directory of the sandbox's own log below audit, which is a path. */
must_check int family_open(struct family *f, const struct dossier *d, const char *audit, int own,
                           const uint64_t limit[LEDGER_ITEMS], struct err *e);
void family_close(struct family *f);

/* Has the parent's policy been written since the last call? */
bool family_has_changed(struct family *f);

#endif
