/*
 * Random policies: decide against the naive evaluator, narrower against decide. An argument gives
 * the number of requests of each (100,000 without one; 10000000 is the long run), a second one the
 * seed.
 */
#include "policies/compare.h"
#include "policies/points.h"
#include "tests/unit/policy_naive.h"
#include "tests/unit/policy_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t rounds = 100000, seed = 1;

#define PER_POLICY 200u

static struct policy *policy_of(const struct genome *g)
{
    struct text t = TEXT_INIT;
    struct problems ps = PROBLEMS_INIT;

    genome_write(g, "p", &t);

    struct policy *p = policy_parse(t.p, t.len, "p.yaml", &ps);

    if (!p) {
        struct text why = TEXT_INIT;

        problems_print(&ps, &why);
        fail_msg("%s\n%s", text_str(&why), text_str(&t));
    }
    problems_fini(&ps);
    text_fini(&t);
    return p;
}

static void print_case(const struct genome *g, const struct request *q)
{
    struct text t = TEXT_INIT;

    genome_write(g, "p", &t);
    point_print(q, &t);
    print_error("%s\n", text_str(&t));
    text_fini(&t);
}

static void decide_is_what_the_policy_says(void **state)
{
    struct rng r = { seed * 0x9e3779b97f4a7c15ull | 1 };
    uint64_t allowed[SPACES] = { 0 }, asked[SPACES] = { 0 };

    (void)state;
    for (uint64_t done = 0; done < rounds; done += PER_POLICY) {
        struct genome g;
        struct arena a = ARENA_INIT;

        genome_random(&r, &g);

        struct policy *p = policy_of(&g);
        struct ruleset *rs = ruleset_make(p, NULL);

        for (unsigned i = 0; i < PER_POLICY; i++) {
            struct request q;
            bool naive, fast;

            request_random(&r, &a, &q);
            naive = naive_allows(p, &q);
            fast = decide(rs, &q).allowed;
            asked[q.space]++;
            allowed[q.space] += fast;
            if (naive != fast) {
                print_case(&g, &q);
                fail_msg("decide says %d, the policy says %d (seed %llu)", fast, naive,
                         (unsigned long long)seed);
            }
        }
        ruleset_free(rs);
        policy_free(p);
        arena_fini(&a);
    }
    /* A test in which nothing is ever allowed, or everything, would prove nothing. */
    for (unsigned s = 0; s < SPACES; s++)
        if (allowed[s] * 3000 < asked[s] || allowed[s] == asked[s])
            fail_msg("%s: %llu of %llu allowed", spaces[s].name, (unsigned long long)allowed[s],
                     (unsigned long long)asked[s]);
}

static void narrower_is_never_wrong(void **state)
{
    struct rng r = { seed * 0xd1342543de82ef95ull | 1 };
    uint64_t within = 0, wider = 0, unknown = 0, seen = 0;

    (void)state;
    for (uint64_t done = 0; done < rounds; done += PER_POLICY) {
        struct genome gp, gc;
        struct arena a = ARENA_INIT;

        genome_random(&r, &gp);
        genome_derive(&r, &gp, &gc);

        struct policy *p = policy_of(&gp), *c = policy_of(&gc);
        struct ruleset *rp = ruleset_make(p, NULL), *rc = ruleset_make(c, NULL);
        enum compared by_space[SPACES];

        for (unsigned s = 0; s < SPACES; s++) {
            struct witness w;

            by_space[s] = narrower_in(s, rc, rp, &a, &w);
            within += by_space[s] == COMPARED_WITHIN;
            unknown += by_space[s] == COMPARED_TOO_COMPLEX;
            if (by_space[s] == COMPARED_WIDER) {
                struct request back;
                struct text t = TEXT_INIT;

                wider++;
                /* The witness replays, in both evaluators, and also when read from its text. */
                point_print(&w.request, &t);
                if (!naive_allows(c, &w.request) || naive_allows(p, &w.request) ||
                    point_parse_line(&a, text_str(&t), &back) || !decide(rc, &back).allowed ||
                    decide(rp, &back).allowed)
                    fail_msg("a witness does not replay: %s", text_str(&t));
                text_fini(&t);
            }
        }
        for (unsigned i = 0; i < PER_POLICY; i++) {
            struct request q;

            request_random(&r, &a, &q);
            if (!decide(rc, &q).allowed || decide(rp, &q).allowed)
                continue;
            seen++;
            if (by_space[q.space] == COMPARED_WITHIN) {
                print_case(&gp, &q);
                print_case(&gc, &q);
                fail_msg("called narrower, allows more (seed %llu)", (unsigned long long)seed);
            }
        }
        ruleset_free(rp);
        ruleset_free(rc);
        policy_free(p);
        policy_free(c);
        arena_fini(&a);
    }
    print_message("narrower: %llu proved, %llu witnesses, %llu too complex; %llu random requests "
                  "in between\n",
                  (unsigned long long)within, (unsigned long long)wider,
                  (unsigned long long)unknown, (unsigned long long)seen);
    assert_true(within > rounds / PER_POLICY && wider * 20 > rounds / PER_POLICY && seen > 0);
    assert_int_equal(unknown, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decide_is_what_the_policy_says),
        cmocka_unit_test(narrower_is_never_wrong),
    };

    if (argc > 1)
        rounds = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
