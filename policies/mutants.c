#include "policies/mutants.h"

#include "policies/words.h"

#include <inttypes.h>
#include <string.h>

#define ELEMENTS_MAX 32u /* of one set that are taken away, one at a time */

/* A change of one rule: a cell that is another, or has every value. */
struct change {
    uint32_t rule;
    enum mutation how;
    const struct cell *cell, *instead; /* MUTANT_NARROWER, MUTANT_WIDER */
};

/* One case: how many clauses of each sort have it. */
struct tally {
    const struct request *r;
    uint32_t allow, deny;
};

struct bench {
    const struct ruleset *rs;
    struct tally *v;
    uint32_t n;
    uint32_t **clauses[SPACES]; /* by rule: the numbers of its clauses, after their count */
    struct arena *arena;
    struct mutants *out;
};

/* What the author of a rule writes, not what follows from defaults. */
static bool is_written(enum space_id space, unsigned dim)
{
    static const uint32_t dims[SPACES] = {
        [SPACE_CONNECT] = 1u << CONNECT_HOST | 1u << CONNECT_PORT,
        [SPACE_DIAL] = 1u << DIAL_HOST | 1u << DIAL_PORT | 1u << DIAL_ADDR,
        [SPACE_HTTP] = 1u << HTTP_HOST | 1u << HTTP_PORT | 1u << HTTP_METHOD | 1u << HTTP_PATH,
        [SPACE_PUBLISH] = 1u << PUBLISH_GUEST | 1u << PUBLISH_ADDR | 1u << PUBLISH_PORT,
        [SPACE_EXEC] = 1u << EXEC_PATH | 1u << EXEC_ARGV | 1u << EXEC_SHELL | 1u << EXEC_USER |
                       1u << EXEC_ENV | 1u << EXEC_SHA256,
        [SPACE_HOST] = 1u << HOST_ARGV | 1u << HOST_CWD | 1u << HOST_APPROVAL,
        [SPACE_MCP] = 1u << MCP_TOOL | 1u << MCP_PIN | 1u << MCP_ARGS,
        [SPACE_FILE] = 1u << FILE_PATH | 1u << FILE_OP,
        [SPACE_MOUNT] = 1u << MOUNT_SOURCE | 1u << MOUNT_TARGET | 1u << MOUNT_ACCESS,
        [SPACE_SECRET] = 1u << SECRET_HOST | 1u << SECRET_METHOD | 1u << SECRET_PATH,
        [SPACE_MODEL] = 1u << MODEL_ENDPOINT | 1u << MODEL_NAME,
        [SPACE_DEVICE] =
            1u << DEVICE_ATTACH | 1u << DEVICE_ID | 1u << DEVICE_CLASS | 1u << DEVICE_COUNT,
        [SPACE_SNAPSHOT] = 1u << SNAPSHOT_OP,
        [SPACE_FORK] = 1u << FORK_MADE,
        [SPACE_IMAGE] = 1u << IMAGE_NAME,
    };

    return dims[space] >> dim & 1;
}

static bool has(const struct clause *c, const struct request *r, const struct change *ch)
{
    for (uint32_t d = 0; d < spaces[r->space].n; d++) {
        const struct cell *x = c->cell[d];

        if (ch && x && x == ch->cell)
            x = ch->instead;
        if (x && !cell_has(x, &r->v[d]))
            return false;
    }
    return true;
}

static bool notices(const struct tally *t, const struct bench *b, const struct change *ch)
{
    const struct clauses *cs = &b->rs->space[t->r->space];
    const uint32_t *own = b->clauses[t->r->space] ? b->clauses[t->r->space][ch->rule] : NULL;
    uint32_t allow = t->allow, deny = t->deny;

    for (uint32_t i = 1; own && i <= own[0]; i++) {
        const struct clause *c = &cs->v[own[i]];
        bool was = has(c, t->r, NULL), is = ch->how != MUTANT_LOST && has(c, t->r, ch);
        bool denies = ch->how == MUTANT_TURNED ? !c->deny : c->deny;

        *(c->deny ? &deny : &allow) -= was;
        *(denies ? &deny : &allow) += is;
    }
    return (t->allow && !t->deny) != (allow && !deny);
}

static void attempt(struct bench *b, const struct change *ch, const char *what)
{
    struct mutants *o = b->out;
    struct mutant *m = arena_push(b->arena, (void **)&o->v, o->n, sizeof(*o->v));

    *m = (struct mutant){ ch->rule, ch->how, what, false };
    o->n++;
    for (uint32_t i = 0; i < b->n && !m->noticed; i++)
        m->noticed = notices(&b->v[i], b, ch);
    o->noticed += m->noticed;
}

static uint32_t elements(const struct bench *b, const struct cell *c)
{
    switch (c->type) {
    case DIM_WORD:
    case DIM_ALL_WORD: return c->words.n;
    case DIM_ENUM: return (uint32_t)__builtin_popcountll(c->bits);
    case DIM_NUM: return c->ranges.n;
    case DIM_HOST: return c->hosts.n;
    case DIM_GLOB:
    case DIM_ALL_GLOB: return c->globs.pos.n;
    case DIM_ADDR: return c->addrs.v == b->rs->reachable.v ? 0 : c->addrs.n;
    case DIM_ARGV: return c->argv.pos.n;
    case DIM_ARGS: return c->args.n;
    case DIM_ALL_BITS: return 0;
    }
    return 0;
}

/* An array without element i. */
static void *without(struct arena *a, const void *v, uint32_t n, uint32_t i, size_t size)
{
    char *copy = arena_get(a, n * size + 1);

    memcpy(copy, v, i * size);
    memcpy(copy + i * size, (const char *)v + (i + 1) * size, (n - 1 - i) * size);
    return copy;
}

static const char *const fronts[] = { "", "*.", "**." };

static const char *enum_without(struct arena *a, const struct dim *d, uint32_t i, struct cell *c)
{
    unsigned bit = 0;

    for (uint32_t seen = 0; bit < 63; bit++)
        if (c->bits >> bit & 1 && seen++ == i)
            break;
    c->bits &= ~(1ull << bit);
    return arena_printf(a, "%s without %s", d->name, d->words[bit]);
}

/* c loses element i. What to call it. */
static const char *narrow(struct arena *a, const struct dim *d, uint32_t i, struct cell *c)
{
    const char *name = d->name;
    uint32_t n;

    switch (c->type) {
    case DIM_WORD:
    case DIM_ALL_WORD:
        name = arena_printf(a, "%s without %s", d->name, c->words.v[i]);
        c->words.v = without(a, c->words.v, c->words.n--, i, sizeof(*c->words.v));
        break;
    case DIM_ENUM: return enum_without(a, d, i, c);
    case DIM_NUM:
        name = arena_printf(a, "%s without %" PRIu64 "..%" PRIu64, d->name, c->ranges.v[i].lo,
                            c->ranges.v[i].hi);
        c->ranges.v = without(a, c->ranges.v, c->ranges.n--, i, sizeof(*c->ranges.v));
        break;
    case DIM_HOST:
        name = arena_printf(a, "%s without %s%s", d->name, fronts[c->hosts.v[i].kind],
                            c->hosts.v[i].name);
        n = c->hosts.n--;
        c->hosts.v = without(a, c->hosts.v, n, i, sizeof(*c->hosts.v));
        break;
    case DIM_GLOB:
    case DIM_ALL_GLOB:
        name = arena_printf(a, "%s without %s", d->name, c->globs.pos.v[i].text);
        n = c->globs.pos.n--;
        c->globs.pos.v = without(a, c->globs.pos.v, n, i, sizeof(*c->globs.pos.v));
        break;
    case DIM_ADDR:
        name = arena_printf(a, "%s without network %u", d->name, i + 1);
        c->addrs.v = without(a, c->addrs.v, c->addrs.n--, i, sizeof(*c->addrs.v));
        break;
    case DIM_ARGV:
        name = arena_printf(a, "%s without allow %u", d->name, i + 1);
        n = c->argv.pos.n--;
        c->argv.pos.v = without(a, c->argv.pos.v, n, i, sizeof(*c->argv.pos.v));
        break;
    case DIM_ARGS:
        name = arena_printf(a, "%s without the condition on %s", d->name, c->args.v[i].name);
        c->args.v = without(a, c->args.v, c->args.n--, i, sizeof(*c->args.v));
        break;
    case DIM_ALL_BITS: break;
    }
    return name;
}

/* A set with one element less; a last one would be the loss of the rule. */
static void cell_narrower(struct bench *b, struct change *ch, const struct dim *d,
                          const struct cell *c)
{
    uint32_t n = elements(b, c);

    ch->how = MUTANT_NARROWER;
    for (uint32_t i = 0; i < n && i < ELEMENTS_MAX && (n > 1 || c->type == DIM_ARGS); i++) {
        struct cell *less = arena_get(b->arena, sizeof(*less));
        const char *what;

        *less = *c;
        what = narrow(b->arena, d, i, less);
        ch->instead = less;
        attempt(b, ch, what);
    }
    for (uint32_t i = 0; c->type == DIM_ARGV && i < c->argv.neg.n && i < ELEMENTS_MAX; i++) {
        struct cell *less = arena_get(b->arena, sizeof(*less));

        *less = *c;
        less->argv.neg.v =
            without(b->arena, c->argv.neg.v, c->argv.neg.n, i, sizeof(*c->argv.neg.v));
        less->argv.neg.n--;
        ch->instead = less;
        attempt(b, ch, arena_printf(b->arena, "%s without deny %u", d->name, i + 1));
    }
}

/* One element more: a case notices it when the rule has all of it but this value. */
static void cell_wider(struct bench *b, struct change *ch, const struct dim *d)
{
    ch->how = MUTANT_WIDER;
    ch->instead = NULL;
    attempt(b, ch, arena_printf(b->arena, "%s wider", d->name));
}

static bool was_there(const struct cell *const *seen, uint32_t n, const struct cell *c)
{
    for (uint32_t i = 0; i < n; i++)
        if (seen[i] == c)
            return true;
    return false;
}

/* Clauses of one rule share cells: each is changed once, everywhere. */
static void rule_cells(struct bench *b, uint32_t rule)
{
    const struct cell **seen = NULL;
    uint32_t nseen = 0;

    for (unsigned s = 0; s < SPACES; s++) {
        const uint32_t *own = b->clauses[s] ? b->clauses[s][rule] : NULL;

        for (uint32_t i = 1; own && i <= own[0]; i++) {
            const struct clause *c = &b->rs->space[s].v[own[i]];

            for (uint32_t d = 0; d < spaces[s].n; d++) {
                struct change ch = { .rule = rule, .cell = c->cell[d] };

                if (!c->cell[d] || !is_written(s, d) || was_there(seen, nseen, c->cell[d]))
                    continue;
                *(const struct cell **)arena_push(b->arena, (void **)&seen, nseen, sizeof(void *)) =
                    c->cell[d];
                nseen++;
                cell_narrower(b, &ch, &spaces[s].dims[d], c->cell[d]);
                cell_wider(b, &ch, &spaces[s].dims[d]);
            }
        }
    }
}

/* Which clauses belong to which rule. */
static void sort_clauses(struct bench *b)
{
    for (unsigned s = 0; s < SPACES; s++) {
        const struct clauses *cs = &b->rs->space[s];
        uint32_t **of;

        if (!cs->n)
            continue;
        of = b->clauses[s] = arena_get(b->arena, (b->rs->nrules + 1) * sizeof(*of));
        for (uint32_t i = 0; i < cs->n; i++) {
            uint32_t **list = &of[cs->v[i].rule], n = *list ? (*list)[0] + 1 : 1;

            *(uint32_t *)arena_push(b->arena, (void **)list, n > 1 ? n : 0, sizeof(**list)) = i;
            if (n == 1) /* the first place is the count */
                *(uint32_t *)arena_push(b->arena, (void **)list, 1, sizeof(**list)) = i;
            (*list)[0] = n;
        }
    }
}

bool mutants_count_rule(const struct ruleset *rs, uint32_t rule)
{
    for (unsigned s = 0; s < SPACES; s++)
        for (uint32_t i = 0; s != SPACE_RESOURCE && i < rs->space[s].n; i++)
            if (rs->space[s].v[i].rule == rule)
                return true;
    return false;
}

void mutants_try(const struct ruleset *rs, const struct request *const *requests, uint32_t n,
                 struct arena *a, struct mutants *out)
{
    struct bench b = { .rs = rs, .n = n, .arena = a, .out = out };

    *out = (struct mutants){ NULL, 0, 0 };
    b.v = arena_get(a, (n + 1) * sizeof(*b.v));
    sort_clauses(&b);
    for (uint32_t i = 0; i < n; i++) {
        const struct clauses *cs = &rs->space[requests[i]->space];

        b.v[i].r = requests[i];
        for (uint32_t k = 0; k < cs->n; k++)
            if (has(&cs->v[k], requests[i], NULL))
                (*(cs->v[k].deny ? &b.v[i].deny : &b.v[i].allow))++;
    }
    for (uint32_t i = 0; i < rs->nrules; i++) {
        struct change ch = { .rule = i, .how = MUTANT_LOST };

        if (!mutants_count_rule(rs, i))
            continue;
        attempt(&b, &ch, "");
        ch.how = MUTANT_TURNED;
        attempt(&b, &ch, "");
        rule_cells(&b, i);
    }
}
