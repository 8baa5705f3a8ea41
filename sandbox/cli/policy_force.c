/* policy_force.c - see policy_force.h. */
#include "sandbox/cli/policy_force.h"

#include "sandbox/guard/force.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

int policy_in_force(struct cli *c, struct policy_source *s, struct err *e)
{
    const char *file;
    struct force f;
    size_t at = 0;
    int err = 0;

    while (!err && (file = args_next(c->args, OPT_GRANT, &at))) {
        char *path = realpath(file, NULL);

        err = path ? dossier_grant(&s->dossier, path, e) : err_sys(e, "%s", file);
        free(path);
    }
    if (!err)
        err = force_make(&s->dossier, TRUST_LOOK, false, time(NULL), &f, s->dossier.hash,
                         &s->problems, e);
    if (err)
        return err;
    ruleset_free(s->rules);
    policy_free(s->policy);
    s->policy = f.policy;
    s->rules = ruleset_make(s->policy, NULL);
    return 0;
}
