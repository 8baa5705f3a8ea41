/* load.c - a document becomes a struct policy, field by field as the table says. */
#include "policies/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void load_error(struct loader *l, const struct node *n, const char *fmt, ...)
{
    char buf[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    l->failed = true;
    l->problems++;
    problem_add(l->ps, PROBLEM_ERROR, "value", l->file, n->line, n->col, "%s", buf);
}

void load_wrong(struct loader *l, const struct node *n, const struct field *f, const char *wanted)
{
    if (n->kind != NODE_SCALAR) {
        load_error(l, n, "%s: a %s is here; wanted %s", f->key,
                   n->kind == NODE_MAP ? "map" : "list", wanted);
        return;
    }

    char shown[96];
    struct text t = text_fixed(shown, sizeof(shown));

    text_word(&t, n->text, strlen(n->text));

    bool quoted = shown[0] == '"';

    load_error(l, n, "%s: %s%s%s is wrong; wanted %s", f->key, quoted ? "" : "\"", shown,
               quoted ? "" : "\"", wanted);
}

static void unknown_key(struct loader *l, const struct table *t, const struct node *n)
{
    const char *known[64], *guess;
    uint32_t count = t->n < array_len(known) ? t->n : array_len(known);

    for (uint32_t i = 0; i < count; i++)
        known[i] = t->fields[i].key;
    guess = did_you_mean(n->key, known, count);
    l->failed = true;
    l->problems++;
    problem_add(l->ps, PROBLEM_ERROR, "key", l->file, n->key_line, n->key_col,
                guess ? "unknown key \"%s\" in %s (did you mean \"%s\"?)"
                      : "unknown key \"%s\" in %s%s",
                n->key, t->name, guess ? guess : "");
}

static struct spot spot_of(const struct loader *l, uint32_t line, uint32_t col)
{
    return (struct spot){ line, (uint16_t)(col > UINT16_MAX ? UINT16_MAX : col), l->number };
}

static void load_list(struct loader *l, const struct field *f, const struct node *n,
                      struct list *out);

/* The tables are a tree of at most five levels. NOLINTNEXTLINE(misc-no-recursion) */
void load_object(struct loader *l, const struct table *t, const struct node *n, void *object)
{
    struct object *o = object;
    struct node only = { .kind = NODE_MAP, .n = 1 };
    struct node child;

    o->spot = spot_of(l, n->line, n->col);
    if (n->kind == NODE_SCALAR && t->shorthand) {
        child = *n;
        child.key = t->shorthand;
        child.key_line = n->line;
        child.key_col = n->col;
        child.next = NULL;
        only.first = &child;
        n = &only;
    }
    if (n->kind != NODE_MAP) {
        load_error(l, n, "%s: wanted a map of keys", t->name);
        return;
    }
    for (const struct node *c = n->first; c && !load_full(l); c = c->next) {
        int i = field_index(t, c->key);

        if (i < 0) {
            unknown_key(l, t, c);
            continue;
        }

        const struct field *f = &t->fields[i];
        void *m = field_of(f, object);

        o->has |= 1ull << i;
        o->own = o->has;
        o->at[i] = spot_of(l, c->key_line, c->key_col);
        if (f->type == F_OBJECT)
            load_object(l, f->table, c, m);
        else if (f->type == F_LIST)
            load_list(l, f, c, m);
        else
            load_value(l, f, c, m);
    }
}

static const char *id_of(const struct field *id, const void *object)
{
    return id ? *(const char *const *)field_in(id, object) : NULL;
}

static void there_twice(struct loader *l, const struct field *f, const struct node *n,
                        const struct list *before, const struct field *idf)
{
    const char *id = node_get(n, "id")->text;
    uint32_t k = 0;

    while (k < before->n &&
           (!id_of(idf, before->v[k]) || strcmp(id_of(idf, before->v[k]), id) != 0))
        k++;
    load_error(l, n, "%s: id \"%s\" is there twice (first at line %u)", f->key, id,
               k < before->n ? ((struct object *)before->v[k])->spot.line : n->line);
}

#define ENTRIES_MAX 2048u /* in one list of maps: what a load costs grows with its square */

/* NOLINTNEXTLINE(misc-no-recursion) */
static void load_list(struct loader *l, const struct field *f, const struct node *n,
                      struct list *out)
{
    const struct table *t = f->table;
    int i = field_index(t, "id");
    const struct field *idf = i < 0 ? NULL : &t->fields[i];
    struct texts ids = { NULL, 0 };

    if (n->kind != NODE_LIST) {
        load_error(l, n, "%s: wanted a list", f->key);
        return;
    }
    *out = (struct list){ NULL, 0 };
    if (n->n > ENTRIES_MAX) {
        load_error(l, n, "%s: more than %u entries", f->key, ENTRIES_MAX);
        return;
    }
    for (const struct node *c = n->first; c && !load_full(l); c = c->next) {
        void *o = arena_get(&l->p->arena, t->size);

        object_init(&l->p->arena, t, o);
        load_object(l, t, c, o);

        const char *id = id_of(idf, o);

        if (idf && !id)
            load_error(l, c, "%s: an entry without id", f->key);
        if (id && !texts_add(&l->p->arena, &ids, id))
            there_twice(l, f, c, out, idf);
        *(void **)arena_push(&l->p->arena, (void **)&out->v, out->n, sizeof(*out->v)) = o;
        out->n++;
    }
}

struct policy *policy_parse(const char *text, size_t len, const char *file, struct problems *ps)
{
    return policy_parse_layer(text, len, file, 0, ps);
}

static struct policy *parse(const char *text, size_t len, const char *file, uint16_t number,
                            bool whole, struct problems *ps)
{
    struct policy *p = calloc(1, sizeof(*p));

    if (!p)
        abort();

    struct loader l = { .p = p, .ps = ps, .file = file, .number = number };
    struct arena nodes = ARENA_INIT;

    p->files[number] = arena_copy(&p->arena, file, strlen(file));
    p->nfiles = (uint16_t)(number + 1);

    const struct node *root = yaml_parse(&nodes, text, len, file, ps);

    if (root) {
        object_init(&p->arena, &policy_table, p);
        load_object(&l, &policy_table, root, p);
        if (whole && !l.failed &&
            !object_has(&p->o, (uint32_t)field_index(&policy_table, "carrel")))
            load_error(&l, root, "carrel: the version of the language is missing (carrel: 1)");
        if (whole && !l.failed && !p->name)
            load_error(&l, root, "name: the policy has no name");
    }
    arena_fini(&nodes);
    arena_fini(&l.scratch);
    if (!root || l.failed) {
        policy_free(p);
        return NULL;
    }
    return p;
}

struct policy *policy_parse_layer(const char *text, size_t len, const char *file, uint16_t number,
                                  struct problems *ps)
{
    return parse(text, len, file, number, true, ps);
}

struct policy *policy_parse_part(const char *text, size_t len, const char *file, uint16_t number,
                                 struct problems *ps)
{
    return parse(text, len, file, number, false, ps);
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    arena_fini(&p->arena);
    free(p);
}

void policy_place(const struct policy *p, struct spot at, struct text *out)
{
    const char *file = at.file < p->nfiles ? p->files[at.file] : NULL;

    text_add(out, "%s:%u", file ? file : "?", at.line);
}
