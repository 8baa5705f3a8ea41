/* policy_lint.c - what is wrong, and what is unwise, in policies: text, JSON, SARIF. */
#include "base/io.h"
#include "policies/lint.h"
#include "sandbox/cli/policy_say.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define ACCEPTED_MAX 65536u

/* All that a run of the verb found; no pointer of a finding is into the policies. */
struct lint_run {
    struct cli *c;
    struct findings *found; /* owned: one a policy */
    uint32_t n;
    bool failed; /* a document could not be read: said already */
};

static int list_rules(struct cli *c)
{
    struct text t = TEXT_INIT;

    if (c->json)
        lint_rules_json(&t);
    else
        lint_rules_print(&t);
    return policy_say(c, &t, 0);
}

/* NAME.lint for NAME.yaml; the caller frees it. */
static char *beside(const char *file)
{
    size_t n = strlen(file);
    char *path = NULL;

    if (n > 5 && strcmp(file + n - 5, ".yaml") == 0)
        n -= 5;
    return asprintf(&path, "%.*s.lint", (int)n, file) < 0 ? NULL : path;
}

/* Marks what a file says is accepted. The file beside the policy need not be there. */
static int accept(struct lint_run *r, struct findings *f, const char *policy)
{
    const char *named = args_text(r->c->args, OPT_BASELINE);
    struct acceptances a = { .v = NULL };
    struct problems ps = PROBLEMS_INIT;
    struct err e = ERR_INIT;
    char *file, *text;
    size_t len = 0;
    int status = 0;

    if (named && !*named)
        return 0;
    file = named ? strdup(named) : beside(policy);
    text = file ? io_load(AT_FDCWD, file, ACCEPTED_MAX, &len, &e) : NULL;
    if (!text) {
        if (named || (file && e.code != ENOENT))
            status = cli_fail(r->c, "policy", &e, NULL);
    } else if (!acceptances_parse(&a, text, len, file, &ps)) {
        findings_of_problems(f, &ps);
    } else {
        findings_accept(f, &a);
        for (uint32_t i = 0; i < a.n && !named; i++)
            if (!a.v[i].used)
                cli_note(r->c, "%s:%u: nothing is found there any more", file, a.v[i].line);
        if (f->accepted)
            cli_note(r->c, "%s: %u accepted in %s", policy, f->accepted, file);
    }
    acceptances_fini(&a);
    problems_fini(&ps);
    free(text);
    free(file);
    return status;
}

static void one(struct lint_run *r, const char *name)
{
    struct findings *f = &r->found[r->n];
    struct policy_source s;
    char hint[HINT_MAX];
    struct err e = ERR_INIT;
    const char *rule;
    size_t at = 0;

    *f = FINDINGS_INIT;
    if (policy_source_load(&s, name, hint, &e)) {
        cli_fail(r->c, "policy", &e, hint);
        r->failed = true;
    } else {
        r->n++;
        findings_of_problems(f, &s.problems);
        if (s.policy) {
            policy_lint(s.policy, s.rules, f);
            while ((rule = args_next(r->c->args, OPT_IGNORE, &at)))
                findings_ignore(f, lint_rule_find(rule));
            if (accept(r, f, s.dossier.doc[0].file))
                r->failed = true;
        }
        if (!r->c->json && !args_has(r->c->args, OPT_SARIF) && !f->n)
            cli_note(r->c, "%s: nothing to say", s.dossier.doc[0].file);
    }
    policy_source_fini(&s);
}

static int answer(struct lint_run *r, enum lint_severity fail_on)
{
    const struct findings **list =
        calloc(r->n + 1, sizeof(const struct findings *)); /* NOLINT(bugprone-sizeof-expression) */
    struct text t = TEXT_INIT;
    struct err e = ERR_INIT;
    int status = r->failed ? EXIT_NO : 0;

    if (!list) {
        err_set(&e, ENOMEM, "policy: no memory");
        return cli_fail(r->c, "policy", &e, NULL);
    }
    for (uint32_t i = 0; i < r->n; i++) {
        list[i] = &r->found[i];
        for (unsigned s = 0; s <= fail_on; s++)
            if (list[i]->counts[s])
                status = EXIT_NO;
    }
    if (args_has(r->c->args, OPT_SARIF))
        findings_sarif(list, r->n, CARREL_VERSION, &t);
    else if (r->c->json && (r->n || !r->failed))
        findings_json(list, r->n, &t);
    else
        for (uint32_t i = 0; i < r->n && !r->c->json; i++)
            findings_print(list[i], &t);
    free(list);
    return policy_say(r->c, &t, status);
}

/* The options, before anything is read. */
static int usage(struct cli *c, enum lint_severity *fail_on)
{
    const char *word = args_text(c->args, OPT_FAIL_ON), *rule;
    struct err e = ERR_INIT;
    size_t at = 0;

    *fail_on = LINT_WARNING;
    if (word && !lint_severity_parse(word, fail_on)) {
        err_set(&e, EINVAL, "--fail-on %s: no such severity", word);
        return cli_fail_usage(c, &e, "error, warning or note");
    }
    while ((rule = args_next(c->args, OPT_IGNORE, &at))) {
        if (!lint_rule_find(rule)) {
            err_set(&e, EINVAL, "--ignore %s: no such rule", rule);
            return cli_fail_usage(c, &e, "carrel policy lint --rules");
        }
    }
    if (args_has(c->args, OPT_RULES) != !c->args->noperands) {
        err_set(&e, EINVAL, "%s",
                c->args->noperands ? "--rules takes no policies" : "which policies?");
        return cli_fail_usage(c, &e, "carrel policy lint POLICY..., or carrel policy lint --rules");
    }
    return 0;
}

int verb_policy_lint(struct cli *c)
{
    struct lint_run r = { .c = c };
    enum lint_severity fail_on;
    int status = usage(c, &fail_on);

    if (status)
        return status;
    if (args_has(c->args, OPT_RULES))
        return list_rules(c);
    r.found = calloc(c->args->noperands, sizeof(*r.found));
    if (!r.found) {
        struct err e = ERR_INIT;

        err_set(&e, ENOMEM, "policy: no memory");
        return cli_fail(c, "policy", &e, NULL);
    }
    for (size_t i = 0; i < c->args->noperands; i++)
        one(&r, c->args->operands[i]);
    status = answer(&r, fail_on);
    for (uint32_t i = 0; i < r.n; i++)
        findings_fini(&r.found[i]);
    free(r.found);
    return status;
}
