/* values_argv.c - argument patterns: words, enum, prefix, any. */
#include "policies/load.h"

#include "policies/yaml.h"

#include <string.h>

#define WORDS_MAX 4096u /* in one enum */

bool range_parse(const char *s, uint64_t max, struct range *r)
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
            if (c->kind != NODE_SCALAR || !range_parse(c->text, 512, &r)) {
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
        if (c != words && c != prefix && c != any && c != max) {
            const char *guess = did_you_mean(c->key, kinds, array_len(kinds));

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
    if (words->kind != NODE_LIST || words->n == 0 || words->n > WORDS_MAX) {
        load_wrong(l, words, f, "enum: [a, b]");
        return false;
    }
    for (const struct node *c = words->first; c; c = c->next)
        if (!token_word(l, f, c, t))
            return false;
    return true;
}

void load_argv(struct loader *l, const struct field *f, const struct node *n,
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

void load_matchers(struct loader *l, const struct field *f, const struct node *n,
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
