/*
 * bits.h - a set of up to 512 small numbers: system calls, capabilities.
 */
#ifndef POLICIES_BITS_H
#define POLICIES_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define BITS_MAX 512u

struct bits {
    uint64_t w[BITS_MAX / 64];
};

static inline bool bits_has(const struct bits *b, unsigned i)
{
    return i < BITS_MAX && (b->w[i / 64] >> (i % 64) & 1);
}

static inline void bits_set(struct bits *b, unsigned i)
{
    b->w[i / 64] |= 1ull << (i % 64);
}

static inline void bits_clear(struct bits *b, unsigned i)
{
    b->w[i / 64] &= ~(1ull << (i % 64));
}

/* Is every member of a in b? */
static inline bool bits_within(const struct bits *a, const struct bits *b)
{
    uint64_t outside = 0;

    for (unsigned i = 0; i < BITS_MAX / 64; i++)
        outside |= a->w[i] & ~b->w[i];
    return outside == 0;
}

#endif
