/* bpf.c - see bpf.h. */
#include "policies/bpf.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <linux/bpf_common.h>
#include <linux/filter.h>

/* ---- check ---- */

static bool load_is_valid(uint32_t k)
{
    return k < sizeof(struct bpf_call) && k % sizeof(uint32_t) == 0;
}

/* One instruction by itself: known to seccomp, operands in range. */
static const char *insn_fault(const struct bpf_insn *in)
{
    switch (in->code) {
    case BPF_LD | BPF_W | BPF_ABS: return load_is_valid(in->k) ? NULL : "load outside the call";
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
    case BPF_ALU | BPF_ADD | BPF_K: // NOLINT(misc-redundant-expression): both are 0
    case BPF_ALU | BPF_ADD | BPF_X:
    case BPF_ALU | BPF_SUB | BPF_K:
    case BPF_ALU | BPF_SUB | BPF_X:
    case BPF_ALU | BPF_MUL | BPF_K:
    case BPF_ALU | BPF_MUL | BPF_X:
    case BPF_ALU | BPF_AND | BPF_K:
    case BPF_ALU | BPF_AND | BPF_X:
    case BPF_ALU | BPF_OR | BPF_K:
    case BPF_ALU | BPF_OR | BPF_X:
    case BPF_ALU | BPF_XOR | BPF_K:
    case BPF_ALU | BPF_XOR | BPF_X:
    case BPF_ALU | BPF_LSH | BPF_X:
    case BPF_ALU | BPF_RSH | BPF_X:
    case BPF_ALU | BPF_DIV | BPF_X:
    case BPF_ALU | BPF_NEG:
    case BPF_JMP | BPF_JA:
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JEQ | BPF_X:
    case BPF_JMP | BPF_JGE | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_X:
    case BPF_JMP | BPF_JGT | BPF_K:
    case BPF_JMP | BPF_JGT | BPF_X:
    case BPF_JMP | BPF_JSET | BPF_K:
    case BPF_JMP | BPF_JSET | BPF_X: return NULL;
    case BPF_ALU | BPF_DIV | BPF_K: return in->k ? NULL : "division by zero";
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K: return in->k < 32 ? NULL : "shift past 31";
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX: return in->k < BPF_SCRATCH ? NULL : "scratch word out of range";
    default: return "unknown instruction";
    }
}

static bool is_jump(uint16_t code)
{
    return BPF_CLASS(code) == BPF_JMP;
}

static bool is_store(uint16_t code)
{
    return code == BPF_ST || code == BPF_STX;
}

static bool is_scratch_load(uint16_t code)
{
    return code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM);
}

static const char *jump_fault(const struct bpf_insn *in, uint32_t at, uint32_t len)
{
    uint32_t room = len - at - 1; /* instructions after this one */

    if (in->code == (BPF_JMP | BPF_JA))
        return in->k < room ? NULL : "jump outside the program";
    return in->jt < room && in->jf < room ? NULL : "jump outside the program";
}

/*
 * Scratch words must be written on every path before they are read. Jumps only go forward, so one
 * pass suffices: valid[i] = words written on all ways to i.
 */
static const char *scratch_fault(const struct bpf_insn *prog, uint32_t len, uint32_t *at)
{
    static const uint16_t all = 0xffff;
    uint16_t valid[BPF_INSNS_MAX];
    uint16_t now = 0;

    memset(valid, 0xff, len * sizeof(valid[0]));
    for (uint32_t i = 0; i < len; i++) {
        const struct bpf_insn *in = &prog[i];

        now &= valid[i];
        *at = i;
        if (is_store(in->code))
            now |= (uint16_t)(1u << in->k);
        else if (is_scratch_load(in->code) && !(now >> in->k & 1))
            return "scratch word read before it is written";
        else if (in->code == (BPF_JMP | BPF_JA)) {
            valid[i + 1 + in->k] &= now;
            now = all; /* the next instruction is reached by jumps only */
        } else if (is_jump(in->code)) {
            valid[i + 1 + in->jt] &= now;
            valid[i + 1 + in->jf] &= now;
            now = all;
        }
    }
    return NULL;
}

int bpf_check(const struct bpf_insn *prog, uint32_t len, struct err *e)
{
    const char *fault;
    uint32_t at;

    if (len == 0 || len > BPF_INSNS_MAX)
        return err_set(e, EINVAL, "filter of %u instructions: 1 to %u are allowed", len,
                       BPF_INSNS_MAX);
    for (at = 0; at < len; at++) {
        fault = insn_fault(&prog[at]);
        if (!fault && is_jump(prog[at].code))
            fault = jump_fault(&prog[at], at, len);
        if (fault)
            return err_set(e, EINVAL, "filter instruction %u: %s", at, fault);
    }
    if (BPF_CLASS(prog[len - 1].code) != BPF_RET)
        return err_set(e, EINVAL, "filter does not end with a return");
    fault = scratch_fault(prog, len, &at);
    if (fault)
        return err_set(e, EINVAL, "filter instruction %u: %s", at, fault);
    return 0;
}

/* ---- run ---- */

struct cpu {
    uint32_t a, x, scratch[BPF_SCRATCH];
};

/* False where the kernel ends the filter with 0: a division by a zero register. */
static bool alu(struct cpu *c, const struct bpf_insn *in)
{
    uint32_t v = BPF_SRC(in->code) == BPF_X ? c->x : in->k;

    switch (BPF_OP(in->code)) {
    case BPF_ADD: c->a += v; break;
    case BPF_SUB: c->a -= v; break;
    case BPF_MUL: c->a *= v; break;
    case BPF_AND: c->a &= v; break;
    case BPF_OR: c->a |= v; break;
    case BPF_XOR: c->a ^= v; break;
    case BPF_LSH: c->a <<= v & 31; break; /* eBPF masks the count of 32-bit shifts */
    case BPF_RSH: c->a >>= v & 31; break;
    case BPF_NEG: c->a = -c->a; break;
    case BPF_DIV:
        if (v == 0)
            return false;
        c->a /= v;
        break;
    default: break;
    }
    return true;
}

static uint32_t skip(const struct cpu *c, const struct bpf_insn *in)
{
    uint32_t v = BPF_SRC(in->code) == BPF_X ? c->x : in->k;
    bool taken = false;

    switch (BPF_OP(in->code)) {
    case BPF_JA: return in->k;
    case BPF_JEQ: taken = c->a == v; break;
    case BPF_JGE: taken = c->a >= v; break;
    case BPF_JGT: taken = c->a > v; break;
    case BPF_JSET: taken = (c->a & v) != 0; break;
    default: break;
    }
    return taken ? in->jt : in->jf;
}

static uint32_t load(const struct cpu *c, const struct bpf_insn *in, const struct bpf_call *call)
{
    uint32_t word;

    switch (BPF_MODE(in->code)) {
    case BPF_ABS: memcpy(&word, (const uint8_t *)call + in->k, sizeof(word)); return word;
    case BPF_LEN: return sizeof(*call);
    case BPF_MEM: return c->scratch[in->k];
    default: return in->k;
    }
}

uint32_t bpf_run(const struct bpf_insn *prog, uint32_t len, const struct bpf_call *call)
{
    struct cpu c = { 0 };

    for (uint32_t pc = 0; pc < len; pc++) {
        const struct bpf_insn *in = &prog[pc];

        switch (BPF_CLASS(in->code)) {
        case BPF_LD: c.a = load(&c, in, call); break;
        case BPF_LDX: c.x = load(&c, in, call); break;
        case BPF_ST: c.scratch[in->k] = c.a; break;
        case BPF_STX: c.scratch[in->k] = c.x; break;
        case BPF_ALU:
            if (!alu(&c, in))
                return 0;
            break;
        case BPF_JMP: pc += skip(&c, in); break;
        case BPF_RET: return BPF_RVAL(in->code) == BPF_A ? c.a : in->k;
        default: /* BPF_MISC */
            if (in->code == (BPF_MISC | BPF_TAX))
                c.x = c.a;
            else
                c.a = c.x;
        }
    }
    return 0;
}
