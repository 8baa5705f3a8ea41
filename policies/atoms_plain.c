/* atoms_plain.c - dimensions whose values are picked directly: words, numbers, names, addresses,
 * sets. */
#include "policies/solve.h"
#include "policies/words.h"

#include <stdio.h>
#include <string.h>

typedef void each_fn(struct atoms *at, const struct cell *c, void *ctx);

/* Every cell that matters here: the musts', and those of whom is to be avoided. */
static void each_cell(struct atoms *at, each_fn *fn, void *ctx)
{
    for (uint32_t i = 0; i < at->q->nmust; i++)
        if (at->q->must[i]->cell[at->dim])
            fn(at, at->q->must[i]->cell[at->dim], ctx);
    for (uint32_t i = 0; i < at->q->navoid; i++)
        if (live_has(&at->live, i) && at->q->avoid[i]->cell[at->dim])
            fn(at, at->q->avoid[i]->cell[at->dim], ctx);
}

static const struct cell *first_must(const struct atoms *at)
{
    for (uint32_t i = 0; i < at->q->nmust; i++)
        if (at->q->must[i]->cell[at->dim])
            return at->q->must[i]->cell[at->dim];
    return NULL;
}

static void consider_text(struct atoms *at, const char *s)
{
    struct value v = { .present = true, .s = s, .len = strlen(s) };

    atoms_consider(at, &v);
}

static void consider_number(struct atoms *at, uint64_t n)
{
    struct value v = { .present = true, .n = n };

    if (n <= NUMBER_MAX)
        atoms_consider(at, &v);
}

static void consider_absent(struct atoms *at)
{
    struct value v = { .present = false };

    atoms_consider(at, &v);
}

static void word_cell(struct atoms *at, const struct cell *c, void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < c->words.n; i++)
        consider_text(at, c->words.v[i]);
}

static void longest_word(struct atoms *at, const struct cell *c, void *ctx)
{
    size_t *n = ctx;

    (void)at;
    for (uint32_t i = 0; i < c->words.n; i++)
        if (strlen(c->words.v[i]) > *n)
            *n = strlen(c->words.v[i]);
}

static void words(struct atoms *at)
{
    const struct cell *must = first_must(at);

    consider_absent(at);
    if (must) {
        word_cell(at, must, NULL);
        return;
    }
    each_cell(at, word_cell, NULL);

    /* One that is longer than all others is none of them. */
    size_t n = 4;

    each_cell(at, longest_word, &n);

    char *other = arena_get(at->arena, n + 2);

    memset(other, 'x', n + 1);
    consider_text(at, other);
}

static void enums(struct atoms *at)
{
    const struct dim *d = &spaces[at->q->space].dims[at->dim];

    for (uint64_t i = 0; i < words_count(d->words); i++)
        consider_number(at, i);
    if (d->def < 0)
        consider_absent(at);
}

static void number_cell(struct atoms *at, const struct cell *c, void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < c->ranges.n; i++) {
        consider_number(at, c->ranges.v[i].lo);
        if (c->ranges.v[i].hi < UINT64_MAX)
            consider_number(at, c->ranges.v[i].hi + 1);
    }
}

/* Between two neighbouring ends of intervals nothing changes. */
static void numbers(struct atoms *at)
{
    consider_number(at, 0);
    each_cell(at, number_cell, NULL);
}

static void consider_addr(struct atoms *at, struct addr a)
{
    struct value v = { .present = true, .addr = a };

    if (a.family == 4 && (a.hi || a.lo >> 32))
        return;
    atoms_consider(at, &v);
}

static void addr_cell(struct atoms *at, const struct cell *c, void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < c->addrs.n; i++) {
        struct addr past = c->addrs.v[i].hi;

        past.lo++;
        past.hi += past.lo == 0;
        consider_addr(at, c->addrs.v[i].lo);
        if (past.lo || past.hi)
            consider_addr(at, past);
    }
}

static void addrs(struct atoms *at)
{
    consider_absent(at);
    consider_addr(at, (struct addr){ 4, 0, 0 });
    consider_addr(at, (struct addr){ 6, 0, 0 });
    each_cell(at, addr_cell, NULL);
}

struct fresh {
    char label[16];
    bool taken;
};

static void label_taken(struct atoms *at, const struct cell *c, void *ctx)
{
    struct fresh *f = ctx;
    size_t n = strlen(f->label);

    (void)at;
    for (uint32_t i = 0; i < c->hosts.n && !f->taken; i++)
        for (const char *p = c->hosts.v[i].name; *p && !f->taken;) {
            size_t len = strcspn(p, ".");

            f->taken = len == n && strncmp(p, f->label, n) == 0;
            p += len + (p[len] == '.');
        }
}

static void consider_host(struct atoms *at, const char *name)
{
    if (host_is_canonical(name, strlen(name)))
        consider_text(at, name);
}

/*
 * A name follows the trie of all patterns' labels as long as it can and then leaves it; what
 * matters is the node where it leaves and whether none, one or more labels are left.
 */
static void host_cell(struct atoms *at, const struct cell *c, void *ctx)
{
    const struct fresh *f = ctx;

    for (uint32_t i = 0; i < c->hosts.n && !at->done; i++) {
        for (const char *p = c->hosts.v[i].name; *p;) {
            size_t len = strcspn(p, ".");

            consider_host(at, arena_copy(at->arena, p, strlen(p)));
            consider_host(at, arena_printf(at->arena, "%s.%s", f->label, p));
            consider_host(at, arena_printf(at->arena, "%s.%s.%s", f->label, f->label, p));
            p += len + (p[len] == '.');
        }
    }
}

static void hosts(struct atoms *at)
{
    struct fresh f = { "a", false };
    const struct cell *must = first_must(at);
    bool exact = must != NULL;

    for (uint32_t i = 0; must && i < must->hosts.n; i++)
        exact = exact && must->hosts.v[i].kind == HOST_EXACT;
    consider_absent(at);
    if (exact) {
        for (uint32_t i = 0; i < must->hosts.n; i++)
            consider_text(at, must->hosts.v[i].name);
        return;
    }
    each_cell(at, label_taken, &f);
    for (unsigned i = 0; f.taken; i++) {
        snprintf(f.label, sizeof(f.label), "a%u", i);
        f.taken = false;
        each_cell(at, label_taken, &f);
    }
    each_cell(at, host_cell, &f);
    consider_host(at, arena_printf(at->arena, "%s.%s", f.label, f.label));
}

/* In every must's list? */
static bool musts_have_word(const struct atoms *at, const char *s)
{
    for (uint32_t i = 0; i < at->q->nmust; i++) {
        const struct cell *c = at->q->must[i]->cell[at->dim];

        if (c && !texts_have(&c->words, s))
            return false;
    }
    return true;
}

/* The hardest list: for each to be avoided, one member that it lacks. */
static void all_words(struct atoms *at)
{
    const struct cell *must = first_must(at);
    struct texts list = { NULL, 0 };

    for (uint32_t i = 0; must && i < at->q->navoid; i++) {
        const struct cell *c = at->q->avoid[i]->cell[at->dim];

        if (!live_has(&at->live, i) || !c)
            continue;
        for (uint32_t k = 0; k < must->words.n; k++) {
            if (texts_have(&c->words, must->words.v[k]) || !musts_have_word(at, must->words.v[k]))
                continue;
            arena_push(at->arena, (void **)&list.v, list.n, sizeof(*list.v));
            list.v[list.n++] = must->words.v[k];
            break;
        }
    }

    struct value v = { .present = true, .list = { list.v, list.n } };

    atoms_consider(at, &v);
}

static void all_bits(struct atoms *at)
{
    struct bits both, *pick = arena_get(at->arena, sizeof(*pick));
    struct value v = { .present = true };

    memset(&both, 0xff, sizeof(both));
    for (uint32_t i = 0; i < at->q->nmust; i++) {
        const struct cell *c = at->q->must[i]->cell[at->dim];

        for (unsigned k = 0; c && k < BITS_MAX / 64; k++)
            both.w[k] &= c->all.w[k];
    }
    for (uint32_t i = 0; i < at->q->navoid; i++) {
        const struct cell *c = at->q->avoid[i]->cell[at->dim];

        if (!live_has(&at->live, i) || !c || !bits_within(pick, &c->all))
            continue;
        for (unsigned k = 0; k < BITS_MAX; k++) {
            if (bits_has(&both, k) && !bits_has(&c->all, k)) {
                bits_set(pick, k);
                v.bits = pick;
                break;
            }
        }
    }
    atoms_consider(at, &v);
}

void atoms_plain(struct atoms *at)
{
    switch (spaces[at->q->space].dims[at->dim].type) {
    case DIM_WORD: words(at); break;
    case DIM_ENUM: enums(at); break;
    case DIM_NUM: numbers(at); break;
    case DIM_HOST: hosts(at); break;
    case DIM_ADDR: addrs(at); break;
    case DIM_ALL_WORD: all_words(at); break;
    case DIM_ALL_BITS: all_bits(at); break;
    default: break;
    }
}
