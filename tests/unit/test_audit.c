/* test_audit.c - what was recorded cannot be changed, cut, reordered or added to without a trace.
 */
#include "sandbox/audit/checkpoint.h"
#include "sandbox/audit/log.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
