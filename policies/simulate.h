/*
 * simulate.h - what happened, decided again by another policy: what would be denied now, and what
 * allowed.
 */
#ifndef POLICIES_SIMULATE_H
#define POLICIES_SIMULATE_H

#include "policies/events.h"
#include "policies/ruleset.h"

struct simulation {
    const struct events *events;  /* borrowed */
    const struct event **denied;  /* was allowed, is denied; in order of appearance */
    const struct event **allowed; /* was denied, is allowed */
    uint32_t ndenied, nallowed;   /* different ones */
    uint64_t newly_denied, newly_allowed, unchanged; /* with repetitions */
};

/* The lists are in the arena. */
void simulate(const struct ruleset *rs, const struct events *e, struct arena *a,
              struct simulation *s);

/* Is it shown that nothing that was allowed is denied now? Not while requests cannot be read. */
bool simulation_is_safe(const struct simulation *s);

/* The requests with the rules that decide, and one line of numbers; the same as JSON. */
void simulation_print(const struct ruleset *rs, const struct simulation *s, struct text *out);
void simulation_json(const struct ruleset *rs, const struct simulation *s, struct text *out);

#endif
