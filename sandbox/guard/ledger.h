/*
 * ledger.h - what a sandbox has used up of its budgets in all its life, and what it has used up of
 * those of the sandboxes on whose behalf it was started: all of them pay for what any of it does.
 *
 * AUDIT/ID/spent holds four numbers. Keepers of one family write it in turns, under flock, the
 * eldest sandbox first.
 */
#ifndef SANDBOX_GUARD_LEDGER_H
#define SANDBOX_GUARD_LEDGER_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_FILE      "spent"
#define LEDGER_ANCESTORS 7u /* a sandbox for a sandbox for … */

enum ledger_item { LEDGER_CALLS, LEDGER_CPU_MS, LEDGER_ITEMS };

struct ledger {
    int fd[LEDGER_ANCESTORS + 1]; /* owned; the sandbox's own is the last */
    unsigned n;
};

#define LEDGER_INIT ((struct ledger){ { -1 }, 0 })

/* dirs: of the audit logs, eldest first, its own last; limit is written as its own. -ENOENT when an
 * ancestor never ran. ledger_close in any case. */
must_check int ledger_open(struct ledger *l, const int *dirs, unsigned n,
                           const uint64_t limit[LEDGER_ITEMS], struct err *e);
void ledger_close(struct ledger *l);

/* Its own limits have changed. */
must_check int ledger_limit(struct ledger *l, const uint64_t limit[LEDGER_ITEMS], struct err *e);

/* What it has used itself, with those it started. */
must_check int ledger_spent(const struct ledger *l, enum ledger_item item, uint64_t *out,
                            struct err *e);

/*
 * Adds to every account. -EDQUOT when one would be overdrawn, *whose says how many generations up
 * (0: its own): then nothing is added, unless the thing has been used already (used), in which case
 * it is added all the same.
 */
must_check int ledger_spend(struct ledger *l, enum ledger_item item, uint64_t amount, bool used,
                            unsigned *whose, struct err *e);

#endif
