/* clauses.c - what a ruleset is put together from: see ruleset.h. */
#include "policies/ruleset.h"

#include <stdlib.h>
#include <string.h>

struct cell *cell_new(struct ruleset *rs, enum dim_type type)
{
    struct cell *c = arena_get(&rs->arena, sizeof(*c));

    c->type = type;
    return c;
}

const struct cell *cell_number(struct ruleset *rs, uint64_t lo, uint64_t hi)
{
    struct cell *c = cell_new(rs, DIM_NUM);

    c->ranges.v = arena_get(&rs->arena, sizeof(*c->ranges.v));
    c->ranges.v[0] = (struct range){ lo, hi };
    c->ranges.n = 1;
    return c;
}

const struct cell *cell_number_to(struct ruleset *rs, uint64_t max)
{
    return cell_number(rs, 0, max);
}

const struct cell *cell_bits(struct ruleset *rs, uint64_t bits)
{
    struct cell *c = cell_new(rs, DIM_ENUM);

    c->bits = bits;
    return c;
}

const struct cell *cell_word(struct ruleset *rs, const char *word)
{
    struct cell *c = cell_new(rs, DIM_WORD);

    c->words.v = arena_get(&rs->arena, sizeof(*c->words.v));
    c->words.v[0] = word;
    c->words.n = 1;
    return c;
}

struct clause *clause_new(struct ruleset *rs, enum space_id space, uint32_t rule)
{
    struct clauses *cs = &rs->space[space];
    struct clause *c = arena_push(&rs->arena, (void **)&cs->v, cs->n, sizeof(*cs->v));

    memset(c, 0, sizeof(*c));
    c->rule = rule;
    c->deny = rs->rules[rule].deny;
    cs->n++;
    return c;
}

/* section/part/id, or section/id. */
static const char *rule_name(struct ruleset *rs, const char *section, const char *part,
                             const char *id)
{
    const char *const words[] = { section, *part ? "/" : "", part, "/", id };

    return arena_join(&rs->arena, words, array_len(words));
}

uint32_t rule_new(struct ruleset *rs, const char *section, const char *part, const char *id,
                  struct spot at, char grade, bool deny)
{
    struct rule *r = arena_push(&rs->arena, (void **)&rs->rules, rs->nrules, sizeof(*rs->rules));

    *r = (struct rule){ .id = rule_name(rs, section, part, id),
                        .section = section,
                        .spot = at,
                        .grade = grade,
                        .deny = deny };
    return rs->nrules++;
}

struct ruleset *ruleset_begin(const struct policy *p)
{
    struct ruleset *rs = calloc(1, sizeof(*rs));

    if (!rs)
        abort();
    rs->policy = p;
    return rs;
}

void ruleset_free(struct ruleset *rs)
{
    if (!rs)
        return;
    arena_fini(&rs->arena);
    free(rs);
}
