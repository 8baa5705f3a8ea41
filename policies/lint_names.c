/* lint_names.c - rules about entries that are the same, or look it. */
#include "policies/lint_rules.h"

#include <string.h>

static void same_header(struct linter *l, const void *object)
{
    const struct secret *s = object;

    for (uint32_t i = 0; i < l->p->secrets.n && l->p->secrets.v[i] != s; i++) {
        const struct secret *o = l->p->secrets.v[i];

        if (strcmp(o->inject.rule, s->inject.rule) == 0 &&
            strcmp(o->inject.header, s->inject.header) == 0)
            lint_say(l, "inject.header", "secret %s puts the same header into the same requests",
                     o->id);
    }
}

static bool same_command(const struct argv_pattern *a, const struct argv_pattern *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i].words.v[0], b->v[i].words.v[0]) != 0)
            return false;
    return true;
}

static void same_server(struct linter *l, const void *object)
{
    const struct mcp_server *m = object;

    for (uint32_t i = 0; i < l->p->tools.mcp.n && l->p->tools.mcp.v[i] != m; i++) {
        const struct mcp_server *o = l->p->tools.mcp.v[i];

        if (same_command(&o->server, &m->server))
            lint_say(l, "server", "the same command as server %s", o->id);
    }
}

/* One form for ids that a reader takes for each other. */
static void fold(const char *id, char out[80])
{
    size_t n = 0;

    for (; *id && n < 79; id++) {
        char c = *id;

        if (c == 'r' && id[1] == 'n') {
            c = 'm';
            id++;
        } else if (c == 'v' && id[1] == 'v') {
            c = 'w';
            id++;
        }
        if (c == '0')
            c = 'o';
        else if (c == '1' || c == 'i')
            c = 'l';
        else if (c == '_' || c == '.')
            c = '-';
        out[n++] = c;
    }
    out[n] = '\0';
}

static void look_alike(struct linter *l, const struct list *list, const char *prefix,
                       size_t id_offset)
{
    char(*folded)[80];
    struct arena tmp = ARENA_INIT;

    folded = arena_get(&tmp, (list->n + 1) * sizeof(*folded));
    for (uint32_t i = 0; i < list->n; i++) {
        const struct object *o = list->v[i];
        const char *id = *(const char *const *)((const char *)list->v[i] + id_offset);

        fold(id, folded[i]);
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(folded[i], folded[k]) == 0) {
                const char *other = *(const char *const *)((const char *)list->v[k] + id_offset);
                const char *subject = arena_printf(&tmp, "%s%s", prefix, id);

                lint_say_of(l, subject, o->spot, "is easily taken for %s%s (line %u)", prefix,
                            other, ((const struct object *)list->v[k])->spot.line);
                break;
            }
        }
    }
    arena_fini(&tmp);
}

static void look_alikes(struct linter *l, const void *object)
{
    const struct policy *p = object;

    look_alike(l, &p->network.allow, "network/", offsetof(struct net_rule, id));
    look_alike(l, &p->network.deny, "network/deny/", offsetof(struct net_rule, id));
    look_alike(l, &p->tools.commands, "tools/commands/", offsetof(struct command, id));
    look_alike(l, &p->tools.host, "tools/host/", offsetof(struct host_tool, id));
    look_alike(l, &p->tools.mcp, "tools/mcp/", offsetof(struct mcp_server, id));
    look_alike(l, &p->storage.mounts, "storage/", offsetof(struct mount, id));
    look_alike(l, &p->storage.memory, "storage/memory/", offsetof(struct memory_volume, id));
    look_alike(l, &p->secrets, "secrets/", offsetof(struct secret, id));
    look_alike(l, &p->models, "models/", offsetof(struct model, id));
    look_alike(l, &p->accelerators, "accelerators/", offsetof(struct accelerator, id));
}

/* clang-format off */
static const struct lint_check checks[] = {
    { { "CR705", "same-header", LINT_ERROR, "Of two credentials in one header only one arrives, and which is chance.", "Use another rule, or another header." }, EACH_SECRET, same_header },
    { { "CR706", "same-server", LINT_NOTE, "Two names for one server have two pins and two lists of tools.", "Merge them." }, EACH_MCP, same_server },
    { { "CR707", "look-alike-ids", LINT_WARNING, "A reviewer takes one for the other.", "Rename one." }, EACH_POLICY, look_alikes },
};
/* clang-format on */

const struct lint_checks lint_names = { checks, array_len(checks) };
