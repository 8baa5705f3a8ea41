/* audit_named.c - see audit_named.h. */
#include "sandbox/cli/audit_named.h"

#include "base/fd.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int open_kept(struct audit_host *h, const char *path, struct err *e)
{
    h->kept = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return h->kept < 0 ? err_sys(e, "%s", path) : 0;
}

bool audit_host_open(struct cli *c, struct audit_host *h, int *status)
{
    const char *key = args_text(c->args, OPT_KEY), *kept = args_text(c->args, OPT_CHECKPOINT);
    struct err e = ERR_INIT;
    int err = 0;

    *h = (struct audit_host){ .logs = -1, .kept = -1 };
    h->logs = logs_open(&e);
    if (h->logs < 0 && h->logs != -ENOENT)
        err = h->logs;
    else if (key && !(h->key = audit_key_public(AT_FDCWD, key, &e)))
        err = -e.code;
    else if (kept)
        err = open_kept(h, kept, &e);
    if (h->logs < 0)
        h->logs = -1;
    if (!err && !key && h->logs >= 0) {
        h->key = logs_key(h->logs, &e);
        err = h->key || e.code == ENOENT ? 0 : -e.code;
    }
    if (err)
        *status = cli_fail(c, "audit", &e, NULL);
    return !err;
}

void audit_host_close(struct audit_host *h)
{
    audit_key_free(h->key);
    fd_closep(&h->logs);
    fd_closep(&h->kept);
}

/* ---- which log is meant ---- */

struct search {
    const char *what;
    char id[LOG_ID_LEN + 1], other[LOG_ID_LEN + 1];
    uint64_t last_ns;
    unsigned named, begun; /* logs of this name; ids that begin so */
    bool exact;
};

static void consider(const struct audit_host *h, struct search *s, const char *id)
{
    struct log_look look;
    auto_fd int fd = -1;

    s->exact = strcmp(id, s->what) == 0;
    if (s->exact || (!strncmp(id, s->what, strlen(s->what)) && !s->named)) {
        memcpy(s->other, s->id, sizeof(s->other));
        memcpy(s->id, id, sizeof(s->id));
        s->begun++;
    }
    fd = s->exact ? -1 : logs_open_one(h->logs, id, NULL);
    if (fd < 0)
        return;
    log_look(fd, id, h->key, &look);
    if (strcmp(look.name, s->what) != 0)
        return;
    /* A name is meant before the beginning of an id. */
    if (!s->named++ || look.last_ns >= s->last_ns) {
        memcpy(s->id, id, sizeof(s->id));
        s->last_ns = look.last_ns;
    }
}

static int find(struct cli *c, const struct audit_host *h, const char *what, char *id,
                struct err *e)
{
    struct search s = { .what = what };
    char **ids = NULL;
    size_t n = 0;
    int err = h->logs < 0 ? 0 : logs_list(h->logs, &ids, &n, e);

    if (err)
        return err;
    for (size_t i = 0; i < n; i++) {
        if (!s.exact)
            consider(h, &s, ids[i]);
        free(ids[i]);
    }
    free(ids);
    if (!s.id[0] || !*what)
        return err_set(e, ENOENT, "no audit log of \"%s\"", what);
    if (!s.exact && !s.named && s.begun > 1)
        return err_set(e, ENOTUNIQ, "\"%s\" may be %s or %s", what, s.other, s.id);
    if (!s.exact && s.named > 1)
        cli_note(c, "%u logs are of sandboxes called %s: this is the latest, %s", s.named, what,
                 s.id);
    memcpy(id, s.id, sizeof(s.id));
    return 0;
}

bool audit_named_open(struct cli *c, const struct audit_host *h, const char *what,
                      struct audit_named *log, int *status)
{
    struct log_look look;
    struct err e = ERR_INIT;
    int err = 0;

    *log = (struct audit_named){ .fd = -1 };
    snprintf(log->shown, sizeof(log->shown), "%s", what);
    if (strchr(what, '/')) {
        log->fd = open(what, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        err = log->fd < 0 ? err_sys(&e, "%s", what) : 0;
    } else {
        err = find(c, h, what, log->id, &e);
        log->fd = err ? -1 : logs_open_one(h->logs, log->id, &e);
        err = err ? err : log->fd < 0 ? log->fd : 0;
    }
    if (!err) {
        log_look(log->fd, log->id[0] ? log->id : NULL, h->key, &look);
        memcpy(log->name, look.name, sizeof(log->name));
        if (log->id[0] && look.name[0])
            snprintf(log->shown, sizeof(log->shown), "%s (%s)", look.name, log->id);
        else if (log->id[0])
            memcpy(log->shown, log->id, sizeof(log->id));
    }
    if (!err && !h->key)
        err = err_set(&e, ENOKEY, "%s: there is no key to check it with", what);
    if (err)
        *status = cli_fail(c, "audit", &e,
                           err == -ENOENT   ? "carrel audit ls"
                           : err == -ENOKEY ? "--key FILE: audit/key.pub of the host that wrote it"
                                            : NULL);
    return !err;
}

void audit_named_close(struct audit_named *log)
{
    fd_closep(&log->fd);
}

/* ---- what became of it ---- */

void audit_verdict_text(enum log_state state, const struct audit_verdict *v, const char *why,
                        char *buf, size_t len)
{
    const unsigned long long records = v->records, covered = v->covered;

    switch (state) {
    case LOG_CLOSED:
        snprintf(buf, len, "sound: %llu records, closed, signed to the end", records);
        break;
    case LOG_LIVE:
        snprintf(buf, len,
                 "sound, not closed: %llu records, %llu of them signed; it is being "
                 "written",
                 records, covered);
        break;
    case LOG_CUT:
        snprintf(buf, len, "CUT SHORT: %s (%llu records verify, %llu of them are signed)", why,
                 records, covered);
        break;
    case LOG_BROKEN:
        if (v->fault == AUDIT_UNREADABLE)
            snprintf(buf, len, "UNREADABLE: %s", why);
        else
            snprintf(buf, len, "TAMPERED at %s (%llu records before it are signed)", why, covered);
        break;
    }
}

int audit_named_read(struct cli *c, const struct audit_host *h, const struct audit_named *log,
                     audit_reader *each, void *arg, struct audit_verdict *v)
{
    const struct audit_check check = {
        .dirfd = log->fd, .key = h->key, .kept_fd = -1, .vouched = true, .each = each, .arg = arg
    };
    struct err why = ERR_INIT, e = ERR_INIT;
    enum log_state state = log_judge(&check, log->id[0] ? log->id : NULL, v, &why);
    char text[sizeof(e.msg)];

    if (state == LOG_CLOSED || state == LOG_LIVE) {
        if (state == LOG_LIVE && v->records > v->covered)
            cli_note(c, "%s: the last %llu records are not signed yet", log->shown,
                     (unsigned long long)(v->records - v->covered));
        return 0;
    }
    /* each stopped it: whoever read our output has read enough. */
    if (why.code == 0)
        return EXIT_NO;
    audit_verdict_text(state, v, why.msg, text, sizeof(text));
    err_set(&e, EBADMSG, "%s: %s", log->shown, text);
    return cli_fail(c, "audit", &e, "carrel audit verify; what is shown is what is proved");
}

/* ---- records ---- */

json_t *audit_json_time(uint64_t ns)
{
    return cli_json_time(ns < INT64_MAX ? (int64_t)ns : 0);
}

void audit_heading(struct cli *c)
{
    if (!c->json)
        printf("%7s  %-24s  %-8s  %-14s  %-24s  %s\n", "#", "TIME", "DECISION", "KIND", "RULE",
               "OBJECT");
}

static void show_text(struct cli *c, const struct audit_record *r)
{
    char kind[TEXT_GROWTH * AUDIT_KIND_MAX], rule[TEXT_GROWTH * AUDIT_RULE_MAX];
    char object[TEXT_GROWTH * AUDIT_OBJECT_MAX], when[48];
    const char *on = !c->colour_out               ? ""
                     : r->decision == AUDIT_DENY  ? "\033[31m"
                     : r->decision == AUDIT_ALLOW ? "\033[32m"
                                                  : "";

    printf("%7llu  %-24s  %s%-8s%s  %-14s  %-24s  %s\n", (unsigned long long)r->seq,
           time_text(r->time_ns < INT64_MAX ? (int64_t)r->time_ns : 0, when, sizeof(when)), on,
           audit_decision_name(r->decision), *on ? "\033[0m" : "",
           text_line(r->kind, kind, sizeof(kind)),
           r->rule[0] ? text_line(r->rule, rule, sizeof(rule)) : "-",
           text_line(r->object, object, sizeof(object)));
}

int audit_show(struct cli *c, const struct audit_record *r)
{
    const char grade[2] = { r->grade, '\0' };
    char ns[24], mono[24];

    if (!c->json) {
        show_text(c, r);
        return ferror(stdout) ? -EPIPE : 0;
    }
    snprintf(ns, sizeof(ns), "%llu", (unsigned long long)r->time_ns);
    snprintf(mono, sizeof(mono), "%llu", (unsigned long long)r->mono_ns);

    json_t *o = json_pack("{s:I, s:o, s:s, s:s, s:s, s:o, s:I, s:s, s:o, s:o, s:s, s:o, s:o, s:I, "
                          "s:b}",
                          "seq", (json_int_t)r->seq, "time", audit_json_time(r->time_ns), "time_ns",
                          ns, "mono_ns", mono, "sandbox", r->sandbox, "policy",
                          cli_json_text(r->policy), "generation", (json_int_t)r->generation,
                          "decision", audit_decision_name(r->decision), "kind",
                          cli_json_text(r->kind), "rule", cli_json_text(r->rule), "grade", grade,
                          "actor", cli_json_text(r->actor), "object", cli_json_text(r->object),
                          "bytes", (json_int_t)r->bytes, "untrusted", (int)r->untrusted);

    return cli_json(c, o) ? 0 : -EPIPE;
}
