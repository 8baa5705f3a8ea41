/* lost.h - the end of a log whose keeper was killed, written by whoever finds it. */
#ifndef SANDBOX_AUDIT_LOST_H
#define SANDBOX_AUDIT_LOST_H

#include "base/err.h"

/*
 * Records the loss in AUDIT/ID, under the state directory, and closes the log. 0 also when there is
 * none. A log that does not verify is left as it is, evidence: -EBADMSG.
 */
must_check int audit_log_lost(const char *state, const char *id, const char *policy_hash,
                              struct err *e);

#endif
