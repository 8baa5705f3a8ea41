/* Random policy pairs from the bytes: narrower is never contradicted, every witness replays, both
 * readings agree. */
#include "policies/compare.h"
#include "tests/unit/policy_naive.h"
#include "tests/unit/policy_random.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct policy *policy_of(const struct genome *g)
{
    struct text t = TEXT_INIT;
    struct policy *p;

    genome_write(g, "p", &t);
    p = policy_parse(t.p, t.len, "p", NULL);
    text_fini(&t);
    if (!p)
        abort();
    return p;
}

/* A policy of which each byte is a gene: coverage can steer it. */
static void genome_from(struct genome *g, const uint8_t **data, size_t *size, struct rng *r)
{
    uint8_t *bytes = (uint8_t *)g;

    genome_random(r, g);
    for (size_t i = 0; i + 1 < *size / 2; i += 2) {
        size_t at =
            ((size_t)(*data)[i] << 3 | (*data)[i + 1] >> 5) % (sizeof(g->rule) + sizeof(g->scalar));

        if (at >= sizeof(g->rule))
            bytes[at] = (uint8_t)((*data)[i + 1] % 3);
        else if (at % sizeof(g->rule[0][0]) == 0)
            bytes[at] = (*data)[i + 1] & 1;
        else
            bytes[at] = (uint8_t)((*data)[i + 1] & 15);
    }
    *data += *size / 2;
    *size -= *size / 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rng r = { 0x9e3779b97f4a7c15ull };
    struct genome gp, gc;
    struct arena a = ARENA_INIT;
    struct witness w;

    for (size_t i = 0; i < size && i < 8; i++)
        r.s = (r.s ^ data[i]) * 0x100000001b3ull | 1;
    genome_from(&gp, &data, &size, &r);
    genome_derive(&r, &gp, &gc);
    if (size > 4)
        genome_from(&gc, &data, &size, &r);

    struct policy *p = policy_of(&gp), *c = policy_of(&gc);
    struct ruleset *rp = ruleset_make(p, NULL), *rc = ruleset_make(c, NULL);
    enum compared got = narrower(rc, rp, &a, &w);

    if (got == COMPARED_WIDER && (!naive_allows(c, &w.request) || naive_allows(p, &w.request)))
        abort();
    for (int i = 0; i < 50; i++) {
        struct request q;

        request_random(&r, &a, &q);
        if (decide(rp, &q).allowed != naive_allows(p, &q))
            abort();
        if (got == COMPARED_WITHIN && decide(rc, &q).allowed && !decide(rp, &q).allowed)
            abort();
    }
    ruleset_free(rp);
    ruleset_free(rc);
    policy_free(p);
    policy_free(c);
    arena_fini(&a);
    return 0;
}
