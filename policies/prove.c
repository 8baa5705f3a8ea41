/*
 * prove.c - that a filter says what its model says, for every call there is.
 *
 * A call is sixteen words, of which some bits are decided. The filter runs as far as those bits
 * carry it; where it looks at another one, that bit is decided, first as 0, later as 1, and the run
 * begins again. Then the model is asked in the same way. Each leaf is a set of calls on which both
 * are constant; all leaves together are all calls. Nothing is sampled.
 */
#include "policies/seccomp.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#define X32_BIT 0x40000000u /* __X32_SYSCALL_BIT, arch/x86/include/uapi/asm/unistd.h */
#define WORDS   (sizeof(struct bpf_call) / sizeof(uint32_t))

enum { WORD_NR, WORD_ARCH, WORD_ARGS = 4 };

/* Calls: those whose bits in `known` are as in `value`. */
struct region {
    uint32_t known[WORDS], value[WORDS];
};

/* A bit to decide. */
struct bit {
    uint8_t word, shift;
};

struct walk {
    struct region at;
    struct bit trail[WORDS * 32]; /* decided, in this order; `value` has how */
    unsigned depth;
    struct bit wanted;
};

/* A register: a constant, or a word of the call with a mask. */
struct operand {
    uint32_t k; /* constant, or the mask */
    uint8_t word;
    bool is_word;
};

static bool want(struct walk *w, unsigned word, uint32_t unknown)
{
    w->wanted = (struct bit){ (uint8_t)word, (uint8_t)(31 - __builtin_clz(unknown)) };
    return false;
}

/* ---- the filter, as far as it can be run ---- */

static uint32_t unknown_of(const struct walk *w, const struct operand *o)
{
    return o->is_word ? o->k & ~w->at.known[o->word] : 0;
}

static uint32_t known_of(const struct walk *w, const struct operand *o)
{
    return o->is_word ? o->k & w->at.value[o->word] : o->k;
}

/* Makes it a constant. False: a bit of it is wanted first. */
static bool settle(struct walk *w, struct operand *o)
{
    uint32_t unknown = unknown_of(w, o);

    if (unknown)
        return want(w, o->word, unknown);
    *o = (struct operand){ .k = known_of(w, o) };
    return true;
}

struct machine {
    struct operand a, x, scratch[BPF_SCRATCH];
};

static bool do_alu(struct walk *w, struct machine *m, const struct bpf_insn *in, bool *killed)
{
    struct operand src = BPF_SRC(in->code) == BPF_X ? m->x : (struct operand){ .k = in->k };
    struct operand *a = &m->a;

    if (BPF_OP(in->code) == BPF_AND && a->is_word && !src.is_word) {
        a->k &= src.k;
        return true;
    }
    if (!settle(w, a) || (BPF_OP(in->code) != BPF_NEG && !settle(w, &src)))
        return false;
    switch (BPF_OP(in->code)) {
    case BPF_ADD: a->k += src.k; break;
    case BPF_SUB: a->k -= src.k; break;
    case BPF_MUL: a->k *= src.k; break;
    case BPF_AND: a->k &= src.k; break;
    case BPF_OR: a->k |= src.k; break;
    case BPF_XOR: a->k ^= src.k; break;
    case BPF_LSH: a->k <<= src.k & 31; break;
    case BPF_RSH: a->k >>= src.k & 31; break;
    case BPF_NEG: a->k = -a->k; break;
    default: /* BPF_DIV */ *killed = src.k == 0; a->k = *killed ? 0 : a->k / src.k;
    }
    return true;
}

/* Where a jump goes, or false and the bit that it depends on. */
static bool do_jump(struct walk *w, struct machine *m, const struct bpf_insn *in, uint32_t *skip)
{
    struct operand src = BPF_SRC(in->code) == BPF_X ? m->x : (struct operand){ .k = in->k };
    uint32_t least, unknown, most;
    bool taken;

    if (BPF_OP(in->code) == BPF_JA) {
        *skip = in->k;
        return true;
    }
    if (!settle(w, &src))
        return false;
    unknown = unknown_of(w, &m->a);
    least = known_of(w, &m->a);
    most = least | unknown;
    switch (BPF_OP(in->code)) {
    case BPF_JEQ:
        if (unknown && !((least ^ src.k) & ~unknown))
            return want(w, m->a.word, unknown);
        taken = least == src.k && !unknown;
        break;
    case BPF_JGE:
        if (least < src.k && most >= src.k)
            return want(w, m->a.word, unknown);
        taken = least >= src.k;
        break;
    case BPF_JGT:
        if (least <= src.k && most > src.k)
            return want(w, m->a.word, unknown);
        taken = least > src.k;
        break;
    default: /* BPF_JSET */
        if (!(least & src.k) && (unknown & src.k))
            return want(w, m->a.word, unknown & src.k);
        taken = (least & src.k) != 0;
    }
    *skip = taken ? in->jt : in->jf;
    return true;
}

static struct operand do_load(const struct machine *m, const struct bpf_insn *in)
{
    switch (BPF_MODE(in->code)) {
    case BPF_ABS: return (struct operand){ UINT32_MAX, (uint8_t)(in->k / 4), true };
    case BPF_LEN: return (struct operand){ .k = sizeof(struct bpf_call) };
    case BPF_MEM: return m->scratch[in->k];
    default: return (struct operand){ .k = in->k };
    }
}

static bool do_return(struct walk *w, struct machine *m, const struct bpf_insn *in, uint32_t *out)
{
    struct operand v = BPF_RVAL(in->code) == BPF_A ? m->a : (struct operand){ .k = in->k };

    if (!settle(w, &v))
        return false;
    *out = v.k;
    return true;
}

/* The filter's answer on the whole region; false: w->wanted decides. */
static bool run_filter(struct walk *w, const struct bpf_insn *prog, uint32_t len, uint32_t *out)
{
    struct machine m = { 0 };

    for (uint32_t pc = 0; pc < len; pc++) {
        const struct bpf_insn *in = &prog[pc];
        uint32_t skip = 0;
        bool killed = false;

        switch (BPF_CLASS(in->code)) {
        case BPF_LD: m.a = do_load(&m, in); break;
        case BPF_LDX: m.x = do_load(&m, in); break;
        case BPF_ST: m.scratch[in->k] = m.a; break;
        case BPF_STX: m.scratch[in->k] = m.x; break;
        case BPF_RET: return do_return(w, &m, in, out);
        case BPF_ALU:
            if (!do_alu(w, &m, in, &killed))
                return false;
            break;
        case BPF_JMP:
            if (!do_jump(w, &m, in, &skip))
                return false;
            pc += skip;
            break;
        default: /* BPF_MISC */
            if (in->code == (BPF_MISC | BPF_TAX))
                m.x = m.a;
            else
                m.a = m.x;
        }
        if (killed)
            break;
    }
    *out = 0;
    return true;
}

/* ---- the model ---- */

enum holds { NEVER, ALWAYS, DEPENDS };

/* Does (word & mask) == value hold in the region? */
static enum holds holds(struct walk *w, unsigned word, uint32_t mask, uint32_t value)
{
    uint32_t known = mask & w->at.known[word], unknown = mask & ~w->at.known[word];

    if ((w->at.value[word] ^ value) & known)
        return NEVER;
    if (!unknown)
        return ALWAYS;
    want(w, word, unknown);
    return DEPENDS;
}

static enum holds arg_holds(struct walk *w, const struct seccomp_arg *a)
{
    unsigned word = WORD_ARGS + 2u * a->index; /* little-endian: the low half comes first */
    enum holds low = holds(w, word, (uint32_t)a->mask, (uint32_t)a->value), high;

    if (low == NEVER)
        return NEVER;
    high = holds(w, word + 1, (uint32_t)(a->mask >> 32), (uint32_t)(a->value >> 32));
    if (high == ALWAYS && low == DEPENDS)
        return holds(w, word, (uint32_t)a->mask, (uint32_t)a->value);
    return high;
}

static enum holds rule_holds(struct walk *w, const struct seccomp_rule *r)
{
    enum holds all = holds(w, WORD_NR, UINT32_MAX, r->nr);

    for (unsigned i = 0; i < r->nargs && all == ALWAYS; i++)
        all = arg_holds(w, &r->arg[i]);
    return all;
}

/* Other architectures and x32 numbers; -1 is what a tracer sets to skip a call, not an ABI. */
static enum holds is_foreign(struct walk *w)
{
    uint32_t least = w->at.value[WORD_NR], unknown = ~w->at.known[WORD_NR];
    enum holds native = holds(w, WORD_ARCH, UINT32_MAX, AUDIT_ARCH_X86_64);

    if (native != ALWAYS)
        return native == NEVER ? ALWAYS : DEPENDS;
    if ((least | unknown) < X32_BIT)
        return NEVER;
    if (least >= X32_BIT && (least | unknown) != UINT32_MAX)
        return ALWAYS;
    if (!unknown)
        return NEVER; /* -1 */
    want(w, WORD_NR, unknown);
    return DEPENDS;
}

/* As run_filter. */
static bool run_model(struct walk *w, const struct seccomp_model *m, uint32_t *out)
{
    struct bit first = { 0 };
    bool depends = false;

    switch (is_foreign(w)) {
    case DEPENDS: return false;
    case ALWAYS: *out = m->foreign; return true;
    default: break;
    }
    for (uint32_t i = 0; i < m->nrules; i++) {
        switch (rule_holds(w, &m->rules[i])) {
        case ALWAYS:
            *out = m->rules[i].action ? m->rules[i].action : SECCOMP_RET_ALLOW;
            return true;
        case DEPENDS:
            if (!depends)
                first = w->wanted;
            depends = true;
            break;
        default: break;
        }
    }
    w->wanted = first;
    *out = m->otherwise;
    return !depends;
}

/* ---- the walk ---- */

static void decide_bit(struct walk *w, struct bit b, bool one)
{
    uint32_t mask = 1u << b.shift;

    w->at.known[b.word] |= mask;
    if (one)
        w->at.value[b.word] |= mask;
    else
        w->at.value[b.word] &= ~mask;
}

static void deeper(struct walk *w)
{
    w->trail[w->depth++] = w->wanted;
    decide_bit(w, w->wanted, false);
}

/* The next region: the last bit that was 0 becomes 1. False: that was all. */
static bool next(struct walk *w)
{
    while (w->depth) {
        struct bit b = w->trail[w->depth - 1];
        uint32_t mask = 1u << b.shift;

        if (!(w->at.value[b.word] & mask)) {
            decide_bit(w, b, true);
            return true;
        }
        w->at.value[b.word] &= ~mask;
        w->at.known[b.word] &= ~mask;
        w->depth--;
    }
    return false;
}

int seccomp_prove(const struct seccomp_model *m, const struct bpf_insn *prog, uint32_t len,
                  struct seccomp_witness *w, uint64_t *leaves, struct err *e)
{
    struct walk walk = { .depth = 0 };
    uint64_t n = 0;
    int err = seccomp_check(m, e);

    if (!err)
        err = bpf_check(prog, len, e);
    if (err)
        return err;
    do {
        uint32_t filter, model;

        while (!run_filter(&walk, prog, len, &filter) || !run_model(&walk, m, &model))
            deeper(&walk);
        if (filter != model) {
            /* Undecided bits do not matter: 0. */
            memcpy(&w->call, walk.at.value, sizeof(w->call));
            w->filter = filter;
            w->model = model;
            return seccomp_differ(w, e);
        }
        if (++n > SECCOMP_LEAVES_MAX)
            return err_set(e, E2BIG, "filter: too complex to prove");
    } while (next(&walk));
    if (leaves)
        *leaves = n;
    return 0;
}
