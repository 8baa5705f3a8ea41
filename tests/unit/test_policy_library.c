/* The shipped policies: each loads without a word, its cases hold and notice the loss of every
 * rule. */
#include "policies/cases.h"
#include "policies/layers.h"
#include "policies/yaml.h"
#include "tests/unit/shipped.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char *file(const char *name, const char *suffix, size_t *n)
{
    char *text = shipped_file(name, suffix, n);

    if (!text)
        fail_msg("%s%s cannot be read", name, suffix);
    return text;
}

static void check(const char *name, void *ctx)
{
    size_t np, nc;
    char *yaml = file(name, ".yaml", &np), *asks = file(name, ".cases.yaml", &nc);
    struct problems ps = PROBLEMS_INIT;
    struct policy *p = policy_load(yaml, np, name, NULL, NULL, &ps);
    struct text t = TEXT_INIT;
    struct cases *c = p ? cases_run(asks, nc, name, p, &ps) : NULL;
    struct ruleset *rs = p ? ruleset_make(p, NULL) : NULL;

    (void)ctx;
    problems_print(&ps, &t);
    if (!c || ps.n) {
        fail_msg("%s", text_str(&t));
        return;
    }
    cases_print(c, rs, &t);
    if (c->failed || c->noticed != c->rules || c->n < 8)
        fail_msg("%s: %s", name, text_str(&t));
    assert_non_null(strstr(yaml, "# Does not protect against: "));
    assert_string_equal(p->name, name);
    cases_json(c, rs, &t);
    text_fini(&t);
    ruleset_free(rs);
    cases_free(c);
    policy_free(p);
    problems_fini(&ps);
    free(yaml);
    free(asks);
}

static void every_shipped_policy(void **state)
{
    (void)state;
    assert_int_equal(shipped_each(check, NULL), 14);
}

static void run(const char *asks, const char *what, uint32_t failed)
{
    const char *yaml =
        "carrel: 1\nname: t\nnetwork: {allow: [{id: a, hosts: [a.b]}, {id: c, hosts: [c.d]}]}\n";
    struct problems ps = PROBLEMS_INIT;
    struct policy *p = policy_load(yaml, strlen(yaml), "t", NULL, NULL, &ps);
    struct ruleset *rs = ruleset_make(p, NULL);
    struct cases *c = cases_run(asks, strlen(asks), "t.cases.yaml", p, &ps);
    struct text t = TEXT_INIT;

    problems_print(&ps, &t);
    if (c)
        cases_print(c, rs, &t);
    if ((failed == UINT32_MAX) != !c || (c && c->failed != failed) || !strstr(text_str(&t), what))
        fail_msg("wanted \"%s\", got %s", what, text_str(&t));
    text_fini(&t);
    cases_free(c);
    ruleset_free(rs);
    policy_free(p);
    problems_fini(&ps);
}

static void cases_fail_and_say_why(void **state)
{
    (void)state;
    run("carrel: 1\ncases:\n- {ask: connect a.b, expect: deny}\n",
        "t.cases.yaml:3:3: FAIL connect a.b: expected deny, got allow by network/a", 1);
    run("carrel: 1\ncases:\n- {ask: connect a.b, expect: allow, rule: network/c}\n",
        "expected allow by network/c, got allow by network/a", 1);
    run("carrel: 1\ncases:\n- {ask: connect a.b, expect: allow}\n",
        "no case notices the loss of network/c (never reached)", 0);
    run("carrel: 1\ncases:\n- {ask: connect a.b, expect: allow}\n- {ask: connect x.b, expect: "
        "deny}\n",
        "2 cases, 0 failed; 1 of 4 rules reached, the loss of 1 noticed", 0);
    run("carrel: 1\ncases:\n- {ask: conect a.b, expect: deny}\n",
        "t.cases.yaml:3:9: error: unknown kind of request \"conect\" (did you mean \"connect\"?)",
        UINT32_MAX);
    run("carrel: 1\ncases:\n- {ask: connect a.b, expect: maybe}\n", "wanted allow, deny or ask",
        UINT32_MAX);
    run("carrel: 1\ncases:\n- {ask: connect a.b}\n", "a case has ask, expect", UINT32_MAX);
    run("carrel: 1\ncases: x\n", "wanted carrel: 1 and cases", UINT32_MAX);
    run("carrel: 1\ncases: &a []\n", "anchor", UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_policy),
        cmocka_unit_test(cases_fail_and_say_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
