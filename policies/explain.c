/* explain.c - a decision in words: which rule, where, who enforces it, what would change it. */
#include "policies/decide.h"
#include "policies/points.h"
#include "policies/words.h"

#include <inttypes.h>
#include <string.h>

static void words_of(const struct dim *d, uint64_t bits, struct text *out)
{
    bool first = true;

    for (unsigned i = 0; d->words[i]; i++) {
        if (!(bits >> i & 1))
            continue;
        text_add(out, "%s%s", first ? "" : ", ", d->words[i]);
        first = false;
    }
    if (first)
        text_add(out, "nothing");
}

#define SHOWN_MAX 8u

static void globs_of(const struct globs *g, struct text *out)
{
    for (uint32_t i = 0; i < g->n && i < SHOWN_MAX; i++)
        text_add(out, "%s%s", i ? ", " : "", g->v[i].text);
    text_add(out, "%s", g->n == 0 ? "an empty list" : g->n > SHOWN_MAX ? ", …" : "");
}

/* The first of a list that a cell does not have; of a variable its name, for a value may be
 * secret. */
static void list_of(const struct value *v, const struct cell *c, struct text *out)
{
    for (uint32_t i = 0; i < v->list.n; i++) {
        struct value one = *v;

        one.list = (struct args){ &v->list.v[i], 1 };
        if (cell_has(c, &one))
            continue;
        text_add(out, ", which lacks %.*s", (int)strcspn(v->list.v[i], "="), v->list.v[i]);
        return;
    }
}

static void bits_of(const struct dim *d, const struct value *v, const struct cell *c,
                    struct text *out)
{
    for (unsigned i = 0; v->bits && i < BITS_MAX; i++)
        if (bits_has(v->bits, i) && !bits_has(&c->all, i))
            text_add(out, ", which lacks %s",
                     strcmp(d->name, "caps") == 0 ? capability_name(i) : syscall_name(i));
}

static void hosts_of(const struct cell *c, struct text *out)
{
    static const char *const fronts[] = { "", "*.", "**." };

    for (uint32_t i = 0; i < c->hosts.n && i < SHOWN_MAX; i++)
        text_add(out, "%s%s%s", i ? ", " : "", fronts[c->hosts.v[i].kind], c->hosts.v[i].name);
    text_add(out, "%s", c->hosts.n > SHOWN_MAX ? ", …" : "");
}

/* What a cell has, in a few words. */
static void cell_print(const struct dim *d, const struct value *v, const struct cell *c,
                       struct text *out)
{
    switch (c->type) {
    case DIM_WORD:
    case DIM_ALL_WORD:
        for (uint32_t i = 0; i < c->words.n && i < SHOWN_MAX; i++)
            text_add(out, "%s%s", i ? ", " : "", c->words.v[i]);
        text_add(out, "%s", c->words.n ? "" : "an empty list");
        break;
    case DIM_ENUM: words_of(d, c->bits, out); break;
    case DIM_NUM:
        for (uint32_t i = 0; i < c->ranges.n && i < SHOWN_MAX; i++) {
            text_add(out, "%s", i ? ", " : "");
            units_print(d->unit, c->ranges.v[i].lo, out);
            if (c->ranges.v[i].hi != c->ranges.v[i].lo) {
                text_add(out, "..");
                units_print(d->unit, c->ranges.v[i].hi, out);
            }
        }
        break;
    case DIM_HOST: hosts_of(c, out); break;
    case DIM_GLOB:
    case DIM_ALL_GLOB: globs_of(&c->globs.pos, out); break;
    case DIM_ADDR: text_add(out, "the rule's addresses"); break;
    case DIM_ARGV: text_add(out, "the rule's argument patterns"); break;
    case DIM_ARGS: text_add(out, "the rule's conditions"); break;
    case DIM_ALL_BITS:
        text_add(out, "the granted set");
        bits_of(d, v, c, out);
        break;
    }
}

/* The clause of the rule that came nearest. */
static const struct cell *failed_cell(const struct ruleset *rs, const struct request *r,
                                      const struct decision *d)
{
    const struct clauses *cs = &rs->space[r->space];

    for (uint32_t i = 0; i < cs->n; i++)
        if (&rs->rules[cs->v[i].rule] == d->rule && cs->v[i].cell[d->failed] &&
            !cell_has(cs->v[i].cell[d->failed], &r->v[d->failed]))
            return cs->v[i].cell[d->failed];
    return NULL;
}

/* The value of a resource in its own unit, and what the policy says. */
static void resource_why(const struct request *r, const struct cell *c, struct text *out)
{
    const struct field *f = r->v[RESOURCE_FIELD].s ? field_by_path(r->v[RESOURCE_FIELD].s) : NULL;

    if (!f || !field_is_number(f) || !c || !c->ranges.n)
        return;
    text_add(out, "%s ", f->key);
    field_print_number(f, r->v[RESOURCE_VALUE].n, out);
    text_add(out, f->combine == C_MOST ? " is less than " : " is more than ");
    field_print_number(f, f->combine == C_MOST ? c->ranges.v[0].lo : c->ranges.v[0].hi, out);
}

static void why(const struct ruleset *rs, const struct request *r, const struct decision *d,
                struct text *out)
{
    const struct space *s = &spaces[r->space];

    if (d->allowed) {
        text_add(out, "allowed by this rule");
    } else if (d->reason == REASON_MALFORMED) {
        text_add(out, "the request is refused as such: %s", d->why);
    } else if (d->reason == REASON_ADDRESS) {
        text_add(out, "the address is never reachable: %s", d->why);
    } else if (d->reason == REASON_DENIED) {
        text_add(out, "denied by this rule");
    } else if (d->failed < 0) {
        text_add(out, "no rule of %s is about it", s->section);
    } else {
        const struct dim *dim = &s->dims[d->failed];
        const struct value *v = &r->v[d->failed];
        const struct cell *c = failed_cell(rs, r, d);

        if (r->space == SPACE_RESOURCE && d->failed == RESOURCE_VALUE) {
            resource_why(r, c, out);
            return;
        }
        text_add(out, "%s", dim->name);
        if (v->present && dim->type != DIM_ARGV && dim->type < DIM_ARGS) {
            text_add(out, " ");
            value_print(dim, v, out);
        }
        text_add(out, v->present ? " is not in " : " is not given; it must be in ");
        if (c)
            cell_print(dim, v, c, out);
        if (c && (c->type == DIM_ALL_WORD || c->type == DIM_ALL_GLOB))
            list_of(v, c, out);
    }
}

void decision_hint(const struct ruleset *rs, const struct request *r, const struct decision *d,
                   struct text *out)
{
    const char *section = spaces[r->space].section;

    if (d->allowed)
        text_add(out, "to deny it, narrow or remove rule %s", d->rule->id);
    else if (d->reason == REASON_MALFORMED)
        text_add(out, "ask with the canonical form");
    else if (d->reason == REASON_ADDRESS)
        text_add(out, "no rule can change this");
    else if (d->reason == REASON_DENIED)
        text_add(out, "a deny rule wins over every allow rule; only the owner of %s can lift it",
                 d->rule->id);
    else if (d->needs_approval)
        text_add(out, "a person has to approve this call");
    else if (d->failed < 0)
        text_add(out, "add a rule to %s", section);
    else {
        text_add(out, "widen %s of rule %s at ", spaces[r->space].dims[d->failed].name,
                 d->rule->id);
        policy_place(rs->policy, d->rule->spot, out);
    }
}

static void place(const struct ruleset *rs, const struct decision *d, struct text *out)
{
    if (d->rule)
        policy_place(rs->policy, d->rule->spot, out);
    else
        text_add(out, "%s", rs->policy->files[0]);
}

static const char *rule_id(const struct request *r, const struct decision *d, struct text *buf)
{
    if (d->reason == REASON_ADDRESS)
        text_add(buf, "network/never");
    else if (d->reason == REASON_MALFORMED || !d->rule)
        text_add(buf, "%s/default", r->space < SPACES ? spaces[r->space].section : "?");
    else
        text_add(buf, "%s", d->rule->id);
    return text_str(buf);
}

void decision_print(const struct ruleset *rs, const struct request *r, const struct decision *d,
                    struct text *out)
{
    struct text id = TEXT_INIT;

    text_add(out, "%s  ", d->allowed ? "ALLOW" : d->needs_approval ? "ASK" : "DENY");
    place(rs, d, out);
    text_add(out, "  %s  grade %c\n  ", rule_id(r, d, &id), d->grade);
    why(rs, r, d, out);
    text_add(out, "\n  hint: ");
    decision_hint(rs, r, d, out);
    text_add(out, "\n");
    text_fini(&id);
}

void decision_line(const struct ruleset *rs, const struct request *r, const struct decision *d,
                   struct text *out)
{
    struct text id = TEXT_INIT;

    text_add(out, "%s by %s (", d->allowed ? "allowed" : "denied", rule_id(r, d, &id));
    place(rs, d, out);
    text_add(out, "): ");
    why(rs, r, d, out);
    text_fini(&id);
}

void decision_json(const struct ruleset *rs, const struct request *r, const struct decision *d,
                   struct text *out)
{
    struct text t = TEXT_INIT;

    text_add(out, "{\"allowed\":%s,\"grade\":\"%c\",\"hint\":", d->allowed ? "true" : "false",
             d->grade);
    decision_hint(rs, r, d, &t);
    text_json(out, text_str(&t));
    text_fini(&t);
    text_add(out, ",\"place\":");
    place(rs, d, &t);
    text_json(out, text_str(&t));
    text_fini(&t);
    text_add(out, ",\"reason\":");
    why(rs, r, d, &t);
    text_json(out, text_str(&t));
    text_fini(&t);
    text_add(out, ",\"rule\":");
    text_json(out, rule_id(r, d, &t));
    text_add(out, ",\"verdict\":\"%s\"}",
             d->allowed          ? "allow"
             : d->needs_approval ? "ask"
                                 : "deny");
    text_fini(&t);
}
