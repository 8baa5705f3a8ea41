/* files.c - what carrel-files denied goes into the log: see guard.h. */
#include "sandbox/guard/internal.h"

#include "policies/points.h"
#include "sandbox/files/scope.h"

#include <stdio.h>

const struct policy *guard_policy(const struct guard *g)
{
    return g->policy;
}

void guard_live_rules(const struct guard *g, struct text *out)
{
    if (!g->quarantined)
        scope_write(g->policy, out);
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
