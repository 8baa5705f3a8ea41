/*
 * lint_entries.c - rules about rules that never decide. Exact: all allows and denials that CR702
 * and CR703 name can be removed together, and no answer changes.
 */
#include "policies/compare.h"
#include "policies/lint_rules.h"
#include "policies/solve.h"

#include <string.h>

#define NAMES_SHOWN 3u

/* Numbers of the document, and what is there once, are not rules that somebody wrote twice. */
static bool compared_in(enum space_id s)
{
    return s != SPACE_RESOURCE && s != SPACE_IMAGE && s != SPACE_SNAPSHOT && s != SPACE_FORK;
}

/* Where a rule's purpose is: a stream that opens for no request is none. */
static bool purpose(enum space_id s)
{
    return s != SPACE_CONNECT && s != SPACE_DIAL && s != SPACE_MOUNT;
}

struct cover {
    struct linter *l;
    const struct ruleset *rs;
    uint64_t work;
    bool *gone;       /* a rule: a finding says that it can be removed */
    bool *by;         /* a rule: counts as there, for the question at hand */
    bool *near;       /* a rule: has a clause that meets the one at hand */
    bool too_complex; /* of the question at hand */
    struct arena arena;
};

static bool spend(struct cover *c, uint64_t n)
{
    if (c->work < n) {
        c->work = 0;
        c->too_complex = true;
        return false;
    }
    c->work -= n;
    return true;
}

static enum solved ask(struct cover *c, enum space_id space, const struct clause *const *must,
                       uint32_t nmust, const struct clause *const *avoid, uint32_t navoid)
{
    struct arena tmp = ARENA_INIT;
    struct question q = { space, must, nmust, avoid, navoid, &c->work };
    struct request r;
    enum solved s = solve(&q, &tmp, &r);

    arena_fini(&tmp);
    if (s == SOLVED_TOO_COMPLEX)
        c->too_complex = true;
    return s;
}

/*
 * Has one clause a point that no denial that is left has, and none of the allows of `by`? near
 * learns which rules were worth asking.
 */
static bool sticks_out(struct cover *c, enum space_id space, const struct clause *clause)
{
    const struct clauses *cs = &c->rs->space[space];
    struct arena tmp = ARENA_INIT;
    const struct clause **avoid = arena_get(&tmp, (cs->n + 1) * sizeof(void *));
    uint32_t n = 0;
    bool out = true;

    for (uint32_t i = 0; i < cs->n && spend(c, 1); i++) {
        const struct clause *o = &cs->v[i];

        if (o->rule == clause->rule || c->gone[o->rule] || (!o->deny && !c->by[o->rule]) ||
            clause_disjoint(clause, o, spaces[space].n))
            continue;
        c->near[o->rule] = true;
        avoid[n++] = o;
        if (clause_within(clause, o, spaces[space].n))
            out = false;
    }
    if (out && !c->too_complex)
        out = ask(c, space, &clause, 1, avoid, n) != SOLVED_NONE;
    arena_fini(&tmp);
    return out;
}

static bool rule_sticks_out(struct cover *c, uint32_t rule, bool only_purpose)
{
    bool seen = false;

    for (unsigned s = 0; s < SPACES; s++) {
        const struct clauses *cs = &c->rs->space[s];

        if (!compared_in(s) || (only_purpose && !purpose(s)))
            continue;
        for (uint32_t i = 0; i < cs->n; i++) {
            if (cs->v[i].rule != rule)
                continue;
            seen = true;
            if (sticks_out(c, s, &cs->v[i]))
                return true;
        }
    }
    return !seen;
}

static void set_all(struct cover *c, bool *v, bool to)
{
    for (uint32_t i = 0; i < c->rs->nrules; i++)
        v[i] = to;
}

/* The rules of `by` without which the cover is none. */
static void smallest(struct cover *c, uint32_t rule)
{
    for (uint32_t i = 0; i < c->rs->nrules; i++) {
        if (!c->by[i])
            continue;
        c->by[i] = false;
        if (c->near[i] && rule_sticks_out(c, rule, false))
            c->by[i] = true;
    }
}

static void name_them(const struct cover *c, struct text *out)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->rs->nrules; i++) {
        if (!c->by[i])
            continue;
        if (n < NAMES_SHOWN) {
            text_add(out, "%s%s (", n ? ", " : "", c->rs->rules[i].id);
            policy_place(c->rs->policy, c->rs->rules[i].spot, out);
            text_add(out, ")");
        }
        n++;
    }
    if (n > NAMES_SHOWN)
        text_add(out, " and %u more", n - NAMES_SHOWN);
}

static void idle_allow(struct cover *c, uint32_t rule, bool dead)
{
    const struct rule *r = &c->rs->rules[rule];
    struct text t = TEXT_INIT;

    c->too_complex = false;
    set_all(c, c->near, false);
    set_all(c, c->by, false);
    if (dead) {
        if (!rule_sticks_out(c, rule, true)) {
            for (uint32_t i = 0; i < c->rs->nrules; i++)
                c->by[i] = c->near[i] && c->rs->rules[i].deny;
            name_them(c, &t);
            lint_say_of(c->l, r->id, r->spot, "allows nothing%s%s", t.len ? ": denied by " : "",
                        text_str(&t));
        }
    } else if (rule_sticks_out(c, rule, true)) {
        set_all(c, c->by, true);
        if (!rule_sticks_out(c, rule, false)) {
            smallest(c, rule);
            name_them(c, &t);
            lint_say_of(c->l, r->id, r->spot, "what it allows is allowed by %s", text_str(&t));
            c->gone[rule] = true;
        }
    }
    text_fini(&t);
}

/* Does the denial take away anything that is allowed and that the denials of `by` leave? */
static bool denial_matters(struct cover *c, uint32_t rule)
{
    for (unsigned s = 0; s < SPACES; s++) {
        const struct clauses *cs = &c->rs->space[s];
        struct arena tmp = ARENA_INIT;
        const struct clause **avoid = arena_get(&tmp, (cs->n + 1) * sizeof(void *));
        uint32_t n = 0;
        bool matters = false;

        for (uint32_t i = 0; i < cs->n; i++)
            if (cs->v[i].deny && cs->v[i].rule != rule && c->by[cs->v[i].rule] &&
                !c->gone[cs->v[i].rule])
                avoid[n++] = &cs->v[i];
        for (uint32_t i = 0; i < cs->n && !matters; i++) {
            if (cs->v[i].rule != rule)
                continue;
            for (uint32_t k = 0; k < cs->n && !matters; k++) {
                const struct clause *both[] = { &cs->v[i], &cs->v[k] };

                if (!spend(c, 1))
                    matters = true;
                else if (!cs->v[k].deny && !clause_disjoint(both[0], both[1], spaces[s].n))
                    matters = ask(c, s, both, 2, avoid, n) != SOLVED_NONE;
            }
        }
        arena_fini(&tmp);
        if (matters)
            return true;
    }
    return false;
}

static void idle_deny(struct cover *c, uint32_t rule)
{
    const struct rule *r = &c->rs->rules[rule];

    c->too_complex = false;
    set_all(c, c->by, false);
    if (!denial_matters(c, rule)) {
        lint_say_of(c->l, r->id, r->spot, "denies nothing that is allowed");
        c->gone[rule] = true;
        return;
    }
    set_all(c, c->by, true);
    if (!c->too_complex && !denial_matters(c, rule)) {
        struct text t = TEXT_INIT;

        for (uint32_t i = 0; i < c->rs->nrules; i++) {
            bool was = c->by[i];

            c->by[i] = false;
            c->by[i] =
                was && c->rs->rules[i].deny && !c->gone[i] && i != rule && denial_matters(c, rule);
        }
        name_them(c, &t);
        lint_say_of(c->l, r->id, r->spot, "what it denies is denied by %s", text_str(&t));
        c->gone[rule] = true;
        text_fini(&t);
    }
}

enum idle { DEAD, COVERED, DENIALS, UNKNOWN };

/* Later rules first: of two that are the same the first one stays. */
static void idle(struct linter *l, enum idle which)
{
    uint32_t n = l->rs->nrules;
    struct cover c = { .l = l, .rs = l->rs, .work = SOLVE_WORK };
    bool unknown = false;

    c.gone = arena_get(&c.arena, n + 1);
    c.by = arena_get(&c.arena, n + 1);
    c.near = arena_get(&c.arena, n + 1);
    for (uint32_t i = n; i-- > 0;) {
        const struct rule *r = &l->rs->rules[i];

        if (strcmp(r->id, "storage/root") == 0)
            continue;
        if (r->deny ? which == DENIALS || which == UNKNOWN : which != DENIALS) {
            struct findings none = FINDINGS_INIT, *out = l->out;

            if (which == UNKNOWN)
                l->out = &none;
            if (r->deny)
                idle_deny(&c, i);
            else
                idle_allow(&c, i, which == DEAD);
            l->out = out;
            findings_fini(&none);
            unknown = unknown || c.too_complex;
        }
    }
    if (which == UNKNOWN && unknown)
        lint_say(l, "network", "the rules are too many or too complex to compare all of them");
    arena_fini(&c.arena);
}

static void dead(struct linter *l, const void *object)
{
    (void)object;
    idle(l, DEAD);
}

static void covered(struct linter *l, const void *object)
{
    (void)object;
    idle(l, COVERED);
}

static void idle_denials(struct linter *l, const void *object)
{
    (void)object;
    idle(l, DENIALS);
}

static void unknown(struct linter *l, const void *object)
{
    (void)object;
    idle(l, UNKNOWN);
}

/* clang-format off */
static const struct lint_check checks[] = {
    { { "CR701", "allows-nothing", LINT_WARNING, "A rule that can never decide was meant to do something.", "Correct it, or remove it." }, EACH_POLICY, dead },
    { { "CR702", "covered-allow", LINT_WARNING, "Narrowing this rule, or removing it, changes nothing: the other one still allows it.", "Remove it, or narrow the one that covers it." }, EACH_POLICY, covered },
    { { "CR703", "denial-without-effect", LINT_NOTE, "A denial of what is denied anyway is a reminder at best, and a misspelt one at worst.", "Check its spelling; keep it in a layer that others extend." }, EACH_POLICY, idle_denials },
    { { "CR704", "not-compared", LINT_NOTE, "Past a limit the search for rules without effect stops, and some may be left.", "Split the policy, or use fewer crossing patterns." }, EACH_POLICY, unknown },
};
/* clang-format on */

const struct lint_checks lint_entries = { checks, array_len(checks) };
