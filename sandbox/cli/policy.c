/* policy.c - the policy verbs: questions to policies/, answered in words or JSON. */
#include "policies/canon.h"
#include "policies/cases.h"
#include "policies/compare.h"
#include "policies/points.h"
#include "policies/schema.h"
#include "sandbox/cli/policy_say.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int verb_policy_ls(struct cli *c)
{
    char **names = NULL;
    size_t n = 0;
    struct err e = ERR_INIT;
    json_t *array = json_array();
    int status = 0;

    if (policy_library(&names, &n, &e))
        status = cli_fail(c, "policy", &e, NULL);
    for (size_t i = 0; i < n; i++) {
        if (c->json)
            json_array_append_new(array, cli_json_text(names[i]));
        else
            puts(names[i]);
        free(names[i]);
    }
    free(names);
    if (c->json && !status)
        status = cli_json(c, json_incref(array)) ? 0 : EXIT_NO;
    json_decref(array);
    return status ? status : cli_finish(c);
}

/* The request after the policy: "http pypi.org GET /simple/x". */
static bool asked(struct cli *c, struct arena *a, struct request *r, int *status)
{
    const char *const *words = (const char *const *)c->args->operands + 1;
    const char *wrong = point_parse(a, words, (uint32_t)c->args->noperands - 1, r);
    struct err e = ERR_INIT;

    if (!wrong)
        return true;
    err_set(&e, EINVAL, "the request: %s", wrong);
    *status = cli_fail_usage(
        c, &e,
        "for example: http pypi.org GET /simple/x, exec /usr/bin/git -- status, file write /etc/x");
    return false;
}

/* The decision: its first line, or with the reason and what would change it. */
static int answer(struct cli *c, bool whole)
{
    struct arena a = { 0 };
    struct policy_source s;
    struct request r;
    int status = 0;

    if (policy_open(c, 0, &s, &status) && asked(c, &a, &r, &status)) {
        struct decision d = decide(s.rules, &r);
        struct text t = TEXT_INIT;

        if (c->json) {
            decision_json(s.rules, &r, &d, &t);
        } else {
            decision_print(s.rules, &r, &d, &t);
            if (!whole && t.p && strchr(t.p, '\n'))
                t.len = strcspn(t.p, "\n");
            if (t.p)
                t.p[t.len] = '\0';
        }
        status = policy_say(c, &t, d.allowed ? 0 : EXIT_NO);
    }
    arena_fini(&a);
    policy_source_fini(&s);
    return status;
}

int verb_policy_check(struct cli *c)
{
    return answer(c, false);
}

int verb_policy_explain(struct cli *c)
{
    return answer(c, true);
}

int verb_policy_diff(struct cli *c)
{
    struct arena a = { 0 };
    struct policy_source before, after = { .problems = PROBLEMS_INIT };
    int status = 0;

    if (policy_open(c, 0, &before, &status) && policy_open(c, 1, &after, &status)) {
        struct text t = TEXT_INIT;
        struct diff d;

        policy_diff(before.rules, after.rules, &a, &d);
        if (c->json)
            diff_json(&d, &t);
        else
            diff_print(before.rules, after.rules, &d, &t);
        /* For CI: what widens, or may, is the answer no. */
        status =
            policy_say(c, &t, d.change == CHANGE_SAME || d.change == CHANGE_NARROWS ? 0 : EXIT_NO);
    }
    arena_fini(&a);
    policy_source_fini(&after);
    policy_source_fini(&before);
    return status;
}

int verb_policy_narrower(struct cli *c)
{
    static const char *const answers[] = { "within", "wider", "too-complex" };
    struct arena a = { 0 };
    struct policy_source child, parent = { .problems = PROBLEMS_INIT };
    int status = 0;

    if (policy_open(c, 0, &child, &status) && policy_open(c, 1, &parent, &status)) {
        struct witness w = { 0 };
        enum compared got = narrower(child.rules, parent.rules, &a, &w);
        struct text t = TEXT_INIT;

        if (c->json) {
            text_add(&t, "{\"answer\":\"%s\",\"witness\":", answers[got]);
            if (got == COMPARED_WIDER)
                point_json(&w.request, &t);
            else
                text_add(&t, "null");
            text_add(&t, "}");
        } else if (got == COMPARED_WITHIN) {
            text_add(&t, "within: all that %s allows, %s allows", child.dossier.doc[0].file,
                     parent.dossier.doc[0].file);
        } else if (got == COMPARED_WIDER) {
            text_add(&t, "wider:\n");
            witness_print(child.rules, parent.rules, &w, &t);
        } else {
            text_add(&t, "too complex to prove: %s", w.rule ? w.rule->id : "");
        }
        status = policy_say(c, &t, got == COMPARED_WITHIN ? 0 : EXIT_NO);
    }
    arena_fini(&a);
    policy_source_fini(&parent);
    policy_source_fini(&child);
    return status;
}

/* 0 to 100; -1, after the error: it is no percentage. */
static int percent(struct cli *c, enum opt_id id, int *status)
{
    const char *s = args_text(c->args, id);
    struct err e = ERR_INIT;
    size_t n = s ? strspn(s, "0123456789") : 0;

    if (!s)
        return 0;
    if (n >= 1 && n <= 3 && (!s[n] || !strcmp(s + n, "%")) && strtol(s, NULL, 10) <= 100)
        return (int)strtol(s, NULL, 10);
    err_set(&e, EINVAL, "--%s %s: wanted a percentage", opt_by_id(id)->name, s);
    *status = cli_fail_usage(c, &e, "0 to 100");
    return -1;
}

/* The cases passed; did they reach and notice enough? */
static int enough(struct cli *c, const struct cases *cases, int coverage, int mutants)
{
    int reached = (int)cases_coverage(cases), noticed = (int)cases_noticed(cases);

    if (reached < coverage)
        cli_note(c, "--coverage %d: the cases reach %d%% of the rules", coverage, reached);
    if (noticed < mutants)
        cli_note(c, "--mutants %d: the cases notice %d%% of the changes", mutants, noticed);
    return cases->failed || reached < coverage || noticed < mutants ? EXIT_NO : 0;
}

int verb_policy_test(struct cli *c)
{
    struct policy_source s = { .problems = PROBLEMS_INIT };
    struct err e = ERR_INIT;
    char *file = NULL, *text = NULL;
    size_t len = 0;
    int status = 0, coverage = percent(c, OPT_COVERAGE, &status);
    int mutants = percent(c, OPT_MUTANTS, &status);

    if (coverage >= 0 && mutants >= 0 && policy_open(c, 0, &s, &status)) {
        text = policy_source_cases(&s, &file, &len, &e);
        if (!text) {
            status = cli_fail(c, "policy", &e, "cases stand beside the policy, in NAME.cases.yaml");
        } else {
            struct problems ps = PROBLEMS_INIT;
            struct cases *cases = cases_run(text, len, file, s.policy, &ps);
            struct text t = TEXT_INIT;

            if (!cases) {
                status = policy_say_problems(c, &ps, EXIT_NO);
            } else {
                if (c->json)
                    cases_json(cases, s.rules, &t);
                else
                    cases_print(cases, s.rules, &t);
                status = policy_say(c, &t, enough(c, cases, coverage, mutants));
            }
            cases_free(cases);
            problems_fini(&ps);
        }
    }
    free(text);
    free(file);
    policy_source_fini(&s);
    return status;
}

int verb_policy_schema(struct cli *c)
{
    struct text t = TEXT_INIT;
    struct err e = ERR_INIT;

    if (!c->args->noperands) {
        schema_json(&t);
    } else if (!schema_explain(c->args->operands[0], &t)) {
        text_fini(&t);
        err_set(&e, ENOENT, "no key \"%s\" in the language", c->args->operands[0]);
        return cli_fail(c, "policy", &e, "keys are written with dots: network.allow.ports");
    }
    return policy_say(c, &t, 0);
}

int verb_policy_show(struct cli *c)
{
    struct policy_source s;
    int status = 0;

    if (policy_open(c, 0, &s, &status)) {
        struct text t = TEXT_INIT;

        if (c->json)
            policy_canonical(s.policy, &t);
        else
            policy_show(s.policy, &t);
        status = policy_say(c, &t, 0);
    }
    policy_source_fini(&s);
    return status;
}
