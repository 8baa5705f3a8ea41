/* policy_grant.c - policy grant: a signed permission for one rule or one number more, for a time.
 */
#include "policies/dates.h"
#include "policies/grants.h"
#include "sandbox/cli/policy_sign.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/trust_key.h"

#include <errno.h>
#include <string.h>

/* "2026-11-23T15:02:06Z" makes g20261123150206. */
static const char *usual_id(struct arena *a, int64_t from)
{
    char date[DATE_TEXT], id[DATE_TEXT + 1] = "g";
    size_t n = 1;

    date_print(from, date);
    for (const char *p = date; *p; p++)
        if (*p >= '0' && *p <= '9')
            id[n++] = *p;
    return arena_copy(a, id, n);
}

static bool refuse(struct cli *c, int *status, const char *why)
{
    struct err e = ERR_INIT;

    err_set(&e, EINVAL, "%s", why);
    *status = cli_fail_usage(c, &e,
                             "for example: carrel policy grant agent.yaml --key me.key "
                             "--role help --widen 'budget: {egress: 1GiB}'");
    return false;
}

/* What the options say, into a link. */
static bool asked(struct cli *c, const struct policy_source *s, struct arena *a, struct grant *link,
                  int *status)
{
    const char *delegate = args_text(c->args, OPT_DELEGATE), *id = args_text(c->args, OPT_ID);

    link->role = args_text(c->args, OPT_ROLE);
    link->widen = args_text(c->args, OPT_WIDEN);
    if (!link->widen)
        return refuse(c, status, "what is granted? --widen YAML is missing");
    if (!link->role == !args_text(c->args, OPT_BELOW))
        return refuse(c, status, "by whom? wanted --role NAME, or --below FILE to hand on a grant");
    if (!delegate && args_has(c->args, OPT_DEPTH))
        return refuse(c, status, "--depth goes with --delegate");
    if (delegate && !ed25519_key_parse(delegate, link->delegate))
        return refuse(c, status, "--delegate: wanted a public key, ed25519: and 44 characters");
    link->delegates = delegate != NULL;
    link->depth = delegate ? 1 : 0;
    if (!policy_asked_number(c, OPT_DEPTH, &link->depth, status) ||
        !policy_asked_times(c, "1h", &link->from, &link->expires, status) ||
        !policy_named(c, s, a, &link->policy, &link->sha256, status))
        return false;
    link->id = id ? id : usual_id(a, link->from);
    return true;
}

static int grant(struct cli *c, const struct policy_source *s, const uint8_t key[ED25519_KEY_BYTES])
{
    const char *below = args_text(c->args, OPT_BELOW), *file = args_text(c->args, OPT_OUTPUT);
    struct problems ps = PROBLEMS_INIT;
    struct arena a = ARENA_INIT;
    struct grant link = { .id = NULL };
    struct grants *g = NULL;
    struct text t = TEXT_INIT;
    int status = 0;

    if (asked(c, s, &a, &link, &status))
        g = below ? policy_grants(c, below, &status) : grants_new(file ? file : "grant");
    if (g && !grants_add(g, &link, key, &ps)) {
        status = policy_say_problems(c, &ps, EXIT_NO);
    } else if (g) {
        grants_print(g, &t);
        if (policy_put(c, file, &t, &status) && file)
            cli_note(c, "%s: grant %s", file, link.id);
    }
    grants_free(g);
    arena_fini(&a);
    problems_fini(&ps);
    return status;
}

int verb_policy_grant(struct cli *c)
{
    uint8_t key[ED25519_KEY_BYTES];
    struct policy_source s;
    int status = 0;

    if (!policy_asked_key(c, key, &status))
        return status;
    if (policy_open(c, 0, &s, &status))
        status = grant(c, &s, key);
    policy_source_fini(&s);
    trust_key_wipe(key);
    return status;
}
