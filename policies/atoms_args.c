/* atoms_args.c - named arguments: the names are chosen one after the other. */
#include "policies/solve.h"

#include <string.h>

static void add_name(struct arena *a, struct texts *t, const char *s)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (strcmp(t->v[i], s) == 0)
            return;
    arena_push(a, (void **)&t->v, t->n, sizeof(*t->v));
    t->v[t->n++] = s;
}

/* The conditions on one name, of everybody. */
static void tokens_of(const struct atoms *at, const char *name, const struct token ***tokens,
                      uint32_t *n)
{
    uint32_t total = at->q->nmust + at->q->navoid;

    for (uint32_t i = 0; i < total; i++) {
        const struct clause *c = i < at->q->nmust ? at->q->must[i] : at->q->avoid[i - at->q->nmust];
        const struct cell *x = c->cell[at->dim];

        for (uint32_t k = 0; x && k < x->args.n; k++) {
            if (strcmp(x->args.v[k].name, name) != 0)
                continue;
            *(const struct token **)arena_push(at->arena, (void **)tokens, *n, sizeof(void *)) =
                &x->args.v[k].token;
            (*n)++;
        }
    }
}

/*
 * Who fails on a chosen value of one name is out, whatever the other names are: so the names can be
 * chosen one after the other, each against those that are left.
 */
struct choice {
    struct value value;
    struct live left;
};

static bool token_ok(const struct cell *c, const char *name, const char *v)
{
    for (uint32_t i = 0; c && i < c->args.n; i++)
        if (strcmp(c->args.v[i].name, name) == 0 &&
            (!v || !token_matches(&c->args.v[i].token, v, strlen(v))))
            return false;
    return true;
}

static void choose(struct atoms *at, const struct choice *from, const char *name, const char *v,
                   struct choice **out, uint32_t *n)
{
    struct choice c = { from->value, { arena_get(at->arena, at->words * sizeof(uint64_t)) } };

    for (uint32_t i = 0; i < at->q->nmust; i++)
        if (!token_ok(at->q->must[i]->cell[at->dim], name, v))
            return;
    for (uint32_t i = 0; i < at->q->navoid; i++)
        if (live_has(&from->left, i) && token_ok(at->q->avoid[i]->cell[at->dim], name, v))
            c.left.w[i / 64] |= 1ull << (i % 64);
    for (uint32_t i = 0; i < *n; i++) {
        uint64_t outside = 0;

        for (uint32_t w = 0; w < at->words; w++)
            outside |= (*out)[i].left.w[w] & ~c.left.w[w];
        if (!outside)
            return;
    }
    if (v) {
        const char **list = arena_get(at->arena, (from->value.list.n + 2) * sizeof(*list));

        if (from->value.list.n)
            memcpy(list, from->value.list.v, from->value.list.n * sizeof(*list));
        list[from->value.list.n] = name;
        list[from->value.list.n + 1] = v;
        c.value.list = (struct args){ list, from->value.list.n + 2 };
    }
    *(struct choice *)arena_push(at->arena, (void **)out, *n, sizeof(**out)) = c;
    (*n)++;
}

void atoms_args(struct atoms *at)
{
    struct texts names = { NULL, 0 };
    struct choice *now = NULL;
    uint32_t n = 1, total = at->q->nmust + at->q->navoid;

    for (uint32_t i = 0; i < total; i++) {
        const struct clause *c = i < at->q->nmust ? at->q->must[i] : at->q->avoid[i - at->q->nmust];
        const struct cell *x = c->cell[at->dim];

        for (uint32_t k = 0; x && k < x->args.n; k++) {
            if (!atoms_spend(at, 1ull + names.n))
                return;
            add_name(at->arena, &names, x->args.v[k].name);
        }
    }
    now = arena_get(at->arena, sizeof(*now));
    now->value.present = true;
    now->left = at->live;
    for (uint32_t i = 0; i < names.n; i++) {
        const struct token **tokens = NULL;
        struct texts values = { NULL, 0 };
        struct choice *next = NULL;
        uint32_t ntokens = 0, nnext = 0;

        tokens_of(at, names.v[i], &tokens, &ntokens);
        if (!atoms_spend(at, (uint64_t)names.n + 4ull * total) ||
            !token_values(at->arena, tokens, ntokens, at->work, &values)) {
            at->too_complex = true;
            return;
        }
        for (uint32_t k = 0; k < n; k++) {
            if (!atoms_spend(at, (1ull + values.n) * (at->cost + nnext + 1)))
                return;
            choose(at, &now[k], names.v[i], NULL, &next, &nnext);
            for (uint32_t m = 0; m < values.n; m++)
                choose(at, &now[k], names.v[i], values.v[m], &next, &nnext);
        }
        if (nnext > SOLVE_STATES)
            at->too_complex = true;
        if (at->too_complex)
            return;
        now = next;
        n = nnext;
    }
    for (uint32_t i = 0; i < n; i++)
        atoms_consider(at, &now[i].value);
}
