/* overlaps.c - pairs of rules whose order would decide. */
#include "policies/compare.h"
#include "policies/load.h"
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

/* One of the rules that allow requests. */
struct party {
    const struct clause *clause;
    const struct net_rule *rule;
    bool secret; /* one is put into its requests; it names no other rule, so no two have the same */
    bool odd; /* it has a secret, or another protocol than the first: two others do not disagree */
    uint32_t next_odd; /* the next one behind it that is; or how many there are */
};

struct meeting {
    const struct ruleset *rs;
    struct problems *ps;
    uint64_t solving, looks; /* what is left of the limits */
    uint32_t said;
    bool over; /* a limit was met, and said: the policy is refused */
    struct party *v;
    uint32_t n;
};

/* What a load may cost, whatever the document: pairs of hosts looked at, steps of the solver. */
#define LOOKS_MAX   2500000u
#define SOLVING_MAX 4000000u

/* Rules and their clauses were made in one order, a clause a rule (compile_network.c). */
static void parties(struct meeting *m, struct arena *a)
{
    const struct clauses *http = &m->rs->space[SPACE_HTTP];
    const struct policy *p = m->rs->policy;
    struct texts used = { NULL, 0 };

    for (uint32_t i = 0; i < p->secrets.n; i++) {
        const struct secret *s = p->secrets.v[i];

        if (s->inject.rule)
            texts_add(a, &used, s->inject.rule);
    }
    m->v = arena_get(a, (p->network.allow.n + 1) * sizeof(*m->v));
    for (uint32_t i = 0; i < http->n && m->n < p->network.allow.n; i++) {
        const struct net_rule *r = p->network.allow.v[m->n];

        if (!http->v[i].deny)
            m->v[m->n++] = (struct party){ .clause = &http->v[i],
                                           .rule = r,
                                           .secret = texts_have(&used, r->id) };
    }
    for (uint32_t i = m->n, odd = m->n; i > 0; i--) {
        struct party *x = &m->v[i - 1];

        x->next_odd = odd;
        x->odd = x->secret || x->rule->protocol != m->v[0].rule->protocol;
        if (x->odd)
            odd = i - 1;
    }
}

/* False: the limit is met. */
static bool look(struct meeting *m, const struct clause *a, const struct clause *b)
{
    uint64_t cost = 1;

    if (a->cell[HTTP_HOST] && b->cell[HTTP_HOST])
        cost += (uint64_t)a->cell[HTTP_HOST]->hosts.n * b->cell[HTTP_HOST]->hosts.n;
    if (m->looks >= cost) {
        m->looks -= cost;
        return true;
    }
    complain(m->rs, m->ps, &m->rs->rules[a->rule],
             "too many rules to compare that differ in protocol, secrets or denials");
    m->over = true;
    return false;
}

static void disagreement(struct meeting *m, const struct party *a, const struct party *b)
{
    const struct clause *http[] = { a->clause, b->clause };
    const char *what = NULL;

    if (!look(m, http[0], http[1]) || clause_disjoint(http[0], http[1], HTTP_PORT + 1))
        return;
    /* The gate chooses the protocol when a stream opens, the secret when a request is seen. */
    if (a->rule->protocol != b->rule->protocol) {
        struct clause streams[2] = { *http[0], *http[1] };
        const struct clause *both[] = { &streams[0], &streams[1] };

        for (unsigned i = 0; i < 2; i++)
            for (unsigned d = HTTP_PROTOCOL; d < DIMS_MAX; d++)
                streams[i].cell[d] = NULL;
        if (ask(SPACE_HTTP, both, 2, NULL, 0, &m->solving) != SOLVED_NONE)
            what = "protocol";
    }
    if (!what && (a->secret || b->secret) &&
        ask(SPACE_HTTP, http, 2, NULL, 0, &m->solving) != SOLVED_NONE)
        what = "secrets";
    if (!what)
        return;

    struct text t = TEXT_INIT;

    text_add(&t, "overlaps %s (", m->rs->rules[http[1]->rule].id);
    policy_place(m->rs->policy, b->rule->o.spot, &t);
    text_add(&t, ") and disagrees with it on %s", what);
    complain(m->rs, m->ps, &m->rs->rules[http[0]->rule], text_str(&t));
    m->said++;
    text_fini(&t);
}

/* A denial of requests is empty words where an allow lets bytes through unseen. */
static void unseen(struct meeting *m, const struct clause *deny, const struct party *allow)
{
    struct text t = TEXT_INIT;

    if (!look(m, deny, allow->clause) || clause_disjoint(allow->clause, deny, HTTP_PORT + 1))
        return;
    text_add(&t, "cannot hold where %s (", m->rs->rules[allow->clause->rule].id);
    policy_place(m->rs->policy, allow->rule->o.spot, &t);
    text_add(&t, ") does not see requests (protocol: https)");
    complain(m->rs, m->ps, &m->rs->rules[deny->rule], text_str(&t));
    m->said++;
    text_fini(&t);
}

void policy_overlaps(const struct ruleset *rs, struct problems *ps)
{
    const struct clauses *http = &rs->space[SPACE_HTTP];
    struct meeting m = { .rs = rs, .ps = ps, .solving = SOLVING_MAX, .looks = LOOKS_MAX };
    struct arena a = ARENA_INIT;

    parties(&m, &a);
    for (uint32_t i = 0; i < m.n && m.said < PROBLEMS_MAX && !m.over; i++)
        for (uint32_t k = m.v[i].odd ? i + 1 : m.v[i].next_odd;
             k < m.n && m.said < PROBLEMS_MAX && !m.over; k = m.v[i].odd ? k + 1 : m.v[k].next_odd)
            if (m.v[i].secret || m.v[k].secret || m.v[i].rule->protocol != m.v[k].rule->protocol)
                disagreement(&m, &m.v[i], &m.v[k]);
    for (uint32_t i = 0; i < http->n; i++) {
        const struct clause *deny = &http->v[i];

        if (!deny->deny || (!deny->cell[HTTP_METHOD] && !deny->cell[HTTP_PATH]))
            continue;
        for (uint32_t k = 0; k < m.n && m.said < PROBLEMS_MAX && !m.over; k++)
            if (m.v[k].rule->protocol != PROTO_HTTPS)
                unseen(&m, deny, &m.v[k]);
    }
    arena_fini(&a);
}
