/* policy_verify.c - policy verify: is a policy signed as this host demands, what does a grant add?
 */
#include "policies/compare.h"
#include "sandbox/cli/bundle_verify.h"
#include "sandbox/cli/policy_say.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/trust.h"

#include <errno.h>
#include <time.h>

struct verdict {
    const struct trust *trust;
    struct trust_report report;
    struct problems problems;
    struct policy_source *source;
    struct policy *widened; /* by the grants; owned; NULL: none were given, or one is refused */
    bool trusted;
};

/* Widens a second copy of the policy, by every grant in turn. */
static int widen(struct cli *c, struct verdict *v, int64_t now, struct err *e)
{
    const char *file;
    size_t at = 0;
    int err = 0;

    if (!args_has(c->args, OPT_GRANT))
        return 0;
    v->widened = dossier_policy(&v->source->dossier, &v->problems);
    if (!v->widened)
        return err_set(e, EINVAL, "%s: not a sound policy", v->source->dossier.doc[0].file);
    while (!err && (file = args_next(c->args, OPT_GRANT, &at)))
        err = trust_widen(v->trust, file, &v->source->dossier.doc[0], v->widened, now, NULL,
                          &v->problems, e);
    if (err) {
        policy_free(v->widened);
        v->widened = NULL;
    }
    return err;
}

static void grants_say(const struct verdict *v, bool json, struct text *out)
{
    struct ruleset *after = ruleset_make(v->widened, NULL);
    struct arena a = ARENA_INIT;
    struct diff d;

    policy_diff(v->source->rules, after, &a, &d);
    if (json) {
        text_add(out, ",\"granted\":");
        diff_json(&d, out);
    } else {
        text_add(out, "granted: ");
        diff_print(v->source->rules, after, &d, out);
    }
    arena_fini(&a);
    ruleset_free(after);
}

static void verdict_json(const struct verdict *v, struct text *out)
{
    text_add(out, "{\"documents\":[");
    for (unsigned i = 0; i < v->report.n; i++) {
        text_add(out, "%s", i ? "," : "");
        judgement_json(&v->report.judgement[i], out);
    }
    text_add(out, "]");
    if (v->widened)
        grants_say(v, true, out);
    text_add(out, ",\"problems\":[");
    for (uint32_t i = 0; i < v->problems.n; i++) {
        text_add(out, "%s", i ? "," : "");
        text_json(out, v->problems.v[i].text);
    }
    text_add(out, "],\"trust\":");
    text_json(out, v->trust->file);
    text_add(out, ",\"trusted\":%s}", v->trusted ? "true" : "false");
}

static void verdict_print(const struct verdict *v, struct text *out)
{
    for (unsigned i = 0; i < v->report.n; i++)
        judgement_print(&v->report.judgement[i], out);
    if (v->widened)
        grants_say(v, false, out);
    problems_print(&v->problems, out);
    text_add(out, "%s under %s\n", v->trusted ? "trusted" : "NOT TRUSTED", v->trust->file);
}

static int verify(struct cli *c, struct verdict *v)
{
    const struct dossier *d = &v->source->dossier;
    const int64_t now = (int64_t)time(NULL);
    struct text t = TEXT_INIT;
    struct err e = ERR_INIT;
    int err = trust_check_policy(v->trust, d->doc, d->ndocs, now,
                                 args_has(c->args, OPT_RECORD) ? TRUST_RECORD : TRUST_LOOK,
                                 &v->report, &v->problems, &e);

    if (!err)
        err = widen(c, v, now, &e);
    v->trusted = !err;
    /* Refused is an answer; what kept it from being judged is a failure. */
    if (err && err != -EACCES)
        return cli_fail(c, "trust", &e, NULL);
    if (c->json)
        verdict_json(v, &t);
    else
        verdict_print(v, &t);
    return policy_say(c, &t, v->trusted ? 0 : EXIT_NO);
}

int verb_policy_verify(struct cli *c)
{
    struct policy_source s;
    struct trust *t = NULL;
    struct verdict v = { .source = &s, .problems = PROBLEMS_INIT };
    struct err e = ERR_INIT;
    int status = 0;

    if (args_has(c->args, OPT_BUNDLE))
        return bundle_verify(c);
    if (trust_load(&t, &v.problems, &e)) {
        status = v.problems.errors ? policy_say_problems(c, &v.problems, EXIT_NO)
                                   : cli_fail(c, "trust", &e, NULL);
    } else if (!t) {
        err_set(&e, ENOENT, "no trust document: nothing says who may sign here");
        status = cli_fail(c, "trust", &e,
                          "$CARREL_TRUST, ~/.config/carrel/trust.yaml or /etc/carrel/trust.yaml");
    } else {
        v.trust = t;
        if (policy_open(c, 0, &s, &status))
            status = verify(c, &v);
        policy_source_fini(&s);
    }
    trust_report_fini(&v.report);
    policy_free(v.widened);
    problems_fini(&v.problems);
    trust_free(t);
    return status;
}
