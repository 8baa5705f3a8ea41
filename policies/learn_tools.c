/* learn_tools.c - what ran: commands in the guest, programs on the host, MCP tools. */
#include "policies/canon.h"
#include "policies/learner.h"
#include "policies/load.h"
#include "policies/words.h"

#include <inttypes.h>
#include <string.h>

/* A field of an object of the parent, as the parent has it. */
static void carry(const struct table *t, const char *key, const void *object, struct text *out)
{
    int i = field_index(t, key);

    if (i < 0 || !object_has(object, (uint32_t)i))
        return;
    text_add(out, "\"%s\":", key);
    field_json(&t->fields[i], object, false, out);
    text_add(out, ",");
}

/* The calls of one program by one user that one rule allows. */
struct group {
    const char *path;
    uint64_t user;
    struct seen **v;
    uint32_t n;
};

struct groups {
    struct group *v;
    uint32_t n;
};

static struct groups groups_of(const struct learner *l, struct arena *a, const struct command *c)
{
    struct groups gs = { NULL, 0 };
    struct seen *s;

    for (uint32_t at = 0; (s = learner_next(l, SPACE_EXEC, c->o.spot, &at));) {
        uint32_t i = 0;
        struct group *g;

        while (i < gs.n && (strcmp(gs.v[i].path, s->r.v[EXEC_PATH].s) != 0 ||
                            gs.v[i].user != s->r.v[EXEC_USER].n))
            i++;
        if (i == gs.n) {
            g = arena_push(a, (void **)&gs.v, gs.n++, sizeof(*gs.v));
            *g = (struct group){ .path = s->r.v[EXEC_PATH].s, .user = s->r.v[EXEC_USER].n };
        }
        g = &gs.v[i];
        *(struct seen **)arena_push(a, (void **)&g->v, g->n, sizeof(void *)) = s;
        g->n++;
    }
    return gs;
}

/* Does the parent take any value of the variable, or only the ones it sets itself? */
static bool any_value(const struct learner *l, const struct seen *s, const char *pair)
{
    struct arena a = ARENA_INIT;
    struct request r = s->r;
    const char *probe = arena_printf(&a, "%.*s=another value", (int)strcspn(pair, "="), pair);
    bool any;

    request_list(&r, EXEC_ENV, &probe, 1);
    any = decide(l->rules, &r).allowed;
    arena_fini(&a);
    return any;
}

static void env(const struct learner *l, struct arena *a, const struct group *g,
                const struct command *c, struct text *out)
{
    struct texts names = { NULL, 0 };

    for (uint32_t i = 0; i < g->n; i++) {
        const struct args *list = &g->v[i]->r.v[EXEC_ENV].list;

        for (uint32_t k = 0; k < list->n; k++)
            if (any_value(l, g->v[i], list->v[k]))
                texts_add(a, &names, arena_copy(a, list->v[k], strcspn(list->v[k], "=")));
    }
    text_add(out, "\"env\":{\"allow\":");
    learner_list(&names, out);
    text_add(out, ",");
    carry(table_by_path("tools.commands.env"), "set", &c->env, out);
    text_add(out, "},");
}

static void tree_list(struct arena *a, const struct group *g, unsigned dim, enum freedom freedom,
                      const char *key, struct text *out)
{
    struct texts paths = { NULL, 0 };

    for (uint32_t i = 0; i < g->n; i++)
        for (uint32_t k = 0; k < g->v[i]->r.v[dim].list.n; k++)
            texts_add(a, &paths, g->v[i]->r.v[dim].list.v[k]);
    if (freedom == FREEDOM_GENERAL)
        learner_fold(a, &paths, "");
    text_add(out, "\"%s\":", key);
    learner_list(&paths, out);
    text_add(out, ",");
}

/* What the run did not say about file trees is not narrowed. */
static void trees(const struct learner *l, struct arena *a, const struct group *g,
                  const struct command *c, struct text *out)
{
    bool said = false;

    for (uint32_t i = 0; i < g->n; i++)
        said = said || g->v[i]->r.v[EXEC_RO].list.n || g->v[i]->r.v[EXEC_RW].list.n;
    if (!said) {
        carry(table_by_path("tools.commands"), "paths", c, out);
        return;
    }
    text_add(out, "\"paths\":{");
    tree_list(a, g, EXEC_RO, l->freedom[SPACE_EXEC], "ro", out);
    tree_list(a, g, EXEC_RW, l->freedom[SPACE_EXEC], "rw", out);
    text_add(out, "},");
}

static void argv(const struct learner *l, struct arena *a, const struct group *g,
                 const struct command *c, struct text *out)
{
    const struct args **lists = arena_get(a, (g->n + 1) * sizeof(void *));
    const struct table *t = table_by_path("tools.commands.argv");

    for (uint32_t i = 0; i < g->n; i++)
        lists[i] = &g->v[i]->r.v[EXEC_ARGV].list;
    text_add(out, "\"argv\":[");
    learner_argv(a, lists, g->n, l->freedom[SPACE_EXEC], out);
    for (uint32_t i = 0; i < c->argv.n; i++) {
        const struct argv_rule *r = c->argv.v[i];

        if (!r->deny.n)
            continue;
        text_add(out, "{");
        carry(t, "deny", r, out);
        text_add(out, "},");
    }
    text_add(out, "],");
}

static void caps(const struct group *g, struct text *out)
{
    struct bits all = { { 0 } };

    for (uint32_t i = 0; i < g->n; i++)
        for (unsigned k = 0; g->v[i]->r.v[EXEC_CAPS].bits && k < BITS_MAX / 64; k++)
            all.w[k] |= g->v[i]->r.v[EXEC_CAPS].bits->w[k];
    text_add(out, "\"capabilities\":[");
    for (unsigned i = 0; i < BITS_MAX; i++)
        if (bits_has(&all, i))
            text_add(out, "%s,", capability_name(i));
    text_add(out, "],");
}

/* Network rules and commands that are named here must be there; a new id has none of its own. */
static void uses(const struct learner *l, struct arena *a, const struct command *c, bool same_id,
                 struct text *out)
{
    const struct policy *p = l->parent;
    struct texts network = { NULL, 0 }, spawn = { NULL, 0 };

    for (uint32_t i = 0; same_id && i < p->network.allow.n; i++) {
        const struct net_rule *r = p->network.allow.v[i];

        if (texts_have(&c->network, r->id) &&
            (learner_uses(l, SPACE_CONNECT, r->o.spot) || learner_uses(l, SPACE_DIAL, r->o.spot) ||
             learner_uses(l, SPACE_HTTP, r->o.spot)))
            texts_add(a, &network, r->id);
    }
    for (uint32_t i = 0; same_id && i < p->tools.commands.n; i++) {
        const struct command *other = p->tools.commands.v[i];

        if (texts_have(&c->spawn, other->id) && groups_of(l, a, other).n == 1)
            texts_add(a, &spawn, other->id);
    }
    text_add(out, "\"network\":");
    learner_list(&network, out);
    text_add(out, ",\"spawn\":");
    learner_list(&spawn, out);
    text_add(out, ",");
}

/* The parent's id when its rule has one program here; else its id and the program's name. */
static const char *id_for(struct arena *a, const struct command *c, const struct groups *gs,
                          uint32_t i)
{
    const char *base = strrchr(gs->v[i].path, '/');
    char *id = arena_printf(a, "%.24s-%.28s-%u", c->id, base && base[1] ? base + 1 : "root", i + 1);

    if (gs->n == 1)
        return c->id;
    for (char *s = id; *s; s++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_.-", *s))
            *s = '_';
    return id;
}

static void command(const struct learner *l, struct arena *a, const struct command *c,
                    const struct group *g, const char *id, struct text *out)
{
    const struct table *t = table_by_path("tools.commands");
    bool shell = false;
    uint64_t broker = BROKER_HOST;

    for (uint32_t i = 0; i < g->n; i++) {
        shell = shell || g->v[i]->r.v[EXEC_SHELL].n;
        broker = g->v[i]->r.v[EXEC_BROKER].n > broker ? g->v[i]->r.v[EXEC_BROKER].n : broker;
    }
    if (c->broker > broker)
        broker = c->broker; /* who starts programs is the parent's choice */
    text_add(out, "{\"id\":\"%s\",\"exec\":{\"path\":", id);
    text_json(out, g->path);
    text_add(out, ",\"shell\":%s,", words_bool[shell]);
    carry(table_by_path("tools.commands.exec"), "sha256", &c->exec, out);
    text_add(out, "},");
    argv(l, a, g, c, out);
    env(l, a, g, c, out);
    text_add(out, "\"user\":%" PRIu64 ",\"broker\":%s,", g->user, words_broker[broker]);
    caps(g, out);
    carry(t, "syscalls", c, out);
    carry(t, "rlimits", c, out);
    trees(l, a, g, c, out);
    uses(l, a, c, strcmp(id, c->id) == 0, out);
    text_add(out, "},");
}

static void commands(const struct learner *l, struct text *out)
{
    struct arena a = ARENA_INIT;

    text_add(out, "\"commands\":[");
    for (uint32_t i = 0; i < l->parent->tools.commands.n; i++) {
        const struct command *c = l->parent->tools.commands.v[i];
        struct groups gs = groups_of(l, &a, c);

        for (uint32_t k = 0; k < gs.n; k++)
            command(l, &a, c, &gs.v[k], id_for(&a, c, &gs, k), out);
    }
    text_add(out, "],");
    arena_fini(&a);
}

/* One pattern has room for lists of one length: else it stays the parent's. */
static void host_tool(const struct learner *l, struct arena *a, const struct host_tool *h,
                      struct text *out)
{
    const struct args *first = NULL;
    bool same = true;
    struct seen *s;

    for (uint32_t at = 0; (s = learner_next(l, SPACE_HOST, h->o.spot, &at));) {
        first = first ? first : &s->r.v[HOST_ARGV].list;
        same = same && s->r.v[HOST_ARGV].list.n == first->n;
    }
    if (!first)
        return;
    text_add(out, "{\"id\":\"%s\",", h->id);
    text_add(out, same ? "\"command\":[" : "");
    for (uint32_t k = 0; same && k < first->n; k++) {
        struct texts words = { NULL, 0 };

        for (uint32_t at = 0; (s = learner_next(l, SPACE_HOST, h->o.spot, &at));)
            texts_add(a, &words, s->r.v[HOST_ARGV].list.v[k]);
        text_add(out, words.n == 1 ? "" : "{\"enum\":[");
        for (uint32_t i = 0; i < words.n; i++) {
            text_json(out, words.v[i]);
            text_add(out, i + 1 < words.n ? "," : "");
        }
        text_add(out, words.n == 1 ? "," : "]},");
    }
    text_add(out, same ? "]," : "");
    text_add(out, "},");
}

static bool server_used(const struct learner *l, const struct mcp_server *m)
{
    bool used = learner_uses(l, SPACE_HOST, m->o.spot);

    for (uint32_t i = 0; i < m->allow.n && !used; i++)
        used = learner_uses(l, SPACE_MCP, ((const struct mcp_tool *)m->allow.v[i])->o.spot);
    return used;
}

static void mcp_server(const struct learner *l, struct arena *a, const struct mcp_server *m,
                       struct text *out)
{
    if (!server_used(l, m))
        return;
    text_add(out, "{\"id\":\"%s\",\"allow\":[", m->id);
    for (uint32_t i = 0; i < m->allow.n; i++) {
        const struct mcp_tool *t = m->allow.v[i];
        struct texts names = { NULL, 0 };
        struct seen *s;

        for (uint32_t at = 0; (s = learner_next(l, SPACE_MCP, t->o.spot, &at));)
            texts_add(a, &names, s->r.v[MCP_TOOL].s);
        for (uint32_t k = 0; k < names.n; k++) {
            text_add(out, "{\"tool\":");
            text_json(out, names.v[k]);
            text_add(out, ",");
            carry(table_by_path("tools.mcp.allow"), "args", t, out);
            text_add(out, "},");
        }
    }
    text_add(out, "]},");
}

void learner_write_tools(const struct learner *l, struct text *out)
{
    const struct policy_tools *t = &l->parent->tools;
    struct arena a = ARENA_INIT;

    commands(l, out);
    text_add(out, "\"host\":[");
    for (uint32_t i = 0; i < t->host.n; i++)
        host_tool(l, &a, t->host.v[i], out);
    text_add(out, "],\"mcp\":[");
    for (uint32_t i = 0; i < t->mcp.n; i++)
        mcp_server(l, &a, t->mcp.v[i], out);
    text_add(out, "],");
    arena_fini(&a);
}
