/*
 * compare.h - two policies, exactly: is one narrower, what would change.
 * Every "no" comes with a request that decide answers differently for the two.
 */
#ifndef POLICIES_COMPARE_H
#define POLICIES_COMPARE_H

#include "policies/decide.h"

enum compared {
    COMPARED_WITHIN,      /* proved */
    COMPARED_WIDER,       /* a witness */
    COMPARED_TOO_COMPLEX, /* a limit of solve.h was met: treated as wider by everyone */
};

struct witness {
    struct request request;          /* texts in the arena given */
    const struct rule *rule;         /* the allow rule of the wider one */
    struct decision inside, outside; /* of the one that allows it, of the other */
    uint64_t work;                   /* what the answer cost, in the units of solve.h */
};

/*
 * Does parent allow all that child allows? On COMPARED_WIDER *w is set; on COMPARED_TOO_COMPLEX
 * w->rule names the rule that could not be judged.
 */
must_check enum compared narrower(const struct ruleset *child, const struct ruleset *parent,
                                  struct arena *a, struct witness *w);

/* The same for one kind of request. */
must_check enum compared narrower_in(enum space_id space, const struct ruleset *child,
                                     const struct ruleset *parent, struct arena *a,
                                     struct witness *w);

enum change {
    CHANGE_SAME,
    CHANGE_NARROWS,
    CHANGE_WIDENS,
    CHANGE_BOTH,
    CHANGE_UNKNOWN, /* too complex */
};

struct diff {
    enum change change;
    struct witness *added, *removed; /* at most one a rule: now allowed, no longer allowed */
    uint32_t nadded, nremoved;
};

/* What becomes of `before` when `after` takes its place. In the arena. */
void policy_diff(const struct ruleset *before, const struct ruleset *after, struct arena *a,
                 struct diff *d);

/* "policy diff" as text and JSON. */
void diff_print(const struct ruleset *before, const struct ruleset *after, const struct diff *d,
                struct text *out);
void diff_json(const struct diff *d, struct text *out);

/* A witness in three lines: the request, why the one allows it, why the other does not. */
void witness_print(const struct ruleset *inside, const struct ruleset *outside,
                   const struct witness *w, struct text *out);

/*
 * Errors for two network rules that both allow a request and disagree on its protocol or secret
 * (which of them the gate follows would be chance), and for denials of requests that are not seen.
 */
void policy_overlaps(const struct ruleset *rs, struct problems *ps);

#endif
