#include "policies/cases.h"

#include "policies/points.h"
#include "policies/yaml.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 20u /* changes that no case notices, for a person */

static const char *const expectations[] = { "allow", "deny", "ask" };

struct reader {
    struct cases *c;
    struct problems *ps;
    bool failed;
};

static void wrong(struct reader *r, const struct node *n, const char *why)
{
    r->failed = true;
    problem_add(r->ps, PROBLEM_ERROR, "cases", r->c->file, n->line, n->col, "%s", why);
}

static const char *text_of(struct reader *r, const struct node *n)
{
    if (n->kind == NODE_SCALAR)
        return arena_copy(&r->c->arena, n->text, strlen(n->text));
    wrong(r, n, "wanted a text");
    return NULL;
}

static void read_case(struct reader *r, const struct node *n)
{
    struct cases *c = r->c;
    const struct node *ask = node_get(n, "ask"), *expect = node_get(n, "expect"),
                      *rule = node_get(n, "rule");
    struct test_case *t;
    const char *why;
    size_t e = 0;

    if (n->kind != NODE_MAP || !ask || !expect || n->n != 2u + (rule != NULL)) {
        wrong(r, n, "a case has ask, expect and perhaps rule");
        return;
    }
    t = arena_push(&c->arena, (void **)&c->v, c->n, sizeof(*c->v));
    *t = (struct test_case){ .line = n->line, .col = n->col, .ask = text_of(r, ask) };
    c->n++;
    while (e < array_len(expectations) &&
           (expect->kind != NODE_SCALAR || strcmp(expect->text, expectations[e]) != 0))
        e++;
    if (e == array_len(expectations))
        wrong(r, expect, "expect: wanted allow, deny or ask");
    t->expect = (enum expected)e;
    if (rule)
        t->rule = text_of(r, rule);
    if (!t->ask)
        return;
    why = point_parse_line(&c->arena, t->ask, &t->request);
    if (why)
        wrong(r, ask, why);
}

static bool read_cases(struct reader *r, const struct node *root)
{
    const struct node *list = node_get(root, "cases"), *version = node_get(root, "carrel");

    if (root->kind != NODE_MAP || root->n != 2 || !version || !list || list->kind != NODE_LIST) {
        wrong(r, root, "wanted carrel: 1 and cases: a list");
        return false;
    }
    if (version->kind != NODE_SCALAR || strcmp(version->text, "1") != 0)
        wrong(r, version, "carrel: wanted 1");
    for (const struct node *n = list->first; n; n = n->next)
        read_case(r, n);
    return !r->failed;
}

static bool as_expected(const struct test_case *t, const struct decision *d)
{
    enum expected got = d->allowed ? EXPECT_ALLOW : d->needs_approval ? EXPECT_ASK : EXPECT_DENY;

    return got == t->expect && (!t->rule || (d->rule && strcmp(d->rule->id, t->rule) == 0));
}

/* Every change of a rule, against every case that has an answer at all. */
static void change_rules(struct cases *c, const struct ruleset *rs)
{
    const struct request **asked = arena_get(&c->arena, (c->n + 1) * sizeof(void *));
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->n; i++)
        if (c->v[i].got.reason != REASON_MALFORMED)
            asked[n++] = &c->v[i].request;
    mutants_try(rs, asked, n, &c->arena, &c->mutants);
    for (uint32_t i = 0; i < c->mutants.n; i++) {
        const struct mutant *m = &c->mutants.v[i];

        if (m->how != MUTANT_LOST)
            continue;
        c->rules++;
        c->reached += c->hits[m->rule] > 0;
        c->missed[m->rule] = !m->noticed;
        c->noticed += m->noticed;
    }
}

static void judge(struct cases *c, const struct policy *p)
{
    struct ruleset *rs = ruleset_make(p, NULL);

    c->hits = arena_get(&c->arena, rs->nrules * sizeof(*c->hits) + 1);
    c->missed = arena_get(&c->arena, rs->nrules * sizeof(*c->missed) + 1);
    for (uint32_t i = 0; i < c->n; i++) {
        struct test_case *t = &c->v[i];

        t->got = decide(rs, &t->request);
        t->ok = as_expected(t, &t->got);
        c->failed += !t->ok;
        if (t->got.rule && (t->got.allowed || t->got.reason == REASON_DENIED))
            c->hits[t->got.rule - rs->rules]++;
    }
    change_rules(c, rs);
    /* What the cases keep must not point into the ruleset that goes. */
    for (uint32_t i = 0; i < c->n; i++) {
        struct decision *d = &c->v[i].got;

        if (d->rule) {
            struct rule *copy = arena_get(&c->arena, sizeof(*copy));

            *copy = *d->rule;
            copy->id = arena_copy(&c->arena, copy->id, strlen(copy->id));
            d->rule = copy;
        }
    }
    ruleset_free(rs);
}

struct cases *cases_run(const char *text, size_t len, const char *file, const struct policy *p,
                        struct problems *ps)
{
    struct cases *c = calloc(1, sizeof(*c));
    struct arena nodes = ARENA_INIT;
    struct reader r = { c, ps, false };
    const struct node *root;
    bool ok;

    if (!c)
        abort();
    c->file = arena_copy(&c->arena, file, strlen(file));
    root = yaml_parse(&nodes, text, len, c->file, ps);
    ok = root && read_cases(&r, root) && !r.failed;
    arena_fini(&nodes);
    if (!ok) {
        cases_free(c);
        return NULL;
    }
    judge(c, p);
    return c;
}

void cases_free(struct cases *c)
{
    if (!c)
        return;
    arena_fini(&c->arena);
    free(c);
}

static const char *verdict(const struct decision *d)
{
    return d->allowed ? "allow" : d->needs_approval ? "ask" : "deny";
}

static const char *const changes[] = {
    [MUTANT_LOST] = "lost",
    [MUTANT_TURNED] = "turned",
    [MUTANT_NARROWER] = "narrower",
    [MUTANT_WIDER] = "wider",
};

/* What nobody would notice, beyond the losses: they are told before. */
static void mutants_print(const struct cases *c, const struct ruleset *rs, struct text *out)
{
    uint32_t shown = 0, more = 0;

    for (uint32_t i = 0; i < c->mutants.n; i++) {
        const struct mutant *m = &c->mutants.v[i];

        if (m->noticed || m->how == MUTANT_LOST)
            continue;
        if (shown == SHOWN_MAX) {
            more++;
            continue;
        }
        shown++;
        text_add(out, "%s: no case notices %s %s\n", c->file, rs->rules[m->rule].id,
                 m->how == MUTANT_TURNED ? "turned round" : m->what);
    }
    if (more)
        text_add(out, "... and %u more changes\n", more);
}

void cases_print(const struct cases *c, const struct ruleset *rs, struct text *out)
{
    for (uint32_t i = 0; i < c->n; i++) {
        const struct test_case *t = &c->v[i];

        if (!t->ok)
            text_add(out, "%s:%u:%u: FAIL %s: expected %s%s%s, got %s by %s\n", c->file, t->line,
                     t->col, t->ask, expectations[t->expect], t->rule ? " by " : "",
                     t->rule ? t->rule : "", verdict(&t->got),
                     t->got.rule ? t->got.rule->id : "default");
    }
    for (uint32_t i = 0; i < rs->nrules; i++) {
        if (c->missed[i])
            text_add(out, "%s: no case notices the loss of %s (%s)\n", c->file, rs->rules[i].id,
                     c->hits[i] ? "other rules allow the same" : "never reached");
    }
    mutants_print(c, rs, out);
    text_add(
        out,
        "%u cases, %u failed; %u of %u rules reached, the loss of %u noticed; %u of %u changes "
        "noticed\n",
        c->n, c->failed, c->reached, c->rules, c->noticed, c->mutants.noticed, c->mutants.n);
}

/* The whole of nothing is 100 %. Rounded down: 100 is all. */
static uint32_t percent(uint32_t part, uint32_t whole)
{
    return whole ? (uint32_t)((uint64_t)part * 100 / whole) : 100;
}

uint32_t cases_coverage(const struct cases *c)
{
    return percent(c->reached, c->rules);
}

uint32_t cases_noticed(const struct cases *c)
{
    return percent(c->mutants.noticed, c->mutants.n);
}

void cases_json(const struct cases *c, const struct ruleset *rs, struct text *out)
{
    text_add(out, "{\"cases\":[");
    for (uint32_t i = 0; i < c->n; i++) {
        const struct test_case *t = &c->v[i];

        text_add(out, "%s{\"ask\":", i ? "," : "");
        text_json(out, t->ask);
        text_add(out, ",\"expect\":\"%s\",\"got\":\"%s\",\"line\":%u,\"ok\":%s}",
                 expectations[t->expect], verdict(&t->got), t->line, t->ok ? "true" : "false");
    }
    text_add(out, "],\"failed\":%u,\"noticed\":%u,\"reached\":%u,\"rules\":%u,\"unnoticed\":[",
             c->failed, c->noticed, c->reached, c->rules);
    for (uint32_t i = 0, n = 0; i < rs->nrules; i++) {
        if (!c->missed[i])
            continue;
        text_add(out, "%s", n++ ? "," : "");
        text_json(out, rs->rules[i].id);
    }
    text_add(out, "],\"changes\":{\"all\":%u,\"noticed\":%u,\"unnoticed\":[", c->mutants.n,
             c->mutants.noticed);
    for (uint32_t i = 0, n = 0; i < c->mutants.n; i++) {
        const struct mutant *m = &c->mutants.v[i];

        if (m->noticed)
            continue;
        text_add(out, "%s{\"how\":\"%s\",\"rule\":", n++ ? "," : "", changes[m->how]);
        text_json(out, rs->rules[m->rule].id);
        text_add(out, ",\"what\":");
        text_json(out, m->what);
        text_add(out, "}");
    }
    text_add(out, "]}}\n");
}
