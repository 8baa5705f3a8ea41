/*
 * policy_random.h - random policies, policies derived from them, and requests over the same few
 * words, so that they meet often.
 */
#ifndef TESTS_POLICY_RANDOM_H
#define TESTS_POLICY_RANDOM_H

#include "policies/arena.h"
#include "policies/spaces.h"

struct rng {
    uint64_t s;
};

uint32_t rng_below(struct rng *r, uint32_t n);

#define GENES 24
#define RULES 6

/* What a policy is made of: small numbers that pick words from lists. */
struct genome {
    struct {
        bool there;
        uint8_t gene[GENES];
    } rule[12][RULES]; /* section, entry */
    uint8_t scalar[32];
};

void genome_random(struct rng *r, struct genome *g);

/* A child: most of what it changes is narrower, some is not. */
void genome_derive(struct rng *r, const struct genome *parent, struct genome *child);

/* The document. It may break rules that span keys (policy_check). */
void genome_write(const struct genome *g, const char *name, struct text *out);

/* A request; its texts are static or in the arena. */
void request_random(struct rng *r, struct arena *a, struct request *q);

#endif
