/* lost.c - see lost.h. */
#include "sandbox/audit/lost.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "sandbox/audit/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int record(int top, int dir, const char *id, const char *policy_hash, struct err *e)
{
    static const char why[] = "its keeper was killed; what was left of the sandbox has been ended";
    struct audit_record r = { .decision = AUDIT_EVENT, .grade = '-' };
    struct audit_key *key =
        FAILPOINT("audit.lost") ? (err_sys(e, "audit log"), NULL) : audit_key_own(top, "key", e);
    struct audit_log *log = key ? audit_log_open(dir, id, key, e) : NULL;
    int err = log ? 0 : -e->code;

    if (log && audit_log_is_closed(log)) { /* it got that far */
        audit_key_free(key);
        return audit_log_close(log, e);
    }

    audit_text(r.policy, sizeof(r.policy), policy_hash, strlen(policy_hash));
    audit_text(r.actor, sizeof(r.actor), "carrel", 6);
    audit_text(r.kind, sizeof(r.kind), "sandbox.lost", 12);
    audit_text(r.object, sizeof(r.object), why, sizeof(why) - 1);
    if (!err)
        err = audit_log_append(log, &r, true, e);
    if (log && audit_log_close(log, err ? NULL : e) && !err)
        err = -EIO;
    audit_key_free(key);
    return err;
}

int audit_log_lost(const char *state, const char *id, const char *policy_hash, struct err *e)
{
    struct err why = ERR_INIT;
    char path[4096];

    if (snprintf(path, sizeof(path), "%s/audit", state) >= (int)sizeof(path))
        return err_set(e, ENAMETOOLONG, "audit log");

    auto_fd int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    auto_fd int dir =
        top < 0 ? -1 : openat(top, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (dir < 0)
        return errno == ENOENT ? 0 : err_sys(e, "audit log");
    if (faccessat(dir, "log", F_OK, AT_SYMLINK_NOFOLLOW))
        return 0; /* the policy wanted none */
    return record(top, dir, id, policy_hash, e ? e : &why);
}
