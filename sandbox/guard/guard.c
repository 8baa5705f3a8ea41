/* guard.c - see guard.h: the beginning and the end, the record, the clock. */
#include "sandbox/guard/internal.h"

#include "base/fd.h"
#include "policies/canon.h"
#include "sandbox/guard/force.h"
#include "sandbox/image/data.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PARENT_LOOK_NS 500000000ull /* a parent that is narrowed narrows its children in time */

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

/* As many bytes of text as fit an object, whole characters. */
static size_t piece_of(const char *text, size_t len)
{
    size_t n = len < AUDIT_OBJECT_MAX ? len : AUDIT_OBJECT_MAX - 1;

    for (unsigned back = 0; n < len && back < 3 && ((uint8_t)text[n] & 0xc0) == 0x80; back++)
        n--;
    return n;
}

/* What was allowed and is longer than a record holds goes before it, in pieces: padding hides
 * nothing. What was denied did not happen. */
static int record_text(struct guard *g, const struct audit_record *of, const char *object,
                       struct err *e)
{
    size_t len = strlen(object), n;
    struct audit_record r = *of;
    int err = 0;

    r.decision = AUDIT_EVENT;
    r.grade = '-';
    snprintf(r.kind, sizeof(r.kind), "%.*s.text", (int)sizeof(r.kind) - 6, of->kind);
    for (; len && !err; object += n, len -= n) {
        n = piece_of(object, len);
        audit_text(r.object, sizeof(r.object), object, n);
        err = audit_log_append(g->log, &r, false, e);
    }
    return err;
}

/* A gap in what is recorded is itself on record, as soon as anything can be. */
static int record_missed(struct guard *g, const struct audit_record *of, struct err *e)
{
    struct audit_record r = *of;
    char text[64];
    int n, err;

    if (!g->missed)
        return 0;
    r.decision = AUDIT_EVENT;
    r.grade = '-';
    r.rule[0] = '\0';
    n = snprintf(text, sizeof(text), "%llu records could not be written",
                 (unsigned long long)g->missed);
    audit_text(r.kind, sizeof(r.kind), "audit.missed", strlen("audit.missed"));
    audit_text(r.object, sizeof(r.object), text, (size_t)n);
    err = audit_log_append(g->log, &r, false, e);
    if (!err)
        g->missed = 0;
    return err;
}

/* -EIO: it could not be recorded and the policy does not let it pass. */
int guard_record(struct guard *g, enum audit_decision decision, const char *kind,
                 const struct rule *rule, char grade, const char *object, struct err *e)
{
    struct audit_record r = {
        .decision = decision, .generation = g->generation, .grade = grade, .untrusted = g->unsure
    };
    struct err why = ERR_INIT;
    char actor[32];
    int err = 0;

    if (!g->log || !is_wanted(g, decision))
        return 0;
    snprintf(actor, sizeof(actor), "user:%u", g->actor);
    audit_text(r.policy, sizeof(r.policy), g->dossier.hash, strlen(g->dossier.hash));
    audit_text(r.actor, sizeof(r.actor), actor, strlen(actor));
    audit_text(r.kind, sizeof(r.kind), kind, strlen(kind));
    if (rule)
        audit_text(r.rule, sizeof(r.rule), rule->id, strlen(rule->id));
    err = record_missed(g, &r, &why);
    if (!err && decision == AUDIT_ALLOW && strlen(object) >= sizeof(r.object))
        err = record_text(g, &r, object, &why);
    audit_text(r.object, sizeof(r.object), object, strlen(object));
    if (!err)
        err = audit_log_append(g->log, &r, true, &why);
    if (err)
        g->missed++;
    if (err == 0 || g->plan->audit_on_fail == FAIL_CONTINUE)
        return 0;
    g->lost = g->plan->audit_on_fail == FAIL_STOP;
    return err_set(e, EIO, "it cannot be recorded: %s", why.msg);
}

void guard_note(struct guard *g, const char *kind, const char *object)
{
    (void)!guard_record(g, AUDIT_EVENT, kind, NULL, '-', object, NULL);
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

static int64_t seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec;
}

int64_t guard_now(const struct guard *g)
{
    int64_t now = seconds(CLOCK_REALTIME), least = seconds(CLOCK_BOOTTIME) + g->ahead;

    return now > least ? now : least;
}

static int load(struct guard *g, const struct guard_sandbox *s, char hint[240], struct err *e)
{
    struct problems ps = PROBLEMS_INIT;
    struct force f = { 0 };
    char hash[65];
    int err = dossier_load(&g->dossier, s->boxfd, DOSSIER_FILE, e);

    if (err)
        return err;
    err = force_make(&g->dossier, TRUST_RECORD, false, guard_now(g), &f, hash, &ps, e);
    g->policy = f.policy;
    g->until = f.until;
    if (err && ps.errors)
        err = first_problem(&ps, EACCES, hint, e);
    else if (!err && strcmp(hash, g->dossier.hash) != 0)
        err = err_set(e, EBADMSG, "the policy on record has another hash than it says");
    if (!err)
        g->rules = ruleset_make(g->policy, NULL);
    problems_fini(&ps);
    return err;
}

/* What is pinned is measured, on the very bytes that will boot: once, and its end is kept, for what
 * is said there of the image is covered by the digest only as it was then. */
static int measure(struct guard *g, const struct guard_sandbox *s, char image[65], char kernel[65],
                   struct err *e)
{
    int err = 0;

    if (g->policy->image.sha256)
        err = data_digest_end(s->image_fd, image, &g->image, e);
    else if (g->policy->image.verity)
        err = data_end_read(s->image_fd, &g->image, e);
    if (!err && g->policy->image.kernel.sha256)
        err = data_digest(s->kernel_fd, kernel, e);
    return err;
}

static int make_plan(struct guard *g, const struct guard_sandbox *s, char hint[240], struct err *e)
{
    const struct pair cwd = { "cwd", g->dossier.cwd };
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
    g->plan = plan_make(g->policy, &r, &s->host, &ps);
    if (!g->plan)
        err = first_problem(&ps, EACCES, hint, e);
    else if (!(g->profile = profile_make(g->policy, g->plan)))
        err = err_set(e, ENOMEM, "policy: no memory");
    problems_fini(&ps);
    return err;
}

/* The log's directory, the accounts in it, and whether it is within what its parent may. */
static int open_records(struct guard *g, const char *audit, struct err *e)
{
    const uint64_t limit[] = {
        [LEDGER_CALLS] = g->plan->budget_tool_calls, [LEDGER_CPU_MS] = g->plan->budget_cpu_ms
    };
    struct problems ps = PROBLEMS_INIT;
    auto_fd int top = places_open_dir(audit, e);
    int err;

    if (top < 0)
        return top;
    if (mkdirat(top, g->sandbox, 0700) && errno != EEXIST)
        return err_sys(e, "%s/%s", audit, g->sandbox);
    g->dir = openat(top, g->sandbox, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    err = g->dir < 0 ? err_sys(e, "%s/%s", audit, g->sandbox)
                     : dossier_save(&g->dossier, g->dir, DOSSIER_FILE, true, e);
    if (!err)
        err = family_open(&g->family, &g->dossier, audit, g->dir, limit, e);
    if (!err)
        err = family_check(&g->family, &g->dossier, g->policy, guard_now(g), &g->elders_until, &ps,
                           e);
    problems_fini(&ps);
    return err;
}

/* Of all logs; the caller's. */
static char *audit_path(struct err *e)
{
    char *state = places_state_dir(e), *audit = NULL;

    if (state && asprintf(&audit, "%s/audit", state) < 0) {
        audit = NULL;
        err_set(e, ENOMEM, "out of memory");
    }
    free(state);
    return audit;
}

int guard_open_log(struct guard *g, struct err *e)
{
    char *audit = g->log ? NULL : audit_path(e);
    auto_fd int top = audit ? places_open_dir(audit, e) : -1;

    free(audit);
    if (g->log)
        return 0;
    if (top < 0)
        return -e->code;
    if (!g->key)
        g->key = audit_key_own(top, "key", e);
    if (!g->key)
        return -e->code;
    g->log = audit_log_open(g->dir, g->sandbox, g->key, e);
    if (!g->log)
        return err_wrap(e, "audit log");
    audit_log_checkpoint_every(g->log, g->plan->audit_checkpoint_ms * 1000000);
    return 0;
}

static int open_audit(struct guard *g, const struct guard_sandbox *s, struct err *e)
{
    char *audit = audit_path(e);
    int err = audit ? open_records(g, audit, e) : -e->code;

    free(audit);
    text_add(&g->start, "%s image %s engine %s policy %s memory %llu vcpus %llu", s->cfg->name,
             s->cfg->image, s->engine, g->policy->name, (unsigned long long)g->plan->memory,
             (unsigned long long)g->plan->vcpus);
    if (!err && g->plan->audit_level != LEVEL_OFF)
        err = guard_open_log(g, e);
    return err ? err
               : guard_record(g, AUDIT_EVENT, s->adopted ? "sandbox.adopted" : "sandbox.start",
                              NULL, '-', text_str(&g->start), e);
}

struct guard *guard_open(const struct guard_sandbox *s, char hint[240], struct err *e)
{
    struct guard *g = calloc(1, sizeof(*g));
    int err;

    if (!g) {
        err_set(e, ENOMEM, "out of memory");
        return NULL;
    }
    g->dir = -1;
    g->family = FAMILY_INIT;
    g->actor = getuid();
    g->until = g->elders_until = INT64_MAX;
    g->ahead = seconds(CLOCK_REALTIME) - seconds(CLOCK_BOOTTIME);
    snprintf(g->sandbox, sizeof(g->sandbox), "%s", s->cfg->id);
    err = load(g, s, hint, e);
    if (!err)
        err = make_plan(g, s, hint, e);
    if (!err)
        err = open_audit(g, s, e);
    if (!err) {
        guard_open_quarantined(g, s->boxfd);
        return g;
    }
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
    family_close(&g->family);
    fd_closep(&g->dir);
    profile_free(g->profile);
    plan_free(g->plan);
    ruleset_free(g->rules);
    policy_free(g->policy);
    dossier_fini(&g->dossier);
    text_fini(&g->asked);
    text_fini(&g->held);
    text_fini(&g->start);
    free(g);
}

/* ---- at work ---- */

const struct plan *guard_plan(const struct guard *g)
{
    return g->plan;
}

const struct data_end *guard_image(const struct guard *g)
{
    return &g->image;
}

const struct profile *guard_profile(const struct guard *g)
{
    return g->profile;
}

const char *guard_denial(const struct guard *g)
{
    return g->denial;
}

const char *guard_hint(const struct guard *g)
{
    return g->hint;
}

int guard_use_cpu(struct guard *g, uint64_t ms, bool *over, struct err *e)
{
    unsigned whose;
    int err = ledger_spend(&g->family.ledger, LEDGER_CPU_MS, ms, true, &whose, e);

    *over = err == -EDQUOT;
    return *over ? 0 : err;
}

uint64_t guard_cpu_used(const struct guard *g)
{
    uint64_t ms = UINT64_MAX;

    return ledger_spent(&g->family.ledger, LEDGER_CPU_MS, &ms, NULL) ? UINT64_MAX : ms;
}

bool guard_has_parent(const struct guard *g)
{
    return g->family.nelders > 0;
}

void guard_acts_for(struct guard *g, uid_t user)
{
    g->actor = user;
}

bool guard_is_lost(const struct guard *g)
{
    return g->lost;
}

int guard_tick(struct guard *g)
{
    uint64_t ns = UINT64_MAX, log = UINT64_MAX;
    int64_t left;

    if (g->until != INT64_MAX && guard_now(g) >= g->until)
        guard_expire(g);
    if (family_has_changed(&g->family) || guard_now(g) >= g->elders_until)
        guard_follow_parent(g);
    if (g->family.nelders)
        ns = PARENT_LOOK_NS;
    if (g->log && !audit_log_tick(g->log, &log, NULL) && log < ns)
        ns = log;
    left = g->until - guard_now(g);
    if (g->until != INT64_MAX && left < 3600 && ns > (uint64_t)left * 1000000000)
        ns = left > 0 ? (uint64_t)left * 1000000000 : 0;
    return ns == UINT64_MAX ? -1 : ns / 1000000 < 3600000 ? (int)(ns / 1000000) + 1 : 3600000;
}
