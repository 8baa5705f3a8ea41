/* policy_simulate.c - what happened, decided again by another policy. */
#include "policies/simulate.h"
#include "sandbox/cli/policy_events.h"
#include "sandbox/cli/policy_say.h"
#include "sandbox/cli/verbs.h"

int verb_policy_simulate(struct cli *c)
{
    struct policy_source s;
    struct events e = { .n = 0 };
    struct arena a = ARENA_INIT;
    int status = 0;

    if (policy_open(c, 0, &s, &status) && policy_events_open(c, &e, &status)) {
        struct simulation sim;
        struct text t = TEXT_INIT;

        simulate(s.rules, &e, &a, &sim);
        if (c->json)
            simulation_json(s.rules, &sim, &t);
        else
            simulation_print(s.rules, &sim, &t);
        status = policy_say(c, &t, simulation_is_safe(&sim) ? 0 : EXIT_NO);
    }
    arena_fini(&a);
    events_fini(&e);
    policy_source_fini(&s);
    return status;
}
