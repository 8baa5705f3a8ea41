#include "policies/cells.h"

#include <string.h>

bool texts_have(const struct texts *t, const char *s)
{
    uint32_t lo = 0, hi = t->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int d = strcmp(t->v[mid], s);

        if (d == 0)
            return true;
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

static bool ranges_have(const struct ranges *r, uint64_t n)
{
    uint32_t lo = 0, hi = r->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (n > r->v[mid].hi)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < r->n && n >= r->v[lo].lo;
}

static bool any_glob(const struct globs *g, const char *s, size_t len)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (glob_matches(&g->v[i], s, len))
            return true;
    return false;
}

static bool glob_has(const struct cell *c, const char *s, size_t len)
{
    return any_glob(&c->globs.pos, s, len) && !any_glob(&c->globs.neg, s, len);
}

static bool argv_has(const struct cell *c, const struct args *args)
{
    bool in = false;

    for (uint32_t i = 0; i < c->argv.pos.n && !in; i++)
        in = argv_matches(&c->argv.pos.v[i], args);
    for (uint32_t i = 0; i < c->argv.neg.n && in; i++)
        in = !argv_contains(&c->argv.neg.v[i], args);
    return in;
}

static bool args_have(const struct matchers *m, const struct args *list)
{
    for (uint32_t i = 0; i < m->n; i++) {
        const char *v = NULL;

        for (uint32_t k = 0; k + 1 < list->n && !v; k += 2)
            if (strcmp(list->v[k], m->v[i].name) == 0)
                v = list->v[k + 1];
        if (!v || !token_matches(&m->v[i].token, v, strlen(v)))
            return false;
    }
    return true;
}

bool cell_has(const struct cell *c, const struct value *v)
{
    if (!c)
        return true;
    if (!v->present)
        return c->absent_ok;
    switch (c->type) {
    case DIM_WORD: return texts_have(&c->words, v->s);
    case DIM_ENUM: return v->n < 64 && (c->bits >> v->n & 1);
    case DIM_NUM: return ranges_have(&c->ranges, v->n);
    case DIM_HOST:
        for (uint32_t i = 0; i < c->hosts.n; i++)
            if (host_matches(&c->hosts.v[i], v->s, v->len))
                return true;
        return false;
    case DIM_GLOB: return glob_has(c, v->s, v->len);
    case DIM_ADDR: return addr_set_has(&c->addrs, &v->addr);
    case DIM_ARGV: return argv_has(c, &v->list);
    case DIM_ARGS: return args_have(&c->args, &v->list);
    case DIM_ALL_GLOB:
        for (uint32_t i = 0; i < v->list.n; i++)
            if (!glob_has(c, v->list.v[i], strlen(v->list.v[i])))
                return false;
        return true;
    case DIM_ALL_WORD:
        for (uint32_t i = 0; i < v->list.n; i++)
            if (!texts_have(&c->words, v->list.v[i]))
                return false;
        return true;
    case DIM_ALL_BITS: return !v->bits || bits_within(v->bits, &c->all);
    }
    return false;
}

/* Sets of intervals are sorted and disjoint: one walk along both. */
static bool ranges_within(const struct ranges *a, const struct ranges *b)
{
    for (uint32_t i = 0, k = 0; i < a->n; i++) {
        while (k < b->n && b->v[k].hi < a->v[i].hi)
            k++;
        if (k == b->n || a->v[i].lo < b->v[k].lo)
            return false;
    }
    return true;
}

static bool ranges_disjoint(const struct ranges *a, const struct ranges *b)
{
    for (uint32_t i = 0, k = 0; i < a->n && k < b->n;) {
        if (a->v[i].hi < b->v[k].lo)
            i++;
        else if (b->v[k].hi < a->v[i].lo)
            k++;
        else
            return false;
    }
    return true;
}

static bool addrs_within(const struct addr_set *a, const struct addr_set *b)
{
    for (uint32_t i = 0, k = 0; i < a->n; i++) {
        while (k < b->n && addr_cmp(&b->v[k].hi, &a->v[i].hi) < 0)
            k++;
        if (k == b->n || addr_cmp(&a->v[i].lo, &b->v[k].lo) < 0)
            return false;
    }
    return true;
}

static bool words_within(const struct texts *a, const struct texts *b)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (!texts_have(b, a->v[i]))
            return false;
    return true;
}

/* The same text, or b is a tree whose root is a literal prefix of a at a slash. */
static bool glob_within(const struct glob *a, const struct glob *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->n == b->n && memcmp(a->items, b->items, a->n * sizeof(*a->items)) == 0)
        return true;
    if (a->literal)
        return glob_matches(b, a->text, strlen(a->text));
    if (!glob_is_tree(b))
        return false;
    return a->prefix >= b->prefix &&
           memcmp(a->items, b->items, b->prefix * sizeof(*b->items)) == 0 && a->n > b->prefix &&
           (a->items[b->prefix] == '/' || a->items[b->prefix] == ITEM_TREE);
}

static bool globs_within(const struct globs *a, const struct globs *b)
{
    for (uint32_t i = 0; i < a->n; i++) {
        bool in = false;

        for (uint32_t k = 0; k < b->n && !in; k++)
            in = glob_within(&a->v[i], &b->v[k]);
        if (!in)
            return false;
    }
    return true;
}

static bool texts_equal(const struct texts *a, const struct texts *b)
{
    return a->n == b->n && words_within(a, b);
}

static bool tokens_equal(const struct token *a, const struct token *b)
{
    return a->kind == b->kind && texts_equal(&a->words, &b->words) &&
           (a->kind == TOKEN_WORDS || a->max == b->max) &&
           (a->kind != TOKEN_ANY || (a->lo == b->lo && a->hi == b->hi));
}

static bool pattern_equal(const struct argv_pattern *a, const struct argv_pattern *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (!tokens_equal(&a->v[i], &b->v[i]))
            return false;
    return true;
}

static bool patterns_within(const struct argvs *a, const struct argvs *b)
{
    for (uint32_t i = 0; i < a->n; i++) {
        bool in = false;

        for (uint32_t k = 0; k < b->n && !in; k++)
            in = pattern_equal(&a->v[i], &b->v[k]);
        if (!in)
            return false;
    }
    return true;
}

/* Each of b's conditions is also one of a's. */
static bool args_within(const struct matchers *a, const struct matchers *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        bool in = false;

        for (uint32_t k = 0; k < a->n && !in; k++)
            in = strcmp(a->v[k].name, b->v[i].name) == 0 &&
                 tokens_equal(&a->v[k].token, &b->v[i].token);
        if (!in)
            return false;
    }
    return true;
}

bool cell_within(const struct cell *a, const struct cell *b)
{
    if (!b || a == b)
        return true;
    if (!a || (a->absent_ok && !b->absent_ok))
        return false;
    switch (a->type) {
    case DIM_WORD:
    case DIM_ALL_WORD: return words_within(&a->words, &b->words);
    case DIM_ENUM: return (a->bits & ~b->bits) == 0;
    case DIM_NUM: return ranges_within(&a->ranges, &b->ranges);
    case DIM_HOST:
        for (uint32_t i = 0; i < a->hosts.n; i++) {
            bool in = false;

            for (uint32_t k = 0; k < b->hosts.n && !in; k++)
                in = host_within(&a->hosts.v[i], &b->hosts.v[k]);
            if (!in)
                return false;
        }
        return true;
    case DIM_GLOB:
    case DIM_ALL_GLOB:
        return globs_within(&a->globs.pos, &b->globs.pos) &&
               globs_within(&b->globs.neg, &a->globs.neg);
    case DIM_ADDR: return addrs_within(&a->addrs, &b->addrs);
    case DIM_ARGV:
        return patterns_within(&a->argv.pos, &b->argv.pos) &&
               patterns_within(&b->argv.neg, &a->argv.neg);
    case DIM_ARGS: return args_within(&a->args, &b->args);
    case DIM_ALL_BITS: return bits_within(&a->all, &b->all);
    }
    return false;
}

/* Literal fronts that differ have no value in common. */
static bool fronts_differ(const struct glob *a, const struct glob *b)
{
    uint16_t n = a->prefix < b->prefix ? a->prefix : b->prefix;

    return memcmp(a->items, b->items, n * sizeof(*a->items)) != 0;
}

bool cell_disjoint(const struct cell *a, const struct cell *b)
{
    if (!a || !b || (a->absent_ok && b->absent_ok))
        return false;
    switch (a->type) {
    case DIM_WORD:
        for (uint32_t i = 0; i < a->words.n; i++)
            if (texts_have(&b->words, a->words.v[i]))
                return false;
        return true;
    case DIM_ENUM: return (a->bits & b->bits) == 0;
    case DIM_NUM: return ranges_disjoint(&a->ranges, &b->ranges);
    case DIM_HOST:
        for (uint32_t i = 0; i < a->hosts.n; i++)
            for (uint32_t k = 0; k < b->hosts.n; k++)
                if (host_overlaps(&a->hosts.v[i], &b->hosts.v[k]))
                    return false;
        return true;
    case DIM_GLOB:
        for (uint32_t i = 0; i < a->globs.pos.n; i++)
            for (uint32_t k = 0; k < b->globs.pos.n; k++)
                if (!fronts_differ(&a->globs.pos.v[i], &b->globs.pos.v[k]))
                    return false;
        return true;
    default: return false; /* lists may be empty */
    }
}

uint64_t cell_size(const struct cell *c)
{
    if (!c)
        return 1;
    switch (c->type) {
    case DIM_WORD:
    case DIM_ALL_WORD: return 1 + c->words.n / 64u;
    case DIM_NUM: return 1 + c->ranges.n / 64u;
    case DIM_ADDR: return 1 + c->addrs.n;
    case DIM_HOST: return 1 + c->hosts.n;
    case DIM_GLOB:
    case DIM_ALL_GLOB: return 1 + 4ull * (c->globs.pos.n + c->globs.neg.n);
    case DIM_ARGV: return 1 + 16ull * (c->argv.pos.n + c->argv.neg.n);
    case DIM_ARGS: return 1 + c->args.n;
    default: return 1;
    }
}

uint64_t cell_looks(const struct cell *a, const struct cell *b)
{
    if (!a || !b || a == b)
        return 1;
    switch (a->type) {
    case DIM_WORD:
    case DIM_ALL_WORD: return 1 + a->words.n;
    case DIM_NUM: return 1 + a->ranges.n + b->ranges.n;
    case DIM_ADDR: return 1 + a->addrs.n + b->addrs.n;
    case DIM_HOST: return 1 + (uint64_t)a->hosts.n * b->hosts.n;
    case DIM_GLOB:
    case DIM_ALL_GLOB:
        return 1 + 2ull * a->globs.pos.n * b->globs.pos.n + 2ull * a->globs.neg.n * b->globs.neg.n;
    case DIM_ARGV:
        return 1 + 4ull * a->argv.pos.n * b->argv.pos.n + 4ull * a->argv.neg.n * b->argv.neg.n;
    case DIM_ARGS: return 1 + 4ull * a->args.n * b->args.n;
    default: return 1;
    }
}
