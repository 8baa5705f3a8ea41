/*
 * solve.h - is there a point that every one of some clauses has and none of others has? Exact: the
 * answer is such a point, or a proof that there is none, or "too complex" at a stated limit.
 *
 * A clause is a product of cells, so a point avoids it by being outside in one dimension. Dimension
 * by dimension the search keeps, for every set of clauses that can still be left to avoid, one way
 * to get there; only the smallest sets matter. Within a dimension every pattern is decidable:
 * finitely many values stand for all (ends of intervals, nodes of the trie of labels, states of a
 * product automaton).
 */
#ifndef POLICIES_SOLVE_H
#define POLICIES_SOLVE_H

#include "policies/ruleset.h"

/* The limits: what lies beyond is "too complex", never a matter of time. */
#define SOLVE_WORK   200000000u /* moves of automata and looks at cells, one question or several */
#define SOLVE_STATES 16384u     /* of one product automaton */

enum solved {
    SOLVED_NONE,
    SOLVED_POINT,
    SOLVED_TOO_COMPLEX,
};

struct question {
    enum space_id space;
    const struct clause *const *must; /* at least one */
    uint32_t nmust;
    const struct clause *const *avoid;
    uint32_t navoid;
    uint64_t *work; /* what is left of a limit that several questions share; or NULL */
};

/* The point's texts live in the arena. */
must_check enum solved solve(const struct question *q, struct arena *a, struct request *point);

/* Are all of a's points in b? Cheap and one-sided, as cell_within; the same for disjoint. */
bool clause_within(const struct clause *a, const struct clause *b, uint32_t dims);
bool clause_disjoint(const struct clause *a, const struct clause *b, uint32_t dims);

/* The same, paid from a limit: when that is used up (0 is left), the answer is "not seen". */
bool clause_within_paid(const struct clause *a, const struct clause *b, uint32_t dims,
                        uint64_t *work);
bool clause_disjoint_paid(const struct clause *a, const struct clause *b, uint32_t dims,
                          uint64_t *work);

/* For the parts of the solver. */

/* Who still must be avoided: bit i for avoid[i]. */
struct live {
    uint64_t *w;
};

/* One way to be in a dimension: a value, and who is left to avoid. */
struct atom {
    struct value value;
    struct live left;
};

struct atoms {
    struct arena *arena;
    const struct question *q;
    unsigned dim;
    struct live live; /* whom to avoid here */
    struct atom *v;   /* an antichain: no set contains another */
    uint32_t n;
    uint32_t words; /* of a struct live */
    uint64_t cost;  /* of looking at one value */
    uint64_t *work;
    bool too_complex;
    bool done; /* nobody is left to avoid: no better value exists */
};

/* Judges a value: kept when every must has it and its set is not above one that is there. */
void atoms_consider(struct atoms *at, const struct value *v);

/* Takes from the limit; at the end of it, too_complex is set and false returned. */
bool atoms_spend(struct atoms *at, uint64_t work);

/* Candidates of one dimension. */
void atoms_plain(struct atoms *at); /* WORD ENUM NUM HOST ADDR ALL_WORD ALL_BITS */
void atoms_globs(struct atoms *at); /* GLOB ALL_GLOB */
void atoms_argv(struct atoms *at);  /* ARGV */
void atoms_args(struct atoms *at);  /* ARGS */

/* Strings, at least one for each way in which tokens can tell strings apart. False: *work, the
 * limit, is used up. */
bool token_values(struct arena *a, const struct token *const *tokens, uint32_t n, uint64_t *work,
                  struct texts *out);

static inline bool live_has(const struct live *l, uint32_t i)
{
    return l->w[i / 64] >> (i % 64) & 1;
}

#endif
