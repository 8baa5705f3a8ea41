/* policy_learn.c - from a run to a policy: the smallest one inside a parent. */
#include "policies/canon.h"
#include "policies/classes.h"
#include "policies/learn.h"
#include "sandbox/cli/policy_events.h"
#include "sandbox/cli/policy_say.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <string.h>

/* What `extends` calls the parent: its file without directory and ending, and the hash of what the
 * file says. NULL: a file of this name cannot be extended. */
static const char *ref_of(struct arena *a, const struct policy_source *s)
{
    const struct document *d = &s->dossier.doc[0];
    const char *slash = strrchr(d->file, '/'), *base = slash ? slash + 1 : d->file, *ref;
    char hash[POLICY_HASH_HEX];
    struct policy *raw = policy_parse(d->text, d->len, d->file, NULL);

    if (!raw)
        return NULL;
    policy_hash(raw, hash);
    policy_free(raw);
    ref = arena_printf(a, "%.*s@sha256:%s", (int)strcspn(base, "."), base, hash);
    return class_check(a, TEXT_REF, ref, &base) ? NULL : ref;
}

static int learn(struct cli *c, struct arena *a, const struct policy_source *s,
                 const struct events *e)
{
    const char *name = args_text(c->args, OPT_POLICY_NAME), *ref = ref_of(a, s), *canonical;
    struct problems ps = PROBLEMS_INIT;
    struct err err = ERR_INIT;
    struct learned *l;
    struct text t = TEXT_INIT;
    int status;

    name = name ? name : "learned";
    if (!ref) {
        err_set(&err, EINVAL, "%s: a document with this file name cannot be extended",
                s->dossier.doc[0].file);
        return cli_fail(c, "policy", &err, "NAME.yaml, of a-z, 0-9, _ and -");
    }
    if (class_check(a, TEXT_NAME, name, &canonical)) {
        err_set(&err, EINVAL, "--name %s is no name of a policy", name);
        return cli_fail_usage(c, &err, "lower-case letters, digits, . _ / and -");
    }
    l = policy_learn(s->rules, e, name, ref, &ps);
    if (!l) {
        status = policy_say_problems(c, &ps, EXIT_NO);
    } else {
        if (c->json)
            learned_json(l, &t);
        else
            learned_print(l, &t);
        status = policy_say(c, &t, 0);
    }
    learned_free(l);
    problems_fini(&ps);
    return status;
}

int verb_policy_learn(struct cli *c)
{
    const char *parent = args_text(c->args, OPT_PARENT);
    struct policy_source s = { .problems = PROBLEMS_INIT };
    struct events e = { .n = 0 };
    struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    int status = 0;

    if (!parent) {
        err_set(&err, EINVAL, "--parent is missing: inside which policy?");
        return cli_fail_usage(c, &err, "--parent FILE, or a name of `carrel policy ls`");
    }
    if (policy_open_named(c, parent, &s, &status) && policy_events_open(c, &e, &status))
        status = learn(c, &a, &s, &e);
    arena_fini(&a);
    events_fini(&e);
    policy_source_fini(&s);
    return status;
}
