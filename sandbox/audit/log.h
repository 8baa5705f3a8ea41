/*
 * log.h - one sandbox's audit log on disk: written by its keeper, read by anybody who may.
 *
 *     DIR/log           the records, one line each (record.h)
 *     DIR/checkpoints   signed notes, one after the other, an empty line after each:
 *                           carrel-audit SANDBOX
 *                           SIZE, ROOT, HEAD (hexadecimal), TIME (ns, UTC), live|closed
 *
 * A checkpoint fixes the first SIZE records. "closed" is the last one of a log: a log without it is
 * of a sandbox that still runs, lost its keeper, or has been cut short; the sandbox's state tells
 * which. Whoever keeps a copy of any checkpoint can prove later that nothing before it has changed.
 */
#ifndef SANDBOX_AUDIT_LOG_H
#define SANDBOX_AUDIT_LOG_H

#include "sandbox/audit/key.h"
#include "sandbox/audit/record.h"

#define AUDIT_CHECKPOINT_RECORDS 1000u
#define AUDIT_CHECKPOINT_NS      10000000000ull /* 10 s */
#define AUDIT_LOSS_NS            100000000ull /* 100 ms: how long a plain allow may wait for the disk */

struct audit_log; /* the writer */

/* Opens (or makes) the log in dirfd for a sandbox and goes on where it ended. A torn last line,
 * left by a crash, is cut off and recorded. key is borrowed. -EBUSY while another process writes
 * it; -EBADMSG when what is there does not verify. */
struct audit_log *audit_log_open(int dirfd, const char *sandbox, const struct audit_key *key,
                                 struct err *e);

/*
 * Appends one record: seq, times, sandbox and prev are filled in here. Denials, and what the caller
 * calls durable (exec, secret use, policy changes), are on disk when this returns; others within
 * AUDIT_LOSS_NS of the next append or audit_log_tick. On failure nothing was appended and the log
 * still verifies; the caller must not do what it wanted to record.
 */
must_check int audit_log_append(struct audit_log *l, struct audit_record *r, bool durable,
                                struct err *e);

/* What is due by now: sync and checkpoint. Call when the time it returned has passed. *next_ns is
 * the delay until the next call, UINT64_MAX when nothing waits. */
must_check int audit_log_tick(struct audit_log *l, uint64_t *next_ns, struct err *e);

/* Writes the closing checkpoint and frees. NULL is fine. */
must_check int audit_log_close(struct audit_log *l, struct err *e);

/* ---- reading ---- */

struct audit_verdict {
    uint64_t records;     /* that verify */
    uint64_t checkpoints; /* that verify */
    uint64_t covered;     /* records fixed by the last good checkpoint */
    bool closed;          /* the last checkpoint closes the log and covers it all */
    uint8_t head[AUDIT_HASH];
};

/* Called for each record that verified, in order; a negative value stops the reading. */
typedef int audit_reader(void *arg, const struct audit_record *r);

/*
 * Reads the whole log and checks every link, number and checkpoint. 0 = all of it verifies (see
 * covered and closed for how far that is signed); -EBADMSG with the first fault in *e. With key
 * NULL the chain is checked without signatures. each may be NULL.
 */
must_check int audit_log_verify(int dirfd, const struct audit_key *key, audit_reader *each,
                                void *arg, struct audit_verdict *v, struct err *e);

#endif
