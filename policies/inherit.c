/* inherit.c - what a layer does not say about what it refines, it has from the layer above. */
#include "policies/fields.h"
#include "policies/layers.h"
#include "policies/load.h"

#include <string.h>

struct heir {
    struct policy *p;
    const struct policy *parent;
    struct problems *ps;
};

static void disagree(struct heir *h, const struct field *f, struct spot a, struct spot b)
{
    struct text t = TEXT_INIT;

    policy_place(h->p, a, &t);
    text_add(&t, " and ");
    policy_place(h->parent, b, &t);
    problem_add(h->ps, PROBLEM_ERROR, "layers", h->p->files[0], h->p->o.spot.line, h->p->o.spot.col,
                "%s: two parents disagree (%s); say it here", f->key, text_str(&t));
    text_fini(&t);
}

static void meet_texts(struct arena *a, struct texts *mine, const struct texts *theirs, bool unite)
{
    struct texts out = { NULL, 0 };

    for (uint32_t i = 0; i < mine->n; i++) {
        bool both = unite;

        for (uint32_t k = 0; k < theirs->n && !both; k++)
            both = strcmp(mine->v[i], theirs->v[k]) == 0;
        if (both)
            texts_add(a, &out, mine->v[i]);
    }
    for (uint32_t k = 0; unite && k < theirs->n; k++)
        texts_add(a, &out, theirs->v[k]);
    *mine = out;
}

static void meet_bits(struct bits *mine, const struct bits *theirs, bool unite)
{
    for (unsigned i = 0; i < BITS_MAX / 64; i++)
        mine->w[i] = unite ? mine->w[i] | theirs->w[i] : mine->w[i] & theirs->w[i];
}

static size_t size_of(const struct field *f)
{
    switch (f->type) {
    case F_BITS: return sizeof(struct bits);
    case F_TEXT: return sizeof(const char *);
    case F_TEXTS: return sizeof(struct texts);
    case F_PORTS: return sizeof(struct ranges);
    case F_PAIRS: return sizeof(struct pairs);
    case F_ARGV: return sizeof(struct argv_pattern);
    case F_MATCHERS: return sizeof(struct matchers);
    case F_LIST: return sizeof(struct list);
    default: return sizeof(uint64_t);
    }
}

/* Both have it: a denial is united, the rest stays the child's; or, from two parents, is met. */
static void combine(struct heir *h, const struct field *f, void *mine, const void *theirs, bool own,
                    struct spot a, struct spot b)
{
    bool unite = f->combine == C_UNION;

    if (own && !unite)
        return;
    if (f->type == F_TEXTS && (unite || f->combine == C_MEET)) {
        meet_texts(&h->p->arena, mine, theirs, unite);
    } else if (f->type == F_BITS) {
        meet_bits(mine, theirs, unite);
    } else if (f->type == F_SET) {
        uint64_t *m = mine;
        const uint64_t *t = theirs;

        *m = unite ? *m | *t : *m & *t;
    } else if (f->combine == C_LEAST || f->combine == C_MOST) {
        uint64_t *m = mine;
        const uint64_t *t = theirs;

        if ((f->combine == C_LEAST) == (*t < *m))
            *m = *t;
    } else if (f->type == F_TEXT) {
        if (strcmp(*(const char **)mine, *(const char *const *)theirs) != 0)
            disagree(h, f, a, b);
    } else if (memcmp(mine, theirs, size_of(f)) != 0) {
        disagree(h, f, a, b);
    }
}

static const char *id_of(const struct table *t, const void *object)
{
    int i = field_index(t, "id");

    return i < 0 ? NULL : *(const char *const *)field_in(&t->fields[i], object);
}

static void objects(struct heir *h, const struct table *t, void *mine, const void *theirs);

/* The tables are a tree of at most five levels. NOLINTNEXTLINE(misc-no-recursion) */
static void refine(struct heir *h, const struct field *f, struct list *mine,
                   const struct list *theirs)
{
    for (uint32_t i = 0; i < mine->n; i++)
        for (uint32_t k = 0; k < theirs->n; k++)
            if (strcmp(id_of(f->table, mine->v[i]), id_of(f->table, theirs->v[k])) == 0)
                objects(h, f->table, mine->v[i], theirs->v[k]);
}

static void unite_lists(struct heir *h, struct list *mine, const struct list *theirs)
{
    for (uint32_t k = 0; k < theirs->n; k++) {
        *(void **)arena_push(&h->p->arena, (void **)&mine->v, mine->n, sizeof(*mine->v)) =
            theirs->v[k];
        mine->n++;
    }
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void objects(struct heir *h, const struct table *t, void *mine, const void *theirs)
{
    struct object *o = mine;
    const struct object *from = theirs;

    for (uint32_t i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];
        void *m = field_of(f, mine);
        const void *x = field_in(f, theirs);
        uint64_t bit = 1ull << i;

        if (f->combine == C_OWN || !(from->has & bit))
            continue;
        if (f->combine == C_PARTS) {
            objects(h, f->table, m, x);
        } else if (f->combine == C_BY_ID) {
            refine(h, f, m, x);
            continue;
        } else if (f->type == F_LIST && f->combine == C_UNION) {
            unite_lists(h, m, x);
        } else if (o->has & bit) {
            combine(h, f, m, x, o->own & bit, o->at[i], from->at[i]);
        } else {
            memcpy(m, x, size_of(f));
        }
        if (!(o->has & bit))
            o->at[i] = from->at[i];
        o->has |= bit;
    }
}

void inherit(struct policy *child, const struct policy *parent, struct problems *ps)
{
    struct heir h = { child, parent, ps };

    for (uint16_t i = 0; i < parent->nfiles; i++)
        if (parent->files[i])
            child->files[i] = parent->files[i];
    if (parent->nfiles > child->nfiles)
        child->nfiles = parent->nfiles;
    objects(&h, &policy_table, child, parent);
}
