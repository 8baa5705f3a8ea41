/*
 * reload.c - another policy for a running sandbox: one that narrows, by command; what is left when
 * a grant expires, by the clock. Whatever goes wrong, nothing more is allowed than before.
 */
#include "sandbox/guard/internal.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "policies/layers.h"
#include "sandbox/guard/force.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Numbers that the clocks of a running sandbox follow; what its machine is made of stays. */
static void follow(struct plan *plan, const struct policy *p)
{
    plan->wall_ms = p->limits.wall < plan->wall_ms ? p->limits.wall : plan->wall_ms;
    plan->idle_ms = p->limits.idle < plan->idle_ms ? p->limits.idle : plan->idle_ms;
    plan->budget_cpu_ms = p->budget.cpu;
    plan->budget_tool_calls = p->budget.tool_calls;
    plan->audit_level = p->audit.level;
    plan->audit_checkpoint_ms = p->audit.checkpoint;
    plan->audit_on_fail = p->audit.on_fail;
}

static void take_over(struct guard *g, struct force *f)
{
    uint64_t limit[LEDGER_ITEMS];

    profile_free(g->profile);
    ruleset_free(g->rules);
    policy_free(g->policy);
    g->policy = f->policy;
    g->until = f->until;
    g->rules = ruleset_make(g->policy, NULL);
    follow(g->plan, g->policy);
    g->profile = profile_make(g->policy, g->plan);
    g->generation++;
    if (g->log)
        audit_log_checkpoint_every(g->log, g->plan->audit_checkpoint_ms * 1000000);
    limit[LEDGER_CALLS] = g->plan->budget_tool_calls;
    limit[LEDGER_CPU_MS] = g->plan->budget_cpu_ms;
    (void)!ledger_limit(&g->family.ledger, limit, NULL);
}

static int quarantine(struct guard *g, const char *why, struct err *e)
{
    char text[sizeof(e->msg)]; /* why may be e's own */

    snprintf(text, sizeof(text), "%s", why);
    g->quarantined = true;
    guard_note(g, "policy.quarantine", text);
    return err_set(e, EINVAL, "everything is denied from now on: %s", text);
}

/* Is the policy that the documents alone make within what those in force make? What a grant adds
 * for a time is no reason to let a document have it for ever. */
static int compare(struct guard *g, const struct dossier *next, struct err *e)
{
    struct problems ps = PROBLEMS_INIT;
    struct policy *p = dossier_policy(next, &ps), *now = dossier_policy(&g->dossier, NULL);
    char why[200] = "it is not sound";
    int err = 0;

    if (p && now && !policy_must_narrow(p, now, "what is in force", &ps)) {
        if (ps.n)
            snprintf(why, sizeof(why), "%s", ps.v[ps.n - 1].text);
        err = policy_must_narrow(now, p, "the new policy", &ps) ? -EACCES : -EINVAL;
    }
    if (err == -EACCES) {
        guard_note(g, "policy.refused", why);
        err_set(e, EACCES, "it is wider, so what is in force stays: %s", why);
    } else if (err || !p || !now) {
        err = quarantine(g, why, e);
    }
    policy_free(p);
    policy_free(now);
    problems_fini(&ps);
    return err;
}

static bool same_family(const struct dossier *a, const struct dossier *b)
{
    bool same = a->nancestors == b->nancestors;

    for (unsigned i = 0; same && i < a->nancestors; i++)
        same = strcmp(a->ancestor[i], b->ancestor[i]) == 0;
    return same;
}

/* With its grants it is still what those it runs for may, and there is a log if it wants one. */
static int fits(struct guard *g, const struct force *f, int64_t *until, struct problems *ps,
                struct err *e)
{
    int err = family_check(&g->family, &g->dossier, f->policy, guard_now(g), until, ps, e);

    if (err)
        guard_note(g, "policy.refused", e->msg);
    return !err && f->policy->audit.level != LEVEL_OFF ? guard_open_log(g, e) : err;
}

/* Where a keeper that starts again looks, and where its children do. Both, whatever one says. */
static int save(struct guard *g, int boxfd, struct err *e)
{
    int err = dossier_save(&g->dossier, g->dir, DOSSIER_FILE, true, e);
    int also = dossier_save(&g->dossier, boxfd, DOSSIER_FILE, true, err ? NULL : e);

    return err ? err : also;
}

/* A new start does not bring the old policy back. */
static void mark(const struct guard *g, int boxfd)
{
    auto_fd int fd = -1;

    if (g->quarantined)
        fd = openat(boxfd, DOSSIER_NONE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    else
        (void)unlinkat(boxfd, DOSSIER_NONE, 0);
    if (fd >= 0)
        (void)fsync(fd);
}

void guard_open_quarantined(struct guard *g, int boxfd)
{
    struct err e = ERR_INIT;

    g->quarantined = faccessat(boxfd, DOSSIER_NONE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (g->quarantined)
        (void)!guard_reload(g, boxfd, &e);
}

static int reload(struct guard *g, int boxfd, struct err *e)
{
    struct problems ps = PROBLEMS_INIT;
    struct dossier next;
    struct force f = { 0 };
    int64_t until = INT64_MAX;
    bool had_log = g->log != NULL;
    int err = dossier_load(&next, boxfd, DOSSIER_NEXT, e);

    if (!err && FAILPOINT("reload.loaded"))
        err = err_sys(e, "policy");

    if (err) {
        dossier_fini(&next);
        return quarantine(g, e->msg, e);
    }
    err = compare(g, &next, e);
    if (!err && !same_family(&g->dossier, &next))
        err = err_set(e, EINVAL, "a policy does not change on whose behalf a sandbox runs");
    if (!err && force_make(&next, TRUST_RECORD, false, guard_now(g), &f, next.hash, &ps, e))
        err = quarantine(g, ps.n ? ps.v[0].text : e->msg, e);
    if (!err)
        err = guard_check_fixed(g, f.policy, e);
    if (!err)
        err = fits(g, &f, &until, &ps, e);
    if (!err) {
        dossier_fini(&g->dossier);
        g->dossier = next;
        next = (struct dossier){ 0 };
        take_over(g, &f);
        f.policy = NULL;
        g->quarantined = g->outgrown = false;
        g->elders_until = until;
        g->changed = true;
        if (!had_log && g->log)
            guard_note(g, "sandbox.start", text_str(&g->start));
        err = FAILPOINT("reload.save") ? err_sys(e, "policy") : save(g, boxfd, e);
        guard_note(g, "policy.change", g->policy->name);
    }
    policy_free(f.policy);
    dossier_fini(&next);
    problems_fini(&ps);
    return err;
}

int guard_reload(struct guard *g, int boxfd, struct err *e)
{
    int err = reload(g, boxfd, e);

    mark(g, boxfd);
    return err;
}

void guard_follow_parent(struct guard *g)
{
    struct problems ps = PROBLEMS_INIT;
    struct err e = ERR_INIT;

    g->elders_until = INT64_MAX;
    if (family_check(&g->family, &g->dossier, g->policy, guard_now(g), &g->elders_until, &ps, &e)) {
        (void)quarantine(g, e.msg, &e);
        g->outgrown = g->changed = true;
    }
    problems_fini(&ps);
}

/* A grant's time is over: what is left of the policy is in force, which is narrower. */
void guard_expire(struct guard *g)
{
    struct problems ps = PROBLEMS_INIT;
    struct force f = { 0 };
    struct err e = ERR_INIT;

    g->until = INT64_MAX;
    if (force_make(&g->dossier, TRUST_LOOK, true, guard_now(g), &f, g->dossier.hash, &ps, &e)) {
        (void)quarantine(g, e.msg, &e);
        g->outgrown = true; /* what the grant alone allowed is not to go on */
    } else {
        take_over(g, &f);
        guard_note(g, "policy.change", "a grant has expired");
    }
    g->changed = true;
    problems_fini(&ps);
}

bool guard_has_changed(struct guard *g)
{
    bool changed = g->changed;

    g->changed = false;
    return changed;
}
