/* test_audit.c - what was recorded cannot be changed, cut, reordered or added to without a trace.
 */
#include "sandbox/audit/checkpoint.h"
#include "sandbox/audit/logs.h"
#include "sandbox/audit/object.h"
#include "sandbox/audit/report.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static int dirfd_, outer;
static struct audit_key *key;
static uint64_t rng = 88172645463325252ull;

static uint64_t rnd(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng % n;
}

static int setup(void **s)
{
    struct err e = ERR_INIT;

    (void)s;
    snprintf(dir, sizeof(dir), "/tmp/carrel-audit.XXXXXX");
    assert_non_null(mkdtemp(dir));
    outer = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(outer, "a", 0700), 0);
    dirfd_ = openat(outer, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    key = audit_key_own(outer, "audit.key", &e);
    assert_non_null(key);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int teardown(void **s)
{
    (void)s;
    audit_key_free(key);
    close(dirfd_);
    close(outer);
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void fill(struct audit_record *r, unsigned i)
{
    *r = (struct audit_record){ .decision = (enum audit_decision)(i % 3),
                                .grade = "HGA"[i % 3],
                                .untrusted = i % 2,
                                .bytes = i * 77,
                                .generation = 1 };
    snprintf(r->actor, sizeof(r->actor), "guest");
    snprintf(r->kind, sizeof(r->kind), "exec");
    snprintf(r->rule, sizeof(r->rule), "task/tools/%u", i % 7);
    snprintf(r->object, sizeof(r->object), "/usr/bin/python3 \"-m\" pytest\n\x01 %u \xc3\xa9", i);
}

/* Only every third is made durable, or the test waits for the disk. */
static void write_log(unsigned n)
{
    struct err e = ERR_INIT;
    struct audit_log *l = audit_log_open(dirfd_, "quiet-otter", key, &e);

    assert_non_null(l);
    for (unsigned i = 0; i < n; i++) {
        struct audit_record r;

        fill(&r, i);
        if (r.decision == AUDIT_DENY && n > 100)
            r.decision = AUDIT_ALLOW;
        assert_int_equal(audit_log_append(l, &r, false, &e), 0);
    }
    assert_int_equal(audit_log_close(l, &e), 0);
}

static char *slurp(const char *name, size_t *len)
{
    char *p = io_load(dirfd_, name, 1 << 26, len, NULL);

    assert_non_null(p);
    return p;
}

static void spill(const char *name, const char *p, size_t len)
{
    int fd = openat(dirfd_, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    /* Not O_TRUNC: some file systems then write back on close, thousands of times. */
    assert_int_equal(io_write_full(fd, p, len), 0);
    assert_int_equal(ftruncate(fd, (off_t)len), 0);
    close(fd);
}

static int verify(struct audit_verdict *v)
{
    return audit_log_verify(dirfd_, key, NULL, NULL, v, NULL);
}

static void a_line_has_one_spelling(void **s)
{
    struct audit_record r, back;
    char line[AUDIT_LINE_MAX];
    size_t n;

    (void)s;
    fill(&r, 5);
    n = audit_line(&r, line);
    assert_true(n > 0);
    assert_int_equal(audit_parse(line, n - 1, &back), 0);
    assert_string_equal(back.object, r.object);
    assert_int_equal(back.bytes, r.bytes);
    assert_true(back.untrusted);
    /* Any changed byte is another record or none; never the same record. */
    for (size_t i = 0; i + 1 < n; i++) {
        char again[AUDIT_LINE_MAX];
        char was = line[i];

        line[i] = (char)(was ^ 1);
        if (audit_parse(line, n - 1, &back) == 0) {
            assert_int_equal(audit_line(&back, again), n);
            assert_memory_equal(again, line, n);
        }
        line[i] = was;
    }
}

static void the_longest_record_fits(void **s)
{
    struct audit_record r = { .grade = 'H', .decision = AUDIT_DENY };
    char line[AUDIT_LINE_MAX];

    (void)s;
    r.seq = r.time_ns = r.mono_ns = r.generation = r.bytes = UINT64_MAX;
    memset(r.sandbox, 1, sizeof(r.sandbox) - 1);
    memset(r.policy, 1, sizeof(r.policy) - 1);
    memset(r.actor, 1, sizeof(r.actor) - 1);
    memset(r.kind, 1, sizeof(r.kind) - 1);
    memset(r.rule, 1, sizeof(r.rule) - 1);
    memset(r.object, 1, sizeof(r.object) - 1);
    assert_true(audit_line(&r, line) > 0);
}

static void guest_text_is_made_harmless(void **s)
{
    char field[16];

    (void)s;
    audit_text(field, sizeof(field),
               "ab\xff"
               "c",
               4);
    assert_string_equal(field, "ab\xef\xbf\xbd"
                               "c");
    audit_text(field, sizeof(field), "\xc0\xaf\0", 3); /* overlong, NUL */
    assert_string_equal(field, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    audit_text(field, sizeof(field), "0123456789abcdefgh", 18);
    assert_string_equal(field, "0123456789ab\xe2\x80\xa6");
    audit_text(field, sizeof(field), "0123456789abcde", 15); /* just fits: not cut */
    assert_string_equal(field, "0123456789abcde");
    audit_text(field, sizeof(field), "0123456789abcdef", 16);
    assert_string_equal(field, "0123456789ab\xe2\x80\xa6");
    audit_text(field, sizeof(field), "\xff\xff\xff\xff\xff", 5); /* 15 bytes when replaced */
    assert_int_equal(strlen(field), 15);
    audit_text(field, sizeof(field), "\xed\xa0\x80", 3); /* a surrogate */
    assert_string_equal(field, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

/* The tree against its recursive definition, RFC 6962 section 2.1. */
static void naive_root(char lines[][8], unsigned n, uint8_t out[AUDIT_HASH])
{
    struct audit_chain left = { 0 };
    unsigned k = 1;

    if (n == 1) {
        audit_chain_add(&left, lines[0], strlen(lines[0]));
        memcpy(out, left.root[0], AUDIT_HASH);
        return;
    }
    while (k * 2 < n)
        k *= 2;

    struct audit_chain two = { .size = 3, .nroots = 2 };

    naive_root(lines, k, two.root[0]);
    naive_root(lines + k, n - k, two.root[1]);
    audit_chain_root(&two, out);
}

static void the_tree_is_rfc_6962s(void **s)
{
    /* Root of the one-leaf tree with the empty leaf, and of the empty tree: the RFC's constants. */
    static const uint8_t empty_leaf[] = { 0x6e, 0x34, 0x0b, 0x9c, 0xff, 0xb3, 0x7a, 0x98 };
    static const uint8_t empty_tree[] = { 0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14 };
    struct audit_chain c = { 0 };
    char lines[40][8];
    uint8_t root[AUDIT_HASH], naive[AUDIT_HASH];

    (void)s;
    audit_chain_root(&c, root);
    assert_memory_equal(root, empty_tree, sizeof(empty_tree));
    audit_chain_add(&c, "", 0);
    audit_chain_root(&c, root);
    assert_memory_equal(root, empty_leaf, sizeof(empty_leaf));

    c = (struct audit_chain){ 0 };
    for (unsigned i = 0; i < array_len(lines); i++) {
        snprintf(lines[i], sizeof(lines[i]), "%u", i);
        audit_chain_add(&c, lines[i], strlen(lines[i]));
        audit_chain_root(&c, root);
        naive_root(lines, i + 1, naive);
        assert_memory_equal(root, naive, AUDIT_HASH);
    }
}

static void what_was_written_verifies(void **s)
{
    struct audit_verdict v;

    (void)s;
    write_log(2500);
    assert_int_equal(verify(&v), 0);
    assert_int_equal(v.records, 2500);
    assert_int_equal(v.checkpoints, 3);
    assert_int_equal(v.covered, 2500);
    assert_true(v.closed);
}

static void tamperings_are_found(void **s)
{
    const char *rounds = getenv("CARREL_ROUNDS");
    long n = rounds ? strtol(rounds, NULL, 10) : 2000;
    size_t log_len, notes_len;
    struct audit_verdict v;

    (void)s;
    write_log(60);
    write_log(0); /* opened again, closed again */

    char *log = slurp("log", &log_len), *notes = slurp("checkpoints", &notes_len);

    for (long i = 0; i < n; i++) {
        bool in_log = rnd(3);
        size_t len = in_log ? log_len : notes_len;
        char *copy = malloc(len + 1);
        size_t at = rnd(len);

        memcpy(copy, in_log ? log : notes, len);
        switch (rnd(4)) {
        case 0: copy[at] = (char)(copy[at] ^ 1 << rnd(8)); break;
        case 1: len = at; break; /* truncated */
        case 2:                  /* one byte more */
            memmove(copy + at + 1, copy + at, len - at);
            copy[at] = (char)rnd(256);
            len++;
            break;
        default: /* one byte less */ memmove(copy + at, copy + at + 1, len - at - 1); len--;
        }
        if (len != (in_log ? log_len : notes_len) || memcmp(copy, in_log ? log : notes, len)) {
            spill(in_log ? "log" : "checkpoints", copy, len);
            if (verify(&v) == 0 && v.closed)
                fail_msg("round %ld: tampering at %zu of %s was not found", i, at,
                         in_log ? "log" : "checkpoints");
            spill("log", log, log_len);
            spill("checkpoints", notes, notes_len);
        }
        free(copy);
    }
    assert_int_equal(verify(&v), 0);
    free(log);
    free(notes);
}

/* Without our key, nobody signs for us; with another key, nothing of ours verifies. */
static void another_key_does_not_verify(void **s)
{
    struct err e = ERR_INIT;
    struct audit_key *other = audit_key_own(outer, "other.key", &e);
    struct audit_verdict v;

    (void)s;
    write_log(10);
    assert_int_equal(audit_log_verify(dirfd_, other, NULL, NULL, &v, &e), -EBADMSG);
    audit_key_free(other);

    struct audit_key *pub = audit_key_public(outer, "audit.key.pub", &e);

    assert_non_null(pub);
    assert_int_equal(audit_log_verify(dirfd_, pub, NULL, NULL, &v, &e), 0);
    audit_key_free(pub);
}

static void a_torn_line_is_cut_and_said(void **s)
{
    size_t len;
    struct audit_verdict v;
    struct err e = ERR_INIT;

    (void)s;
    write_log(5);

    int fd = openat(dirfd_, "log", O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_int_equal(io_write_full(fd, "{\"actor\":\"gu", 12), 0);
    close(fd);
    assert_int_equal(verify(&v), -EBADMSG);
    write_log(1);
    assert_int_equal(verify(&v), 0);
    assert_int_equal(v.records, 7);

    char *log = slurp("log", &len);

    assert_non_null(strstr(log, "\"bytes\":12,\"decision\":\"event\""));
    free(log);
    (void)e;
}

static void h14_two_writers(void **s)
{
    struct err e = ERR_INIT;
    struct audit_log *l = audit_log_open(dirfd_, "quiet-otter", key, &e);

    (void)s;
    assert_non_null(l);
    assert_null(audit_log_open(dirfd_, "quiet-otter", key, &e));
    assert_int_equal(e.code, EBUSY);
    assert_int_equal(audit_log_close(l, &e), 0);
}

/* ---- what a reader sees ---- */

struct seen {
    uint64_t n, last;
    int stop_at; /* -1: never */
};

static int see(void *arg, const struct audit_record *r)
{
    struct seen *s = arg;

    if (s->stop_at >= 0 && s->n == (uint64_t)s->stop_at)
        return -ECANCELED;
    s->n++;
    s->last = r->seq;
    return 0;
}

static enum audit_fault check(bool vouched, int kept_fd, struct seen *s, struct audit_verdict *v)
{
    const struct audit_check c = {
        .dirfd = dirfd_, .key = key, .kept_fd = kept_fd, .vouched = vouched, .each = see, .arg = s
    };

    s->n = 0;
    return audit_log_check(&c, v, NULL) ? v->fault : AUDIT_SOUND;
}

/* Replaces the first occurrence of a text of the same length behind an offset. */
static void overwrite(const char *name, const char *was, const char *is, size_t from)
{
    size_t len;
    char *p = slurp(name, &len), *at = strstr(p + from, was);

    assert_non_null(at);
    for (size_t i = 0; is[i]; i++)
        at[i] = is[i];
    spill(name, p, len);
    free(p);
}

static void only_what_is_vouched_for_is_seen(void **s)
{
    struct seen seen = { .stop_at = -1 };
    struct audit_verdict v;
    size_t len;

    (void)s;
    write_log(2500);
    assert_int_equal(check(true, -1, &seen, &v), AUDIT_SOUND);
    assert_int_equal(seen.n, 2500);
    assert_int_equal(seen.last, 2499);
    assert_int_equal(v.chain.size, 2500);

    char *log = slurp("log", &len), *at = log;

    assert_int_equal(v.bytes, len);
    /* Record 1,700 changes: the 700 before it have only their chain. */
    for (unsigned i = 0; i < 1700; i++)
        at = strchr(at, '\n') + 1;
    *strstr(at, "guest") = 'G';
    spill("log", log, len);
    free(log);
    assert_int_equal(check(false, -1, &seen, &v), AUDIT_TAMPERED);
    assert_int_equal(seen.n, 1701); /* it parses: the next one does not follow it */
    assert_int_equal(check(true, -1, &seen, &v), AUDIT_TAMPERED);
    assert_int_equal(seen.n, 1000);
    assert_int_equal(v.covered, 1000);
    assert_int_equal(v.records, 1701);
}

/* H07: a checkpoint that cannot be written stops the record after it, which is then not there. */
static void h07_what_is_refused_is_not_on_record(void **s)
{
    struct err e = ERR_INIT;
    struct audit_log *l = audit_log_open(dirfd_, "0123456789ab", key, &e);
    struct seen seen = { .stop_at = -1 };
    struct audit_verdict v;
    struct audit_record r;
    char link[32], path[128];
    unsigned taken = 0;

    (void)s;
    assert_non_null(l);
    for (int fd = 3; fd < 64; fd++) {
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        path[n > 0 ? n : 0] = '\0';
        if (strstr(path, dir) && strstr(path, "/checkpoints")) {
            int full = open("/dev/full", O_RDWR | O_CLOEXEC);

            assert_int_equal(dup2(full, fd), fd);
            close(full);
        }
    }
    for (unsigned i = 0; i < 1100; i++) {
        fill(&r, i);
        r.decision = AUDIT_ALLOW;
        taken += audit_log_append(l, &r, false, &e) == 0;
    }
    assert_int_equal(taken, 1000);
    assert_true(audit_log_close(l, &e) < 0);
    assert_int_equal(check(false, -1, &seen, &v), AUDIT_SOUND);
    assert_int_equal(v.records, taken);
}

static void a_reader_can_stop(void **s)
{
    struct seen seen = { .stop_at = 3 };
    struct audit_verdict v;

    (void)s;
    write_log(20);
    assert_int_equal(check(false, -1, &seen, &v), AUDIT_UNREADABLE);
    assert_int_equal(seen.n, 3);
    assert_int_equal(check(true, -1, &seen, &v), AUDIT_UNREADABLE);
    assert_int_equal(seen.n, 3);
}

static void what_is_wrong_has_a_kind(void **s)
{
    struct seen seen = { .stop_at = -1 };
    struct audit_verdict v;
    struct err e = ERR_INIT;
    const struct audit_check c = { .dirfd = dirfd_, .key = key, .kept_fd = -1 };
    size_t len, notes_len;

    (void)s;
    assert_int_equal(check(false, -1, &seen, &v), AUDIT_UNREADABLE); /* there is none */
    write_log(10);

    char *log = slurp("log", &len), *notes = slurp("checkpoints", &notes_len);

    spill("log", log, len - 1);
    assert_int_equal(check(false, -1, &seen, &v), AUDIT_SHORT);
    spill("checkpoints", notes, 0);
    assert_int_equal(check(false, -1, &seen, &v), AUDIT_TORN);
    assert_int_equal(seen.n, 9);
    assert_int_equal(log_judge(&c, NULL, &v, &e), LOG_CUT);
    spill("log", log, len);
    assert_int_equal(check(false, -1, &seen, &v), AUDIT_SOUND);
    assert_int_equal(v.covered, 0);
    assert_false(v.closed);
    assert_int_equal(log_judge(&c, NULL, &v, &e), LOG_CUT);
    spill("checkpoints", notes, notes_len - 1);
    assert_int_equal(check(false, -1, &seen, &v), AUDIT_TORN);
    spill("checkpoints", notes, notes_len);
    assert_int_equal(log_judge(&c, NULL, &v, &e), LOG_CLOSED);
    assert_int_equal(log_judge(&c, "0123456789ab", &v, &e), LOG_BROKEN);
    overwrite("log", "\"seq\":4", "\"seq\":5", 0);
    assert_int_equal(check(false, -1, &seen, &v), AUDIT_TAMPERED);
    assert_int_equal(v.records, 4);
    free(log);
    free(notes);
}

static void a_kept_checkpoint_binds(void **s)
{
    struct seen seen = { .stop_at = -1 };
    struct audit_verdict v;
    size_t len;

    (void)s;
    write_log(1200);

    char *notes = slurp("checkpoints", &len);
    int kept;

    spill("kept", notes, len);
    free(notes);
    kept = openat(dirfd_, "kept", O_RDONLY | O_CLOEXEC);
    assert_int_equal(check(false, kept, &seen, &v), AUDIT_SOUND);
    assert_int_equal(v.kept, 2);
    /* Another log of the same sandbox, with the same key. */
    assert_int_equal(unlinkat(dirfd_, "log", 0), 0);
    assert_int_equal(unlinkat(dirfd_, "checkpoints", 0), 0);
    write_log(1200);
    assert_int_equal(check(false, -1, &seen, &v), AUDIT_SOUND);
    assert_int_equal(lseek(kept, 0, SEEK_SET), 0);
    assert_int_equal(check(true, kept, &seen, &v), AUDIT_TAMPERED);
    assert_int_equal(seen.n, 0); /* also its own checkpoint vouches for nothing then */
    assert_int_equal(v.records, 1000);
    close(kept);
}

static void a_log_that_is_written_lives(void **s)
{
    struct err e = ERR_INIT;
    struct audit_log *l = audit_log_open(dirfd_, "0123456789ab", key, &e);
    struct audit_record r = { .decision = AUDIT_EVENT, .grade = '-' };
    struct log_look look;
    struct audit_verdict v;
    const struct audit_check c = { .dirfd = dirfd_, .key = key, .kept_fd = -1 };

    (void)s;
    assert_true(audit_log_lives(dirfd_));
    snprintf(r.kind, sizeof(r.kind), "sandbox.start");
    snprintf(r.object, sizeof(r.object), "quiet-otter image base");
    assert_int_equal(audit_log_append(l, &r, false, &e), 0);
    assert_int_equal(log_judge(&c, "0123456789ab", &v, &e), LOG_LIVE);
    log_look(dirfd_, "0123456789ab", key, &look);
    assert_int_equal(look.state, LOG_LIVE);
    assert_string_equal(look.name, "quiet-otter");
    assert_int_equal(look.records, 1);
    assert_int_equal(audit_log_close(l, &e), 0);
    assert_false(audit_log_lives(dirfd_));
    assert_int_equal(log_judge(&c, "0123456789ab", &v, &e), LOG_CLOSED);
    log_look(dirfd_, "0123456789ab", key, &look);
    assert_int_equal(look.state, LOG_CLOSED);
    log_look(dirfd_, "ba9876543210", key, &look);
    assert_int_equal(look.state, LOG_BROKEN);
}

/* ---- what objects say ---- */

static void objects_in_both_spellings(void **s)
{
    static const struct {
        const char *object, *name;
        int position;
        const char *value; /* NULL: none */
    } cases[] = {
        { "file read /workspace/a", "path", 2, "/workspace/a" },
        { "file --path /workspace/a --op write", "path", 2, "/workspace/a" },
        { "file --path /workspace/a --op write", "op", 1, "write" },
        { "file --path /workspace/a", "op", 1, NULL },
        { "file --path \"/a b\\\"c\\x0a\"", "path", 2, "/a b\"c\n" },
        { "exec /bin/sh -- --path /x", "path", 1, "/bin/sh" },
        { "exec -- --path /x", "path", 1, NULL },
        { "exec --path", "path", 1, NULL },
        { "", "path", 0, NULL },
        { "exec \"/unended", "path", 1, "/unended" },
        { "exec \"\\x00\"", "path", 1, "x00" },
    };
    char value[64];

    (void)s;
    for (size_t i = 0; i < array_len(cases); i++) {
        bool has =
            object_value(cases[i].object, cases[i].name, cases[i].position, value, sizeof(value));

        assert_int_equal(has, cases[i].value != NULL);
        if (has)
            assert_string_equal(value, cases[i].value);
    }
    assert_true(object_value("file read /workspace/long", "path", 2, value, 5));
    assert_string_equal(value, "/wor");
    assert_string_equal(object_rest("exec /bin/sh -- -c \"a  b\""), "-c \"a  b\"");
    assert_string_equal(object_rest("exec /bin/sh"), "");
}

static void destinations(void **s)
{
    static const char *const cases[][2] = {
        { "connect api.github.com:8443", "api.github.com:8443" },
        { "connect --host api.github.com", "api.github.com:443" },
        { "http --host x.org --port 80 --method GET", "x.org:80" },
        { "http x.org GET /", "x.org:443" },
    };
    struct tally *t = tally_new();
    struct audit_record r = { .decision = AUDIT_DENY };
    char value[64];

    (void)s;
    for (size_t i = 0; i < array_len(cases); i++) {
        assert_true(object_destination(cases[i][0], value, sizeof(value)));
        assert_string_equal(value, cases[i][1]);
    }
    assert_false(object_destination("connect", value, sizeof(value)));
    snprintf(r.kind, sizeof(r.kind), "http");
    for (unsigned i = 0; i < 3; i++) {
        snprintf(r.object, sizeof(r.object), i == 1 ? "http x.org:443 GET /" : "http --host x.org");
        assert_int_equal(tally_add(t, &r), 0);
    }
    assert_int_equal(t->nhosts, 1);
    assert_int_equal(t->host[0].denied, 3);
    tally_free(t);
}

/* Markup in every text that a guest may choose. */
static void the_page_holds_no_markup_of_others(void **s)
{
    struct tally *t = tally_new();
    struct audit_record r = { .decision = AUDIT_DENY, .untrusted = true, .grade = '<' };
    static const struct report_grant grant = { "<i>g", "<i>text", true };
    const struct report_policy policy = { &grant, 1, "<i>note" };
    const struct report_proof proof = { false, "<i>name", "<i>said" };
    char *page = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&page, &len);

    (void)s;
    snprintf(r.sandbox, sizeof(r.sandbox), "<i>box");
    snprintf(r.policy, sizeof(r.policy), "<i>policy");
    snprintf(r.actor, sizeof(r.actor), "<i>actor");
    snprintf(r.kind, sizeof(r.kind), "http.<i>");
    snprintf(r.rule, sizeof(r.rule), "<i>rule");
    snprintf(r.object, sizeof(r.object), "http <i>host:1 GET \x1b[2J'\"");
    assert_int_equal(tally_add(t, &r), 0);
    assert_int_equal(report_write(out, t, &policy, &proof), 0);
    assert_int_equal(fclose(out), 0);
    assert_null(strstr(page, "<i>"));
    assert_null(strchr(page, '\x1b'));
    assert_non_null(strstr(page, "&lt;i&gt;host:1"));
    assert_non_null(strstr(page, "does not verify"));
    free(page);
    tally_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_one_spelling),
        cmocka_unit_test(the_longest_record_fits),
        cmocka_unit_test(guest_text_is_made_harmless),
        cmocka_unit_test(the_tree_is_rfc_6962s),
        cmocka_unit_test_setup_teardown(what_was_written_verifies, setup, teardown),
        cmocka_unit_test_setup_teardown(tamperings_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(another_key_does_not_verify, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_line_is_cut_and_said, setup, teardown),
        cmocka_unit_test_setup_teardown(h14_two_writers, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_is_vouched_for_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(h07_what_is_refused_is_not_on_record, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_can_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_has_a_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kept_checkpoint_binds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_that_is_written_lives, setup, teardown),
        cmocka_unit_test(objects_in_both_spellings),
        cmocka_unit_test(destinations),
        cmocka_unit_test(the_page_holds_no_markup_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
