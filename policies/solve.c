#include "policies/solve.h"

#include <string.h>

/* Dimensions with few and sharp values first: they leave little for the automata to do. */
static const uint8_t rank_of[] = {
    [DIM_ENUM] = 0,     [DIM_WORD] = 1,     [DIM_HOST] = 2,  [DIM_NUM] = 3,
    [DIM_ADDR] = 4,     [DIM_ARGS] = 5,     [DIM_GLOB] = 6,  [DIM_ALL_BITS] = 7,
    [DIM_ALL_WORD] = 8, [DIM_ALL_GLOB] = 9, [DIM_ARGV] = 10,
};

bool clause_within(const struct clause *a, const struct clause *b, uint32_t dims)
{
    for (uint32_t i = 0; i < dims; i++)
        if (!cell_within(a->cell[i], b->cell[i]))
            return false;
    return true;
}

bool clause_disjoint(const struct clause *a, const struct clause *b, uint32_t dims)
{
    for (uint32_t i = 0; i < dims; i++)
        if (cell_disjoint(a->cell[i], b->cell[i]))
            return true;
    return false;
}

/* False at the end of the limit, of which nothing is left then. */
static bool pay(uint64_t *work, uint64_t cost)
{
    *work -= cost < *work ? cost : *work;
    return *work > 0;
}

bool clause_within_paid(const struct clause *a, const struct clause *b, uint32_t dims,
                        uint64_t *work)
{
    for (uint32_t i = 0; i < dims; i++)
        if (!pay(work, cell_looks(a->cell[i], b->cell[i])) || !cell_within(a->cell[i], b->cell[i]))
            return false;
    return true;
}

bool clause_disjoint_paid(const struct clause *a, const struct clause *b, uint32_t dims,
                          uint64_t *work)
{
    for (uint32_t i = 0; i < dims && pay(work, cell_looks(a->cell[i], b->cell[i])); i++)
        if (cell_disjoint(a->cell[i], b->cell[i]))
            return true;
    return false;
}

static bool subset(const struct live *a, const struct live *b, uint32_t words)
{
    uint64_t outside = 0;

    for (uint32_t i = 0; i < words; i++)
        outside |= a->w[i] & ~b->w[i];
    return outside == 0;
}

static bool nobody(const struct live *l, uint32_t words)
{
    uint64_t any = 0;

    for (uint32_t i = 0; i < words; i++)
        any |= l->w[i];
    return any == 0;
}

bool atoms_spend(struct atoms *at, uint64_t work)
{
    at->too_complex = at->too_complex || *at->work < work;
    if (!at->too_complex)
        *at->work -= work;
    return !at->too_complex;
}

void atoms_consider(struct atoms *at, const struct value *v)
{
    const struct question *q = at->q;

    if (at->done || at->too_complex)
        return;
    /* Sets of those who are left are compared word by word. */
    if (!atoms_spend(at, at->cost + (uint64_t)at->n * at->words))
        return;
    for (uint32_t i = 0; i < q->nmust; i++)
        if (!cell_has(q->must[i]->cell[at->dim], v))
            return;

    struct live left = { arena_get(at->arena, at->words * sizeof(*left.w)) };

    for (uint32_t i = 0; i < q->navoid; i++)
        if (live_has(&at->live, i) && cell_has(q->avoid[i]->cell[at->dim], v))
            left.w[i / 64] |= 1ull << (i % 64);
    for (uint32_t i = 0; i < at->n; i++)
        if (subset(&at->v[i].left, &left, at->words))
            return;

    uint32_t kept = 0;

    for (uint32_t i = 0; i < at->n; i++)
        if (!subset(&left, &at->v[i].left, at->words))
            at->v[kept++] = at->v[i];
    /* arena_push grows at powers of two: it is given the length before the removal. */
    if (kept == at->n)
        arena_push(at->arena, (void **)&at->v, at->n, sizeof(*at->v));
    at->v[kept] = (struct atom){ *v, left };
    at->n = kept + 1;
    at->done = nobody(&left, at->words);
}

static void enumerate(struct atoms *at)
{
    switch (spaces[at->q->space].dims[at->dim].type) {
    case DIM_GLOB:
    case DIM_ALL_GLOB: atoms_globs(at); break;
    case DIM_ARGV: atoms_argv(at); break;
    case DIM_ARGS: atoms_args(at); break;
    default: atoms_plain(at); break;
    }
}

/* A way through the first dimensions: the values so far and who is left. */
struct way {
    struct request point;
    struct live left;
};

struct ways {
    struct way *v;
    uint32_t n;
};

static void ways_add(struct arena *a, struct ways *ws, const struct way *w, uint32_t words)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < ws->n; i++)
        if (subset(&ws->v[i].left, &w->left, words))
            return;
    for (uint32_t i = 0; i < ws->n; i++)
        if (!subset(&w->left, &ws->v[i].left, words))
            ws->v[kept++] = ws->v[i];
    if (kept == ws->n)
        arena_push(a, (void **)&ws->v, ws->n, sizeof(*ws->v));
    ws->v[kept] = *w;
    ws->n = kept + 1;
}

/* Does someone who is left have all that the musts have in the dimensions to come? */
static bool hopeless(const struct question *q, const struct live *left, const uint8_t *order,
                     uint32_t from, uint32_t dims, uint64_t *work)
{
    for (uint32_t i = 0; i < q->navoid; i++) {
        bool covers = live_has(left, i);

        for (uint32_t k = from; k < dims && covers; k++) {
            const struct cell *c = q->avoid[i]->cell[order[k]];

            covers = !c;
            for (uint32_t m = 0; m < q->nmust && !covers; m++)
                covers = pay(work, cell_looks(q->must[m]->cell[order[k]], c)) &&
                         cell_within(q->must[m]->cell[order[k]], c);
        }
        if (covers)
            return true;
    }
    return false;
}

static void order_dims(enum space_id space, uint8_t order[DIMS_MAX])
{
    const struct space *s = &spaces[space];

    for (uint8_t i = 0; i < s->n; i++) {
        uint8_t k = i;

        for (; k > 0 && rank_of[s->dims[order[k - 1]].type] > rank_of[s->dims[i].type]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
}

/* Only those whom a point of the musts could be in at all. False: the musts have no point. */
static bool relevant(struct arena *a, const struct question *q, struct question *out)
{
    uint64_t *work = q->work;
    uint32_t dims = spaces[q->space].n;
    const struct clause **avoid = arena_get(a, (q->navoid + 1) * sizeof(void *));

    *out = *q;
    out->avoid = avoid;
    out->navoid = 0;
    for (uint32_t i = 0; i < q->nmust; i++)
        for (uint32_t k = 0; k < i; k++)
            if (clause_disjoint_paid(q->must[i], q->must[k], dims, work))
                return false;
    for (uint32_t i = 0; i < q->navoid; i++) {
        bool apart = false;

        for (uint32_t m = 0; m < q->nmust && !apart; m++)
            apart = clause_disjoint_paid(q->must[m], q->avoid[i], dims, work);
        if (!apart)
            avoid[out->navoid++] = q->avoid[i];
    }
    return true;
}

static uint64_t cost_of(const struct question *q, unsigned dim)
{
    uint64_t cost = 1;

    for (uint32_t i = 0; i < q->nmust; i++)
        cost += cell_size(q->must[i]->cell[dim]);
    for (uint32_t i = 0; i < q->navoid; i++)
        cost += cell_size(q->avoid[i]->cell[dim]);
    return cost;
}

static enum solved walk(const struct question *q, struct arena *a, struct request *point)
{
    uint32_t dims = spaces[q->space].n, words = q->navoid / 64 + 1;
    uint8_t order[DIMS_MAX];
    struct ways now = { NULL, 0 };
    struct way first;
    uint64_t *work = q->work;

    order_dims(q->space, order);
    request_init(&first.point, q->space);
    first.left.w = arena_get(a, words * sizeof(*first.left.w));
    for (uint32_t i = 0; i < q->navoid; i++)
        first.left.w[i / 64] |= 1ull << (i % 64);
    ways_add(a, &now, &first, words);
    for (uint32_t k = 0; k < dims; k++) {
        struct ways next = { NULL, 0 };

        for (uint32_t i = 0; i < now.n; i++) {
            struct atoms at = { .arena = a,
                                .q = q,
                                .dim = order[k],
                                .live = now.v[i].left,
                                .words = words,
                                .cost = cost_of(q, order[k]),
                                .work = work };

            if (hopeless(q, &now.v[i].left, order, k, dims, work))
                continue;
            enumerate(&at);
            if (at.too_complex || !pay(work, (uint64_t)at.n * (next.n + 1) * words))
                return SOLVED_TOO_COMPLEX;
            for (uint32_t m = 0; m < at.n; m++) {
                struct way w = { now.v[i].point, at.v[m].left };

                w.point.v[order[k]] = at.v[m].value;
                ways_add(a, &next, &w, words);
            }
        }
        now = next;
    }
    for (uint32_t i = 0; i < now.n; i++) {
        if (nobody(&now.v[i].left, words)) {
            *point = now.v[i].point;
            return SOLVED_POINT;
        }
    }
    return SOLVED_NONE;
}

enum solved solve(const struct question *q, struct arena *a, struct request *point)
{
    struct question whole = *q, less;
    uint64_t own = SOLVE_WORK;

    if (!whole.work)
        whole.work = &own;
    if (!relevant(a, &whole, &less))
        return SOLVED_NONE;
    return *whole.work ? walk(&less, a, point) : SOLVED_TOO_COMPLEX;
}
