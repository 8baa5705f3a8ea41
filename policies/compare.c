#include "policies/compare.h"

#include "policies/near.h"
#include "policies/points.h"
#include "policies/solve.h"

#include <string.h>

struct picked {
    const struct clause **v;
    uint32_t n;
};

static void pick(struct arena *a, struct picked *p, const struct clause *c)
{
    *(const struct clause **)arena_push(a, (void **)&p->v, p->n, sizeof(void *)) = c;
    p->n++;
}

/* Those that share a point with c, as far as can be seen at a glance, in their order. */
static void pick_near(struct arena *a, struct picked *p, struct near *n, const struct clause *c,
                      uint32_t dims, uint64_t *work)
{
    near_find(n, c, a, work);
    for (uint32_t i = 0; i < n->clauses->n && *work; i++)
        if (near_has(n, i) && !clause_disjoint_paid(c, &n->clauses->v[i], dims, work))
            pick(a, p, &n->clauses->v[i]);
}

static bool covered(const struct clause *c, const struct picked *by, uint32_t dims, uint64_t *work)
{
    for (uint32_t i = 0; i < by->n && *work; i++)
        if (clause_within_paid(c, by->v[i], dims, work))
            return true;
    return false;
}

/* A copy of a point whose texts live in arena a. */
static void keep(struct arena *a, struct request *r)
{
    for (uint32_t i = 0; i < spaces[r->space].n; i++) {
        struct value *v = &r->v[i];

        if (v->s)
            v->s = arena_copy(a, v->s, v->len);
        if (v->bits) {
            struct bits *b = arena_get(a, sizeof(*b));

            *b = *v->bits;
            v->bits = b;
        }
        if (v->list.n) {
            const char **list = arena_get(a, v->list.n * sizeof(*list));

            for (uint32_t k = 0; k < v->list.n; k++)
                list[k] = arena_copy(a, v->list.v[k], strlen(v->list.v[k]));
            v->list.v = list;
        }
    }
}

/* The solver's word is not taken: the point is decided by both. */
static enum compared replay(const struct ruleset *child, const struct ruleset *parent,
                            struct arena *a, struct witness *w)
{
    keep(a, &w->request);
    w->inside = decide(child, &w->request);
    w->outside = decide(parent, &w->request);
    return w->inside.allowed && !w->outside.allowed ? COMPARED_WIDER : COMPARED_TOO_COMPLEX;
}

static enum solved ask(enum space_id space, const struct clause *a, const struct clause *b,
                       const struct picked *avoid, struct arena *tmp, struct request *r,
                       uint64_t *work)
{
    const struct clause *must[] = { a, b };
    struct question q = { space, must, b ? 2 : 1, avoid->v, avoid->n, work };

    return solve(&q, tmp, r);
}

/* Whom the clauses of one space are compared with. */
struct others {
    struct near allowed, denied; /* by the parent */
    struct near own;             /* denied by the child */
};

static void others_make(struct arena *a, enum space_id space, const struct ruleset *child,
                        const struct ruleset *parent, struct others *o)
{
    near_make(a, &parent->space[space], false, &o->allowed);
    near_make(a, &parent->space[space], true, &o->denied);
    near_make(a, &child->space[space], true, &o->own);
}

/* One allow clause of the child against all of the parent. */
static enum solved clause_outside(enum space_id space, const struct clause *c, struct others *o,
                                  struct arena *tmp, struct request *r, uint64_t *work)
{
    uint32_t dims = spaces[space].n;
    struct picked avoid = { NULL, 0 }, denials = { NULL, 0 }, own = { NULL, 0 };
    enum solved s = SOLVED_NONE;

    pick_near(tmp, &avoid, &o->allowed, c, dims, work);
    pick_near(tmp, &own, &o->own, c, dims, work);
    if (!covered(c, &avoid, dims, work) && !covered(c, &own, dims, work)) {
        for (uint32_t i = 0; i < own.n; i++)
            pick(tmp, &avoid, own.v[i]);
        s = ask(space, c, NULL, &avoid, tmp, r, work);
    }
    if (s != SOLVED_NONE)
        return s;
    /* What the parent denies, the child must deny as well, or not allow. */
    pick_near(tmp, &denials, &o->denied, c, dims, work);
    for (uint32_t i = 0; i < denials.n && s == SOLVED_NONE; i++)
        if (!covered(denials.v[i], &own, dims, work))
            s = ask(space, c, denials.v[i], &own, tmp, r, work);
    /* Whoever was not picked for want of work was not compared. */
    return s == SOLVED_NONE && !*work ? SOLVED_TOO_COMPLEX : s;
}

static enum compared space_narrower(enum space_id space, const struct ruleset *child,
                                    const struct ruleset *parent, struct arena *a,
                                    struct witness *w, uint64_t *work)
{
    const struct clauses *cs = &child->space[space];
    enum compared result = COMPARED_WITHIN;
    struct arena whole = ARENA_INIT;
    struct others o;

    others_make(&whole, space, child, parent, &o);
    for (uint32_t i = 0; i < cs->n && result == COMPARED_WITHIN; i++) {
        struct arena tmp = ARENA_INIT;
        enum solved s;

        if (cs->v[i].deny)
            continue;
        s = clause_outside(space, &cs->v[i], &o, &tmp, &w->request, work);
        w->rule = &child->rules[cs->v[i].rule];
        if (s == SOLVED_POINT)
            result = replay(child, parent, a, w);
        else if (s == SOLVED_TOO_COMPLEX)
            result = COMPARED_TOO_COMPLEX;
        arena_fini(&tmp);
    }
    arena_fini(&whole);
    return result;
}

enum compared narrower_in(enum space_id space, const struct ruleset *child,
                          const struct ruleset *parent, struct arena *a, struct witness *w)
{
    uint64_t work = SOLVE_WORK;
    enum compared c = space_narrower(space, child, parent, a, w, &work);

    w->work = SOLVE_WORK - work;
    return c;
}

enum compared narrower(const struct ruleset *child, const struct ruleset *parent, struct arena *a,
                       struct witness *w)
{
    uint64_t work = SOLVE_WORK;
    enum compared c = COMPARED_WITHIN;

    for (unsigned i = 0; i < SPACES && c == COMPARED_WITHIN; i++)
        c = space_narrower(i, child, parent, a, w, &work);
    w->work = SOLVE_WORK - work;
    return c;
}

/* One witness for each rule of `in` that allows what `out` does not. False: too complex. */
static bool differences(const struct ruleset *in, const struct ruleset *out, struct arena *a,
                        struct witness **list, uint32_t *n)
{
    bool sure = true;
    uint64_t work = SOLVE_WORK;

    for (unsigned space = 0; space < SPACES; space++) {
        const struct clauses *cs = &in->space[space];
        struct arena whole = ARENA_INIT;
        struct others o;

        others_make(&whole, space, in, out, &o);
        for (uint32_t i = 0; i < cs->n; i++) {
            struct arena tmp = ARENA_INIT;
            struct witness w = { .rule = &in->rules[cs->v[i].rule] };
            enum solved s = SOLVED_NONE;

            if (!cs->v[i].deny)
                s = clause_outside(space, &cs->v[i], &o, &tmp, &w.request, &work);
            if (s == SOLVED_POINT && replay(in, out, a, &w) == COMPARED_WIDER) {
                *(struct witness *)arena_push(a, (void **)list, *n, sizeof(**list)) = w;
                (*n)++;
            } else if (s != SOLVED_NONE) {
                sure = false;
            }
            arena_fini(&tmp);
        }
        arena_fini(&whole);
    }
    return sure;
}

void policy_diff(const struct ruleset *before, const struct ruleset *after, struct arena *a,
                 struct diff *d)
{
    bool sure;

    *d = (struct diff){ .change = CHANGE_SAME };
    sure = differences(after, before, a, &d->added, &d->nadded);
    sure = differences(before, after, a, &d->removed, &d->nremoved) && sure;
    if (d->nadded && d->nremoved)
        d->change = CHANGE_BOTH;
    else if (!sure)
        d->change = CHANGE_UNKNOWN;
    else if (d->nadded)
        d->change = CHANGE_WIDENS;
    else if (d->nremoved)
        d->change = CHANGE_NARROWS;
}

void witness_print(const struct ruleset *inside, const struct ruleset *outside,
                   const struct witness *w, struct text *out)
{
    point_print(&w->request, out);
    text_add(out, "\n");
    decision_print(inside, &w->request, &w->inside, out);
    decision_print(outside, &w->request, &w->outside, out);
}

static const char *const change_words[] = {
    [CHANGE_SAME] = "same",
    [CHANGE_NARROWS] = "narrows",
    [CHANGE_WIDENS] = "widens",
    [CHANGE_BOTH] = "widens and narrows",
    [CHANGE_UNKNOWN] = "too complex to say",
};

void diff_print(const struct ruleset *before, const struct ruleset *after, const struct diff *d,
                struct text *out)
{
    text_add(out, "%s\n", change_words[d->change]);
    for (uint32_t i = 0; i < d->nadded; i++) {
        text_add(out, "+ ");
        point_print(&d->added[i].request, out);
        text_add(out, "    (%s, ", d->added[i].rule->id);
        policy_place(after->policy, d->added[i].rule->spot, out);
        text_add(out, ")\n");
    }
    for (uint32_t i = 0; i < d->nremoved; i++) {
        text_add(out, "- ");
        point_print(&d->removed[i].request, out);
        text_add(out, "    (%s, ", d->removed[i].rule->id);
        policy_place(before->policy, d->removed[i].rule->spot, out);
        text_add(out, ")\n");
    }
}

static void points_json(const struct witness *w, uint32_t n, struct text *out)
{
    text_add(out, "[");
    for (uint32_t i = 0; i < n; i++) {
        text_add(out, "%s", i ? "," : "");
        point_json(&w[i].request, out);
    }
    text_add(out, "]");
}

void diff_json(const struct diff *d, struct text *out)
{
    text_add(out, "{\"added\":");
    points_json(d->added, d->nadded, out);
    text_add(out, ",\"change\":\"%s\",\"removed\":", change_words[d->change]);
    points_json(d->removed, d->nremoved, out);
    text_add(out, "}");
}
