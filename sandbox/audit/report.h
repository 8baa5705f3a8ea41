/*
 * report.h - a log for people: one self-contained HTML file, no script, no network.
 */
#ifndef SANDBOX_AUDIT_REPORT_H
#define SANDBOX_AUDIT_REPORT_H

#include "sandbox/audit/log.h"
#include "sandbox/audit/tally.h"

#include <stdio.h>

/* A grant of the policy, so that the report can tell which were never used. Borrowed. */
struct report_grant {
    const char *rule; /* id as in the records */
    const char *text; /* what it grants, for a person */
    bool seen;        /* every use of it, or every request for it, is recorded */
};

/* "used", "denied" (only), "never", or "unseen": the host does not see every use of it. */
const char *report_use(const struct tally *t, const struct report_grant *g);

/* The policy that was in force. */
struct report_policy {
    const struct report_grant *grants;
    size_t n;
    const char *note; /* why its grants cannot be listed; NULL: they are all in grants */
};

/* What the report says about the log's own soundness. */
struct report_proof {
    bool sound;
    const char *name; /* of the sandbox, or "" */
    const char *said; /* the verdict, one sentence */
};

/* Writes the page. -errno of the stream when it failed. */
must_check int report_write(FILE *out, const struct tally *t, const struct report_policy *policy,
                            const struct report_proof *proof);

/* One record as an OCSF 1.1.0 event (ocsf.c has the classes): one line of JSON with its newline. */
must_check int report_ocsf(FILE *out, const struct audit_record *r);

#endif
