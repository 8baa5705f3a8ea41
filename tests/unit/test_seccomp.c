/* test_seccomp.c - a filter that is weaker, or stronger, than its rules does not get through. */
#include "sandbox/confine/compile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define DENY    (SECCOMP_RET_ERRNO | 1)
#define FOREIGN SECCOMP_RET_KILL_PROCESS

static struct bpf_insn prog[BPF_INSNS_MAX];
static uint64_t rng = 0x2545f4914f6cdd1dull;

static uint64_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

static uint64_t random_word(void)
{
    static const uint64_t words[] = { 1,          0x5413,     0xae80,           0x4020ae46,
                                      UINT32_MAX, 1ull << 32, (1ull << 32) + 1, UINT64_MAX,
                                      1ull << 63 };

    return rnd() % 2 ? words[rnd() % array_len(words)] : rnd() >> rnd() % 64;
}

static void random_model(struct seccomp_model *m, struct seccomp_rule *rules, uint32_t max)
{
    *m = (struct seccomp_model){ DENY, FOREIGN, rules, 1 + (uint32_t)(rnd() % max) };
    for (uint32_t i = 0; i < m->nrules; i++) {
        struct seccomp_rule *r = &rules[i];
        unsigned first = (unsigned)(rnd() % SECCOMP_ARGS);

        *r = (struct seccomp_rule){ .nr = (uint32_t)(rnd() % 12), .nargs = (uint8_t)(rnd() % 4) };
        for (unsigned k = 0; k < r->nargs; k++) {
            struct seccomp_arg *a = &r->arg[k];

            a->index = (uint8_t)((first + k) % SECCOMP_ARGS);
            a->mask = rnd() % 2 ? UINT64_MAX : random_word();
            if (a->mask == 0)
                a->mask = 1;
            a->value = random_word() & a->mask;
        }
    }
}

/* Many random models: each filter that libseccomp makes is verified; where it made a wrong one, the
 * compile refuses instead of returning it. */
static void random_models_compile_and_agree(void **s)
{
    const char *rounds = getenv("CARREL_ROUNDS");
    long n = rounds ? strtol(rounds, NULL, 10) : 300, agreed = 0, refused = 0, heavy = 0;

    (void)s;
    for (long i = 0; i < n; i++) {
        struct seccomp_rule rules[8];
        struct seccomp_model m;
        uint32_t len;
        struct err e = ERR_INIT;

        random_model(&m, rules, array_len(rules));

        int err = filter_compile(&m, prog, &len, &e);

        if (err == -EILSEQ) {
            refused++;
            continue;
        }
        if (err == -E2BIG) { /* several conditions on whole words, rule beside rule */
            heavy++;
            continue;
        }
        if (err)
            fail_msg("%s", e.msg);
        agreed++;
        for (int k = 0; k < 500; k++) {
            struct bpf_call call = { .nr = (int32_t)(rnd() % 13), .arch = AUDIT_ARCH_X86_64 };

            for (unsigned a = 0; a < SECCOMP_ARGS; a++)
                call.args[a] = random_word();
            assert_int_equal(bpf_run(prog, len, &call), seccomp_decide(&m, &call));
        }
    }
    print_message("%ld models agree, %ld miscompiled and refused, %ld too complex to prove\n",
                  agreed, refused, heavy);
    assert_true(agreed > n / 2);
}

/* Every single-instruction mutant of a real filter is noticed. */
static void p13_no_mutant_survives(void **s)
{
    static const struct seccomp_rule rules[] = {
        { .nr = 0 },
        { .nr = 1 },
        { .nr = 16, .nargs = 1, .arg = { { 1, UINT64_MAX, 0xae80 } } },
        { .nr = 16, .nargs = 1, .arg = { { 1, UINT64_MAX, 0x4020aea5 } } },
        { .nr = 9, .nargs = 2, .arg = { { 2, 0x800000004, 0 }, { 3, 0x900000010, 0x100000010 } } },
    };
    const struct seccomp_model m = { DENY, FOREIGN, rules, array_len(rules) };
    struct seccomp_witness w;
    uint32_t len;

    (void)s;
    assert_int_equal(filter_compile(&m, prog, &len, NULL), 0);
    for (uint32_t i = 0; i < len; i++) {
        struct bpf_insn was = prog[i];

        for (unsigned bit = 0; bit < 32; bit++) {
            prog[i].k = was.k ^ 1u << bit;
            /* A jump always's k moves it; a load's k reads elsewhere; all may be equivalent only
             * where the kernel would refuse them. */
            if (bpf_check(prog, len, NULL) == 0 &&
                seccomp_verify(&m, prog, len, &w, NULL, NULL) == 0)
                fail_msg("instruction %u: k %#x passes for %#x", i, prog[i].k, was.k);
        }
        prog[i] = was;
        if (BPF_CLASS(was.code) == BPF_JMP && was.jt != was.jf) {
            prog[i].jt = was.jf;
            prog[i].jf = was.jt;
            assert_int_equal(seccomp_verify(&m, prog, len, &w, NULL, NULL), -EILSEQ);
            prog[i] = was;
        }
    }
}

/* libseccomp, asked for "below 1 or at least 2^32 + 1", lets 6 through: 6 is neither. */
static void p13_known_range_miscompilation(void **s)
{
    static const struct seccomp_rule zero = { .nr = 39,
                                              .nargs = 1,
                                              .arg = { { 0, UINT64_MAX, 0 } } };
    const struct seccomp_model meant = { DENY, FOREIGN, &zero, 1 };
    scmp_filter_ctx ctx = seccomp_init(DENY);
    int fd = memfd_create("filter", MFD_CLOEXEC);
    struct bpf_call six = { .nr = 39, .arch = AUDIT_ARCH_X86_64, .args = { 6 } };
    struct seccomp_witness w;
    struct err e = ERR_INIT;

    (void)s;
    assert_int_equal(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, FOREIGN), 0);
    assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, 39, 1, SCMP_A0(SCMP_CMP_LT, 1, 0)), 0);
    assert_int_equal(
        seccomp_rule_add(ctx, SCMP_ACT_ALLOW, 39, 1, SCMP_A0(SCMP_CMP_GE, (1ull << 32) + 1, 0)), 0);
    assert_int_equal(seccomp_export_bpf(ctx, fd), 0);

    ssize_t n = pread(fd, prog, sizeof(prog), 0);

    assert_true(n > 0);
    seccomp_release(ctx);
    close(fd);
    assert_int_equal(bpf_run(prog, (uint32_t)n / 8, &six), SECCOMP_RET_ALLOW);
    assert_int_equal(seccomp_verify(&meant, prog, (uint32_t)n / 8, &w, NULL, &e), -EILSEQ);
    if (w.call.nr != 39 || w.filter != SECCOMP_RET_ALLOW)
        fail_msg("%s", e.msg);
}

static void unsound_models_are_refused(void **s)
{
    static const struct seccomp_rule bad[] = {
        { .nr = 0x40000001 },
        { .nr = 1, .nargs = 1, .arg = { { 6, 1, 1 } } },
        { .nr = 1, .nargs = 1, .arg = { { 0, 0, 0 } } },
        { .nr = 1, .nargs = 1, .arg = { { 0, 1, 2 } } },
        { .nr = 1, .nargs = 2, .arg = { { 0, 1, 1 }, { 0, 2, 2 } } },
        { .nr = 1, .nargs = 7 },
    };
    const struct seccomp_rule fine = { .nr = 1 };
    uint32_t len;

    (void)s;
    for (size_t i = 0; i < array_len(bad); i++) {
        const struct seccomp_model m = { DENY, FOREIGN, &bad[i], 1 };

        assert_int_equal(filter_compile(&m, prog, &len, NULL), -EINVAL);
    }

    const struct seccomp_model open = { SECCOMP_RET_ALLOW, FOREIGN, &fine, 1 };
    const struct seccomp_model foreign = { DENY, SECCOMP_RET_LOG, &fine, 1 };

    assert_int_equal(filter_compile(&open, prog, &len, NULL), -EINVAL);
    assert_int_equal(filter_compile(&foreign, prog, &len, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_models_compile_and_agree),
        cmocka_unit_test(p13_no_mutant_survives),
        cmocka_unit_test(p13_known_range_miscompilation),
        cmocka_unit_test(unsound_models_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
