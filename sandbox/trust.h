/*
 * trust.h - the trust document of this host, and policies judged by it: signatures from beside the
 * documents, versions seen before from the state directory. Nothing is asked of a network.
 */
#ifndef SANDBOX_TRUST_H
#define SANDBOX_TRUST_H

#include "base/err.h"
#include "policies/judge.h"
#include "sandbox/guard/dossier.h"

#define TRUST_SIGNATURES ".sig" /* after the document's name */

/*
 * The first of $CARREL_TRUST, trust.yaml in $XDG_CONFIG_HOME/carrel (~/.config/carrel) and
 * /etc/carrel/trust.yaml. 0 and NULL: there is none, nothing needs to be signed. It is refused when
 * others can write it or put another in its place: -EPERM; when it is wrong: -EINVAL, and ps says
 * why. What $CARREL_TRUST names must be there.
 */
must_check int trust_load(struct trust **t, struct problems *ps, struct err *e);

/* What signatures are worth, document by document. */
struct trust_report {
    struct signed_document doc[POLICY_FILES_MAX]; /* texts in the arena */
    struct judgement judgement[POLICY_FILES_MAX];
    struct signatures *sigs[POLICY_FILES_MAX]; /* owned */
    unsigned n;
    struct arena arena; /* owned */
};

enum trust_memory {
    TRUST_LOOK,   /* older than what was used here: refused */
    TRUST_RECORD, /* the same, and this is now the oldest that will do: for what is about to run */
};

/*
 * Judges a policy's documents, the named one first. -EACCES: refused, ps has at least one problem
 * and e the first; another error: it could not be judged, which is no permission either.
 * r may be NULL; else trust_report_fini in any case.
 */
must_check int trust_check_policy(const struct trust *t, const struct document *docs, unsigned n,
                                  int64_t now, enum trust_memory memory, struct trust_report *r,
                                  struct problems *ps, struct err *e);
void trust_report_fini(struct trust_report *r);

/*
 * Widens p, which the documents made, by the grant in a file. top is the named document. until,
 * when not NULL, gets the moment from which it is granted no more. Errors as above; p is then good
 * for nothing.
 */
must_check int trust_widen(const struct trust *t, const char *grant_file,
                           const struct document *top, struct policy *p, int64_t now,
                           int64_t *until, struct problems *ps, struct err *e);

#endif
