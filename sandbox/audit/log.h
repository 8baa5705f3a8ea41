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

/* A checkpoint at least that often, where AUDIT_CHECKPOINT_NS is not often enough. */
void audit_log_checkpoint_every(struct audit_log *l, uint64_t ns);

/* What is due by now: sync and checkpoint. Call when the time it returned has passed. *next_ns is
 * the delay until the next call, UINT64_MAX when nothing waits. */
must_check int audit_log_tick(struct audit_log *l, uint64_t *next_ns, struct err *e);

/* Its last checkpoint closes it. */
bool audit_log_is_closed(const struct audit_log *l);

/* Writes the closing checkpoint and frees. NULL is fine. */
must_check int audit_log_close(struct audit_log *l, struct err *e);

/* ---- reading ---- */

enum audit_fault {
    AUDIT_SOUND,     /* all that is there verifies */
    AUDIT_TORN,      /* the last line or checkpoint has no end: it is being written, or was cut */
    AUDIT_SHORT,     /* fewer records than a checkpoint was signed for */
    AUDIT_TAMPERED,  /* a record or checkpoint is not what was written */
    AUDIT_UNREADABLE /* no log, not a plain file, a reader that stopped, an error of the host */
};

struct audit_verdict {
    enum audit_fault fault;
    uint64_t records;           /* that verify */
    uint64_t checkpoints;       /* that verify */
    uint64_t kept;              /* checkpoints that somebody kept, and that it is consistent with */
    uint64_t covered;           /* records fixed by the last good checkpoint */
    uint64_t bytes;             /* of the records that verify: where the next line begins */
    uint64_t last_ns;           /* UTC, of the last of them; 0: there is none */
    bool closed;                /* the last checkpoint closes the log and covers it all */
    char sandbox[AUDIT_ID_MAX]; /* whose log it says it is; "": it is empty */
    struct audit_chain chain;   /* over the records that verify */
};

/* Called for each record that verified, in order; a negative value stops the reading. */
typedef int audit_reader(void *arg, const struct audit_record *r);

struct audit_check {
    int dirfd;
    const struct audit_key *key; /* NULL: the chain is checked without signatures */
    int kept_fd;                 /* a file of checkpoints from elsewhere, or -1; borrowed */
    /* each sees a record only when a checkpoint after it, or the sound end of the log, vouches for
     * it: what it saw was never part of a log that turned out to be false. */
    bool vouched;
    audit_reader *each; /* may be NULL */
    void *arg;
};

/*
 * Reads the whole log and checks every link, number and checkpoint, in bounded memory. 0 = all of
 * it verifies (see covered and closed for how far that is signed); -EBADMSG with the first fault in
 * *e and its kind in *v; another error when it cannot be read.
 */
must_check int audit_log_check(const struct audit_check *c, struct audit_verdict *v, struct err *e);

/* The same without what is optional. */
must_check int audit_log_verify(int dirfd, const struct audit_key *key, audit_reader *each,
                                void *arg, struct audit_verdict *v, struct err *e);

/* A plain file in a directory that others may have filled: no link is followed, nothing is waited
 * for. A descriptor, or -errno. */
must_check int audit_open_plain(int dirfd, const char *name, struct err *e);

/* True while a process holds the log open for writing. */
bool audit_log_lives(int dirfd);

#endif
