/*
 * audit_maker.c - audit logs for tests, through the functions that a keeper calls.
 *
 *   audit_maker STATE make ID NAME N [HASH]   N records under a policy's hash, and closed
 *   audit_maker STATE spread ID NAME N S [HASH]   the same as if it had taken S seconds, in bursts
 *   audit_maker STATE live ID NAME N          N records, then one for each line of stdin: its text.
 *                                             Says "ready" and after each line "done"; closes at
 * the end of stdin, dies without at the line "die" audit_maker STATE forge ID K TEXT         as
 * somebody who knows the format but not the key: record K says TEXT, every hash after it is made
 * anew
 */
#include "sandbox/audit/checkpoint.h"
#include "sandbox/audit/log.h"

#include "base/fd.h"
#include "base/io.h"
#include "sandbox/guard/dossier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int die(const char *what, const struct err *e)
{
    fprintf(stderr, "audit_maker: %s: %s\n", what, e->code ? e->msg : strerror(errno));
    return 1;
}

static const struct sample {
    const char *kind, *rule, *object;
    unsigned bytes;
    bool denied;
} samples[] = {
    { "exec", "tools/commands/py", "exec --path /usr/bin/python3 -- -m pytest -q", 0, false },
    { "file", "storage/work", "file --path /workspace/src/app.py", 812, false },
    { "file", "storage/work", "file --path /workspace/out.log --op write", 4096, false },
    { "http", "network/pypi", "http --host pypi.org --method GET --path /simple/requests/", 20480,
      false },
    { "connect", "network/pypi", "connect --host files.pythonhosted.org", 0, false },
    { "http", "network/api", "http api.example.com:8443 POST /v1/items", 700000, false },
    { "exec", "tools/commands/git", "exec --path /usr/bin/git -- commit -m \"a b\"", 0, false },
    { "mcp", "tools/mcp/gh/list_issues", "mcp --server gh --tool list_issues", 1500, false },
    { "model", "models/main", "model --name qwen-coder --input 1200 --output 300", 0, false },
    { "connect", "", "connect --host metadata.google.internal --port 80", 0, true },
    { "file", "storage/work/deny_read", "file --path /workspace/.env", 0, true },
    { "http", "network/pypi", "http --host pypi.org --method POST --path /legacy/", 0, true },
    { "exec", "tools/commands/py", "exec --path /usr/bin/python3 -- -c \"import os\"", 0, true },
    { "file", "storage/work/deny_write",
      "file --path \"/workspace/\\x1b[2J<b>x</b> & 'y'\" --op write", 0, true },
};

/* Denials wait for the disk: long logs have few. */
static void fill(struct audit_record *r, unsigned i, unsigned n, const char *hash)
{
    const unsigned allowed = 9, rare = n > 5000 ? 97 : 7;
    const struct sample *s =
        &samples[i % rare == rare - 1 ? allowed + i / rare % (array_len(samples) - allowed)
                                      : (i * 5 + i / 11) % allowed];

    *r = (struct audit_record){ .decision = s->denied ? AUDIT_DENY : AUDIT_ALLOW,
                                .grade = s->kind[0] == 'e' ? 'G' : 'H',
                                .untrusted = s->denied,
                                .bytes = s->bytes,
                                .generation = 1 };
    audit_text(r->actor, sizeof(r->actor), "user:1000", 9);
    audit_text(r->policy, sizeof(r->policy), hash, strlen(hash));
    audit_text(r->kind, sizeof(r->kind), s->kind, strlen(s->kind));
    audit_text(r->rule, sizeof(r->rule), s->rule, strlen(s->rule));
    audit_text(r->object, sizeof(r->object), s->object, strlen(s->object));
}

static int event(struct audit_log *l, const char *kind, const char *object, struct err *e)
{
    struct audit_record r = { .decision = AUDIT_EVENT, .grade = '-', .actor = "keeper" };

    audit_text(r.kind, sizeof(r.kind), kind, strlen(kind));
    audit_text(r.object, sizeof(r.object), object, strlen(object));
    return audit_log_append(l, &r, false, e);
}

static int records(struct audit_log *l, const char *name, unsigned n, const char *hash,
                   struct err *e)
{
    char start[128];
    int err;

    snprintf(start, sizeof(start), "%s image base engine kvm policy python", name);
    err = event(l, "sandbox.start", start, e);
    for (unsigned i = 1; i < n && !err; i++) {
        struct audit_record r;

        fill(&r, i, n, hash);
        err = audit_log_append(l, &r, false, e);
    }
    return err;
}

static int live(struct audit_log *l, struct err *e)
{
    char line[4096];
    int err = 0;

    puts("ready");
    fflush(stdout);
    while (!err && fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strcmp(line, "die"))
            _exit(0);
        err = event(l, "test.line", line, e);
        puts("done");
        fflush(stdout);
    }
    return err;
}

/* ---- a log with times of its own, as the writer would have made it ---- */

struct spreading {
    FILE *log, *notes;
    struct audit_chain chain;
    uint64_t time_ns;
    const char *id;
    const struct audit_key *key;
};

static int put_checkpoint(struct spreading *s, bool closed, struct err *e)
{
    struct audit_checkpoint c = { .size = s->chain.size, .time_ns = s->time_ns, .closed = closed };
    char note[AUDIT_NOTE_MAX];
    int n;

    snprintf(c.sandbox, sizeof(c.sandbox), "%s", s->id);
    memcpy(c.head, s->chain.head, AUDIT_HASH);
    audit_chain_root(&s->chain, c.root);
    n = audit_checkpoint_text(&c, note);
    if (n > 0)
        n = audit_note_sign(s->key, note, (size_t)n, e);
    if (n > 0)
        fprintf(s->notes, "%.*s\n", n, note);
    return n < 0 ? n : 0;
}

static void put_record(struct spreading *s, struct audit_record *r)
{
    char line[AUDIT_LINE_MAX];
    size_t n;

    r->seq = s->chain.size;
    r->time_ns = r->mono_ns = s->time_ns;
    snprintf(r->sandbox, sizeof(r->sandbox), "%s", s->id);
    memcpy(r->prev, s->chain.head, AUDIT_HASH);
    n = audit_line(r, line);
    audit_chain_add(&s->chain, line, n - 1);
    fwrite(line, 1, n, s->log);
}

static FILE *create(int dir, const char *name)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    return fd < 0 ? NULL : fdopen(fd, "w");
}

static int spread(int dir, char **argv, const char *hash, const struct audit_key *key)
{
    const unsigned n = (unsigned)strtoul(argv[5], NULL, 10);
    const uint64_t span = strtoull(argv[6], NULL, 10) * 1000000000u;
    struct spreading s = { .log = create(dir, "log"),
                           .notes = create(dir, "checkpoints"),
                           .time_ns = 1795442400ull * 1000000000u,
                           .id = argv[3],
                           .key = key };
    struct audit_record r = { .decision = AUDIT_EVENT, .grade = '-', .actor = "keeper" };
    const uint64_t from = s.time_ns;
    struct err e = ERR_INIT;
    int err = s.log && s.notes ? 0 : -EIO;

    snprintf(r.kind, sizeof(r.kind), "sandbox.start");
    snprintf(r.object, sizeof(r.object), "%s image base", argv[4]);
    for (unsigned i = 1; i <= n && !err; i++) {
        put_record(&s, &r);
        if (i % AUDIT_CHECKPOINT_RECORDS == 0 || i == n)
            err = put_checkpoint(&s, i == n, &e);
        fill(&r, i, n, hash);
        /* Seven bursts of work, with pauses. */
        s.time_ns = from + span / 8 * (i * 7ull / n) + span / 16 * (i * 7ull % n) / n;
    }
    return err || fclose(s.log) || fclose(s.notes) ? die("spread", &e) : 0;
}

/* ---- forging ---- */

struct forging {
    uint64_t at;
    const char *text;
    struct audit_chain chain;
    FILE *out;
};

static int forge_one(void *arg, const struct audit_record *was)
{
    struct forging *f = arg;
    struct audit_record r = *was;
    char line[AUDIT_LINE_MAX];
    size_t n;

    if (r.seq == f->at)
        audit_text(r.object, sizeof(r.object), f->text, strlen(f->text));
    memcpy(r.prev, f->chain.head, AUDIT_HASH);
    n = audit_line(&r, line);
    audit_chain_add(&f->chain, line, n - 1);
    return fwrite(line, 1, n, f->out) == n ? 0 : -EIO;
}

static int forge(int dir, const char *k, const char *text)
{
    struct forging f = { .at = strtoull(k, NULL, 10), .text = text };
    struct audit_verdict v;
    struct err e = ERR_INIT;
    int fd = openat(dir, "forged", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    f.out = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f.out || audit_log_verify(dir, NULL, forge_one, &f, &v, &e) || fclose(f.out) ||
        renameat(dir, "forged", dir, "log"))
        return die("forge", &e);
    return 0;
}

static int policy(int dir, const char *file, const char *hash)
{
    struct dossier d = { 0 };
    struct err e = ERR_INIT;
    size_t len = 0;
    char *text = io_load(AT_FDCWD, file, 1 << 20, &len, &e);
    int err = text ? dossier_add(&d, NULL, strdup(file), text, len, &e) : -e.code;

    snprintf(d.hash, sizeof(d.hash), "%s", hash);
    if (!err)
        err = dossier_save(&d, dir, DOSSIER_FILE, true, &e);
    dossier_fini(&d);
    return err ? die("policy", &e) : 0;
}

static int make_dir(int at, const char *name)
{
    if (mkdirat(at, name, 0700) && errno != EEXIST)
        return -1;
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    auto_fd int state = -1;
    auto_fd int logs = -1;
    auto_fd int dir = -1;
    int err;

    if (argc < 6) {
        fputs("audit_maker STATE make|live|forge ID …\n", stderr);
        return 2;
    }
    state = make_dir(AT_FDCWD, argv[1]);
    logs = state < 0 ? -1 : make_dir(state, "audit");
    dir = logs < 0 ? -1 : make_dir(logs, argv[3]);
    if (dir < 0)
        return die(argv[1], &e);
    if (!strcmp(argv[2], "forge"))
        return forge(dir, argv[4], argv[5]);
    if (!strcmp(argv[2], "policy"))
        return policy(dir, argv[4], argv[5]);

    struct audit_key *key = audit_key_own(logs, "key", &e);
    if (key && !strcmp(argv[2], "spread"))
        return argc > 6 ? spread(dir, argv, argc > 7 ? argv[7] : "", key) : 2;

    struct audit_log *l = key ? audit_log_open(dir, argv[3], key, &e) : NULL;

    if (!l)
        return die("open", &e);
    err = records(l, argv[4], (unsigned)strtoul(argv[5], NULL, 10), argc > 6 ? argv[6] : "", &e);
    if (!err && !strcmp(argv[2], "live"))
        err = live(l, &e);
    if (!err)
        err = audit_log_close(l, &e);
    audit_key_free(key);
    return err ? die("write", &e) : 0;
}
