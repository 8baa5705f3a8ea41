/* judge.c - each request decided, recorded, and completed. */
#include "sandbox/guard/internal.h"

#include "policies/load.h"
#include "policies/points.h"
#include "policies/words.h"
#include "sandbox/confine/compile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct decision quarantine = { .reason = REASON_DEFAULT, .failed = -1, .grade = 'H' };

/* Writes down what was decided; a denial is an error with the sentence everybody gets. */
static int conclude(struct guard *g, const char *kind, const struct request *q,
                    const struct decision *decided, struct err *e)
{
    const struct decision *d = g->quarantined ? &quarantine : decided;
    struct text says = TEXT_INIT, hint = text_fixed(g->hint, sizeof(g->hint));
    struct text json = text_fixed(g->denial, sizeof(g->denial));
    bool enforced = g->policy->mode == MODE_ENFORCE;
    int err;

    text_fini(&g->asked);
    g->asked = TEXT_INIT;
    point_print(q, &g->asked);
    err = guard_record(g, d->allowed ? AUDIT_ALLOW : AUDIT_DENY, kind, d->rule, d->grade,
                       text_str(&g->asked), e);
    if (!err && g->quarantined) {
        text_add(&hint, "carrel policy apply");
        err = err_set(e, EACCES, "denied: no sound policy is in force (carrel policy apply)");
    } else if (!err && !d->allowed && enforced) {
        decision_line(g->rules, q, d, &says);
        decision_hint(g->rules, q, d, &hint);
        decision_json(g->rules, q, d, &json);
        if (json.full) /* half a JSON text is none */
            g->denial[0] = '\0';
        err = err_set(e, EACCES, "%s", text_str(&says));
    }
    text_fini(&says);
    return err;
}

/* One more call of a tool: the budget is a number of the document like any other; a parent's is a
 * number of another document. */
static int count_call(struct guard *g, struct err *e)
{
    struct request q;
    struct decision d;
    uint64_t spent;
    unsigned whose;
    int err = ledger_spent(&g->family.ledger, LEDGER_CALLS, &spent, e);

    if (err)
        return err;
    request_init(&q, SPACE_RESOURCE);
    request_text(&q, RESOURCE_FIELD, "budget.tool_calls");
    request_number(&q, RESOURCE_VALUE, spent + 1);
    d = decide(g->rules, &q);
    if (!d.allowed)
        return conclude(g, "budget", &q, &d, e);
    err = ledger_spend(&g->family.ledger, LEDGER_CALLS, 1, false, &whose, e);
    if (err != -EDQUOT)
        return err;
    err = guard_record(g, AUDIT_DENY, "budget", NULL, 'H', "budget.tool_calls of a parent", e);
    return err ? err
               : err_set(e, EACCES,
                         "denied: the tool calls of the sandbox %s, on whose behalf this "
                         "runs, are used up",
                         g->dossier.ancestor[g->dossier.nancestors - whose]);
}

/* Of the command that a rule is; "" for another. */
static const char *id_of(const struct rule *rule)
{
    static const char head[] = "tools/commands/";

    return strncmp(rule->id, head, sizeof(head) - 1) ? "" : rule->id + sizeof(head) - 1;
}

static const struct command *command_of(const struct policy *p, const struct rule *rule)
{
    for (uint32_t i = 0; i < p->tools.commands.n; i++) {
        const struct command *c = p->tools.commands.v[i];

        if (strcmp(c->id, id_of(rule)) == 0)
            return c;
    }
    return NULL;
}

static struct tool_profile *tool_of(struct guard *g, const struct rule *rule, struct err *e)
{
    struct tool_profile *t = (struct tool_profile *)profile_tool(g->profile, id_of(rule));
    struct bpf_insn *prog;
    uint32_t n;

    if (!t) {
        err_set(e, EINVAL, "the rule %s names no command", rule->id);
        return NULL;
    }
    if (t->filter.prog)
        return t;
    prog = arena_get(&g->profile->arena, BPF_INSNS_MAX * sizeof(*prog));
    if (filter_compile(&t->model, prog, &n, e)) {
        err_wrap(e, "the filter of %s", rule->id);
        return NULL;
    }
    t->filter = (struct filter){ prog, n };
    return t;
}

/* Where a command starts that was not told: in the first directory that was mounted for it. */
static void complete_cwd(const struct policy *p, struct msg_builder *b, struct exec_ask *ask)
{
    for (uint32_t i = 0; !ask->cwd && i < p->storage.mounts.n; i++) {
        const struct mount *m = p->storage.mounts.v[i];

        if (m->access != ACCESS_NONE) {
            ask->cwd = m->target;
            msg_add_text(b, MSG_CWD, ask->cwd);
        }
    }
}

/* Who runs a command that was not told: the user of the rule that lets it. */
static void complete_user(const struct exec_ask *ask, const struct exec_answer *answer,
                          struct msg_builder *b)
{
    char user[32];

    if (ask->user || answer->uid == 0)
        return;
    snprintf(user, sizeof(user), "%u:%u", answer->uid, answer->uid);
    msg_add_text(b, MSG_USER, user);
}

/* What it gets goes into the books, to be asked about again: the point, then a line for each
 * program that it may execute ("+" for those that are anywhere, "-" when it may execute no more).
 */
static void hold(struct guard *g, const struct request *held, const struct programs *run)
{
    text_fini(&g->held);
    g->held = TEXT_INIT;
    point_print(held, &g->held);
    text_add(&g->held, "\n%s", run->any ? "+" : run->none ? "-" : "=");
    for (uint32_t i = 0; i < run->paths.n; i++)
        text_add(&g->held, "\n%s", run->paths.v[i]);
}

/* The same back. */
static const char *read_held(struct arena *a, const char *held, struct request *q,
                             struct programs *run)
{
    size_t len = strcspn(held, "\n");
    const char *why = point_parse_line(a, arena_copy(a, held, len), q), *p = held + len;

    *run = (struct programs){ .any = p[0] && p[1] == '+', .none = p[0] && p[1] == '-' };
    for (p += strlen("\n+"); !why && *p; p += len) {
        len = strcspn(++p, "\n");
        texts_add(a, &run->paths, arena_copy(a, p, len));
    }
    return why;
}

/* A command that may run gets what its rule gives. */
static int give(struct guard *g, struct arena *a, const struct exec_answer *answer,
                struct msg_builder *b, struct err *e)
{
    const struct tool_profile *t = tool_of(g, answer->decision.rule, e);
    const struct command *c = command_of(g->policy, answer->decision.rule);
    struct programs run;
    struct request held;

    if (!t || !c)
        return -e->code;
    programs_of(a, g->policy, c, &run);
    held = exec_held(a, c, answer);
    hold(g, &held, &run);
    return exec_complete(t, &run, answer, g->policy->require.landlock != REQUIRE_REQUIRED, b, e);
}

static int judge_exec(struct guard *g, struct msg_builder *b, struct err *e)
{
    struct arena a = ARENA_INIT;
    struct exec_ask ask;
    struct exec_answer answer = { 0 };
    int err = exec_read(&a, b, &ask, e);

    if (!err) {
        complete_cwd(g->policy, b, &ask);
        exec_decide(&a, g->rules, &ask, &answer);
        err = answer.decision.allowed && !g->quarantined ? count_call(g, e) : 0;
    }
    if (!err) {
        const struct request spoken = exec_spoken(&a, &answer.request);

        g->unsure = answer.decision.allowed && !answer.exe;
        err = conclude(g, "exec", &spoken, &answer.decision, e);
        g->unsure = false;
    }
    if (!err && answer.decision.allowed) {
        complete_user(&ask, &answer, b);
        err = give(g, &a, &answer, b, e);
    }
    arena_fini(&a);
    return err;
}

/* What goes in or comes out may be a tree whose names the keeper does not read. */
static int judge_copy(struct guard *g, struct msg_builder *b, bool in, struct err *e)
{
    const struct msg_frame m = { .type = b->bytes[0],
                                 .len = b->len,
                                 .body = b->bytes + MSG_HEADER };
    struct arena a = ARENA_INIT;
    struct msg_field f;
    struct request q;
    struct decision d;
    uint32_t pos = 0;
    const char *path = "";
    int err;

    while (msg_next_field(&m, &pos, &f) > 0)
        if (f.tag == MSG_PATH)
            path = path_clean(&a, arena_copy(&a, (const char *)f.at, f.len));
    request_init(&q, SPACE_FILE);
    request_text(&q, FILE_PATH, path);
    request_number(&q, FILE_OP, in ? FILE_CREATE : FILE_READ);
    d = decide_tree(g->rules, &q);
    err = d.allowed && !g->quarantined ? count_call(g, e) : 0;
    if (!err)
        err = conclude(g, "file", &q, &d, e);
    arena_fini(&a);
    return err;
}

int guard_judge(struct guard *g, struct msg_builder *b, struct err *e)
{
    g->hint[0] = g->denial[0] = '\0';
    switch (b->bytes[0]) {
    case MSG_EXEC: return judge_exec(g, b, e);
    case MSG_PUT: return judge_copy(g, b, true, e);
    case MSG_GET: return judge_copy(g, b, false, e);
    default: return err_set(e, EACCES, "a request of type %u is never made", b->bytes[0]);
    }
}

const char *guard_asked(const struct guard *g)
{
    return text_str(&g->asked);
}

const char *guard_held(const struct guard *g)
{
    return text_str(&g->held);
}

/* What was denied, as it may be written down: the request as it was recorded, and of a profile no
 * more than what it has too much of. */
static void speak(struct arena *a, const char *asked, const struct request *held,
                  const struct decision *d, struct text *out)
{
    struct request q;

    if (!held || d->failed < EXEC_CAPS || point_parse_line(a, asked, &q)) {
        text_add(out, "%s", asked);
        return;
    }
    q.v[d->failed] = held->v[d->failed];
    point_print(&q, out);
}

/* The rule that would let it start now lets it execute all that it may, too. */
static bool runs_no_more(struct guard *g, struct arena *a, const struct decision *d,
                         const struct programs *had)
{
    const struct command *c = d->rule ? command_of(g->policy, d->rule) : NULL;
    struct programs now;

    if (!c)
        return false;
    programs_of(a, g->policy, c, &now);
    return programs_within(had, &now);
}

bool guard_still(struct guard *g, const char *asked, const char *held, struct err *why)
{
    struct arena a = ARENA_INIT;
    struct request q;
    struct programs run;
    struct decision d = { .grade = 'H', .failed = -1 };
    struct text says = TEXT_INIT, object = TEXT_INIT;
    bool known =
        !g->outgrown && !(held ? read_held(&a, held, &q, &run) : point_parse_line(&a, asked, &q));
    bool still = false;

    if (known) {
        d = q.space == SPACE_FILE ? decide_tree(g->rules, &q) : decide(g->rules, &q);
        if (d.allowed && held && !runs_no_more(g, &a, &d, &run))
            text_add(&says, "%s lets it execute fewer programs now", d.rule->id);
        d.allowed = d.allowed && !says.len;
        still = d.allowed || g->policy->mode != MODE_ENFORCE;
    }
    if (!d.allowed) {
        speak(&a, asked, held && known ? &q : NULL, &d, &object);
        (void)!guard_record(g, AUDIT_DENY, strncmp(asked, "file", 4) ? "exec" : "file", d.rule,
                            d.grade, text_str(&object), NULL);
        if (!known)
            text_add(&says, "no sound policy is in force");
        else if (!says.len)
            decision_line(g->rules, &q, &d, &says);
        err_set(why, EACCES, "%s", text_str(&says));
    }
    text_fini(&says);
    text_fini(&object);
    arena_fini(&a);
    return still;
}
