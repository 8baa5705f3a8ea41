/*
 * bpf.h - classic BPF as seccomp runs it: our own reading of a filter, to judge what a compiler
 * made.
 *
 * The kernel accepts a filter by the rules of bpf_check_classic and seccomp_check_filter
 * (net/core/filter.c, kernel/seccomp.c); bpf_check has the same rules, and bpf_run the semantics of
 * the surviving instructions. Pure. An instruction is laid out as struct sock_filter.
 */
#ifndef POLICIES_BPF_H
#define POLICIES_BPF_H

#include "base/err.h"

#include <stdint.h>

#define BPF_INSNS_MAX 4096u /* BPF_MAXINSNS, uapi/linux/bpf_common.h */
#define BPF_SCRATCH   16u   /* BPF_MEMWORDS, uapi/linux/filter.h */

struct bpf_insn {
    uint16_t code;
    uint8_t jt, jf; /* instructions to skip when true, when false */
    uint32_t k;
};

/* What a filter sees of a system call: struct seccomp_data, uapi/linux/seccomp.h. */
struct bpf_call {
    int32_t nr;
    uint32_t arch; /* AUDIT_ARCH_* */
    uint64_t ip;
    uint64_t args[6];
};

/*
 * Would the kernel load it? Every path ends in a return, jumps go forward and stay inside, loads
 * are aligned words of struct bpf_call, scratch words are written before they are read, no constant
 * division by zero or shift past 31. -EINVAL names the instruction.
 */
must_check int bpf_check(const struct bpf_insn *prog, uint32_t len, struct err *e);

/*
 * The filter's answer (SECCOMP_RET_* with data) for one call. The program must have passed
 * bpf_check; then it ends after at most len steps. A division by a zero register returns 0 (kill),
 * as in the kernel.
 */
uint32_t bpf_run(const struct bpf_insn *prog, uint32_t len, const struct bpf_call *call);

#endif
