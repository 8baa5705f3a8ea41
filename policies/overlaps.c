/* overlaps.c - pairs of rules whose order would decide. */
#include "policies/compare.h"
#include "policies/points.h"
#include "policies/solve.h"
#include "policies/words.h"

#include <string.h>

static void complain(const struct ruleset *rs, struct problems *ps, const struct rule *r,
                     const char *text)
{
    problem_add(ps, PROBLEM_ERROR, "ambiguous", rs->policy->files[r->spot.file], r->spot.line,
                r->spot.col, "%s: %s", r->id, text);
}

static enum solved ask(enum space_id space, const struct clause *const *must, uint32_t nmust,
                       const struct clause *const *avoid, uint32_t navoid, uint64_t *work)
{
    struct arena tmp = ARENA_INIT;
    struct request r;
    struct question q = { space, must, nmust, avoid, navoid, work };
    enum solved s = solve(&q, &tmp, &r);

    arena_fini(&tmp);
    return s;
}

static const struct net_rule *rule_of(const struct ruleset *rs, const struct clause *c)
{
    const struct rule *r = &rs->rules[c->rule];

    for (uint32_t i = 0; i < rs->policy->network.allow.n; i++) {
        const struct net_rule *n = rs->policy->network.allow.v[i];

        if (strcmp(r->id + strlen("network/"), n->id) == 0)
            return n;
    }
    return NULL;
}

/* The secrets of a rule, as a set. */
static bool same_secrets(const struct policy *p, const char *a, const char *b)
{
    for (uint32_t i = 0; i < p->secrets.n; i++) {
        const struct secret *s = p->secrets.v[i];

        if (s->inject.rule && (strcmp(s->inject.rule, a) == 0) != (strcmp(s->inject.rule, b) == 0))
            return false;
    }
    return true;
}

static void disagreement(const struct ruleset *rs, uint32_t i, uint32_t k, struct problems *ps,
                         uint64_t *work)
{
    const struct clause *http[] = { &rs->space[SPACE_HTTP].v[i], &rs->space[SPACE_HTTP].v[k] };
    const char *what = NULL;

    if (clause_disjoint(http[0], http[1], HTTP_PORT + 1))
        return;

    const struct net_rule *a = rule_of(rs, http[0]), *b = rule_of(rs, http[1]);

    if (!a || !b)
        return;
    /* The gate chooses the protocol when a stream opens, the secret when a request is seen. */
    if (a->protocol != b->protocol) {
        struct clause streams[2] = { *http[0], *http[1] };
        const struct clause *both[] = { &streams[0], &streams[1] };

        for (unsigned m = 0; m < 2; m++)
            for (unsigned d = HTTP_PROTOCOL; d < DIMS_MAX; d++)
                streams[m].cell[d] = NULL;
        if (ask(SPACE_HTTP, both, 2, NULL, 0, work) != SOLVED_NONE)
            what = "protocol";
    }
    if (!what && !same_secrets(rs->policy, a->id, b->id) &&
        ask(SPACE_HTTP, http, 2, NULL, 0, work) != SOLVED_NONE)
        what = "secrets";
    if (!what)
        return;

    struct text t = TEXT_INIT;

    text_add(&t, "overlaps %s (", rs->rules[http[1]->rule].id);
    policy_place(rs->policy, b->o.spot, &t);
    text_add(&t, ") and disagrees with it on %s", what);
    complain(rs, ps, &rs->rules[http[0]->rule], text_str(&t));
    text_fini(&t);
}

/* A denial of requests is empty words where an allow lets bytes through unseen. */
static void unseen(const struct ruleset *rs, const struct clause *deny, struct problems *ps)
{
    const struct clauses *http = &rs->space[SPACE_HTTP];

    if (!deny->cell[HTTP_METHOD] && !deny->cell[HTTP_PATH])
        return;
    for (uint32_t i = 0; i < http->n; i++) {
        const struct clause *allow = &http->v[i];
        const struct net_rule *r = allow->deny ? NULL : rule_of(rs, allow);
        struct text t = TEXT_INIT;

        if (!r || r->protocol == PROTO_HTTPS || clause_disjoint(allow, deny, HTTP_PORT + 1))
            continue;
        text_add(&t, "cannot hold where %s (", rs->rules[allow->rule].id);
        policy_place(rs->policy, r->o.spot, &t);
        text_add(&t, ") does not see requests (protocol: https)");
        complain(rs, ps, &rs->rules[deny->rule], text_str(&t));
        text_fini(&t);
    }
}

void policy_overlaps(const struct ruleset *rs, struct problems *ps)
{
    const struct clauses *http = &rs->space[SPACE_HTTP];
    uint64_t work = SOLVE_WORK;

    for (uint32_t i = 0; i < http->n; i++)
        for (uint32_t k = i + 1; k < http->n; k++)
            if (!http->v[i].deny && !http->v[k].deny)
                disagreement(rs, i, k, ps, &work);
    for (uint32_t i = 0; i < http->n; i++)
        if (http->v[i].deny)
            unseen(rs, &http->v[i], ps);
}
