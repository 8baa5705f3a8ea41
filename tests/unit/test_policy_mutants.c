/* Mutation of rules: which changes the cases of a policy notice, and that what they say is so. */
#include "policies/cases.h"
#include "policies/layers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char policy_text[] =
    "carrel: 1\nname: t\nnetwork:\n  allow:\n  - {id: a, hosts: [a.b, c.d], methods: [GET, HEAD], "
    "paths: [/x, /y]}\n  deny:\n  - {id: no, hosts: [a.b], paths: [/y]}\n"
    "storage: {root: {mode: overlay}}\n";

static struct cases *run(const char *cases, struct policy **p)
{
    struct problems ps = PROBLEMS_INIT;
    struct cases *c;

    *p = policy_load(policy_text, strlen(policy_text), "t", NULL, NULL, &ps);
    assert_non_null(*p);
    c = cases_run(cases, strlen(cases), "t.cases.yaml", *p, &ps);
    assert_non_null(c);
    problems_fini(&ps);
    return c;
}

static bool noticed(const struct cases *c, const struct ruleset *rs, const char *rule,
                    enum mutation how, const char *what)
{
    for (uint32_t i = 0; i < c->mutants.n; i++) {
        const struct mutant *m = &c->mutants.v[i];

        if (m->how == how && strcmp(rs->rules[m->rule].id, rule) == 0 && strcmp(m->what, what) == 0)
            return m->noticed;
    }
    fail_msg("no change of %s: %s", rule, what);
    return false;
}

struct wanted {
    const char *rule;
    enum mutation how;
    const char *what;
    bool noticed;
};

static void check(const char *cases, const struct wanted *w, size_t n)
{
    struct policy *p;
    struct cases *c = run(cases, &p);
    struct ruleset *rs = ruleset_make(p, NULL);

    for (size_t i = 0; i < n; i++)
        if (noticed(c, rs, w[i].rule, w[i].how, w[i].what) != w[i].noticed)
            fail_msg("%s: %d %s: wanted %d", w[i].rule, w[i].how, w[i].what, w[i].noticed);
    assert_int_equal(c->failed, 0);
    ruleset_free(rs);
    cases_free(c);
    policy_free(p);
}

static void one_case_notices_what_it_is_about(void **state)
{
    static const struct wanted w[] = {
        { "network/a", MUTANT_LOST, "", true },
        { "network/a", MUTANT_TURNED, "", true },
        { "network/a", MUTANT_NARROWER, "host without a.b", true },
        { "network/a", MUTANT_NARROWER, "host without c.d", false },
        { "network/a", MUTANT_NARROWER, "method without GET", true },
        { "network/a", MUTANT_NARROWER, "method without HEAD", false },
        { "network/a", MUTANT_NARROWER, "path without /x", true },
        { "network/a", MUTANT_NARROWER, "path without /y", false },
        { "network/a", MUTANT_WIDER, "host wider", false },
        { "network/a", MUTANT_WIDER, "method wider", false },
        { "network/deny/no", MUTANT_LOST, "", false },
        { "network/deny/no", MUTANT_TURNED, "", false },
        { "network/deny/no", MUTANT_WIDER, "path wider", true },
    };

    (void)state;
    check("carrel: 1\ncases:\n- {ask: http a.b GET /x, expect: allow}\n", w, array_len(w));
}

static void denials_notice_what_is_wider(void **state)
{
    static const struct wanted w[] = {
        { "network/a", MUTANT_LOST, "", false },
        { "network/a", MUTANT_WIDER, "host wider", true },
        { "network/a", MUTANT_WIDER, "method wider", true },
        { "network/a", MUTANT_WIDER, "path wider", false },
        { "network/a", MUTANT_WIDER, "port wider", true },
        { "network/deny/no", MUTANT_LOST, "", true },
        /* turned round it allows, and so notices itself: the denial is gone as well */
        { "network/deny/no", MUTANT_TURNED, "", true },
    };

    (void)state;
    check("carrel: 1\ncases:\n- {ask: http e.f GET /x, expect: deny}\n"
          "- {ask: http a.b POST /x, expect: deny}\n- {ask: http a.b GET /y, expect: deny}\n"
          "- {ask: connect \"a.b:80\", expect: deny}\n- {ask: http a.b GET /z --port 80, expect: "
          "deny}\n",
          w, array_len(w));
}

/* Two faults at once: no single change of a set lets the request through, so none is noticed. */
static void a_case_that_is_denied_twice_notices_nothing(void **state)
{
    static const struct wanted w[] = {
        { "network/a", MUTANT_WIDER, "host wider", false },
        { "network/a", MUTANT_WIDER, "method wider", false },
        { "network/a", MUTANT_WIDER, "path wider", false },
    };

    (void)state;
    check("carrel: 1\ncases:\n- {ask: http e.f POST /z, expect: deny}\n", w, array_len(w));
}

/* Malformed requests are denied whatever the rules are. */
static void a_malformed_case_notices_nothing(void **state)
{
    struct policy *p;
    struct cases *c = run("carrel: 1\ncases:\n- {ask: http a.b GET /x/../y, expect: deny}\n"
                          "- {ask: file read /a//b, expect: deny}\n",
                          &p);

    (void)state;
    assert_int_equal(c->failed, 0);
    assert_int_equal(c->mutants.noticed, 0);
    assert_int_equal(cases_noticed(c), 0);
    assert_int_equal(cases_coverage(c), 0);
    cases_free(c);
    policy_free(p);
}

/*
 * The bench adds and subtracts; here every change of a whole rule is made in a ruleset of its own
 * and decided by decide itself.
 */
static void losses_are_what_decide_would_say(void **state)
{
    static const char text[] = "carrel: 1\ncases:\n- {ask: http a.b GET /x, expect: allow}\n"
                               "- {ask: http a.b GET /y, expect: deny}\n"
                               "- {ask: http c.d GET /y, expect: allow}\n"
                               "- {ask: connect c.d, expect: allow}\n"
                               "- {ask: file write /a, expect: allow}\n";
    struct policy *p;
    struct cases *c = run(text, &p);

    (void)state;
    for (uint32_t i = 0; i < c->mutants.n; i++) {
        const struct mutant *m = &c->mutants.v[i];
        struct ruleset *rs = ruleset_make(p, NULL);
        bool changed = false;

        for (unsigned s = 0; s < SPACES && m->how <= MUTANT_TURNED; s++)
            for (uint32_t k = 0; k < rs->space[s].n; k++) {
                struct clause *x = &rs->space[s].v[k];

                if (x->rule == m->rule && m->how == MUTANT_TURNED)
                    x->deny = !x->deny;
                for (uint32_t d = 0; x->rule == m->rule && !m->how && d < spaces[s].n; d++)
                    x->cell[d] = cell_bits(rs, 0);
            }
        for (uint32_t k = 0; k < c->n && m->how <= MUTANT_TURNED; k++)
            changed = changed || decide(rs, &c->v[k].request).allowed != c->v[k].got.allowed;
        if (m->how <= MUTANT_TURNED)
            assert_int_equal(changed, m->noticed);
        ruleset_free(rs);
    }
    cases_free(c);
    policy_free(p);
}

static void percentages_are_rounded_down(void **state)
{
    struct policy *p;
    struct cases *c = run("carrel: 1\ncases:\n- {ask: http a.b GET /x, expect: allow}\n", &p);

    (void)state;
    assert_int_equal(c->rules, 4);
    assert_int_equal(cases_coverage(c), 100 / c->rules);
    assert_int_equal(cases_noticed(c), c->mutants.noticed * 100 / c->mutants.n);
    assert_true(c->mutants.noticed < c->mutants.n);
    cases_free(c);
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_case_notices_what_it_is_about),
        cmocka_unit_test(denials_notice_what_is_wider),
        cmocka_unit_test(a_case_that_is_denied_twice_notices_nothing),
        cmocka_unit_test(a_malformed_case_notices_nothing),
        cmocka_unit_test(losses_are_what_decide_would_say),
        cmocka_unit_test(percentages_are_rounded_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
