/*
 * atoms_argv.c - argument lists: the product of the patterns' automata over arguments, where
 * finitely many strings stand for all; and named arguments, name by name.
 */
#include "policies/solve.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_texts(struct texts *t)
{
    uint32_t n = 0;

    if (t->n)
        qsort(t->v, t->n, sizeof(*t->v), by_text);
    for (uint32_t i = 0; i < t->n; i++)
        if (!n || strcmp(t->v[n - 1], t->v[i]) != 0)
            t->v[n++] = t->v[i];
    t->n = n;
}

static void add_text(struct arena *a, struct texts *t, const char *s)
{
    arena_push(a, (void **)&t->v, t->n, sizeof(*t->v));
    t->v[t->n++] = s;
}

static bool pay(uint64_t *work, uint64_t cost)
{
    *work -= cost < *work ? cost : *work;
    return *work > 0;
}

/* A byte with which no known text goes on after this prefix; 0 when there is none. */
static unsigned char fresh_byte(const struct texts *known, const char *prefix, uint64_t *work)
{
    static const char pleasant[] =
        "xyzabcdefghijklmnopqrstuvwABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    bool used[256] = { false };
    size_t n = strlen(prefix);
    uint32_t lo = 0, hi = known->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (strncmp(known->v[mid], prefix, n) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < known->n && strncmp(known->v[lo], prefix, n) == 0; lo++) {
        used[(unsigned char)known->v[lo][n]] = true;
        if (!pay(work, 1))
            return 0;
    }
    for (size_t i = 0; pleasant[i]; i++)
        if (!used[(unsigned char)pleasant[i]])
            return (unsigned char)pleasant[i];
    for (unsigned c = 1; c < 256; c++)
        if (!used[c])
            return (unsigned char)c;
    return 0;
}

static int by_length(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* One byte longer than each token allows. */
static uint32_t lengths_of(const struct token *const *tokens, uint32_t n, uint32_t *lengths)
{
    uint32_t all = 0, kept = 0;

    for (uint32_t i = 0; i < n; i++)
        if (tokens[i]->kind != TOKEN_WORDS)
            lengths[all++] = tokens[i]->max + 1;
    qsort(lengths, all, sizeof(*lengths), by_length);
    for (uint32_t i = 0; i < all; i++)
        if (!kept || lengths[kept - 1] != lengths[i])
            lengths[kept++] = lengths[i];
    return kept;
}

/* The prefix, then one byte that leaves all known texts, up to len bytes. */
static const char *leaving(struct arena *a, const char *prefix, unsigned char c, size_t len)
{
    size_t n = strlen(prefix);
    char *s = arena_get(a, len + 1);

    memset(s, c, len);
    for (size_t i = 0; i < n && i < len; i++)
        s[i] = prefix[i];
    return s;
}

bool token_values(struct arena *a, const struct token *const *tokens, uint32_t n, uint64_t *work,
                  struct texts *out)
{
    struct texts known = { NULL, 0 }, prefixes = { NULL, 0 };
    uint32_t *lengths = arena_get(a, (n + 1) * sizeof(*lengths)), nlengths;

    add_text(a, &prefixes, "");
    for (uint32_t i = 0; i < n; i++) {
        if (!pay(work, 8ull * tokens[i]->words.n + 8))
            return false;
        for (uint32_t k = 0; k < tokens[i]->words.n; k++)
            add_text(a, &known, tokens[i]->words.v[k]);
        if (tokens[i]->kind == TOKEN_PREFIX)
            add_text(a, &prefixes, tokens[i]->words.v[0]);
    }
    sort_texts(&known);
    sort_texts(&prefixes);
    nlengths = lengths_of(tokens, n, lengths);
    for (uint32_t p = 0; p < prefixes.n; p++) {
        size_t len = strlen(prefixes.v[p]);
        unsigned char c = fresh_byte(&known, prefixes.v[p], work);

        if (c)
            add_text(a, out, leaving(a, prefixes.v[p], c, len + 1));
        for (uint32_t i = 0; c && i < nlengths; i++) {
            if (lengths[i] <= len + 1)
                continue;
            if (!pay(work, 16 + lengths[i] / 16))
                return false;
            add_text(a, out, leaving(a, prefixes.v[p], c, lengths[i]));
        }
    }
    for (uint32_t i = 0; i < known.n; i++)
        add_text(a, out, known.v[i]);
    return *work > 0;
}

struct automaton {
    const struct argv_pattern *p;
    uint32_t *base; /* first state of each token, and the end */
    uint32_t first; /* its first word in the product's set */
    uint32_t words;
    bool anywhere;
};

struct side {
    uint32_t first, npos, nneg;
    bool must;
};

struct state {
    uint32_t from, depth, value;
};

struct product {
    struct arena *arena;
    struct automaton *m;
    uint32_t nm;
    struct side *sides;
    uint32_t nsides;
    struct texts values;
    uint32_t words;
    uint64_t cost; /* of a step of all automata */
    struct state *states;
    uint64_t **sets;
    uint32_t nstates;
    uint32_t *table;
    uint32_t mask;
};

static void add_automata(struct product *p, const struct argvs *list, bool anywhere)
{
    for (uint32_t i = 0; i < list->n; i++) {
        struct automaton *m = arena_push(p->arena, (void **)&p->m, p->nm, sizeof(*p->m));
        uint32_t at = 0;

        m->p = &list->v[i];
        m->anywhere = anywhere;
        m->base = arena_get(p->arena, (m->p->n + 1) * sizeof(*m->base));
        for (uint32_t k = 0; k < m->p->n; k++) {
            m->base[k] = at;
            at += m->p->v[k].kind == TOKEN_ANY ? m->p->v[k].hi + 1 : 1;
        }
        m->base[m->p->n] = at;
        m->first = p->words;
        m->words = at / 64 + 1;
        p->words += m->words;
        p->nm++;
    }
}

static void add_side(struct product *p, const struct cell *c, bool must)
{
    struct side *s = arena_push(p->arena, (void **)&p->sides, p->nsides, sizeof(*p->sides));

    *s = (struct side){ p->nm, c->argv.pos.n, c->argv.neg.n, must };
    p->nsides++;
    add_automata(p, &c->argv.pos, false);
    add_automata(p, &c->argv.neg, true);
}

/* Marks a state and what is reached from it without an argument. */
static void reach(const struct automaton *m, uint64_t *set, uint32_t token, uint32_t count)
{
    for (;;) {
        uint32_t s = m->base[token] + count;

        set[s / 64] |= 1ull << (s % 64);
        if (token == m->p->n || m->p->v[token].kind != TOKEN_ANY || count < m->p->v[token].lo)
            return;
        token++;
        count = 0;
    }
}

static bool bit(const uint64_t *set, uint32_t i)
{
    return set[i / 64] >> (i % 64) & 1;
}

static void step(const struct automaton *m, const uint64_t *from, const char *arg, uint64_t *to)
{
    size_t len = strlen(arg);

    memset(to, 0, m->words * sizeof(*to));
    for (uint32_t t = 0; t < m->p->n; t++) {
        const struct token *k = &m->p->v[t];
        uint32_t n = k->kind == TOKEN_ANY ? k->hi : 1;

        if (!token_matches(k, arg, len))
            continue;
        for (uint32_t c = 0; c < n; c++) {
            if (!bit(from, m->base[t] + c))
                continue;
            if (k->kind == TOKEN_ANY)
                reach(m, to, t, c + 1);
            else
                reach(m, to, t + 1, 0);
        }
    }
    if (m->anywhere) {
        reach(m, to, 0, 0);
        if (bit(from, m->base[m->p->n]))
            reach(m, to, m->p->n, 0);
    }
}

static bool ended(const struct product *p, const uint64_t *set, uint32_t first, uint32_t n)
{
    for (uint32_t i = first; i < first + n; i++)
        if (bit(set + p->m[i].first, p->m[i].base[p->m[i].p->n]))
            return true;
    return false;
}

static bool side_has(const struct product *p, const uint64_t *set, const struct side *s)
{
    return ended(p, set, s->first, s->npos) && !ended(p, set, s->first + s->npos, s->nneg);
}

static bool hopeful(const struct product *p, const uint64_t *set)
{
    for (uint32_t i = 0; i < p->nsides; i++) {
        const struct side *s = &p->sides[i];
        uint64_t any = 0;

        if (!s->must)
            continue;
        for (uint32_t k = s->first; k < s->first + s->npos; k++)
            for (uint32_t w = 0; w < p->m[k].words; w++)
                any |= set[p->m[k].first + w];
        /* What a must's denial has seen, it does not forget. */
        if (!any || ended(p, set, s->first + s->npos, s->nneg))
            return false;
    }
    return true;
}

#define TABLE_FIRST 64u

static uint32_t hash_set(const struct product *p, const uint64_t *set)
{
    uint64_t h = 0x9e3779b97f4a7c15ull;

    for (uint32_t i = 0; i < p->words; i++) {
        h = (h ^ set[i]) * 0xff51afd7ed558ccdull;
        h ^= h >> 32;
    }
    return (uint32_t)h;
}

static void grow(struct product *p)
{
    uint32_t size = (p->mask + 1) * 4;

    p->table = arena_get(p->arena, size * sizeof(*p->table));
    p->mask = size - 1;
    for (uint32_t k = 0; k < p->nstates; k++) {
        uint32_t i = hash_set(p, p->sets[k]) & p->mask;

        while (p->table[i])
            i = (i + 1) & p->mask;
        p->table[i] = k + 1;
    }
}

static bool push(struct product *p, const uint64_t *set, struct state s)
{
    uint32_t i;

    if (p->nstates * 2 > p->mask)
        grow(p);
    i = hash_set(p, set) & p->mask;
    for (; p->table[i] && p->sets; i = (i + 1) & p->mask)
        if (memcmp(p->sets[p->table[i] - 1], set, p->words * sizeof(*set)) == 0)
            return true;
    if (p->nstates >= SOLVE_STATES)
        return false;
    p->table[i] = p->nstates + 1;

    uint64_t *copy = arena_get(p->arena, p->words * sizeof(*copy) + 8);

    memcpy(copy, set, p->words * sizeof(*copy));
    *(uint64_t **)arena_push(p->arena, (void **)&p->sets, p->nstates, sizeof(*p->sets)) = copy;
    *(struct state *)arena_push(p->arena, (void **)&p->states, p->nstates, sizeof(*p->states)) = s;
    p->nstates++;
    return true;
}

static void consider(struct product *p, struct atoms *at, uint32_t state)
{
    const char **list = arena_get(p->arena, (p->states[state].depth + 1) * sizeof(*list));

    for (uint32_t i = 0; i < p->nsides; i++)
        if (p->sides[i].must && !side_has(p, p->sets[state], &p->sides[i]))
            return;
    for (uint32_t i = state; p->states[i].depth; i = p->states[i].from)
        list[p->states[i].depth - 1] = p->values.v[p->states[i].value];

    struct value v = { .present = true, .list = { list, p->states[state].depth } };

    atoms_consider(at, &v);
}

static void explore(struct product *p, struct atoms *at)
{
    uint64_t *next = arena_get(p->arena, (p->words + 1) * sizeof(*next));

    p->mask = TABLE_FIRST - 1;
    p->table = arena_get(p->arena, TABLE_FIRST * sizeof(*p->table));
    for (uint32_t i = 0; i < p->nm; i++)
        reach(&p->m[i], next + p->m[i].first, 0, 0);
    at->too_complex = !push(p, next, (struct state){ 0, 0, 0 });
    for (uint32_t s = 0; s < p->nstates && !at->done && !at->too_complex; s++) {
        consider(p, at, s);
        for (uint32_t v = 0; v < p->values.n && p->states[s].depth < ARGV_MAX && !at->too_complex;
             v++) {
            if (!atoms_spend(at, p->cost))
                break;
            for (uint32_t i = 0; i < p->nm; i++)
                step(&p->m[i], p->sets[s] + p->m[i].first, p->values.v[v], next + p->m[i].first);
            if ((hopeful(p, next) &&
                 !push(p, next, (struct state){ s, p->states[s].depth + 1, v })))
                at->too_complex = true;
        }
    }
}

void atoms_argv(struct atoms *at)
{
    struct product p = { .arena = at->arena };
    const struct token **tokens = NULL;
    uint32_t n = 0;

    for (uint32_t i = 0; i < at->q->nmust; i++)
        if (at->q->must[i]->cell[at->dim])
            add_side(&p, at->q->must[i]->cell[at->dim], true);
    for (uint32_t i = 0; i < at->q->navoid; i++)
        if (live_has(&at->live, i) && at->q->avoid[i]->cell[at->dim])
            add_side(&p, at->q->avoid[i]->cell[at->dim], false);
    for (uint32_t i = 0; i < p.nm; i++) {
        for (uint32_t k = 0; k < p.m[i].p->n; k++) {
            *(const struct token **)arena_push(p.arena, (void **)&tokens, n, sizeof(void *)) =
                &p.m[i].p->v[k];
            n++;
        }
    }
    p.cost = 64u * (uint64_t)p.words + 16u * (uint64_t)n + 1;
    if (token_values(p.arena, tokens, n, at->work, &p.values))
        explore(&p, at);
    else
        at->too_complex = true;
}
