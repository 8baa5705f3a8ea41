/*
 * policy_differential.h - random policies against a second reading of the language: decide against
 * the naive evaluator, narrower against both. A short run is a unit test, a long one a program.
 */
#ifndef TESTS_POLICY_DIFFERENTIAL_H
#define TESTS_POLICY_DIFFERENTIAL_H

#include "policies/spaces.h"
#include "policies/text.h"

struct differential {
    uint64_t policies, requests;             /* decided twice */
    uint64_t asked[SPACES], allowed[SPACES]; /* of the requests */
    uint64_t pairs, triples;                 /* parent and child; with a request each */
    uint64_t within, wider, unknown;         /* answers, one a pair and space */
    uint64_t replayed; /* witnesses: in both evaluators, and from their text */
    uint64_t between;  /* random requests that only the child allows */
};

/* Both add to *d. False at the first difference: why says which, with the documents. */
bool differential_decide(uint64_t requests, uint64_t seed, struct differential *d,
                         struct text *why);
bool differential_narrower(uint64_t triples, uint32_t per_pair, uint64_t seed,
                           struct differential *d, struct text *why);

/* A run in which nothing is ever allowed, or everything, would prove nothing. */
bool differential_means_something(const struct differential *d, struct text *why);

#endif
