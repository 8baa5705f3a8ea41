/* files.c - what carrel-files denied goes into the log: see guard.h. */
#include "sandbox/guard/internal.h"

#include "policies/points.h"
#include "policies/words.h"
#include "sandbox/files/scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct policy *guard_policy(const struct guard *g)
{
    return g->policy;
}

void guard_live_rules(const struct guard *g, struct text *out)
{
    if (!g->quarantined)
        scope_write(g->policy, out);
}

static bool has_live(const struct policy *p)
{
    for (uint32_t i = 0; i < p->storage.mounts.n; i++) {
        const struct mount *m = p->storage.mounts.v[i];

        if (m->share == SHARE_LIVE && m->access != ACCESS_NONE)
            return true;
    }
    return false;
}

int guard_check_live(struct guard *g, const struct policy *next, struct err *e)
{
    struct text now = TEXT_INIT, then = TEXT_INIT;
    int err = 0;

    scope_write(g->policy, &now);
    scope_write(next, &then);
    if (has_live(g->policy) &&
        (now.len != then.len || memcmp(text_str(&now), text_str(&then), now.len) != 0)) {
        err = err_set(e, EBUSY,
                      "storage is another, and a live mount's rules are the same for all of a run: "
                      "stop the sandbox first");
        guard_note(g, "policy.refused", e->msg);
    }
    text_fini(&now);
    text_fini(&then);
    return err;
}

void guard_note_denial(struct guard *g, uint32_t op, const char *path, uint32_t withheld)
{
    struct text t = TEXT_INIT;
    struct decision d;
    struct request q;

    if (withheld) {
        char missed[64];

        snprintf(missed, sizeof(missed), "%u denials of live mounts were too many", withheld);
        guard_note(g, "file.missed", missed);
    }
    request_init(&q, SPACE_FILE);
    request_text(&q, FILE_PATH, path);
    request_number(&q, FILE_OP, op);
    d = decide_leaf(g->rules, &q);
    point_print(&q, &t);
    g->unsure = true; /* the path is the guest's choice */
    (void)!guard_record(g, d.allowed ? AUDIT_EVENT : AUDIT_DENY, "file", d.rule, 'H', text_str(&t),
                        NULL);
    g->unsure = false;
    text_fini(&t);
}
