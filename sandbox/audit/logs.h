/*
 * logs.h - all audit logs of this host, and what one of them amounts to.
 *
 *     $CARREL_STATE/audit/key, key.pub          the host's key; key.pub is what others check with
 *     $CARREL_STATE/audit/ID/log, checkpoints   of the sandbox with this id (log.h)
 *     $CARREL_STATE/audit/ID/policy.json        the policy's documents, where there is one
 *
 * A log's records and checkpoints name the sandbox by its id, so that no log can stand in for
 * another. A sandbox's name is the first word of its first record, the event "sandbox.start".
 * A log survives its sandbox; `carrel audit prune` ends it.
 */
#ifndef SANDBOX_AUDIT_LOGS_H
#define SANDBOX_AUDIT_LOGS_H

#include "sandbox/audit/log.h"

#define LOG_ID_LEN   12 /* lower-case hexadecimal digits, as sandboxes have */
#define LOG_NAME_MAX 64 /* with the NUL */

/* $CARREL_STATE/audit: a descriptor or -errno. -ENOENT: nothing was ever recorded here; -EPERM:
 * another user could write to it. */
must_check int logs_open(struct err *e);

/* The host's public key. */
struct audit_key *logs_key(int logs, struct err *e);

bool logs_is_id(const char *s);

/* The directory of a log, not followed when it is a link: a descriptor or -errno. */
must_check int logs_open_one(int logs, const char *id, struct err *e);

/* Ids of all logs, sorted; whatever else is in the directory is passed over. The caller frees each
 * and the array. */
must_check int logs_list(int logs, char ***ids, size_t *n, struct err *e);

/*
 * Ends a log: its directory gets a name that is no id, then what is in it goes. -EBUSY while
 * somebody writes it. What a crash of this left behind is taken up by the next call.
 */
must_check int logs_remove(int logs, const char *id, struct err *e);

/* ---- one log ---- */

enum log_state {
    LOG_CLOSED, /* complete */
    LOG_LIVE,   /* somebody writes it */
    LOG_CUT,    /* neither: its writer died, or its end was removed */
    LOG_BROKEN
};

const char *log_state_name(enum log_state s);

/* What can be seen without reading it all: its first and last record and last checkpoint. */
struct log_look {
    enum log_state state;
    char name[LOG_NAME_MAX]; /* "": it does not say */
    uint64_t records, bytes; /* as the last record counts them; on disk */
    uint64_t first_ns, last_ns;
    char why[96]; /* LOG_BROKEN */
};

/* id may be NULL: any sandbox. key may be NULL. */
void log_look(int dirfd, const char *id, const struct audit_key *key, struct log_look *look);

/*
 * audit_log_check, and what it means. A log that is being written may end in half a line, and one
 * in a directory named by an id must be of that sandbox (id may be NULL). *e has a sentence for
 * LOG_CUT and LOG_BROKEN.
 */
enum log_state log_judge(const struct audit_check *c, const char *id, struct audit_verdict *v,
                         struct err *e);

#endif
