/* test_seccomp.c - a filter that is weaker, or stronger, than its rules does not get through. */
#include "policies/words.h"
#include "sandbox/confine/profile.h"

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

/* Any number a filter may look at, near those that this model names. */
static bool differs_at_random(const struct seccomp_model *m, uint32_t len)
{
    for (int i = 0; i < 300; i++) {
        const struct seccomp_rule *r = &m->rules[rnd() % m->nrules];
        struct bpf_call call = { .nr = (int32_t)(rnd() % 4 ? r->nr : (uint32_t)(rnd() % 512)),
                                 .arch = rnd() % 16 ? AUDIT_ARCH_X86_64 : (uint32_t)rnd() };

        for (unsigned a = 0; a < SECCOMP_ARGS; a++)
            call.args[a] = random_word();
        for (unsigned a = 0; a < r->nargs; a++)
            if (rnd() % 4)
                call.args[r->arg[a].index] = r->arg[a].value ^ (rnd() % 3 ? 0 : 1ull << rnd() % 64);
        if (bpf_run(prog, len, &call) != seccomp_decide(m, &call))
            return true;
    }
    return false;
}

struct mutants {
    unsigned refused, found, same;
};

/* One changed byte: refused, or found with a call that shows it, or a proof that nothing changed,
 * which neither boundary values nor chance contradict. */
static void judge_mutant(const struct seccomp_model *m, uint32_t len, struct mutants *n)
{
    struct seccomp_witness w;
    struct err e = ERR_INIT;

    if (bpf_check(prog, len, NULL)) {
        n->refused++;
        return;
    }
    switch (seccomp_prove(m, prog, len, &w, NULL, &e)) {
    case -EILSEQ:
        n->found++;
        assert_int_equal(bpf_run(prog, len, &w.call), w.filter);
        assert_int_equal(seccomp_decide(m, &w.call), w.model);
        assert_int_not_equal(w.filter, w.model);
        break;
    case -E2BIG: n->refused++; break; /* what cannot be proved is not loaded */
    case 0:
        n->same++;
        assert_false(differs_at_random(m, len));
        if (n->same % 8 == 1)
            assert_int_equal(seccomp_verify(m, prog, len, &w, NULL, NULL), 0);
        break;
    default: fail_msg("%s", e.msg);
    }
}

static void p13_every_byte_of_real_filters(void **s)
{
    bool all = getenv("CARREL_ROUNDS");
    struct arena a = ARENA_INIT;
    struct mutants n = { 0 };
    struct bits calls;
    struct seccomp_model m[3];
    struct seccomp_rule rules[2][PROCESS_RULES_MAX];

    (void)s;
    process_model(process_find("vmm-vcpu"), USE_ALL, rules[0], &m[0]);
    process_model(process_find("vmm-io"), USE_ALL, rules[1], &m[1]);
    syscall_base(SYSCALLS_TOOL_DEFAULT, &calls);
    tool_model(&a, &calls, &m[2]);
    for (unsigned i = 0; i < array_len(m); i++) {
        uint32_t len;

        assert_int_equal(filter_compile(&m[i], prog, &len, NULL), 0);
        for (size_t at = 0; at < len * sizeof(prog[0]); at += i < 2 || all ? 1 : 13) {
            uint8_t *byte = (uint8_t *)prog + at, was = *byte;

            for (unsigned bit = 0; bit < 8; bit++) {
                *byte = (uint8_t)(was ^ 1u << bit);
                judge_mutant(&m[i], len, &n);
            }
            *byte = (uint8_t)~was;
            judge_mutant(&m[i], len, &n);
            *byte = was;
        }
    }
    print_message("%u changed bytes refused, %u found, %u without a meaning\n", n.refused, n.found,
                  n.same);
    assert_true(n.found > n.same);
    arena_fini(&a);
}

static void p12_more_than_the_kernel_takes(void **s)
{
    static struct seccomp_rule rules[5000];
    struct seccomp_model m = { DENY, FOREIGN, rules, array_len(rules) };
    struct err e = ERR_INIT;
    uint32_t len;

    (void)s;
    for (uint32_t i = 0; i < array_len(rules); i++)
        rules[i].nr = 2 * i;
    assert_int_equal(filter_compile(&m, prog, &len, &e), -E2BIG);
    assert_non_null(strstr(e.msg, "instructions: the kernel takes 4096"));
}

/* An answer of its own, and what is refused about it. */
static void a_call_may_have_its_own_errno(void **s)
{
    struct seccomp_rule rules[] = { { .nr = 1 }, { .nr = 435, .action = SECCOMP_RET_ERRNO | 38 } };
    struct seccomp_model m = { DENY, FOREIGN, rules, 2 };
    struct bpf_call call = { .nr = 435, .arch = AUDIT_ARCH_X86_64 };
    struct seccomp_witness w;
    uint32_t len;

    (void)s;
    assert_int_equal(filter_compile(&m, prog, &len, NULL), 0);
    assert_int_equal(bpf_run(prog, len, &call), SECCOMP_RET_ERRNO | 38);
    assert_int_equal(seccomp_decide(&m, &call), SECCOMP_RET_ERRNO | 38);
    rules[1].action = SECCOMP_RET_ERRNO | 22;
    assert_int_equal(seccomp_prove(&m, prog, len, &w, NULL, NULL), -EILSEQ);
    assert_int_equal(w.call.nr, 435);
    rules[1].action = DENY; /* as everything else: no rule to libseccomp */
    assert_int_equal(filter_compile(&m, prog, &len, NULL), 0);
    rules[1].action = SECCOMP_RET_ALLOW;
    assert_int_equal(seccomp_check(&m, NULL), -EINVAL);
    rules[1] = (struct seccomp_rule){ .nr = 1, .action = SECCOMP_RET_ERRNO | 38 };
    assert_int_equal(seccomp_check(&m, NULL), -EINVAL);
    rules[1] = (struct seccomp_rule){
        .nr = 435, .nargs = 1, .action = SECCOMP_RET_ERRNO | 38, .arg = { { 0, 1, 1 } }
    };
    assert_int_equal(seccomp_check(&m, NULL), -EINVAL);
}

/* Words at which comparisons change their mind. */
static const uint32_t edges[] = { 0,    1,     2,          15,       16,         17,        0x7f,
                                  0xff, 0x100, 0x7fffffff, 1u << 31, 0xfffffffe, UINT32_MAX };

static struct bpf_insn random_insn(uint32_t room)
{
    /* Not arithmetic: its operands are decided bit by bit, which takes a proof's whole budget. */
    static const uint16_t ops[] = {
        BPF_LD | BPF_W | BPF_ABS,  BPF_LD | BPF_W | BPF_ABS,  BPF_ALU | BPF_AND | BPF_K,
        BPF_MISC | BPF_TAX,        BPF_MISC | BPF_TXA,        BPF_ST,
        BPF_LD | BPF_MEM,          BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JGT | BPF_K,
        BPF_JMP | BPF_JGE | BPF_K, BPF_JMP | BPF_JGE | BPF_K, BPF_JMP | BPF_JSET | BPF_K,
        BPF_RET | BPF_K,
    };
    struct bpf_insn in = { .code = ops[rnd() % array_len(ops)],
                           .k = edges[rnd() % array_len(edges)] };

    if (!room || BPF_CLASS(in.code) == BPF_RET)
        return (struct bpf_insn){ BPF_RET | BPF_K, 0, 0, rnd() % 3 ? DENY : SECCOMP_RET_ALLOW };
    if (in.code == (BPF_LD | BPF_W | BPF_ABS))
        in.k = 16 + 4 * (uint32_t)(rnd() % 2);
    if (in.code == BPF_ST || in.code == (BPF_LD | BPF_MEM))
        in.k &= 3;
    if (BPF_CLASS(in.code) == BPF_JMP) {
        in.jt = (uint8_t)(rnd() % room);
        in.jf = (uint8_t)(rnd() % room);
    }
    return in;
}

/* Other architectures and x32, as every filter begins. */
static const struct bpf_insn head[] = {
    { BPF_LD | BPF_W | BPF_ABS, 0, 0, 4 },
    { BPF_JMP | BPF_JEQ | BPF_K, 0, 3, AUDIT_ARCH_X86_64 },
    { BPF_LD | BPF_W | BPF_ABS, 0, 0, 0 },
    { BPF_JMP | BPF_JGE | BPF_K, 0, 2, 0x40000000 },
    { BPF_JMP | BPF_JEQ | BPF_K, 1, 0, UINT32_MAX },
    { BPF_RET | BPF_K, 0, 0, FOREIGN },
};

/* One comparison of one word, which lets through what it is true for: never nothing, but for the
 * two that nothing satisfies. */
static void the_proof_sees_the_last_word_of_a_range(void **s)
{
    static const uint16_t ops[] = { BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET };
    const struct seccomp_model m = { DENY, FOREIGN, NULL, 0 };
    const uint32_t n = array_len(head);

    (void)s;
    memcpy(prog, head, sizeof(head));
    for (size_t op = 0; op < array_len(ops); op++)
        for (size_t i = 0; i < array_len(edges); i++) {
            bool never = (ops[op] == BPF_JGT && edges[i] == UINT32_MAX) ||
                         (ops[op] == BPF_JSET && edges[i] == 0);
            struct seccomp_witness w;

            prog[n] = (struct bpf_insn){ BPF_LD | BPF_W | BPF_ABS, 0, 0, 16 };
            prog[n + 1] =
                (struct bpf_insn){ (uint16_t)(BPF_JMP | ops[op] | BPF_K), 0, 1, edges[i] };
            prog[n + 2] = (struct bpf_insn){ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
            prog[n + 3] = (struct bpf_insn){ BPF_RET | BPF_K, 0, 0, DENY };
            assert_int_equal(seccomp_prove(&m, prog, n + 4, &w, NULL, NULL), never ? 0 : -EILSEQ);
            if (!never)
                assert_int_equal(bpf_run(prog, n + 4, &w.call), SECCOMP_RET_ALLOW);
        }
}

/* Programs that no compiler here writes, against a model that allows nothing: where the proof sees
 * a difference, its witness shows it; where it sees none, no edge of any comparison does. */
static void the_proof_runs_what_the_interpreter_runs(void **s)
{
    const struct seccomp_model m = { DENY, FOREIGN, NULL, 0 };
    unsigned differ = 0, equal = 0;

    (void)s;
    memcpy(prog, head, sizeof(head));
    for (int round = 0; round < 4000; round++) {
        uint32_t len = array_len(head) + 2 + (uint32_t)(rnd() % 6);
        struct bpf_call call = { .arch = AUDIT_ARCH_X86_64 };
        struct seccomp_witness w;

        for (uint32_t i = array_len(head); i < len; i++)
            prog[i] = random_insn(len - i - 1);
        if (bpf_check(prog, len, NULL))
            continue;
        switch (seccomp_prove(&m, prog, len, &w, NULL, NULL)) {
        case 0:
            equal++;
            for (size_t lo = 0; lo < array_len(edges); lo++)
                for (size_t hi = 0; hi < array_len(edges); hi++) {
                    call.args[0] = (uint64_t)edges[hi] << 32 | edges[lo];
                    assert_int_equal(bpf_run(prog, len, &call), DENY);
                }
            break;
        case -EILSEQ:
            differ++;
            assert_int_equal(bpf_run(prog, len, &w.call), w.filter);
            assert_int_equal(seccomp_decide(&m, &w.call), w.model);
            assert_int_not_equal(w.filter, w.model);
            break;
        default: break; /* too complex */
        }
    }
    assert_true(differ > 500);
    assert_true(equal > 500);
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
        cmocka_unit_test(p13_every_byte_of_real_filters),
        cmocka_unit_test(p13_known_range_miscompilation),
        cmocka_unit_test(p12_more_than_the_kernel_takes),
        cmocka_unit_test(a_call_may_have_its_own_errno),
        cmocka_unit_test(the_proof_sees_the_last_word_of_a_range),
        cmocka_unit_test(the_proof_runs_what_the_interpreter_runs),
        cmocka_unit_test(unsound_models_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
