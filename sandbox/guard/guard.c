/* guard.c - see guard.h. */
#include "sandbox/guard/internal.h"

#include "base/fd.h"
#include "policies/canon.h"
#include "policies/points.h"
#include "policies/words.h"
#include "sandbox/audit/log.h"
#include "sandbox/confine/compile.h"
#include "sandbox/guard/digest.h"
#include "sandbox/guard/dossier.h"
#include "sandbox/guard/facts.h"
#include "sandbox/places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LEVEL_ALL, LEVEL_DECISIONS, LEVEL_DENIALS, LEVEL_OFF }; /* words_audit */
enum { FAIL_STOP, FAIL_PAUSE, FAIL_CONTINUE };                 /* words_on_fail */
enum { MODE_ENFORCE };                                         /* words_mode: the first */

struct guard {
    struct dossier dossier;
    struct policy *policy; /* owned, as all below */
    struct ruleset *rules;
    struct plan *plan;
    struct profile *profile; /* its tools' filters are compiled when they are first needed */
    struct audit_key *key;
    struct audit_log *log; /* NULL: the policy wants none */
    uint64_t calls;        /* of tools, allowed so far */
    bool lost;             /* the log failed, and the policy says to stop */
    char sandbox[BOX_ID_LEN + 1];
    char hint[240];
    char denial[GUARD_DENIAL_MAX];
};

/* ---- the record ---- */

static bool is_wanted(const struct guard *g, enum audit_decision d)
{
    switch (g->plan->audit_level) {
    case LEVEL_ALL: return true;
    case LEVEL_DECISIONS: return d != AUDIT_EVENT;
    case LEVEL_DENIALS: return d == AUDIT_DENY;
    default: return false;
    }
}

/* -EIO: it could not be recorded and the policy does not let it pass. */
static int record(struct guard *g, enum audit_decision decision, const char *kind,
                  const struct rule *rule, char grade, const char *object, struct err *e)
{
    struct audit_record r = { .decision = decision,
                              .grade = decision == AUDIT_EVENT ? '-' : grade };
    struct err why = ERR_INIT;
    char actor[32];

    if (!g->log || !is_wanted(g, decision))
        return 0;
    snprintf(actor, sizeof(actor), "user:%u", getuid());
    audit_text(r.policy, sizeof(r.policy), g->dossier.hash, strlen(g->dossier.hash));
    audit_text(r.actor, sizeof(r.actor), actor, strlen(actor));
    audit_text(r.kind, sizeof(r.kind), kind, strlen(kind));
    if (rule)
        audit_text(r.rule, sizeof(r.rule), rule->id, strlen(rule->id));
    audit_text(r.object, sizeof(r.object), object, strlen(object));
    if (audit_log_append(g->log, &r, true, &why) == 0 || g->plan->audit_on_fail == FAIL_CONTINUE)
        return 0;
    g->lost = g->plan->audit_on_fail == FAIL_STOP;
    return err_set(e, EIO, "it cannot be recorded: %s", why.msg);
}

void guard_note(struct guard *g, const char *kind, const char *object)
{
    (void)!record(g, AUDIT_EVENT, kind, NULL, '-', object, NULL);
}

/* ---- the beginning ---- */

static int first_problem(const struct problems *ps, int code, char hint[240], struct err *e)
{
    const struct problem *p = NULL;

    for (uint32_t i = 0; i < ps->n && !p; i++)
        if (ps->v[i].severity == PROBLEM_ERROR)
            p = &ps->v[i];
    if (ps->errors > 1)
        snprintf(hint, 240, "%u more; `carrel run --dry-run` prints all", ps->errors - 1);
    return p ? err_set(e, code, "%s:%u: %s", p->file, p->line, p->text)
             : err_set(e, code, "the policy is not sound");
}

static int load(struct guard *g, const struct guard_sandbox *s, char hint[240], struct err *e)
{
    struct problems ps = PROBLEMS_INIT;
    char hash[65];
    int err = dossier_load(&g->dossier, s->boxfd, e);

    if (err)
        return err;
    g->policy = dossier_policy(&g->dossier, &ps);
    if (!g->policy) {
        err = first_problem(&ps, EINVAL, hint, e);
    } else {
        policy_hash(g->policy, hash);
        if (strcmp(hash, g->dossier.hash) != 0)
            err = err_set(e, EBADMSG, "the policy on record has another hash than it says");
        else
            g->rules = ruleset_make(g->policy, NULL);
    }
    problems_fini(&ps);
    return err;
}

/* What is pinned is measured, on the very bytes that will boot. */
static int measure(const struct guard *g, const struct guard_sandbox *s, char image[65],
                   char kernel[65], struct err *e)
{
    int err = 0;

    if (g->policy->image.sha256)
        err = digest_of(s->image_fd, image, e);
    if (!err && g->policy->image.kernel.sha256)
        err = digest_of(s->kernel_fd, kernel, e);
    return err;
}

static int make_plan(struct guard *g, const struct guard_sandbox *s, char hint[240], struct err *e)
{
    const struct pair cwd = { "cwd", g->dossier.cwd };
    const struct host_facts facts = facts_of(s->engine);
    char image[65] = "", kernel[65] = "";
    struct problems ps = PROBLEMS_INIT;
    int err = measure(g, s, image, kernel, e);
    const struct plan_request r = { .vcpus = s->cfg->vcpus,
                                    .memory = s->cfg->mem_bytes,
                                    .wall_ms = s->cfg->wall_ms,
                                    .idle_ms = s->cfg->idle_ms,
                                    .disk = s->cfg->disk_bytes,
                                    .image = s->cfg->image,
                                    .image_sha256 = *image ? image : NULL,
                                    .kernel_sha256 = *kernel ? kernel : NULL,
                                    .vars = &cwd,
                                    .nvars = g->dossier.cwd ? 1 : 0 };

    if (err)
        return err;
    g->plan = plan_make(g->policy, &r, &facts, &ps);
    if (!g->plan)
        err = first_problem(&ps, EACCES, hint, e);
    else
        g->profile = profile_make(g->policy, g->plan);
    problems_fini(&ps);
    return err;
}

static int open_log(struct guard *g, struct err *e)
{
    char *state = places_state_dir(e), *path = NULL;
    int dir = -1, top = -1, err = state ? 0 : -e->code;

    if (!err && asprintf(&path, "%s/audit/%s", state, g->sandbox) < 0) {
        path = NULL;
        err = err_set(e, ENOMEM, "out of memory");
    }
    if (!err) {
        dir = places_open_dir(path, e);
        err = dir < 0 ? dir : dossier_save(&g->dossier, dir, e);
    }
    if (!err) {
        *strrchr(path, '/') = '\0';
        top = places_open_dir(path, e);
        err = top < 0 ? top : 0;
    }
    if (!err) {
        g->key = audit_key_own(top, "key", e);
        err = g->key ? 0 : -e->code;
    }
    if (!err) {
        g->log = audit_log_open(dir, g->sandbox, g->key, e);
        err = g->log ? 0 : -e->code;
    }
    fd_closep(&top);
    fd_closep(&dir);
    free(path);
    free(state);
    return err ? err_wrap(e, "audit log") : 0;
}

static int record_start(struct guard *g, const struct guard_sandbox *s, struct err *e)
{
    char text[AUDIT_OBJECT_MAX];

    snprintf(text, sizeof(text), "%s image %s engine %s policy %s memory %llu vcpus %llu",
             s->cfg->name, s->cfg->image, s->engine, g->policy->name,
             (unsigned long long)g->plan->memory, (unsigned long long)g->plan->vcpus);
    return record(g, AUDIT_EVENT, "sandbox.start", NULL, '-', text, e);
}

struct guard *guard_open(const struct guard_sandbox *s, char hint[240], struct err *e)
{
    struct guard *g = calloc(1, sizeof(*g));
    int err;

    if (!g) {
        err_set(e, ENOMEM, "out of memory");
        return NULL;
    }
    snprintf(g->sandbox, sizeof(g->sandbox), "%s", s->cfg->id);
    err = load(g, s, hint, e);
    if (!err)
        err = make_plan(g, s, hint, e);
    if (!err && g->plan->audit_level != LEVEL_OFF)
        err = open_log(g, e);
    if (!err)
        err = record_start(g, s, e);
    if (!err)
        return g;
    guard_close(g, "refused");
    return NULL;
}

void guard_close(struct guard *g, const char *reason)
{
    if (!g)
        return;
    if (g->log)
        guard_note(g, "sandbox.end", reason);
    (void)!audit_log_close(g->log, NULL);
    audit_key_free(g->key);
    profile_free(g->profile);
    plan_free(g->plan);
    ruleset_free(g->rules);
    policy_free(g->policy);
    dossier_fini(&g->dossier);
    free(g);
}

/* ---- at work ---- */

const struct plan *guard_plan(const struct guard *g)
{
    return g->plan;
}

const char *guard_denial(const struct guard *g)
{
    return g->denial;
}

const char *guard_hint(const struct guard *g)
{
    return g->hint;
}

bool guard_is_lost(const struct guard *g)
{
    return g->lost;
}

int guard_tick(struct guard *g)
{
    uint64_t ns = UINT64_MAX;

    if (!g->log || audit_log_tick(g->log, &ns, NULL) || ns == UINT64_MAX)
        return -1;
    return ns / 1000000 < 3600000 ? (int)(ns / 1000000) + 1 : 3600000;
}

/* Writes down what was decided; a denial is an error with the sentence everybody gets. */
static int conclude(struct guard *g, const char *kind, const struct request *q,
                    const struct decision *d, struct err *e)
{
    struct text point = TEXT_INIT, says = TEXT_INIT, hint = text_fixed(g->hint, sizeof(g->hint));
    struct text json = text_fixed(g->denial, sizeof(g->denial));
    bool enforced = g->policy->mode == MODE_ENFORCE;
    int err;

    point_print(q, &point);
    err = record(g, d->allowed ? AUDIT_ALLOW : AUDIT_DENY, kind, d->rule, d->grade,
                 text_str(&point), e);
    if (!err && !d->allowed && enforced) {
        decision_line(g->rules, q, d, &says);
        decision_hint(g->rules, q, d, &hint);
        decision_json(g->rules, q, d, &json);
        if (json.full) /* half a JSON text is none */
            g->denial[0] = '\0';
        err = err_set(e, EACCES, "%s", text_str(&says));
    }
    text_fini(&point);
    text_fini(&says);
    return err;
}

/* One more call of a tool: the budget is a number of the document like any other. */
static int count_call(struct guard *g, struct err *e)
{
    struct request q;
    struct decision d;

    request_init(&q, SPACE_RESOURCE);
    request_text(&q, RESOURCE_FIELD, "budget.tool_calls");
    request_number(&q, RESOURCE_VALUE, g->calls + 1);
    d = decide(g->rules, &q);
    if (!d.allowed)
        return conclude(g, "budget", &q, &d, e);
    g->calls++;
    return 0;
}

static struct tool_profile *tool_of(struct guard *g, const struct rule *rule, struct err *e)
{
    static const char head[] = "tools/commands/";
    const char *id = strncmp(rule->id, head, sizeof(head) - 1) ? "" : rule->id + sizeof(head) - 1;
    struct tool_profile *t = (struct tool_profile *)profile_tool(g->profile, id);
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

static int judge_exec(struct guard *g, struct msg_builder *b, struct err *e)
{
    struct arena a = ARENA_INIT;
    struct exec_ask ask;
    struct exec_answer answer;
    int err = exec_read(&a, b, &ask, e);

    if (!err) {
        exec_decide(&a, g->rules, &ask, &answer);
        err = answer.decision.allowed ? count_call(g, e) : 0;
    }
    if (!err)
        err = conclude(g, "exec", &answer.request, &answer.decision, e);
    if (!err && answer.decision.allowed) {
        const struct tool_profile *t = tool_of(g, answer.decision.rule, e);

        err = t ? exec_complete(t, &answer, g->policy->require.landlock != REQUIRE_REQUIRED, b, e)
                : -e->code;
    }
    arena_fini(&a);
    return err;
}

/* A tree that goes in or comes out is decided by its path. */
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
    d = decide(g->rules, &q);
    err = d.allowed ? count_call(g, e) : 0;
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
