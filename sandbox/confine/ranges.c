/* ranges.c - see ranges.h. */
#include "sandbox/confine/ranges.h"

static void add(struct masked_set *s, uint64_t mask, uint64_t value)
{
    s->v[s->n].mask = mask;
    s->v[s->n].value = value;
    s->n++;
}

/* Both ends inside: the largest aligned blocks from the left on. */
static void add_range(struct masked_set *s, uint64_t lo, uint64_t hi)
{
    if (lo == 0 && hi == UINT64_MAX) {
        s->always = true;
        return;
    }
    for (;;) {
        uint64_t last = 0; /* size of the block, less one */

        while (!(lo & (last << 1 | 1)) && (last << 1 | 1) <= hi - lo)
            last = last << 1 | 1;
        add(s, ~last, lo);
        if (lo + last == hi)
            return;
        lo += last + 1;
    }
}

static void add_below(struct masked_set *s, uint64_t end)
{
    if (end)
        add_range(s, 0, end - 1);
}

static void add_above(struct masked_set *s, uint64_t last)
{
    if (last != UINT64_MAX)
        add_range(s, last + 1, UINT64_MAX);
}

static struct masked_set masked_equal(uint64_t mask, uint64_t value, bool negate)
{
    struct masked_set s = { .n = 0 };
    bool never = value & ~mask;

    if (!negate) {
        s.always = !mask && !never;
        if (mask && !never)
            add(&s, mask, value);
        return s;
    }
    s.always = never;
    /* One of its bits is another one. */
    for (uint64_t rest = never ? 0 : mask; rest; rest &= rest - 1)
        add(&s, rest & -rest, ~value & rest & -rest);
    return s;
}

struct masked_set masked_set(enum compare_op op, uint64_t a, uint64_t b, bool negate)
{
    static const enum compare_op opposite[OPS] = {
        [OP_NE] = OP_EQ, [OP_EQ] = OP_NE, [OP_LT] = OP_GE,
        [OP_GE] = OP_LT, [OP_LE] = OP_GT, [OP_GT] = OP_LE,
    };
    struct masked_set s = { .n = 0 };

    if (op == OP_MASKED_EQ)
        return masked_equal(a, b, negate);
    switch (negate ? opposite[op] : op) {
    case OP_EQ: add(&s, UINT64_MAX, a); break;
    case OP_NE:
        add_below(&s, a);
        add_above(&s, a);
        break;
    case OP_LT: add_below(&s, a); break;
    case OP_LE: add_range(&s, 0, a); break;
    case OP_GE: add_range(&s, a, UINT64_MAX); break;
    default: add_above(&s, a); break;
    }
    return s;
}
