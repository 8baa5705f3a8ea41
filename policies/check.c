/* check.c - what a whole policy must hold together: required keys, references, keys that exclude.
 */
#include "policies/compare.h"
#include "policies/fields.h"
#include "policies/globs.h"
#include "policies/layers.h"
#include "policies/load.h"
#include "policies/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct checker {
    const struct policy *p;
    struct problems *ps;
    bool part; /* not a whole policy: names may refer to what is elsewhere */
    bool failed;
    struct arena arena;                       /* of the next */
    struct texts net_rules, commands, mounts; /* their ids */
};

static void wrong(struct checker *c, struct spot at, const char *fmt, ...) printf_like(3, 4);

static void wrong(struct checker *c, struct spot at, const char *fmt, ...)
{
    char buf[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    c->failed = true;
    problem_add(c->ps, PROBLEM_ERROR, "check", c->p->files[at.file], at.line, at.col, "%s", buf);
}

/* Required keys of what is there. The tables are a tree. NOLINTNEXTLINE(misc-no-recursion) */
static void required(struct checker *c, const struct table *t, const void *object, struct spot near)
{
    const struct object *o = object;
    struct spot at = o->spot.line ? o->spot : near;

    for (uint32_t i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];
        const void *m = field_in(f, object);

        if (f->required && !object_has(o, i) && !(c->part && t == &policy_table))
            wrong(c, at, "%s: %s is missing", t->name, f->key);
        if (f->type == F_OBJECT)
            required(c, f->table, m, at);
        if (f->type == F_LIST) {
            const struct list *l = m;

            for (uint32_t k = 0; k < l->n; k++)
                required(c, f->table, l->v[k], at);
        }
    }
}

/* The bits of some keys of a table, for object.has. */
static uint64_t keys(const char *table, const char *const *names, size_t n)
{
    const struct table *t = table_by_path(table);
    uint64_t bits = 0;

    for (size_t i = 0; i < n; i++) {
        int k = t ? field_index(t, names[i]) : -1;

        if (k >= 0)
            bits |= 1ull << k;
    }
    return bits;
}

#define KEYS(table, ...)                                \
    keys((table), (const char *const[]){ __VA_ARGS__ }, \
         sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static const struct net_rule *net_rule_by_id(const struct policy *p, const char *id)
{
    for (uint32_t i = 0; i < p->network.allow.n; i++) {
        const struct net_rule *r = p->network.allow.v[i];

        if (strcmp(r->id, id) == 0)
            return r;
    }
    return NULL;
}

static void network(struct checker *c)
{
    const struct policy_network *n = &c->p->network;
    uint64_t of_requests = KEYS("network.allow", "methods", "paths");
    uint64_t of_denied_requests = KEYS("network.deny", "methods", "paths");
    uint64_t of_allows = KEYS("network.deny", "protocol", "limits", "any_host");

    for (uint32_t i = 0; i < n->allow.n; i++) {
        const struct net_rule *r = n->allow.v[i];

        if (!!r->any_host == (r->hosts.n > 0))
            wrong(c, r->o.spot, "network/%s: wanted hosts, or any_host: true, and not both", r->id);
        if (!r->ports.n)
            wrong(c, r->o.spot, "network/%s: no ports", r->id);
        if (r->protocol != PROTO_HTTPS && r->o.has & of_requests)
            wrong(c, r->o.spot, "network/%s: methods and paths are seen only with protocol: https",
                  r->id);
    }
    for (uint32_t i = 0; i < n->deny.n; i++) {
        const struct net_rule *r = n->deny.v[i];

        if (r->o.has & of_allows)
            wrong(c, r->o.spot,
                  "network/deny/%s: a denial has hosts, addresses, ports, methods and paths",
                  r->id);
        if (r->o.has & of_denied_requests && r->addresses.n)
            wrong(c, r->o.spot,
                  "network/deny/%s: addresses are denied when a stream opens, methods and paths "
                  "later; "
                  "write two denials",
                  r->id);
    }
    for (uint32_t i = 0; i < n->publish.n; i++) {
        const struct publish *p = n->publish.v[i];

        if (!p->guest)
            wrong(c, p->o.spot, "publish: guest is missing");
    }
}

static void ids_of(struct checker *c, const struct list *list, size_t id_offset, struct texts *out)
{
    for (uint32_t i = 0; i < list->n; i++)
        texts_add(&c->arena, out, *(const char *const *)((const char *)list->v[i] + id_offset));
}

/* The bits of the two keys of an argument rule. */
struct argv_keys {
    uint64_t allow, deny;
};

static void command(struct checker *c, const struct command *cmd, const struct argv_keys *key)
{
    uint32_t states = 0;

    for (uint32_t k = 0; k < cmd->network.n; k++)
        if (!c->part && !texts_have(&c->net_rules, cmd->network.v[k]))
            wrong(c, cmd->o.spot, "tools/commands/%s: network rule \"%s\" is not there", cmd->id,
                  cmd->network.v[k]);
    for (uint32_t k = 0; k < cmd->spawn.n; k++)
        if (!c->part && !texts_have(&c->commands, cmd->spawn.v[k]))
            wrong(c, cmd->o.spot, "tools/commands/%s: spawns \"%s\", which is not there", cmd->id,
                  cmd->spawn.v[k]);
    if (cmd->exec.sha256 && cmd->exec.path && strpbrk(cmd->exec.path, "*?"))
        wrong(c, cmd->o.spot, "tools/commands/%s: sha256 pins one file, and exec.path is a pattern",
              cmd->id);
    for (uint32_t k = 0; k < cmd->argv.n; k++) {
        const struct argv_rule *r = cmd->argv.v[k];

        states += argv_states(&r->allow) + argv_states(&r->deny);
        if (!(r->o.has & key->allow) == !(r->o.has & key->deny))
            wrong(c, r->o.spot, "tools/commands/%s: argv: wanted allow or deny", cmd->id);
        else if (r->o.has & key->deny && !r->deny.n)
            wrong(c, r->o.spot, "tools/commands/%s: argv: an empty deny", cmd->id);
    }
    if (states > ARGV_STATES_MAX)
        wrong(c, cmd->o.spot, "tools/commands/%s: argv: too complex (%u states; %u are allowed)",
              cmd->id, states, ARGV_STATES_MAX);
}

static bool literal(const struct token *t)
{
    return t->kind == TOKEN_WORDS && t->words.n == 1;
}

static void tools(struct checker *c)
{
    const struct policy_tools *t = &c->p->tools;
    struct argv_keys key = { KEYS("tools.commands.argv", "allow"),
                             KEYS("tools.commands.argv", "deny") };

    for (uint32_t i = 0; i < t->commands.n; i++)
        command(c, t->commands.v[i], &key);
    for (uint32_t i = 0; i < t->host.n; i++) {
        const struct host_tool *h = t->host.v[i];

        if (!h->command.n || !literal(&h->command.v[0]) || h->command.v[0].words.v[0][0] != '/')
            wrong(c, h->o.spot, "tools/host/%s: command must begin with an absolute path", h->id);
        if (h->cwd && !c->part && !texts_have(&c->mounts, h->cwd))
            wrong(c, h->o.spot, "tools/host/%s: cwd: mount \"%s\" is not there", h->id, h->cwd);
    }
    for (uint32_t i = 0; i < t->mcp.n; i++) {
        const struct mcp_server *m = t->mcp.v[i];

        for (uint32_t k = 0; k < m->server.n; k++)
            if (!literal(&m->server.v[k]))
                wrong(c, m->o.spot, "tools/mcp/%s: server is one fixed command", m->id);
        if (!m->server.n)
            wrong(c, m->o.spot, "tools/mcp/%s: server is missing", m->id);
    }
}

static void target(struct checker *c, struct spot at, const char *id, const char *path,
                   const char *const *seen, uint32_t n)
{
    static const char *const kept[] = { "/", "/proc", "/sys", "/dev", "/run/carrel" };

    for (size_t i = 0; path && i < array_len(kept); i++)
        if (strcmp(path, kept[i]) == 0 ||
            (i && strncmp(path, kept[i], strlen(kept[i])) == 0 && path[strlen(kept[i])] == '/'))
            wrong(c, at, "storage/%s: nothing can be mounted at %s", id, path);
    for (uint32_t i = 0; path && i < n; i++)
        if (seen[i] && strcmp(seen[i], path) == 0)
            wrong(c, at, "storage/%s: %s is the target of two mounts", id, path);
}

#define TARGETS_MAX 1024u

static void storage(struct checker *c)
{
    const struct policy_storage *s = &c->p->storage;
    const char *seen[TARGETS_MAX];
    uint32_t n = 0;

    if (s->mounts.n + s->memory.n > TARGETS_MAX) {
        wrong(c, s->o.spot, "storage: more than 1024 mounts");
        return;
    }
    for (uint32_t i = 0; i < s->mounts.n; i++) {
        const struct mount *m = s->mounts.v[i];

        target(c, m->o.spot, m->id, m->target, seen, n);
        seen[n++] = m->target;
    }
    for (uint32_t i = 0; i < s->memory.n; i++) {
        const struct memory_volume *m = s->memory.v[i];

        target(c, m->o.spot, m->id, m->target, seen, n);
        seen[n++] = m->target;
    }
}

static void secrets(struct checker *c)
{
    for (uint32_t i = 0; i < c->p->secrets.n; i++) {
        const struct secret *s = c->p->secrets.v[i];
        const struct net_rule *r = s->inject.rule ? net_rule_by_id(c->p, s->inject.rule) : NULL;

        if (!s->from.file == !s->from.env)
            wrong(c, s->o.spot, "secrets/%s: from: wanted file or env", s->id);
        if (s->inject.rule && !r && !c->part)
            wrong(c, s->o.spot, "secrets/%s: network rule \"%s\" is not there", s->id,
                  s->inject.rule);
        if (r && r->protocol != PROTO_HTTPS)
            wrong(c, s->o.spot, "secrets/%s: rule \"%s\" does not see requests (protocol: https)",
                  s->id, r->id);
        if (r && r->any_host)
            wrong(c, s->o.spot, "secrets/%s: rule \"%s\" would send it to every host", s->id,
                  r->id);
    }
}

static void devices(struct checker *c)
{
    uint64_t match = KEYS("accelerators", "match"), vendor = KEYS("accelerators.match", "vendor");

    for (uint32_t i = 0; i < c->p->accelerators.n; i++) {
        const struct accelerator *a = c->p->accelerators.v[i];

        if (!(a->o.has & match) || !(a->match.o.has & vendor))
            wrong(c, a->o.spot, "accelerators/%s: match: vendor is missing", a->id);
        if (a->attach == ATTACH_PASSTHROUGH && !a->reset.methods)
            wrong(c, a->o.spot, "accelerators/%s: no reset method is good enough", a->id);
    }
    for (uint32_t i = 0; i < c->p->models.n; i++) {
        const struct model *m = c->p->models.v[i];

        if (!m->names.n)
            wrong(c, m->o.spot, "models/%s: no names", m->id);
    }
}

static bool check(const struct policy *p, bool part, struct problems *ps)
{
    struct checker c = { .p = p, .ps = ps, .part = part };

    ids_of(&c, &p->network.allow, offsetof(struct net_rule, id), &c.net_rules);
    ids_of(&c, &p->tools.commands, offsetof(struct command, id), &c.commands);
    ids_of(&c, &p->storage.mounts, offsetof(struct mount, id), &c.mounts);
    required(&c, &policy_table, p, p->o.spot);
    network(&c);
    tools(&c);
    storage(&c);
    secrets(&c);
    devices(&c);
    arena_fini(&c.arena);
    if (c.failed)
        return false;

    struct ruleset *rs = ruleset_requests(p);
    struct problems own = PROBLEMS_INIT, *to = ps ? ps : &own;
    uint32_t errors = to->errors;

    policy_overlaps(rs, to);
    ruleset_free(rs);
    c.failed = to->errors != errors;
    problems_fini(&own);
    return !c.failed;
}

bool policy_check(const struct policy *p, struct problems *ps)
{
    return check(p, false, ps);
}

bool policy_check_part(const struct policy *p, struct problems *ps)
{
    return check(p, true, ps);
}
