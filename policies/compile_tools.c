/* compile_tools.c - clauses for programs in the guest, programs on the host, and MCP tools. */
#include "policies/load.h"
#include "policies/ruleset.h"
#include "policies/words.h"

#include <string.h>

static const struct cell *exec_path(struct ruleset *rs, const struct command *c)
{
    struct cell *x = cell_new(rs, DIM_GLOB);

    x->globs.pos.v = arena_get(&rs->arena, sizeof(*x->globs.pos.v));
    if (c->exec.path && !glob_parse(&rs->arena, GLOB_PATH, NULL, c->exec.path, x->globs.pos.v))
        x->globs.pos.n = 1;
    return x;
}

static const struct cell *exec_argv(struct ruleset *rs, const struct command *c)
{
    struct cell *x = cell_new(rs, DIM_ARGV);

    x->argv.pos.v = arena_get(&rs->arena, (c->argv.n + 1) * sizeof(*x->argv.pos.v));
    x->argv.neg.v = arena_get(&rs->arena, (c->argv.n + 1) * sizeof(*x->argv.neg.v));
    for (uint32_t i = 0; i < c->argv.n; i++) {
        const struct argv_rule *r = c->argv.v[i];

        if (r->deny.n)
            x->argv.neg.v[x->argv.neg.n++] = r->deny;
        else
            x->argv.pos.v[x->argv.pos.n++] = r->allow;
    }
    /* Nothing said: no arguments. The zeroed pattern is the empty list. */
    if (!x->argv.pos.n)
        x->argv.pos.n = 1;
    return x;
}

/* "NAME=value": what the caller may set has any value, what the rule sets has one. */
static const struct cell *exec_env(struct ruleset *rs, const struct exec_env *e)
{
    struct cell *x = cell_new(rs, DIM_ALL_GLOB);
    struct globs *g = &x->globs.pos;

    g->v = arena_get(&rs->arena, (e->allow.n + e->set.n + 1) * sizeof(*g->v));
    for (uint32_t i = 0; i < e->allow.n; i++)
        if (!glob_parse(&rs->arena, GLOB_NAME, NULL,
                        arena_printf(&rs->arena, "%s=*", e->allow.v[i]), &g->v[g->n]))
            g->n++;
    for (uint32_t i = 0; i < e->set.n; i++)
        glob_literal(&rs->arena, GLOB_NAME,
                     arena_printf(&rs->arena, "%s=%s", e->set.v[i].key, e->set.v[i].value),
                     &g->v[g->n++]);
    return x;
}

static const struct cell *trees(struct ruleset *rs, const struct texts *a, const struct texts *b)
{
    struct cell *x = cell_new(rs, DIM_ALL_GLOB);
    struct globs *g = &x->globs.pos;

    g->v = arena_get(&rs->arena, (a->n + (b ? b->n : 0) + 1) * sizeof(*g->v));
    for (uint32_t i = 0; i < a->n; i++)
        glob_tree(&rs->arena, GLOB_PATH, a->v[i], &g->v[g->n++]);
    for (uint32_t i = 0; b && i < b->n; i++)
        glob_tree(&rs->arena, GLOB_PATH, b->v[i], &g->v[g->n++]);
    return x;
}

static const struct cell *exec_syscalls(struct ruleset *rs, const struct exec_syscalls *s)
{
    struct cell *x = cell_new(rs, DIM_ALL_BITS);

    x->all = rs->base[s->base];
    for (unsigned i = 0; i < BITS_MAX / 64; i++)
        x->all.w[i] = (x->all.w[i] | s->add.w[i]) & ~s->remove.w[i];
    return x;
}

static const struct cell *exec_uses(struct ruleset *rs, const struct command *c)
{
    struct cell *x = cell_new(rs, DIM_ALL_WORD);

    for (uint32_t i = 0; i < c->network.n; i++)
        texts_add(&rs->arena, &x->words, arena_printf(&rs->arena, "network:%s", c->network.v[i]));
    for (uint32_t i = 0; i < c->spawn.n; i++)
        texts_add(&rs->arena, &x->words, arena_printf(&rs->arena, "spawn:%s", c->spawn.v[i]));
    return x;
}

static void command(struct ruleset *rs, const struct command *c)
{
    char grade = c->broker == BROKER_HOST ? 'H' : 'G';
    uint32_t rule = rule_new(rs, "tools", "commands", c->id, c->o.spot, grade, false);
    struct clause *x = clause_new(rs, SPACE_EXEC, rule);
    struct cell *caps = cell_new(rs, DIM_ALL_BITS);

    caps->all = c->capabilities;
    x->cell[EXEC_PATH] = exec_path(rs, c);
    x->cell[EXEC_ARGV] = exec_argv(rs, c);
    x->cell[EXEC_SHELL] = cell_bits(rs, c->exec.shell ? 3 : 1);
    x->cell[EXEC_USER] = cell_number(rs, c->user, c->user);
    x->cell[EXEC_BROKER] = cell_bits(rs, (2ull << c->broker) - 1);
    x->cell[EXEC_ENV] = exec_env(rs, &c->env);
    x->cell[EXEC_CAPS] = caps;
    x->cell[EXEC_SYSCALLS] = exec_syscalls(rs, &c->syscalls);
    x->cell[EXEC_CPU] = cell_number_to(rs, c->rlimits.cpu);
    x->cell[EXEC_AS] = cell_number_to(rs, c->rlimits.as);
    x->cell[EXEC_FSIZE] = cell_number_to(rs, c->rlimits.fsize);
    x->cell[EXEC_RO] = trees(rs, &c->paths.ro, &c->paths.rw);
    x->cell[EXEC_RW] = trees(rs, &c->paths.rw, NULL);
    x->cell[EXEC_USES] = exec_uses(rs, c);
    x->cell[EXEC_SHA256] = c->exec.sha256 ? cell_word(rs, c->exec.sha256) : NULL;
}

static const struct cell *one_pattern(struct ruleset *rs, const struct argv_pattern *p)
{
    struct cell *x = cell_new(rs, DIM_ARGV);

    x->argv.pos.v = arena_get(&rs->arena, sizeof(*x->argv.pos.v));
    x->argv.pos.v[0] = *p;
    x->argv.pos.n = 1;
    return x;
}

static void host_tool(struct ruleset *rs, const struct host_tool *h)
{
    uint32_t rule = rule_new(rs, "tools", "host", h->id, h->o.spot, 'H', false);
    struct clause *x = clause_new(rs, SPACE_HOST, rule);
    struct cell *none = cell_new(rs, DIM_WORD), *cwd = cell_new(rs, DIM_WORD);

    none->absent_ok = true;
    cwd->absent_ok = !h->cwd;
    x->cell[HOST_FOR] = none;
    x->cell[HOST_ARGV] = one_pattern(rs, &h->command);
    x->cell[HOST_CWD] = h->cwd ? cell_word(rs, h->cwd) : cwd;
    x->cell[HOST_APPROVAL] = cell_bits(rs, (2ull << h->approve) - 1);
}

static void mcp_server(struct ruleset *rs, const struct mcp_server *m)
{
    uint32_t rule = rule_new(rs, "tools", "mcp", m->id, m->o.spot, 'H', false);
    struct clause *x = clause_new(rs, SPACE_HOST, rule);
    struct cell *none = cell_new(rs, DIM_WORD);
    const struct cell *server = cell_word(rs, m->id), *body = cell_number_to(rs, m->max_body);

    none->absent_ok = true;
    x->cell[HOST_FOR] = server;
    x->cell[HOST_ARGV] = one_pattern(rs, &m->server);
    x->cell[HOST_CWD] = none;
    for (uint32_t i = 0; i < m->allow.n; i++) {
        const struct mcp_tool *t = m->allow.v[i];
        struct cell *tool = cell_new(rs, DIM_GLOB);

        tool->globs.pos.v = arena_get(&rs->arena, sizeof(*tool->globs.pos.v));
        if (t->tool && !glob_parse(&rs->arena, GLOB_NAME, NULL, t->tool, tool->globs.pos.v))
            tool->globs.pos.n = 1;
        rule = rule_new(rs, "tools/mcp", m->id, t->tool ? t->tool : "", t->o.spot, 'H', false);
        x = clause_new(rs, SPACE_MCP, rule);
        x->cell[MCP_SERVER] = server;
        x->cell[MCP_TOOL] = tool;
        x->cell[MCP_PIN] = m->pin ? cell_word(rs, m->pin) : NULL;
        x->cell[MCP_BODY] = body;
        if (t->args.n) {
            struct cell *args = cell_new(rs, DIM_ARGS);

            args->args = t->args;
            x->cell[MCP_ARGS] = args;
        }
    }
}

void compile_tools(struct ruleset *rs)
{
    const struct policy_tools *t = &rs->policy->tools;

    for (unsigned i = 0; i < array_len(rs->base) && t->commands.n; i++)
        syscall_base(i, &rs->base[i]);
    for (uint32_t i = 0; i < t->commands.n; i++)
        command(rs, t->commands.v[i]);
    for (uint32_t i = 0; i < t->host.n; i++)
        host_tool(rs, t->host.v[i]);
    for (uint32_t i = 0; i < t->mcp.n; i++)
        mcp_server(rs, t->mcp.v[i]);
}
