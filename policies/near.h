/*
 * near.h - which clauses can share a point with one clause, without a look at each of them.
 *
 * Every value that a word, host pattern or path pattern has begins with its front (a name: ends
 * with it, so names are read backwards). Two of them can have a value in common only if one front
 * is the beginning of the other. Sorted, the fronts that begin with one form a run, and those that
 * it begins with are a chain. One-sided, as cell_disjoint: who is not found shares nothing.
 */
#ifndef POLICIES_NEAR_H
#define POLICIES_NEAR_H

#include "policies/ruleset.h"

struct front;

struct near {
    const struct clauses *clauses; /* borrowed */
    bool deny;                     /* those that deny, or those that allow */
    struct front *v;               /* sorted */
    uint32_t n;
    uint64_t *always; /* those without a front, a bit a clause */
    uint64_t *found;  /* the answer, a bit a clause */
    uint32_t words;
};

/* Lives in the arena; the clauses outlive it. */
void near_make(struct arena *a, const struct clauses *cs, bool deny, struct near *out);

/*
 * Sets found: all that can share a point with c, and maybe more. The steps are paid from *work; at
 * its end the answer is not whole and nothing of *work is left.
 */
void near_find(struct near *n, const struct clause *c, struct arena *tmp, uint64_t *work);

static inline bool near_has(const struct near *n, uint32_t clause)
{
    return n->found[clause / 64] >> (clause % 64) & 1;
}

#endif
