/*
 * trust_seen.h - the newest version of each signed policy that ran here, so that an older one, also
 * rightly signed, does not come back. One small file for each role and name, in trust/ of the state
 * directory.
 */
#ifndef SANDBOX_TRUST_SEEN_H
#define SANDBOX_TRUST_SEEN_H

#include "base/err.h"
#include "policies/judge.h"

#include <stdbool.h>

/*
 * -EACCES with a problem: a version is older than one that was used, or another document has the
 * same number. With record, versions that are newer are remembered: all, or none when one of them
 * is refused. A record that is damaged is an error.
 */
must_check int trust_seen_check(const struct trust *t, const struct judgement *js, unsigned n,
                                bool record, struct problems *ps, struct err *e);

#endif
