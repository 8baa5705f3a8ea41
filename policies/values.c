/* values.c - single values: numbers, words, texts and sets of them, ports, argument patterns. */
#include "policies/load.h"

#include "policies/classes.h"
#include "policies/words.h"

#include <string.h>

#define ITEMS_MAX      4096u  /* in one set */
#define ITEMS_ALL_MAX  16384u /* in all of a document */
#define PAIR_VALUE_MAX 300u   /* with its name it is a pattern (GLOB_ITEMS_MAX) */

bool texts_add(struct arena *a, struct texts *t, const char *s)
{
    uint32_t at = 0, end = t->n;

    while (at < end) {
        uint32_t mid = at + (end - at) / 2;
        int d = strcmp(t->v[mid], s);

        if (d == 0)
            return false;
        if (d < 0)
            at = mid + 1;
        else
            end = mid;
    }
    arena_push(a, (void **)&t->v, t->n, sizeof(*t->v));
    memmove(t->v + at + 1, t->v + at, (t->n - at) * sizeof(*t->v));
    t->v[at] = s;
    t->n++;
    return true;
}

void ranges_add(struct arena *a, struct ranges *r, uint64_t lo, uint64_t hi)
{
    uint32_t first = 0, next;

    /* Ports end at 65535, numbers at 2^53: + 1 does not wrap. */
    while (first < r->n && r->v[first].hi + 1 < lo)
        first++;
    for (next = first; next < r->n && r->v[next].lo <= hi + 1; next++) {
        lo = r->v[next].lo < lo ? r->v[next].lo : lo;
        hi = r->v[next].hi > hi ? r->v[next].hi : hi;
    }
    /* In the place of those that it touches. */
    if (next == first)
        arena_push(a, (void **)&r->v, r->n, sizeof(*r->v));
    memmove(r->v + first + 1, r->v + next, (r->n - next) * sizeof(*r->v));
    r->v[first] = (struct range){ lo, hi };
    r->n = r->n + 1 - (next - first);
}

static const char *scalar(struct loader *l, const struct field *f, const struct node *n,
                          const char *wanted)
{
    if (n->kind != NODE_SCALAR) {
        load_wrong(l, n, f, wanted);
        return NULL;
    }
    if (!n->quoted && (!*n->text || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0)) {
        load_error(l, n, "%s: no value (leave the key out instead)", f->key);
        return NULL;
    }
    return n->text;
}

static void load_number(struct loader *l, const struct field *f, const struct node *n, uint64_t *m)
{
    const char *s = scalar(l, f, n, "a single value");
    char buf[256];
    struct text why = text_fixed(buf, sizeof(buf));

    if (!s)
        return;
    if (n->quoted && (f->type == F_BOOL || f->type == F_COUNT)) {
        load_wrong(l, n, f, "it without quotes");
        return;
    }
    if (!field_parse_number(f, s, &why, m))
        return;
    if (f->words && f->type == F_ENUM) {
        const char *guess = did_you_mean(s, f->words, words_count(f->words));

        if (guess)
            text_add(&why, " (did you mean \"%s\"?)", guess);
    }
    load_wrong(l, n, f, buf);
}

/* Calls add for each scalar of a list. */
static void each_text(struct loader *l, const struct field *f, const struct node *n, void *m,
                      void (*add)(struct loader *, const struct field *, const struct node *,
                                  const char *, void *))
{
    if (n->kind != NODE_LIST) {
        load_wrong(l, n, f, "a list: [a, b]");
        return;
    }
    l->items += n->n;
    if (n->n > ITEMS_MAX || l->items > ITEMS_ALL_MAX) {
        load_error(l, n, "%s: more than %u entries%s", f->key,
                   n->n > ITEMS_MAX ? ITEMS_MAX : ITEMS_ALL_MAX,
                   n->n > ITEMS_MAX ? "" : " in all sets of the document");
        return;
    }
    for (const struct node *c = n->first; c && !load_full(l); c = c->next) {
        const char *s = scalar(l, f, c, "a single value");

        if (s)
            add(l, f, c, s, m);
    }
}

/* As the policy keeps it; NULL after a refusal. */
static const char *text_of(struct loader *l, const struct field *f, const struct node *n,
                           const char *s)
{
    const char *canonical;
    const char *why = class_check(&l->scratch, f->text_class, s, &canonical);

    if (why)
        load_wrong(l, n, f, why);
    else
        canonical = arena_copy(&l->p->arena, canonical, strlen(canonical));
    arena_empty(&l->scratch);
    return why ? NULL : canonical;
}

static void add_text(struct loader *l, const struct field *f, const struct node *n, const char *s,
                     void *m)
{
    const char *canonical = text_of(l, f, n, s);

    if (canonical && !texts_add(&l->p->arena, m, canonical))
        load_error(l, n, "%s: \"%s\" is there twice", f->key, canonical);
}

static void add_word(struct loader *l, const struct field *f, const struct node *n, const char *s,
                     void *m)
{
    uint64_t *set = m;
    int i = word_index(f->words, s);

    if (i < 0) {
        const char *guess = did_you_mean(s, f->words, words_count(f->words));

        load_error(l, n, "%s: unknown word \"%.40s\"%s%s%s", f->key, s,
                   guess ? " (did you mean \"" : "", guess ? guess : "", guess ? "\"?)" : "");
    } else if (*set >> i & 1) {
        load_error(l, n, "%s: \"%s\" is there twice", f->key, s);
    } else {
        *set |= 1ull << i;
    }
}

static void add_bit(struct loader *l, const struct field *f, const struct node *n, const char *s,
                    void *m)
{
    int i = f->bits->number(s);

    if (i < 0) {
        const char *names[BITS_MAX], *guess;
        size_t count = 0;

        for (unsigned k = 0; k < BITS_MAX; k++)
            if (f->bits->name(k))
                names[count++] = f->bits->name(k);
        guess = did_you_mean(s, names, count);
        load_error(l, n, "%s: no %s \"%.40s\"%s%s%s", f->key, f->bits->what, s,
                   guess ? " (did you mean \"" : "", guess ? guess : "", guess ? "\"?)" : "");
    } else if (bits_has(m, (unsigned)i)) {
        load_error(l, n, "%s: \"%s\" is there twice", f->key, s);
    } else {
        bits_set(m, (unsigned)i);
    }
}

static void add_port(struct loader *l, const struct field *f, const struct node *n, const char *s,
                     void *m)
{
    struct range r;

    if (!range_parse(s, 65535, &r) || r.lo == 0) {
        load_wrong(l, n, f, "a port from 1 to 65535, or a range such as 8000..8099");
        return;
    }
    ranges_add(&l->p->arena, m, r.lo, r.hi);
}

static void load_pairs(struct loader *l, const struct field *f, const struct node *n,
                       struct pairs *m)
{
    if (n->kind != NODE_MAP) {
        load_wrong(l, n, f, "a map of NAME: value");
        return;
    }
    for (const struct node *c = n->first; c; c = c->next) {
        const char *name, *v = scalar(l, f, c, "a text");
        const char *why = class_check(&l->scratch, TEXT_ENV, c->key, &name);
        uint32_t at = 0;

        if (!v)
            continue;
        if (why || strpbrk(c->key, "*?")) {
            load_error(l, c, "%s: \"%s\" is not the name of an environment variable", f->key,
                       c->key);
            continue;
        }
        if (strlen(v) > PAIR_VALUE_MAX) {
            load_error(l, c, "%s: a value longer than %u bytes", f->key, PAIR_VALUE_MAX);
            continue;
        }
        while (at < m->n && strcmp(m->v[at].key, c->key) < 0)
            at++;
        arena_push(&l->p->arena, (void **)&m->v, m->n, sizeof(*m->v));
        memmove(m->v + at + 1, m->v + at, (m->n - at) * sizeof(*m->v));
        m->v[at] = (struct pair){ arena_copy(&l->p->arena, c->key, strlen(c->key)),
                                  arena_copy(&l->p->arena, v, strlen(v)) };
        m->n++;
    }
}

static void load_text(struct loader *l, const struct field *f, const struct node *n, const char **m)
{
    const char *s = scalar(l, f, n, "a text");
    const char *canonical = s ? text_of(l, f, n, s) : NULL;

    if (canonical)
        *m = canonical;
}

void load_value(struct loader *l, const struct field *f, const struct node *n, void *m)
{
    switch (f->type) {
    case F_SET:
        *(uint64_t *)m = 0;
        each_text(l, f, n, m, add_word);
        break;
    case F_BITS: each_text(l, f, n, m, add_bit); break;
    case F_TEXT: load_text(l, f, n, m); break;
    case F_TEXTS:
        *(struct texts *)m = (struct texts){ NULL, 0 };
        each_text(l, f, n, m, add_text);
        break;
    case F_PORTS:
        *(struct ranges *)m = (struct ranges){ NULL, 0 };
        each_text(l, f, n, m, add_port);
        break;
    case F_PAIRS: load_pairs(l, f, n, m); break;
    case F_ARGV: load_argv(l, f, n, m); break;
    case F_MATCHERS: load_matchers(l, f, n, m); break;
    case F_OBJECT:
    case F_LIST: break;
    default: load_number(l, f, n, m); break;
    }
}
