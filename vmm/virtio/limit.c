/* limit.c - see limit.h. Tokens are counted in nanoseconds of the rate, so that slow limits lose
 * nothing to rounding. */
#include "vmm/virtio/limit.h"

#include <time.h>

#define NS_PER_S 1000000000ull
#define DEBT_MAX (INT64_MAX / 2) /* 146 years; saturates there */

void limit_init(struct limit *l, uint64_t per_s, uint64_t now)
{
    *l = (struct limit){ .per_s = per_s, .tokens = (int64_t)LIMIT_BURST_NS, .at = now };
}

uint64_t limit_wait(struct limit *l, uint64_t now)
{
    uint64_t passed = now > l->at ? now - l->at : 0;

    if (!l->per_s)
        return 0;
    l->at = now;
    if (passed > DEBT_MAX)
        passed = DEBT_MAX;
    l->tokens += (int64_t)passed;
    if (l->tokens > (int64_t)LIMIT_BURST_NS)
        l->tokens = (int64_t)LIMIT_BURST_NS;
    if (l->tokens >= 0)
        return 0;
    return (uint64_t)-l->tokens < NS_PER_S ? (uint64_t)-l->tokens : NS_PER_S;
}

void limit_charge(struct limit *l, uint64_t amount)
{
    uint64_t ns;

    if (!l->per_s)
        return;
    /* amount / per_s seconds, in nanoseconds: by parts, so that the product does not overflow. */
    uint64_t seconds = amount / l->per_s;
    unsigned __int128 part = (unsigned __int128)(amount % l->per_s) * NS_PER_S / l->per_s;

    if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, (uint64_t)part, &ns) || ns > DEBT_MAX)
        ns = DEBT_MAX;
    l->tokens =
        l->tokens > (int64_t)ns - (int64_t)DEBT_MAX ? l->tokens - (int64_t)ns : -(int64_t)DEBT_MAX;
}

uint64_t limit_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}
