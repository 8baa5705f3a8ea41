/* audit_query.c - audit query and export: records that are proved, chosen or all. */
#include "sandbox/audit/report.h"
#include "sandbox/cli/audit_named.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/cli/when.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LAST_MAX 100000u /* of -n */

struct query {
    struct cli *c;
    const char *decision, *kind, *rule, *text; /* NULL: any */
    uint64_t since_ns, until_ns;
    uint32_t last; /* 0: all */
    /* The last ones met, as a ring; owned. */
    struct audit_record *ring;
    uint64_t met;
};

/* The whole name, or its beginning up to a separator: "file" has "file.put". */
static bool within(const char *name, const char *wanted, char separator)
{
    size_t n = strlen(wanted);

    return !wanted[0] || (!strncmp(name, wanted, n) && (!name[n] || name[n] == separator));
}

static bool matches(const struct query *q, const struct audit_record *r)
{
    return (!q->decision || !strcmp(q->decision, audit_decision_name(r->decision))) &&
           (!q->kind || within(r->kind, q->kind, '.')) &&
           (!q->rule || within(r->rule, q->rule, '/')) &&
           (!q->text || strstr(r->object, q->text) || strstr(r->actor, q->text)) &&
           r->time_ns >= q->since_ns && r->time_ns <= q->until_ns;
}

static int take(void *arg, const struct audit_record *r)
{
    struct query *q = arg;

    if (!matches(q, r))
        return 0;
    if (!q->last)
        return audit_show(q->c, r);
    q->ring[q->met++ % q->last] = *r;
    return 0;
}

static int show_ring(struct query *q)
{
    uint64_t n = q->met < q->last ? q->met : q->last;
    int err = 0;

    for (uint64_t i = q->met - n; i < q->met && !err; i++)
        err = audit_show(q->c, &q->ring[i % q->last]);
    return err;
}

static int moment(const struct cli *c, enum opt_id id, const char *name, uint64_t *ns,
                  struct err *e)
{
    const char *text = args_text(c->args, id);
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (!text || !when_parse(text, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, ns))
        return 0;
    return err_set(e, EINVAL, "--%s: \"%s\" is neither a moment nor an age", name, text);
}

static int query_parse(struct query *q, struct err *e)
{
    const struct command_line *a = q->c->args;
    const char *lines = args_text(a, OPT_LINES);
    int err;

    q->decision = args_text(a, OPT_DECISION);
    q->kind = args_text(a, OPT_KIND);
    q->rule = args_text(a, OPT_RULE);
    q->text = args_text(a, OPT_GREP);
    q->until_ns = UINT64_MAX;
    if (lines && count_parse(lines, 1, LAST_MAX, &q->last))
        return err_set(e, EINVAL, "-n: \"%s\" is not a number from 1 to %u", lines, LAST_MAX);
    err = moment(q->c, OPT_SINCE, "since", &q->since_ns, e);
    if (!err)
        err = moment(q->c, OPT_UNTIL, "until", &q->until_ns, e);
    if (!err && q->last && !(q->ring = calloc(q->last, sizeof(*q->ring))))
        err = err_set(e, ENOMEM, "out of memory");
    return err;
}

int verb_audit_query(struct cli *c)
{
    struct query q = { .c = c };
    struct audit_host h;
    struct audit_named log = { .fd = -1 };
    struct audit_verdict v;
    struct err e = ERR_INIT;
    int status = 0;

    if (query_parse(&q, &e))
        return cli_fail_usage(c, &e,
                              "moments: 2026-11-23, 2026-11-23T15:04:05Z; ages: 15m, 2h, 7d");
    if (audit_host_open(c, &h, &status) &&
        audit_named_open(c, &h, c->args->operands[0], &log, &status)) {
        audit_heading(c);
        status = audit_named_read(c, &h, &log, take, &q, &v);
        if (show_ring(&q))
            status = EXIT_NO;
    }
    audit_named_close(&log);
    audit_host_close(&h);
    free(q.ring);

    int failed = cli_finish(c);

    return status ? status : failed;
}

/* ---- export ---- */

static int export_ocsf(void *arg, const struct audit_record *r)
{
    (void)arg;
    return report_ocsf(stdout, r);
}

/* The line as it is in the log: what it was hashed as. */
static int export_line(void *arg, const struct audit_record *r)
{
    char line[AUDIT_LINE_MAX];
    size_t n = audit_line(r, line);

    (void)arg;
    return fwrite(line, 1, n, stdout) == n ? 0 : -EPIPE;
}

int verb_audit_export(struct cli *c)
{
    const char *format = args_text(c->args, OPT_EXPORT_FORMAT);
    struct audit_host h;
    struct audit_named log = { .fd = -1 };
    struct audit_verdict v;
    int status = 0;

    if (audit_host_open(c, &h, &status) &&
        audit_named_open(c, &h, c->args->operands[0], &log, &status))
        status = audit_named_read(
            c, &h, &log, format && !strcmp(format, "jsonl") ? export_line : export_ocsf, NULL, &v);
    audit_named_close(&log);
    audit_host_close(&h);

    int failed = cli_finish(c);

    return status ? status : failed;
}
