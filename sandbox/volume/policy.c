/* policy.c - a sandbox's policy for those who deal with its volumes: see prepare.h. */
#include "sandbox/volume/prepare.h"

#include "policies/plan.h"
#include "policies/words.h"
#include "sandbox/guard/force.h"

#include <errno.h>
#include <string.h>
#include <time.h>

int volume_policy_load(struct volume_policy *p, int boxfd, struct err *e)
{
    struct problems ps = PROBLEMS_INIT;
    struct force f = { 0 };
    char hash[65];
    int err;

    *p = (struct volume_policy){ 0 };
    err = dossier_load(&p->dossier, boxfd, DOSSIER_FILE, e);
    if (err)
        return err;
    /* The keeper judges it again, and refuses to start what does not hold any more. */
    err = force_make(&p->dossier, TRUST_LOOK, true, time(NULL), &f, hash, &ps, e);
    p->policy = f.policy;
    if (err && ps.n)
        err = err_set(e, EACCES, "the policy of the sandbox is not sound: %s", ps.v[0].text);
    if (!err)
        p->rules = ruleset_make(p->policy, NULL);
    problems_fini(&ps);
    return err;
}

void volume_policy_fini(struct volume_policy *p)
{
    ruleset_free(p->rules);
    policy_free(p->policy);
    dossier_fini(&p->dossier);
    *p = (struct volume_policy){ 0 };
}

int volume_source(struct volume_policy *p, const struct mount *m, const char **out, struct err *e)
{
    const struct pair cwd = { "cwd", p->dossier.cwd };

    *out = plan_source(&p->policy->arena, m, &cwd, p->dossier.cwd ? 1 : 0);
    return *out ? 0
                : err_set(e, EINVAL, "storage/%s: the caller gave no directory for %s", m->id,
                          m->source);
}
