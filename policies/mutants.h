/*
 * mutants.h - would the cases notice? Every rule is lost, turned round (allow for deny), and each
 * of its sets made narrower by one element and wider by one; a change is noticed when the answer to
 * a case changes.
 */
#ifndef POLICIES_MUTANTS_H
#define POLICIES_MUTANTS_H

#include "policies/ruleset.h"

enum mutation {
    MUTANT_LOST,
    MUTANT_TURNED,
    MUTANT_NARROWER,
    MUTANT_WIDER, /* by the element that the cases would notice best */
};

struct mutant {
    uint32_t rule; /* of the ruleset */
    enum mutation how;
    const char *what; /* "method without HEAD"; "" for a whole rule */
    bool noticed;
};

struct mutants {
    struct mutant *v; /* rule by rule; a rule's first is its loss */
    uint32_t n, noticed;
};

/* Only rules that grant or deny something: numbers of the document have limits of their own. */
bool mutants_count_rule(const struct ruleset *rs, uint32_t rule);

/* requests are the cases' that have an answer (not malformed). All in the arena. */
void mutants_try(const struct ruleset *rs, const struct request *const *requests, uint32_t n,
                 struct arena *a, struct mutants *out);

#endif
