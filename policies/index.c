/*
 * index.c - finds the clauses that can have a point by its first dimension: a word, a host name
 * (each suffix), a path (each directory above it). Clauses without such a key are always looked at.
 */
#include "policies/ruleset.h"

#include <string.h>

#define FNV_BASIS 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

static uint64_t mix(uint64_t h, unsigned char c)
{
    return (h ^ c) * FNV_PRIME;
}

/* Never 0, which is an empty bucket; kind keeps words, names and wildcards apart. */
static uint64_t finish(uint64_t h, unsigned char kind)
{
    h = mix(h, kind);
    h ^= h >> 29;
    return h ? h : 1;
}

static uint64_t hash_word(const char *s, size_t len)
{
    uint64_t h = FNV_BASIS;

    for (size_t i = 0; i < len; i++)
        h = mix(h, (unsigned char)s[i]);
    return finish(h, 0);
}

/* Backwards, so that the hashes of all suffixes come from one pass. */
static uint64_t hash_host(const char *s, size_t len, unsigned char kind)
{
    uint64_t h = FNV_BASIS;

    for (size_t i = len; i > 0; i--)
        h = mix(h, (unsigned char)s[i - 1]);
    return finish(h, kind);
}

/* The directory that every match of a glob is or is below; "" is the root. */
static size_t glob_dir(const struct glob *g)
{
    size_t n = g->prefix;

    if (g->literal)
        return n;
    if (n < g->n && (g->items[n] == ITEM_TREE || g->items[n] == '/'))
        return n;
    while (n > 0 && g->items[n - 1] != '/')
        n--;
    return n > 0 ? n - 1 : 0;
}

static uint64_t hash_glob(const struct glob *g)
{
    uint64_t h = FNV_BASIS;

    for (size_t i = 0, n = glob_dir(g); i < n; i++)
        h = mix(h, (unsigned char)g->items[i]);
    return finish(h, 0);
}

/* The keys of a clause; 0 when it has none and must always be looked at. */
static uint32_t keys_of(const struct cell *c, uint64_t *keys, uint32_t max)
{
    uint32_t n = 0;

    if (!c || c->absent_ok)
        return 0;
    switch (c->type) {
    case DIM_WORD:
        for (uint32_t i = 0; i < c->words.n && i < max; i++)
            keys[n++] = hash_word(c->words.v[i], strlen(c->words.v[i]));
        return c->words.n <= max ? n : 0;
    case DIM_HOST:
        for (uint32_t i = 0; i < c->hosts.n && i < max; i++)
            keys[n++] = hash_host(c->hosts.v[i].name, c->hosts.v[i].len,
                                  c->hosts.v[i].kind == HOST_EXACT ? 1 : 2);
        return c->hosts.n <= max ? n : 0;
    case DIM_GLOB:
        for (uint32_t i = 0; i < c->globs.pos.n && i < max; i++) {
            if (c->globs.pos.v[i].kind != GLOB_PATH)
                return 0;
            keys[n++] = hash_glob(&c->globs.pos.v[i]);
        }
        return c->globs.pos.n <= max ? n : 0;
    default: return 0;
    }
}

#define KEYS_MAX 64u

static struct bucket *bucket_of(const struct clauses *c, uint64_t hash)
{
    for (uint32_t i = (uint32_t)hash & c->mask;; i = (i + 1) & c->mask)
        if (c->buckets[i].hash == hash || c->buckets[i].hash == 0)
            return &c->buckets[i];
}

/* Counts, then places: two passes over the same keys. */
static void build(struct arena *a, struct clauses *c)
{
    uint64_t keys[KEYS_MAX];
    uint32_t total = 0, size = 4, at = 0;

    c->any_n = 0; /* also when it is made anew, of fewer clauses */
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t n = keys_of(c->v[i].cell[0], keys, KEYS_MAX);

        total += n ? n : 1;
    }
    while (size < total * 2)
        size *= 2;
    c->mask = size - 1;
    c->buckets = arena_get(a, size * sizeof(*c->buckets));
    c->order = arena_get(a, (total + 1) * sizeof(*c->order));
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t n = keys_of(c->v[i].cell[0], keys, KEYS_MAX);

        c->any_n += n == 0;
        for (uint32_t k = 0; k < n; k++) {
            struct bucket *b = bucket_of(c, keys[k]);

            b->hash = keys[k];
            b->n++;
        }
    }
    at = c->any_n;
    for (uint32_t i = 0; i < size; i++) {
        c->buckets[i].first = at;
        at += c->buckets[i].n;
        c->buckets[i].n = 0;
    }
    c->any_n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t n = keys_of(c->v[i].cell[0], keys, KEYS_MAX);

        if (n == 0)
            c->order[c->any_n++] = i;
        for (uint32_t k = 0; k < n; k++) {
            struct bucket *b = bucket_of(c, keys[k]);

            c->order[b->first + b->n++] = i;
        }
    }
}

void index_make(struct ruleset *rs)
{
    for (unsigned i = 0; i < SPACES; i++)
        build(&rs->arena, &rs->space[i]);
}

static uint32_t look(const struct clauses *c, uint64_t hash, struct run *runs, uint32_t n)
{
    const struct bucket *b = bucket_of(c, hash);

    if (b->hash && b->n && n < RUNS_MAX) {
        runs[n] = (struct run){ c->order + b->first, b->n };
        n++;
    }
    return n;
}

uint32_t index_find(const struct clauses *c, const struct request *r, struct run runs[RUNS_MAX])
{
    const struct value *v = &r->v[0];
    uint64_t h = FNV_BASIS;
    uint32_t n = 0;

    if (c->any_n)
        runs[n++] = (struct run){ c->order, c->any_n };
    if (!v->present)
        return n;
    switch (spaces[r->space].dims[0].type) {
    case DIM_WORD: return look(c, hash_word(v->s, v->len), runs, n);
    case DIM_HOST:
        n = look(c, finish(h, 2), runs, n);
        for (size_t i = v->len; i > 0; i--) {
            if (v->s[i - 1] == '.')
                n = look(c, finish(h, 2), runs, n);
            h = mix(h, (unsigned char)v->s[i - 1]);
        }
        return look(c, finish(h, 1), runs, n);
    case DIM_GLOB:
        if (spaces[r->space].dims[0].glob != GLOB_PATH)
            return n;
        for (size_t i = 0; i < v->len; i++) {
            if (v->s[i] == '/')
                n = look(c, finish(h, 0), runs, n);
            h = mix(h, (unsigned char)v->s[i]);
        }
        /* The root alone was looked up as "". */
        return v->len > 1 ? look(c, finish(h, 0), runs, n) : n;
    default: return n;
    }
}
