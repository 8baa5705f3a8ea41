/* values.c - single values: numbers, words, texts and sets of them, ports, argument patterns. */
#include "policies/load.h"

#include "policies/classes.h"
#include "policies/words.h"

#include <string.h>

#define ITEMS_MAX      4096u /* in one set */
#define PAIR_VALUE_MAX 300u  /* with its name it is a pattern (GLOB_ITEMS_MAX) */

bool texts_add(struct arena *a, struct texts *t, const char *s)
{
    uint32_t at = 0;

    while (at < t->n && strcmp(t->v[at], s) < 0)
        at++;
    if (at < t->n && strcmp(t->v[at], s) == 0)
        return false;
    arena_push(a, (void **)&t->v, t->n, sizeof(*t->v));
    memmove(t->v + at + 1, t->v + at, (t->n - at) * sizeof(*t->v));
    t->v[at] = s;
    t->n++;
    return true;
}

void ranges_add(struct arena *a, struct ranges *r, uint64_t lo, uint64_t hi)
{
    struct ranges out = { NULL, 0 };
    bool placed = false;

    for (uint32_t i = 0; i <= r->n; i++) {
        const struct range *x = i < r->n ? &r->v[i] : NULL;

        /* Ports end at 65535, numbers at 2^53: + 1 does not wrap. */
        if (x && x->lo <= hi + 1 && lo <= x->hi + 1) {
            lo = x->lo < lo ? x->lo : lo;
            hi = x->hi > hi ? x->hi : hi;
            continue;
        }
        if (!placed && (!x || x->lo > hi)) {
            *(struct range *)arena_push(a, (void **)&out.v, out.n, sizeof(*out.v)) =
                (struct range){ lo, hi };
            out.n++;
            placed = true;
        }
        if (x) {
            *(struct range *)arena_push(a, (void **)&out.v, out.n, sizeof(*out.v)) = *x;
            out.n++;
        }
    }
    *r = out;
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
    if (n->n > ITEMS_MAX) {
        load_error(l, n, "%s: more than %u entries", f->key, ITEMS_MAX);
        return;
    }
    for (const struct node *c = n->first; c; c = c->next) {
        const char *s = scalar(l, f, c, "a single value");

        if (s)
            add(l, f, c, s, m);
    }
}

static void add_text(struct loader *l, const struct field *f, const struct node *n, const char *s,
                     void *m)
{
    const char *canonical;
    const char *why = class_check(&l->p->arena, f->text_class, s, &canonical);

    if (why) {
        load_wrong(l, n, f, why);
        return;
    }
    canonical = arena_copy(&l->p->arena, canonical, strlen(canonical));
    if (!texts_add(&l->p->arena, m, canonical))
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

/* "lo..hi" or one number. */
static bool parse_range(const char *s, uint64_t max, struct range *r)
{
    char lo[24];
    const char *dots = strstr(s, "..");
    size_t n = dots ? (size_t)(dots - s) : strlen(s);

    if (n >= sizeof(lo) || strspn(s, "0123456789") != n)
        return false;
    memcpy(lo, s, n);
    lo[n] = '\0';

    const char *hi = dots ? dots + 2 : lo;

    return strspn(hi, "0123456789") == strlen(hi) && !units_parse(UNIT_COUNT, lo, NULL, &r->lo) &&
           !units_parse(UNIT_COUNT, hi, NULL, &r->hi) && r->lo <= r->hi && r->hi <= max;
}

static void add_port(struct loader *l, const struct field *f, const struct node *n, const char *s,
                     void *m)
{
    struct range r;

    if (!parse_range(s, 65535, &r) || r.lo == 0) {
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
        const char *why = class_check(&l->p->arena, TEXT_ENV, c->key, &name);
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

static bool token_number(struct loader *l, const struct field *f, const struct node *n, uint64_t lo,
                         uint64_t hi, uint32_t *out)
{
    uint64_t v;

    if (n->kind != NODE_SCALAR || units_parse(UNIT_COUNT, n->text, NULL, &v) || v < lo || v > hi) {
        load_wrong(l, n, f, "bytes of one argument, 1 to 4096");
        return false;
    }
    *out = (uint32_t)v;
    return true;
}

static bool load_any(struct loader *l, const struct field *f, const struct node *n, struct token *t)
{
    struct range r;

    if (n->kind != NODE_MAP) {
        load_wrong(l, n, f, "any: {count: 0..8, max: 256}");
        return false;
    }
    for (const struct node *c = n->first; c; c = c->next) {
        if (strcmp(c->key, "count") == 0) {
            if (c->kind != NODE_SCALAR || !parse_range(c->text, 512, &r)) {
                load_wrong(l, c, f, "a count such as 0..32, at most 512");
                return false;
            }
            t->lo = (uint32_t)r.lo;
            t->hi = (uint32_t)r.hi;
        } else if (strcmp(c->key, "max") == 0) {
            if (!token_number(l, f, c, 1, ARG_BYTES_MAX, &t->max))
                return false;
        } else {
            load_error(l, c, "%s: unknown key \"%s\" in any (there are count and max)", f->key,
                       c->key);
            return false;
        }
    }
    return true;
}

static bool token_word(struct loader *l, const struct field *f, const struct node *n,
                       struct token *t)
{
    if (n->kind != NODE_SCALAR || strlen(n->text) > ARG_BYTES_MAX) {
        load_wrong(l, n, f, "a word of at most 4096 bytes");
        return false;
    }
    if (!texts_add(&l->p->arena, &t->words, arena_copy(&l->p->arena, n->text, strlen(n->text)))) {
        load_error(l, n, "%s: \"%.40s\" is there twice", f->key, n->text);
        return false;
    }
    return true;
}

static bool load_token(struct loader *l, const struct field *f, const struct node *n,
                       struct token *t)
{
    static const char *const kinds[] = { "enum", "prefix", "any", "max" };

    *t = (struct token){ .max = ARG_BYTES_MAX, .lo = 0, .hi = 32 };
    if (n->kind == NODE_SCALAR)
        return token_word(l, f, n, t);
    if (n->kind != NODE_MAP || n->n == 0) {
        load_wrong(l, n, f,
                   "a word, {enum: [a, b]}, {prefix: x} or {any: {count: 0..8, max: 256}}");
        return false;
    }

    const struct node *words = node_get(n, "enum"), *prefix = node_get(n, "prefix");
    const struct node *any = node_get(n, "any"), *max = node_get(n, "max");

    for (const struct node *c = n->first; c; c = c->next) {
        const char *guess = did_you_mean(c->key, kinds, array_len(kinds));

        if (c != words && c != prefix && c != any && c != max) {
            load_error(l, c, "%s: unknown key \"%s\"%s%s%s", f->key, c->key,
                       guess ? " (did you mean \"" : "", guess ? guess : "", guess ? "\"?)" : "");
            return false;
        }
    }
    if (!!words + !!prefix + !!any != 1 || (max && !prefix)) {
        load_error(l, n, "%s: wanted one of enum, prefix (with max) and any", f->key);
        return false;
    }
    if (any) {
        t->kind = TOKEN_ANY;
        return load_any(l, f, any, t);
    }
    if (prefix) {
        t->kind = TOKEN_PREFIX;
        if (max && !token_number(l, f, max, 1, ARG_BYTES_MAX, &t->max))
            return false;
        if (!token_word(l, f, prefix, t))
            return false;
        if (strlen(t->words.v[0]) > t->max) {
            load_error(l, n, "%s: the prefix is longer than max", f->key);
            return false;
        }
        return true;
    }
    if (words->kind != NODE_LIST || words->n == 0 || words->n > ITEMS_MAX) {
        load_wrong(l, words, f, "enum: [a, b]");
        return false;
    }
    for (const struct node *c = words->first; c; c = c->next)
        if (!token_word(l, f, c, t))
            return false;
    return true;
}

static void load_argv(struct loader *l, const struct field *f, const struct node *n,
                      struct argv_pattern *m)
{
    if (n->kind != NODE_LIST) {
        load_wrong(l, n, f, "a list of arguments");
        return;
    }
    for (const struct node *c = n->first; c; c = c->next) {
        struct token t;

        if (!load_token(l, f, c, &t))
            return;
        *(struct token *)arena_push(&l->p->arena, (void **)&m->v, m->n, sizeof(*m->v)) = t;
        m->n++;
    }
    if (argv_states(m) > ARGV_STATES_MAX)
        load_error(l, n, "%s: too complex (%u states; %u are allowed)", f->key, argv_states(m),
                   ARGV_STATES_MAX);
}

static void load_matchers(struct loader *l, const struct field *f, const struct node *n,
                          struct matchers *m)
{
    if (n->kind != NODE_MAP || n->n == 0) {
        load_wrong(l, n, f, "a map of argument names");
        return;
    }
    for (const struct node *c = n->first; c; c = c->next) {
        struct matcher x = { .name = arena_copy(&l->p->arena, c->key, strlen(c->key)) };
        uint32_t at = 0;

        if (!load_token(l, f, c, &x.token))
            return;
        while (at < m->n && strcmp(m->v[at].name, x.name) < 0)
            at++;
        arena_push(&l->p->arena, (void **)&m->v, m->n, sizeof(*m->v));
        memmove(m->v + at + 1, m->v + at, (m->n - at) * sizeof(*m->v));
        m->v[at] = x;
        m->n++;
    }
}

static void load_text(struct loader *l, const struct field *f, const struct node *n, const char **m)
{
    const char *s = scalar(l, f, n, "a text"), *canonical;
    const char *why = s ? class_check(&l->p->arena, f->text_class, s, &canonical) : NULL;

    if (!s)
        return;
    if (why) {
        load_wrong(l, n, f, why);
        return;
    }
    *m = arena_copy(&l->p->arena, canonical, strlen(canonical));
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
