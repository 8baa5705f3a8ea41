/* audit_policy.h - the policy that a log was written under, from the copy beside it. */
#ifndef SANDBOX_CLI_AUDIT_POLICY_H
#define SANDBOX_CLI_AUDIT_POLICY_H

#include "sandbox/audit/report.h"
#include "sandbox/guard/dossier.h"

struct audit_policy {
    struct policy *policy; /* owned; NULL: it did not load. Only without report.note is it proved */
    struct arena arena;    /* owned: the grants */
    struct report_policy report;
    char note[240];
};

/*
 * The copy is believed only when it is the policy whose hash the records carry (hash; "" when they
 * carry none): the records are proved, the copy is a file. Never fails: report.note says what is
 * missing.
 */
void audit_policy_load(struct audit_policy *p, int dirfd, const char *hash);
void audit_policy_fini(struct audit_policy *p);

#endif
