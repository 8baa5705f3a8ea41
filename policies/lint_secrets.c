/* lint_secrets.c - rules about credentials: where they come from, where they go. */
#include "policies/lint_rules.h"
#include "policies/words.h"

#include <string.h>

static const struct net_rule *rule_of(const struct linter *l, const struct secret *s)
{
    for (uint32_t i = 0; i < l->p->network.allow.n; i++) {
        const struct net_rule *r = l->p->network.allow.v[i];

        if (strcmp(r->id, s->inject.rule) == 0)
            return r;
    }
    return NULL; /* the policy would not be sound */
}

static void every_path(struct linter *l, const void *object)
{
    const struct net_rule *r = rule_of(l, object);

    for (uint32_t i = 0; r && i < r->paths.n; i++)
        if (strcmp(r->paths.v[i], "/**") == 0)
            lint_say(l, "inject.rule", "rule %s lets it be used on every path", r->id);
}

static void wildcard_host(struct linter *l, const void *object)
{
    const struct net_rule *r = rule_of(l, object);

    for (uint32_t i = 0; r && i < r->hosts.n; i++)
        if (r->hosts.v[i][0] == '*')
            lint_say(l, "inject.rule", "it goes to every name that is %s", r->hosts.v[i]);
}

static void other_port(struct linter *l, const void *object)
{
    const struct net_rule *r = rule_of(l, object);

    for (uint32_t i = 0; r && i < r->ports.n; i++) {
        if (r->ports.v[i].lo != 443 || r->ports.v[i].hi != 443) {
            lint_say(l, "inject.rule", "rule %s has ports other than 443", r->id);
            return;
        }
    }
}

/* The last two labels: near enough to tell one organisation's names from another's. */
static const char *domain(const char *host)
{
    const char *last = host, *before = host;

    for (const char *p = host; *p; p++) {
        if (*p == '.') {
            before = last;
            last = p + 1;
        }
    }
    return before;
}

static void several_domains(struct linter *l, const void *object)
{
    const struct net_rule *r = rule_of(l, object);

    for (uint32_t i = 1; r && i < r->hosts.n; i++) {
        if (strcmp(domain(r->hosts.v[0]), domain(r->hosts.v[i])) != 0) {
            lint_say(l, "inject.rule", "it goes to %s and to %s", r->hosts.v[0], r->hosts.v[i]);
            return;
        }
    }
}

static void from_environment(struct linter *l, const void *object)
{
    const struct secret *s = object;

    if (s->from.env)
        lint_say(l, "from.env", "%s is in the environment of whoever starts the sandbox",
                 s->from.env);
}

static void inside_mount(struct linter *l, const void *object)
{
    const struct secret *s = object;

    for (uint32_t i = 0; i < l->p->storage.mounts.n && s->from.file; i++) {
        const struct mount *m = l->p->storage.mounts.v[i];

        if (m->source[0] == '/' && m->access != ACCESS_NONE && lint_below(m->source, s->from.file))
            lint_say(l, "from.file", "%s lies in %s, which mount %s shows to the guest",
                     s->from.file, m->source, m->id);
    }
}

static void unlimited_methods(struct linter *l, const void *object)
{
    const struct net_rule *r = rule_of(l, object);

    if (r && (r->methods & 1u << 5)) /* words_method: DELETE */
        lint_say(l, "inject.rule", "rule %s lets it delete", r->id);
}

static bool has_everything(const struct texts *env)
{
    for (uint32_t i = 0; i < env->n; i++)
        if (strcmp(env->v[i], "*") == 0)
            return true;
    return false;
}

static void whole_environment(struct linter *l, const void *object)
{
    const struct command *c = object;

    if (l->p->secrets.n && has_everything(&c->env.allow))
        lint_say(l, "env.allow", "takes any variable, in a policy that keeps secrets out");
}

static void written_down(struct linter *l, const void *object)
{
    static const char *const words[] = { "TOKEN",      "SECRET",      "PASSWORD",
                                         "PASSWD",     "API_KEY",     "APIKEY",
                                         "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIAL" };
    const struct command *c = object;

    for (uint32_t i = 0; i < c->env.set.n; i++)
        for (size_t k = 0; k < array_len(words); k++)
            if (strstr(c->env.set.v[i].key, words[k]) && strlen(c->env.set.v[i].value) > 3) {
                lint_say(l, "env.set", "%s looks like a secret, and its value is written here",
                         c->env.set.v[i].key);
                break;
            }
}

/* clang-format off */
static const struct lint_check checks[] = {
    { { "CR201", "secret-every-path", LINT_WARNING, "A credential that is put into requests for every path can do all that its owner can do.", "Give the rule of the secret the paths and methods that the task needs." }, EACH_SECRET, every_path },
    { { "CR202", "secret-wildcard-host", LINT_ERROR, "A credential goes to each name that a wildcard takes in, also to one that somebody takes over.", "Give the rule of the secret exact host names." }, EACH_SECRET, wildcard_host },
    { { "CR203", "secret-other-port", LINT_WARNING, "Another port is another service, and need not be the one that issued the credential.", "Give the rule of the secret ports: [443]." }, EACH_SECRET, other_port },
    { { "CR204", "secret-several-domains", LINT_WARNING, "A credential belongs to one service; every other one that gets it can use it there.", "Write one rule for each service, and one secret for each rule." }, EACH_SECRET, several_domains },
    { { "CR205", "secret-from-environment", LINT_NOTE, "The environment of a process can be read by others of the same user, and is passed on to every child.", "Keep it in a file that only you can read: from: {file: ...}." }, EACH_SECRET, from_environment },
    { { "CR206", "secret-in-mount", LINT_ERROR, "The guest can read the file, so that keeping its value out of the guest is for nothing.", "Keep the file outside of what is mounted." }, EACH_SECRET, inside_mount },
    { { "CR207", "secret-deletes", LINT_WARNING, "What an agent deletes with your credential is deleted in your name.", "Leave DELETE out of the methods of the rule." }, EACH_SECRET, unlimited_methods },
    { { "CR208", "environment-and-secrets", LINT_WARNING, "With env: [\"*\"] the caller's own tokens come in by accident.", "List the variables." }, EACH_COMMAND, whole_environment },
    { { "CR209", "secret-written-down", LINT_ERROR, "A policy is read, reviewed and hashed by many, and the guest sees its variables.", "Use secrets: the host puts the value into requests." }, EACH_COMMAND, written_down },
};
/* clang-format on */

const struct lint_checks lint_secrets = { checks, array_len(checks) };
