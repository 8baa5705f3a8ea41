/*
 * ranges.h - comparisons as sets of masked equalities: exact, and all that a filter is compiled
 * from (libseccomp's own comparisons have made filters weaker than their rules).
 */
#ifndef SANDBOX_CONFINE_RANGES_H
#define SANDBOX_CONFINE_RANGES_H

#include <stdbool.h>
#include <stdint.h>

/* The operators of libseccomp. */
enum compare_op { OP_NE, OP_LT, OP_LE, OP_EQ, OP_GE, OP_GT, OP_MASKED_EQ, OPS };

/* Holds for x when x & mask == value for one of them. */
struct masked_set {
    struct {
        uint64_t mask, value;
    } v[128]; /* a range takes at most 126 */
    unsigned n;
    bool always; /* for every x; n is 0 */
};

/* x OP a; for OP_MASKED_EQ: x & a == b. negate: where that does not hold. */
struct masked_set masked_set(enum compare_op op, uint64_t a, uint64_t b, bool negate);

#endif
