/* Patterns one by one, against all short strings over a few letters: matching, inclusion, overlap,
 * ranges. */
#include "policies/addrs.h"
#include "policies/cells.h"
#include "policies/solve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const patterns[] = { "a.b",     "x.a.b",    "xa.b",    "*.a.b",   "**.a.b",
                                        "*.x.a.b", "**.x.a.b", "**.xa.b", "c.x.a.b", "*.c.d" };
static const char *const names[] = { "a.b",     "x.a.b",     "xa.b",    "c.xa.b", "y.a.b",
                                     "y.x.a.b", "z.y.x.a.b", "c.x.a.b", "c.d",    "x.c.d",
                                     "x.x.c.d", "a.b.c",     "evila.b", "ba.b" };
/* Which of the names, as bits from the left, each pattern has; written by hand. */
static const char *const table[] = {
    "10000000000000", "01000000000000", "00100000000000", "01001000000000", "01001111000000",
    "00000101000000", "00000111000000", "00010000000000", "00000001000000", "00000000010000",
};

static void host_patterns(void **state)
{
    struct arena a = ARENA_INIT;
    struct host_pattern p[array_len(patterns)];

    (void)state;
    for (size_t i = 0; i < array_len(patterns); i++) {
        assert_null(host_pattern_parse(&a, patterns[i], &p[i]));
        for (size_t k = 0; k < array_len(names); k++)
            if (host_matches(&p[i], names[k], strlen(names[k])) != (table[i][k] == '1'))
                fail_msg("%s on %s", patterns[i], names[k]);
    }
    for (size_t i = 0; i < array_len(patterns); i++) {
        for (size_t m = 0; m < array_len(patterns); m++) {
            bool within = true, overlap = false;

            /* The names reach every class of these patterns, so they decide inclusion. */
            for (size_t k = 0; k < array_len(names); k++) {
                within = within && (table[i][k] == '0' || table[m][k] == '1');
                overlap = overlap || (table[i][k] == '1' && table[m][k] == '1');
            }
            if (host_within(&p[i], &p[m]) != within || host_overlaps(&p[i], &p[m]) != overlap)
                fail_msg("%s and %s", patterns[i], patterns[m]);
        }
    }
    arena_fini(&a);
}

static const char *const globs[] = { "/a",         "/a/**", "/**",    "/**/a",  "/**/a/**",
                                     "/*",         "/a*",   "/*a",    "/a*a",   "/*/a",
                                     "/a/*",       "/?",    "/?a/**", "/**/*a", "/a*/**",
                                     "/**/a*a/**", "/",     "/a.b",   "/**/?b", "/*a*b*" };

/* The automaton's word. */
static bool reaches(const struct glob *g, const char *s, size_t n)
{
    uint64_t set[GLOB_REACH_WORDS];

    glob_reach(g, s, n, set);
    return set[g->n / 64] >> (g->n % 64) & 1;
}

#define SHORT 7

static void all_short_paths(void (*fn)(const char *s, size_t n, void *ctx), void *ctx)
{
    static const char letters[] = "/ab.";
    char s[SHORT + 1];

    for (size_t n = 1; n <= SHORT; n++) {
        for (unsigned code = 0; code < 1u << (2 * n); code++) {
            for (size_t i = 0; i < n; i++)
                s[i] = letters[code >> (2 * i) & 3];
            s[n] = '\0';
            if (path_is_canonical(s, n))
                fn(s, n, ctx);
        }
    }
}

struct pair_of_globs {
    struct glob a, b;
    bool within, disjoint;
};

static void two_matchers_agree(const char *s, size_t n, void *ctx)
{
    const struct glob *g = ctx;

    if (glob_matches(g, s, n) != reaches(g, s, n))
        fail_msg("%s on %s: %d", g->text, s, glob_matches(g, s, n));
}

static void claims_hold(const char *s, size_t n, void *ctx)
{
    const struct pair_of_globs *p = ctx;
    bool a = reaches(&p->a, s, n), b = reaches(&p->b, s, n);

    if ((p->within && a && !b) || (p->disjoint && a && b))
        fail_msg("%s and %s on %s", p->a.text, p->b.text, s);
}

static void glob_patterns(void **state)
{
    struct arena a = ARENA_INIT;

    (void)state;
    for (size_t i = 0; i < array_len(globs); i++) {
        struct glob g;

        assert_null(glob_parse(&a, GLOB_PATH, NULL, globs[i], &g));
        all_short_paths(two_matchers_agree, &g);
    }
    for (size_t i = 0; i < array_len(globs); i++) {
        for (size_t k = 0; k < array_len(globs); k++) {
            struct pair_of_globs p;
            struct cell ca = { .type = DIM_GLOB }, cb = { .type = DIM_GLOB };

            assert_null(glob_parse(&a, GLOB_PATH, NULL, globs[i], &p.a));
            assert_null(glob_parse(&a, GLOB_PATH, NULL, globs[k], &p.b));
            ca.globs.pos = (struct globs){ &p.a, 1 };
            cb.globs.pos = (struct globs){ &p.b, 1 };
            p.within = cell_within(&ca, &cb);
            p.disjoint = cell_disjoint(&ca, &cb);
            all_short_paths(claims_hold, &p);
        }
    }
    arena_fini(&a);
}

struct count {
    const struct glob *a, *b;
    unsigned n;
};

static void count_outside(const char *s, size_t n, void *ctx)
{
    struct count *c = ctx;

    c->n += reaches(c->a, s, n) && !reaches(c->b, s, n);
}

/* The solver finds a path in one and outside the other exactly when there is a short one. */
static void glob_inclusion_is_exact(void **state)
{
    struct arena a = ARENA_INIT;

    (void)state;
    for (size_t i = 0; i < array_len(globs); i++) {
        for (size_t k = 0; k < array_len(globs); k++) {
            struct glob ga, gb;
            struct cell ca = { .type = DIM_GLOB }, cb = { .type = DIM_GLOB };
            struct clause in = { .rule = 0 }, out = { .rule = 0 };
            const struct clause *must = &in, *avoid = &out;
            struct question q = { SPACE_FILE, &must, 1, &avoid, 1, NULL };
            struct request r;
            struct count c = { &ga, &gb, 0 };
            enum solved s;

            assert_null(glob_parse(&a, GLOB_PATH, NULL, globs[i], &ga));
            assert_null(glob_parse(&a, GLOB_PATH, NULL, globs[k], &gb));
            ca.globs.pos = (struct globs){ &ga, 1 };
            cb.globs.pos = (struct globs){ &gb, 1 };
            in.cell[FILE_PATH] = &ca;
            out.cell[FILE_PATH] = &cb;
            all_short_paths(count_outside, &c);
            s = solve(&q, &a, &r);
            /* A witness may be longer than all short paths; a proof may not be contradicted by one.
             */
            if (s == SOLVED_TOO_COMPLEX || (s == SOLVED_NONE && c.n) ||
                (s == SOLVED_POINT &&
                 (!reaches(&ga, r.v[0].s, r.v[0].len) || reaches(&gb, r.v[0].s, r.v[0].len))))
                fail_msg("%s without %s: %d, %u short ones", globs[i], globs[k], s, c.n);
        }
    }
    arena_fini(&a);
}

static void tokens_are_told_apart(void **state)
{
    const char *ab[] = { "ab" }, *a_[] = { "a" }, *words[] = { "", "abc", "b" };
    struct token t[] = { { TOKEN_PREFIX, { ab, 1 }, 0, 0, 4 },
                         { TOKEN_PREFIX, { a_, 1 }, 0, 0, 3 },
                         { TOKEN_WORDS, { words, 3 }, 0, 0, 0 },
                         { TOKEN_ANY, { NULL, 0 }, 0, 1, 2 },
                         { TOKEN_ANY, { NULL, 0 }, 0, 1, 5 } };
    const struct token *list[] = { &t[0], &t[1], &t[2], &t[3], &t[4] };
    struct arena a = ARENA_INIT;
    struct texts values = { NULL, 0 };
    uint64_t work = 1000000;
    char s[8];

    (void)state;
    assert_true(token_values(&a, list, 5, &work, &values));
    /* Every string of up to seven letters is told apart like one of the values. */
    for (size_t n = 0; n <= 7; n++) {
        for (unsigned code = 0; code < 1u << (2 * n); code++) {
            unsigned mine = 0, found = 0;

            for (size_t i = 0; i < n; i++)
                s[i] = "abcz"[code >> (2 * i) & 3];
            s[n] = '\0';
            for (unsigned k = 0; k < 5; k++)
                mine |= (unsigned)token_matches(&t[k], s, n) << k;
            for (uint32_t i = 0; i < values.n && !found; i++) {
                unsigned it = 0;

                for (unsigned k = 0; k < 5; k++)
                    it |= (unsigned)token_matches(&t[k], values.v[i], strlen(values.v[i])) << k;
                found = it == mine;
            }
            if (!found)
                fail_msg("no value stands for \"%s\"", s);
        }
    }
    arena_fini(&a);
}

static void argv_lists(void **state)
{
    const char *x[] = { "x" }, *y[] = { "y" }, *list[] = { "x", "a", "bb", "y" };
    struct token t[] = { { TOKEN_WORDS, { x, 1 }, 0, 0, 0 },
                         { TOKEN_ANY, { NULL, 0 }, 1, 2, 2 },
                         { TOKEN_WORDS, { y, 1 }, 0, 0, 0 } };
    struct argv_pattern p = { t, 3 }, any = { t + 1, 1 }, none = { NULL, 0 };

    (void)state;
    assert_true(argv_matches(&p, &(struct args){ list, 4 }));
    assert_false(argv_matches(&p, &(struct args){ list, 3 }));
    assert_false(argv_matches(&p, &(struct args){ (const char *[]){ "x", "y" }, 2 }));
    assert_true(argv_matches(&p, &(struct args){ (const char *[]){ "x", "y", "y" }, 3 }));
    assert_false(
        argv_matches(&p, &(struct args){ (const char *[]){ "x", "1", "2", "3", "y" }, 5 }));
    assert_false(argv_matches(&p, &(struct args){ (const char *[]){ "x", "123", "y" }, 3 }));
    assert_true(
        argv_contains(&p, &(struct args){ (const char *[]){ "q", "x", "1", "y", "q" }, 5 }));
    assert_true(argv_matches(&none, &(struct args){ NULL, 0 }));
    assert_false(argv_matches(&none, &(struct args){ list, 1 }));
    assert_false(argv_matches(&any, &(struct args){ NULL, 0 }));
    assert_int_equal(argv_states(&p), 5);
}

static bool set_has(const struct addr_set *s, uint64_t lo)
{
    return addr_set_has(s, &(struct addr){ 4, 0, lo });
}

static void address_sets(void **state)
{
    struct arena a = ARENA_INIT;
    struct addr_set s = { NULL, 0 };
    struct addr_range r;

    (void)state;
    assert_null(cidr_parse("0.0.0.10/31", &r));
    addr_set_add(&a, &s, &r);
    assert_null(cidr_parse("0.0.0.0/29", &r));
    addr_set_add(&a, &s, &r);
    assert_null(cidr_parse("0.0.0.4", &r));
    addr_set_remove(&a, &s, &r);
    for (uint64_t i = 0; i < 16; i++)
        assert_int_equal(set_has(&s, i), (i < 8 && i != 4) || i == 10 || i == 11);
    assert_false(addr_set_has(&s, &(struct addr){ 6, 0, 1 }));
    assert_non_null(cidr_parse("10.0.0.1/8", &r));
    assert_non_null(cidr_parse("10.0.0.0/33", &r));
    assert_non_null(cidr_parse("10.0.0.0/08", &r));
    assert_non_null(cidr_parse("10.0.0.0/", &r));
    assert_non_null(cidr_parse("10.0.0/8", &r));
    assert_null(cidr_parse("::/0", &r));
    assert_int_equal(r.hi.hi, UINT64_MAX);
    assert_int_equal(r.hi.lo, UINT64_MAX);
    assert_null(cidr_parse("2600::/64", &r));
    assert_int_equal(r.hi.hi, 0x2600000000000000);
    assert_int_equal(r.hi.lo, UINT64_MAX);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_patterns),
        cmocka_unit_test(glob_patterns),
        cmocka_unit_test(glob_inclusion_is_exact),
        cmocka_unit_test(tokens_are_told_apart),
        cmocka_unit_test(argv_lists),
        cmocka_unit_test(address_sets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
