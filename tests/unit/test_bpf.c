/*
 * test_bpf.c - our reading of classic BPF against the kernel's.
 *
 * The oracle is seccomp itself: a child loads a random program and makes one call. The kernel's
 * verdict on the program, and its answer to the call, must be ours.
 */
#include "policies/bpf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PROBE_NR 0x123 /* any number: the filter answers before the kernel looks it up */

static uint64_t rng = 0x9e3779b97f4a7c15ull;

static uint32_t rnd(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 32) % n;
}

struct verdict {
    int accepted;
    int answer; /* errno the filter returned for the probe */
};

static struct verdict *shared;

/* After the load no system call may matter: every answer is an errno, and the end is a trap. */
static void probe_in_child(const struct bpf_insn *prog, uint32_t len, const uint64_t args[6])
{
    struct sock_fprog fprog = { .len = (unsigned short)len, .filter = (void *)(uintptr_t)prog };

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog))
        _exit(1);
    shared->accepted = 1;

    long got = syscall(PROBE_NR, args[0], args[1], args[2], args[3], args[4], args[5]);

    shared->answer = got < 0 ? errno : 0;
    __builtin_trap();
}

static struct verdict ask_kernel(const struct bpf_insn *prog, uint32_t len, const uint64_t args[6])
{
    int status;
    pid_t pid;

    memset(shared, 0, sizeof(*shared));
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        probe_in_child(prog, len, args);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return *shared;
}

/* Interesting words: boundaries, and what the call holds. */
static uint32_t word(void)
{
    static const uint32_t words[] = {
        0,         1, 2, 6, 31, 32, 0x7fffffff, 0x80000000, 0xffffffff, PROBE_NR, AUDIT_ARCH_X86_64,
        0xdeadbeef
    };

    return rnd(3) ? words[rnd(array_len(words))] : rnd(0xffffffff);
}

static struct bpf_insn random_insn(uint32_t left, bool last)
{
    static const uint16_t alu[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_AND, BPF_OR, BPF_XOR,
                                    BPF_LSH, BPF_RSH, BPF_DIV, BPF_NEG, BPF_MOD };
    static const uint16_t jmp[] = { BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET };
    uint16_t src = rnd(2) ? BPF_X : BPF_K;

    if (last && rnd(16))
        return (struct bpf_insn){ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | (1 + rnd(4000)) };
    switch (rnd(12)) {
    case 0: return (struct bpf_insn){ BPF_LD | BPF_W | BPF_ABS, 0, 0, 4 * rnd(17) + !rnd(12) };
    case 1: return (struct bpf_insn){ BPF_LD | BPF_IMM, 0, 0, word() };
    case 2: return (struct bpf_insn){ BPF_LDX | BPF_IMM, 0, 0, word() };
    case 3: return (struct bpf_insn){ rnd(2) ? BPF_ST : BPF_STX, 0, 0, rnd(rnd(8) ? 4 : 18) };
    case 4:
        return (struct bpf_insn){ (uint16_t)((rnd(2) ? BPF_LD : BPF_LDX) | BPF_MEM), 0, 0,
                                  rnd(rnd(8) ? 4 : 18) };
    case 5:
        return (struct bpf_insn){ (uint16_t)(BPF_MISC | (rnd(2) ? BPF_TAX : BPF_TXA)), 0, 0, 0 };
    case 6: return (struct bpf_insn){ BPF_JMP | BPF_JA, 0, 0, rnd(left + !rnd(20)) };
    case 7:
    case 8:
        return (struct bpf_insn){ (uint16_t)(BPF_JMP | jmp[rnd(array_len(jmp))] | src),
                                  (uint8_t)rnd(left + !rnd(20)), (uint8_t)rnd(left + !rnd(20)),
                                  word() };
    case 9:
        return (struct bpf_insn){ (uint16_t)((rnd(2) ? BPF_LD : BPF_LDX) | BPF_W | BPF_LEN), 0, 0,
                                  0 };
    case 10:
        return (struct bpf_insn){ (uint16_t)(rnd(30) ? BPF_ALU | BPF_ADD | src : rnd(256)), 0, 0,
                                  word() };
    default:
        return (struct bpf_insn){ (uint16_t)(BPF_ALU | alu[rnd(array_len(alu))] | src), 0, 0,
                                  rnd(3) ? rnd(34) : word() };
    }
}

static void agrees_with_the_kernel(void **s)
{
    unsigned accepted = 0, refused = 0;

    (void)s;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("skipped: a sanitizer's own system calls cannot live under random filters\n");
    skip();
#endif
    for (int round = 0; round < 3000; round++) {
        struct bpf_insn prog[24];
        uint32_t len = 1 + rnd(array_len(prog));
        uint64_t args[6];
        struct bpf_call call = { .nr = PROBE_NR, .arch = AUDIT_ARCH_X86_64 };

        for (uint32_t i = 0; i < len; i++)
            prog[i] = random_insn(len - i, i + 1 == len);
        for (int i = 0; i < 6; i++)
            args[i] = call.args[i] = (uint64_t)word() << 32 | word();
        /* The instruction pointer is not ours to choose: no program may look at it. */
        for (uint32_t i = 0; i < len; i++)
            if (prog[i].code == (BPF_LD | BPF_W | BPF_ABS) && (prog[i].k == 8 || prog[i].k == 12))
                prog[i].k = 16;

        struct verdict theirs = ask_kernel(prog, len, args);
        int ours = bpf_check(prog, len, NULL);

        assert_int_equal(ours == 0, theirs.accepted);
        if (ours) {
            refused++;
            continue;
        }
        accepted++;

        uint32_t ret = bpf_run(prog, len, &call);

        /* Values other than an errno kill or allow; the kernel's answer is then not comparable. */
        if ((ret & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO && (ret & 0xffff) < 4096)
            assert_int_equal(theirs.answer, ret & 0xffff);
        else
            assert_false(theirs.answer > 0 && theirs.answer != ENOSYS);
    }
    assert_true(accepted > 300);
    assert_true(refused > 300);
}

static void refusals_name_the_instruction(void **s)
{
    static const struct {
        struct bpf_insn prog[2];
        const char *says;
    } bad[] = {
        { { { BPF_LD | BPF_W | BPF_ABS, 0, 0, 64 }, { BPF_RET, 0, 0, 0 } },
          "filter instruction 0: load outside the call" },
        { { { BPF_JMP | BPF_JA, 0, 0, 1 }, { BPF_RET, 0, 0, 0 } },
          "filter instruction 0: jump outside the program" },
        { { { BPF_LD | BPF_MEM, 0, 0, 3 }, { BPF_RET, 0, 0, 0 } },
          "filter instruction 0: scratch word read before it is written" },
        { { { BPF_RET, 0, 0, 0 }, { BPF_LD | BPF_IMM, 0, 0, 0 } },
          "filter does not end with a return" },
        { { { BPF_ALU | BPF_MOD | BPF_K, 0, 0, 3 }, { BPF_RET, 0, 0, 0 } },
          "filter instruction 0: unknown instruction" },
    };

    (void)s;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct err e = ERR_INIT;

        assert_int_equal(bpf_check(bad[i].prog, 2, &e), -EINVAL);
        assert_string_equal(e.msg, bad[i].says);
    }
}

static void p12_more_than_4096_instructions(void **s)
{
    static struct bpf_insn prog[BPF_INSNS_MAX + 1];

    (void)s;
    for (uint32_t i = 0; i < array_len(prog); i++)
        prog[i] = (struct bpf_insn){ BPF_RET | BPF_K, 0, 0, 0 };
    assert_int_equal(bpf_check(prog, BPF_INSNS_MAX, NULL), 0);
    assert_int_equal(bpf_check(prog, BPF_INSNS_MAX + 1, NULL), -EINVAL);
    assert_int_equal(bpf_check(prog, 0, NULL), -EINVAL);
}

static int setup(void **s)
{
    (void)s;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(agrees_with_the_kernel, setup),
        cmocka_unit_test(refusals_name_the_instruction),
        cmocka_unit_test(p12_more_than_4096_instructions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
