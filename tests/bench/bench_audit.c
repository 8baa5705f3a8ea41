/*
 * Audit figures: records appended and verified a second. bench_audit [RECORDS] writes a log of
 * plain allows into a directory of its own under $TMPDIR and reads it back. One JSON line each;
 * times are processor time.
 */
#include "sandbox/audit/log.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void say(const char *what, unsigned n, double seconds)
{
    printf("{\"bench\":\"audit\",\"what\":\"%s\",\"records\":%u,\"per_second\":%.0f,\"us_each\":%."
           "2f}\n",
           what, n, n / seconds, seconds * 1e6 / n);
}

static int count(void *arg, const struct audit_record *r)
{
    *(uint64_t *)arg += r->bytes;
    return 0;
}

static int append_all(struct audit_log *l, unsigned n, struct err *e)
{
    int err = 0;

    for (unsigned i = 0; i < n && !err; i++) {
        struct audit_record r = { .decision = AUDIT_ALLOW, .grade = 'H', .bytes = i };

        snprintf(r.actor, sizeof(r.actor), "user:1000");
        snprintf(r.kind, sizeof(r.kind), "http");
        snprintf(r.rule, sizeof(r.rule), "network/pypi");
        memset(r.policy, 'a', sizeof(r.policy) - 1);
        snprintf(r.object, sizeof(r.object),
                 "http --host files.pythonhosted.org --method GET --path /packages/%u/x.whl", i);
        err = audit_log_append(l, &r, false, e);
    }
    return err;
}

int main(int argc, char **argv)
{
    const unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
    const char *tmp = getenv("TMPDIR");
    char dir[256];
    struct err e = ERR_INIT;
    struct audit_verdict v;
    uint64_t bytes = 0;

    snprintf(dir, sizeof(dir), "%s/bench-audit.XXXXXX", tmp ? tmp : "/tmp");
    if (!n || !mkdtemp(dir))
        return 2;

    auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct audit_key *key = audit_key_own(fd, "key", &e);
    struct audit_log *l = key ? audit_log_open(fd, "0123456789ab", key, &e) : NULL;
    double t = now();
    int err = l ? append_all(l, n, &e) : -e.code;

    if (!err)
        err = audit_log_close(l, &e);
    if (!err) {
        say("append", n, now() - t);
        t = now();
        err = audit_log_verify(fd, key, count, &bytes, &v, &e);
    }
    if (!err) {
        const struct audit_check vouched = {
            .dirfd = fd, .key = key, .kept_fd = -1, .vouched = true, .each = count, .arg = &bytes
        };

        say("verify", n, now() - t);
        t = now();
        err = audit_log_check(&vouched, &v, &e);
        if (!err)
            say("verify, records held until vouched for", n, now() - t);
    }
    if (err)
        fprintf(stderr, "bench_audit: %s\n", e.msg);
    audit_key_free(key);
    for (const char *const *f =
             (const char *const[]){ "log", "checkpoints", "key", "key.pub", "key.lock", NULL };
         *f; f++)
        unlinkat(fd, *f, 0);
    remove(dir);
    return err != 0;
}
