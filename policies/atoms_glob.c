/*
 * atoms_glob.c - paths and names: the product of the patterns' automata over bytes, breadth first,
 * so that every witness is a shortest one. Bytes that no pattern names are one letter.
 */
#include "policies/solve.h"

#include <string.h>

/* Canonical values only: a small automaton walks beside the patterns. */
enum shape {
    SHAPE_START,
    SHAPE_SLASH, /* behind a slash */
    SHAPE_DOT,   /* "." so far in this segment */
    SHAPE_DOTS,  /* ".." */
    SHAPE_IN,    /* inside a segment, or a name */
    SHAPE_DEAD,
};

static enum shape shape_next(enum glob_kind kind, enum shape s, unsigned char c)
{
    if (kind == GLOB_NAME || kind == GLOB_ENV)
        return SHAPE_IN;
    if (kind == GLOB_HTTP && strchr("\\%?#", c) && c)
        return SHAPE_DEAD;
    if (s == SHAPE_START)
        return c == '/' ? SHAPE_SLASH : SHAPE_DEAD;
    if (c == '/')
        return s == SHAPE_IN ? SHAPE_SLASH : SHAPE_DEAD;
    if (c == '.' && s == SHAPE_SLASH)
        return SHAPE_DOT;
    if (c == '.' && s == SHAPE_DOT)
        return SHAPE_DOTS;
    return SHAPE_IN;
}

static bool shape_ends(enum glob_kind kind, enum shape s, bool root)
{
    return s == SHAPE_IN || (s == SHAPE_SLASH && (kind == GLOB_HTTP || root));
}

struct side {
    const struct cell *cell;
    uint32_t first, npos, nneg; /* its automata in the product */
    bool must;
};

struct state {
    uint32_t from;
    uint16_t depth;
    uint8_t byte, shape;
};

struct product {
    struct arena *arena;
    struct atoms *at;
    uint64_t items; /* of all patterns: what one move costs */
    enum glob_kind kind;
    const struct glob **globs;
    uint32_t nglobs;
    struct side *sides;
    uint32_t nsides;
    unsigned char letters[260];
    uint32_t nletters;
    struct state *states;
    uint64_t **sets; /* one a state: nglobs x GLOB_REACH_WORDS */
    uint32_t nstates;
    uint32_t *table; /* hash of states, index + 1; at most half full */
    uint32_t mask;
};

static bool fits(const struct product *p, const struct glob *g)
{
    /* A pattern whose literal front differs from every must's front cannot matter. */
    for (uint32_t i = 0; i < p->nsides; i++) {
        bool any = false;

        if (!p->sides[i].must)
            continue;
        for (uint32_t k = 0; k < p->sides[i].cell->globs.pos.n && !any; k++) {
            const struct glob *m = &p->sides[i].cell->globs.pos.v[k];
            uint16_t n = g->prefix < m->prefix ? g->prefix : m->prefix;

            any = memcmp(g->items, m->items, n * sizeof(*g->items)) == 0;
        }
        if (!any)
            return false;
    }
    return true;
}

static void add_globs(struct product *p, const struct globs *g, uint32_t *n)
{
    for (uint32_t i = 0; i < g->n; i++) {
        if (!fits(p, &g->v[i]))
            continue;
        *(const struct glob **)arena_push(p->arena, (void **)&p->globs, p->nglobs, sizeof(void *)) =
            &g->v[i];
        p->nglobs++;
        p->items += g->v[i].n + 1u;
        (*n)++;
    }
}

static void add_side(struct product *p, const struct cell *c, bool must)
{
    struct side *s = arena_push(p->arena, (void **)&p->sides, p->nsides, sizeof(*p->sides));

    *s = (struct side){ .cell = c, .must = must };
    p->nsides++;
}

static void letters(struct product *p)
{
    static const char pleasant[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+,=@~";
    bool used[256] = { false };
    unsigned other = 0;

    used['/'] = p->kind == GLOB_PATH || p->kind == GLOB_HTTP;
    for (uint32_t i = 0; i < p->nglobs; i++)
        for (uint16_t k = 0; k < p->globs[i]->n; k++)
            if (p->globs[i]->items[k] < 256)
                used[p->globs[i]->items[k]] = true;
    for (size_t i = 0; pleasant[i] && !other; i++)
        if (!used[(unsigned char)pleasant[i]])
            other = (unsigned char)pleasant[i];
    for (unsigned c = 0x80; c < 0x100 && !other; c++)
        if (!used[c])
            other = c;
    if (other)
        p->letters[p->nletters++] = (unsigned char)other;
    for (unsigned c = 0x20; c < 0x100; c++)
        if (used[c] && c != 0x7f)
            p->letters[p->nletters++] = (unsigned char)c;
}

static uint64_t hash_state(const uint64_t *set, size_t words, uint8_t shape)
{
    uint64_t h = 0x9e3779b97f4a7c15ull ^ shape;

    for (size_t i = 0; i < words; i++) {
        h = (h ^ set[i]) * 0xff51afd7ed558ccdull;
        h ^= h >> 32;
    }
    return h;
}

#define TABLE_FIRST 64u

static void grow(struct product *p, size_t words)
{
    uint32_t size = (p->mask + 1) * 4;

    p->table = arena_get(p->arena, size * sizeof(*p->table));
    p->mask = size - 1;
    for (uint32_t k = 0; k < p->nstates; k++) {
        uint32_t i = (uint32_t)hash_state(p->sets[k], words, p->states[k].shape) & p->mask;

        while (p->table[i])
            i = (i + 1) & p->mask;
        p->table[i] = k + 1;
    }
}

/* Adds a state unless it is known. False at the limit. */
static bool push(struct product *p, const uint64_t *set, struct state s)
{
    size_t words = (size_t)p->nglobs * GLOB_REACH_WORDS;
    uint32_t i;

    if (p->nstates * 2 > p->mask)
        grow(p, words);
    i = (uint32_t)hash_state(set, words, s.shape) & p->mask;

    for (; p->table[i]; i = (i + 1) & p->mask) {
        uint32_t k = p->table[i] - 1;

        if (p->states[k].shape == s.shape &&
            (words == 0 || memcmp(p->sets[k], set, words * sizeof(*set)) == 0))
            return true;
    }
    if (p->nstates >= SOLVE_STATES)
        return false;
    p->table[i] = p->nstates + 1;

    uint64_t *copy = arena_get(p->arena, words * sizeof(*copy) + 8);

    if (words)
        memcpy(copy, set, words * sizeof(*copy));
    *(uint64_t **)arena_push(p->arena, (void **)&p->sets, p->nstates, sizeof(*p->sets)) = copy;
    *(struct state *)arena_push(p->arena, (void **)&p->states, p->nstates, sizeof(*p->states)) = s;
    p->nstates++;
    return true;
}

static const uint64_t *set_of(const struct product *p, const uint64_t *set, uint32_t glob)
{
    (void)p;
    return set + (size_t)glob * GLOB_REACH_WORDS;
}

static bool alive(const struct product *p, const uint64_t *set, uint32_t first, uint32_t n)
{
    for (uint32_t i = first; i < first + n; i++)
        for (unsigned k = 0; k < GLOB_REACH_WORDS; k++)
            if (set_of(p, set, i)[k])
                return true;
    return false;
}

/* Can every must still match? */
static bool hopeful(const struct product *p, const uint64_t *set)
{
    for (uint32_t i = 0; i < p->nsides; i++)
        if (p->sides[i].must && !alive(p, set, p->sides[i].first, p->sides[i].npos))
            return false;
    return true;
}

static bool ends(const struct product *p, const uint64_t *set, uint32_t first, uint32_t n)
{
    for (uint32_t i = first; i < first + n; i++) {
        uint16_t end = p->globs[i]->n;

        if (set_of(p, set, i)[end / 64] >> (end % 64) & 1)
            return true;
    }
    return false;
}

static bool side_has(const struct product *p, const uint64_t *set, const struct side *s)
{
    return ends(p, set, s->first, s->npos) && !ends(p, set, s->first + s->npos, s->nneg);
}

static const char *spell(const struct product *p, uint32_t state)
{
    char *s = arena_get(p->arena, p->states[state].depth + 1u);

    for (uint32_t i = state; p->states[i].depth; i = p->states[i].from)
        s[p->states[i].depth - 1] = (char)p->states[i].byte;
    return s;
}

typedef bool found_fn(struct product *p, uint32_t state, void *ctx);

/* Calls found for each new accepting combination; it says whether to go on. False: too complex. */
static bool explore(struct product *p, found_fn *found, void *ctx)
{
    size_t words = (size_t)p->nglobs * GLOB_REACH_WORDS;
    uint64_t *next = arena_get(p->arena, words * sizeof(*next) + 8);

    p->mask = TABLE_FIRST - 1;
    p->table = arena_get(p->arena, TABLE_FIRST * sizeof(*p->table));
    for (uint32_t i = 0; i < p->nglobs; i++)
        glob_start(p->globs[i], next + (size_t)i * GLOB_REACH_WORDS);
    if (!push(p, next, (struct state){ 0, 0, 0, SHAPE_START }))
        return false;
    for (uint32_t at = 0; at < p->nstates; at++) {
        struct state s = p->states[at];
        const uint64_t *set = p->sets[at];

        if (s.depth && shape_ends(p->kind, s.shape, s.depth == 1) && !found(p, at, ctx))
            return true;
        if (s.depth >= PATH_BYTES_MAX - 1)
            continue;
        for (uint32_t k = 0; k < p->nletters; k++) {
            unsigned char c = p->letters[k];
            enum shape shape = shape_next(p->kind, s.shape, c);

            if (shape == SHAPE_DEAD)
                continue;
            if (!atoms_spend(p->at, p->items + 1))
                return false;
            for (uint32_t i = 0; i < p->nglobs; i++)
                glob_step(p->globs[i], set_of(p, set, i), c, next + (size_t)i * GLOB_REACH_WORDS);
            if (hopeful(p, next) &&
                !push(p, next, (struct state){ at, (uint16_t)(s.depth + 1), c, (uint8_t)shape }))
                return false;
        }
    }
    return true;
}

static void collect(struct product *p)
{
    for (uint32_t i = 0; i < p->nsides; i++) {
        struct side *s = &p->sides[i];

        s->first = p->nglobs;
        add_globs(p, &s->cell->globs.pos, &s->npos);
        add_globs(p, &s->cell->globs.neg, &s->nneg);
    }
    letters(p);
}

static bool musts_have(const struct product *p, const uint64_t *set)
{
    for (uint32_t i = 0; i < p->nsides; i++)
        if (p->sides[i].must && !side_has(p, set, &p->sides[i]))
            return false;
    return true;
}

static bool consider_state(struct product *p, uint32_t state, void *ctx)
{
    struct atoms *at = ctx;

    if (!musts_have(p, p->sets[state]))
        return true;

    const char *s = spell(p, state);
    struct value v = { .present = true, .s = s, .len = p->states[state].depth };

    atoms_consider(at, &v);
    return !at->done && !at->too_complex;
}

static struct product product_new(struct atoms *at)
{
    struct product p = { .arena = at->arena,
                         .at = at,
                         .kind = (enum glob_kind)spaces[at->q->space].dims[at->dim].glob };

    for (uint32_t i = 0; i < at->q->nmust; i++)
        if (at->q->must[i]->cell[at->dim])
            add_side(&p, at->q->must[i]->cell[at->dim], true);
    return p;
}

static void one_of_each(struct atoms *at)
{
    struct product p = product_new(at);
    struct value absent = { .present = false };

    atoms_consider(at, &absent);
    for (uint32_t i = 0; i < at->q->navoid; i++)
        if (live_has(&at->live, i) && at->q->avoid[i]->cell[at->dim])
            add_side(&p, at->q->avoid[i]->cell[at->dim], false);
    collect(&p);
    if (!explore(&p, consider_state, at))
        at->too_complex = true;
}

struct lacking {
    const char *s;
};

static bool find_lacking(struct product *p, uint32_t state, void *ctx)
{
    struct lacking *l = ctx;
    const uint64_t *set = p->sets[state];

    if (!musts_have(p, set) || side_has(p, set, &p->sides[p->nsides - 1]))
        return true;
    l->s = spell(p, state);
    return false;
}

static bool in_list(const struct texts *t, const struct cell *c)
{
    struct value v = { .present = true, .list = { t->v, t->n } };

    return cell_has(c, &v);
}

/* The hardest list: for each to be avoided, one member that every must has and it lacks. */
static void hardest_list(struct atoms *at)
{
    struct texts list = { NULL, 0 };

    for (uint32_t i = 0; i < at->q->navoid; i++) {
        const struct cell *c = at->q->avoid[i]->cell[at->dim];
        struct product p = product_new(at);
        struct lacking l = { NULL };
        bool covered = false;

        if (!live_has(&at->live, i) || !c || !in_list(&list, c))
            continue;
        for (uint32_t m = 0; m < at->q->nmust && !covered; m++)
            covered = cell_within(at->q->must[m]->cell[at->dim], c);
        if (covered)
            continue;
        add_side(&p, c, false);
        collect(&p);
        if (!explore(&p, find_lacking, &l)) {
            at->too_complex = true;
            return;
        }
        if (l.s) {
            arena_push(at->arena, (void **)&list.v, list.n, sizeof(*list.v));
            list.v[list.n++] = l.s;
        }
    }

    struct value v = { .present = true, .list = { list.v, list.n } };

    atoms_consider(at, &v);
}

void atoms_globs(struct atoms *at)
{
    if (spaces[at->q->space].dims[at->dim].type == DIM_GLOB)
        one_of_each(at);
    else
        hardest_list(at);
}
