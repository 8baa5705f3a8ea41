/* learn.c - see learn.h: sorts the run, writes a document, proves it, and writes it more exactly
 * until the proof holds. */
#include "policies/learn.h"

#include "policies/canon.h"
#include "policies/compare.h"
#include "policies/layers.h"
#include "policies/learner.h"
#include "policies/points.h"
#include "policies/yaml.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct seen *)a)->text, ((const struct seen *)b)->text);
}

/* Can a document hold this text? What is not UTF-8, for example, it cannot. */
static bool holds(const char *s)
{
    struct arena a = ARENA_INIT;
    struct text t = TEXT_INIT;
    const struct node *n;
    bool same;

    text_json(&t, s);
    n = yaml_parse(&a, t.p, t.len, "", NULL);
    same = n && n->kind == NODE_SCALAR && strcmp(n->text, s) == 0;
    text_fini(&t);
    arena_fini(&a);
    return same;
}

static bool value_holds(const struct value *v)
{
    bool ok = !v->s || holds(v->s);

    for (uint32_t i = 0; i < v->list.n && ok; i++)
        ok = holds(v->list.v[i]);
    return ok;
}

/* Dimensions whose values would be read as patterns. */
static bool is_pattern(const struct request *r)
{
    const struct value *v = NULL;

    switch (r->space) {
    case SPACE_EXEC: v = &r->v[EXEC_PATH]; break;
    case SPACE_HTTP: v = &r->v[HTTP_PATH]; break;
    case SPACE_MCP: v = &r->v[MCP_TOOL]; break;
    case SPACE_MODEL: v = &r->v[MODEL_NAME]; break;
    default: break;
    }
    return v && v->s && (strpbrk(v->s, "*?") || v->len > GLOB_TEXT_MAX);
}

/* Why a request is left out before anything is written; NULL: it is not. */
static const char *unwanted(struct learner *l, struct seen *s, bool was_allowed)
{
    struct decision d = decide(l->rules, &s->r);

    if (s->r.space == SPACE_SECRET)
        return "secrets are never proposed";
    if (d.reason == REASON_ADDRESS)
        return arena_printf(&l->arena, "denied by parent rule network/never: %s", d.why);
    if (d.reason == REASON_MALFORMED)
        return arena_printf(&l->arena, "denied by the parent: %s", d.why);
    if (!d.allowed)
        return d.rule ? arena_printf(&l->arena, "denied by parent rule %s", d.rule->id)
                      : arena_printf(&l->arena, "denied by parent rule %s/default",
                                     spaces[s->r.space].section);
    s->rule = d.rule;
    if (!was_allowed)
        return "it was denied in the run";
    for (uint32_t i = 0; i < spaces[s->r.space].n; i++)
        if (!value_holds(&s->r.v[i]))
            return "a document cannot hold its bytes";
    return is_pattern(&s->r) ? "as text it would be a pattern" : NULL;
}

static void take(struct learner *l, const struct events *e)
{
    struct seen *v = arena_get(&l->arena, (e->n + 1) * sizeof(*v));
    uint32_t n = 0;

    for (uint32_t i = 0; i < e->n; i++) {
        struct text t = TEXT_INIT;

        if (point_parse_line(&l->arena, e->v[i].text, &v[i].r))
            abort(); /* it was read when the event was taken */
        point_print(&v[i].r, &t);
        v[i].text = arena_copy(&l->arena, text_str(&t), t.len);
        v[i].why = unwanted(l, &v[i], e->v[i].allowed);
        text_fini(&t);
    }
    qsort(v, e->n, sizeof(*v), by_text);
    /* The same request in two spellings, or with two answers: what was allowed once was. */
    for (uint32_t i = 0; i < e->n; i++) {
        if (!n || strcmp(v[n - 1].text, v[i].text) != 0)
            v[n++] = v[i];
        else if (!v[i].why)
            v[n - 1] = v[i];
    }
    l->v = v;
    l->n = n;
}

/* Kinds that one rule of the document is for become more exact together. */
static bool tighten(struct learner *l, enum space_id space, const char *why)
{
    static const enum space_id together[][3] = {
        { SPACE_CONNECT, SPACE_DIAL, SPACE_HTTP },
        { SPACE_FILE, SPACE_MOUNT, SPACE_FILE },
        { SPACE_HOST, SPACE_MCP, SPACE_HOST },
    };
    uint64_t set = 1ull << space;

    for (size_t i = 0; i < array_len(together); i++)
        for (unsigned k = 0; k < 3; k++)
            if (together[i][k] == space)
                set |= 1ull << together[i][0] | 1ull << together[i][1] | 1ull << together[i][2];
    if (l->freedom[space] == FREEDOM_NONE)
        return false;
    for (unsigned s = 0; s < SPACES; s++)
        l->freedom[s] = (uint8_t)(l->freedom[s] + (set >> s & 1));
    for (uint32_t i = 0; i < l->n && l->freedom[space] == FREEDOM_NONE; i++)
        if (!l->v[i].why && set >> l->v[i].r.space & 1)
            l->v[i].why = why;
    return true;
}

static bool tighten_all(struct learner *l, const char *why)
{
    uint8_t least = FREEDOM_NONE;

    for (unsigned s = 0; s < SPACES; s++)
        least = l->freedom[s] < least ? l->freedom[s] : least;
    for (unsigned s = 0; s < SPACES; s++)
        if (l->freedom[s] == least && !tighten(l, s, why))
            return false;
    return true;
}

/* The document joined with its parent, whole; NULL: it is not sound. */
static struct policy *joined(const struct learner *l, const struct text *doc, struct problems *ps)
{
    struct policy *p = policy_parse_layer(doc->p, doc->len, "learned.yaml", l->parent->nfiles, ps);

    if (!p)
        return NULL;
    inherit(p, l->parent, ps);
    if (!ps->errors && policy_check(p, ps))
        return p;
    policy_free(p);
    return NULL;
}

/* Requests that the joined document does not allow are taken out. True: there are none. */
static bool allows_all(struct learner *l, const struct ruleset *rs)
{
    bool all = true;

    for (uint32_t i = 0; i < l->n; i++) {
        if (l->v[i].why || decide(rs, &l->v[i].r).allowed)
            continue;
        l->v[i].why = "it names a program or rule that the parent has under another name";
        all = false;
    }
    return all;
}

enum attempt {
    ATTEMPT_PROVED,
    ATTEMPT_AGAIN,
    ATTEMPT_FAILED,
};

static enum attempt attempt(struct learner *l, const struct text *doc, struct problems *ps)
{
    static const char outside[] = "no rule of this form that allows it is inside the parent";
    struct policy *p = l->parent->nfiles < POLICY_FILES_MAX ? joined(l, doc, ps) : NULL;
    struct ruleset *rs = p ? ruleset_make(p, NULL) : NULL;
    struct arena a = ARENA_INIT;
    enum attempt result = ATTEMPT_PROVED;

    if (!rs)
        return tighten_all(l, outside) ? ATTEMPT_AGAIN : ATTEMPT_FAILED;
    for (unsigned s = 0; s < SPACES && result == ATTEMPT_PROVED; s++) {
        struct witness w;
        enum compared c = narrower_in(s, rs, l->rules, &a, &w);

        if (c != COMPARED_WITHIN)
            result = tighten(l, s, outside) ? ATTEMPT_AGAIN : ATTEMPT_FAILED;
    }
    if (result == ATTEMPT_PROVED && !allows_all(l, rs))
        result = ATTEMPT_AGAIN;
    arena_fini(&a);
    ruleset_free(rs);
    policy_free(p);
    return result;
}

static struct learned *result_of(struct learner *l, const struct events *e, const struct text *doc,
                                 struct problems *ps)
{
    struct learned *out = calloc(1, sizeof(*out));

    if (!out)
        abort();
    out->policy = policy_parse(doc->p, doc->len, "learned.yaml", ps);
    for (uint32_t i = 0; i < l->n; i++) {
        struct unlearned *u;

        out->allowed += !l->v[i].why;
        if (!l->v[i].why)
            continue;
        u = arena_push(&out->arena, (void **)&out->left, out->nleft++, sizeof(*out->left));
        *u = (struct unlearned){
            arena_copy(&out->arena, l->v[i].text, strlen(l->v[i].text)),
            arena_copy(&out->arena, l->v[i].why, strlen(l->v[i].why)),
        };
    }
    if (e->nlost) {
        struct unlearned *u =
            arena_push(&out->arena, (void **)&out->left, out->nleft++, sizeof(*out->left));

        *u = (struct unlearned){ arena_printf(&out->arena, "%" PRIu64 " records", e->nlost),
                                 "they cannot be read as requests" };
    }
    return out;
}

struct learned *policy_learn(const struct ruleset *rules, const struct events *e, const char *name,
                             const char *ref, struct problems *ps)
{
    struct learner l = { .rules = rules, .parent = rules->policy, .name = name, .ref = ref };
    struct learned *out = NULL;
    enum attempt a = ATTEMPT_AGAIN;

    take(&l, e);
    while (a == ATTEMPT_AGAIN) {
        struct problems why = PROBLEMS_INIT;
        struct text doc = TEXT_INIT;

        learner_write(&l, &doc);
        a = attempt(&l, &doc, &why);
        if (a == ATTEMPT_PROVED)
            out = result_of(&l, e, &doc, ps);
        for (uint32_t i = 0; a == ATTEMPT_FAILED && i < why.n; i++)
            if (why.v[i].severity == PROBLEM_ERROR)
                problem_add(ps, PROBLEM_ERROR, "learn", why.v[i].file, why.v[i].line, why.v[i].col,
                            "%s", why.v[i].text);
        text_fini(&doc);
        problems_fini(&why);
    }
    if (!out && !ps->errors)
        problem_add(ps, PROBLEM_ERROR, "learn", rules->policy->files[0], 1, 1,
                    "no document of the learned form can be proved to be inside this parent");
    arena_fini(&l.arena);
    return out;
}

void learned_free(struct learned *l)
{
    if (!l)
        return;
    policy_free(l->policy);
    arena_fini(&l->arena);
    free(l);
}

void learned_print(const struct learned *l, struct text *out)
{
    for (uint32_t i = 0; i < l->nleft; i++)
        text_add(out, "# not proposed: %s, %s\n", l->left[i].request, l->left[i].why);
    policy_write(l->policy, out);
}

void learned_json(const struct learned *l, struct text *out)
{
    text_add(out, "{\"allowed\":%" PRIu64 ",\"not_proposed\":[", l->allowed);
    for (uint32_t i = 0; i < l->nleft; i++) {
        text_add(out, "%s{\"request\":", i ? "," : "");
        text_json(out, l->left[i].request);
        text_add(out, ",\"why\":");
        text_json(out, l->left[i].why);
        text_add(out, "}");
    }
    text_add(out, "],\"policy\":");
    policy_canonical(l->policy, out);
    text_add(out, "}");
}
