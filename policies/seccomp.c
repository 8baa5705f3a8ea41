/* seccomp.c - see seccomp.h. */
#include "policies/seccomp.h"

#include <errno.h>
#include <stdbool.h>

#include <linux/audit.h>
#include <linux/seccomp.h>

#define X32_BIT 0x40000000u /* __X32_SYSCALL_BIT, arch/x86/include/uapi/asm/unistd.h */

static bool allows(uint32_t action)
{
    action &= SECCOMP_RET_ACTION_FULL;
    return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

static int rule_check(const struct seccomp_rule *r, struct err *e)
{
    unsigned seen = 0;

    if (r->nr >= X32_BIT)
        return err_set(e, EINVAL, "system call number %#x is not of x86-64", r->nr);
    if (r->nargs > SECCOMP_ARGS)
        return err_set(e, EINVAL, "system call %u: %u conditions", r->nr, r->nargs);
    for (unsigned i = 0; i < r->nargs; i++) {
        const struct seccomp_arg *a = &r->arg[i];

        if (a->index >= SECCOMP_ARGS || seen >> a->index & 1)
            return err_set(e, EINVAL, "system call %u: argument %u twice or out of range", r->nr,
                           a->index);
        if (a->mask == 0 || (a->value & ~a->mask))
            return err_set(e, EINVAL,
                           "system call %u: a condition on argument %u never holds or "
                           "always does",
                           r->nr, a->index);
        seen |= 1u << a->index;
    }
    return 0;
}

/* A rule with an action says all there is to say about its call. */
static int action_check(const struct seccomp_model *m, const struct seccomp_rule *r, struct err *e)
{
    if ((r->action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO || r->nargs)
        return err_set(e, EINVAL, "system call %u: an action other than an errno for every call",
                       r->nr);
    for (uint32_t i = 0; i < m->nrules; i++)
        if (m->rules[i].nr == r->nr && &m->rules[i] != r)
            return err_set(e, EINVAL, "system call %u: an action beside other rules", r->nr);
    return 0;
}

int seccomp_check(const struct seccomp_model *m, struct err *e)
{
    if (allows(m->otherwise) || allows(m->foreign))
        return err_set(e, EINVAL, "a filter whose default is to allow");
    for (uint32_t i = 0; i < m->nrules; i++) {
        int err = rule_check(&m->rules[i], e);

        if (!err && m->rules[i].action)
            err = action_check(m, &m->rules[i], e);
        if (err)
            return err;
    }
    return 0;
}

static bool rule_has(const struct seccomp_rule *r, const struct bpf_call *call)
{
    if (r->nr != (uint32_t)call->nr)
        return false;
    for (unsigned i = 0; i < r->nargs; i++)
        if ((call->args[r->arg[i].index] & r->arg[i].mask) != r->arg[i].value)
            return false;
    return true;
}

uint32_t seccomp_decide(const struct seccomp_model *m, const struct bpf_call *call)
{
    /* -1 is what a tracer sets to skip a call; it is a number nobody allows, not an ABI. */
    if (call->arch != AUDIT_ARCH_X86_64 ||
        ((uint32_t)call->nr >= X32_BIT && (uint32_t)call->nr != UINT32_MAX))
        return m->foreign;
    for (uint32_t i = 0; i < m->nrules; i++)
        if (rule_has(&m->rules[i], call))
            return m->rules[i].action ? m->rules[i].action : SECCOMP_RET_ALLOW;
    return m->otherwise;
}

/* ---- verify ---- */

#define INDEXED 1024u

struct bench {
    const struct seccomp_model *model;
    uint32_t from[INDEXED], to[INDEXED]; /* the rules of a number are among these */
    const struct bpf_insn *prog;
    uint32_t len;
    struct seccomp_witness *w;
    uint64_t tried;
};

static void index_rules(struct bench *b)
{
    for (uint32_t i = b->model->nrules; i--;) {
        uint32_t nr = b->model->rules[i].nr;

        if (nr < INDEXED) {
            b->from[nr] = i;
            b->to[nr] = b->to[nr] ? b->to[nr] : i + 1;
        }
    }
}

/* seccomp_decide, without the rules of other numbers. */
static uint32_t decide_indexed(const struct bench *b, const struct bpf_call *call)
{
    struct seccomp_model part = *b->model;
    uint32_t nr = (uint32_t)call->nr;

    if (nr < INDEXED) {
        part.rules += b->from[nr];
        part.nrules = b->to[nr] - b->from[nr];
    }
    return seccomp_decide(&part, call);
}

static bool differs(struct bench *b, const struct bpf_call *call)
{
    uint32_t filter = bpf_run(b->prog, b->len, call);
    uint32_t model = decide_indexed(b, call);

    b->tried++;
    if (filter == model)
        return false;
    *b->w = (struct seccomp_witness){ *call, filter, model };
    return true;
}

/* One condition's argument on both sides: as it is, each bit flipped, and the usual suspects. */
static bool differs_around(struct bench *b, struct bpf_call call, unsigned index)
{
    const uint64_t at = call.args[index];
    const uint64_t suspects[] = { 0,
                                  1,
                                  at - 1,
                                  at + 1,
                                  ~at,
                                  UINT64_MAX,
                                  UINT32_MAX,
                                  1ull << 32,
                                  at | 1ull << 32,
                                  at & UINT32_MAX,
                                  at << 32 | at >> 32,
                                  6 };

    for (unsigned bit = 0; bit < 64; bit++) {
        call.args[index] = at ^ 1ull << bit;
        if (differs(b, &call))
            return true;
    }
    for (unsigned i = 0; i < array_len(suspects); i++) {
        call.args[index] = suspects[i];
        if (differs(b, &call))
            return true;
    }
    return false;
}

/* A call this rule allows; the bits it does not look at come from fill. */
static struct bpf_call satisfying(const struct seccomp_rule *r, uint64_t fill)
{
    struct bpf_call call = { .nr = (int32_t)r->nr, .arch = AUDIT_ARCH_X86_64 };

    for (unsigned i = 0; i < SECCOMP_ARGS; i++)
        call.args[i] = fill;
    for (unsigned i = 0; i < r->nargs; i++) {
        const struct seccomp_arg *a = &r->arg[i];

        call.args[a->index] = a->value | (fill & ~a->mask);
    }
    return call;
}

/* Arguments that no condition names are tried too, but only as a whole. */
static bool differs_near_rule(struct bench *b, const struct seccomp_rule *r)
{
    static const uint64_t fills[] = { 0, UINT64_MAX, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa };

    for (unsigned f = 0; f < array_len(fills); f++) {
        struct bpf_call call = satisfying(r, fills[f]);
        unsigned named = 0;

        if (differs(b, &call))
            return true;
        for (unsigned i = 0; i < r->nargs; i++)
            named |= 1u << r->arg[i].index;
        for (unsigned index = 0; index < SECCOMP_ARGS; index++) {
            struct bpf_call other = call;

            other.args[index] = ~other.args[index];
            if (named >> index & 1 ? differs_around(b, call, index) : differs(b, &other))
                return true;
        }
    }
    return false;
}

/* Rules of one call meet: this rule's arguments, one at a time, as another rule wants them. */
static bool differs_between(struct bench *b, const struct seccomp_rule *r,
                            const struct seccomp_rule *other)
{
    struct bpf_call call = satisfying(r, 0);

    for (unsigned i = 0; i < other->nargs; i++) {
        const struct seccomp_arg *a = &other->arg[i];
        struct bpf_call mixed = call;

        mixed.args[a->index] = (mixed.args[a->index] & ~a->mask) | a->value;
        if (differs(b, &mixed) || differs_around(b, mixed, a->index))
            return true;
    }
    return false;
}

/* A number, and what is near it, with arguments nobody asked about. */
static bool differs_near_number(struct bench *b, uint32_t nr)
{
    static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0,
                                       UINT32_MAX };
    const uint32_t near[] = { nr, nr ^ 1, nr | X32_BIT, nr | 0x80000000u, nr << 16 };
    static const uint64_t fills[] = { 0, 1, UINT64_MAX };

    for (unsigned n = 0; n < array_len(near); n++)
        for (unsigned a = 0; a < array_len(arches); a++)
            for (unsigned f = 0; f < array_len(fills); f++) {
                struct bpf_call call = { .nr = (int32_t)near[n], .arch = arches[a] };

                for (unsigned i = 0; i < SECCOMP_ARGS; i++)
                    call.args[i] = fills[f];
                if (differs(b, &call))
                    return true;
            }
    return false;
}

static bool differs_anywhere(struct bench *b)
{
    const struct seccomp_model *m = b->model;

    for (uint32_t nr = 0; nr < 1024; nr++)
        if (differs_near_number(b, nr))
            return true;
    if (differs_near_number(b, X32_BIT) || differs_near_number(b, UINT32_MAX))
        return true;
    for (uint32_t i = 0; i < m->nrules; i++) {
        if (differs_near_number(b, m->rules[i].nr) || differs_near_rule(b, &m->rules[i]))
            return true;
        for (uint32_t j = 0; j < m->nrules; j++)
            if (j != i && m->rules[j].nr == m->rules[i].nr &&
                differs_between(b, &m->rules[i], &m->rules[j]))
                return true;
    }
    return false;
}

int seccomp_differ(const struct seccomp_witness *w, struct err *e)
{
    return err_set(e, EILSEQ,
                   "filter and rules differ on system call %d (architecture %#x, arguments %#llx "
                   "%#llx %#llx): the filter answers %#x, the rules %#x",
                   w->call.nr, w->call.arch, (unsigned long long)w->call.args[0],
                   (unsigned long long)w->call.args[1], (unsigned long long)w->call.args[2],
                   w->filter, w->model);
}

int seccomp_verify(const struct seccomp_model *m, const struct bpf_insn *prog, uint32_t len,
                   struct seccomp_witness *w, uint64_t *tried, struct err *e)
{
    struct bench b = { .model = m, .prog = prog, .len = len, .w = w };
    int err = seccomp_check(m, e);

    if (!err)
        err = bpf_check(prog, len, e);
    if (err)
        return err;
    index_rules(&b);

    bool found = differs_anywhere(&b);

    if (tried)
        *tried = b.tried;
    if (!found)
        return 0;
    return seccomp_differ(w, e);
}
