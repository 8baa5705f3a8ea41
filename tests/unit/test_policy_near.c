/* Who is near: nobody who shares a value is left out, and most who share none are. */
#include "policies/compare.h"
#include "policies/near.h"

#include "tests/unit/policy_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct count {
    uint64_t pairs, found, apart; /* apart: by the first dimension */
};

static void one(const struct clause *c, struct near *n, struct count *count)
{
    const struct clauses *cs = n->clauses;
    struct arena tmp = ARENA_INIT;
    uint64_t work = UINT64_MAX;

    near_find(n, c, &tmp, &work);
    for (uint32_t i = 0; i < cs->n; i++) {
        bool apart = cell_disjoint(c->cell[0], cs->v[i].cell[0]);

        if (cs->v[i].deny != n->deny) {
            assert_false(near_has(n, i));
            continue;
        }
        if (!apart)
            assert_true(near_has(n, i));
        count->pairs++;
        count->found += near_has(n, i);
        count->apart += apart;
    }
    arena_fini(&tmp);
}

static void all(const struct ruleset *a, const struct ruleset *b, struct count *count)
{
    for (unsigned space = 0; space < SPACES; space++) {
        for (unsigned deny = 0; deny < 2; deny++) {
            struct arena whole = ARENA_INIT;
            struct near n;

            near_make(&whole, &b->space[space], deny, &n);
            for (uint32_t i = 0; i < a->space[space].n; i++)
                one(&a->space[space].v[i], &n, count);
            arena_fini(&whole);
        }
    }
}

static struct ruleset *ruleset_of(const char *text, size_t len, struct policy **p)
{
    struct problems ps = PROBLEMS_INIT;

    *p = policy_parse(text, len, "p", &ps);
    problems_fini(&ps);
    return *p ? ruleset_make(*p, NULL) : NULL;
}

static void nobody_near_is_left_out(void **state)
{
    struct rng r = { 7 };
    struct count count = { 0, 0, 0 };

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct genome g[2];
        struct policy *p[2];
        struct ruleset *rs[2];

        genome_random(&r, &g[0]);
        genome_derive(&r, &g[0], &g[1]);
        for (unsigned k = 0; k < 2; k++) {
            struct text t = TEXT_INIT;

            genome_write(&g[k], "p", &t);
            rs[k] = ruleset_of(text_str(&t), t.len, &p[k]);
            text_fini(&t);
        }
        if (rs[0] && rs[1])
            all(rs[0], rs[1], &count);
        for (unsigned k = 0; k < 2; k++) {
            ruleset_free(rs[k]);
            policy_free(p[k]);
        }
    }
    assert_true(count.pairs > 100000);
    assert_true(count.apart > count.pairs / 10);
}

/* Names, paths and words that begin or end alike, each the front of others; some twice. */
static void fronts_of_fronts(void **state)
{
    static const char text[] = "carrel: 1\nname: p\nnetwork:\n  allow:\n"
                               "  - {id: a, hosts: [b.org]}\n"
                               "  - {id: b, hosts: [\"**.b.org\"]}\n"
                               "  - {id: c, hosts: [\"*.a.b.org\", c.org]}\n"
                               "  - {id: d, hosts: [\"**.a.b.org\"]}\n"
                               "  - {id: e, hosts: [x.a.b.org]}\n"
                               "  - {id: f, hosts: [xb.org]}\n"
                               "  - {id: g, any_host: true}\n"
                               "  - {id: h, hosts: [x.a.b.org, a.b.org]}\n"
                               "  deny:\n"
                               "  - {id: i, hosts: [y.a.b.org]}\n"
                               "  - {id: j, ports: [25]}\n"
                               "tools:\n  commands:\n"
                               "  - {id: a, exec: {path: /usr/bin/a}}\n"
                               "  - {id: b, exec: {path: /usr/bin/*}}\n"
                               "  - {id: c, exec: {path: /usr/**}}\n"
                               "  - {id: d, exec: {path: \"/**\"}}\n"
                               "  - {id: e, exec: {path: /usr/bin/ab}}\n"
                               "  - {id: f, exec: {path: /opt/a}}\n";
    struct count count = { 0, 0, 0 };
    struct policy *p;
    struct ruleset *rs = ruleset_of(text, sizeof(text) - 1, &p);

    (void)state;
    assert_non_null(rs);
    all(rs, rs, &count);
    assert_true(count.apart > 0);
    ruleset_free(rs);
    policy_free(p);
}

/* A thousand rules that have nothing to do with each other: each finds itself. */
static void strangers_are_not_looked_at(void **state)
{
    struct text t = TEXT_INIT;
    struct count count = { 0, 0, 0 };
    struct policy *p;
    struct ruleset *rs;

    (void)state;
    text_add(&t, "carrel: 1\nname: p\nnetwork:\n  allow:\n");
    for (unsigned i = 0; i < 1000; i++)
        text_add(&t, "  - {id: n%u, hosts: [\"**.w%u.org\"]}\n", i, i);
    rs = ruleset_of(text_str(&t), t.len, &p);
    assert_non_null(rs);
    all(rs, rs, &count);
    /* connect, dial and http; the front of w1 is not the beginning of that of w10 */
    assert_true(count.found < 5000);
    assert_true(count.pairs > 3000000);
    ruleset_free(rs);
    policy_free(p);
    text_fini(&t);
}

/* What a search costs is paid, and its end shows. */
static void the_limit_shows(void **state)
{
    static const char text[] = "carrel: 1\nname: p\nnetwork:\n  allow:\n"
                               "  - {id: a, hosts: [b.org]}\n  - {id: b, hosts: [\"**.org.b\"]}\n";
    struct arena a = ARENA_INIT;
    struct policy *p;
    struct ruleset *rs = ruleset_of(text, sizeof(text) - 1, &p);
    struct near n;
    uint64_t work = 1;

    (void)state;
    assert_non_null(rs);
    near_make(&a, &rs->space[SPACE_CONNECT], false, &n);
    near_find(&n, &rs->space[SPACE_CONNECT].v[0], &a, &work);
    assert_int_equal(work, 0);
    arena_fini(&a);
    ruleset_free(rs);
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_near_is_left_out),
        cmocka_unit_test(fronts_of_fronts),
        cmocka_unit_test(strangers_are_not_looked_at),
        cmocka_unit_test(the_limit_shows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
