/* audit_report.c - audit report: one log as a page for people, or as JSON. */
#include "base/io.h"
#include "sandbox/audit/report.h"
#include "sandbox/cli/audit_named.h"
#include "sandbox/cli/audit_policy.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reporting {
    struct cli *c;
    struct tally *t; /* owned */
    struct audit_policy policy;
    struct report_proof proof;
    char said[240];
};

/* ---- JSON ---- */

static json_t *count_json(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *rules_json(const struct reporting *r)
{
    json_t *a = json_array();

    for (unsigned i = 0; i < r->t->nrules; i++) {
        const struct tally_rule *k = &r->t->rule[i];

        json_array_append_new(a,
                              json_pack("{s:o, s:o, s:o}", "rule", cli_json_text(k->id), "allowed",
                                        count_json(k->allowed), "denied", count_json(k->denied)));
    }
    return a;
}

static json_t *grants_json(const struct reporting *r)
{
    const struct report_policy *p = &r->policy.report;
    json_t *a;

    if (p->note)
        return json_null();
    a = json_array();
    for (size_t i = 0; i < p->n; i++) {
        json_array_append_new(
            a, json_pack("{s:o, s:o, s:s}", "rule", cli_json_text(p->grants[i].rule), "grants",
                         cli_json_text(p->grants[i].text), "use", report_use(r->t, &p->grants[i])));
    }
    return a;
}

static json_t *hosts_json(const struct reporting *r)
{
    json_t *a = json_array();

    for (unsigned i = 0; i < r->t->nhosts; i++) {
        const struct tally_host *h = &r->t->host[i];

        json_array_append_new(
            a, json_pack("{s:o, s:o, s:o, s:o, s:o}", "destination", cli_json_text(h->name), "rule",
                         cli_json_text(h->rule), "bytes", count_json(h->bytes), "allowed",
                         count_json(h->allowed), "denied", count_json(h->denied)));
    }
    return a;
}

static json_t *report_json(const struct reporting *r)
{
    const struct tally *t = r->t;
    const char *note = r->policy.report.note;

    return json_pack("{s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}",
                     "sandbox", t->sandbox, "name",
                     *r->proof.name ? cli_json_text(r->proof.name) : json_null(), "sound",
                     (int)r->proof.sound, "verdict", cli_json_text(r->proof.said), "first",
                     audit_json_time(t->first_ns), "last", audit_json_time(t->last_ns), "records",
                     count_json(t->records), "allowed", count_json(t->allowed), "denied",
                     count_json(t->denied), "events", count_json(t->events), "policy", t->policy,
                     "rules", rules_json(r), "grants", grants_json(r), "policy_note",
                     note ? cli_json_text(note) : json_null(), "destinations", hosts_json(r));
}

/* ---- where it goes ---- */

static int write_page(struct reporting *r, const char *file, struct err *e)
{
    char *page = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&page, &len);
    int err;

    if (!out)
        return err_sys(e, "report");
    err = report_write(out, r->t, &r->policy.report, &r->proof);
    if (fclose(out) || err)
        err = err_set(e, ENOMEM, "report: no memory");
    else if (file && strcmp(file, "-") != 0)
        err = io_store(AT_FDCWD, file, page, len, 0600, e);
    else if (fwrite(page, 1, len, stdout) != len)
        err = 0; /* told when the output is finished */
    free(page);
    return err;
}

static int make(struct reporting *r, const struct audit_host *h, const struct audit_named *log)
{
    const char *file = args_text(r->c->args, OPT_OUTPUT);
    const struct audit_check check = { .dirfd = log->fd,
                                       .key = h->key,
                                       .kept_fd = -1,
                                       .vouched = true,
                                       .each = tally_add,
                                       .arg = r->t };
    const char *id = log->id[0] ? log->id : NULL;
    struct audit_verdict v;
    struct err why = ERR_INIT, e = ERR_INIT;
    enum log_state state = log_judge(&check, id, &v, &why);
    int err = 0;

    if (state == LOG_BROKEN && v.fault == AUDIT_UNREADABLE) {
        err_wrap(&why, "%s", log->shown);
        return cli_fail(r->c, "audit", &why, NULL);
    }
    if (!r->t->sandbox[0])
        memcpy(r->t->sandbox, v.sandbox, sizeof(r->t->sandbox));
    audit_verdict_text(state, &v, why.msg, r->said, sizeof(r->said));
    r->proof = (struct report_proof){ .sound = state == LOG_CLOSED || state == LOG_LIVE,
                                      .name = log->name,
                                      .said = r->said };
    audit_policy_load(&r->policy, log->fd, r->t->policy);
    if (r->c->json)
        err = cli_json(r->c, report_json(r)) ? 0 : -EIO;
    else
        err = write_page(r, file, &e);
    if (err && e.code)
        return cli_fail(r->c, "output", &e, NULL);
    if (!r->proof.sound)
        cli_note(r->c, "%s: %s", log->shown, r->said);
    return err || !r->proof.sound ? EXIT_NO : 0;
}

int verb_audit_report(struct cli *c)
{
    struct reporting r = { .c = c };
    struct audit_host h;
    struct audit_named log = { .fd = -1 };
    struct err e = ERR_INIT;
    int status = 0, failed;

    if (!c->json && !args_has(c->args, OPT_OUTPUT) && isatty(STDOUT_FILENO)) {
        err_set(&e, EINVAL, "the report is a page of HTML, not for a terminal");
        return cli_fail_usage(c, &e, "-o FILE.html, or a pipe");
    }
    r.t = tally_new();
    if (!r.t) {
        err_set(&e, ENOMEM, "out of memory");
        return cli_fail(c, "audit", &e, NULL);
    }
    if (audit_host_open(c, &h, &status) &&
        audit_named_open(c, &h, c->args->operands[0], &log, &status))
        status = make(&r, &h, &log);
    audit_policy_fini(&r.policy);
    audit_named_close(&log);
    audit_host_close(&h);
    tally_free(r.t);
    failed = cli_finish(c);
    return status ? status : failed;
}
