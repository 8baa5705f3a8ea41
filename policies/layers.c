#include "policies/layers.h"

#include "policies/canon.h"
#include "policies/compare.h"
#include "policies/points.h"

#include <stdio.h>
#include <string.h>

#define PARENTS_MAX 16u

struct stack {
    layer_find_fn *find;
    void *ctx;
    struct problems *ps;
    uint16_t files; /* numbers given so far */
    uint32_t depth;
    const char *names[LAYERS_DEPTH_MAX + 1];
};

static void complain(struct stack *s, const struct policy *p, const char *fmt, const char *a,
                     const char *b) __attribute__((format(printf, 3, 0)));

static void complain(struct stack *s, const struct policy *p, const char *fmt, const char *a,
                     const char *b)
{
    int i = field_index(&policy_table, "extends");
    struct spot at = p->o.at[i];
    char buf[512];
    struct text t = text_fixed(buf, sizeof(buf));

    text_add(&t, "extends: ");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    text_add(&t, fmt, a, b);
#pragma GCC diagnostic pop
    problem_add(s->ps, PROBLEM_ERROR, "layers", p->files[at.file], at.line, at.col, "%s", buf);
}

bool rules_must_narrow(const struct ruleset *child, const struct ruleset *parent,
                       const char *parent_name, struct problems *ps)
{
    struct arena a = ARENA_INIT;
    struct witness w = { .rule = NULL };
    enum compared result = narrower(child, parent, &a, &w);
    struct text t = TEXT_INIT;

    if (result == COMPARED_WIDER)
        point_print(&w.request, &t);
    if (result != COMPARED_WITHIN)
        problem_add(ps, PROBLEM_ERROR, "layers", child->policy->files[w.rule->spot.file],
                    w.rule->spot.line, w.rule->spot.col,
                    result == COMPARED_WIDER ? "%s is wider than %s, which denies: %s"
                                             : "%s cannot be compared with %s: too complex%s",
                    w.rule->id, parent_name, text_str(&t));
    text_fini(&t);
    arena_fini(&a);
    return result == COMPARED_WITHIN;
}

bool policy_must_narrow(const struct policy *child, const struct policy *parent,
                        const char *parent_name, struct problems *ps)
{
    struct ruleset *c = ruleset_make(child, NULL), *p = ruleset_make(parent, NULL);
    bool ok = rules_must_narrow(c, p, parent_name, ps);

    ruleset_free(c);
    ruleset_free(p);
    return ok;
}

static struct policy *layer(struct stack *s, const char *text, size_t len, const char *file);

/* The parent that a reference names, whole and checked. NOLINTNEXTLINE(misc-no-recursion) */
static struct policy *parent_of(struct stack *s, const struct policy *p, const char *ref)
{
    const char *hash = strstr(ref, "@sha256:") + strlen("@sha256:"), *text, *file;
    char have[POLICY_HASH_HEX], name[160];
    struct policy *raw, *whole;
    size_t len;

    text = NULL;
    snprintf(name, sizeof(name), "%.*s", (int)(strstr(ref, "@sha256:") - ref), ref);
    for (uint32_t i = 0; i < s->depth; i++) {
        if (strcmp(s->names[i], name) == 0) {
            complain(s, p, "%s extends itself%s", name, "");
            return NULL;
        }
    }
    if (s->depth >= LAYERS_DEPTH_MAX) {
        complain(s, p, "%s: more than 8 layers%s", name, "");
        return NULL;
    }
    if (!s->find || s->find(s->ctx, name, &text, &len, &file) || !text) {
        complain(s, p, "%s is not there%s", name, "");
        return NULL;
    }
    raw = policy_parse(text, len, file, s->ps);
    if (!raw)
        return NULL;
    policy_hash(raw, have);
    policy_free(raw);
    if (strcmp(have, hash) != 0) {
        complain(s, p, "%s has another hash than the one pinned here: sha256:%s", name, have);
        return NULL;
    }
    s->names[s->depth++] = name;
    whole = layer(s, text, len, file);
    s->names[--s->depth] = NULL;
    return whole;
}

static bool join(struct stack *s, struct policy *p, struct policy **parents, uint32_t n)
{
    uint32_t errors = s->ps->errors;
    bool ok;

    for (uint32_t i = 0; i < n; i++)
        inherit(p, parents[i], s->ps);
    ok = s->ps->errors == errors && policy_check(p, s->ps);
    for (uint32_t i = 0; i < n && ok; i++)
        ok = policy_must_narrow(p, parents[i], parents[i]->name, s->ps);
    /* What was inherited lives on in the child. */
    for (uint32_t i = 0; i < n; i++)
        arena_absorb(&p->arena, &parents[i]->arena);
    return ok;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static struct policy *layer(struct stack *s, const char *text, size_t len, const char *file)
{
    struct policy *parents[PARENTS_MAX] = { NULL }, *p;
    uint32_t n = 0;
    bool ok = true;

    if (s->files >= POLICY_FILES_MAX) {
        problem_add(s->ps, PROBLEM_ERROR, "layers", file, 1, 1, "more than 64 documents in all");
        return NULL;
    }
    p = policy_parse_layer(text, len, file, s->files++, s->ps);
    if (!p)
        return NULL;
    if (p->extends.n > PARENTS_MAX) {
        complain(s, p, "more than 16 parents%s%s", "", "");
        ok = false;
    }
    for (uint32_t i = 0; ok && i < p->extends.n; i++) {
        parents[n] = parent_of(s, p, p->extends.v[i]);
        ok = parents[n] != NULL;
        n += ok;
    }
    ok = ok && join(s, p, parents, n);
    for (uint32_t i = 0; i < n; i++)
        policy_free(parents[i]);
    if (ok)
        return p;
    policy_free(p);
    return NULL;
}

struct policy *policy_load(const char *text, size_t len, const char *file, layer_find_fn *find,
                           void *ctx, struct problems *ps)
{
    struct problems own = PROBLEMS_INIT;
    struct stack s = { .find = find, .ctx = ctx, .ps = ps ? ps : &own };
    struct policy *p = layer(&s, text, len, file);

    problems_fini(&own);
    return p;
}
