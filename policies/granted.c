/* granted.c - the part of a policy that a grant adds: what can be granted, inside what, and how it
 * becomes part of the policy. */
#include "policies/compare.h"
#include "policies/grants.h"
#include "policies/layers.h"
#include "policies/load.h"

#include <string.h>

#define DEPTH_MAX 8u

/* Where a rule or number stands: fields of the tables from the top. */
struct place {
    const struct field *f;
    uint32_t index[DEPTH_MAX];
    uint32_t depth;
};

struct walk {
    struct place at, first; /* of what is looked at; of the first thing found */
    uint32_t found;
    bool bound; /* any number of rules, and denials */
    const struct policy *p;
    struct problems *ps;
    bool failed;
};

static bool refuse(struct walk *w, struct spot at, const char *key, const char *why,
                   const char *what)
{
    const char *file = at.file < w->p->nfiles ? w->p->files[at.file] : NULL;

    w->failed = true;
    problem_add(w->ps, PROBLEM_ERROR, "grant", file ? file : "grant", at.line, at.col, "%s: %s%s",
                key, why, what);
    return false;
}

static bool is_number(const struct field *f)
{
    return f->type >= F_COUNT && f->type <= F_RATE && f->combine == C_LEAST;
}

/* A secret is where its rule sends it, which a part of a policy cannot show. */
static bool is_rules(const struct field *f)
{
    return f->type == F_LIST && f->combine != C_UNION && strcmp(f->key, "secrets") != 0;
}

static void found(struct walk *w, const struct field *f, uint32_t n)
{
    if (!w->found && n) {
        w->first = w->at;
        w->first.f = f;
    }
    w->found += n;
}

/* The tables are a tree of at most five levels. NOLINTNEXTLINE(misc-no-recursion) */
static void look(struct walk *w, const struct table *t, const void *object)
{
    const struct object *o = object;

    for (uint32_t i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];
        const struct list *l = field_in(f, object);

        if (!(o->own >> i & 1))
            continue;
        w->at.index[w->at.depth++] = i;
        if (f->type == F_OBJECT && w->at.depth < DEPTH_MAX)
            look(w, f->table, field_in(f, object));
        else if (is_number(f))
            found(w, f, 1);
        else if (is_rules(f) || (w->bound && f->type == F_LIST && f->combine == C_UNION))
            found(w, f, l->n);
        else
            refuse(w, o->at[i], f->key, "cannot be granted; rules and numbers can", "");
        w->at.depth--;
    }
}

bool grant_bound_check(const struct policy *part, struct problems *ps)
{
    struct walk w = { .bound = true, .p = part, .ps = ps };

    look(&w, &policy_table, part);
    return !w.failed && policy_check_part(part, ps);
}

bool grant_part_check(const struct policy *part, struct problems *ps)
{
    struct walk w = { .p = part, .ps = ps };

    look(&w, &policy_table, part);
    if (!w.failed && w.found != 1)
        refuse(&w, part->o.spot, "grant", "wanted exactly one rule or number", "");
    return !w.failed && policy_check_part(part, ps);
}

/* The object that holds the field at a place. */
static void *holder(struct policy *p, const struct place *at)
{
    const struct table *t = &policy_table;
    void *object = p;

    for (uint32_t i = 0; i + 1 < at->depth; i++) {
        object = field_of(&t->fields[at->index[i]], object);
        t = t->fields[at->index[i]].table;
    }
    return object;
}

static const void *holder_in(const struct policy *p, const struct place *at)
{
    const struct table *t = &policy_table;
    const void *object = p;

    for (uint32_t i = 0; i + 1 < at->depth; i++) {
        object = field_in(&t->fields[at->index[i]], object);
        t = t->fields[at->index[i]].table;
    }
    return object;
}

/* Numbers that the part does not speak of are no difference. NOLINTNEXTLINE(misc-no-recursion) */
static void take_numbers(const struct table *t, void *part, const void *bound)
{
    const struct object *o = part;

    for (uint32_t i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];

        if (f->type == F_OBJECT)
            take_numbers(f->table, field_of(f, part), field_in(f, bound));
        else if (field_is_number(f) && !(o->own >> i & 1))
            *(uint64_t *)field_of(f, part) = *(const uint64_t *)field_in(f, bound);
    }
}

/*
 * Leaves of a part's clauses what the rule or number itself brings: what every policy has, such as
 * the files of the image, is no part of a grant. False: nothing is left, which would be inside
 * anything.
 */
static bool reduce(struct ruleset *rs, bool number)
{
    bool left = false;

    for (unsigned s = 0; s < SPACES; s++) {
        struct clauses *c = &rs->space[s];
        uint32_t kept = 0;

        for (uint32_t i = 0; i < c->n; i++) {
            bool own = rs->rules[c->v[i].rule].spot.line != 0; /* it has a place in the part */

            if (c->v[i].deny || (number ? s == SPACE_RESOURCE : s != SPACE_RESOURCE && own)) {
                left = left || !c->v[i].deny;
                c->v[kept++] = c->v[i];
            }
        }
        c->n = kept;
    }
    index_make(rs);
    return left;
}

bool grant_within(struct policy *part, const struct policy *bound, const char *bound_name,
                  struct problems *ps)
{
    struct walk w = { .p = part, .ps = ps };
    struct ruleset *inner, *outer;
    const struct object *o;
    uint32_t last;
    bool ok;

    look(&w, &policy_table, part);
    if (w.failed || w.found != 1)
        return false;
    o = holder_in(bound, &w.first);
    last = w.first.index[w.first.depth - 1];
    /* A default is not a permission. */
    if (!(o->own >> last & 1))
        return refuse(&w, part->o.spot, w.first.f->key, "is not part of ", bound_name);
    take_numbers(&policy_table, part, bound);
    inner = ruleset_make(part, NULL);
    outer = ruleset_make(bound, NULL);
    ok = reduce(inner, is_number(w.first.f)) ||
         refuse(&w, part->o.spot, w.first.f->key, "allows nothing", "");
    ok = ok && rules_must_narrow(inner, outer, bound_name, ps);
    ruleset_free(inner);
    ruleset_free(outer);
    return ok;
}

static const char *id_of(const struct table *t, const void *object)
{
    int i = field_index(t, "id");

    return i < 0 ? NULL : *(const char *const *)field_in(&t->fields[i], object);
}

static bool join_rule(struct walk *w, struct policy *p, const void *from, void *to)
{
    const struct field *f = w->first.f;
    void *rule = ((const struct list *)field_in(f, from))->v[0];
    struct list *l = field_of(f, to);
    const char *id = id_of(f->table, rule);

    for (uint32_t i = 0; i < l->n; i++) {
        const char *other = id_of(f->table, l->v[i]);

        if (id && other && strcmp(id, other) == 0)
            return refuse(w, w->p->o.spot, id, "the policy has a rule of this name", "");
    }
    *(void **)arena_push(&p->arena, (void **)&l->v, l->n, sizeof(*l->v)) = rule;
    l->n++;
    return true;
}

static bool join_number(struct walk *w, const void *from, void *to)
{
    const struct field *f = w->first.f;
    const uint64_t *more = field_in(f, from);
    uint64_t *now = field_of(f, to);

    if (*more <= *now)
        return refuse(w, w->p->o.spot, f->key, "the policy allows as much already", "");
    *now = *more;
    return true;
}

bool grant_join(struct policy *p, struct policy *part, struct problems *ps)
{
    struct walk w = { .p = part, .ps = ps };
    uint16_t number = (uint16_t)(part->nfiles - 1);
    const void *from;
    struct object *to;
    uint32_t last;

    look(&w, &policy_table, part);
    if (w.failed || w.found != 1)
        return false;
    from = holder_in(part, &w.first);
    to = holder(p, &w.first);
    last = w.first.index[w.first.depth - 1];
    if (!(is_number(w.first.f) ? join_number(&w, from, to) : join_rule(&w, p, from, to)))
        return false;
    p->files[number] = part->files[number];
    p->nfiles = part->nfiles;
    to->at[last] = ((const struct object *)from)->at[last];
    to->has |= 1ull << last;
    for (uint32_t i = 1; i < w.first.depth; i++) {
        struct place up = { .depth = i };
        struct object *o;

        memcpy(up.index, w.first.index, sizeof(up.index));
        o = holder(p, &up);
        o->has |= 1ull << up.index[i - 1];
    }
    arena_absorb(&p->arena, &part->arena);
    return policy_check(p, ps);
}
