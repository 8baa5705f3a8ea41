/* policy_differential.c - see policy_differential.h. */
#include "tests/unit/policy_differential.h"

#include "policies/compare.h"
#include "policies/points.h"
#include "tests/unit/policy_naive.h"
#include "tests/unit/policy_random.h"

#include <inttypes.h>
#include <stddef.h>

#define PER_POLICY 200u

struct made {
    struct genome g;
    struct policy *p;
    struct ruleset *rs;
};

static bool make(struct made *m, struct text *why)
{
    struct text t = TEXT_INIT;
    struct problems ps = PROBLEMS_INIT;

    genome_write(&m->g, "p", &t);
    m->p = policy_parse(t.p, t.len, "p.yaml", &ps);
    m->rs = m->p ? ruleset_make(m->p, NULL) : NULL;
    if (!m->p) {
        problems_print(&ps, why);
        text_add(why, "%s", text_str(&t));
    }
    problems_fini(&ps);
    text_fini(&t);
    return m->p != NULL;
}

static void unmake(struct made *m)
{
    ruleset_free(m->rs);
    policy_free(m->p);
}

static void tell(struct text *why, const struct genome *a, const struct genome *b,
                 const struct request *q, uint64_t seed)
{
    genome_write(a, "p", why);
    if (b)
        genome_write(b, "c", why);
    point_print(q, why);
    text_add(why, "\n(seed %" PRIu64 ")\n", seed);
}

bool differential_decide(uint64_t requests, uint64_t seed, struct differential *d, struct text *why)
{
    struct rng r = { seed * 0x9e3779b97f4a7c15ull | 1 };
    bool same = true;

    for (uint64_t done = 0; done < requests && same; done += PER_POLICY) {
        struct made m = { .p = NULL };
        struct arena a = ARENA_INIT;

        genome_random(&r, &m.g);
        if (!make(&m, why))
            return false;
        for (unsigned i = 0; i < PER_POLICY && same; i++) {
            struct request q;
            bool naive, fast;

            request_random(&r, &a, &q);
            naive = naive_allows(m.p, &q);
            fast = decide(m.rs, &q).allowed;
            d->requests++;
            d->asked[q.space]++;
            d->allowed[q.space] += fast;
            same = naive == fast;
            if (!same) {
                text_add(why, "decide says %d, the policy says %d:\n", fast, naive);
                tell(why, &m.g, NULL, &q, seed);
            }
        }
        d->policies++;
        unmake(&m);
        arena_fini(&a);
    }
    return same;
}

/* The witness replays, in both evaluators, and also when read from its text. */
static bool replays(const struct made *c, const struct made *p, const struct witness *w,
                    struct text *why)
{
    struct arena a = ARENA_INIT;
    struct request back;
    struct text t = TEXT_INIT;
    bool ok;

    point_print(&w->request, &t);
    ok = naive_allows(c->p, &w->request) && !naive_allows(p->p, &w->request) &&
         !point_parse_line(&a, text_str(&t), &back) && decide(c->rs, &back).allowed &&
         !decide(p->rs, &back).allowed;
    if (!ok)
        text_add(why, "a witness does not replay: %s\n", text_str(&t));
    text_fini(&t);
    arena_fini(&a);
    return ok;
}

static bool one_pair(struct rng *r, const struct made *p, const struct made *c, uint32_t requests,
                     uint64_t seed, struct differential *d, struct text *why)
{
    enum compared by_space[SPACES];
    struct arena a = ARENA_INIT;
    bool ok = true;

    for (unsigned s = 0; s < SPACES && ok; s++) {
        struct witness w;

        by_space[s] = narrower_in(s, c->rs, p->rs, &a, &w);
        d->within += by_space[s] == COMPARED_WITHIN;
        d->unknown += by_space[s] == COMPARED_TOO_COMPLEX;
        d->wider += by_space[s] == COMPARED_WIDER;
        if (by_space[s] == COMPARED_WIDER) {
            ok = replays(c, p, &w, why);
            d->replayed += ok;
            if (!ok)
                tell(why, &p->g, &c->g, &w.request, seed);
        }
    }
    for (uint32_t i = 0; i < requests && ok; i++) {
        struct request q;

        request_random(r, &a, &q);
        d->triples++;
        if (!decide(c->rs, &q).allowed || decide(p->rs, &q).allowed)
            continue;
        d->between++;
        ok = by_space[q.space] != COMPARED_WITHIN;
        if (!ok) {
            text_add(why, "called narrower, allows more:\n");
            tell(why, &p->g, &c->g, &q, seed);
        }
    }
    d->pairs++;
    arena_fini(&a);
    return ok;
}

bool differential_narrower(uint64_t triples, uint32_t per_pair, uint64_t seed,
                           struct differential *d, struct text *why)
{
    struct rng r = { seed * 0xd1342543de82ef95ull | 1 };
    bool ok = true;

    for (uint64_t done = 0; done < triples && ok; done += per_pair) {
        struct made p = { .p = NULL }, c = { .p = NULL };

        genome_random(&r, &p.g);
        genome_derive(&r, &p.g, &c.g);
        ok = make(&p, why) && make(&c, why) && one_pair(&r, &p, &c, per_pair, seed, d, why);
        unmake(&p);
        unmake(&c);
    }
    return ok;
}

bool differential_means_something(const struct differential *d, struct text *why)
{
    for (unsigned s = 0; s < SPACES && d->requests; s++) {
        if (d->allowed[s] * 3000 < d->asked[s] || d->allowed[s] == d->asked[s]) {
            text_add(why, "%s: %" PRIu64 " of %" PRIu64 " allowed\n", spaces[s].name, d->allowed[s],
                     d->asked[s]);
            return false;
        }
    }
    if (d->pairs && (d->within <= d->pairs || d->wider * 20 <= d->pairs || !d->between)) {
        text_add(why, "%" PRIu64 " proved, %" PRIu64 " witnesses, %" PRIu64 " requests between\n",
                 d->within, d->wider, d->between);
        return false;
    }
    return true;
}
