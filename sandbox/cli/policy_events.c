/* policy_events.c - see policy_events.h. */
#include "sandbox/cli/policy_events.h"

#include "base/fd.h"
#include "base/io.h"
#include "sandbox/audit/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define EVENTS_MAX (256u << 20) /* bytes of a file of requests */

static int take(void *arg, const struct audit_record *r)
{
    events_record(arg, r->seq, r->kind, r->decision != AUDIT_EVENT, r->decision == AUDIT_ALLOW,
                  r->rule, r->object);
    return 0;
}

static int read_file(const char *path, struct events *e, struct err *err)
{
    size_t len = 0;
    char *text = io_load(AT_FDCWD, path, EVENTS_MAX, &len, err);

    if (!text)
        return -err->code;
    events_text(e, text, len);
    free(text);
    return 0;
}

static int read_log(const char *path, int dir, struct events *e, struct err *err)
{
    struct audit_verdict v;
    int r = audit_log_verify(dir, NULL, take, e, &v, err);

    return r ? err_wrap(err, "%s", path) : 0;
}

bool policy_events_open(struct cli *c, struct events *e, int *status)
{
    const char *path = args_text(c->args, OPT_LOG);
    struct err err = ERR_INIT;
    auto_fd int dir = -1;
    int r;

    *e = (struct events){ .n = 0 };
    if (!path) {
        err_set(&err, EINVAL, "--log is missing: which requests?");
        *status = cli_fail_usage(c, &err, "--log DIR of an audit log, or a file of requests");
        return false;
    }
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = dir >= 0 ? read_log(path, dir, e, &err) : read_file(path, e, &err);
    if (r)
        *status = cli_fail(c, "policy", &err, NULL);
    return !r;
}
