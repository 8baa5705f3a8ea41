/* audit_tail.c - audit tail: the last records, and those that come. */
#include "base/fd.h"
#include "base/io.h"
#include "sandbox/cli/audit_named.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define LAST_USUAL 10u
#define LAST_MAX   100000u
/* A busy log wakes us at most this often; a file system without events, at least this often. */
#define PAUSE_MS 50
#define WAIT_MS  1000

struct tail {
    struct cli *c;
    struct audit_record *ring; /* owned */
    uint32_t last;
    uint64_t met;
    int log;                  /* owned */
    struct audit_chain chain; /* of what was read */
    uint64_t at;              /* where the next line begins */
};

static int take(void *arg, const struct audit_record *r)
{
    struct tail *t = arg;

    if (t->last)
        t->ring[t->met++ % t->last] = *r;
    return 0;
}

static int show_ring(struct tail *t)
{
    uint64_t n = t->met < t->last ? t->met : t->last;
    int err = 0;

    for (uint64_t i = t->met - n; i < t->met && !err; i++)
        err = audit_show(t->c, &t->ring[i % t->last]);
    return err;
}

static int take_line(struct tail *t, const char *line, size_t len, struct err *e)
{
    struct audit_record r;

    if (len >= AUDIT_LINE_MAX || audit_parse(line, len, &r) || r.seq != t->chain.size ||
        memcmp(r.prev, t->chain.head, AUDIT_HASH) != 0)
        return err_set(e, EBADMSG, "record %llu does not follow the one before it",
                       (unsigned long long)t->chain.size);
    audit_chain_add(&t->chain, line, len);
    t->at += len + 1;
    return audit_show(t->c, &r);
}

/* Whole lines that were added since. */
static int read_more(struct tail *t, struct err *e)
{
    char buf[4 * AUDIT_LINE_MAX];
    ssize_t n;
    int err = 0;

    do {
        const char *line = buf, *nl;

        n = io_pread_full(t->log, buf, sizeof(buf), (off_t)t->at);
        if (n < 0)
            return err_set(e, (int)-n, "audit log: %s", strerror((int)-n));
        while (!err && (nl = memchr(line, '\n', (size_t)(buf + n - line)))) {
            err = take_line(t, line, (size_t)(nl - line), e);
            line = nl + 1;
        }
        if (!err && line == buf && n == (ssize_t)sizeof(buf))
            err = take_line(t, buf, sizeof(buf), e); /* a line longer than any record */
    } while (!err && n == (ssize_t)sizeof(buf));
    fflush(stdout);
    return err;
}

/* Until nobody writes the log any more. */
static int follow(struct tail *t, const struct audit_named *log, struct err *e)
{
    char path[64], events[4096];
    auto_fd int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct pollfd p = { .fd = notify, .events = POLLIN };
    bool lives;
    int err = 0;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", log->fd);
    if (notify < 0 || inotify_add_watch(notify, path, IN_MODIFY | IN_CLOSE_WRITE) < 0)
        return err_sys(e, "watching the log");
    do {
        /* Its writer first: what was written before it let go is then read below. */
        lives = audit_log_lives(log->fd);
        err = read_more(t, e);
        if (err || !lives || ferror(stdout))
            break;
        if (poll(&p, 1, WAIT_MS) > 0)
            poll(NULL, 0, PAUSE_MS);
        while (read(notify, events, sizeof(events)) > 0)
            ;
    } while (lives);
    return err;
}

static int follow_to_end(struct tail *t, const struct audit_host *h, const struct audit_named *log)
{
    struct audit_verdict v;
    struct err e = ERR_INIT;
    int status;

    t->log = audit_open_plain(log->fd, "log", &e);
    if (t->log < 0 || follow(t, log, &e)) {
        if (!e.code)
            return EXIT_NO; /* nobody reads our output */
        err_wrap(&e, "%s", log->shown);
        return cli_fail(t->c, "audit", &e, "carrel audit verify");
    }
    /* As they came, records were checked against each other; now against what was signed. */
    status = audit_named_read(t->c, h, log, NULL, NULL, &v);
    if (!status)
        cli_note(t->c, "%s: %s after %llu records", log->shown, v.closed ? "closed" : "not closed",
                 (unsigned long long)v.records);
    return status;
}

int verb_audit_tail(struct cli *c)
{
    const char *lines = args_text(c->args, OPT_LINES);
    struct tail t = { .c = c, .last = LAST_USUAL, .log = -1 };
    struct audit_host h;
    struct audit_named log = { .fd = -1 };
    struct audit_verdict v;
    struct err e = ERR_INIT;
    int status = 0;

    if (lines && count_parse(lines, 0, LAST_MAX, &t.last)) {
        err_set(&e, EINVAL, "-n: \"%s\" is not a number up to %u", lines, LAST_MAX);
        return cli_fail_usage(c, &e, NULL);
    }
    t.ring = calloc(t.last ? t.last : 1, sizeof(*t.ring));
    if (audit_host_open(c, &h, &status) && t.ring &&
        audit_named_open(c, &h, c->args->operands[0], &log, &status)) {
        audit_heading(c);
        status = audit_named_read(c, &h, &log, take, &t, &v);
        if (show_ring(&t))
            status = EXIT_NO;
        t.chain = v.chain;
        t.at = v.bytes;
        if (!status && args_has(c->args, OPT_FOLLOW))
            status = follow_to_end(&t, &h, &log);
    }
    fd_closep(&t.log);
    audit_named_close(&log);
    audit_host_close(&h);
    free(t.ring);

    int failed = cli_finish(c);

    return status ? status : failed;
}
