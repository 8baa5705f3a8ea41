#include "policies/near.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY UINT32_MAX

/* The bytes are in the order in which fronts are compared; a name's are reversed. */
struct front {
    const char *s;
    uint32_t len;
    uint32_t clause;
    uint32_t above; /* the nearest one before it that is a beginning of it; or NOBODY */
};

struct fronts {
    struct front *v;
    uint32_t n;
};

static void add(struct arena *a, struct fronts *f, uint32_t clause, const char *s, size_t len)
{
    *(struct front *)arena_push(a, (void **)&f->v, f->n, sizeof(*f->v)) =
        (struct front){ s, (uint32_t)len, clause, NOBODY };
    f->n++;
}

static const char *backwards(struct arena *a, const char *s, size_t len)
{
    char *r = arena_get(a, len + 1);

    for (size_t i = 0; i < len; i++)
        r[i] = s[len - 1 - i];
    return r;
}

static const char *literal_front(struct arena *a, const struct glob *g)
{
    char *s = arena_get(a, g->prefix + 1u);

    for (uint16_t i = 0; i < g->prefix; i++)
        s[i] = (char)g->items[i];
    return s;
}

/* False: the cell is not known by its front, every clause is near. As keys_of in index.c. */
static bool fronts_of(struct arena *a, const struct cell *c, uint32_t clause, struct fronts *out)
{
    if (!c || c->absent_ok)
        return false;
    switch (c->type) {
    case DIM_WORD:
        for (uint32_t i = 0; i < c->words.n; i++)
            add(a, out, clause, c->words.v[i], strlen(c->words.v[i]));
        return true;
    case DIM_HOST:
        for (uint32_t i = 0; i < c->hosts.n; i++) {
            const struct host_pattern *h = &c->hosts.v[i];

            add(a, out, clause, backwards(a, h->name, h->len), h->len);
        }
        return true;
    case DIM_GLOB:
        for (uint32_t i = 0; i < c->globs.pos.n; i++) {
            const struct glob *g = &c->globs.pos.v[i];

            add(a, out, clause, literal_front(a, g), g->prefix);
        }
        return true;
    default: return false;
    }
}

/* Bytewise; what is a beginning of another comes first. */
static int by_bytes(const void *x, const void *y)
{
    const struct front *a = x, *b = y;
    int d = memcmp(a->s, b->s, a->len < b->len ? a->len : b->len);

    return d ? d : a->len < b->len ? -1 : a->len > b->len;
}

static bool begins(const struct front *f, const struct front *with)
{
    return f->len >= with->len && memcmp(f->s, with->s, with->len) == 0;
}

void near_make(struct arena *a, const struct clauses *cs, bool deny, struct near *out)
{
    struct fronts f = { NULL, 0 };

    *out = (struct near){ .clauses = cs, .deny = deny, .words = cs->n / 64 + 1 };
    out->always = arena_get(a, out->words * sizeof(*out->always));
    out->found = arena_get(a, out->words * sizeof(*out->found));
    for (uint32_t i = 0; i < cs->n; i++)
        if (cs->v[i].deny == deny && !fronts_of(a, cs->v[i].cell[0], i, &f))
            out->always[i / 64] |= 1ull << (i % 64);
    if (f.n)
        qsort(f.v, f.n, sizeof(*f.v), by_bytes);
    for (uint32_t i = 1; i < f.n; i++) {
        uint32_t k = i - 1;

        while (k != NOBODY && !begins(&f.v[i], &f.v[k]))
            k = f.v[k].above;
        f.v[i].above = k;
    }
    out->v = f.v;
    out->n = f.n;
}

static void take(struct near *n, uint32_t clause)
{
    n->found[clause / 64] |= 1ull << (clause % 64);
}

/* The first that is not before f. */
static uint32_t place_of(const struct near *n, const struct front *f)
{
    uint32_t lo = 0, hi = n->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (by_bytes(&n->v[mid], f) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool pay(uint64_t *work)
{
    *work -= *work > 0;
    return *work > 0;
}

static void find_one(struct near *n, const struct front *f, uint64_t *work)
{
    uint32_t place = place_of(n, f);

    /* Whoever stands between f and a beginning of f has that beginning as well. */
    for (uint32_t k = place ? place - 1 : NOBODY; k != NOBODY && pay(work); k = n->v[k].above)
        if (begins(f, &n->v[k]))
            take(n, n->v[k].clause);
    for (uint32_t k = place; k < n->n && begins(&n->v[k], f) && pay(work); k++)
        take(n, n->v[k].clause);
}

void near_find(struct near *n, const struct clause *c, struct arena *tmp, uint64_t *work)
{
    struct fronts f = { NULL, 0 };

    memcpy(n->found, n->always, n->words * sizeof(*n->found));
    if (!fronts_of(tmp, c->cell[0], 0, &f)) {
        for (uint32_t i = 0; i < n->clauses->n && pay(work); i++)
            if (n->clauses->v[i].deny == n->deny)
                take(n, i);
        return;
    }
    for (uint32_t i = 0; i < f.n; i++)
        find_one(n, &f.v[i], work);
}
