/* policy_say.c - see policy_say.h. */
#include "sandbox/cli/policy_say.h"

#include <errno.h>

int policy_say(struct cli *c, struct text *t, int status)
{
    int failed;

    fputs(text_str(t), stdout);
    if (t->p && t->len && t->p[t->len - 1] != '\n')
        putchar('\n');
    text_fini(t);
    failed = cli_finish(c);
    return failed ? failed : status;
}

int policy_say_problems(struct cli *c, const struct problems *ps, int status)
{
    struct text t = TEXT_INIT;

    if (c->json)
        problems_json(ps, &t);
    else
        problems_print(ps, &t);
    return policy_say(c, &t, status);
}

bool policy_open_named(struct cli *c, const char *what, struct policy_source *s, int *status)
{
    struct err e = ERR_INIT;
    char hint[HINT_MAX];

    if (policy_source_load(s, what, hint, &e)) {
        *status = cli_fail(c, "policy", &e, hint);
        return false;
    }
    if (!s->policy) {
        *status = policy_say_problems(c, &s->problems, EXIT_NO);
        return false;
    }
    return true;
}

bool policy_open(struct cli *c, size_t i, struct policy_source *s, int *status)
{
    return policy_open_named(c, c->args->operands[i], s, status);
}
